//! `tests/corpus-exceptions.toml`: files that we take otherwise than the rule says, and why.

use std::{collections::BTreeSet, fs};

use anyhow::Context;
use serde::Deserialize;

use super::{Case, Kind};
use crate::{root, say};

/// Where they are listed, from the workspace's root.
const LIST: &str = "tests/corpus-exceptions.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// As the corpus names it, such as `files/003.conf`.
    file: String,
    kind: Kind,
    reason: String,
}

/// Compares failures and exceptions; an error when they are not the same.
pub(super) fn judge(cases: &[Case]) -> anyhow::Result<()> {
    let text = fs::read_to_string(root().join(LIST)).context(LIST)?;
    let list: List = toml::from_str(&text).context(LIST)?;
    let excepted: BTreeSet<_> =
        list.exception.iter().map(|entry| (entry.file.as_str(), entry.kind)).collect();
    let mut complaints = Vec::new();
    for entry in &list.exception {
        if entry.reason.trim().is_empty() {
            complaints.push(format!("{}: {}: {LIST} gives no reason", entry.file, entry.kind));
        }
        // Exceptions of another corpus are no affair of this one.
        let case = cases.iter().find(|case| case.name == entry.file);
        if case.is_some_and(|case| !case.failures().contains(&entry.kind)) {
            complaints.push(format!("{}: {}: no exception any more", entry.file, entry.kind));
        }
    }
    for case in cases {
        for kind in case.failures() {
            if !excepted.contains(&(case.name.as_str(), kind)) {
                complaints.push(format!("{}: {kind}{}", case.name, because(case, kind)));
            }
        }
    }
    complaints.iter().for_each(|complaint| say(complaint));
    anyhow::ensure!(complaints.is_empty(), "{} complaints about the corpus", complaints.len());
    Ok(())
}

/// What keepalived says where we say nothing.
fn because(case: &Case, kind: Kind) -> String {
    let first = case.theirs.as_ref().and_then(|theirs| theirs.messages.first());
    match first.filter(|_| kind == Kind::Silent) {
        Some(message) => format!("; keepalived says: {message}"),
        None => String::new(),
    }
}
