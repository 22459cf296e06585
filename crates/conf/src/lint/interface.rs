//! Interfaces that a file names and the machine lacks.

use std::collections::BTreeSet;

use super::view::{View, also_at, inside, is, last};
use crate::{
    Code, Diagnostic, Host, Severity, Span, Statement, Word, diagnostic::Class, table::best,
};

/// Interfaces that a hint lists.
const LISTED_MAX: usize = 6;

/// Reports each name once. Whether all interfaces are there.
pub(super) fn lint(
    view: View<'_>,
    host: &Host,
    severity: Severity,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    // keepalived then waits for them, as this program always does.
    let dynamic = view.globals("dynamic_interfaces").next().is_some();
    let severity = if dynamic { Severity::Note } else { severity };
    let made = made_later(view);
    let mut absent: Vec<(&Word, &str, Vec<Span>)> = Vec::new();
    for (word, effect) in uses(view) {
        let name = word.text.as_str();
        if host.interface(name).is_some() || made.contains(name) {
            continue;
        }
        match absent.iter_mut().find(|(first, _, _)| first.text == word.text) {
            Some((_, _, others)) => others.push(word.span),
            None => absent.push((word, effect, Vec::new())),
        }
    }
    for (word, effect, others) in &absent {
        let message = format!("this machine has no interface `{}`", word.text);
        let found = Diagnostic::new(Code::InterfaceAbsent, severity, *word, message);
        let mut found = also_at(found.label(*effect), others);
        found.hint = hint(&word.text, host);
        found.keepalived = (!dynamic).then_some(Class::Error);
        diagnostics.push(found);
    }
    absent.is_empty()
}

/// Lists whose lines name interfaces behind these words, and what an interface's absence does.
const LISTS: &[(&str, &[&str], &str)] = &[
    ("virtual_ipaddress", &["dev"], NO_ADDRESS),
    ("virtual_ipaddress_excluded", &["dev"], NO_ADDRESS),
    ("static_ipaddress", &["dev"], NO_ADDRESS),
    ("virtual_routes", &["dev", "oif"], NO_ROUTE),
    ("static_routes", &["dev", "oif"], NO_ROUTE),
    ("virtual_rules", &["dev", "iif", "oif"], NO_RULE),
    ("static_rules", &["dev", "iif", "oif"], NO_RULE),
];
const NO_ADDRESS: &str = "the address is not installed until it appears";
const NO_ROUTE: &str = "the route is not installed until it appears";
const NO_RULE: &str = "the rule matches nothing until it appears";

/// Every use of an interface, with what its absence does.
fn uses(view: View<'_>) -> impl Iterator<Item = (&Word, &'static str)> {
    let instances = view.blocks("vrrp_instance").flat_map(|block| {
        let own = last(block, "interface").map(|word| (word, "FAULT until it appears"));
        let lists = block.statements().iter().flat_map(listed);
        own.into_iter().chain(tracked(block)).chain(lists)
    });
    let groups = view.blocks("vrrp_sync_group").flat_map(tracked);
    instances.chain(groups).chain(view.tree.iter().flat_map(listed))
}

fn tracked(block: &Statement) -> impl Iterator<Item = (&Word, &'static str)> {
    inside(block, "track_interface")
        .flat_map(Statement::statements)
        .filter_map(Statement::keyword)
        .map(|word| (word, "counts as down until it appears"))
}

/// The interfaces that the lines of a list name.
fn listed(list: &Statement) -> impl Iterator<Item = (&Word, &'static str)> {
    let known = LISTS.iter().find(|(name, _, _)| is(list, name));
    known.into_iter().flat_map(|(_, before, effect)| {
        let lines = list.statements().iter();
        let pairs = lines.flat_map(|line| line.words.iter().zip(line.words.iter().skip(1)));
        pairs
            .filter(|(word, _)| before.contains(&word.text.as_str()))
            .map(|(_, interface)| (interface, *effect))
    })
}

/// The names of interfaces that keepalived makes itself.
fn made_later(view: View<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for block in view.blocks("vrrp_instance") {
        let makers = block.statements().iter();
        for maker in makers.filter(|inner| is(inner, "use_vmac") || is(inner, "use_ipvlan")) {
            names.extend(maker.parameters().first().map(|word| word.text.to_string()));
            let vrid = last(block, "virtual_router_id").map_or("", |word| &word.text);
            names.extend([format!("vrrp.{vrid}"), format!("vrrp6.{vrid}")]);
        }
    }
    names
}

fn hint(name: &str, host: &Host) -> Option<String> {
    let names: Vec<&str> = host
        .interfaces
        .iter()
        .filter(|interface| !interface.loopback)
        .map(|interface| interface.name.as_str())
        .collect();
    // Of eth0 and eth1 neither is more likely to be meant by eth7.
    let same_number = |known: &&str| digits(known).eq(digits(name));
    if let Some(likely) = best(name, names.iter().copied().filter(same_number)) {
        return Some(format!("did you mean `{likely}`?"));
    }
    let (listed, more) = names.split_at_checked(LISTED_MAX).unwrap_or((&names, &[]));
    let dots = if more.is_empty() { "" } else { ", ..." };
    (!listed.is_empty()).then(|| format!("it has {}{dots}", listed.join(", ")))
}

fn digits(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_digit)
}
