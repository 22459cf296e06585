//! The language: comments, quotes, braces, conditions, definitions, loops, includes.

mod support;

use std::collections::BTreeMap;

use standfast_conf::{Class, Code, Memory, Options, Severity};
use support::{MAIN, also, expect, find, instance, load, load_as, load_with, warnings};

/// `router_id`'s value shows what the language made of a text.
fn router_id(text: &str) -> Option<String> {
    load(text).model?.global.router_id
}

#[test]
fn comments_end_lines_but_not_inside_double_quotes() {
    let text = "# one\n! two\nglobal_defs { router_id a # b\n}\n";
    assert_eq!(router_id(text).as_deref(), Some("a"));
    assert_eq!(router_id("global_defs {\nrouter_id \"a#b!c{d}\"\n}").as_deref(), Some("a#b!c{d}"));
}

#[test]
fn a_comment_inside_a_word_is_pointed_out() {
    let loaded = load("global_defs {\n router_id abc#def\n}\n");
    expect(&loaded, Code::CommentInWord, 2, "#def", "double quotes");
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("abc"));
}

#[test]
fn braces_may_stand_anywhere() {
    for text in [
        "global_defs\n{\nrouter_id a\n}\n",
        "global_defs {router_id a}",
        "global_defs { router_id a\n} global_defs { router_id a }",
        "global_defs\r\n{\r\n\trouter_id a\r\n}\r\n",
    ] {
        let loaded = load(text);
        assert_eq!(warnings(&loaded), [], "{text:?}");
        assert_eq!(router_id(text).as_deref(), Some("a"), "{text:?}");
    }
}

#[test]
fn a_quote_without_partner_is_underlined() {
    let loaded = load("global_defs {\n router_id \"abc\n}\n");
    expect(&loaded, Code::UnbalancedQuote, 2, "\"abc", "write \" at the end");
    assert!(loaded.model.is_some());
}

#[test]
fn definitions_are_replaced_and_keep_both_places() {
    let text = "$A=one\n$B=${A}two\nglobal_defs {\n router_id x${B}y\n}\n";
    assert_eq!(router_id(text).as_deref(), Some("xonetwoy"));
    let loaded = load(
        "$P=300\nvrrp_instance V {\n interface e\n virtual_router_id 1\n no_virtual_ipaddress\n priority $P\n}\n",
    );
    expect(&loaded, Code::OutOfRange, 6, "$P", "1 to 255");
    let word = &loaded.tree[0].statements()[3].words[1];
    let definition = word.definition().expect("the word came from a definition");
    assert_eq!(loaded.sources.position(definition).line, 1);
}

#[test]
fn a_bare_reference_ends_at_a_blank_or_parenthesis() {
    assert_eq!(router_id("$X=ab\nglobal_defs {\nrouter_id ($X)\n}").as_deref(), Some("(ab)"));
    assert_eq!(router_id("$X=ab\nglobal_defs {\nrouter_id a$X\n}").as_deref(), Some("aab"));
    assert_eq!(
        router_id("$X=ab\nglobal_defs {\nrouter_id \"p $X q\"\n}").as_deref(),
        Some("p ab q")
    );
}

#[test]
fn an_undefined_reference_stays_and_is_reported() {
    let loaded = load("$ROUTER=a\nglobal_defs {\n router_id ${ROUTTER}\n}\n");
    expect(&loaded, Code::BadReference, 3, "${ROUTTER}", "did you mean `$ROUTER`?");
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("${ROUTTER}"));
}

#[test]
fn a_definition_may_have_many_lines() {
    let text = "$X= \\\nrouter_id a \\\n# a remark \\\n\\\nvrrp_version 3\nglobal_defs {\n $X\n}\n";
    let loaded = load(text);
    assert_eq!(warnings(&loaded), [Code::BadDirective], "keepalived 2.4 stops at the remark");
    expect(&loaded, Code::BadDirective, 3, "# a remark \\", "above the definition");
    assert_eq!(loaded.tree[0].statements().len(), 2);
    let inside = load("$X= \\\na \\\nb\nglobal_defs {\n router_id $X c\n}\n");
    expect(&inside, Code::BadReference, 5, "$X", "last on its line");
}

