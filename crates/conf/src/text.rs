//! The text of a word: a part of something that many words share, so that a word needs no memory
//! of its own.

use std::{fmt, ops::Deref, ops::Range, sync::Arc};

use crate::source::{Span, narrow, wide};

/// What texts are parts of: a file, or what an expansion made of a word.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) text: String,
    /// Where an expanded word was defined.
    pub(crate) definition: Option<Span>,
}

/// The text of a word. Works like a `&str`.
#[derive(Clone)]
pub struct Text {
    shared: Arc<Shared>,
    start: u32,
    end: u32,
}

impl Text {
    /// A part of a file's text.
    pub(crate) fn part(shared: &Arc<Shared>, range: Range<usize>) -> Self {
        Self { shared: Arc::clone(shared), start: narrow(range.start), end: narrow(range.end) }
    }

    /// What an expansion made.
    pub(crate) fn expanded(text: String, definition: Option<Span>) -> Self {
        let end = narrow(text.len());
        Self { shared: Arc::new(Shared { text, definition }), start: 0, end }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.shared.text.get(wide(self.start)..wide(self.end)).unwrap_or_default()
    }

    pub(crate) fn definition(&self) -> Option<Span> {
        self.shared.definition
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Eq for Text {}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> Self {
        text.as_str().to_owned()
    }
}
