//! What the table says of each keyword holds: every word that it allows is taken, every other one
//! is reported where it stands.

#![expect(clippy::panic, reason = "a test that panics has failed")]

mod support;
#[path = "support/words.rs"]
mod words;

use std::{collections::BTreeSet, fs, path::Path};

use standfast_conf::{
    Code, Diagnostic, Loaded,
    table::{self, Age, Block, Default, Item, Keyword, Kind, Status},
};
use support::load;

/// What is said of words that do not fit, or of a line that is not understood.
const MISFITS: &[Code] = &[
    Code::UnknownKeyword,
    Code::WrongBlock,
    Code::UnexpectedBlock,
    Code::MissingBlock,
    Code::MissingParameter,
    Code::BadValue,
    Code::OutOfRange,
    Code::SurplusWords,
    Code::UnknownOption,
    Code::BadState,
    Code::GroupNotMulticast,
    Code::BadAddress,
    Code::VridMissing,
    Code::AdvertInterval,
    Code::ForwardingMethod,
    Code::Scheduler,
];

/// A line of the table: a keyword, an option or an entry, and the line of a file that it makes.
#[derive(Clone)]
struct Line {
    /// The blocks around it, opened.
    before: String,
    /// The words up to the keyword or option, itself included if it is written.
    start: String,
    /// The braces behind it.
    after: String,
    path: &'static str,
    keyword: &'static Keyword,
}

impl Line {
    fn text(&self, words: &str) -> String {
        let block = if self.keyword.opens_block() { " {\n}" } else { "" };
        format!("{}{} {words}{block}\n{}", self.before, self.start, self.after)
    }

    fn name(&self) -> String {
        format!("{} of `{}`", self.keyword.name, self.path)
    }

    /// Where its words begin.
    fn words_start(&self) -> usize {
        self.before.len() + self.start.len() + 1
    }
}

/// The lines that open a block, and the braces that close it.
fn around(path: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let mut outer = String::new();
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let keyword = table::lookup(&outer, name).unwrap_or_else(|| panic!("{outer}: {name}"));
        let words = sample(&keyword.arguments.items);
        before.push_str(&format!("{name} {words} {{\n"));
        after.push_str("}\n");
        outer = table::child(&outer, name);
    }
    (before, after)
}

/// Words that fit, without what may be left out.
fn sample(items: &[Item]) -> String {
    let word = |item: &Item| match item {
        Item::One(kind) | Item::Several(kind) => words::of(kind).good.first().cloned(),
        Item::Optional(_) | Item::Options => None,
    };
    items.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

/// Every keyword, entry and option of the table that a file can have.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for block in table::blocks() {
        if block.keywords.is_empty() && block.entries.is_empty() {
            continue;
        }
        // A block of options alone is no block of a file.
        if !block.path.is_empty() && !is_block(block.path) {
            continue;
        }
        let (before, after) = around(block.path);
        for keyword in block.keywords.iter().chain(&block.entries) {
            let entry = keyword.name.starts_with('<');
            let start = if entry { String::new() } else { keyword.name.to_owned() };
            let (before, after, path) = (before.clone(), after.clone(), block.path);
            let line = Line { before, start, after, path, keyword };
            options(&line, &mut lines);
            lines.push(line);
        }
    }
    lines
}

/// The options that may stand behind a keyword, and behind these.
fn options(line: &Line, lines: &mut Vec<Line>) {
    let Some(block) = line.keyword.block().filter(|_| line.keyword.arguments.has_options()) else {
        return;
    };
    for option in &block.options {
        let start =
            format!("{} {} {}", line.start, sample(&line.keyword.arguments.items), option.name);
        let inner = Line { start, path: block.path, keyword: option, ..line.clone() };
        options(&inner, lines);
        lines.push(inner);
    }
}

fn is_block(path: &str) -> bool {
    let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
    table::lookup(outer, name).is_some_and(Keyword::opens_block)
}

/// Lines that are more than a spelling of keepalived's manual.
fn known() -> Vec<Line> {
    lines().into_iter().filter(|line| line.keyword.status != Status::ManualOnly).collect()
}