#[test]
fn a_reference_at_the_start_can_turn_a_line_into_a_comment() {
    let text = "$OFF=${_HASH}\nglobal_defs {\n${OFF} router_id a\n $OFF nonsense {\n}\n";
    let loaded = load(text);
    assert_eq!(warnings(&loaded), []);
    assert_eq!(loaded.model.expect("runs").global.router_id, None);
}

#[test]
fn endless_definitions_end() {
    let loaded = load("$X=${X}${X}\nglobal_defs {\n router_id ${X}\n}\n");
    assert_eq!(find(&loaded, Code::Limit).severity, Severity::Warning);
}

#[test]
fn the_built_in_names_are_known() {
    let environment = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
    let options =
        Options { config_id: "n1".to_owned(), seed: 7, environment, ..Options::default() };
    let id = |text: &str| {
        let text = format!("global_defs {{\n router_id \"{text}\"\n}}");
        load_as(MAIN, &text, Memory::default(), &options).model.and_then(|m| m.global.router_id)
    };
    assert_eq!(id("${_PWD}").as_deref(), Some("/etc/keepalived"));
    assert_eq!(id("${_INSTANCE}").as_deref(), Some("n1"));
    assert_eq!(id("${_HASH}a${_BANG}").as_deref(), Some("#a!"));
    assert_eq!(id("${_ENV HOME}").as_deref(), Some("/root"));
    assert_eq!(id("${_RANDOM}"), id("${_RANDOM}"), "the seed repeats it");
    assert!(matches!(id("${_RANDOM 10 11}").as_deref(), Some("10" | "11")));
}

#[test]
fn conditions_keep_the_lines_of_this_node() {
    let text = "@n1 global_defs {\n@^n1 global_defs { router_id wrong\n@n1 router_id right\n}\n";
    let options = Options { config_id: "n1".to_owned(), ..Options::default() };
    let loaded = load_as(MAIN, text, Memory::default(), &options);
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("right"));
}

#[test]
fn loops_repeat_the_rest_of_the_line() {
    let names = |text: &str| -> Vec<String> {
        let loaded = load(text);
        assert!(!loaded.diagnostics.iter().any(|d| d.code == Code::BadDirective));
        loaded.tree.iter().flat_map(|s| s.words.iter().map(|w| w.text.to_string())).collect()
    };
    assert_eq!(names("~SEQ(i,3) a$i\n"), ["a1", "a2", "a3"]);
    assert_eq!(names("~SEQ(i, 5, -2, 1) a${i}b\n"), ["a5b", "a3b", "a1b"]);
    assert_eq!(names("~SEQx(i, 9, 0xb) $i\n"), ["9", "a", "b"]);
    assert_eq!(names("~LST({a,b},{1,2},{3}) x${a}y${b}\n"), ["x1y2", "x3y"]);
    assert_eq!(names("~LST(k,u,v) ~SEQ(l,2) ${k}${l}\n"), ["u1", "u2", "v1", "v2"]);
    assert_eq!(names("$N=2\n~SEQ(l,$N) a$l\n"), ["a1", "a2"]);
}

#[test]
fn a_malformed_loop_is_reported_and_a_huge_one_ends() {
    let loaded = load("~SEQ(i,x) a$i\n");
    expect(&loaded, Code::BadDirective, 1, "~SEQ(i,x) a$i", "");
    let deep = load("~SEQ(a,60000) ~SEQ(b,60000) ~SEQ(c,60000) x\n");
    assert!(deep.diagnostics.iter().any(|found| found.code == Code::Limit));
    assert!(load("~SEQ(a,1,99999999) x\n").model.is_some());
}

