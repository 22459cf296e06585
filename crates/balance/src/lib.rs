//! The balancing brain: which services the kernel must have, over which servers, and what happened.

mod config;
mod interface;

pub use config::{
    Active, Config, Endpoint, HostName, RealServer, Resolved, SorryServer, VirtualServer,
};
pub use interface::{
    Cause, CheckId, Event, Input, Order, Output, ServerId, ServerSnapshot, ServiceSnapshot, Verdict,
};
