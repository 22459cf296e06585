//! The server as a value: messages in, messages out.

use std::{collections::BTreeMap, path::PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use standfast_conf::{Disk, Options};

use crate::{
    document::Document,
    files::{Documents, Overlay},
    findings::findings,
    project::{Project, projects},
    protocol::{AboutFile, DidChange, DidOpen, Finding},
    text::Encoding,
    uri,
};

mod requests;

/// What a server is told before it starts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What the findings depend on besides the files.
    pub options: Options,
    /// Where files and scripts that are not open are looked up.
    pub disk: Disk,
}

/// A language server. Never panics, whatever the messages hold.
pub struct Server {
    settings: Settings,
    encoding: Encoding,
    stage: Stage,
    documents: Documents,
    /// What the documents came to; `None` since the last change.
    projects: Option<Vec<Project>>,
    /// Whether findings are to be published.
    stale: bool,
    /// What the editor was last told of each file.
    published: BTreeMap<PathBuf, Vec<Finding>>,
    outgoing: Vec<Value>,
}

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `initialize` is to come.
    New,
    Running,
    /// After `shutdown`.
    ShutDown,
    /// After `exit`; `orderly` when `shutdown` came before.
    Exited {
        orderly: bool,
    },
}

/// Why a request gets no result.
#[derive(Debug)]
struct Refusal {
    code: i64,
    message: String,
}

impl Refusal {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_INITIALIZED: i64 = -32002;

impl Server {
    /// A server without documents.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            encoding: Encoding::Utf16,
            stage: Stage::New,
            documents: Documents::new(),
            projects: None,
            stale: false,
            published: BTreeMap::new(),
            outgoing: Vec::new(),
        }
    }

    /// Whether `exit` came.
    #[must_use]
    pub fn exited(&self) -> bool {
        matches!(self.stage, Stage::Exited { .. })
    }

    /// Whether it ended in good order.
    #[must_use]
    pub fn shut_down(&self) -> bool {
        self.stage == Stage::Exited { orderly: true }
    }

    /// What is to be sent, and is not kept any longer.
    pub fn drain(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.outgoing)
    }

    /// Takes in one message.
    pub fn handle(&mut self, message: &[u8]) {
        let message: Value = match serde_json::from_slice(message) {
            Ok(message) => message,
            Err(error) => {
                return self
                    .respond(Value::Null, Err(Refusal::new(PARSE_ERROR, error.to_string())));
            }
        };
        let method = message.get("method").and_then(Value::as_str);
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        match (method, message.get("id")) {
            (Some(method), Some(id)) => {
                let result = self.request(method, params);
                self.respond(id.clone(), result);
            }
            (Some(method), None) => self.notification(method, params),
            // A response: nothing is ever asked of the editor.
            (None, Some(_)) if message.get("result").or(message.get("error")).is_some() => {}
            (None, id) => {
                let id = id.cloned().unwrap_or(Value::Null);
                self.respond(id, Err(Refusal::new(INVALID_REQUEST, "no method")));
            }
        }
    }

    /// Tells the editor what is wrong with its documents, if they changed since the last time.
    pub fn publish(&mut self) {
        if self.stage != Stage::Running || !std::mem::take(&mut self.stale) {
            return;
        }
        let encoding = self.encoding;
        let (projects, documents) = self.projects();
        let mut current = findings(projects, documents, encoding);
        // Files that are not open are mentioned while something is wrong with them.
        let gone = self.published.keys().filter(|path| !current.contains_key(*path));
        let gone: Vec<_> = gone.map(|path| (path.clone(), Vec::new())).collect();
        current.extend(gone);
        for (path, found) in &current {
            let open = self.documents.get(path);
            if open.is_none() && self.published.get(path) == Some(found) {
                continue;
            }
            let uri = open.map_or_else(|| uri::from_path(path), |open| open.uri.clone());
            let mut params = json!({ "uri": uri, "diagnostics": found });
            if let (Some(version), Some(params)) =
                (open.and_then(|open| open.version), params.as_object_mut())
            {
                params.insert("version".to_owned(), version.into());
            }
            self.outgoing.push(json!({
                "jsonrpc": "2.0",
                "method": "textDocument/publishDiagnostics",
                "params": params,
            }));
        }
        current.retain(|path, found| self.documents.contains_key(path) || !found.is_empty());
        self.published = current;
    }

    fn respond(&mut self, id: Value, result: Result<Value, Refusal>) {
        self.outgoing.push(match result {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(Refusal { code, message }) => {
                let error = json!({ "code": code, "message": message });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        });
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Refusal> {
        match (self.stage, method) {
            (Stage::New, "initialize") => Ok(self.initialize(&params)),
            (Stage::New, _) => Err(Refusal::new(NOT_INITIALIZED, "`initialize` comes first")),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Running, "initialize") => {
                Err(Refusal::new(INVALID_REQUEST, "`initialize` came already"))
            }
            (Stage::Running, _) => self.answer(method, params),
            (Stage::ShutDown | Stage::Exited { .. }, _) => {
                Err(Refusal::new(INVALID_REQUEST, "`shutdown` came already"))
            }
        }
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.stage = Stage::Running;
        let offered = params.pointer("/capabilities/general/positionEncodings");
        let offers = |encoding: Encoding| {
            let offered = offered.and_then(Value::as_array);
            offered.is_some_and(|offered| offered.iter().any(|name| name == encoding.name()))
        };
        if offers(Encoding::Utf8) {
            self.encoding = Encoding::Utf8;
        }
        json!({
            "serverInfo": { "name": "standfast", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": self.encoding.name(),
                "textDocumentSync": { "openClose": true, "change": 2, "save": true },
                "completionProvider": { "triggerCharacters": ["$", " "] },
                "hoverProvider": true,
                "definitionProvider": true,
                "documentFormattingProvider": true,
                "documentSymbolProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
            },
        })
    }

    /// A notification that cannot be understood is passed over, as the protocol wants it.
    fn notification(&mut self, method: &str, params: Value) {
        if method == "exit" {
            self.stage = Stage::Exited { orderly: self.stage == Stage::ShutDown };
        }
        if self.stage != Stage::Running {
            return;
        }
        match method {
            "textDocument/didOpen" => {
                let Ok(DidOpen { text_document: opened }) = read(params) else { return };
                let path = uri::to_path(&opened.uri);
                self.documents.insert(path, Document::new(opened, self.encoding));
            }
            "textDocument/didChange" => {
                let Ok(DidChange { text_document, content_changes }) = read(params) else { return };
                let path = uri::to_path(&text_document.uri);
                let Some(document) = self.documents.get_mut(&path) else { return };
                document.version = text_document.version;
                document.change(content_changes, self.encoding);
            }
            "textDocument/didClose" => {
                let Ok(AboutFile { text_document }) = read(params) else { return };
                self.documents.remove(&uri::to_path(&text_document.uri));
            }
            // Something else on the disk, like a script, may have changed.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {}
            _ => return,
        }
        self.projects = None;
        self.stale = true;
    }

    /// What the documents come to, read again if they have changed, and the documents.
    fn projects(&mut self) -> (&[Project], &Documents) {
        let Self { settings, documents, projects: read, .. } = self;
        let projects = read.get_or_insert_with(|| {
            let files = Overlay { documents, disk: &settings.disk };
            projects(documents, &settings.options, &files)
        });
        (projects, documents)
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal::new(INVALID_PARAMS, error.to_string()))
}
