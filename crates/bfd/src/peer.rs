//! The neighbour as its packets describe it.

use std::{num::NonZeroU32, time::Duration};

use standfast_types::Instant;

use crate::{Bond, Packet, State};

/// What is known of a neighbour that is not silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its number of the session (`bfd.RemoteDiscr`).
    pub(crate) discriminator: NonZeroU32,
    /// `bfd.RemoteSessionState`
    pub(crate) state: State,
    /// `bfd.RemoteDemandMode`
    pub(crate) demand: bool,
    /// `bfd.RemoteMinRxInterval`; zero wants no packets.
    pub(crate) required_min_rx: Duration,
    /// The time that its packets leave between them, as agreed.
    pub(crate) interval: Duration,
    /// After so long a silence it is given up.
    pub(crate) patience: Duration,
    pub(crate) heard_at: Instant,
    pub(crate) silent_at: Instant,
}

impl Peer {
    /// The neighbour that sent `packet`, when this system receives one packet in `required_min_rx`;
    /// `before` is what it was.
    pub(crate) fn hear(
        now: Instant,
        packet: &Packet,
        required_min_rx: Duration,
        before: Option<&Self>,
    ) -> Self {
        let interval = required_min_rx.max(micros(packet.desired_min_tx));
        let agreed = interval * u32::from(packet.detect_mult.get());
        // While its poll is not answered it may still send at its old pace, whatever the packet says.
        let patience = match before {
            Some(before) if packet.poll => agreed.max(before.patience),
            Some(_) | None => agreed,
        };
        Self {
            discriminator: packet.my_discriminator,
            state: packet.state,
            demand: packet.demand,
            required_min_rx: micros(packet.required_min_rx),
            interval,
            patience,
            heard_at: now,
            silent_at: now + patience,
        }
    }

    /// The neighbour of a session that another process had, heard just now.
    pub(crate) fn resume(now: Instant, bond: &Bond) -> Self {
        Self {
            discriminator: bond.remote_discriminator,
            state: State::Up,
            demand: false,
            required_min_rx: bond.transmit,
            interval: bond.detection,
            patience: bond.detection,
            heard_at: now,
            silent_at: now + bond.detection,
        }
    }

    /// Whether it was silent for too long.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.silent_at <= now
    }

    /// We could not listen until now: its silence before proves nothing.
    pub(crate) fn listen_again(&mut self, now: Instant) {
        self.silent_at = self.silent_at.max(now + self.patience);
    }
}

fn micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}
