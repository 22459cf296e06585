//! Repairs: what a hint says to write, written.

use std::collections::BTreeMap;

use standfast_conf::{Code, Diagnostic};

use crate::protocol::{Action, Finding, TextEdit, WorkspaceEdit};

/// The repair of a finding, if its hint is exactly one.
pub(crate) fn repair(found: &Diagnostic, finding: Finding, uri: &str) -> Option<Action> {
    let new_text = replacement(found)?.to_owned();
    let edit = TextEdit { range: finding.range, new_text };
    Some(Action {
        title: format!("write `{}`", edit.new_text),
        kind: "quickfix",
        is_preferred: true,
        diagnostics: vec![finding],
        edit: WorkspaceEdit { changes: BTreeMap::from([(uri.to_owned(), vec![edit])]) },
    })
}

/// What to put in the place of the word that a diagnostic is about.
fn replacement(found: &Diagnostic) -> Option<&str> {
    let hint = found.hint.as_deref()?;
    let words = hint.strip_prefix("did you mean `").and_then(|rest| rest.strip_suffix("`?"));
    let words = words.or_else(|| hint.strip_prefix("write `")?.strip_suffix('`'))?;
    if words.contains('`') {
        return None;
    }
    let keyword = [
        Code::UnknownKeyword,
        Code::UnknownOption,
        Code::Deprecated,
        Code::ScriptUndefined,
        Code::BadReference,
    ];
    let value = [Code::BadValue, Code::BadState, Code::ForwardingMethod, Code::Scheduler];
    match words.split_once(' ') {
        None if keyword.contains(&found.code) => Some(words),
        // `state BACKUP`: the word in question is the value alone.
        Some((_, value_text)) if value.contains(&found.code) => Some(value_text),
        Some(_) | None => None,
    }
}
