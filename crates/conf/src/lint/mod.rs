//! What is valid and yet not what was meant.

mod cluster;
mod command;
mod service;
mod typography;
mod weight;

pub use cluster::cross_node;

use crate::{Diagnostic, Files, Model, Origins, Sources, Statement};

/// Lints of one configuration.
pub(crate) fn lint(
    tree: &[Statement],
    model: &Model,
    origins: &Origins,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    weight::lint(model, origins, diagnostics);
    command::lint(tree, model.global.script_security, files, sources, diagnostics);
    service::lint(tree, model, origins, diagnostics);
}
