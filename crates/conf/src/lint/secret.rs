//! Passwords that everybody can read.

use std::{collections::BTreeSet, path::Path};

use super::view::{View, inside};
use crate::{Code, Diagnostic, Files, Sources, Statement, Word};

/// Others may read a file.
const READ_BY_OTHERS: u32 = 0o004;
/// Others may reach what is in a folder.
const ENTERED_BY_OTHERS: u32 = 0o001;

pub(super) fn lint(
    view: View<'_>,
    files: &dyn Files,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut seen = BTreeSet::new();
    for word in secrets(view) {
        let span = word.definition().unwrap_or(word.span);
        let path = sources.path(span);
        if !seen.insert(span.file) || !is_readable(path, files) {
            continue;
        }
        let message = "everybody on this machine can read this password";
        diagnostics.push(
            Diagnostic::note(Code::SecretReadable, span, message)
                .hint(format!("chmod 640 {}", path.display())),
        );
    }
}

fn secrets(view: View<'_>) -> impl Iterator<Item = &Word> {
    let blocks = [("authentication", "auth_pass"), ("auth_hmac", "key")];
    let nested = view.blocks("vrrp_instance").flat_map(move |instance| {
        blocks.into_iter().flat_map(move |(block, keyword)| {
            inside(instance, block).flat_map(move |block| inside(block, keyword))
        })
    });
    let tls = view.blocks("SSL").flat_map(|block| inside(block, "password"));
    // The key of auth_hmac stands behind its number, or lies in a file of its own.
    let values =
        nested.chain(tls).filter_map(|statement: &Statement| statement.parameters().last());
    values.filter(|word| !word.text.starts_with("file:"))
}

fn is_readable(path: &Path, files: &dyn Files) -> bool {
    let readable = files.mode(path).is_some_and(|mode| mode & READ_BY_OTHERS != 0);
    let open = |folder: &Path| files.mode(folder).is_none_or(|mode| mode & ENTERED_BY_OTHERS != 0);
    readable && path.ancestors().skip(1).all(open)
}
