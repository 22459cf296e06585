//! The pool process: the balancing brain, the connections of its checks, and the kernel's table, in one thread
//! that never waits for anything but its sockets. It reads no file, starts no process and resolves no name.
//!
//! When the supervisor dies, it ends and leaves the table as it is: traffic goes on. Asked to stop, it takes its
//! own services out.

mod addresses;
mod line;
mod marker;
mod message;
mod once;
mod plane;
mod probes;
mod punctuality;
mod schedule;
mod table;
mod tls;

pub use once::run_once;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

use rustix::process::{Resource, getrlimit, setrlimit};
use standfast_balance::{Brain, CheckId, Input, Output, ServerId, Verdict};
use standfast_conf::{Buffer, FlushOnStop};
use standfast_kernel::{
    clock,
    namespace::NetNs,
    poll::Poll,
    process::{
        self, Realtime,
        signal::{self, SignalFd},
    },
};
use standfast_types::{InstanceName, Instant, ServiceKey, ServiceName, SyncRole};

use crate::{channel::Channel, message::Level, pulse::pace::Pace, signals};
use addresses::Addresses;
use marker::Marker;
pub(crate) use message::{CommandEnd, FromPool, Manner, Papers, RunId, Setup, ToPool};
use probes::{FIRST_TOKEN, News, Probes};
use table::Table;
use tls::Outfitter;

/// How long the pool waits for its first message.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How often connections of servers that are drained are counted.
const COUNT: Duration = Duration::from_secs(1);
/// The same trouble is said once in this time.
const TROUBLE: Duration = Duration::from_secs(60);
/// Descriptors that are left to all but checks.
const RESERVE: u64 = 64;
/// Connections at once, whatever the system allows: each may cost some 100 KB when servers are hostile.
const CONNECTIONS: u64 = 20_000;

const SUPERVISOR: u64 = 0;
const SIGNALS: u64 = 1;
const ADDRESSES: u64 = 2;

/// Runs the pool until it is told to stop, or until the supervisor is gone. The exit code.
///
/// # Errors
/// The supervisor never speaks, or the kernel breaks a promise.
pub fn run(name: &str) -> anyhow::Result<u8> {
    process::set_name(name)?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut channel = Channel::new(UnixStream::from(line))?;
    let mut poll = Poll::new()?;
    let messages = begin(&mut channel, &mut poll)?;
    match Pool::prepare(&mut channel, poll, messages) {
        Ok(mut pool) => pool.run(),
        Err(error) => {
            channel.send(&FromPool::Failed(format!("{error:#}")))?;
            Ok(4)
        }
    }
}

/// Waits for the supervisor's first message.
fn begin(channel: &mut Channel, poll: &mut Poll) -> anyhow::Result<Vec<ToPool>> {
    poll.registry().add(&*channel, SUPERVISOR)?;
    let until = clock::now() + BEGIN_TIMEOUT;
    loop {
        let received = channel.receive()?;
        if !received.messages.is_empty() {
            return Ok(received.messages);
        }
        let left = until.saturating_since(clock::now());
        anyhow::ensure!(!received.closed && !left.is_zero(), "the supervisor said nothing");
        // That it can be read is all that there is to know.
        drop(poll.wait(Some(left))?);
    }
}

struct Pool<'a> {
    brain: Brain,
    probes: Probes,
    table: Table,
    marker: Marker,
    /// What concerns balancing as a whole; the brain's part of it is with the brain.
    setup: Box<Setup>,
    keys: BTreeMap<ServiceName, Vec<ServiceKey>>,
    masters: BTreeSet<InstanceName>,
    channel: &'a mut Channel,
    poll: Poll,
    signals: SignalFd,
    addresses: Option<Addresses>,
    /// Verdicts of a pool before this one, until their checks begin.
    known: BTreeMap<CheckId, Verdict>,
    /// Servers whose connections are counted.
    counted: BTreeSet<ServerId>,
    count_at: Option<Instant>,
    /// Orders that are done as soon as the kernel has what follows from them.
    orders: Vec<u64>,
    /// What was said of trouble, and when.
    said: BTreeMap<String, Instant>,
    life: Life,
    /// The supervisor has no room for our messages now.
    wants_room: bool,
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The kernel is given what it does not have yet.
    Begins,
    Goes,
    /// Asked to stop: our services go.
    Stops,
    /// The supervisor is gone, or wants the kernel to go on without us.
    Orphaned,
}

