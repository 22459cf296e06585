//! One machine: a brain, and a kernel that does what the brain says.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use standfast_failover::{Brain, Config, Event, Input, InstanceEvent, Output};
use standfast_types::{IfIndex, InstanceName, Instant, InterfaceName, Rng, ScriptName};
use standfast_vrrp::{Datagram, Envelope, Event as Election, StateName};

use crate::{
    node,
    trace::{Happening, Place},
};

/// The interface with the virtual routers, and another that can be tracked.
const INTERFACES: [(IfIndex, &str); 2] =
    [(IfIndex::new(2), node::INTERFACE), (IfIndex::new(3), node::TRACKED)];
/// The kernel looks at leases at most once a second, by a clock that ticks late: 0 to 1.3 s after its
/// end a lease is taken away (measured on Linux 6.1 to 6.18).
pub(crate) const LEASE_LATENESS: Duration = Duration::from_millis(1_300);

/// What a machine puts on the wire.
#[derive(Debug)]
pub(crate) enum Frame {
    Advert { instance: usize, source: IpAddr, destination: IpAddr, ttl: u8, payload: Vec<u8> },
    Announcement { place: Place, address: IpAddr },
}

/// What the kernel tells the process, now or when it wakes.
#[derive(Clone, Debug)]
enum Change {
    Link(usize),
    Address(IpAddr),
    Gone(IpAddr),
    Script(ScriptName, bool),
    Reload(Box<Config>),
    Release,
}

#[derive(Debug)]
struct Lease {
    place: Place,
    address: IpAddr,
    until: Instant,
}

#[derive(Debug)]
struct Respawn {
    since: Instant,
    at: Instant,
    /// What it was master of.
    masters: BTreeSet<InstanceName>,
}

#[derive(Debug)]
struct Pause {
    since: Instant,
    until: Instant,
    /// Whether adverts wait in the socket meanwhile, or are lost.
    buffers: bool,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) own: IpAddr,
    pub(crate) config: Config,
    rng: Rng,
    /// `None` while no process runs.
    brain: Option<Brain>,
    pause: Option<Pause>,
    releasing: bool,
    /// The supervisor starts a new process.
    respawn: Option<Respawn>,
    /// Of each of [`INTERFACES`].
    carriers: [bool; 2],
    leases: Vec<Lease>,
    adverts: VecDeque<Rc<Frame>>,
    changes: VecDeque<Change>,
    /// Whether the brain's own words are kept, for people.
    pub(crate) verbose: bool,
    pub(crate) sent: Vec<Frame>,
    pub(crate) happenings: Vec<Happening>,
}

impl Machine {
    pub(crate) fn new((own, config): (IpAddr, Config), rng: Rng) -> Self {
        Self {
            own,
            config,
            rng,
            brain: None,
            pause: None,
            releasing: false,
            respawn: None,
            carriers: [true; 2],
            leases: Vec::new(),
            adverts: VecDeque::new(),
            changes: VecDeque::new(),
            verbose: false,
            sent: Vec::new(),
            happenings: Vec::new(),
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.brain.is_some()
    }

    /// Whether it lets go and will end.
    pub(crate) const fn is_releasing(&self) -> bool {
        self.releasing
    }

    /// Whether this is an address of its own.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        address == self.own || address == node::link_local(self.own)
    }

    /// Whether frames come and go.
    pub(crate) const fn is_plugged(&self) -> bool {
        let [carrier, _] = self.carriers;
        carrier
    }

    /// Starts a process in the place of whatever ran.
    pub(crate) fn start(&mut self, now: Instant) {
        self.start_after(now, None);
    }

    fn start_after(&mut self, now: Instant, died: Option<Respawn>) {
        self.crash();
        let mut brain = Brain::new(self.config.clone(), now);
        for ((index, name), running) in INTERFACES.into_iter().zip(self.carriers) {
            brain.handle_input(now, Input::Link { index, name: name.into(), running });
        }
        let [(index, _), _] = INTERFACES;
        for address in [self.own, node::link_local(self.own)] {
            brain.handle_input(now, Input::Address { index, address, ours: false });
        }
        for lease in &self.leases {
            let input = Input::Address { index, address: lease.address, ours: true };
            brain.handle_input(now, input);
        }
        let mut adopt = BTreeSet::new();
        if let Some(Respawn { since, masters, .. }) = died {
            adopt = masters;
            adopt.retain(|name| brain.can_adopt(name, now.saturating_since(since)));
        }
        self.happenings.push(Happening::Started { adopting: !adopt.is_empty() });
        self.configured(&[]);
        brain.start(now, &adopt);
        self.brain = Some(brain);
        self.finish(now);
    }

    /// `kill -9`.
    pub(crate) fn crash(&mut self) {
        if self.brain.take().is_some() {
            self.happenings.push(Happening::Crashed);
        }
        self.pause = None;
        self.releasing = false;
        self.respawn = None;
        self.adverts.clear();
        self.changes.clear();
    }

