//! Users and groups that the machine lacks.

use std::collections::BTreeMap;

use super::view::also_at;
use crate::{
    Code, Diagnostic, Options, Severity, Span, Word,
    diagnostic::Class,
    lower::command::{looks_like_argument, user},
};

/// Whom the machine is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    User,
    Group,
}

/// Reports each name once.
pub(super) fn lint(users: &[Vec<Word>], options: &Options, diagnostics: &mut Vec<Diagnostic>) {
    let Some(host) = options.host.as_ref().filter(|_| !users.is_empty()) else { return };
    let mut named: BTreeMap<(Account, String), Vec<Span>> = BTreeMap::new();
    for words in users {
        let (Some(first), Some(user)) = (words.first(), user(words)) else { continue };
        // Arguments of a command without quotes are another mistake.
        if looks_like_argument(&first.text) {
            continue;
        }
        let group = user.group.map(|group| (Account::Group, group, words.last().unwrap_or(first)));
        for (account, name, word) in [(Account::User, user.name, first)].into_iter().chain(group) {
            named.entry((account, name)).or_default().push(word.span);
        }
    }
    let severity = if options.on_this_host { Severity::Error } else { Severity::Warning };
    for ((account, name), spans) in &named {
        let (what, there) = match account {
            Account::User => ("user", host.has_user),
            Account::Group => ("group", host.has_group),
        };
        let Some((first, others)) = spans.split_first() else { continue };
        // A number needs no name.
        if name.parse::<u32>().is_ok() || there(name) {
            continue;
        }
        let message = format!("this machine has no {what} `{name}`");
        let found = Diagnostic::new(Code::UserUnknown, severity, *first, message)
            .label("what would run as it does not run")
            .hint(format!("write a {what} that exists, or make this one"))
            .class(Class::Error);
        diagnostics.push(also_at(found, others));
    }
}
