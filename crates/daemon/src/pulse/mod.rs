//! Pulse: the failover brain, the VRRP sockets and netlink, in one thread that never waits for anything but
//! its sockets and its timer. It reads no file, starts no process and writes no log.

mod agenda;
mod bfd;
mod lateness;
pub(crate) mod pace;
mod routing;
mod secondaries;
mod source;
mod vmac;
mod world;

use std::{
    collections::BTreeSet,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    time::Duration,
};

use rustix::{
    process::{Resource, getrlimit, setrlimit},
    thread::CapabilitySet,
};
use standfast_failover::{BfdInput, Brain, Input, Output, OwnLinkKind, ProcessInput};
use standfast_kernel::{
    clock,
    poll::Poll,
    process::{
        self,
        signal::{self, SignalFd},
    },
    vrrp_socket::{PACKET, Received},
};
use standfast_types::{Family, IfIndex, InstanceName, Instant, InterfaceName, WallClock};
use standfast_vrrp::{Datagram, Envelope};

use crate::{
    channel::Channel,
    flood::Flood,
    message::{FromPulse, Level, ToPulse},
    signals,
};
use agenda::{Agenda, Lease, Task};
use lateness::Lateness;
use pace::Pace;
use source::Source;
use world::World;

/// Between two tries to read tables that change all the time.
const RESYNC_RETRY: Duration = Duration::from_millis(100);
const FIRST_SURVEYS: usize = 20;
/// Packets that are read from one socket in one go: what thousands of instances are sent while we are late.
const BURST: usize = 4096;
/// Changes of the kernel that are followed in one go; then it is the adverts' turn again.
const CHANGES: usize = 256;
/// How far the machine's clock may be from what the brain was told: both run at the same rate, and windows of
/// authentication are counted in seconds.
const CLOCK_DRIFT: Duration = Duration::from_millis(100);
/// How long the agenda is worked on in one go; then it is the adverts' turn again.
const WORK: Duration = Duration::from_millis(1);
/// How long pulse waits for its first message.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs pulse until it is told to let go, or until the supervisor is gone. The exit code.
///
/// # Errors
/// The supervisor never speaks, or the kernel breaks a promise.
pub fn run(name: &str) -> anyhow::Result<u8> {
    process::set_name(name)?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut channel = Channel::new(UnixStream::from(line))?;
    let mut poll = Poll::new()?;
    let messages = begin(&mut channel, &mut poll)?;
    match Pulse::prepare(&mut channel, poll, messages) {
        Ok(mut pulse) => pulse.run(),
        Err(error) => {
            channel.send(&FromPulse::Failed(format!("{error:#}")))?;
            Ok(4)
        }
    }
}

/// Waits for the supervisor's first message.
fn begin(channel: &mut Channel, poll: &mut Poll) -> anyhow::Result<Vec<ToPulse>> {
    poll.registry().add(&*channel, Source::Supervisor.token())?;
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

/// Without these rights a backup would find out at the moment when it is needed.
fn check_rights() -> anyhow::Result<()> {
    let needed = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
    let rights = rustix::thread::capabilities(None)?;
    anyhow::ensure!(
        rights.effective.contains(needed),
        "it needs the capabilities NET_ADMIN and NET_RAW (root has them)"
    );
    Ok(())
}

struct Pulse<'a> {
    brain: Brain,
    pace: Pace,
    world: World,
    bfd: bfd::Sockets,
    agenda: Agenda,
    channel: &'a mut Channel,
    poll: Poll,
    timer: clock::Timer,
    /// When the timer fires, while it has not.
    armed: Option<Instant>,
    signals: SignalFd,
    flood: Flood,
    lateness: Lateness,
    releasing: bool,
    /// The supervisor is gone.
    orphaned: bool,
    /// The supervisor has no room for our messages now.
    wants_room: bool,
    /// What the brain was told of the machine's clock.
    clock: WallClock,
    /// What the kernel has is not known for sure; it is read again then.
    resync_at: Option<Instant>,
    /// Room for a packet.
    packet: Vec<u8>,
}

