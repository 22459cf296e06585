//! `standfast check`, and `keepalived -t`.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use standfast_conf::{
    Code, Diagnostic, Disk, Loaded, Options, Severity, cross_node, json, load, pages, render, sarif,
};

use crate::{cli::CONFIGURATION, host, print};

/// The file would be refused; with `--strict`, there is any warning.
const REFUSED: u8 = 1;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One object a line, as docs/check-json.md says.
    Json,
    /// SARIF 2.1.0, which code hosts show beside the lines.
    Sarif,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What `check` is asked.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration files: one, or one of each node of a cluster.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same as FILE.
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How findings are written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Print what a code means, with an example and how to write it right, and check nothing.
    #[arg(long, value_name = "CODE")]
    explain: Option<Code>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// Look for scripts below this folder instead of `/`.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Id for `@id` conditions; the host's name by default.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
    /// The file is meant for this machine: what its interfaces cannot do is an error.
    #[arg(long)]
    on_this_host: bool,
}

/// Findings of one or several files.
pub(crate) struct Report {
    nodes: Vec<Loaded>,
    /// Findings that need several files, with the node they are about.
    between: Vec<(usize, Diagnostic)>,
}

pub(crate) fn main(check: &Check) -> anyhow::Result<u8> {
    if let Some(code) = check.explain {
        print(&pages::markdown(code))?;
        return Ok(0);
    }
    let mut files: Vec<PathBuf> = check.files.iter().chain(&check.file).cloned().collect();
    if files.is_empty() {
        files.push(CONFIGURATION.into());
    }
    let report =
        Report::of(&files, check.config_id.clone(), &check.root, check.on_this_host, false);
    match check.format {
        Format::Human => print(&report.human(check.color.here(io::stdout().is_terminal())))?,
        Format::Json => print(&report.json()?)?,
        Format::Sarif => print(&report.sarif()?)?,
    }
    let code = report.exit_code(check.strict);
    // The process ends here: taking a large tree apart would be for nothing.
    std::mem::forget(report);
    Ok(code)
}

impl Color {
    fn here(self, terminal: bool) -> bool {
        self.wanted(terminal, env::var_os("NO_COLOR").as_deref())
    }

    fn wanted(self, terminal: bool, no_color: Option<&OsStr>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && no_color.is_none_or(OsStr::is_empty),
        }
    }
}

/// Whether to colour what goes to something that is a terminal or not.
pub(crate) fn colored(terminal: bool) -> bool {
    Color::Auto.here(terminal)
}

/// keepalived's exit code for the findings of one file.
pub(crate) fn test_exit_code(report: &Report) -> u8 {
    let diagnostics: Vec<_> = report.all().map(|(_, diagnostic)| diagnostic.clone()).collect();
    standfast_conf::test_exit_code(&diagnostics)
}

impl Report {
    /// Reads and checks files. A single one is compared with this machine; several nodes' files, or
    /// one with another `root`, only when they are said to be for this host.
    pub(crate) fn of(
        files: &[PathBuf],
        config_id: Option<String>,
        root: &Path,
        on_this_host: bool,
        include_check: bool,
    ) -> Self {
        let compared = on_this_host || (files.len() == 1 && root == Path::new("/"));
        let options = Options {
            host: compared.then(host::look).flatten(),
            on_this_host,
            include_check,
            ..surroundings(config_id)
        };
        let disk = Disk { root: root.to_owned() };
        let nodes: Vec<_> = files.iter().map(|file| load(file, &options, &disk)).collect();
        let between = if nodes.len() > 1 { cross_node(&nodes) } else { Vec::new() };
        Self { nodes, between }
    }

    /// Every finding with the snippets it is about, and a sum at the end.
    pub(crate) fn human(&self, color: bool) -> String {
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

    fn sarif(&self) -> anyhow::Result<String> {
        // Without a current directory every path is written in full.
        let base = env::current_dir().unwrap_or_default();
        let findings = self.all().map(|(node, diagnostic)| (diagnostic, &node.sources));
        Ok(serde_json::to_string_pretty(&sarif(findings, &base))? + "\n")
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
        let sum = format!("{verdict}: {errors} errors, {warnings} warnings, {notes} notes");
        if self.all().any(|(_, d)| is_about_this_machine(d)) {
            return format!(
                "{sum}\non the node itself, --on-this-host makes what this machine lacks an error"
            );
        }
        sum
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

/// Whether `--on-this-host` makes it an error.
fn is_about_this_machine(found: &Diagnostic) -> bool {
    let codes = [Code::InterfaceAbsent, Code::SourceAbsent, Code::NoMulticast, Code::UserUnknown];
    found.severity == Severity::Warning && codes.contains(&found.code)
}

/// What a configuration sees of its surroundings: the id for its conditions, and what
/// `${_ENV NAME}` asks for.
pub(crate) fn surroundings(config_id: Option<String>) -> Options {
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let config_id = config_id.unwrap_or_else(standfast_daemon::host_name);
    Options { config_id, environment, ..Options::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_no_color_or_the_option_says_otherwise() {
        let set = Some(OsStr::new("1"));
        let empty = Some(OsStr::new(""));
        assert!(Color::Auto.wanted(true, None) && Color::Auto.wanted(true, empty));
        assert!(!Color::Auto.wanted(true, set) && !Color::Auto.wanted(false, None));
        assert!(Color::Always.wanted(false, None) && Color::Always.wanted(false, set));
        assert!(!Color::Never.wanted(true, None));
    }
}