    /// `kill -9` of pulse alone: so much later the supervisor's next one adopts what it was master of.
    pub(crate) fn die(&mut self, now: Instant, respawn: Duration) {
        let masters = self.masters();
        if self.brain.is_some() && !self.releasing {
            self.crash();
            self.respawn = Some(Respawn { since: now, at: now + respawn, masters });
        }
    }

    /// The instances that are master.
    fn masters(&self) -> BTreeSet<InstanceName> {
        let snapshot = self.brain.iter().flat_map(Brain::snapshot);
        let masters = snapshot.filter(|instance| instance.router.state == StateName::Master);
        masters.map(|instance| instance.name).collect()
    }

    pub(crate) fn pause(&mut self, now: Instant, duration: Duration, buffers: bool) {
        if self.brain.is_some() && self.pause.is_none() {
            self.pause = Some(Pause { since: now, until: now + duration, buffers });
            self.happenings.push(Happening::Paused);
        }
    }

    /// Ends a pause before its time.
    pub(crate) fn wake(&mut self, now: Instant) {
        let Some(pause) = self.pause.take() else { return };
        self.happenings.push(Happening::Woke { slept: now.saturating_since(pause.since) });
        // As pulse does: what has arrived comes before what is due, the kernel's changes last.
        while let Some(frame) = self.adverts.pop_front() {
            self.deliver(now, &frame);
        }
        self.timeout(now);
        self.finish(now);
    }

    pub(crate) fn release(&mut self, now: Instant) {
        self.releasing = self.brain.is_some();
        self.tell(now, Change::Release);
    }

    pub(crate) fn script(&mut self, now: Instant, name: &str, success: bool) {
        self.tell(now, Change::Script(name.into(), success));
    }

    pub(crate) fn set_carrier(&mut self, now: Instant, interface: usize, running: bool) {
        if let Some(carrier) = self.carriers.get_mut(interface)
            && std::mem::replace(carrier, running) != running
        {
            self.tell(now, Change::Link(interface));
        }
    }

    pub(crate) fn reload(&mut self, now: Instant, config: Config) {
        self.config = config;
        self.tell(now, Change::Reload(Box::new(self.config.clone())));
    }

    /// Somebody removes an address by hand.
    pub(crate) fn steal(&mut self, now: Instant, place: Place) {
        if let Some(address) = self.remove(|lease| lease.place == place) {
            self.tell(now, Change::Gone(address));
        }
    }

    pub(crate) fn holds(&self, place: Place) -> bool {
        self.leases.iter().any(|lease| lease.place == place)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let process = match &self.pause {
            Some(pause) => Some(pause.until),
            None => self.brain.as_ref().and_then(Brain::next_deadline),
        };
        let respawn = self.respawn.as_ref().map(|respawn| respawn.at);
        self.leases.iter().map(|lease| lease.until).chain(process).chain(respawn).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(address) = self.remove(|lease| lease.until <= now) {
            if self.brain.is_some() {
                self.changes.push_back(Change::Gone(address));
            }
        }
        if let Some(respawn) = self.respawn.take_if(|respawn| respawn.at <= now) {
            self.start_after(now, Some(respawn));
        }
        match &self.pause {
            Some(pause) if pause.until <= now => self.wake(now),
            Some(_) => {}
            None => {
                self.timeout(now);
                self.finish(now);
            }
        }
    }

    /// A frame arrives; false when nobody will ever read it.
    pub(crate) fn receive(&mut self, now: Instant, frame: &Rc<Frame>) -> bool {
        if self.brain.is_none() || !self.is_plugged() {
            return false;
        }
        match &self.pause {
            Some(pause) if pause.buffers => self.adverts.push_back(Rc::clone(frame)),
            Some(_) => return false,
            None => {
                self.deliver(now, frame);
                self.finish(now);
            }
        }
        true
    }

    fn deliver(&mut self, now: Instant, frame: &Frame) {
        let [(index, _), _] = INTERFACES;
        let input = match frame {
            Frame::Announcement { address, .. } => {
                let mac = standfast_types::MacAddress([2, 0, 0, 0, 0, 0]);
                Input::Announced { index, address: *address, mac }
            }
            Frame::Advert { source, destination, ttl, payload, .. } => {
                let (source, destination, ttl) = (*source, *destination, *ttl);
                let envelope = Envelope::Bare;
                let datagram = Datagram { source, destination, ttl, envelope, payload };
                Input::Datagram { index, datagram }
            }
        };
        if let Some(brain) = &mut self.brain {
            brain.handle_input(now, input);
        }
        self.drain(now);
    }

    fn timeout(&mut self, now: Instant) {
        if let Some(brain) = &mut self.brain {
            brain.handle_timeout(now);
        }
        self.drain(now);
    }

    fn tell(&mut self, now: Instant, change: Change) {
        if self.brain.is_some() {
            self.changes.push_back(change);
            self.finish(now);
        }
    }

    /// Takes every change, those that it causes too.
    fn finish(&mut self, now: Instant) {
        if self.pause.is_some() {
            return;
        }
        self.drain(now);
        while let Some(change) = self.changes.pop_front() {
            self.change(now, change);
            self.drain(now);
        }
        if self.releasing && self.brain.as_ref().is_some_and(Brain::has_stopped) {
            self.crash();
        }
        self.happenings.push(Happening::Settled);
    }

