//! One virtual router: election, timers, preemption and the announcement schedule.

mod config;

pub use config::{
    Announcements, ChecksumMode, Config, Password, Preempt, Transport, UnicastPeer, Version,
};
