//! `keepalived.conf`: source to lossless tokens to tree to checked model, with diagnostics.
//!
//! ```text
//! bytes -> lines -> (conditions, definitions, loops, includes) -> words and braces -> tree
//!       -> keyword table -> model + diagnostics, each with the exact place in the file
//! ```
//!
//! A file that keepalived runs is run; what keepalived swallows in silence is said. Nothing
//! here runs a script, resolves a name or looks at an interface, and no input panics. What is to be
//! said about a machine takes its interfaces as a value, [`Host`].
//!
//! ```
//! use standfast_conf::{Memory, Options, load};
//!
//! let files = Memory::default().with("/etc/a.conf", "vrrp_instance V {\n interface e\n state SLAVE\n}\n");
//! let loaded = load("/etc/a.conf".as_ref(), &Options::default(), &files);
//! let model = loaded.model.unwrap();
//! assert_eq!(model.left_out, ["V".into()], "it has no virtual_router_id");
//! assert_eq!(loaded.diagnostics[1].hint.as_deref(), Some("write `state BACKUP`"));
//! ```

mod both;
mod causes;
mod code;
mod diagnostic;
mod dump;
mod files;
mod format;
mod host;
mod lint;
mod load;
mod lower;
mod model;
mod origins;
pub mod pages;
mod pool;
mod render;
mod sarif;
mod settings;
mod shown;
mod source;
mod syntax;
pub mod table;
mod text;

pub use code::{Code, UnknownCode};
pub use diagnostic::{Class, Diagnostic, Label, Severity, test_exit_code};
pub use dump::{Dump, DumpBlock, Scalar, Setting, Settings, dump};
pub use files::{Disk, Files, Memory, ScriptFile};
pub use format::{format, same_meaning};
pub use host::{Host, HostInterface};
pub use lint::cross_node;
pub use load::{Loaded, Options, load};
pub use model::{Deleted, Global, InitFile, Model, Notify, Script, TrackedFile};
pub use origins::{InstanceOrigin, Origins, ScriptOrigin, TrackerOrigin};
pub use pool::{
    FlushOnStop, Identity, MarkedGroup, Marks, Plane, Pool, ServerNotify, ServiceNotify, Sync,
};
pub use render::{JsonDiagnostic, JsonLabel, json, render};
pub use sarif::{Sarif, sarif};
pub use settings::{
    AutoPriority, Buffer, Dumps, Fifo, Fifos, Mail, Marker, Once, Place, Running, Supervision,
};
pub use source::{FileId, Position, Source, Sources, Span};
pub use standfast_types::{Command, User};
pub use syntax::{Block, Quoting, Statement, SyntaxToken, TokenKind, Word, tokens};
pub use text::Text;