impl<'a> Pulse<'a> {
    fn prepare(
        channel: &'a mut Channel,
        poll: Poll,
        messages: Vec<ToPulse>,
    ) -> anyhow::Result<Self> {
        let mut messages = messages.into_iter();
        let Some(ToPulse::Begin {
            config,
            realtime_priority,
            nice,
            running,
            adopt,
            dead_since,
            scripts,
            bonds,
            files,
            processes,
            originals,
        }) = messages.next()
        else {
            anyhow::bail!("the supervisor did not begin with a configuration");
        };
        check_rights()?;
        // An interface is two descriptors; whoever has many shall not need to know.
        let mut descriptors = getrlimit(Resource::Nofile);
        descriptors.current = descriptors.maximum;
        let _ = setrlimit(Resource::Nofile, descriptors);
        let (timer, signals) = (clock::Timer::new()?, signals::open()?);
        poll.registry().add(&timer, Source::Timer.token())?;
        poll.registry().add(&signals, Source::Signals.token())?;
        // Pages that are swapped out would make it late. Without the right to lock them it runs all
        // the same.
        let _ = process::lock_memory();
        let (pace, refused) = Pace::take(&running, realtime_priority);
        let now = clock::now();
        let mut world = World::open(vmac::OwnLinks::new(originals), poll.registry())?;
        world.keep_secondaries(&config);
        let mut pulse = Self {
            brain: Brain::new(*config, now),
            pace,
            world,
            bfd: bfd::Sockets::new(poll.registry()),
            agenda: Agenda::default(),
            channel,
            poll,
            timer,
            armed: None,
            signals,
            flood: Flood::default(),
            lateness: Lateness::default(),
            releasing: false,
            orphaned: false,
            wants_room: false,
            clock: WallClock::default(),
            resync_at: None,
            packet: vec![0; PACKET],
        };
        pulse.input(Input::Seed(clock::seed()?));
        pulse.follow_clock();
        pulse.hurry(realtime_priority, nice);
        let narrow = pulse.world.widen(&running);
        for text in refused.into_iter().chain(narrow) {
            pulse.tell(&FromPulse::Log(Level::Warning, text));
        }
        pulse.first_survey()?;
        for (name, value) in files {
            pulse.input(Input::File { name, value });
        }
        pulse.input(Input::Process(ProcessInput::All(processes)));
        for (name, success) in scripts {
            pulse.input(Input::Script { name, success });
        }
        for (name, (neighbor, bond)) in bonds {
            pulse.input(Input::Bfd(BfdInput::Resume { name, neighbor, bond }));
        }
        pulse.start(adopt, dead_since);
        pulse.tell(&FromPulse::Running);
        for message in messages {
            pulse.handle_message(message);
        }
        Ok(pulse)
    }

    /// Takes the priority that the file asks for. Being refused is worth a line, not an end.
    fn hurry(&mut self, realtime_priority: Option<u8>, nice: Option<i8>) {
        let realtime = realtime_priority
            .map(|priority| process::set_realtime(process::Realtime::RoundRobin, priority));
        let nice = nice.map(process::set_nice);
        for result in [realtime, nice].into_iter().flatten() {
            if let Err(error) = result {
                let text = format!("runs at ordinary priority: {error}");
                self.tell(&FromPulse::Log(Level::Warning, text));
            }
        }
    }

    /// At start there is no election to keep up yet: a busy table may take some tries.
    fn first_survey(&mut self) -> anyhow::Result<()> {
        for _ in 0..FIRST_SURVEYS {
            if self.survey().is_ok() {
                return Ok(());
            }
        }
        self.survey()
    }

    fn start(&mut self, mut adopt: BTreeSet<InstanceName>, dead_since: Instant) {
        self.brain.prepare(clock::now());
        self.drain();
        let now = clock::now();
        let silence = now.saturating_since(dead_since);
        adopt.retain(|name| self.brain.can_adopt(name, silence));
        self.brain.start(now, &adopt);
        self.drain();
    }

