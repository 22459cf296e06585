//! No input panics, and nothing of a file is lost.

#![expect(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use proptest::prelude::*;
use standfast_conf::{
    Code, Memory, Options, cross_node, json, load, render, test_exit_code, tokens,
};
use support::{MAIN, configuration};

/// Loads bytes, and does everything with the result that a program would do.
fn exercise(bytes: &[u8]) {
    let files = Memory::default().with(MAIN, bytes).with_script("/s", bytes);
    let loaded = load(MAIN.as_ref(), &Options::default(), &files);
    for diagnostic in &loaded.diagnostics {
        assert!(!render(diagnostic, &loaded.sources, true).is_empty());
        serde_json::to_string(&json(diagnostic, &loaded.sources)).expect("serializes");
    }
    let _ = test_exit_code(&loaded.diagnostics);
    for (file, source) in loaded.sources.iter() {
        let printed: Vec<u8> = tokens(file, source)
            .iter()
            .flat_map(|token| source.bytes()[token.span.range()].to_vec())
            .collect();
        assert_eq!(printed, source.bytes(), "the tokens are the file");
    }
    let _ = cross_node(&[loaded.clone(), loaded]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn near_configurations_never_panic(text in configuration()) {
        exercise(text.as_bytes());
    }
}

#[test]
fn thousands_of_braces_do_not_overflow_the_stack() {
    exercise("a {".repeat(100_000).as_bytes());
    exercise("}".repeat(10_000).as_bytes());
    exercise("a {\n".repeat(10_000).as_bytes());
}

/// The findings of a text that is made to be a lot of work.
fn hostile(text: &str) -> Vec<Code> {
    let files = Memory::default().with(MAIN, text);
    let loaded = load(MAIN.as_ref(), &Options::default(), &files);
    loaded.diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn long_lines_are_skipped_and_do_not_fill_the_memory() {
    assert_eq!(hostile(&"a ".repeat(1 << 20)), [Code::LongLine]);
    assert_eq!(hostile(&"\"".repeat(1 << 20)), [Code::LongLine]);
    assert!(hostile(&format!("{} {}", "x".repeat(30_000), "' ".repeat(15_000))).len() <= 2);
}

#[test]
fn a_million_findings_are_not_kept() {
    let found = hostile(&"}\n".repeat(300_000));
    assert!(found.len() <= 2001 && found.contains(&Code::Limit), "{}", found.len());
}

#[test]
fn a_million_unknown_words_take_no_longer_than_known_ones() {
    let found = hostile(&"virtual_router_jd\n".repeat(300_000));
    assert!(found.len() <= 2001 && found.contains(&Code::Limit), "{}", found.len());
}

#[test]
fn a_line_that_refers_to_much_ends() {
    let long = "y ".repeat(30_000);
    let text = format!("$X={long}\n{}\n", "$X ".repeat(20_000));
    assert!(hostile(&text).contains(&Code::Limit));
    let doubled: String =
        (1..100).map(|n| format!("$a{n}=${{a{}}}${{a{}}}\n", n - 1, n - 1)).collect();
    assert!(hostile(&format!("{doubled}{}", "$a99\n".repeat(1000))).contains(&Code::Limit));
}

#[test]
fn many_definitions_and_many_misspelt_references_take_linear_time() {
    let defined: String = (0..20_000).map(|n| format!("$a{n}=x\n")).collect();
    let used: String = (0..20_000).map(|n| format!("router_id ${{b{n}}}\n")).collect();
    let found = hostile(&format!("{defined}global_defs {{\n{used}}}\n"));
    assert!(found.contains(&Code::BadReference));
}

#[test]
fn loops_share_one_allowance() {
    assert!(hostile(&"~SEQ(i,60000) @nobody x\n".repeat(50)).contains(&Code::Limit));
    let names = "a,".repeat(200);
    let values = "1,".repeat(10_000);
    assert!(hostile(&format!("~LST({{{names}b}},{values}) x\n")).contains(&Code::BadDirective));
}

#[test]
fn includes_share_one_allowance() {
    let text = format!("include {}\n", "{a,b}".repeat(20)).repeat(100);
    assert!(hostile(&text).contains(&Code::Limit));
    let text = format!("include {{{}}}{}\n", ",".repeat(20_000), "x".repeat(20_000));
    assert!(hostile(&text).contains(&Code::Limit));
}

#[test]
fn a_file_beyond_the_limit_is_refused_and_said() {
    assert_eq!(hostile(&"#\n".repeat(33 << 20)), [Code::Limit]);
}

#[test]
fn half_of_every_file_is_no_surprise() {
    let text = include_str!("fixtures/director.conf");
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        exercise(&text.as_bytes()[..end]);
    }
}
