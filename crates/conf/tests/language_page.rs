//! The examples of `docs/reference/language.md`: each loads without a mistake, and those that
//! stand under another one say the same as it.

use std::{fs, path::Path};

use standfast_conf::{Code, Loaded, Memory, Options, Statement, load};

const MAIN: &str = "/etc/keepalived/keepalived.conf";

/// The fences of the page: the words behind the backquotes, and the text.
fn fences() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/language.md");
    let page = fs::read_to_string(path).expect("the page");
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
