//! Laying out any file twice is laying it out once, means the same, and loses no comment.

#![expect(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::{
    fmt::Display,
    fs,
    io::{self, Write},
    path::Path,
};

use proptest::prelude::*;
use standfast_conf::{Sources, Span, TokenKind, format, same_meaning, tokens};
use support::configuration;

/// All comments, blanks at their ends aside.
fn comments(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut sources = Sources::default();
    let file = sources.add("".into(), bytes.to_vec());
    let source = sources.source(file).expect("just added");
    let all = tokens(file, source);
    let comments = all.iter().filter(|token| token.kind == Some(TokenKind::Comment));
    let blank = |byte: &u8| b" \t\x0b\x0c\r".contains(byte);
    let text = |span: Span| {
        let text = &bytes[span.range()];
        text[..text.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1)].to_vec()
    };
    comments.map(|token| text(token.span)).collect()
}

/// For whoever looks at the output.
fn say(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

#[track_caller]
fn exercise(bytes: &[u8]) {
    let laid_out = format(bytes);
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        String::from_utf8_lossy(&format(&laid_out)),
        String::from_utf8_lossy(&laid_out),
        "a second time changes nothing: {}",
        shown()
    );
    assert!(same_meaning(bytes, &laid_out), "it means the same: {}", shown());
    assert_eq!(comments(bytes), comments(&laid_out), "comments are kept: {}", shown());
    assert!(laid_out.is_empty() || laid_out.ends_with(b"\n"));
    let longest = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
    assert!(longest(&laid_out) <= longest(bytes).max(Some(1023)), "no line grows too long");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_mean_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn near_configurations_mean_the_same(text in configuration()) {
        exercise(text.as_bytes());
    }

    #[test]
    fn a_soup_of_signs_means_the_same(text in "[ab \n\n{}{}\"'#@$=\\\\~,()\r\t]{0,60}") {
        exercise(text.as_bytes());
    }

    #[test]
    fn a_soup_of_directives_means_the_same(words in prop::collection::vec(
        prop::sample::select(vec![
            "a", "b", "script", "notify", "include", "includer x", "@a", "@^a", "@b", "$A=", "$B=", "$A",
            "$B", "${A}", "~SEQ(A,2)", "~LST({A,B},{1,2},{3})", "{", "}", "{", "}", "\n", "\n",
            "\n", "\n", "\n", "\\\n", "\\\n", "\"", "'", "#c", "!", "\0", "\r\n", "\u{feff}",
            " ", " ", " ", "  ", "\t", "=", "\\",
        ]),
        0..60,
    )) {
        exercise(words.concat().as_bytes());
    }
}

#[test]
fn the_deployments_mean_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files: Vec<_> = fs::read_dir(folder).expect("the fixtures").flatten().collect();
    assert_eq!(files.len(), 9);
    for file in files {
        exercise(&fs::read(file.path()).expect("readable"));
    }
}

#[test]
fn half_of_every_file_means_the_same() {
    let text = include_bytes!("fixtures/director.conf");
    (0..text.len()).for_each(|end| exercise(&text[..end]));
}

#[test]
fn thousands_of_braces_do_not_blow_up() {
    for text in ["a {".repeat(20_000), "}".repeat(10_000), "a {\n".repeat(10_000)] {
        exercise(text.as_bytes());
        assert!(format(text.as_bytes()).len() < 80 * text.len());
    }
}

#[test]
fn files_from_the_world_mean_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/files");
    let Ok(files) = fs::read_dir(&folder) else {
        say(format_args!("SKIPPED: there is no corpus at {}", folder.display()));
        return;
    };
    let mut count = 0;
    for file in files.flatten() {
        say(file.path().display());
        exercise(&fs::read(file.path()).expect("readable"));
        count += 1;
    }
    say(format_args!("{count} files"));
}