    fn change(&mut self, now: Instant, change: Change) {
        let [(index, _), _] = INTERFACES;
        let input = match change {
            Change::Link(interface) => {
                let link = INTERFACES.into_iter().zip(self.carriers).nth(interface);
                let Some(((index, name), running)) = link else { return };
                Input::Link { index, name: InterfaceName::from(name), running }
            }
            Change::Address(address) => Input::Address { index, address, ours: true },
            Change::Gone(address) => Input::AddressGone { index, address },
            Change::Script(name, success) => Input::Script { name, success },
            Change::Release => {
                self.happenings.push(Happening::Released);
                Input::Release
            }
            Change::Reload(config) => {
                let Some(mut brain) = self.brain.take() else { return };
                let old: Vec<_> = brain.snapshot().into_iter().map(|one| one.name).collect();
                self.configured(&old);
                brain.reconfigure(now, *config);
                self.brain = Some(brain);
                return;
            }
        };
        if let Some(brain) = &mut self.brain {
            brain.handle_input(now, input);
        }
    }

    /// Tells the checkers what the brain is told, and the priority with which a new instance begins.
    fn configured(&mut self, old: &[InstanceName]) {
        for config in &self.config.instances {
            let Some(settings) = node::settings(config) else { continue };
            self.happenings.push(Happening::Configured(settings));
            if !old.contains(&config.name) {
                let (instance, to) = (settings.instance, config.router.priority.get());
                self.happenings.push(Happening::Priority { instance, to });
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.brain.as_mut().and_then(Brain::poll_output) {
            match output {
                // No machine of the simulator has routes or a session of BFD, and none answers probes.
                Output::Listen { .. }
                | Output::Unlisten { .. }
                | Output::AddEntry { .. }
                | Output::RemoveEntry { .. }
                | Output::Ask { .. }
                | Output::Bfd(_) => {}
                Output::Send { source, destination, ttl, payload, .. } => {
                    let Some((instance, priority)) = node::advert(&payload) else { continue };
                    self.happenings.push(Happening::Sent { instance, priority });
                    self.sent.push(Frame::Advert { instance, source, destination, ttl, payload });
                }
                Output::AddAddress { address, lease_seconds, .. } => {
                    self.add(now, address.prefix.address(), lease_seconds);
                }
                Output::RemoveAddress { address, .. } => {
                    let address = address.prefix.address();
                    if self.remove(|lease| lease.address == address).is_some() {
                        self.changes.push_back(Change::Gone(address));
                    }
                }
                Output::Announce { address, .. } => {
                    let Some(place) = node::place(address) else { continue };
                    self.happenings.push(Happening::Announced(place));
                    self.sent.push(Frame::Announcement { place, address });
                }
                Output::Emit(event) => self.emit(event),
                // No machine here has interfaces of its own.
                Output::CreateLink { .. }
                | Output::RemoveLink { .. }
                | Output::LinkUp { .. }
                | Output::LinkDown { .. }
                | Output::Block { .. } => {}
            }
        }
    }

    fn add(&mut self, now: Instant, address: IpAddr, lease_seconds: u32) {
        let lateness = u64::try_from(LEASE_LATENESS.as_nanos()).unwrap_or(0);
        let lateness = Duration::from_nanos(self.rng.below(lateness));
        let until = now + Duration::from_secs(lease_seconds.into()) + lateness;
        if let Some(lease) = self.leases.iter_mut().find(|lease| lease.address == address) {
            lease.until = until;
            return;
        }
        let Some(place) = node::place(address) else { return };
        self.leases.push(Lease { place, address, until });
        self.changes.push_back(Change::Address(address));
        self.happenings.push(Happening::Added(place));
    }

    fn remove(&mut self, which: impl Fn(&Lease) -> bool) -> Option<IpAddr> {
        let at = self.leases.iter().position(which)?;
        let lease = self.leases.swap_remove(at);
        self.happenings.push(Happening::Gone(lease.place));
        Some(lease.address)
    }

    fn emit(&mut self, event: Event) {
        if let Event::Instance { name, kind } = &event
            && let Some(instance) = node::number(name)
        {
            self.happenings.extend(happening(instance, kind));
        }
        if self.verbose {
            self.happenings.push(Happening::Said(event));
        }
    }
}

/// What of an event the checkers must be told; the rest they see for themselves.
fn happening(instance: usize, kind: &InstanceEvent) -> Option<Happening> {
    let state = |to| Some(Happening::State { instance, to });
    if let InstanceEvent::Election { event: Election::Transition { to, .. }, .. } = kind {
        state(*to)
    } else if let InstanceEvent::Election { event: Election::Adopted { .. }, .. } = kind {
        state(StateName::Master)
    } else if let InstanceEvent::Priority { to, .. } = kind {
        Some(Happening::Priority { instance, to: to.get() })
    } else if let InstanceEvent::Deleted = kind {
        state(StateName::Stop)
    } else {
        None
    }
}
