//! Diagnostics for people and for programs.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::{Code, Diagnostic, Label, Severity, Sources, Span};

/// The diagnostic with the lines it is about, each token underlined.
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
    let paths: Vec<(_, String)> = files
        .iter()
        .filter_map(|file| Some((*file, sources.source(*file)?.path().display().to_string())))
        .collect();
    for (file, path) in &paths {
        let Some(source) = sources.source(*file) else { continue };
        let inside = || labels().filter(|label| label.span.file == *file).map(|label| label.span);
        let first = inside().map(|span| span.range().start).min().unwrap_or(0);
        let last = inside().map(|span| span.range().end).max().unwrap_or(0);
        let (text, offset, line) = source.lines(first, last);
        let mut snippet = Snippet::source(text).path(path.as_str()).line_start(line).fold(true);
        for (at, label) in labels().enumerate().filter(|(_, label)| label.span.file == *file) {
            let kind = if at == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let place = |byte: usize| source.text_offset(byte).saturating_sub(offset);
            let start = place(label.span.range().start);
            let end = place(label.span.range().end).max(start);
            snippet = snippet.annotation(kind.span(start..end).label(label.text.as_str()));
        }
        group = group.element(snippet);
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
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
    let file = |span: Span| sources.path(span).display().to_string();
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
