//! BFD sessions of one machine: what they are configured to do, are told, want done, and what happened to them.

mod sessions;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use standfast_bfd::{Bond, Discard, Snapshot};
use standfast_types::BfdName;
use standfast_wire::bfd::LENGTH;

pub(crate) use sessions::Sessions;

/// One `bfd_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdConfig {
    /// Its name.
    pub name: BfdName,
    /// Between whom.
    pub path: BfdPath,
    /// How.
    pub session: standfast_bfd::Config,
}

/// The two ends of a session, and what is between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdPath {
    /// The neighbour (`neighbor_ip`).
    pub neighbor: IpAddr,
    /// Our own address (`source_ip`); else the kernel's choice.
    pub source: Option<IpAddr>,
    /// Whether there may be routers in between: another UDP port (`multihop`).
    pub multihop: bool,
    /// TTL or hop limit of our packets (`ttl`).
    pub ttl: u8,
}

/// What the world tells the brain about BFD.
#[derive(Clone, Debug)]
pub enum BfdInput<'a> {
    /// A packet arrived.
    Packet {
        /// The sender.
        source: IpAddr,
        /// Its TTL or hop limit on arrival.
        ttl: u8,
        /// Whether it came to the port of sessions across routers.
        multihop: bool,
        /// The UDP datagram's contents.
        payload: &'a [u8],
    },
    /// Before the start: a session was up in a process that died a moment ago.
    Resume {
        /// Which.
        name: BfdName,
        /// With whom.
        neighbor: IpAddr,
        /// What was agreed.
        bond: Bond,
    },
    /// The kernel refused the sockets of a session.
    Refused {
        /// Which.
        name: BfdName,
    },
}

/// What the brain wants done for BFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BfdOutput {
    /// Open sockets for a session, in place of any that it has.
    Open {
        /// Which.
        name: BfdName,
        /// Between whom.
        path: BfdPath,
    },
    /// Close the sockets of a session.
    Close {
        /// Which.
        name: BfdName,
    },
    /// Send a packet to a session's neighbour.
    Send {
        /// Which.
        name: BfdName,
        /// The UDP datagram's contents.
        payload: [u8; LENGTH],
    },
}

/// Something that happened in BFD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BfdEvent {
    /// To a session.
    Session {
        /// Which.
        name: BfdName,
        /// With whom.
        neighbor: IpAddr,
        /// What.
        event: standfast_bfd::Event,
    },
    /// A session is new and its neighbour has not answered: it counts as down from now on.
    Unanswered {
        /// Which.
        name: BfdName,
        /// With whom.
        neighbor: IpAddr,
    },
    /// A packet was refused that belongs to no session.
    Refused {
        /// The sender.
        source: IpAddr,
        /// Why.
        reason: Discard,
    },
    /// A reload removed a session.
    Deleted {
        /// Which.
        name: BfdName,
    },
}

/// What can be seen of a session from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdSnapshot {
    /// Its name.
    pub name: BfdName,
    /// With whom.
    pub neighbor: IpAddr,
    /// What those who follow it are told; `None` until its neighbour has answered or has had its time to.
    pub up: Option<bool>,
    /// The session.
    pub session: Snapshot,
}

#[cfg(test)]
mod tests;
