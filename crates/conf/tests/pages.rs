//! The pages of the codes: each has one, its examples give the code, and the committed page is
//! what would be generated.

use std::{collections::BTreeSet, fs, path::PathBuf};

use standfast_conf::{
    Code,
    pages::{self, Example, Page, Part},
};

fn parsed(code: Code) -> Page {
    pages::parse(code).expect("it is well-formed")
}

fn examples(page: &Page) -> Vec<&Example> {
    let mut examples = Vec::new();
    for part in &page.parts {
        match part {
            Part::Example(example) => examples.push(example),
            Part::Text(_) | Part::Fixed(_) => {}
        }
    }
    examples
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnostics")
}

#[test]
fn every_page_has_a_title_an_explanation_an_example_and_its_correction() {
    let mut titles = BTreeSet::new();
    for &code in Code::ALL {
        let page = parsed(code);
        assert!(titles.insert(page.title) && !page.title.is_empty(), "{code}: {}", page.title);
        assert!(matches!(page.parts.first(), Some(Part::Text(_))), "{code} explains nothing");
        assert!(!examples(&page).is_empty(), "{code} has no example");
        let fixed = page.parts.iter().any(|part| matches!(part, Part::Fixed(_)));
        assert!(fixed, "{code} does not show how to write it");
    }
}

#[test]
fn every_example_gives_its_code_and_nothing_worse() {
    for &own_code in Code::ALL {
        for example in examples(&parsed(own_code)) {
            let findings = example.findings();
            let found: Vec<_> = findings.all().map(|(_, found)| found).collect();
            let own =
                found.iter().filter(|found| found.code == own_code).map(|found| found.severity);
            // What this version does not do yet is not the example's mistake.
            let counts = |code: Code| code == own_code || code != Code::NotActive;
            let worst =
                found.iter().filter(|found| counts(found.code)).map(|found| found.severity).max();
            assert_eq!(own.max(), worst, "{own_code}: {found:#?}");
            assert!(worst.is_some(), "{own_code}: nothing is found");
        }
    }
}

#[test]
fn what_the_page_says_to_write_instead_does_not_give_the_code() {
    for &code in Code::ALL {
        for part in parsed(code).parts {
            let Part::Fixed(example) = part else { continue };
            assert_eq!(pages::said(code, &example), Vec::<String>::new(), "{code}");
        }
    }
}

#[test]
fn the_committed_pages_are_what_the_sources_give() {
    let mut expected = BTreeSet::from(["README.md".to_owned()]);
    for &code in Code::ALL {
        let name = format!("{code}.md");
        let committed = fs::read_to_string(docs().join(&name)).unwrap_or_default();
        assert_eq!(committed, pages::markdown(code), "run `cargo xtask gen`");
        expected.insert(name);
    }
    let committed = fs::read_to_string(docs().join("README.md")).unwrap_or_default();
    assert_eq!(committed, pages::index(), "run `cargo xtask gen`");
    let files = fs::read_dir(docs()).expect("the folder").flatten();
    let names: BTreeSet<_> =
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, expected);
}

#[test]
fn no_source_lies_around_without_its_code() {
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("diagnostics");
    for entry in fs::read_dir(sources).expect("the folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let code = name.strip_suffix(".md").and_then(|name| name.parse::<Code>().ok());
        assert!(code.is_some_and(|code| format!("{code}.md") == name), "{name}");
    }
}
