//! From the file to a model, at start and on reload.

use std::{collections::BTreeSet, env};

use standfast_conf::{Class, Diagnostic, Disk, Loaded, Model, Severity, Sources, load};
use standfast_kernel::clock;
use standfast_types::{InstanceName, Prefix};

use crate::{Options, log::Log};

/// A configuration that runs, and the mistakes that it runs with.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) model: Model,
    mistakes: BTreeSet<String>,
}

/// Reads the file and logs what is wrong with it; `None` when it can't run.
pub(super) fn read(options: &Options, log: &mut Log) -> Option<Configuration> {
    let config_id = options.config_id.clone().unwrap_or_else(host_name);
    let seed = clock::now().as_nanos();
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let conf = standfast_conf::Options { config_id, seed, environment };
    let loaded = load(&options.file, &conf, &Disk::default());
    report(&loaded, log);
    let mistakes = loaded.diagnostics.iter().filter(|d| is_mistake(d)).map(identity).collect();
    Some(Configuration { model: loaded.model?, mistakes })
}

/// Reads the file again; `None` when it must not be taken over.
pub(super) fn reload(
    options: &Options,
    running: &Configuration,
    log: &mut Log,
) -> Option<Configuration> {
    let new = read(options, log)?;
    // A file that can start a daemon may still have lost an address to a typing error. What is being
    // served is worth more than the change.
    let mistaken = new.mistakes.difference(&running.mistakes).next().is_some();
    let held = holdings(&new.model);
    let lost = holdings(&running.model).into_iter().find(|holding| !held.contains(holding));
    match lost {
        Some((name, address)) if mistaken => {
            log.error(&format!(
                "{name} would lose {address}, and there are new mistakes in the file: correct them first"
            ));
            None
        }
        Some(_) | None => Some(new),
    }
}

/// The instances with their addresses.
fn holdings(model: &Model) -> BTreeSet<(InstanceName, Prefix)> {
    let instances = model.failover.instances.iter();
    instances
        .flat_map(|instance| {
            instance.addresses.iter().map(|address| (instance.name.clone(), address.prefix))
        })
        .collect()
}

/// Whether something that was written is ignored or corrected.
fn is_mistake(diagnostic: &Diagnostic) -> bool {
    let class = diagnostic.keepalived;
    diagnostic.severity == Severity::Error || matches!(class, Some(Class::Error | Class::Fatal))
}

/// The same mistake, wherever it stands now.
fn identity(diagnostic: &Diagnostic) -> String {
    format!("{} {}", diagnostic.code, diagnostic.message)
}

/// The host's name up to the first dot: what `@id` conditions are compared with by default.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn report(loaded: &Loaded, log: &mut Log) {
    for diagnostic in &loaded.diagnostics {
        let line = one_line(diagnostic, &loaded.sources);
        match diagnostic.severity {
            Severity::Error => log.error(&line),
            Severity::Warning => log.warning(&line),
            Severity::Note => log.info(&line),
        }
    }
}

/// `/etc/keepalived/keepalived.conf:12:5: SF0101 ...`, with what to write instead.
fn one_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let span = diagnostic.primary.span;
    let at = sources.position(span);
    let path = sources.path(span).display();
    let (code, message) = (diagnostic.code, &diagnostic.message);
    let hint = diagnostic.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{path}:{}:{}: {code} {message}{hint}", at.line, at.column)
}