#[test]
fn includes_start_from_the_including_file() {
    let files = Memory::default()
        .with("/etc/keepalived/conf.d/a.conf", "global_defs { router_id a\ninclude ../b/*.inc\n}")
        .with("/etc/keepalived/conf.d/../b/x.inc", "vrrp_version 3")
        .with("/etc/keepalived/conf.d/b.conf", "vrrp_script s {");
    let loaded = load_with("include conf.d/{a,b}.conf\n script x\n}\n", files);
    assert_eq!(warnings(&loaded), [Code::ScriptSecurityOff, Code::NothingToDo]);
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("a"));
}

#[test]
fn a_file_that_includes_itself_is_read_once() {
    let files = Memory::default().with("/etc/keepalived/b.conf", "include keepalived.conf\n");
    let loaded = load_with("include b.conf\n", files);
    expect(&loaded, Code::IncludeCycle, 1, "keepalived.conf", "");
}

#[test]
fn includes_nest_only_so_deep() {
    let mut files = Memory::default();
    for n in 0..40 {
        files = files.with(format!("/etc/keepalived/{n}"), format!("include {}\n", n + 1));
    }
    let loaded = load_with("include 0\n", files);
    assert!(find(&loaded, Code::Limit).message.contains("32"));
}

#[test]
fn a_missing_include_is_as_grave_as_its_keyword_says() {
    let lenient = load("include nothing.conf\ninclude nothing*.conf\n");
    expect(&lenient, Code::IncludeMissing, 1, "nothing.conf", "relative names");
    assert_eq!(find(&lenient, Code::IncludeMissing).keepalived, None);
    let strict = load("includew nothing*.conf\n");
    assert!(find(&strict, Code::IncludeMissing).keepalived.is_some());
}

#[test]
fn include_check_holds_for_the_includes_below_it_in_its_own_file() {
    let fatal = |text: &str| {
        let files = Memory::default().with(
            "/etc/keepalived/sub.conf",
            "include gone*.conf\nglobal_defs {\n include_check\n}\n",
        );
        let loaded = load_with(text, files);
        let missing = loaded.diagnostics.iter().filter(|d| d.code == Code::IncludeMissing);
        missing.filter(|found| found.keepalived.is_some()).count()
    };
    assert_eq!(fatal("include gone*.conf\nglobal_defs {\n include_check\n}\n"), 0);
    assert_eq!(fatal("global_defs {\n include_check\n}\ninclude gone*.conf\n"), 1);
    assert_eq!(fatal("global_defs {\n include_check match\n}\ninclude gone*.conf\n"), 0);
    assert_eq!(fatal("global_defs {\n include_check +wildcard_match\n}\ninclude gone*.conf\n"), 1);
    let removed =
        "global_defs {\n include_check\n include_check -wildcard_match\n}\ninclude gone*.conf\n";
    assert_eq!(fatal(removed), 0);
    assert_eq!(fatal("include sub.conf\ninclude gone*.conf\n"), 0, "what a file says ends with it");
}

#[test]
fn long_lines_nul_bytes_marks_and_broken_text_are_reported() {
    let long = format!("global_defs {{\n router_id {}\n}}\n", "x".repeat(1100));
    assert_eq!(find(&load(&long), Code::LongLine).severity, Severity::Warning);
    let nul = load("global_defs {\n router_id a\0b\n}\n");
    expect(&nul, Code::NulByte, 2, "\0", "");
    assert_eq!(nul.model.expect("runs").global.router_id, None);
    let mark = load("\u{feff}global_defs {\n router_id a\n}\n");
    expect(&mark, Code::ByteOrderMark, 1, "\u{feff}", "without BOM");
    let files = Memory::default().with(MAIN, b"global_defs {\n router_id a\xff\n}\n".to_vec());
    let broken = standfast_conf::load(MAIN.as_ref(), &Options::default(), &files);
    assert_eq!(broken.sources.position(find(&broken, Code::NotUtf8).primary.span).column, 13);
}

