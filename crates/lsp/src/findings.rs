//! The checker's diagnostics, as the editor wants them.

use std::{collections::BTreeMap, ops::Range as Bytes, path::PathBuf};

use standfast_conf::{Code, Diagnostic, FileId, Severity, Span};

use crate::{
    files::Documents,
    project::{Extent, Project},
    protocol::{Finding, Location, Range, Related, severity, tag},
    text::{Encoding, Text},
    uri,
};

/// The findings of each file of some projects; open files without any have an empty list.
pub(crate) fn findings(
    projects: &[Project],
    documents: &Documents,
    encoding: Encoding,
) -> BTreeMap<PathBuf, Vec<Finding>> {
    let mut by_path: BTreeMap<PathBuf, Vec<Finding>> =
        documents.keys().map(|path| (path.clone(), Vec::new())).collect();
    for project in projects {
        let mut places = Places::new(project, documents, encoding);
        let relevant = project.loaded.diagnostics.iter().filter(|found| relevant(project, found));
        for found in relevant {
            let path = project.path(found.primary.span.file);
            let finding = places.finding(found);
            let list = by_path.entry(path).or_default();
            // Two main files may include the same file.
            if projects.len() == 1 || !list.contains(&finding) {
                list.push(finding);
            }
        }
    }
    by_path
}

/// Of the lines of a block alone only the syntax can be judged.
fn relevant(project: &Project, found: &Diagnostic) -> bool {
    match project.extent {
        Extent::Whole | Extent::Fragment => true,
        Extent::Lines(_) => found.code.number() < 200 && !depends_on_others(found.code),
    }
}

/// Kinds of findings that another file of the configuration could make void. Most are none, and a
/// new kind is better shown in full than hidden.
const DEPENDS_ON_OTHERS: &[Code] = &[
    Code::BadReference,
    Code::ScriptUnused,
    Code::ScriptUndefined,
    Code::ScriptSecurityOff,
    Code::ScriptAsRoot,
    Code::AlertWithoutMailbox,
    Code::AlertWithoutServer,
    Code::NothingToDo,
];

fn depends_on_others(code: Code) -> bool {
    DEPENDS_ON_OTHERS.contains(&code)
}

/// Places in a project's files, in the editor's terms.
pub(crate) struct Places<'a> {
    project: &'a Project,
    documents: &'a Documents,
    encoding: Encoding,
    texts: BTreeMap<FileId, (String, Text)>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(project: &'a Project, documents: &'a Documents, encoding: Encoding) -> Self {
        Self { project, documents, encoding, texts: BTreeMap::new() }
    }

    pub(crate) fn location(&mut self, span: Span) -> Location {
        let source = self.project.loaded.sources.source(span.file);
        let offset = |byte| source.map_or(0, |source| source.text_offset(byte));
        let bytes = span.range();
        self.in_text(span.file, offset(bytes.start)..offset(bytes.end))
    }

    /// The location of a range of a file's text, in which broken bytes are replaced.
    pub(crate) fn in_text(&mut self, file: FileId, bytes: Bytes<usize>) -> Location {
        let Self { project, documents, encoding, texts } = self;
        let (uri, text) = texts.entry(file).or_insert_with(|| {
            let path = project.path(file);
            let open = documents.get(&path);
            let uri = open.map_or_else(|| uri::from_path(&path), |open| open.uri.clone());
            let text = project.loaded.sources.source(file).map_or("", |source| source.text());
            (uri, Text::new(text.to_owned(), *encoding))
        });
        Location { uri: uri.clone(), range: text.range(bytes) }
    }

    pub(crate) fn range(&mut self, span: Span) -> Range {
        self.location(span).range
    }

    pub(crate) fn finding(&mut self, found: &Diagnostic) -> Finding {
        let fragment = !matches!(self.project.extent, Extent::Whole);
        let severity = match found.severity {
            Severity::Error | Severity::Warning | Severity::Note
                if fragment && depends_on_others(found.code) =>
            {
                severity::HINT
            }
            Severity::Error => severity::ERROR,
            Severity::Warning => severity::WARNING,
            Severity::Note => severity::INFORMATION,
        };
        let related = |label: &standfast_conf::Label| Related {
            location: self.location(label.span),
            message: label.text.clone(),
        };
        let related_information = found.secondary.iter().map(related).collect();
        Finding {
            range: self.range(found.primary.span),
            severity,
            code: found.code.to_string(),
            source: "standfast",
            message: message(found),
            tags: tags(found.code),
            related_information,
        }
    }
}

/// What is wrong, and what to write instead.
fn message(found: &Diagnostic) -> String {
    let mut message = found.message.clone();
    let hint = found.hint.as_ref().map(|hint| format!("hint: {hint}"));
    let label = Some(&found.primary.text).filter(|label| !label.is_empty());
    for line in label.cloned().into_iter().chain(hint) {
        message.push('\n');
        message.push_str(&line);
    }
    message
}

fn tags(code: Code) -> Vec<u8> {
    if code == Code::Deprecated {
        vec![tag::DEPRECATED]
    } else if [Code::NoEffect, Code::SurplusWords].contains(&code) {
        vec![tag::UNNECESSARY]
    } else {
        Vec::new()
    }
}
