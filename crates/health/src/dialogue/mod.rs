//! One run of a check, as bytes in and bytes out.

mod http;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{End, Failure, Good, Kind};

/// What all runs of a check have in common, made once: its words and its compiled patterns.
#[derive(Debug)]
pub struct Prepared {
    kind: Kind,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Where it goes.
    pub server: SocketAddr,
    /// [`crate::Prober::page`].
    pub page: usize,
    /// For what nobody else should guess: ids of queries.
    pub random: u64,
    /// Whether the connection is wanted for the next run too: HTTP/1.1 then doesn't ask to close it.
    pub keep: bool,
    /// How long is waited, for the text of the failure.
    pub timeout: Duration,
}

/// One run of a check: the client's side of a dialogue that begins once there is a connection (with TLS,
/// once its handshake is over).
///
/// Feed it what arrives, send what [`Self::poll_transmit`] returns, until [`Self::poll_outcome`] returns
/// how it came out; whatever is fed afterwards is ignored. Bytes may come in pieces of any size, and a
/// server that sends without end costs no memory.
#[derive(Debug)]
pub struct Dialogue {
    state: State,
    transmit: Option<Vec<u8>>,
    outcome: Option<Result<Good, Failure>>,
    /// Whether any byte has come.
    begun: bool,
    timeout: Duration,
}

#[derive(Debug)]
enum State {
    /// All is said.
    Over {
        reusable: bool,
    },
    Http(Box<http::Http1>),
}

/// What a dialogue does next.
pub(crate) enum Step {
    /// It waits for more.
    Wait,
    /// It says something, and waits.
    #[expect(dead_code, reason = "HTTP says all it has to say at once")]
    Say(Vec<u8>),
    /// It is over.
    Done {
        outcome: Result<(), Failure>,
        /// Bytes that are sent before the connection is closed.
        farewell: Vec<u8>,
        /// Whether the connection is fit for another run.
        reusable: bool,
    },
}

impl Step {
    pub(crate) const fn good() -> Self {
        Self::Done { outcome: Ok(()), farewell: Vec::new(), reusable: false }
    }

    pub(crate) const fn failed(failure: Failure) -> Self {
        Self::Done { outcome: Err(failure), farewell: Vec::new(), reusable: false }
    }
}

impl Prepared {
    /// `None` for a check that is no dialogue: `MISC_CHECK`, `BFD_CHECK`, `FILE_CHECK`.
    #[must_use]
    pub fn new(kind: &Kind) -> Option<Self> {
        match kind {
            Kind::Misc(_) | Kind::Bfd(_) | Kind::File(_) => None,
            Kind::Tcp(_)
            | Kind::Http(_)
            | Kind::Smtp(_)
            | Kind::Dns(_)
            | Kind::Udp(_)
            | Kind::Ping(_)
            | Kind::Grpc(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => Some(Self { kind: kind.clone() }),
        }
    }

    /// The check.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl Dialogue {
    /// A run that begins now.
    #[must_use]
    pub fn new(prepared: &Arc<Prepared>, run: &Run) -> Self {
        let mut dialogue = Self {
            state: State::Over { reusable: false },
            transmit: None,
            outcome: None,
            begun: false,
            timeout: run.timeout,
        };
        match &prepared.kind {
            Kind::Http(http) => {
                let (state, request) = http::Http1::new(http, run);
                dialogue.state = State::Http(Box::new(state));
                dialogue.transmit = Some(request);
            }
            // A connection is all that TCP_CHECK wants.
            Kind::Tcp(_) => dialogue.outcome = Some(Ok(Good::default())),
            Kind::Smtp(_)
            | Kind::Dns(_)
            | Kind::Udp(_)
            | Kind::Ping(_)
            | Kind::Misc(_)
            | Kind::Bfd(_)
            | Kind::File(_)
            | Kind::Grpc(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => {
                dialogue.outcome = Some(Err(Failure::Malformed("no dialogue")));
            }
        }
        dialogue
    }

    /// Bytes, or a datagram, for the server.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.take()
    }

    /// Bytes that arrived, in order. Under TLS: what they are without it.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.begun = true;
        let step = match &mut self.state {
            State::Over { .. } => return,
            State::Http(http) => http.bytes(bytes),
        };
        self.take(step);
    }

    /// A datagram that arrived.
    pub fn handle_datagram(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// The connection has ended.
    pub fn handle_end(&mut self, end: End) {
        let begun = self.begun;
        let step = match &mut self.state {
            State::Over { .. } => return,
            State::Http(http) => match end {
                End::Closed => http.end(),
                End::Truncated if http.strict_end() => Step::failed(Failure::Truncated),
                End::Truncated => http.end(),
                End::Reset => Step::failed(Failure::Connection("connection reset".into())),
            },
        };
        match step {
            Step::Wait | Step::Say(_) => self.take(Step::failed(Failure::Closed { begun })),
            Step::Done { .. } => self.take(step),
        }
    }

    /// The time is over.
    pub fn handle_silence(&mut self) {
        match &self.state {
            State::Over { .. } => {}
            State::Http(_) => {
                let failure = Failure::Silence { after: self.timeout, begun: self.begun };
                self.take(Step::failed(failure));
            }
        }
    }

    /// How it came out, once.
    pub fn poll_outcome(&mut self) -> Option<Result<Good, Failure>> {
        self.outcome.take()
    }

    /// Whether the connection is fit for another run, when this one is over.
    #[must_use]
    pub const fn may_reuse(&self) -> bool {
        matches!(self.state, State::Over { reusable: true })
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait => {}
            Step::Say(bytes) => self.transmit = Some(bytes),
            Step::Done { outcome, farewell, reusable } => {
                self.transmit = (!farewell.is_empty()).then_some(farewell);
                self.outcome = Some(outcome.map(|()| Good::default()));
                self.state = State::Over { reusable };
            }
        }
    }
}
