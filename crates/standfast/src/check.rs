//! `standfast check`, and `keepalived -t`.

use std::{
    collections::BTreeMap,
    env,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::Args;
use standfast_conf::{Diagnostic, Disk, Loaded, Options, Severity, cross_node, json, load, render};

use crate::{
    cli::{CONFIGURATION, Format},
    print,
};

/// The file would be refused; with `--strict`, there is any warning.
const REFUSED: u8 = 1;

/// What `check` is asked.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration files: one, or one of each node of a cluster.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same as FILE.
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How findings are written; `json` is one object a line.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// Look for scripts below this folder instead of `/`.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Id for `@id` conditions; the host's name by default.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
}

/// Findings of one or several files.
pub(crate) struct Report {
    nodes: Vec<Loaded>,
    /// Findings that need several files, with the node they are about.
    between: Vec<(usize, Diagnostic)>,
}

pub(crate) fn main(check: &Check) -> anyhow::Result<u8> {
    let mut files: Vec<PathBuf> = check.files.iter().chain(&check.file).cloned().collect();
    if files.is_empty() {
        files.push(CONFIGURATION.into());
    }
    let report = Report::of(&files, check.config_id.clone(), &check.root);
    match check.format {
        Format::Human => print(&report.human(io::stdout().is_terminal()))?,
        Format::Json => print(&report.json()?)?,
    }
    let code = report.exit_code(check.strict);
    // The process ends here: taking a large tree apart would be for nothing.
    std::mem::forget(report);
    Ok(code)
}

/// keepalived's exit code for the findings of one file.
pub(crate) fn test_exit_code(report: &Report) -> u8 {
    let diagnostics: Vec<_> = report.all().map(|(_, diagnostic)| diagnostic.clone()).collect();
    standfast_conf::test_exit_code(&diagnostics)
}

impl Report {
    /// Reads and checks files.
    pub(crate) fn of(files: &[PathBuf], config_id: Option<String>, root: &Path) -> Self {
        let options = Options {
            config_id: config_id.unwrap_or_else(standfast_daemon::host_name),
            environment: environment(),
            ..Options::default()
        };
        let disk = Disk { root: root.to_owned() };
        let nodes: Vec<_> = files.iter().map(|file| load(file, &options, &disk)).collect();
        let between = if nodes.len() > 1 { cross_node(&nodes) } else { Vec::new() };
        Self { nodes, between }
    }

    /// Every finding with the snippets it is about, and a sum at the end.
    pub(crate) fn human(&self, terminal: bool) -> String {
        let color = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut text = String::new();
        for (node, diagnostic) in self.all() {
            text.push_str(&render(diagnostic, &node.sources, color));
            text.push_str("\n\n");
        }
        text.push_str(&self.sum());
        text.push('\n');
        text
    }

    fn json(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for (node, diagnostic) in self.all() {
            text.push_str(&serde_json::to_string(&json(diagnostic, &node.sources))?);
            text.push('\n');
        }
        Ok(text)
    }

    fn sum(&self) -> String {
        let refused = self.nodes.iter().filter(|node| node.model.is_none()).count();
        let count = |severity| self.all().filter(|(_, d)| d.severity == severity).count();
        let (errors, warnings, notes) =
            (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
        let verdict = match (refused, self.nodes.len()) {
            (0, _) => "would run".to_owned(),
            (_, 1) => "would be refused".to_owned(),
            (refused, of) => format!("{refused} of {of} would be refused"),
        };
        format!("{verdict}: {errors} errors, {warnings} warnings, {notes} notes")
    }

    fn exit_code(&self, strict: bool) -> u8 {
        let refused = self.nodes.iter().any(|node| node.model.is_none());
        let warned = self.all().any(|(_, d)| d.severity != Severity::Note);
        if refused || (strict && warned) { REFUSED } else { 0 }
    }

    fn all(&self) -> impl Iterator<Item = (&Loaded, &Diagnostic)> {
        let own =
            self.nodes.iter().flat_map(|node| node.diagnostics.iter().map(move |d| (node, d)));
        let between = self.between.iter().filter_map(|(at, d)| Some((self.nodes.get(*at)?, d)));
        own.chain(between)
    }
}

/// What `${_ENV NAME}` sees.
fn environment() -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