/// Each kind of word behind a keyword, with the words that have to stand before and behind it.
fn places(items: &[Item]) -> Vec<(String, &Kind, String)> {
    let mut found = Vec::new();
    let mut before = String::new();
    for (at, item) in items.iter().enumerate() {
        let after = sample(items.get(at + 1..).unwrap_or_default());
        match item {
            Item::One(kind) | Item::Several(kind) => {
                found.push((before.clone(), kind, after));
                before.push_str(&sample(std::slice::from_ref(item)));
                before.push(' ');
            }
            Item::Optional(inner) => {
                for (inside, kind, rest) in places(inner) {
                    found.push((format!("{before}{inside}"), kind, format!("{rest} {after}")));
                }
                // What follows an optional word stands behind it.
                before.push_str(&sample(inner));
                before.push(' ');
            }
            Item::Options => {}
        }
    }
    found
}

fn misfits(loaded: &Loaded) -> Vec<&Diagnostic> {
    loaded.diagnostics.iter().filter(|found| MISFITS.contains(&found.code)).collect()
}

/// Findings of more than the table: the instance has no virtual_router_id, a peer takes a length and
/// drops it, VRRPv2 rounds intervals.
fn about_the_rest(found: &Diagnostic) -> bool {
    let says = |code, text| found.code == code && found.message.contains(text);
    says(Code::VridMissing, "has no virtual_router_id")
        || says(Code::AdvertInterval, "carries")
        || says(Code::BadAddress, "a peer is one address")
        || says(Code::BadAddress, "of another family than its address")
}

#[track_caller]
fn accepted(line: &Line, words: &str) -> Option<String> {
    let text = line.text(words);
    let loaded = load(&text);
    let found = misfits(&loaded).into_iter().find(|found| !about_the_rest(found))?;
    Some(format!("{}: `{words}` is refused: {} {}\n{text}", line.name(), found.code, found.message))
}

