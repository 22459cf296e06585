//! A file that is open in the editor.

use crate::{
    protocol::{Change, Opened},
    text::{Encoding, Text},
};

/// An open file.
#[derive(Debug)]
pub(crate) struct Document {
    /// As the editor spells it.
    pub(crate) uri: String,
    pub(crate) version: Option<i64>,
    pub(crate) text: Text,
}

impl Document {
    pub(crate) fn new(opened: Opened, encoding: Encoding) -> Self {
        let text = Text::new(opened.text, encoding);
        Self { uri: opened.uri, version: opened.version, text }
    }

    /// Applies changes, one after the other.
    pub(crate) fn change(&mut self, changes: Vec<Change>, encoding: Encoding) {
        for change in changes {
            self.text = match change.range {
                Some(range) => self.text.replaced(range, &change.text),
                None => Text::new(change.text, encoding),
            };
        }
    }
}
