//! No input panics, and nothing of a file is lost.

#![expect(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use proptest::prelude::*;
use standfast_conf::{Memory, Options, cross_node, json, load, render, test_exit_code, tokens};
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
            .flat_map(|token| source.bytes()[token.span.start..token.span.end].to_vec())
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

#[test]
fn half_of_every_file_is_no_surprise() {
    let text = include_str!("fixtures/director.conf");
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        exercise(&text.as_bytes()[..end]);
    }
}