impl<'a> Pool<'a> {
    fn prepare(
        channel: &'a mut Channel,
        poll: Poll,
        messages: Vec<ToPool>,
    ) -> anyhow::Result<Self> {
        let mut messages = messages.into_iter();
        let Some(ToPool::Begin { mut setup, running, known }) = messages.next() else {
            anyhow::bail!("the supervisor did not begin with a configuration");
        };
        let mut complaints = settle(&running);
        let signals = signals::open()?;
        poll.registry().add(&signals, SIGNALS)?;
        let mut plane = match &running.namespace {
            Some(path) => {
                NetNs::at(Path::new(path))?.run(|| plane::open(setup.plane, &setup.table))?
            }
            None => plane::open(setup.plane, &setup.table),
        }
        .map_err(anyhow::Error::msg)?;
        let Buffer { bytes, force } = running.running.command_buffer;
        if let Some(bytes) = bytes.and_then(|bytes| usize::try_from(bytes).ok())
            && let Err(error) = plane.widen(bytes, force)
        {
            complaints.push(error.to_string());
        }
        if setup.flush && !running.again {
            plane.flush()?;
        }
        let outfitter = Outfitter::new(std::mem::take(&mut setup.papers));
        let seed = clock::seed()?;
        let probes = Probes::new(poll.registry(), outfitter, seed, connections());
        let now = clock::now();
        let balance = std::mem::take(&mut setup.balance);
        let keys = balance.services.iter().map(|one| (one.name.clone(), one.keys.clone()));
        let mut pool = Self {
            keys: keys.collect(),
            addresses: None,
            brain: Brain::new(balance, now),
            probes,
            table: Table::new(plane),
            marker: Marker::new(running.namespace.clone()),
            setup,
            masters: BTreeSet::new(),
            channel,
            poll,
            signals,
            known: BTreeMap::new(),
            counted: BTreeSet::new(),
            count_at: None,
            orders: Vec::new(),
            said: BTreeMap::new(),
            life: Life::Begins,
            wants_room: false,
        };
        for text in complaints {
            pool.tell(&FromPool::Log(Level::Warning, text));
        }
        pool.follow_addresses(running.running.monitor_buffer)?;
        for input in known {
            pool.learn(&input);
            if let Input::Checked(id, verdict) = &input {
                pool.known.insert(id.clone(), verdict.clone());
            }
            pool.input(input);
        }
        let kernel = pool.table.plane.read()?;
        pool.brain.start(clock::now(), &kernel);
        pool.drain();
        // Marks come before the services that take what is marked.
        pool.settle_plane();
        let text = format!(
            "{} services, {} probes, {}",
            pool.keys.len(),
            pool.probes.count(),
            pool.table.plane.name()
        );
        pool.tell(&FromPool::Log(Level::Info, text));
        for message in messages {
            pool.handle_message(message);
        }
        Ok(pool)
    }

    fn run(&mut self) -> anyhow::Result<u8> {
        loop {
            self.wait()?;
            let now = clock::now();
            self.probes.handle_timeout(now);
            self.listen(now);
            self.brain.handle_timeout(now);
            self.drain();
            self.count(now);
            self.work();
            match self.life {
                Life::Orphaned => return Ok(0),
                Life::Stops if self.table.is_settled() => break,
                Life::Begins if self.table.is_settled() => {
                    self.life = Life::Goes;
                    self.tell(&FromPool::Running);
                }
                Life::Begins | Life::Goes | Life::Stops => {}
            }
            self.flush()?;
        }
        self.clean();
        // Bounded by the supervisor's patience, not ours: whatever it can't take is lost.
        let _ = self.channel.flush();
        Ok(0)
    }

