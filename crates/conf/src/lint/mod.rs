//! What is valid and yet not what was meant.

mod cluster;
mod command;
mod host;
mod instance;
mod interface;
mod mail;
mod script;
mod secret;
mod service;
mod timing;
mod typography;
mod view;
mod weight;
mod work;

pub use cluster::cross_node;

use crate::{Diagnostic, Files, Model, Options, Origins, Sources, Statement};

/// Lints of one configuration.
pub(crate) fn lint(
    tree: &[Statement],
    model: &Model,
    origins: &Origins,
    options: &Options,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    weight::lint(model, origins, diagnostics);
    command::lint(tree, model.global.script_security, files, sources, diagnostics);
    service::lint(tree, model, origins, diagnostics);
    let instances = view::instances(tree, model, origins);
    let view = view::View { tree, model, origins, instances: &instances };
    host::lint(view, options, diagnostics);
    instance::lint(view, diagnostics);
    timing::lint(view, diagnostics);
    script::lint(view, options.host.as_ref(), files, sources, diagnostics);
    mail::lint(view, diagnostics);
    secret::lint(view, files, sources, diagnostics);
    work::lint(view, sources, diagnostics);
}
