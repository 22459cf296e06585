//! The processes: a supervisor, and the pulse that it watches over.
//!
//! ```text
//!                 configuration, scripts' results, release
//!   supervisor  --------------------------------------------->  pulse
//!   scripts, notify commands, log  <-------------------------  brain, sockets, netlink
//!                 events
//! ```
//!
//! The supervisor may read files, run programs and wait for them; pulse may not. If pulse dies, the
//! supervisor starts it again within milliseconds and it goes on as master; if the supervisor dies, pulse
//! lets go in good order; if both die, the kernel removes the addresses when their leases end.

mod calendar;
mod channel;
mod command;
mod commands;
pub mod control;
mod describe;
mod dump;
mod fifo;
mod fifos;
mod files;
mod flood;
mod limit;
mod log;
mod mail;
mod message;
mod names;
mod news;
mod notify;
mod once;
mod options;
mod place;
mod pool;
mod processes;
mod pulse;
mod respawn;
mod scripts;
mod security;
mod signals;
mod status;
mod supervisor;

pub use options::Options;
pub use pool::{run as run_pool, run_once};
pub use pulse::run as run_pulse;
pub use supervisor::{POOL_ARGUMENT, PULSE_ARGUMENT, host_name, run};
