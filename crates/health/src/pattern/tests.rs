use std::sync::Arc;

use super::*;

fn pattern(text: &str, options: &[&str]) -> Pattern {
    Pattern {
        text: text.into(),
        options: options.iter().map(|&name| name.into()).collect(),
        absent: false,
        min_offset: 0,
        max_offset: None,
    }
}

fn search(pattern: &Pattern, page: &[u8], piece: usize) -> Found {
    let compiled = pattern.compile().unwrap_or_else(|error| panic!("{}: {error}", pattern.text));
    let mut search = Search::new(Arc::new(compiled));
    page.chunks(piece).for_each(|piece| {
        search.feed(piece);
    });
    search.finish()
}

#[track_caller]
fn found(text: &str, options: &[&str], page: impl AsRef<[u8]>) -> bool {
    let pattern = pattern(text, options);
    let [whole, bytewise] =
        [page.as_ref().len().max(1), 1].map(|size| search(&pattern, page.as_ref(), size));
    assert_eq!(whole, bytewise);
    matches!(whole, Found::At(_))
}

fn refused(text: &str, options: &[&str]) -> String {
    pattern(text, options).compile().expect_err(text).to_string()
}

/// What PCRE2 says of each was taken from `pcre2test`'s manual and PCRE2's own pages, `pcre2pattern` and
/// `pcre2api`.
#[test]
fn patterns_mean_what_they_mean_in_pcre2() {
    let yes = [
        (r#"{"status":"ok"}"#, r#"x {"status":"ok"} y"#),
        (r"a{,3}", "a{,3}"),
        (r"^a{2,3}$", "aaa"),
        (r"^a{2}b{1,}$", "aab"),
        (r"x{y}", "x{y}"),
        (r"up$", "up\n"),
        (r"(up|down)$", "down\n"),
        (r"(?=up$)up", "up\n"),
        (r"a]b", "a]b"),
        (r"[]a]+$", "]a"),
        (r"[[a]b]", "[b]"),
        (r"[a&&b]+$", "&&"),
        (r"[a~~]+$", "~~"),
        (r"^[--a]$", "A"),
        (r"^[\d-x]+$", "1-x"),
        (r"^[a-c-e]+$", "b-e"),
        (r"^[a-\d]+$", "a-1"),
        (r"^[\d\-x]+$", "1-x"),
        (r"^[[:digit:][:^alpha:]]+$", "12-"),
        (r"\<b\>", "<b>"),
        (r"\/\-\'\!", "/-'!"),
        (r"\Qa.b*\E+", "a.b**"),
        (r"^\h+\H", " \tx"),
        (r"^a\Rb$", "a\r\nb"),
        (r"^\v$", "\u{b}"),
        (r"\x41\x{42}\103\o{104}[\105]", "ABCDE"),
        (r"\x41\x{42}\cA\t", "AB\u{1}\t"),
        (r"^\N+$", "ab"),
        (r"(\w)\1", "hello"),
        (r"(?<x>l)\k<x>", "hello"),
        (r"(?P<x>l)(?P=x)", "hello"),
        (r"(?'x'l)\k{x}", "hello"),
        (r"(l)\g{1}", "hello"),
        (r"l(?=o)", "hello"),
        (r"(?<!h)el|lo", "hello"),
        (r"(?>a+)b", "aab"),
        (r"a++b", "aab"),
        (r"a(?#comment)b", "ab"),
        (r"(?i)AB(?-i)c", "abc"),
        (r"(?i:A)b", "ab"),
        (r"(?m)^b$", "a\nb\nc"),
        (r"(?s)a.b", "a\nb"),
        (r"(?x) a b # comment", "ab"),
        ("é", "caf\u{e9}"),
        ("[é]", "\u{e9}"),
        (r"^caf..$", "caf\u{e9}"),
        (r"(a)?(?(1)b|c)", "c"),
        ("", ""),
    ];
    for (text, page) in yes {
        assert!(found(text, &[], page), "{text} in {page:?}");
    }
    let no = [
        (r"up$", "up\n\n"),
        (r"up\z", "up\n"),
        (r"^b", "a\nb"),
        (r"a.b", "a\nb"),
        (r"^caf.$", "caf\u{e9}"),
        ("AB", "ab"),
        (r"(\w)\1", "word"),
        (r"^[a-c]$", "-"),
        ("a b", "ab"),
    ];
    for (text, page) in no {
        assert!(!found(text, &[], page), "{text} in {page:?}");
    }
}

#[test]
fn every_option_does_what_it_says_or_nothing_that_is_seen() {
    let differs: [(&str, &str, &str, bool); 11] = [
        ("caseless", "AB", "ab", true),
        ("dotall", "a.b", "a\nb", true),
        ("multiline", "^b$", "a\nb\nc", true),
        ("extended", "a b [ ] # c", "ab ", true),
        ("dollar_endonly", "a$", "a\n", false),
        ("firstline", "b", "a\nb", false),
        ("utf", "^caf.$", "caf\u{e9}", true),
        ("allow_empty_class", "a[^]b", "a\nb", true),
        ("allow_empty_class", "a[]", "a]]", false),
        ("alt_circumflex", "^a", "a", true),
        ("match_unset_backref", "a", "a", true),
    ];
    for (option, text, page, expected) in differs {
        assert_eq!(found(text, &[option], page), expected, "{option}");
    }
    assert!(!found("a[ ]b", &["extended"], "ab"));
    let harmless = [
        "alt_bsux",
        "auto_callout",
        "dupnames",
        "never_ucp",
        "never_utf",
        "no_auto_capture",
        "no_auto_possess",
        "no_dotstar_anchor",
        "no_start_optimize",
        "ungreedy",
        "never_backslash_c",
        "alt_circumflex",
        "alt_verbnames",
        "use_offset_limit",
    ];
    for option in harmless {
        assert!(found(r"^a(b+)\d$", &[option], "abb1"), "{option}");
    }
    assert!(found(r"\w+\d", &["utf", "ucp"], "\u{e9}\u{663}"));
    assert!(!found(r"\w", &["utf"], "\u{e9}"));
    assert!(!found(r"\bx", &["utf", "ucp"], "\u{e9}x"));
    assert!(found(r"\bx", &["utf"], "\u{e9}x"));
}

#[test]
fn what_is_not_possible_is_said_precisely() {
    let said = [
        (
            r"\u0041",
            &["alt_bsux"][..],
            "`alt_bsux` is not possible here with `\\u`, `\\U` or `\\x` in the pattern",
        ),
        (
            r"(a)?\1",
            &["match_unset_backref"],
            "`match_unset_backref` is not possible here with references such as `\\1` in the pattern",
        ),
        ("a", &["ucp"], "`ucp` needs `utf`: without it bytes are no characters of Unicode"),
        ("a", &["none"], "`none` is no option of a regex"),
        (
            "(*UTF)a",
            &[],
            "verbs such as `(*UTF)` are not possible here (at character 1 of the pattern)",
        ),
        ("(a", &[], "`(` is not closed (at character 2 of the pattern)"),
        (r"a\1", &[], "Invalid back reference to group 1"),
        ("a)", &[], "`)` closes nothing (at character 2 of the pattern)"),
        ("[a", &[], "`[` is not closed (at character 1 of the pattern)"),
        (r"a\X", &[], "this escape is not possible here (at character 2 of the pattern)"),
        ("a(?R)", &[], "recursion is not possible here (at character 2 of the pattern)"),
        ("a\\", &[], "`\\` at the end (at character 2 of the pattern)"),
        ("a{3,2}", &[], "a count that goes down (at character 2 of the pattern)"),
        (r"\x{zz}", &[], "not the number of a character (at character 2 of the pattern)"),
    ];
    for (text, options, expected) in said {
        assert_eq!(refused(text, options), expected);
    }
    assert_eq!(
        refused("[z-a]", &[]),
        "invalid character class range, the start must be <= the end"
    );
    for text in ["*a", "[z-a]", "(?<n", "((((((a{1000}){1000}){1000}){1000})))"] {
        assert!(!refused(text, &[]).contains('\n'), "{text}");
    }
}

#[test]
fn offsets_bound_where_a_match_begins() {
    let at = |min_offset, max_offset, options: &[&str]| {
        let pattern = Pattern { min_offset, max_offset, ..pattern("ab", options) };
        search(&pattern, b"ab..ab..ab", 1)
    };
    assert_eq!(at(0, None, &[]), Found::At(0));
    assert_eq!(at(1, None, &[]), Found::At(4));
    assert_eq!(at(5, None, &[]), Found::At(8));
    assert_eq!(at(9, None, &[]), Found::Nothing);
    assert_eq!(at(100, None, &[]), Found::Nothing);
    assert_eq!(at(1, Some(4), &["use_offset_limit"]), Found::At(4));
    assert_eq!(at(1, Some(3), &["use_offset_limit"]), Found::Never);
    assert_eq!(at(1, Some(3), &[]), Found::At(4));
}

#[test]
fn a_long_page_is_searched_through_a_window() {
    let mut page = vec![b'.'; 300_000];
    page.extend(b"needle");
    page.extend(vec![b'.'; 100_000]);
    for (text, place) in [
        ("needle", 300_000),
        ("ne+dle", 300_000),
        (r"\bneedle\b", 300_000),
        (r"(?<=\.)n(?=e)", 300_000),
    ] {
        for piece in [1000, 65_536, 1_000_000] {
            assert_eq!(search(&pattern(text, &[]), &page, piece), Found::At(place), "{text}");
        }
    }
    for text in ["^needle", "needle$", r"\Aneedle", "^\\.needle"] {
        assert_eq!(search(&pattern(text, &[]), &page, 4096), Found::Nothing, "{text}");
    }
    assert_eq!(search(&pattern(r"\.$", &[]), &page, 4096), Found::At(400_005));
    let late = Pattern { min_offset: 300_001, ..pattern("needle", &[]) };
    assert_eq!(search(&late, &page, 4096), Found::Nothing);
    let early = Pattern { max_offset: Some(1000), ..pattern("needle", &["use_offset_limit"]) };
    let mut search = Search::new(Arc::new(early.compile().expect("a pattern")));
    assert_eq!(page.chunks(4096).map(|piece| search.feed(piece)).last(), Some(Found::Never));
}

#[test]
fn a_page_that_would_take_too_long_is_said_to() {
    let page = format!("{} y", "x".repeat(5000));
    assert_eq!(search(&pattern(r"(x+)+\1\1y", &[]), page.as_bytes(), 5000), Found::TooHard);
}
