//! Statements and blocks, after every expansion.

use crate::{Text, source::Span};

/// How a word was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Without quotes.
    Bare,
    /// In double quotes.
    Double,
    /// In single quotes, which only commands know.
    Single,
}

/// A word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text, without quotes, escapes as written.
    pub text: Text,
    /// Where it is used, quotes included.
    pub span: Span,
    /// How it was written.
    pub quoting: Quoting,
}

/// A keyword with its parameters, and the block that it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The keyword and its parameters; never empty.
    pub words: Box<[Word]>,
    /// What it holds in braces.
    pub block: Option<Box<Block>>,
}

/// What stands between two braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The `{`.
    pub open: Span,
    /// The `}`; `None` when it is missing.
    pub close: Option<Span>,
    /// The statements inside.
    pub statements: Box<[Statement]>,
}

impl Word {
    /// Where it was defined, when a `$NAME` brought it here.
    #[must_use]
    pub fn definition(&self) -> Option<Span> {
        self.text.definition()
    }
}

impl Statement {
    /// The keyword.
    #[must_use]
    pub fn keyword(&self) -> Option<&Word> {
        self.words.first()
    }

    /// The words after the keyword.
    #[must_use]
    pub fn parameters(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The statements of its block; none without a block.
    #[must_use]
    pub fn statements(&self) -> &[Self] {
        self.block.as_ref().map_or(&[], |block| &block.statements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_a_large_file_stays_small() {
        assert_eq!(size_of::<Word>(), 32);
        assert_eq!(size_of::<Statement>(), 24);
        assert_eq!(size_of::<Block>(), 40);
    }
}