    fn run(&mut self) -> anyhow::Result<u8> {
        while !(self.releasing && self.brain.has_stopped() && self.agenda.is_empty()) {
            let ready = self.wait()?;
            self.lateness.note(clock::now(), self.brain.next_deadline());
            self.hurry_when_late();
            self.follow_clock();
            // What has arrived comes before what is due: an advert that waits in a socket because we
            // were late counts before the timer that it resets.
            for source in &ready {
                match source {
                    Source::Adverts(index, family) => self.receive_adverts(*index, *family),
                    Source::Bfd(key) => self.receive_bfd(*key),
                    Source::Timer => self.armed = None,
                    Source::Signals | Source::Supervisor | Source::Changes | Source::Claims(..) => {
                    }
                }
            }
            self.brain.handle_timeout(clock::now());
            self.drain();
            self.resync();
            for source in ready {
                match source {
                    Source::Changes => self.follow_kernel(),
                    Source::Claims(index, family) => self.receive_claims(index, family),
                    Source::Signals => self.receive_signals(),
                    Source::Supervisor => self.receive_messages()?,
                    Source::Timer | Source::Bfd(_) | Source::Adverts(..) => {}
                }
            }
            self.work();
            self.flush()?;
        }
        self.world.end();
        // Bounded by the supervisor's patience, not ours: whatever it can't take is lost.
        let _ = self.channel.flush();
        Ok(0)
    }

    /// Waits until something has arrived, or is due.
    fn wait(&mut self) -> anyhow::Result<Vec<Source>> {
        let deadline = self.brain.next_deadline().into_iter().chain(self.resync_at).min();
        // A timer that fires too early costs less than one that is set with every advert.
        let early = self.armed.zip(deadline).is_some_and(|(armed, deadline)| armed <= deadline);
        if !early && self.armed != deadline {
            self.timer.set(deadline)?;
            self.armed = deadline;
        }
        let limit = (!self.agenda.is_empty()).then_some(Duration::ZERO);
        let ready = self.poll.wait(limit)?;
        Ok(ready.filter_map(Source::from_token).collect())
    }

    /// `max_auto_priority`
    fn hurry_when_late(&mut self) {
        if self.pace.is_automatic()
            && let Some(due) = self.brain.next_deadline()
            && let Some(text) = self.pace.hurry(clock::now().saturating_since(due))
        {
            self.tell(&FromPulse::Log(Level::Warning, text));
        }
    }

    /// Tells the brain when somebody has set the machine's clock.
    fn follow_clock(&mut self) {
        let read = clock::wall();
        let now = clock::now();
        if self.clock.unix(now).abs_diff(read.unix(now)) > CLOCK_DRIFT {
            self.clock = read;
            self.input(Input::Clock(read));
        }
    }

    fn receive_adverts(&mut self, index: IfIndex, family: Family) {
        let mut buffer = std::mem::take(&mut self.packet);
        // Each interface has its share: a flood on one must not cost another its adverts.
        for _ in 0..BURST {
            let Some(packet) = self.world.next_advert(index, family, &mut buffer) else { break };
            let Received { source, destination, ttl, payload, protected } = packet;
            let payload = buffer.get(payload).unwrap_or_default();
            let envelope = match protected {
                Some(identification) => Envelope::Header { identification },
                None => Envelope::Bare,
            };
            let datagram = Datagram { source, destination, ttl, envelope, payload };
            self.input(Input::Datagram { index, datagram });
        }
        self.packet = buffer;
    }

    fn receive_claims(&mut self, index: IfIndex, family: Family) {
        for claim in self.world.claims(index, family) {
            self.input(claim);
        }
    }

    /// Tells the brain all that the kernel has, and removes from its view what the kernel has not.
    fn survey(&mut self) -> anyhow::Result<()> {
        for input in self.world.survey()? {
            self.input(input);
        }
        Ok(())
    }

