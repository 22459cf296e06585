//! What is valid and yet not what was meant.

mod cluster;
mod command;
mod empty;
mod groups;
mod host;
mod instance;
mod interface;
mod mail;
mod names;
mod pool;
mod repeat;
mod rules;
mod script;
mod secret;
mod strict;
mod timing;
mod trackers;
mod tree;
mod typography;
mod user;
mod view;
mod vmac;
mod weight;
mod work;

pub use cluster::cross_node;

use std::{collections::BTreeMap, net::IpAddr};

use crate::{Diagnostic, Files, Options, Sources, Span, Statement, Word, lower::Lowered};

/// What may stand in a file once, and where it stood first.
#[derive(Default)]
struct Seen<'s> {
    services: BTreeMap<pool::Identity<'s>, Span>,
    /// Neighbours of BFD sessions.
    neighbors: BTreeMap<IpAddr, Span>,
    /// Members of sync groups.
    members: BTreeMap<&'s str, &'s Word>,
}

/// Lints that need the model as well.
pub(crate) fn lint(
    tree: &[Statement],
    lowered: &Lowered,
    options: &Options,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Lowered { model, origins, commands, users, .. } = lowered;
    weight::lint(model, origins, diagnostics);
    command::lint(commands, model.global.script_security, files, sources, diagnostics);
    pool::service::lint(tree, model, origins, diagnostics);
    pool::plane::lint(tree, model, diagnostics);
    let instances = view::instances(tree, model, origins);
    let view = view::View { tree, model, origins, commands, instances: &instances };
    host::lint(view, options, diagnostics);
    user::lint(users, options, diagnostics);
    instance::lint(view, diagnostics);
    strict::lint(view, options.host.as_ref(), diagnostics);
    vmac::lint(view, options.host.as_ref(), diagnostics);
    timing::lint(view, diagnostics);
    script::lint(view, options.host.as_ref(), files, sources, diagnostics);
    mail::lint(view, diagnostics);
    empty::lint(view, diagnostics);
    secret::lint(view, files, sources, diagnostics);
    work::lint(view, sources, diagnostics);
}

/// Lints that need only the tree: virtual servers, trackers, groups, and what is set twice.
pub(crate) fn of_tree(tree: &[Statement]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut names = names::Names::collect(tree, &mut diagnostics);
    let mut seen = Seen::default();
    // One statement after the other: a large file's tree is far larger than a cache.
    for (at, line) in tree.iter().enumerate() {
        repeat::lint(line, &mut diagnostics);
        rules::lint(line, &mut diagnostics);
        trackers::lint(line, at, &mut names, &mut seen, &mut diagnostics);
        groups::lint(line, at, &mut names, &mut seen, &mut diagnostics);
        pool::lint(line, at, &mut names, &mut seen, &mut diagnostics);
    }
    names.unused(&mut diagnostics);
    diagnostics
}
