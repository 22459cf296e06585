//! `keepalived.conf`: source to lossless tokens to tree to checked model, with diagnostics.
//!
//! ```text
//! bytes -> lines -> (conditions, definitions, loops, includes) -> words and braces -> tree
//!       -> keyword table -> model + diagnostics, each with the exact place in the file
//! ```
//!
//! A file that keepalived runs is run; what keepalived swallows in silence is said. Nothing
//! here runs a script, resolves a name or looks at an interface, and no input panics.
//!
//! ```
//! use standfast_conf::{Memory, Options, load};
//!
//! let files = Memory::default().with("/etc/a.conf", "vrrp_instance V {\n interface e\n state SLAVE\n}\n");
//! let loaded = load("/etc/a.conf".as_ref(), &Options::default(), &files);
//! assert!(loaded.model.is_none(), "there is no virtual_router_id");
//! assert_eq!(loaded.diagnostics[1].hint.as_deref(), Some("write `state BACKUP`"));
//! ```

mod code;
mod diagnostic;
mod files;
mod lint;
mod load;
mod lower;
mod model;
mod origins;
mod render;
mod source;
mod syntax;
mod text;
mod words;

pub use code::Code;
pub use diagnostic::{Class, Diagnostic, Label, Severity, test_exit_code};
pub use files::{Disk, Files, Memory, ScriptFile};
pub use lint::cross_node;
pub use load::{Loaded, Options, load};
pub use model::{Command, Deleted, Global, Model, Notify, Script, User};
pub use origins::{InstanceOrigin, Origins, ScriptOrigin, TrackerOrigin};
pub use render::{JsonDiagnostic, JsonLabel, json, render};
pub use source::{FileId, Position, Source, Sources, Span};
pub use syntax::{Block, Quoting, Statement, SyntaxToken, TokenKind, Word, tokens};
pub use text::Text;