#[test]
fn what_follows_an_empty_word_in_a_block_is_not_taken_for_the_top_level() {
    let loaded = load("\"\" {\n x\nglobal_defs {\n router_id a\n}\n");
    expect(&loaded, Code::UnclosedBlock, 1, "\"\" {", "before `global_defs`");
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("a"));
}

#[test]
fn a_missing_file_is_refused() {
    let loaded = standfast_conf::load("/nowhere".as_ref(), &Options::default(), &Memory::default());
    assert!(loaded.model.is_none());
    assert_eq!(find(&loaded, Code::Unreadable).severity, Severity::Error);
}

#[test]
fn only_a_definition_that_was_written_goes_on_in_the_next_line() {
    let loaded = load("~SEQ(i, 2) $A=x \\\nglobal_defs {\n router_id ${A}\n}\n");
    assert_eq!(loaded.model.expect("runs").global.router_id.as_deref(), Some("x"));
}

#[test]
fn beyond_the_deepest_block_a_brace_ends_a_statement_wherever_it_stands() {
    let deep = |brace: &str| {
        let text = "a {\n".repeat(64) + &format!("b{brace}c }}\n") + &"}\n".repeat(64);
        let loaded = load(&text);
        assert!(find(&loaded, Code::Limit).message.contains("64"));
        let mut statement = &loaded.tree[0];
        while statement.block.is_some() && !statement.statements().is_empty() {
            statement = &statement.statements()[0];
        }
        statement.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(deep(" { "), ["b"]);
    assert_eq!(deep("\n{\n"), ["b"]);
    assert_eq!(deep(" { } "), ["b"]);
}

#[test]
fn a_mistake_out_of_a_definition_names_the_definition_too() {
    let loaded = load(
        "$PRIO=300\nvrrp_instance V {\n interface e\n virtual_router_id 1\n no_virtual_ipaddress\n priority $PRIO\n}\n",
    );
    expect(&loaded, Code::OutOfRange, 6, "$PRIO", "1 to 255");
    assert_eq!(also(&loaded, Code::OutOfRange), [(1, "300".into(), "defined here".into())]);
    // The model keeps only the place of a value that fits; the definition is found all the same.
    let loaded = load(
        "$PRIO=255\nvrrp_instance V {\n interface e\n virtual_router_id 1\n no_virtual_ipaddress\n priority ${PRIO}\n}\n",
    );
    assert_eq!(also(&loaded, Code::AddressOwner), [(1, "255".into(), "defined here".into())]);
}

#[test]
fn a_mistake_out_of_a_definition_of_several_lines_names_its_line() {
    let text = "$BODY=\\\n interface e \\\n virtual_router_id 1 \\\n no_virtual_ipaddress \\\n priority 300 \\\n state SLAVE\nvrrp_instance V {\n $BODY\n}\n";
    let loaded = load(text);
    expect(&loaded, Code::OutOfRange, 8, "$BODY", "");
    assert_eq!(also(&loaded, Code::OutOfRange), [(5, "300".into(), "defined here".into())]);
    assert_eq!(also(&loaded, Code::BadState), [(6, "SLAVE".into(), "defined here".into())]);
}

#[test]
fn a_loop_says_a_mistake_once_and_not_in_each_round() {
    let loaded = load(
        "vrrp_instance V {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n ~SEQ(I, 1, 3) 192.0.2.300/24\n }\n}\n",
    );
    expect(&loaded, Code::BadAddress, 5, "192.0.2.300/24", "");
    // What only one of the values makes wrong is said of that value.
    let loaded =
        load("~LST({N, P}, {A, 300}, {B, 100}, {C, 400}) vrrp_instance V_$N { priority $P }\n");
    let found = loaded.diagnostics.iter().filter(|found| found.code == Code::OutOfRange);
    assert_eq!(found.count(), 2);
}

#[test]
fn a_reference_that_runs_into_more_text_is_reported_once_at_itself() {
    let text = "vrrp_instance V {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n ~SEQ(I, 1, 3) 192.0.2.$I/24\n }\n}\n";
    let loaded = load(text);
    let found = find(&loaded, Code::BadReference);
    assert_eq!(found.message, "`$I` is not replaced before `/`");
    assert_eq!(found.keepalived, Some(Class::Error));
    expect(&loaded, Code::BadReference, 5, "$I", "write `${I}`");
    assert!(!warnings(&loaded).contains(&Code::BadAddress), "the same mistake");
    let fixed = load(&text.replace("$I/", "${I}/"));
    assert!(!warnings(&fixed).contains(&Code::BadReference));
    assert_eq!(fixed.model.expect("runs").failover.instances[0].addresses.len(), 3);
}

#[test]
fn a_second_condition_skips_the_line_as_in_keepalived() {
    let options = Options { config_id: "lb1".into(), ..Options::default() };
    let text = "global_defs {\n @lb1 @lb1 router_id a\n @lb2 @lb1 router_id b\n}\n";
    let loaded = load_as(MAIN, text, Memory::default(), &options);
    expect(&loaded, Code::BadDirective, 2, "@lb1", "one condition");
    assert_eq!(loaded.model.expect("runs").global.router_id, None);
}

#[test]
fn a_brace_that_closes_too_early_is_found_where_it_stands() {
    let text = instance(" }\n priority 100\n nopreempt");
    let loaded = load(&text);
    expect(&loaded, Code::ExtraBrace, 5, "}", "delete it");
    let belongs = "`priority` belongs in `vrrp_instance`".into();
    assert_eq!(also(&loaded, Code::ExtraBrace), [(6, "priority".into(), belongs)]);
    assert_eq!(warnings(&loaded), [Code::ExtraBrace]);
    assert_eq!(loaded.tree[0].statements().len(), 5, "the orphans belong to the block");
    let list = load(
        "vrrp_instance V {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1/24\n }\n 192.0.2.2/24\n }\n}\n",
    );
    expect(&list, Code::ExtraBrace, 6, "}", "delete it");
    assert_eq!(list.model.expect("runs").failover.instances[0].addresses.len(), 2);
    // At the end it is just one too many.
    let end = load(&format!("{}}}\n{}", instance(""), "global_defs {\n}\n"));
    expect(&end, Code::ExtraBrace, 7, "}", "look above");
}

#[test]
fn a_block_without_its_opening_brace_keeps_its_lines() {
    let loaded = load(&instance("").replace("VI_1 {", "VI_1"));
    expect(&loaded, Code::MissingBlock, 1, "vrrp_instance VI_1", "write `vrrp_instance VI_1 {`");
    assert_eq!(warnings(&loaded), [Code::MissingBlock]);
    assert_eq!(loaded.model.expect("runs").failover.instances.len(), 1);
    let list = load(&instance("").replace("virtual_ipaddress {", "virtual_ipaddress\n"));
    expect(&list, Code::MissingBlock, 4, "virtual_ipaddress", "write `virtual_ipaddress {`");
    assert_eq!(warnings(&list), [Code::MissingBlock]);
}

#[test]
fn the_indentation_of_a_brace_tells_which_block_is_never_closed() {
    let loaded = load(
        "vrrp_instance VI_1 {\n  interface e\n  virtual_router_id 1\n  priority 100\n  virtual_ipaddress {\n    192.0.2.1/24\n\n}\nvrrp_instance VI_2 {\n  interface e\n  virtual_router_id 2\n  virtual_ipaddress {\n    192.0.2.2/24\n  }\n}\n",
    );
    expect(&loaded, Code::UnclosedBlock, 5, "virtual_ipaddress {", "at the end of the block");
    let like = "this `}` is indented like that of `vrrp_instance`".into();
    assert_eq!(also(&loaded, Code::UnclosedBlock), [(8, "}".into(), like)]);
    assert_eq!(warnings(&loaded), [Code::UnclosedBlock]);
}
