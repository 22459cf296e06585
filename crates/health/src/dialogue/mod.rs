//! One run of a check, as bytes in and bytes out.

mod dns;
mod echo;
mod frames;
mod http;
mod http2;
mod lines;
mod mysql;
mod postgres;
mod redis;
#[cfg(test)]
mod script;
mod smtp;
mod udp;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use standfast_types::Family;

use crate::{Compiled, End, Failure, Good, HttpProtocol, Kind, Pattern, PatternError};

/// What all runs of a check have in common, made once: its words and its compiled patterns.
#[derive(Debug)]
pub struct Prepared {
    kind: Kind,
    /// Of each page.
    patterns: Vec<Option<Result<Arc<Compiled>, PatternError>>>,
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
    On(Box<dyn Talk>),
    /// All is said.
    Over {
        reusable: bool,
    },
}

/// The client's side of one protocol.
trait Talk: fmt::Debug + Send {
    /// Bytes, or one datagram.
    fn bytes(&mut self, bytes: &[u8]) -> Step;

    /// The connection has ended; what is not over then has failed.
    fn end(&mut self) -> Step {
        Step::Wait
    }

    /// The time is over; what is not over then has failed.
    fn silence(&mut self) -> Step {
        Step::Wait
    }

    /// Whether TLS that ends without saying so is a failure.
    fn strict_end(&self) -> bool {
        false
    }
}

/// What a dialogue does next.
#[derive(Debug)]
enum Step {
    /// It waits for more.
    Wait,
    /// It says something, and waits.
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
    const fn good() -> Self {
        Self::Done { outcome: Ok(()), farewell: Vec::new(), reusable: false }
    }

    const fn failed(failure: Failure) -> Self {
        Self::Done { outcome: Err(failure), farewell: Vec::new(), reusable: false }
    }

    /// Says this behind what it says already.
    fn and_say(self, more: Vec<u8>) -> Self {
        match self {
            Self::Wait => Self::Say(more),
            Self::Say(said) => Self::Say([said, more].concat()),
            over @ Self::Done { .. } => over,
        }
    }
}

impl Prepared {
    /// `None` for a check that is no dialogue: `MISC_CHECK`, `BFD_CHECK`, `FILE_CHECK`.
    #[must_use]
    pub fn new(kind: &Kind) -> Option<Self> {
        let pages = match kind {
            Kind::Misc(_) | Kind::Bfd(_) | Kind::File(_) => return None,
            Kind::Http(http) => &http.urls[..],
            Kind::Tcp(_)
            | Kind::Smtp(_)
            | Kind::Dns(_)
            | Kind::Udp(_)
            | Kind::Ping(_)
            | Kind::Grpc(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => &[],
        };
        let compile = |pattern: &Pattern| pattern.compile().map(Arc::new);
        let patterns = pages.iter().map(|url| url.pattern.as_ref().map(compile)).collect();
        Some(Self { kind: kind.clone(), patterns })
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
        let (state, transmit, outcome) = match begin(prepared, run) {
            Begin::On(talk, first) => (State::On(talk), first, None),
            Begin::Over(outcome) => (State::Over { reusable: false }, None, Some(outcome)),
        };
        let outcome = outcome.map(|outcome| outcome.map(|()| Good::default()));
        Self { state, transmit, outcome, begun: false, timeout: run.timeout }
    }

    /// Bytes, or a datagram, for the server.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.take()
    }

    /// Bytes that arrived, in order. Under TLS: what they are without it.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.handle_datagram(bytes);
        }
    }

    /// A datagram that arrived.
    pub fn handle_datagram(&mut self, bytes: &[u8]) {
        if let State::On(talk) = &mut self.state {
            self.begun = true;
            let step = talk.bytes(bytes);
            self.take(step);
        }
    }

    /// The connection has ended.
    pub fn handle_end(&mut self, end: End) {
        let State::On(talk) = &mut self.state else { return };
        let step = match end {
            End::Truncated if talk.strict_end() => Step::failed(Failure::Truncated),
            End::Closed | End::Truncated => talk.end(),
            End::Reset => Step::failed(Failure::Connection("connection reset".into())),
        };
        self.take_or(step, Failure::Closed { begun: self.begun });
    }

    /// The time is over.
    pub fn handle_silence(&mut self) {
        let State::On(talk) = &mut self.state else { return };
        let step = talk.silence();
        self.take_or(step, Failure::Silence { after: self.timeout, begun: self.begun });
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

    fn take_or(&mut self, step: Step, failure: Failure) {
        match step {
            Step::Wait | Step::Say(_) => self.take(Step::failed(failure)),
            over @ Step::Done { .. } => self.take(over),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait => {}
            Step::Say(bytes) => {
                self.transmit.get_or_insert_default().extend(bytes);
            }
            Step::Done { outcome, farewell, reusable } => {
                self.transmit = (!farewell.is_empty()).then_some(farewell);
                self.outcome = Some(outcome.map(|()| Good::default()));
                self.state = State::Over { reusable };
            }
        }
    }
}

/// How a dialogue begins.
enum Begin {
    /// It says this first, or waits.
    On(Box<dyn Talk>, Option<Vec<u8>>),
    /// That there is a connection says all.
    Over(Result<(), Failure>),
}

fn begin(prepared: &Arc<Prepared>, run: &Run) -> Begin {
    fn on<T: Talk + 'static>((talk, first): (T, Vec<u8>)) -> Begin {
        Begin::On(Box::new(talk), Some(first))
    }
    match &prepared.kind {
        Kind::Http(http) => {
            let pattern = prepared.patterns.get(run.page).or(prepared.patterns.first());
            match pattern.cloned().flatten().transpose() {
                Ok(pattern) => match http.urls.get(run.page).or(http.urls.first()) {
                    Some(url) if http.protocol == HttpProtocol::Http2 => {
                        on(http2::Http2::new(http2::Page::new(http, url, pattern, run.server)))
                    }
                    Some(url) => on(http::Http1::new(http.protocol, url, pattern, run)),
                    None => Begin::Over(Ok(())),
                },
                // Configurations have only patterns that compile.
                Err(error) => Begin::Over(Err(Failure::said(error.to_string(), b""))),
            }
        }
        Kind::Smtp(smtp) => Begin::On(Box::new(smtp::Mail::new(smtp)), None),
        Kind::Dns(dns) => on(dns::Query::new(dns, run.random)),
        Kind::Udp(udp) => on((udp::Datagram::new(udp), udp.payload.clone())),
        Kind::Ping(_) => on(echo::Echo::new(Family::of(run.server.ip()), run.random)),
        Kind::Grpc(grpc) => on(http2::Http2::new(http2::Grpc::new(grpc, run.server))),
        Kind::Redis(redis) => on(redis::Resp::new(redis)),
        Kind::Mysql(mysql) => Begin::On(Box::new(mysql::Login::new(mysql)), None),
        Kind::Postgres(postgres) => on(postgres::Startup::new(postgres)),
        Kind::Tcp(_) | Kind::Misc(_) | Kind::Bfd(_) | Kind::File(_) => Begin::Over(Ok(())),
    }
}
