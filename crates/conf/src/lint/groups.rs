//! Sync groups and track groups: their members.

use std::collections::BTreeMap;

use super::{
    Seen,
    names::{Names, What},
    tree::{is, last, name, value},
};
use crate::{Code, Diagnostic, Statement, Word, diagnostic::Class};

/// Lints one statement of the top level.
pub(super) fn lint<'s>(
    group: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    seen: &mut Seen<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let sync = match name(group) {
        "vrrp_sync_group" => true,
        "track_group" => false,
        _ => return,
    };
    let members = members(group);
    let mut instances = Vec::new();
    for word in &members {
        match names.find(What::Instance, word, at) {
            Some(instance) => instances.push(instance),
            None => diagnostics.push(undefined(word, sync, names)),
        }
    }
    if sync {
        size(group, &members, diagnostics);
        taken_twice(&members, &mut seen.members, diagnostics);
        states(&instances, diagnostics);
    }
}

fn members(group: &Statement) -> Vec<&Word> {
    let lists = group.statements().iter().filter(|list| is(list, "group"));
    lists.flat_map(Statement::statements).flat_map(|line| &line.words).collect()
}

fn undefined(word: &Word, sync: bool, names: &Names<'_>) -> Diagnostic {
    let message = format!("no vrrp_instance `{}` is defined; the group lacks it", word.text);
    let found = Diagnostic::warning(Code::MemberUndefined, word, message);
    let found = names.advise(found, What::Instance, word);
    if sync { found.class(Class::Error) } else { found }
}

fn size(group: &Statement, members: &[&Word], diagnostics: &mut Vec<Diagnostic>) {
    let Some(name) = value(group).or(group.keyword()) else { return };
    let message = match members {
        [] => format!("the sync group `{}` has no members and is removed", name.text),
        [only] => format!("the sync group `{}` has one member only, `{}`", name.text, only.text),
        _ => return,
    };
    diagnostics.push(
        Diagnostic::warning(Code::GroupTooSmall, name, message)
            .hint("list the instances that must change together, or delete the group")
            .class(Class::Error),
    );
}

fn taken_twice<'s>(
    members: &[&'s Word],
    taken: &mut BTreeMap<&'s str, &'s Word>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for word in members {
        match taken.get(word.text.as_str()) {
            Some(first) => {
                let message =
                    format!("`{}` is in a sync group already; this group is ignored", word.text);
                diagnostics.push(
                    Diagnostic::warning(Code::MemberTwice, *word, message)
                        .also(first.span, "listed here first")
                        .hint("list each instance once")
                        .class(Class::Error),
                );
            }
            None => {
                taken.insert(&word.text, word);
            }
        }
    }
}

/// `state MASTER` in a member means nothing unless all members own their addresses.
fn states(instances: &[&Statement], diagnostics: &mut Vec<Diagnostic>) {
    let states = || {
        instances
            .iter()
            .filter_map(|instance| last(instance.statements(), &["state"]).and_then(value))
    };
    let (Some(master), Some(backup)) = (
        states().find(|state| state.text == "MASTER"),
        states().find(|state| state.text == "BACKUP"),
    ) else {
        return;
    };
    diagnostics.push(
        Diagnostic::note(
            Code::MembersStartApart,
            master,
            "`state MASTER` is ignored: another member of the sync group starts as BACKUP",
        )
        .also(backup.span, "the other member")
        .hint("write the same `state` in all members, and the same `priority`"),
    );
}
