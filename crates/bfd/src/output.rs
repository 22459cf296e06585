//! What a session is told, what it wants done, and what happened to it.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Diagnostic, Malformed, Packet, State};

/// What a session is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A packet of the neighbour that names this session, or none.
    Packet {
        /// Its TTL or hop limit on arrival.
        ttl: u8,
        /// The packet.
        packet: Packet,
    },
    /// Tell the neighbour that we stop, and stop.
    Release,
}

/// What a session wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet to the neighbour.
    Transmit(Packet),
    /// Something happened.
    Event(Event),
}

/// Why a session wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its next packet is due.
    Transmit,
    /// The neighbour's silence has lasted for the detection time.
    Detection,
}

/// Something that happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Its state changed.
    Transition {
        /// Before.
        from: State,
        /// After.
        to: State,
        /// Why.
        cause: Cause,
        /// How long the state before had lasted.
        lasted: Duration,
    },
    /// The session is up, and both sides know at what pace.
    Agreed(Bond),
    /// The neighbour is silent for as long as its detection time, but this process did not run for
    /// so long meanwhile: it listens for one more detection time.
    Late {
        /// How late it was.
        by: Duration,
    },
    /// A packet was refused.
    Discarded(Discard),
}

/// What a session that is up has agreed on: all that another process needs to go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// Our number of the session.
    pub discriminator: NonZeroU32,
    /// The neighbour's.
    pub remote_discriminator: NonZeroU32,
    /// At most this long, and at least three quarters of it, between two of our packets.
    pub transmit: Duration,
    /// After so long a silence the neighbour is given up.
    pub detection: Duration,
}

/// Why a session's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A step of the handshake.
    Handshake,
    /// The neighbour fell silent.
    Silence {
        /// Since its last packet.
        lasted: Duration,
    },
    /// The neighbour says that the session is down.
    Neighbor {
        /// And why.
        diagnostic: Diagnostic,
    },
    /// The neighbour's operator holds the session down.
    NeighborAdmin,
    /// We stop.
    Released,
}

/// Why a packet was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Discard {
    /// It is no control packet that is let in.
    Malformed(Malformed),
    /// It crossed more routers than are allowed.
    Ttl,
    /// It names a session that is not here, or belongs to another neighbour.
    Discriminator,
    /// It names no session, and there is none with its sender.
    NoSession,
}
