//! What operators do at run time, over a socket of the supervisor.
//!
//! Messages are those of varlink: JSON with a zero byte behind it, `{"method": "standfast.control.Drain",
//! "parameters": {...}}`, answered by `{"parameters": {...}}` or `{"error": "...", "parameters": {...}}`. Every
//! error has a `message` for people. `standfast.control.varlink` beside this file describes it all.

mod client;
pub(crate) mod desk;
mod directory;
mod frame;
pub(crate) mod orders;
mod pools;
mod reply;
mod request;
pub(crate) mod socket;
pub(crate) mod store;
mod written;

pub use client::{CallError, Wait, call};
pub use frame::{Frames, LONGEST, TooLong};
pub use pools::{Pools, ServerRow, ServiceRow, State};
pub use reply::Refusal;
pub use request::{INTERFACE, Request};
