//! Trackers by name: what they lack, and who follows them.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Seen,
    names::{Names, What},
    tree::{is, last, name, value},
};
use crate::{Code, Diagnostic, Span, Statement, Word, diagnostic::Class};

/// Lints one statement of the top level.
pub(super) fn lint<'s>(
    line: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    seen: &mut Seen<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match name(line) {
        "vrrp_instance" | "vrrp_sync_group" => followed(line, at, names, diagnostics),
        "static_ipaddress" | "static_routes" | "static_rules" => {
            track_groups(line, at, names, diagnostics);
        }
        "global_defs" => sync_daemon(line, at, names, diagnostics),
        "vrrp_track_process" => needs(line, "process COMMAND", diagnostics),
        "track_file" | "vrrp_track_file" => needs(line, "file PATH", diagnostics),
        "bfd_instance" => session(line, &mut seen.neighbors, diagnostics),
        _ => {}
    }
}

/// The names in an instance's lists of trackers.
fn followed<'s>(
    instance: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for list in instance.statements() {
        let what = match name(list) {
            "track_file" => What::TrackFile,
            "track_process" => What::Process,
            "track_bfd" => What::Bfd,
            _ => continue,
        };
        for word in list.statements().iter().filter_map(Statement::keyword) {
            if names.find(what, word, at).is_none() {
                diagnostics.push(undefined(what, word, names));
            }
        }
    }
}

/// A tracker that is named and not defined above.
pub(super) fn undefined(what: What, name: &Word, names: &Names<'_>) -> Diagnostic {
    let message =
        format!("no {} `{}` is defined above; it is not tracked", what.keyword(), name.text);
    let found = Diagnostic::warning(Code::TrackerUndefined, name, message)
        .label("a failure goes unnoticed")
        .class(Class::Error);
    names.advise(found, what, name)
}

/// `track_group NAME` behind static addresses, routes and rules.
fn track_groups<'s>(
    list: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for line in list.statements() {
        let mut words = line.words.iter().skip_while(|word| word.text != "track_group").skip(1);
        let Some(name) = words.next() else { continue };
        if names.find(What::TrackGroup, name, at).is_none() {
            let message = format!("no track_group `{}` is defined above", name.text);
            let found = Diagnostic::warning(Code::TrackGroupUndefined, name, message)
                .label("no instance reacts when this is lost")
                .class(Class::Error);
            diagnostics.push(names.advise(found, What::TrackGroup, name));
        }
    }
}

/// The instance that `lvs_sync_daemon INTERFACE [inst] NAME` follows.
fn sync_daemon<'s>(
    globals: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    const OPTIONS: [&str; 6] = ["id", "maxlen", "port", "ttl", "group", "inst"];
    for line in globals.statements().iter().filter(|line| is(line, "lvs_sync_daemon")) {
        let words = line.parameters();
        let named = words.iter().skip_while(|word| word.text != "inst").nth(1);
        let second = words.get(1).filter(|word| !OPTIONS.contains(&word.text.as_str()));
        let Some(name) = named.or(second) else { continue };
        if names.find(What::Instance, name, at).is_none() {
            let message = format!("no vrrp_instance `{}` is defined", name.text);
            let found = Diagnostic::warning(Code::SyncDaemonInstance, name, message)
                .label("the daemon follows nothing");
            diagnostics.push(names.advise(found, What::Instance, name));
        }
    }
}

/// A tracker without its target, which `wanted` would set.
fn needs(block: &Statement, wanted: &str, diagnostics: &mut Vec<Diagnostic>) {
    let keyword = wanted.split(' ').next().unwrap_or_default();
    let given = block.statements().iter().any(|line| is(line, keyword));
    let (Some(word), false) = (block.keyword(), given) else { return };
    let span = value(block).map_or(word.span, |name| name.span);
    let message = match value(block) {
        Some(name) => format!("{} `{}` has no `{keyword}` and is left out", word.text, name.text),
        None => format!("the {} has no `{keyword}` and is left out", word.text),
    };
    diagnostics.push(
        Diagnostic::warning(Code::TrackerIncomplete, span, message)
            .hint(format!("write `{wanted}` into it"))
            .class(Class::Error),
    );
}

fn session(
    block: &Statement,
    neighbors: &mut BTreeMap<IpAddr, Span>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let lines = block.statements();
    let Some(neighbor) = last(lines, &["neighbor_ip", "neighbour_ip"]).and_then(value) else {
        needs(block, "neighbor_ip ADDRESS", diagnostics);
        return;
    };
    let source = last(lines, &["source_ip"]).and_then(value);
    let address = |word: &Word| word.text.parse::<IpAddr>().ok();
    let Some(there) = address(neighbor) else { return };
    if let Some((word, here)) = source.and_then(|word| Some((word, address(word)?))) {
        if here == there {
            diagnostics.push(
                Diagnostic::warning(
                    Code::NeighborUnfit,
                    neighbor,
                    "the neighbour is this machine itself",
                )
                .also(word.span, "the session's own address")
                .hint("write the other machine's address"),
            );
        } else if here.is_ipv4() != there.is_ipv4() {
            diagnostics.push(
                Diagnostic::warning(
                    Code::NeighborUnfit,
                    word,
                    "the source is of another address family than the neighbour",
                )
                .also(neighbor.span, "the neighbour")
                .hint("delete `source_ip`, or write one of the neighbour's family")
                .class(Class::Error),
            );
        }
    }
    match neighbors.get(&there) {
        Some(first) => diagnostics.push(
            Diagnostic::warning(
                Code::NeighborUnfit,
                neighbor,
                "another session has this neighbour; this one is ignored",
            )
            .also(*first, "its first session")
            .hint("follow that bfd_instance instead")
            .class(Class::Error),
        ),
        None => {
            neighbors.insert(there, neighbor.span);
        }
    }
}
