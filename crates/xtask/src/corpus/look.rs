//! What we make of one file.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use standfast_conf::{
    Code, Diagnostic, Files, Host, Loaded, Options, ScriptFile, Severity, Sources, Span, Statement,
    format, json, load, render, same_meaning, test_exit_code, tokens,
};

/// Not the name of a node in any file.
const CONFIG_ID: &str = "corpus";

/// Findings about a block whose contents count for nothing, or for something else.
const SKIPPED: [Code; 4] =
    [Code::UnknownKeyword, Code::WrongBlock, Code::UnexpectedBlock, Code::UnclosedBlock];

/// Findings about addresses of the machine's interfaces.
const OF_ADDRESSES: [Code; 5] = [
    Code::SourceAbsent,
    Code::OutsideSubnets,
    Code::OwnAddress,
    Code::NotOwner,
    Code::SourceUnsaid,
];

/// What we make of a file.
#[derive(Debug, Default)]
pub(super) struct Ours {
    /// Some finding is an error.
    pub(super) refused: bool,
    /// There is a warning or an error where all scripts are present.
    pub(super) complains: bool,
    /// Our exit code in keepalived's place, without any of the scripts.
    pub(super) bare: u8,
    /// Our exit code in keepalived's place, with all of them.
    pub(super) present: u8,
    /// The kinds of what we find without the scripts.
    pub(super) codes: BTreeSet<Code>,
    /// The lines that some finding is about: those that it points at, and all of a block that is
    /// skipped or taken for another.
    pub(super) lines: BTreeSet<usize>,
    /// What our exit code with the scripts comes from: class, code and line.
    pub(super) classed: Vec<String>,
    /// The file's tokens are the file, byte for byte.
    pub(super) round_trip: bool,
    /// Laid out anew it means the same, and is laid out.
    pub(super) formats: bool,
}

/// Looks at a file in every way there is.
pub(super) fn look(path: &Path, host: Option<Host>) -> Ours {
    let options = Options { config_id: CONFIG_ID.to_owned(), host, ..Options::default() };
    let machine = |scripts| {
        let mut loaded = load(path, &options, &Machine { path, scripts });
        // The names of its interfaces are all that is known of the machine.
        loaded.diagnostics.retain(|found| !OF_ADDRESSES.contains(&found.code));
        loaded
    };
    let (bare, present) = (machine(false), machine(true));
    for found in &bare.diagnostics {
        // What cannot be shown is as bad as what cannot be found.
        let _ = (render(found, &bare.sources, true), json(found, &bare.sources));
    }
    // That we cannot do something yet says nothing about the file.
    let about_us = |code| code == Code::NotActive;
    let complaint = |found: &Diagnostic| {
        found.keepalived.is_some() || found.severity != Severity::Note && !about_us(found.code)
    };
    Ours {
        refused: present.model.is_none(),
        complains: present.diagnostics.iter().any(complaint),
        bare: test_exit_code(&bare.diagnostics),
        present: test_exit_code(&present.diagnostics),
        codes: bare.diagnostics.iter().map(|found| found.code).collect(),
        lines: lines(&present),
        classed: classed(&present),
        round_trip: round_trip(&bare.sources),
        formats: bare.sources.iter().next().is_some_and(|(_, source)| formats(source.bytes())),
    }
}

fn classed(loaded: &Loaded) -> Vec<String> {
    let classed = loaded.diagnostics.iter().filter_map(|found| {
        let line = loaded.sources.position(found.primary.span).line;
        let class = found.keepalived?;
        Some(format!("{class:?} {:?} {line}", found.code))
    });
    classed.collect()
}

fn lines(loaded: &Loaded) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    let mut add = |first: Span, last: Span| {
        let (first, last) = (loaded.sources.position(first), loaded.sources.end(last));
        lines.extend(first.line..=last.line);
    };
    let mut skipped = BTreeSet::new();
    for found in &loaded.diagnostics {
        let labels = std::iter::once(&found.primary).chain(&found.secondary);
        labels.for_each(|label| add(label.span, label.span));
        if SKIPPED.contains(&found.code) {
            skipped.insert(found.primary.span.start);
        }
    }
    let mut statements: Vec<&Statement> = loaded.tree.iter().collect();
    while let Some(statement) = statements.pop() {
        statements.extend(statement.statements());
        let (Some(word), Some(block)) = (statement.keyword(), &statement.block) else { continue };
        let starts = [word.span, block.open].map(|span| span.start);
        if starts.iter().any(|start| skipped.contains(start)) {
            add(word.span, block.close.unwrap_or(block.open));
        }
    }
    lines
}

/// Whether the tokens of the main file, one after the other, are the file.
fn round_trip(sources: &Sources) -> bool {
    let Some((id, source)) = sources.iter().next() else { return false };
    let mut at = 0;
    let adjacent = tokens(id, source).iter().all(|token| {
        let bytes = token.span.range();
        let follows = bytes.start == at && bytes.end > at;
        at = bytes.end;
        follows
    });
    adjacent && at == source.bytes().len()
}

fn formats(bytes: &[u8]) -> bool {
    let laid_out = format(bytes);
    format(&laid_out) == laid_out && same_meaning(bytes, &laid_out)
}

/// A machine that has this one file, and all scripts or none. What lies on the real one would
/// change the verdict.
struct Machine<'a> {
    path: &'a Path,
    scripts: bool,
}

impl Files for Machine<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { fs::read(path) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn glob(&self, _: &str, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn script(&self, _: &Path) -> ScriptFile {
        ScriptFile { exists: self.scripts, executable: self.scripts, ..ScriptFile::default() }
    }
}
