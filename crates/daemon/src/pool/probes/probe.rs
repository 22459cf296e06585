//! One probe, from run to run.

use std::{io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use rustix::io::Errno;
use standfast_balance::{CheckId, Verdict};
use standfast_conf::Command;
use standfast_health::{Check, Dialogue, Failure, Good, Kind, Prepared, Prober, Run};
use standfast_kernel::{
    poll::{Ready, Registry},
    probe_socket::{self, Origin, Transport},
};
use standfast_types::Instant;

use super::super::{
    line::{Carries, Connection, Line, Progress},
    message::CommandEnd,
    tls::Outfit,
};

/// A connection is kept for further runs for so long: a server that takes no new ones must not seem good
/// for ever.
const KEEP: Duration = Duration::from_secs(10);

/// One probe.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) check: Arc<Check>,
    pub(super) prepared: Option<Arc<Prepared>>,
    pub(super) target: Option<SocketAddr>,
    pub(super) prober: Prober,
    /// The checks that it speaks for.
    pub(super) checks: Vec<CheckId>,
    pub(super) verdict: Option<Verdict>,
    /// Tells it from others that have or had its slot.
    pub(super) generation: u32,
    /// TLS of its connections, or why there is none; `None` until it is needed.
    pub(super) tls: Option<Result<Outfit, Arc<str>>>,
    pub(super) activity: Activity,
    /// While a connection is being opened or a dialogue is on: when its time is over.
    pub(super) deadline: Instant,
}

/// What a probe does at the moment.
#[derive(Debug)]
pub(super) enum Activity {
    /// It waits for its next run.
    Idle,
    /// As above, with a connection that an earlier run has left.
    Kept(Connection),
    /// A connection is being opened.
    Opens(OwnedFd),
    /// A dialogue is on.
    Talks(Box<Line>),
    /// A command runs.
    Runs,
}

impl Activity {
    /// Whether it holds a descriptor.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Kept(_) | Self::Opens(..) | Self::Talks(..))
    }

    /// Whether a connection is being opened or a dialogue is on.
    pub(super) const fn is_timed(&self) -> bool {
        matches!(self, Self::Opens(..) | Self::Talks(..))
    }

    /// Whether a run is on.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Opens(..) | Self::Talks(..) | Self::Runs)
    }
}

/// What follows.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing.
    None,
    /// There may be more to read.
    Unread,
    /// This command is to run.
    Run(Command, Duration),
    /// This machine lacks something.
    Short(io::Error),
    /// The connection that was kept is of no use; the run begins again.
    Restart,
    /// The run is over.
    Over(Result<Good, Failure>),
}

/// What a probe works with.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    /// Room for what arrives.
    pub(super) room: &'a mut [u8],
    /// For what nobody else should guess.
    pub(super) random: u64,
}

