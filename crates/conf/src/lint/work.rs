//! Files that ask for nothing.

use super::view::{View, is};
use crate::{Code, Diagnostic, Sources, Span, syntax::LINE_SKIPPED};

/// Blocks that give somebody something to do.
const WORK: &[&str] = &[
    "vrrp_instance",
    "virtual_server",
    "bfd_instance",
    "static_ipaddress",
    "static_routes",
    "static_rules",
];

/// Whether a file or a line was skipped: what is missing may stand there.
fn skips(found: &Diagnostic) -> bool {
    let too_long = found.primary.span.range().len() > LINE_SKIPPED;
    SKIPS.contains(&found.code) || (found.code == Code::LongLine && too_long)
}

/// Findings of files and lines that are not read.
const SKIPS: &[Code] = &[
    Code::Unreadable,
    Code::IncludeMissing,
    Code::IncludeCycle,
    Code::NulByte,
    Code::BadDirective,
    Code::Limit,
];

/// An empty file, and one with scripts for instances that it does not have.
pub(super) fn lint(view: View<'_>, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    let skipped = diagnostics.iter().any(skips);
    let Some((file, _)) = sources.iter().next().filter(|_| !skipped) else { return };
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
