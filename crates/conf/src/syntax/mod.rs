//! Source to tree: lines, comments, conditions, definitions, includes, words, blocks.

mod build;
mod directive;
mod expand;
mod findings;
mod glyph;
mod include;
mod lex;
mod line;
mod lossless;
mod read;
mod repair;
mod tree;
mod written;

use findings::Findings;
pub use lex::TokenKind;
pub use lossless::{SyntaxToken, tokens};
pub(crate) use read::{LINE_MAX, LINE_SKIPPED, Reading, read};
pub(crate) use repair::line;
pub use tree::{Block, Quoting, Statement, Word};
