//! The examples of `docs/reference/language.md`: each loads without a mistake, and those that
//! stand under another one say the same as it.

use std::{fs, path::Path};

use standfast_conf::{Code, Loaded, Memory, Options, Statement, load};

const MAIN: &str = "/etc/keepalived/keepalived.conf";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/language.md");
    fs::read_to_string(path).expect("the page")
}

/// The fences of the page: the words behind the backquotes, and the text.
fn fences() -> Vec<(String, String)> {
    let page = page();
    let mut fences = Vec::new();
    let mut rest = page.as_str();
    while let Some((_, fence)) = rest.split_once("```conf") {
        let (fence, tail) = fence.split_once("```").expect("its end");
        let (info, text) = fence.split_once('\n').expect("its first line");
        fences.push((info.trim().to_owned(), text.to_owned()));
        rest = tail;
    }
    fences
}

fn words(statements: &[Statement]) -> String {
    let mut text = String::new();
    for statement in statements {
        let words = statement.words.iter().map(|word| format!("[{}]", word.text));
        text += &words.collect::<String>();
        if statement.block.is_some() {
            text += &format!("{{{}}}", words_of(statement));
        }
        text.push('\n');
    }
    text
}

fn words_of(statement: &Statement) -> String {
    words(statement.statements())
}

fn read(text: &str, files: &Memory) -> Loaded {
    let options = Options { config_id: "node1".to_owned(), ..Options::default() };
    load(Path::new(MAIN), &options, &files.clone().with(MAIN, text))
}

#[test]
fn every_example_is_without_mistake_and_the_second_of_two_says_the_same() {
    let mut files = Memory::default().with_script("/usr/bin/curl", "");
    files = files.with_script("/usr/local/bin/check", "");
    let mut before = String::new();
    let mut compared = 0;
    for (info, text) in fences() {
        if let Some(path) = info.strip_prefix("file ") {
            files = files.with(path, text);
            continue;
        }
        let loaded = read(&text, &files);
        let mistakes = loaded.diagnostics.iter().filter(|found| {
            let harmless = [Code::ScriptUnused, Code::ScriptSecurityOff, Code::NothingToDo];
            !harmless.contains(&found.code)
        });
        assert_eq!(mistakes.collect::<Vec<_>>(), Vec::<&_>::new(), "{text}");
        let now = words(&loaded.tree);
        if info == "same" {
            compared += 1;
            assert_eq!(now, before, "{text}");
        }
        before = now;
    }
    assert!(compared >= 8, "{compared}");
}

/// The number in the row of the limits that begins with `what`.
fn limit(what: &str) -> usize {
    let page = page();
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")));
    let digits = row.expect("the row").split(|char: char| !char.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).expect("a number")
}

/// At its limit a thing is accepted, and with one more it is reported.
fn expect_limit(what: &str, code: Code, make: impl Fn(usize) -> Memory) {
    let limit = limit(what);
    let found = |count| {
        let loaded = load(Path::new(MAIN), &Options::default(), &make(count));
        loaded.diagnostics.iter().any(|found| found.code == code)
    };
    assert!(!found(limit), "{what}: {limit} is refused");
    assert!(found(limit + 1), "{what}: {limit} is passed");
}

#[test]
fn the_limits_are_those_of_the_page() {
    expect_limit("blocks in each other", Code::Limit, |count| {
        Memory::default().with(MAIN, format!("{}{}", "a {\n".repeat(count), "}\n".repeat(count)))
    });
    expect_limit("rounds of a loop", Code::BadDirective, |count| {
        Memory::default().with(MAIN, format!("~SEQ(N, {count}) x"))
    });
    expect_limit("includes in each other", Code::Limit, |count| {
        let files = Memory::default().with(MAIN, "include 1");
        (1..=count).fold(files, |files, depth| {
            let next = if depth < count { format!("include {}", depth + 1) } else { String::new() };
            files.with(format!("/etc/keepalived/{depth}"), next)
        })
    });
    let length = limit("bytes of a line");
    let read = |extra: usize| {
        let line = format!("$A={}", "b".repeat(length - 3 + extra));
        let files = Memory::default().with(MAIN, format!("{line}\nglobal_defs $A\n"));
        let loaded = load(Path::new(MAIN), &Options::default(), &files);
        loaded.diagnostics.iter().any(|found| found.code == Code::BadReference)
    };
    assert!(!read(0) && read(1), "a line of {length} bytes");
}
