//! The failover brain of one machine.

mod config;

pub use config::{Config, InstanceConfig, ScriptConfig, TrackInterface, TrackScript, Weight};
