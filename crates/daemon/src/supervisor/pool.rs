//! The pool from outside: started, started again, told what it must know, and what it says.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    process::ExitStatus,
    time::Duration,
};

use standfast_balance::{CheckId, Event, Input, Verdict};
use standfast_bfd::{Event as Session, State};
use standfast_conf::Identity;
use standfast_failover::{BfdEvent, Event as Failover, InstanceEvent};
use standfast_health::Kind;
use standfast_kernel::{
    clock,
    process::{self, Output, Pid, ProcessGroup, Spawn, spawn},
};
use standfast_types::{Instant, ServiceName};
use standfast_vrrp::{Event as Election, StateName};

use super::{Stop, Supervisor, end, voice::DUMP};
use crate::{
    channel::Channel,
    commands::{Action, Commands},
    names::{Names, Report},
    pool::{CommandEnd, FromPool, Manner, Papers, RunId, Setup, ToPool},
    respawn::Respawn,
};

/// The hidden argument of the pool, whose standard input is its line to the supervisor.
pub const POOL_ARGUMENT: &str = "--pool";

/// Where authorities are that everybody believes, as distributions have them.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// How long the pool may take to remove what it has in the kernel.
const RELEASE_LIMIT: Duration = Duration::from_secs(30);

/// What the supervisor has of the pool.
#[derive(Debug, Default)]
pub(super) struct Office {
    pub(super) process: Pool,
    respawn: Respawn,
    pub(super) commands: Commands,
    pub(super) names: Names,
    known: Known,
    /// It has run, or failed: nobody waits for its start any more.
    settled: bool,
    ran: bool,
}

/// Where the pool is in its life.
#[derive(Debug, Default)]
pub(super) enum Pool {
    /// There are no virtual servers, or no checks are wanted.
    #[default]
    Unwanted,
    /// It runs.
    Running { pid: Pid, channel: Channel },
    /// It is asked to stop; it is ended by force then.
    Stopping { pid: Pid, channel: Channel, until: Instant },
    /// It died again and again; the next start is at this time.
    Waiting(Instant),
    /// It has ended.
    Gone,
}

/// What a pool must know that comes after another one.
#[derive(Debug, Default)]
struct Known {
    verdicts: BTreeMap<CheckId, Verdict>,
    services: BTreeMap<ServiceName, bool>,
}

impl Office {
    pub(super) fn channel(&self) -> Option<&Channel> {
        match &self.process {
            Pool::Running { channel, .. } | Pool::Stopping { channel, .. } => Some(channel),
            Pool::Unwanted | Pool::Waiting(_) | Pool::Gone => None,
        }
    }

    fn channel_mut(&mut self) -> Option<&mut Channel> {
        match &mut self.process {
            Pool::Running { channel, .. } | Pool::Stopping { channel, .. } => Some(channel),
            Pool::Unwanted | Pool::Waiting(_) | Pool::Gone => None,
        }
    }

    /// Whether this is its process.
    pub(super) fn is(&self, pid: Pid) -> bool {
        match &self.process {
            Pool::Running { pid: ours, .. } | Pool::Stopping { pid: ours, .. } => *ours == pid,
            Pool::Unwanted | Pool::Waiting(_) | Pool::Gone => false,
        }
    }

    /// Whether nothing keeps the supervisor from ending.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.process, Pool::Unwanted | Pool::Waiting(_) | Pool::Gone)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let process = match &self.process {
            Pool::Waiting(until) | Pool::Stopping { until, .. } => Some(*until),
            Pool::Unwanted | Pool::Running { .. } | Pool::Gone => None,
        };
        [process, self.commands.next_deadline()].into_iter().flatten().min()
    }
}

impl Supervisor {
    fn wants_pool(&self) -> bool {
        self.options.checks && !self.configuration.model.pool.balance.services.is_empty()
    }

    /// Whether it is to run and has not yet.
    pub(super) fn pool_is_starting(&self) -> bool {
        self.wants_pool() && !self.office.settled
    }

    /// Starts the pool when there is work for it.
    pub(super) fn start_pool(&mut self) {
        if !self.wants_pool() {
            self.office.process = Pool::Unwanted;
            return;
        }
        if let Err(error) = self.try_pool(false) {
            self.log.error(&format!("could not start the pool: {error}"));
            self.office.process = Pool::Waiting(clock::now() + Duration::from_secs(1));
        }
    }