impl Probe {
    /// A run begins.
    pub(super) fn start(
        &mut self,
        with: &mut Surroundings<'_>,
        registry: &Registry,
        token: u64,
    ) -> Step {
        let timeout = self.check.timing.timeout;
        let Some(target) = self.target else {
            let Kind::Misc(misc) = &self.check.kind else { return Step::None };
            self.activity = Activity::Runs;
            return Step::Run(misc.command.clone(), timeout);
        };
        if let Some(Err(reason)) = &self.tls {
            return Step::Over(Err(Failure::Connection(Arc::clone(reason))));
        }
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Kept(connection) if connection.since + KEEP > with.now => {
                return self.talk(with, connection, true);
            }
            Activity::Kept(_)
            | Activity::Idle
            | Activity::Opens(..)
            | Activity::Talks(..)
            | Activity::Runs => {}
        }
        let socket = match self.open(target) {
            Ok(socket) => socket,
            Err(error) if self.is_our_fault(&error) => return Step::Short(error),
            Err(error) => return Step::Over(Err(Failure::from(&error))),
        };
        if let Err(error) = registry.add_edges(&socket, token) {
            return Step::Short(error.source);
        }
        self.activity = Activity::Opens(socket);
        self.deadline = with.now + timeout;
        Step::None
    }

    fn open(&self, target: SocketAddr) -> io::Result<OwnedFd> {
        let Some(origin) = self.check.kind.target() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let origin = Origin {
            address: origin.source,
            port: origin.source_port,
            interface: origin.interface.as_ref().map(|name| name.as_str()),
            mark: origin.mark,
        };
        let transport = self.transport();
        match probe_socket::open(transport, target, &origin) {
            // The group of whoever may ping by such a socket is often empty.
            Err(error)
                if transport == Transport::Ping
                    && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                probe_socket::open(Transport::RawPing, target, &origin)
            }
            opened => opened,
        }
    }

    /// Whether this machine is to blame for what the kernel refuses, not the server.
    fn is_our_fault(&self, error: &io::Error) -> bool {
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN) => true,
            // All ports are taken; but an address that is bound to may be that of another machine.
            Some(Errno::ADDRNOTAVAIL) => {
                self.check.kind.target().is_some_and(|target| target.source.is_none())
            }
            Some(_) | None => false,
        }
    }

    fn transport(&self) -> Transport {
        match &self.check.kind {
            Kind::Udp(_) | Kind::Dns(_) => Transport::Udp,
            Kind::Ping(_) => Transport::Ping,
            Kind::Tcp(_) => Transport::Knock,
            Kind::Http(_)
            | Kind::Smtp(_)
            | Kind::Misc(_)
            | Kind::Bfd(_)
            | Kind::File(_)
            | Kind::Grpc(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => Transport::Tcp,
        }
    }

    /// Its descriptor is ready.
    pub(super) fn handle_ready(&mut self, with: &mut Surroundings<'_>, ready: Ready) -> Step {
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Opens(socket) => self.opened(with, socket, ready),
            Activity::Talks(mut line) => {
                line.ended |= ready.ended || ready.failed;
                self.activity = Activity::Talks(line);
                self.go_on(with)
            }
            // The server has closed what was kept, or says something that nobody asked for.
            Activity::Kept(connection) if !ready.readable && !ready.ended && !ready.failed => {
                self.activity = Activity::Kept(connection);
                Step::None
            }
            Activity::Kept(_) | Activity::Idle => Step::None,
            Activity::Runs => {
                self.activity = Activity::Runs;
                Step::None
            }
        }
    }

    fn opened(&mut self, with: &mut Surroundings<'_>, socket: OwnedFd, ready: Ready) -> Step {
        if ready.failed
            && let Some(error) = probe_socket::failure(&socket)
        {
            return Step::Over(Err(Failure::from(&error)));
        }
        if !ready.writable {
            self.activity = Activity::Opens(socket);
            return Step::None;
        }
        if self.prepared.is_none() {
            probe_socket::abort(socket);
            return Step::Over(Ok(Good::default()));
        }
        let tls = match self.tls.as_ref().map(|tls| tls.as_ref().map(Outfit::connect)) {
            None | Some(Err(_)) => None,
            Some(Ok(Ok(tls))) => Some(Box::new(tls)),
            Some(Ok(Err(failure))) => return Step::Over(Err(failure)),
        };
        let connection = Connection { socket, tls, since: with.now };
        self.talk(with, connection, false)
    }

    fn talk(&mut self, with: &mut Surroundings<'_>, connection: Connection, used: bool) -> Step {
        let (Some(prepared), Some(server)) = (&self.prepared, self.target) else {
            return Step::None;
        };
        let timeout = self.check.timing.timeout;
        let (page, random) = (self.prober.page(), with.random);
        let run = Run { server, page, random, keep: true, timeout };
        let dialogue = Dialogue::new(prepared, &run);
        let carries = match self.transport() {
            Transport::Tcp | Transport::Knock => Carries::Bytes,
            Transport::Udp => Carries::Datagrams,
            Transport::Ping | Transport::RawPing => Carries::Echoes,
        };
        let line = Line::new(connection, dialogue, carries, used);
        self.activity = Activity::Talks(Box::new(line));
        // The limit is one for the connection, and another for the answer.
        self.deadline = with.now + timeout;
        self.go_on(with)
    }

    /// Goes on with the dialogue.
    pub(super) fn go_on(&mut self, with: &mut Surroundings<'_>) -> Step {
        let Activity::Talks(line) = &mut self.activity else { return Step::None };
        match line.go_on(with.room) {
            Progress::Waits => Step::None,
            Progress::More => Step::Unread,
            // The server had closed what was kept, and it was not known yet.
            Progress::Over(Err(_)) if line.used && !line.heard => {
                self.activity = Activity::Idle;
                Step::Restart
            }
            Progress::Over(result) => self.over(result),
        }
    }

    /// The time is over.
    pub(super) fn handle_silence(&mut self) -> Step {
        match &mut self.activity {
            Activity::Talks(line) => {
                line.dialogue.handle_silence();
                let after = self.check.timing.timeout;
                let begun = line.heard;
                let silence = Failure::Silence { after, begun };
                let result = line.dialogue.poll_outcome().unwrap_or(Err(silence));
                self.over(result)
            }
            Activity::Opens(..) => {
                self.activity = Activity::Idle;
                let silence = Failure::Silence { after: self.check.timing.timeout, begun: false };
                Step::Over(Err(silence))
            }
            Activity::Idle | Activity::Kept(_) | Activity::Runs => Step::None,
        }
    }

    fn over(&mut self, result: Result<Good, Failure>) -> Step {
        if let Activity::Talks(line) = std::mem::replace(&mut self.activity, Activity::Idle) {
            let kept = result.is_ok() && line.dialogue.may_reuse();
            let connection = line.part(kept);
            if kept {
                self.activity = Activity::Kept(connection);
            }
        }
        Step::Over(result)
    }

    /// Its command has ended.
    pub(super) fn handle_command(&mut self, end: CommandEnd) -> Step {
        if !matches!(self.activity, Activity::Runs) {
            return Step::None;
        }
        self.activity = Activity::Idle;
        let dynamic = matches!(&self.check.kind, Kind::Misc(misc) if misc.dynamic);
        let limit = self.check.timing.timeout;
        Step::Over(match end {
            CommandEnd::Code(0) => Ok(Good::default()),
            CommandEnd::Code(code @ 2..) if dynamic => {
                Ok(Good { weight: Some(u32::from(code) - 2) })
            }
            CommandEnd::Code(code) => Err(Failure::Command(format!("exit code {code}").into())),
            CommandEnd::Late => Err(Failure::Silence { after: limit, begun: false }),
            CommandEnd::Skipped => Err(Failure::Command("the run before still goes on".into())),
            CommandEnd::Failed(reason) => Err(Failure::Command(reason.into())),
        })
    }
}