    fn follow_kernel(&mut self) {
        for _ in 0..CHANGES {
            match self.world.next_change() {
                Ok(Some(input)) => self.input(input),
                Ok(None) => break,
                Err(world::Lost) if self.resync_at.is_some() => {}
                Err(world::Lost) => {
                    let text = "the kernel's changes came too fast; reading everything afresh";
                    self.tell(&FromPulse::Log(Level::Warning, text.to_owned()));
                    self.resync_at = Some(clock::now());
                }
            }
        }
    }

    fn resync(&mut self) {
        if self.resync_at.is_some_and(|at| at <= clock::now()) {
            // While the tables change too fast to be read, the elections go on.
            self.resync_at = match self.survey() {
                Ok(()) => None,
                Err(_) => Some(clock::now() + RESYNC_RETRY),
            };
        }
    }

    fn receive_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            // `killall keepalived` reaches us as well as the supervisor; a reload is its affair alone.
            if matches!(signal, signal::SIGTERM | signal::SIGINT) {
                self.release();
            }
            if signal == signal::SIGXCPU {
                let text = "computed for longer than vrrp_rlimit_rttime without a pause";
                self.tell(&FromPulse::Log(Level::Warning, text.to_owned()));
            }
        }
    }

    fn receive_messages(&mut self) -> anyhow::Result<()> {
        let received = self.channel.receive()?;
        for message in received.messages {
            self.handle_message(message);
        }
        if received.closed && !self.orphaned {
            self.orphaned = true;
            // A line whose other end is gone is always readable: it would never let us wait.
            self.poll.registry().remove(&*self.channel)?;
            // Without a supervisor nobody would restart us or run the checks.
            self.release();
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // A supervisor that is gone is noticed by reading.
        let _ = self.channel.flush();
        let wants_room = self.channel.has_backlog();
        if wants_room != self.wants_room && !self.orphaned {
            let token = Source::Supervisor.token();
            self.poll.registry().want_room(&*self.channel, token, wants_room)?;
            self.wants_room = wants_room;
        }
        Ok(())
    }

    fn handle_message(&mut self, message: ToPulse) {
        match message {
            ToPulse::Begin { .. } => {}
            // Whoever comes after us gets the new configuration.
            ToPulse::Reload(_) if self.releasing => {}
            ToPulse::Reload(config) => {
                self.world.keep_secondaries(&config);
                self.brain.reconfigure(clock::now(), config);
                self.drain();
            }
            ToPulse::Script { name, success } => self.input(Input::Script { name, success }),
            ToPulse::Report { dump, clear } => {
                let instances = self.brain.snapshot();
                let late = self.lateness.worst(clock::now());
                self.tell(&FromPulse::Report { dump, instances, late });
                if clear {
                    self.brain.clear_counters();
                }
            }
            ToPulse::File { name, value } => self.input(Input::File { name, value }),
            ToPulse::Process(input) => self.input(Input::Process(input)),
            ToPulse::Release => self.release(),
        }
    }

    fn release(&mut self) {
        self.releasing = true;
        // The successor's announcements shall be the last.
        self.agenda.fall_silent();
        self.input(Input::Release);
    }

    fn input(&mut self, input: Input<'_>) {
        self.brain.handle_input(clock::now(), input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.brain.poll_output() {
            match output {
                Output::Emit(event) => {
                    if let Some(suppressed) = self.flood.admit(clock::now(), &event) {
                        let late = self.lateness.worst(clock::now());
                        self.tell(&FromPulse::Event { event, suppressed, late });
                    }
                }
                Output::AddAddress { index, address, lease_seconds } => {
                    let there = self.world.has_address((index, address.prefix.address()));
                    self.agenda.add(Lease { index, address, seconds: lease_seconds }, there);
                }
                Output::RemoveAddress { index, address } => self.agenda.remove(index, address),
                Output::AddEntry { entry } => self.agenda.add_entry(entry),
                Output::RemoveEntry { entry } => self.agenda.remove_entry(entry),
                Output::Announce { index, address } => self.agenda.announce((index, address)),
                Output::Send { .. } => {
                    if self.agenda.is_short() {
                        while let Some(task) = self.agenda.next_change() {
                            self.perform(task);
                        }
                    }
                    self.apply(output);
                }
                Output::CreateLink { name, parent, kind, group } => {
                    self.create_link(name, parent, kind, group);
                }
                Output::RemoveLink { .. }
                | Output::LinkUp { .. }
                | Output::LinkDown { .. }
                | Output::Block { .. }
                | Output::Listen { .. }
                | Output::Unlisten { .. }
                | Output::Ask { .. } => self.apply(output),
                Output::Bfd(output) => self.apply_bfd(output),
            }
        }
    }

    /// Works on the agenda, until the sockets are to be looked at again.
    fn work(&mut self) {
        let until = clock::now() + WORK;
        while let Some(task) = self.agenda.next() {
            self.perform(task);
            self.drain();
            if clock::now() >= until {
                break;
            }
        }
    }

    fn perform(&mut self, task: Task) {
        let began = clock::now();
        match task {
            Task::Add(leases) => {
                for input in self.world.add(&leases) {
                    self.brain.handle_input(clock::now(), input);
                }
            }
            Task::Remove(places) => {
                for text in self.world.remove(&places) {
                    self.tell(&FromPulse::Log(Level::Warning, text));
                }
            }
            Task::AddEntry(entry) => {
                if let Some(answer) = self.world.add_entry(entry) {
                    self.brain.handle_input(clock::now(), answer);
                }
            }
            Task::RemoveEntry(entry) => {
                if let Some(text) = self.world.remove_entry(&entry) {
                    self.tell(&FromPulse::Log(Level::Warning, text));
                }
            }
            Task::Announce(places) => {
                for (index, address) in places {
                    self.apply(Output::Announce { index, address });
                }
            }
        }
        self.agenda.took(clock::now().saturating_since(began));
    }

    /// Does what the brain wants; what the kernel refuses goes back to the brain or into the log.
    fn apply(&mut self, output: Output) {
        let listened = match output {
            Output::Listen { index, family, .. } => Some((index, family)),
            Output::CreateLink { .. }
            | Output::RemoveLink { .. }
            | Output::LinkUp { .. }
            | Output::LinkDown { .. }
            | Output::Block { .. }
            | Output::Unlisten { .. }
            | Output::Send { .. }
            | Output::AddAddress { .. }
            | Output::RemoveAddress { .. }
            | Output::AddEntry { .. }
            | Output::RemoveEntry { .. }
            | Output::Announce { .. }
            | Output::Ask { .. }
            | Output::Bfd(_)
            | Output::Emit(_) => None,
        };
        let result = self.world.apply(output);
        self.tell_originals();
        match result {
            Ok(()) => {
                if let Some((index, family)) = listened {
                    let input = Input::Listening { index, family, success: true };
                    self.brain.handle_input(clock::now(), input);
                }
            }
            Err(world::Refusal::Listen { index, family, error }) => {
                self.tell(&FromPulse::Log(Level::Error, error));
                let input = Input::Listening { index, family, success: false };
                self.brain.handle_input(clock::now(), input);
            }
            Err(world::Refusal::Other(text)) => self.tell(&FromPulse::Log(Level::Warning, text)),
        }
    }

    /// Makes an interface for an instance; what comes of it is the brain's next input.
    fn create_link(
        &mut self,
        name: InterfaceName,
        parent: IfIndex,
        kind: OwnLinkKind,
        group: Option<u32>,
    ) {
        for input in self.world.create_link(name, parent, kind, group) {
            self.brain.handle_input(clock::now(), input);
        }
        self.tell_originals();
    }

    fn tell_originals(&mut self) {
        if let Some(originals) = self.world.own_links.news() {
            self.tell(&FromPulse::Originals(originals));
        }
    }

    fn tell(&mut self, message: &FromPulse) {
        // A supervisor that is gone or stuck is noticed elsewhere; the election goes on.
        let _ = self.channel.send(message);
    }
}
