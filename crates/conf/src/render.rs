//! Diagnostics for people and for programs.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::{Code, Diagnostic, Label, Severity, Source, Sources, Span, shown::plain};

/// Lines longer than this, in bytes, are not shown.
const LINE_MAX: usize = 4096;
/// Labels of one file that are further apart than this, in bytes, get a snippet each: what lies
/// between is folded away anyway, and need not be gone through.
const BLOCK_MAX: usize = 64 << 10;
/// Characters of a line that are shown, and underlined, behind where a label starts.
const TAIL_MAX: usize = 100;

/// The diagnostic with the lines it is about, each token underlined. Neither control characters
/// nor secrets are in it.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let code = diagnostic.code.to_string();
    let mut group =
        Group::with_title(level.primary_title(diagnostic.message.as_str()).id(code.as_str()));
    let labels = || std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    let mut files: Vec<_> = labels().map(|label| label.span.file).collect();
    files.dedup();
    for file in files {
        let Some(source) = sources.source(file) else { continue };
        let inside: Vec<_> =
            labels().enumerate().filter(|(_, label)| label.span.file == file).collect();
        let far_apart = bytes_between(source, &inside) > BLOCK_MAX;
        for labels in inside.chunks(if far_apart { 1 } else { inside.len() }) {
            group = match snippet(source, labels) {
                Some(snippet) => group.element(snippet),
                None => labels.iter().fold(group, |group, (_, label)| {
                    let at = sources.position(label.span);
                    let origin = Origin::path(path(source));
                    group.element(origin.line(at.line).char_column(at.column))
                }),
            };
        }
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// From the first label to the last.
fn bytes_between(source: &Source, labels: &[(usize, &Label)]) -> usize {
    let first = labels.iter().map(|(_, label)| label.span.range().start).min().unwrap_or(0);
    let last = labels.iter().map(|(_, label)| label.span.range().end).max().unwrap_or(0);
    last.min(source.bytes().len()).saturating_sub(first)
}

/// The lines of one file that some labels are about, with their rank in the diagnostic; `None`
/// when a line is too long to be shown.
fn snippet<'a>(
    source: &Source,
    labels: &[(usize, &'a Label)],
) -> Option<Snippet<'a, Annotation<'a>>> {
    let first = labels.iter().map(|(_, label)| label.span.range().start).min()?;
    let last = labels.iter().map(|(_, label)| label.span.range().end).max()?;
    let (text, offset, line) = source.lines(first, last);
    if text.lines().any(|line| line.len() > LINE_MAX) {
        return None;
    }
    let text = source.shown(offset, offset + text.len());
    let place = |byte| source.shown(offset, source.text_offset(byte)).len();
    let mut annotations = Vec::new();
    let mut shown = 0;
    for (rank, label) in labels {
        let kind = if *rank == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let start = place(label.span.range().start);
        let tail = tail(&text, start);
        let end = place(label.span.range().end).max(start);
        let end = if text.get(start..end).is_some_and(|text| text.contains('\n')) {
            end
        } else {
            end.min(tail)
        };
        shown = shown.max(tail).max(end);
        annotations.push(kind.span(start..end).label(label.text.as_str()));
    }
    let text = text.get(..shown).unwrap_or_default().to_owned();
    let snippet = Snippet::source(text).path(path(source)).line_start(line).fold(true);
    Some(snippet.annotations(annotations))
}

/// Where a line that goes on behind `start` is cut.
fn tail(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    start + line.char_indices().nth(TAIL_MAX).map_or(line.len(), |(at, _)| at)
}

fn path(source: &Source) -> String {
    plain(&source.path().display().to_string())
}

/// A diagnostic for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// As `SF0201`.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Line and column behind the last character.
    pub end: crate::Position,
    /// What to write instead.
    pub hint: Option<String>,
    /// All places, the primary one first.
    pub labels: Vec<JsonLabel>,
}

/// A place with a remark, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonLabel {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Line and column behind the last character.
    pub end: crate::Position,
    /// The remark; may be empty.
    pub text: String,
}

/// The diagnostic as one object for serde.
#[must_use]
pub fn json(diagnostic: &Diagnostic, sources: &Sources) -> JsonDiagnostic {
    let file = |span: Span| plain(&sources.path(span).display().to_string());
    let label = |label: &Label| {
        let start = sources.position(label.span);
        JsonLabel {
            file: file(label.span),
            line: start.line,
            column: start.column,
            end: sources.end(label.span),
            text: label.text.clone(),
        }
    };
    let span = diagnostic.primary.span;
    let start = sources.position(span);
    JsonDiagnostic {
        code: diagnostic.code,
        severity: diagnostic.severity,
        message: diagnostic.message.clone(),
        file: file(span),
        line: start.line,
        column: start.column,
        end: sources.end(span),
        hint: diagnostic.hint.clone(),
        labels: std::iter::once(&diagnostic.primary)
            .chain(&diagnostic.secondary)
            .map(label)
            .collect(),
    }
}
