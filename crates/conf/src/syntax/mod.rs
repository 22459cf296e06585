//! Source to tree: lines, comments, conditions, definitions, includes, words, blocks.

mod build;
mod directive;
mod expand;
mod glyph;
mod include;
mod lex;
mod lossless;
mod read;
mod tree;

pub use lex::TokenKind;
pub use lossless::{SyntaxToken, tokens};
pub(crate) use read::{LINE_MAX, read};
pub use tree::{Block, Quoting, Statement, Word};
