//! The part of the Language Server Protocol (3.17) that is spoken here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A place: both count from 0, characters in units of the negotiated encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) character: usize,
}

/// From one place up to another, which does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

impl Range {
    /// Whether they have a place in common, be it an end.
    pub(crate) fn touches(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

/// A range of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Location {
    pub(crate) uri: String,
    pub(crate) range: Range,
}

/// Text to put in the place of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TextEdit {
    pub(crate) range: Range,
    pub(crate) new_text: String,
}

/// How bad a finding is.
pub(crate) mod severity {
    pub(crate) const ERROR: u8 = 1;
    pub(crate) const WARNING: u8 = 2;
    pub(crate) const INFORMATION: u8 = 3;
    pub(crate) const HINT: u8 = 4;
}

/// How a finding or a proposal is shown besides.
pub(crate) mod tag {
    pub(crate) const UNNECESSARY: u8 = 1;
    pub(crate) const DEPRECATED: u8 = 2;
    /// Of a proposal of the completion.
    pub(crate) const DEPRECATED_ITEM: u8 = 1;
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub(crate) range: Range,
    pub(crate) severity: u8,
    pub(crate) code: String,
    pub(crate) source: &'static str,
    pub(crate) message: String,
    pub(crate) tags: Vec<u8>,
    pub(crate) related_information: Vec<Related>,
}

/// Another place that matters for a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Related {
    pub(crate) location: Location,
    pub(crate) message: String,
}

/// Text for people, in Markdown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Markup {
    kind: &'static str,
    value: String,
}

impl Markup {
    pub(crate) fn new(value: String) -> Self {
        Self { kind: "markdown", value }
    }
}

/// What a proposal is, for its icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Block,
    Keyword,
    Option,
    Value,
    Name,
    Variable,
}

impl ItemKind {
    /// Its number in the protocol.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Block => 9,
            Self::Keyword => 14,
            Self::Option => 5,
            Self::Value => 12,
            Self::Name => 18,
            Self::Variable => 6,
        }
    }
}

/// A proposal of the completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) label: String,
    pub(crate) kind: u8,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) documentation: Option<Markup>,
    pub(crate) sort_text: String,
    pub(crate) filter_text: String,
    pub(crate) text_edit: TextEdit,
    pub(crate) tags: Vec<u8>,
}

/// An explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Hover {
    pub(crate) contents: Markup,
    pub(crate) range: Range,
}

/// An entry of the outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) kind: u8,
    pub(crate) range: Range,
    pub(crate) selection_range: Range,
    pub(crate) children: Vec<Self>,
}

/// A change that repairs a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Action {
    pub(crate) title: String,
    pub(crate) kind: &'static str,
    pub(crate) is_preferred: bool,
    pub(crate) diagnostics: Vec<Finding>,
    pub(crate) edit: WorkspaceEdit,
}

/// Changes by file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WorkspaceEdit {
    pub(crate) changes: BTreeMap<String, Vec<TextEdit>>,
}

/// A file by its URI.
#[derive(Debug, Deserialize)]
pub(crate) struct Identifier {
    pub(crate) uri: String,
}

/// A file that the editor opens.
#[derive(Debug, Deserialize)]
pub(crate) struct Opened {
    pub(crate) uri: String,
    pub(crate) version: Option<i64>,
    pub(crate) text: String,
}

/// A file's next version.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    pub(crate) uri: String,
    pub(crate) version: Option<i64>,
}

/// New text: of a range, or the whole.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) range: Option<Range>,
    pub(crate) text: String,
}

/// `textDocument/didOpen`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DidOpen {
    pub(crate) text_document: Opened,
}

/// `textDocument/didChange`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DidChange {
    pub(crate) text_document: Version,
    pub(crate) content_changes: Vec<Change>,
}

/// Requests about a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AboutFile {
    pub(crate) text_document: Identifier,
}

/// Requests about a place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AboutPlace {
    pub(crate) text_document: Identifier,
    pub(crate) position: Position,
    pub(crate) context: Option<Trigger>,
}

/// What made the editor ask for completion.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trigger {
    pub(crate) trigger_character: Option<String>,
}

/// Requests about a range.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AboutRange {
    pub(crate) text_document: Identifier,
    pub(crate) range: Range,
}
