//! What concerns balancing in the kernel as a whole.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::InterfaceName;

/// How long the kernel remembers idle connections (`lvs_timeouts`); `None` leaves it alone. Whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// TCP.
    pub tcp: Option<Duration>,
    /// TCP after one side has closed.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}

/// Which part a machine has in the copying of connections between directors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SyncRole {
    /// It sends.
    Master,
    /// It receives.
    Backup,
}

/// How connections are copied between directors (`lvs_sync_daemon`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// By this interface.
    pub interface: InterfaceName,
    /// Tells several on one network apart.
    pub id: u8,
    /// Bytes of a packet at most; `None`: the kernel's choice.
    pub max_length: Option<u16>,
    /// UDP port; `None`: 8848.
    pub port: Option<u16>,
    /// How far packets go; `None`: 1.
    pub ttl: Option<u8>,
    /// Multicast group; `None`: 224.0.0.81.
    pub group: Option<IpAddr>,
}
