//! The editor's questions about documents.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use standfast_conf::{format, same_meaning};

use super::{METHOD_NOT_FOUND, Refusal, Server, read};
use crate::{
    action,
    completion::{completion, unasked},
    cursor::Cursor,
    definition::definition,
    document::Document,
    files::Overlay,
    findings::Places,
    hover::hover,
    layout,
    project::Project,
    protocol::{AboutFile, AboutPlace, AboutRange, Action, Position, Range},
    symbols::symbols,
    uri,
};

/// A document in its project.
struct Subject<'a> {
    path: &'a Path,
    document: &'a Document,
    project: &'a Project,
    files: Overlay<'a>,
    server: &'a Server,
}

impl Server {
    pub(super) fn answer(&mut self, method: &str, params: Value) -> Result<Value, Refusal> {
        match method {
            "textDocument/completion" => {
                let about: AboutPlace = read(params)?;
                let context = about.context;
                let trigger = context.and_then(|context| context.trigger_character);
                self.about(&about.text_document.uri, |subject| {
                    subject.completion(about.position, trigger.as_deref() == Some(" "))
                })
            }
            "textDocument/hover" => {
                let about: AboutPlace = read(params)?;
                self.about(&about.text_document.uri, |subject| subject.hover(about.position))
            }
            "textDocument/definition" => {
                let about: AboutPlace = read(params)?;
                self.about(&about.text_document.uri, |subject| subject.definition(about.position))
            }
            "textDocument/documentSymbol" => {
                let about: AboutFile = read(params)?;
                self.about(&about.text_document.uri, |subject| subject.symbols())
            }
            "textDocument/codeAction" => {
                let about: AboutRange = read(params)?;
                self.about(&about.text_document.uri, |subject| subject.repairs(about.range))
            }
            "textDocument/formatting" => {
                let about: AboutFile = read(params)?;
                self.about(&about.text_document.uri, |subject| subject.layout())
            }
            _ => Err(Refusal::new(METHOD_NOT_FOUND, format!("no method `{method}`"))),
        }
    }

    /// An answer about an open document; null about any other.
    fn about(
        &mut self,
        uri: &str,
        answer: impl Fn(&Subject<'_>) -> serde_json::Result<Value>,
    ) -> Result<Value, Refusal> {
        let path = uri::to_path(uri);
        self.projects();
        let server: &Self = self;
        let project = server.projects.as_deref().unwrap_or_default();
        let project = project.iter().find(|project| project.file(&path).is_some());
        let (Some(project), Some(document)) = (project, server.documents.get(&path)) else {
            return Ok(Value::Null);
        };
        let files = Overlay { documents: &server.documents, disk: &server.settings.disk };
        let subject = Subject { path: &path, document, project, files, server };
        Ok(answer(&subject).unwrap_or_default())
    }
}

impl Subject<'_> {
    fn places(&self) -> Places<'_> {
        Places::new(self.project, &self.server.documents, self.server.encoding)
    }

    fn cursor(&self, position: Position) -> (Cursor, usize) {
        let text = &self.document.text;
        let offset = text.offset(position);
        (Cursor::at(text.as_str(), self.project.base(self.path), offset), offset)
    }

    fn completion(&self, position: Position, after_blank: bool) -> serde_json::Result<Value> {
        let (cursor, offset) = self.cursor(position);
        if after_blank && !unasked(&cursor) {
            return Ok(Value::Null);
        }
        json(&completion(self.project, &self.document.text, &cursor, offset))
    }

    fn hover(&self, position: Position) -> serde_json::Result<Value> {
        let (cursor, offset) = self.cursor(position);
        json(&hover(self.project, &self.document.text, &cursor, offset))
    }

    fn definition(&self, position: Position) -> serde_json::Result<Value> {
        let (cursor, offset) = self.cursor(position);
        let here = (self.path, &self.document.text);
        let mut places = self.places();
        json(&definition(self.project, &self.files, &mut places, here, &cursor, offset))
    }

    fn symbols(&self) -> serde_json::Result<Value> {
        let file = self.project.file(self.path).map(|(file, _)| file);
        let tree = &self.project.loaded.tree;
        json(&file.map(|file| symbols(tree, file, &mut self.places())))
    }

    fn repairs(&self, range: Range) -> serde_json::Result<Value> {
        let mut places = self.places();
        let here = self.project.file(self.path).map(|(file, _)| file);
        let all = &self.project.loaded.diagnostics;
        let of_file = all.iter().filter(|found| Some(found.primary.span.file) == here);
        let actions: Vec<Action> = of_file
            .map(|found| (found, places.finding(found)))
            .filter(|(_, finding)| finding.range.touches(range))
            .filter_map(|(found, finding)| action::repair(found, finding, &self.document.uri))
            .collect();
        json(&actions)
    }

    fn layout(&self) -> serde_json::Result<Value> {
        let text = &self.document.text;
        let laid_out = format(text.as_str().as_bytes());
        let safe = same_meaning(text.as_str().as_bytes(), &laid_out);
        let laid_out = String::from_utf8(laid_out).ok().filter(|_| safe);
        let edit = laid_out.and_then(|laid_out| layout::change(text, &laid_out));
        json(&Vec::from_iter(edit))
    }
}

fn json(answer: &impl Serialize) -> serde_json::Result<Value> {
    serde_json::to_value(answer)
}
