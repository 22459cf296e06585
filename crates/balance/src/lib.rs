//! The balancing brain: which services the kernel must have, over which servers, and what happened.

mod brain;
mod config;
mod facts;
mod interface;
mod outbox;
mod server;
mod service;
mod table;

pub use brain::Brain;
pub use config::{
    Active, Config, Endpoint, HostName, RealServer, Resolved, SorryServer, VirtualServer,
};
pub use interface::{
    Cause, CheckId, Event, Input, Order, Output, ServerId, ServerSnapshot, ServiceSnapshot, Verdict,
};
pub use table::diff;
