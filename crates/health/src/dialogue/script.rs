//! A server's side of a dialogue, for tests.

use std::{sync::Arc, time::Duration};

use super::{Dialogue, Prepared, Run};
use crate::{End, Failure, Good, Kind};

/// What the server does, and what must come of it.
pub(super) struct Script(pub(super) Dialogue);

impl Script {
    pub(super) fn new(kind: &Kind) -> Self {
        let server = "192.0.2.1:80".parse().expect("an address");
        let timeout = Duration::from_secs(5);
        let run = Run { server, page: 0, random: 0x1234_5678_9abc_def0, keep: true, timeout };
        Self(Dialogue::new(&Arc::new(Prepared::new(kind).expect("a dialogue")), &run))
    }

    /// Bytes arrive, one at a time.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> &mut Self {
        bytes.iter().for_each(|&byte| self.0.handle_bytes(&[byte]));
        self
    }

    pub(super) fn datagram(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.handle_datagram(bytes);
        self
    }

    pub(super) fn closes(&mut self) -> &mut Self {
        self.0.handle_end(End::Closed);
        self
    }

    pub(super) fn falls_silent(&mut self) -> &mut Self {
        self.0.handle_silence();
        self
    }

    /// The client has said this since it was last asked, and is not at an end.
    #[track_caller]
    pub(super) fn says(&mut self, bytes: &[u8]) -> &mut Self {
        let said = self.0.poll_transmit().unwrap_or_default();
        assert_eq!(said.escape_ascii().to_string(), bytes.escape_ascii().to_string());
        assert_eq!(self.0.poll_outcome(), None);
        self
    }

    #[track_caller]
    pub(super) fn ends(&mut self, expected: Result<Good, Failure>) -> &mut Self {
        assert_eq!(self.0.poll_outcome(), Some(expected));
        self
    }

    #[track_caller]
    pub(super) fn fails(&mut self) -> String {
        let outcome = self.0.poll_outcome().expect("an outcome");
        outcome.expect_err("a failure").to_string()
    }
}
