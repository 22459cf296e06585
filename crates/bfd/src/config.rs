//! What one session is configured to do.

use std::{num::NonZeroU8, time::Duration};

use serde::{Deserialize, Serialize};

/// The configuration of one session. Intervals are carried as microseconds in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What we want between two of our packets while the session is up (`min_tx`).
    pub desired_min_tx: Duration,
    /// What must be between two packets of the neighbour at least (`min_rx`).
    pub required_min_rx: Duration,
    /// What we want between two of our packets otherwise (`idle_tx`), at least a second.
    pub idle_tx: Duration,
    /// How many of our packets in a row the neighbour must miss to give us up (`multiplier`).
    pub detect_mult: NonZeroU8,
    /// Who begins.
    pub role: Role,
    /// Packets with a lower TTL or hop limit are refused; 0 takes all.
    pub min_ttl: u8,
}

/// Who begins a session (RFC 5880, section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Speaks without having heard anything.
    Active,
    /// Waits for the neighbour's first packet (`passive`).
    Passive,
}

impl Default for Config {
    /// keepalived's defaults: 10 ms each way, five packets, one a second while down.
    fn default() -> Self {
        Self {
            desired_min_tx: Duration::from_millis(10),
            required_min_rx: Duration::from_millis(10),
            idle_tx: Duration::from_secs(1),
            detect_mult: NonZeroU8::MIN.saturating_add(4),
            role: Role::Active,
            min_ttl: u8::MAX,
        }
    }
}