    /// Waits until something has arrived, or is due, and takes what has arrived.
    fn wait(&mut self) -> anyhow::Result<()> {
        let deadlines = [
            self.probes.next_deadline(),
            self.brain.next_deadline(),
            Some(self.table.next_deadline()),
            self.count_at,
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let limit = deadline.map(|deadline| deadline.saturating_since(clock::now()));
        let (mut supervisor, mut signals, mut addresses) = (false, false, false);
        let ready = self.poll.wait_ready(limit)?;
        let now = clock::now();
        for ready in ready {
            match ready.token {
                SUPERVISOR => supervisor = true,
                SIGNALS => signals = true,
                ADDRESSES => addresses = true,
                token if token >= FIRST_TOKEN => self.probes.handle_ready(now, ready),
                _ => {}
            }
        }
        if signals {
            self.receive_signals();
        }
        if supervisor {
            self.receive_messages()?;
        }
        if addresses {
            self.receive_addresses()?;
        }
        Ok(())
    }

    fn receive_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            // `killall keepalived` reaches us as well as the supervisor, which tells us when it is our turn:
            // services stay until the addresses are gone.
            if signal == signal::SIGXCPU {
                let text = "computed for longer than checker_rlimit_rttime without a pause";
                self.tell(&FromPool::Log(Level::Warning, text.to_owned()));
            }
        }
    }

    fn receive_messages(&mut self) -> anyhow::Result<()> {
        let received = self.channel.receive()?;
        for message in received.messages {
            self.handle_message(message);
        }
        if received.closed {
            self.life = Life::Orphaned;
        }
        Ok(())
    }

    fn handle_message(&mut self, message: ToPool) {
        match message {
            ToPool::Begin { .. } => {}
            // Whoever comes after us gets it.
            ToPool::Reload(_) if self.life == Life::Stops => {}
            ToPool::Reload(setup) => self.reload(setup),
            ToPool::Input(input) => {
                let role = self.learn(&input);
                self.input(input);
                if role {
                    self.synchronize();
                }
            }
            ToPool::Order { id, order } => {
                self.orders.push(id);
                self.input(Input::Order(order));
            }
            ToPool::Ended { run, end } => self.probes.handle_command(clock::now(), run, end),
            ToPool::Report { id } => {
                let services = self.brain.snapshot();
                let (_, late) = self.probes.punctuality.summary();
                let probes = self.probes.count();
                self.tell(&FromPool::Report { id, services, probes, late });
            }
            ToPool::Leave => self.life = Life::Orphaned,
            ToPool::Release => {
                self.life = Life::Stops;
                self.brain.stop(clock::now());
                self.drain();
            }
        }
    }

    fn reload(&mut self, mut setup: Box<Setup>) {
        let papers = std::mem::take(&mut setup.papers);
        self.probes.outfit(papers);
        let balance = std::mem::take(&mut setup.balance);
        let keys = balance.services.iter().map(|one| (one.name.clone(), one.keys.clone()));
        self.keys = keys.collect();
        let plane = self.setup.plane;
        self.setup = setup;
        if self.setup.plane != plane {
            let text = "what balances changes with a restart only";
            self.tell(&FromPool::Log(Level::Warning, text.to_owned()));
            self.setup.plane = plane;
        }
        self.brain.reconfigure(clock::now(), balance);
        self.drain();
        self.settle_plane();
    }

    /// Notes what an input means beside the brain; whether an instance's role has changed.
    fn learn(&mut self, input: &Input) -> bool {
        match input {
            Input::Master(name, true) => self.masters.insert(name.clone()),
            Input::Master(name, false) => self.masters.remove(name),
            Input::Checked(..)
            | Input::File(..)
            | Input::Bfd(..)
            | Input::Resolved(..)
            | Input::Address(..)
            | Input::Order(_)
            | Input::Connections(..)
            | Input::Refused(..)
            | Input::Reported(..) => false,
        }
    }

    fn input(&mut self, input: Input) {
        self.brain.handle_input(clock::now(), input);
        self.drain();
    }

    /// Takes what probes have found out.
    fn listen(&mut self, now: Instant) {
        while let Some(news) = self.probes.poll_news() {
            match news {
                News::Verdict(id, verdict) => {
                    self.tell(&FromPool::Verdict(id.clone(), verdict.clone()));
                    self.brain.handle_input(now, Input::Checked(id, verdict));
                    self.drain();
                }
                News::Failed(id, text) => {
                    let text = format!("{}: a check failed: {text}", id.server);
                    self.tell(&FromPool::Log(Level::Info, text));
                }
                News::Short(text) => self.say_once(now, text),
                News::Run(run, command, limit) => {
                    self.tell(&FromPool::Run { run, command, limit });
                }
            }
        }
    }

    fn say_once(&mut self, now: Instant, text: String) {
        self.said.retain(|_, at| now.saturating_since(*at) < TROUBLE);
        if !self.said.contains_key(&text) {
            self.tell(&FromPool::Log(Level::Warning, text.clone()));
            self.said.insert(text, now);
        }
    }

    /// Does what the brain wants.
    fn drain(&mut self) {
        while let Some(output) = self.brain.poll_output() {
            match output {
                Output::Change(change) => self.table.push(change),
                Output::Probe(id, check) => {
                    let known = self.known.remove(&id);
                    self.probes.begin(clock::now(), id, check, known.as_ref());
                }
                Output::EndProbe(id) => self.probes.end(&id),
                Output::Resolve(endpoint) => self.tell(&FromPool::Resolve(endpoint)),
                Output::EndResolve(endpoint) => self.tell(&FromPool::EndResolve(endpoint)),
                Output::CountConnections(server) => {
                    self.counted.insert(server);
                    self.count_at.get_or_insert(Instant::ZERO);
                }
                Output::EndCount(server) => drop(self.counted.remove(&server)),
                Output::Verify => self.table.verify(),
                Output::Event(event) => self.tell(&FromPool::Event(event)),
            }
        }
    }

    /// Makes changes in the kernel, and looks whether it has what it should have.
    fn work(&mut self) {
        for refusal in self.table.work() {
            self.input(refusal);
        }
        if self.table.is_settled() {
            let refusal = self.table.take_refusal();
            for id in std::mem::take(&mut self.orders) {
                let result = refusal.clone().map_or(Ok(()), Err);
                self.tell(&FromPool::Done { id, result });
            }
        }
        match self.table.read() {
            None => {}
            Some(Ok(table)) => {
                self.brain.verify(clock::now(), &table);
                self.drain();
            }
            Some(Err(error)) => self.say_once(clock::now(), format!("failed to {error}")),
        }
    }

    fn count(&mut self, now: Instant) {
        if self.count_at.is_none_or(|at| at > now) || !self.table.is_settled() {
            return;
        }
        for server in self.counted.clone() {
            let keys = self.keys.get(&server.service).map_or(&[][..], Vec::as_slice);
            let plane = &mut self.table.plane;
            // A service that is gone has none.
            let of = |key| plane.connections(key, &server.key).unwrap_or(0);
            let sum = keys.iter().map(of).fold(0, u32::saturating_add);
            self.input(Input::Connections(server, sum));
        }
        self.count_at = (!self.counted.is_empty()).then_some(now + COUNT);
    }

    /// Sets what concerns the plane as a whole.
    fn settle_plane(&mut self) {
        match self.table.plane.set_timeouts(&self.setup.timeouts) {
            Ok(true) => {}
            Ok(false) => {
                let text = "lvs_timeouts are for IPVS; here the settings of conntrack hold";
                self.say_once(clock::now(), text.to_owned());
            }
            Err(error) => self.say_once(clock::now(), format!("failed to {error}")),
        }
        if let Err(error) = self.marker.set(self.setup.marks.as_ref()) {
            self.say_once(clock::now(), format!("failed to {error}"));
        }
        self.synchronize();
    }

    /// Copies connections in the role that we have.
    fn synchronize(&mut self) {
        let Some(sync) = &self.setup.sync else { return };
        let master = sync.instance.as_ref().map(|name| self.masters.contains(name));
        for role in [SyncRole::Master, SyncRole::Backup] {
            // Without an instance it is both.
            let wanted = master.is_none_or(|master| master == (role == SyncRole::Master));
            let daemon = wanted.then_some(&sync.daemon);
            match self.table.plane.copy(role, daemon) {
                Ok(true) => {}
                Ok(false) => {
                    let text = "lvs_sync_daemon is for IPVS: no connections are copied";
                    return self.say_once(clock::now(), text.to_owned());
                }
                Err(error) => {
                    return self.say_once(clock::now(), format!("failed to {error}"));
                }
            }
        }
    }

    /// What is left when our services are gone.
    fn clean(&mut self) {
        let (count, late) = self.probes.punctuality.summary();
        let text = format!("{count} checks were made; 99 of 100 began within {late:?}");
        self.tell(&FromPool::Log(Level::Detail, text));
        if self.setup.sync.is_some() {
            for role in [SyncRole::Master, SyncRole::Backup] {
                // It ends with us; there is nobody to try again.
                let _ = self.table.plane.copy(role, None);
            }
        }
        if let Err(error) = self.marker.set(None) {
            self.tell(&FromPool::Log(Level::Warning, format!("failed to {error}")));
        }
        let plane = &mut self.table.plane;
        let cleaned = match self.setup.flush_on_stop {
            FlushOnStop::All => plane.flush(),
            FlushOnStop::No | FlushOnStop::Ours => plane.close(),
        };
        if let Err(error) = cleaned {
            self.tell(&FromPool::Log(Level::Warning, format!("failed to {error}")));
        }
    }

    fn follow_addresses(&mut self, room: Buffer) -> anyhow::Result<()> {
        let (addresses, inputs) = Addresses::open()?;
        if let Some(bytes) = room.bytes.and_then(|bytes| usize::try_from(bytes).ok())
            && let Err(error) = addresses.monitor.widen(bytes, room.force)
        {
            self.tell(&FromPool::Log(Level::Warning, format!("failed to {error}")));
        }
        self.poll.registry().add(&addresses.monitor, ADDRESSES)?;
        self.addresses = Some(addresses);
        for input in inputs {
            self.input(input);
        }
        Ok(())
    }

    fn receive_addresses(&mut self) -> anyhow::Result<()> {
        let changes = self.addresses.as_mut().map(Addresses::changes).transpose()?;
        for input in changes.unwrap_or_default() {
            self.input(input);
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // A supervisor that is gone is noticed by reading.
        let _ = self.channel.flush();
        let wants_room = self.channel.has_backlog();
        if wants_room != self.wants_room {
            self.poll.registry().want_room(&*self.channel, SUPERVISOR, wants_room)?;
            self.wants_room = wants_room;
        }
        Ok(())
    }

    fn tell(&mut self, message: &FromPool) {
        // A supervisor that is gone or stuck is noticed elsewhere; the balancing goes on.
        let _ = self.channel.keep(message);
    }
}

/// Runs as the file wants it. What was refused, in words.
fn settle(running: &Manner) -> Vec<String> {
    let (_, mut refused) = Pace::take(&running.running, running.realtime_priority);
    let realtime = running
        .realtime_priority
        .map(|priority| process::set_realtime(Realtime::RoundRobin, priority));
    let results =
        [realtime, running.nice.map(process::set_nice), running.no_swap.then(process::lock_memory)];
    let errors = results.into_iter().flatten().filter_map(Result::err);
    refused.extend(errors.map(|error| format!("checks run at ordinary priority: {error}")));
    refused
}

/// How many connections may be open at once; as many descriptors as we can get are taken for them.
fn connections() -> usize {
    let mut descriptors = getrlimit(Resource::Nofile);
    descriptors.current = descriptors.maximum;
    let _ = setrlimit(Resource::Nofile, descriptors);
    let all = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(all.saturating_sub(RESERVE).clamp(1, CONNECTIONS)).unwrap_or(1)
}
