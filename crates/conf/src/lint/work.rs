//! Files that ask for nothing.

use super::view::{View, is};
use crate::{Code, Diagnostic, Sources, Span};

/// Blocks that give somebody something to do.
const WORK: &[&str] = &[
    "vrrp_instance",
    "virtual_server",
    "bfd_instance",
    "static_ipaddress",
    "static_routes",
    "static_rules",
];

/// An empty file, and one with scripts for instances that it does not have.
pub(super) fn lint(view: View<'_>, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    let unreadable = diagnostics.iter().any(|found| found.code == Code::Unreadable);
    let Some((file, _)) = sources.iter().next().filter(|_| !unreadable) else { return };
    if view.tree.iter().any(|statement| WORK.iter().any(|name| is(statement, name))) {
        return;
    }
    let script = view.blocks("vrrp_script").next().and_then(|script| script.keyword());
    let found = match script {
        Some(word) => {
            // One finding instead of one for each script.
            diagnostics.retain(|found| found.code != Code::ScriptUnused);
            let message = "there are scripts and no vrrp_instance; nothing runs";
            Diagnostic::warning(Code::NothingToDo, word, message)
                .hint("write the instance that tracks them, or include its file")
        }
        None if view.tree.is_empty() => {
            let span = Span { file, start: 0, end: 0 };
            Diagnostic::warning(Code::NothingToDo, span, "the configuration is empty")
                .hint("write a vrrp_instance, or look at the file's conditions and includes")
        }
        None => return,
    };
    diagnostics.push(found);
}
