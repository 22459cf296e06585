//! Health checks as values: when to check, what to say, and what the answer means.
//!
//! Nothing here opens a socket or reads a clock. The pool process carries bytes and time in and out:
//! a [`Prober`] says when a run starts, a [`Dialogue`] is one run.

mod config;
mod dialogue;
mod outcome;
mod pattern;
mod prober;

pub use config::{
    Check, Dns, File, Grpc, Http, HttpProtocol, Kind, Misc, Mysql, Pattern, Postgres, Redis,
    RedisRole, Reply, Smtp, Target, Timing, Tls, Udp, Url,
};
pub use dialogue::{Dialogue, Prepared, Run};
pub use outcome::{End, Failure, Good, printable};
pub use pattern::{Compiled, PatternError};
pub use prober::{Change, Prober};