    fn try_pool(&mut self, again: bool) -> anyhow::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut what = Spawn::new(["/proc/self/exe", POOL_ARGUMENT]);
        what.argv0 = Some(OsString::from(&self.options.name));
        what.group = ProcessGroup::Inherited;
        what.stderr = Output::Inherited;
        what.stdin = Some(theirs.into());
        let pid = spawn(what)?;
        let mut channel = Channel::new(ours)?;
        let papers = self.papers();
        let model = &self.configuration.model;
        let pool = &model.pool;
        let running = Manner {
            running: pool.running.clone(),
            realtime_priority: pool.realtime_priority,
            nice: pool.nice,
            no_swap: pool.no_swap,
            namespace: self.namespace_of_ipvs(),
            again,
        };
        let setup = Box::new(Setup::new(pool, &model.global.place, papers));
        let begin = ToPool::Begin { setup, running: Box::new(running), known: self.known() };
        // One that died already is seen by its exit.
        let _ = channel.send(&begin);
        self.office.process = Pool::Running { pid, channel };
        let path = &self.pid_files.pool;
        if let Err(error) = fs::write(path, format!("{pid}\n")) {
            self.log.detail(&format!("no pid file {}: {error}", path.display()));
        }
        Ok(())
    }

    /// `net_namespace_ipvs`, as a file.
    fn namespace_of_ipvs(&self) -> Option<String> {
        match self.configuration.model.pool.namespace.as_deref()? {
            // The one that we were started in, and may have left for `net_namespace`.
            "" => {
                let descriptor = self.origin.as_ref()?.as_fd().as_raw_fd();
                Some(format!("/proc/{}/fd/{descriptor}", process::getpid().as_raw_nonzero()))
            }
            name => Some(format!("/run/netns/{name}")),
        }
    }

    /// All that a pool must know when it begins.
    fn known(&self) -> Vec<Input> {
        let Known { verdicts, services } = &self.office.known;
        let files = self.files.values().into_iter().map(|(name, value)| Input::File(name, value));
        let bfd = self.board.sessions().into_iter().map(|(name, up)| Input::Bfd(name, up));
        let masters = self.board.masters().into_iter().map(|name| Input::Master(name, true));
        let names = self
            .office
            .names
            .all()
            .map(|(endpoint, resolved)| Input::Resolved(endpoint.clone(), resolved.to_vec()));
        let orders = self.control.orders().into_iter().map(Input::Order);
        let services = services.iter().map(|(name, up)| Input::Reported(name.clone(), *up));
        let verdicts = verdicts.iter().map(|(id, v)| Input::Checked(id.clone(), v.clone()));
        files
            .chain(bfd)
            .chain(masters)
            .chain(names)
            .chain(orders)
            .chain(services)
            .chain(verdicts)
            .collect()
    }

    /// What stands in the files of the `SSL` block.
    fn papers(&mut self) -> Papers {
        let pool = &self.configuration.model.pool;
        let Identity { ca, certificate, key, password: _ } = pool.identity.clone();
        let all = pool.balance.services.iter().flat_map(|service| &service.servers);
        let verify = all.flat_map(|server| server.checks.iter()).any(|check| match &check.kind {
            Kind::Http(http) => http.tls.as_ref().is_some_and(|tls| tls.verify),
            Kind::Grpc(grpc) => grpc.tls.as_ref().is_some_and(|tls| tls.verify),
            Kind::Tcp(_)
            | Kind::Smtp(_)
            | Kind::Dns(_)
            | Kind::Udp(_)
            | Kind::Ping(_)
            | Kind::Misc(_)
            | Kind::Bfd(_)
            | Kind::File(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => false,
        });
        let authorities = match ca {
            Some(path) => self.paper(&path),
            None if verify => AUTHORITIES.iter().find_map(|path| fs::read_to_string(path).ok()),
            None => None,
        };
        Papers {
            authorities: authorities.unwrap_or_default(),
            certificate: certificate.and_then(|path| self.paper(&path)),
            key: key.and_then(|path| self.paper(&path)),
        }
    }

    fn paper(&mut self, path: &str) -> Option<String> {
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.log.error(&format!("SSL: {path} can't be read: {error}"));
                None
            }
        }
    }

    pub(super) fn tell_pool(&mut self, message: &ToPool) {
        if let Some(channel) = self.office.channel_mut() {
            // A pool that is gone is seen by its exit.
            let _ = channel.send(message);
        }
    }

    /// Takes what the pool says.
    pub(super) fn receive_pool(&mut self) {
        let Some(channel) = self.office.channel_mut() else { return };
        let _ = channel.flush();
        let messages = match channel.receive::<FromPool>() {
            Ok(received) => received.messages,
            Err(error) => {
                self.log.error(&format!("the pool speaks nonsense: {error}"));
                return;
            }
        };
        for message in messages {
            self.handle_pool_message(message);
        }
    }

    fn handle_pool_message(&mut self, message: FromPool) {
        match message {
            FromPool::Running => {
                self.office.ran = true;
                self.office.settled = true;
                self.ready();
            }
            FromPool::Event(event) => self.handle_pool_event(&event),
            FromPool::Verdict(id, verdict) => drop(self.office.known.verdicts.insert(id, verdict)),
            FromPool::Run { run, command, limit } => self.run_check(run, &command, limit),
            FromPool::Resolve(endpoint) => {
                let answer = match self.office.names.follow(endpoint.clone()) {
                    Ok(resolved) => resolved.to_vec(),
                    Err(error) => {
                        self.log.error(&format!("{endpoint} can't be resolved: {error}"));
                        return;
                    }
                };
                if !answer.is_empty() {
                    self.tell_pool(&ToPool::Input(Input::Resolved(endpoint, answer)));
                }
            }
            FromPool::EndResolve(endpoint) => self.office.names.forget(&endpoint),
            FromPool::Done { id, result } => self.order_done(id, result),
            FromPool::Report { id: DUMP, services, probes, late } => {
                self.write_servers(&services, probes, late);
            }
            FromPool::Report { id, services, .. } => self.pools_reported(id, services),
            FromPool::Log(level, text) => self.log.line(level, &text),
            FromPool::Failed(reason) => self.log.error(&format!("no server is checked: {reason}")),
        }
    }

    /// Takes what is known of names.
    pub(super) fn receive_names(&mut self) {
        for report in self.office.names.reports() {
            match report {
                Report::Resolved(endpoint, resolved) => {
                    self.tell_pool(&ToPool::Input(Input::Resolved(endpoint, resolved)));
                }
                Report::Said(level, text) => self.log.line(level, &text),
            }
        }
    }

    fn handle_pool_event(&mut self, event: &Event) {
        if let Event::Quorum { service, up, .. } = event {
            self.office.known.services.insert(service.clone(), *up);
        }
        self.speak(event);
        self.tell_operators(event);
    }

    fn run_check(&mut self, run: RunId, command: &standfast_conf::Command, limit: Duration) {
        let end = if self.office.commands.is_running(run) {
            CommandEnd::Skipped
        } else {
            match self.spawn(command) {
                Ok(pid) => {
                    self.office.commands.started(clock::now(), run, pid, limit);
                    return;
                }
                Err(error) => CommandEnd::Failed(format!("can't run: {error}")),
            }
        };
        self.tell_pool(&ToPool::Ended { run, end });
    }

    /// A process ended; whether it was a check's.
    pub(super) fn check_ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let Some(run) = self.office.commands.ended(pid) else { return false };
        if let Some(run) = run {
            let end = match status.code().map(u8::try_from) {
                Some(Ok(code)) => CommandEnd::Code(code),
                Some(Err(_)) | None => CommandEnd::Failed(status.to_string()),
            };
            self.tell_pool(&ToPool::Ended { run, end });
        }
        true
    }

    /// What the pool must know of VRRP and BFD.
    pub(super) fn forward_to_pool(&mut self, event: &Failover) {
        let input = match event {
            Failover::Instance { name, kind } => match kind {
                InstanceEvent::Election { event: Election::Transition { to, .. }, .. } => {
                    Input::Master(name.clone(), *to == StateName::Master)
                }
                InstanceEvent::Election { event: Election::Adopted { .. }, .. } => {
                    Input::Master(name.clone(), true)
                }
                InstanceEvent::Deleted => Input::Master(name.clone(), false),
                InstanceEvent::Election { .. }
                | InstanceEvent::Priority { .. }
                | InstanceEvent::Faults(_)
                | InstanceEvent::AddressRestored { .. }
                | InstanceEvent::AddressRefused { .. }
                | InstanceEvent::AddressContested { .. }
                | InstanceEvent::AddressUncontested { .. }
                | InstanceEvent::AddressWithoutInterface { .. }
                | InstanceEvent::Routing(_)
                | InstanceEvent::LinkRestored { .. } => return,
            },
            Failover::Bfd(event) => match bfd_state(event) {
                Some(input) => input,
                None => return,
            },
            Failover::Group { .. }
            | Failover::Static(_)
            | Failover::Script { .. }
            | Failover::Process { .. }
            | Failover::File { .. }
            | Failover::UnknownVrid { .. } => return,
        };
        self.tell_pool(&ToPool::Input(input));
    }

    /// The pool's process has ended.
    pub(super) fn pool_ended(&mut self, status: ExitStatus) {
        // Its last words first.
        self.receive_pool();
        let now = clock::now();
        self.office.commands.forget(now);
        self.office.process = Pool::Gone;
        self.tell_operators_pool_gone();
        if self.stop != Stop::No {
            if !status.success() {
                self.log.warning(&format!("pool: {status}"));
            }
            self.bid_farewell(now);
            return;
        }
        if !self.wants_pool() {
            self.office.process = Pool::Unwanted;
            return;
        }
        if !self.options.respawn {
            self.log.error(&format!("pool: {status}; giving up"));
            self.ask_to_stop();
            return;
        }
        let ran = self.office.ran;
        let delay = self.office.respawn.delay(now).max(match ran {
            true => Duration::ZERO,
            false => Duration::from_secs(10),
        });
        if !ran {
            // VRRP goes on, and nobody need wait for what may never come.
            self.office.settled = true;
            self.ready();
        }
        if delay.is_zero() {
            self.log.warning(&format!("pool: {status}; started again"));
            self.start_pool_again(now);
        } else {
            let seconds = delay.as_secs();
            self.log.error(&format!("pool: {status}; started again in {seconds} s"));
            self.office.process = Pool::Waiting(now + delay);
        }
    }

    fn start_pool_again(&mut self, now: Instant) {
        if let Err(error) = self.try_pool(true) {
            self.log.error(&format!("could not start the pool: {error}"));
            self.office.process = Pool::Waiting(now + Duration::from_secs(1));
        }
    }

    /// What is due of the pool and its commands.
    pub(super) fn handle_pool_timers(&mut self, now: Instant) {
        match &self.office.process {
            Pool::Waiting(until) if *until <= now && self.stop == Stop::No => {
                self.start_pool_again(now);
            }
            Pool::Stopping { pid, until, .. } if *until <= now => {
                self.log.error("the pool does not end; ended by force");
                let _ = process::kill(*pid, process::signal::SIGKILL);
            }
            Pool::Waiting(_)
            | Pool::Stopping { .. }
            | Pool::Unwanted
            | Pool::Running { .. }
            | Pool::Gone => {}
        }
        for action in self.office.commands.due(now) {
            match action {
                Action::Signal(pid, overdue) => end(pid, overdue),
                Action::Late(run) => self.tell_pool(&ToPool::Ended { run, end: CommandEnd::Late }),
            }
        }
    }

    /// Asks the pool to take our services out of the kernel, once the addresses are gone.
    pub(super) fn release_pool(&mut self, now: Instant) {
        match std::mem::take(&mut self.office.process) {
            Pool::Running { pid, channel } => {
                let until = now + RELEASE_LIMIT;
                self.office.process = Pool::Stopping { pid, channel, until };
                // A reload that leaves no virtual server behind means it.
                let keep = self.options.keep_services && self.stop != Stop::No;
                self.tell_pool(if keep { &ToPool::Leave } else { &ToPool::Release });
            }
            other @ (Pool::Unwanted | Pool::Stopping { .. } | Pool::Waiting(_) | Pool::Gone) => {
                self.office.process = other
            }
        }
    }

    /// The pool follows a new configuration.
    pub(super) fn reload_pool(&mut self) {
        self.forget_checks();
        if !self.wants_pool() {
            self.release_pool(clock::now());
            return;
        }
        match &self.office.process {
            Pool::Running { .. } => {
                let papers = self.papers();
                let model = &self.configuration.model;
                let setup = Setup::new(&model.pool, &model.global.place, papers);
                let setup = Box::new(setup);
                self.tell_pool(&ToPool::Reload(setup));
            }
            // It is started again by its end.
            Pool::Stopping { .. } | Pool::Waiting(_) => {}
            Pool::Unwanted | Pool::Gone => self.start_pool(),
        }
    }

    /// Checks and names that are gone need not be known.
    fn forget_checks(&mut self) {
        let services = &self.configuration.model.pool.balance.services;
        let names: std::collections::BTreeSet<_> = services.iter().map(|one| &one.name).collect();
        let known = &mut self.office.known;
        known.verdicts.retain(|id, _| names.contains(&id.server.service));
        known.services.retain(|name, _| names.contains(name));
        let all = services.iter().flat_map(|service| &service.servers);
        let named: std::collections::BTreeSet<_> = all.map(|server| &server.endpoint).collect();
        self.office.names.retain(|endpoint| named.contains(endpoint));
    }
}

/// Whether a session went up or down.
fn bfd_state(event: &BfdEvent) -> Option<Input> {
    match event {
        BfdEvent::Session { name, event: Session::Transition { to, .. }, .. } => {
            Some(Input::Bfd(name.clone(), *to == State::Up))
        }
        BfdEvent::Unanswered { name, .. } | BfdEvent::Deleted { name } => {
            Some(Input::Bfd(name.clone(), false))
        }
        BfdEvent::Session { .. } | BfdEvent::Refused { .. } => None,
    }
}