fn report(failures: impl IntoIterator<Item = String>) {
    let failures: Vec<String> = failures.into_iter().collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_keyword_takes_its_limits_its_choices_and_its_default() {
    let mut failures = Vec::new();
    for line in known() {
        let arguments = &line.keyword.arguments;
        failures.extend(accepted(&line, &sample(&arguments.items)));
        for (before, kind, after) in places(&arguments.items) {
            for word in words::of(kind).good {
                failures.extend(accepted(&line, &format!("{before}{word} {after}")));
            }
        }
        if let Default::Value(default) = line.keyword.default {
            failures.extend(accepted(&line, default));
        }
    }
    report(failures);
}

#[test]
fn every_word_just_outside_is_reported_where_it_stands() {
    let mut failures = Vec::new();
    for line in known() {
        for (before, kind, after) in places(&line.keyword.arguments.items) {
            for word in words::of(kind).bad {
                // It may well be a word of another kind that may stand there.
                if fits_elsewhere(&line, kind, &word) {
                    continue;
                }
                let text = line.text(&format!("{before}{word} {after}"));
                let loaded = load(&text);
                let start = line.words_start() + before.len();
                let exact =
                    |found: &&Diagnostic| found.primary.span.range() == (start..start + word.len());
                if !misfits(&loaded).iter().any(exact) {
                    failures.push(format!("{}: `{word}` is taken\n{text}", line.name()));
                }
            }
        }
    }
    report(failures);
}

fn fits_elsewhere(line: &Line, kind: &Kind, word: &str) -> bool {
    let places = places(&line.keyword.arguments.items);
    let others = places.iter().map(|(_, other, _)| *other).filter(|other| *other != kind);
    let siblings = table::block(line.path).map(|block| &block.entries).into_iter().flatten();
    let entries = line.keyword.name.starts_with('<').then_some(siblings).into_iter().flatten();
    others
        .chain(entries.filter_map(|entry| entry.arguments.first()))
        .any(|other| other != kind && other.read(word).is_ok())
}

#[test]
fn a_keyword_without_its_value_is_reported() {
    let mut failures = Vec::new();
    for line in known() {
        if line.keyword.arguments.may_be_empty() || line.keyword.name.starts_with('<') {
            continue;
        }
        let text = line.text("");
        let loaded = load(&text);
        let says = |what| format!("`{}` has no {what}", line.keyword.name);
        let says = [says("value"), says("name")];
        let missing = |found: &&Diagnostic| {
            matches!(found.code, Code::MissingParameter | Code::BadValue | Code::MissingBlock)
                && says.iter().any(|says| found.message.starts_with(says))
        };
        if !misfits(&loaded).iter().any(missing) {
            failures.push(format!("{}: may be empty\n{text}", line.name()));
        }
    }
    report(failures);
}

/// A misspelling of a name that is no name itself.
fn misspelt(block: &Block, name: &str) -> Option<String> {
    let wrong = [format!("{name}q"), format!("q{name}"), name.replacen('_', "", 1)];
    wrong.into_iter().find(|wrong| {
        table::homes(wrong).is_empty()
            && block.option(wrong).is_none()
            && wrong != name
            && table::suggest(block, wrong).is_none_or(|found| found == name)
    })
}

#[test]
fn a_misspelt_keyword_is_suggested() {
    let mut failures = Vec::new();
    for line in known() {
        let Some(block) = table::block(line.path) else { continue };
        let name = line.keyword.name;
        if block.keyword(name).is_none() || !block.entries.is_empty() {
            continue;
        }
        let Some(wrong) = misspelt(block, name) else { continue };
        let text = Line { start: wrong.clone(), ..line.clone() }.text("1");
        let loaded = load(&text);
        let suggested = |found: &Diagnostic| {
            found.code == Code::UnknownKeyword
                && found.hint.as_deref().is_some_and(|hint| hint.contains(&format!("`{name}`")))
        };
        if !loaded.diagnostics.iter().any(suggested) {
            failures.push(format!("{}: `{wrong}`\n{text}", line.name()));
        }
    }
    report(failures);
}

#[test]
fn a_keyword_in_the_wrong_block_is_told_where_it_belongs() {
    let mut failures = Vec::new();
    for line in known() {
        let name = line.keyword.name;
        let is_keyword = table::lookup(line.path, name).is_some();
        let wrong = ["", "vrrp_instance", "global_defs", "vrrp_script"];
        let wrong = wrong.into_iter().find(|path| table::lookup(path, name).is_none());
        let Some(wrong) = wrong.filter(|_| is_keyword) else { continue };
        let (before, after) = around(wrong);
        let text = Line { before, after, ..line.clone() }.text("");
        let loaded = load(&text);
        let home = table::homes(name)[0].path.rsplit('.').next().filter(|home| !home.is_empty());
        let told = |found: &Diagnostic| {
            let hint = found.hint.as_deref().unwrap_or_default();
            found.code == Code::WrongBlock && hint.contains(home.unwrap_or("the top level"))
        };
        if !loaded.diagnostics.iter().any(told) {
            failures.push(format!("{}: not told\n{text}", line.name()));
        }
    }
    report(failures);
}

#[test]
fn an_outdated_spelling_is_told_its_successor() {
    let mut failures = Vec::new();
    for line in known() {
        let Age::OldNameOf(name) = line.keyword.age else { continue };
        let text = line.text(&sample(&line.keyword.arguments.items));
        let told = |found: &Diagnostic| {
            found.code == Code::Deprecated
                && found.hint.as_deref().is_some_and(|hint| hint.contains(name))
        };
        if !load(&text).diagnostics.iter().any(told) {
            failures.push(format!("{}: not told `{name}`\n{text}", line.name()));
        }
    }
    report(failures);
}

/// The description of the language that the table was made from, where it is at hand.
const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/spec/keywords.toml");

#[derive(serde::Deserialize)]
struct Spec {
    keyword: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    path: String,
    name: String,
}

#[test]
fn the_table_has_what_the_description_of_the_language_has_and_no_more() {
    if !Path::new(SPEC).exists() {
        return;
    }
    let text = fs::read_to_string(SPEC).expect("readable");
    let spec: Spec = toml::from_str(&text).expect("well formed");
    let described: BTreeSet<_> = spec
        .keyword
        .iter()
        .filter(|entry| !entry.path.starts_with('<'))
        .map(|entry| {
            // A word that starts with no keyword has another name here and there.
            let positional = entry.name.starts_with('<');
            let name = entry.name.split(' ').next().filter(|_| !positional);
            (entry.path.as_str(), name.unwrap_or("<>"))
        })
        .collect();
    let mut ours = BTreeSet::new();
    for block in table::blocks() {
        for keyword in block.keywords.iter().chain(&block.options).chain(&block.entries) {
            if keyword.since == Some("Standfast") {
                continue;
            }
            let positional = keyword.name.starts_with('<');
            ours.insert((block.path, if positional { "<>" } else { keyword.name }));
        }
    }
    let missing: Vec<_> = described.difference(&ours).collect();
    assert!(missing.is_empty(), "missing: {missing:#?}");
    // The description does not go into every list and every group of options.
    let described_path = |path| described.iter().any(|(other, _)| *other == path);
    let surplus =
        ours.difference(&described).filter(|(path, name)| described_path(*path) && *name != "<>");
    let surplus: Vec<_> = surplus.collect();
    assert!(surplus.is_empty(), "in the table alone: {surplus:#?}");
}
