//! The way in: a path and the world, out comes a model or the reasons why not.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Code, Diagnostic, Files, Host, Model, Origins, Severity, Sources, Statement, both::both,
    causes, lint, lower, shown, syntax,
};

/// What the result depends on besides the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What `@ID` lines are compared with (`-i`), and `${_INSTANCE}`; keepalived takes the host's
    /// name up to its first dot when none is given.
    pub config_id: String,
    /// Seeds `${_RANDOM}`.
    pub seed: u64,
    /// Every failure of an include is a mistake (`-e`).
    pub include_check: bool,
    /// What `${_ENV NAME}` sees.
    pub environment: BTreeMap<String, String>,
    /// The machine to compare the file with. `None`: nothing is said about interfaces and the
    /// addresses on them.
    pub host: Option<Host>,
    /// The file is meant for `host`: what cannot run there is an error, not a warning.
    pub on_this_host: bool,
}

/// What a configuration came to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The main file.
    pub path: PathBuf,
    /// `None`: refused, some diagnostic is an error.
    pub model: Option<Model>,
    /// Everything found, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files, for rendering.
    pub sources: Sources,
    /// The statements after every expansion.
    pub tree: Vec<Statement>,
    /// Where the model's values stand.
    pub origins: Origins,
}

/// Reads and checks a configuration. Never panics, whatever the files hold.
#[must_use]
pub fn load(path: &Path, options: &Options, files: &dyn Files) -> Loaded {
    let syntax::Reading { tree, mut sources, findings, loops } = syntax::read(path, options, files);
    let mut diagnostics = findings.kept;
    let names = lower::names::Names::read(&tree, files);
    let lower = || lower::lower(&tree, files, names, &mut diagnostics);
    let of_tree = || lint::of_tree(&tree);
    let large = sources.iter().map(|(_, source)| source.bytes().len()).sum::<usize>() > LARGE;
    let (lowered, of_tree) = if large { both(lower, of_tree) } else { (lower(), of_tree()) };
    diagnostics.extend(of_tree);
    lint::lint(&tree, &lowered, options, files, &mut sources, &mut diagnostics);
    diagnostics.sort_by_key(|found| {
        let span = found.primary.span;
        (span.file, span.start, std::cmp::Reverse(found.severity))
    });
    diagnostics.dedup();
    causes::definitions(&tree, &sources, &mut diagnostics);
    causes::references(&mut diagnostics);
    causes::rounds(&loops, &mut diagnostics);
    shorten(&mut diagnostics, findings.left_out + lowered.left_out);
    shown::hide(&tree, &mut sources);
    shown::clean(&mut diagnostics, &sources);
    let refused = diagnostics.iter().any(|found| found.severity == Severity::Error);
    let lower::Lowered { model, origins, .. } = lowered;
    let model = (!refused).then_some(model);
    Loaded { path: path.to_path_buf(), model, diagnostics, sources, tree, origins }
}

/// Bytes from which on a second thread is worth its start.
const LARGE: usize = 512 << 10;

/// Findings that are kept of a file that is none; errors are always kept.
pub(crate) const FINDINGS_MAX: usize = 2000;

/// Besides those that were left out already.
fn shorten(diagnostics: &mut Vec<Diagnostic>, left_out: usize) {
    let surplus = diagnostics.len().saturating_sub(FINDINGS_MAX);
    let left_out = left_out + surplus;
    if left_out == 0 {
        return;
    }
    let mut kept = 0;
    diagnostics.retain(|found| {
        kept += 1;
        kept <= FINDINGS_MAX || found.severity == Severity::Error
    });
    if let Some(span) = diagnostics.last().map(|found| found.primary.span) {
        let message = format!("{left_out} further findings are not shown");
        diagnostics.push(Diagnostic::note(Code::Limit, span, message));
    }
}
