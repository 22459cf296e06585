//! The wire between the machines, and clients that look on.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use standfast_failover::Config;
use standfast_types::{Instant, Rng};

use crate::{
    check::{Checkers, Violation},
    link::{Link, Passage},
    machine::{Frame, Machine},
    trace::{Entry, Happening, Place},
};

/// The address whose clients are watched closely.
const WATCHED: Place = Place { instance: 0, address: 0 };

/// Machines on one segment.
#[derive(Debug)]
pub struct Cluster {
    now: Instant,
    rng: Rng,
    machines: Vec<Machine>,
    /// When each machine wants to be called.
    deadlines: Vec<Option<Instant>>,
    /// From each machine to each.
    links: Vec<Link>,
    wire: BinaryHeap<Reverse<Arrival>>,
    frames: u64,
    happenings: u64,
    checkers: Checkers,
    trace: Option<Vec<Entry>>,
    /// Where the clients of each instance believe its address to be: the last announcement they heard.
    clients: Vec<Option<usize>>,
    holders: BTreeSet<usize>,
    transitions: Vec<usize>,
    times: Times,
}

/// A frame under way; the order of sending keeps the order of equal times.
#[derive(Debug)]
struct Arrival {
    at: Instant,
    order: u64,
    from: usize,
    to: usize,
    frame: Rc<Frame>,
}

impl Arrival {
    const fn key(&self) -> (Instant, u64) {
        (self.at, self.order)
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// How long the watched address was in which condition, since [`Cluster::reset_times`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The client got no answer: the machine it sends to did not hold the address.
    pub unanswered: Duration,
    /// More than one machine held the address.
    pub shared: Duration,
}

impl Cluster {
    /// Starts machines, each with its own address and configuration, on one segment with clean links.
    #[must_use]
    pub fn new(nodes: Vec<(IpAddr, Config)>, seed: u64) -> Self {
        let link = Link::clean(Duration::from_micros(200));
        let links = vec![link; nodes.len() * nodes.len()];
        let mut cluster = Self::stopped(nodes, links, seed);
        cluster.start_all();
        cluster
    }

    /// The same, with a link from each machine to each (first the first machine's), and nothing started.
    pub(crate) fn stopped(nodes: Vec<(IpAddr, Config)>, links: Vec<Link>, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let checkers = Checkers::new(&nodes, &links);
        let instances = nodes.iter().map(|(_, config)| config.instances.len()).max().unwrap_or(0);
        let mut machine = |node| Machine::new(node, Rng::from_seed(rng.next_u64()));
        let machines: Vec<_> = nodes.into_iter().map(&mut machine).collect();
        Self {
            now: Instant::ZERO,
            deadlines: vec![None; machines.len()],
            transitions: vec![0; machines.len()],
            rng,
            machines,
            links,
            wire: BinaryHeap::new(),
            frames: 0,
            happenings: 0,
            checkers,
            trace: None,
            clients: vec![None; instances],
            holders: BTreeSet::new(),
            times: Times::default(),
        }
    }

    pub(crate) fn start_all(&mut self) {
        for machine in 0..self.machines.len() {
            self.start(machine);
        }
    }

    /// Keeps every happening, and the brains' own words.
    pub(crate) fn record(&mut self) {
        self.trace = Some(Vec::new());
        self.machines.iter_mut().for_each(|machine| machine.verbose = true);
    }

    /// What was recorded since the last call.
    pub(crate) fn take_trace(&mut self) -> Vec<Entry> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The first rule that was broken.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.checkers.violation()
    }

    /// Breaks a rule that no checker knows.
    pub(crate) fn fail(&mut self, machine: usize, text: String) {
        self.checkers.report(self.now, machine, Some(text));
    }

    /// Who claims to be master of an instance.
    pub(crate) fn masters(&self, instance: usize) -> Vec<usize> {
        self.checkers.masters(instance)
    }

    /// The longest way of a frame.
    pub(crate) fn reach(&self) -> Duration {
        self.links.iter().map(Link::reach).max().unwrap_or_default()
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Inputs, timers and frames that were processed.
    pub(crate) const fn happenings(&self) -> u64 {
        self.happenings
    }

    /// Runs for this long, or until a rule is broken.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.violation().is_none() {
            if !self.step(end) {
                self.advance(end);
                return;
            }
        }
    }

    /// Starts the process of a machine.
    pub fn start(&mut self, machine: usize) {
        self.with(machine, Machine::start);
    }

    /// Whether a process runs on a machine.
    #[must_use]
    pub fn is_running(&self, machine: usize) -> bool {
        self.machines.get(machine).is_some_and(Machine::is_running)
    }

    /// `kill -9` of everything: the kernel keeps the addresses until their leases end.
    pub fn crash(&mut self, machine: usize) {
        self.with(machine, |m, _| m.crash());
    }

    /// `kill -9` of pulse alone; a new one adopts what it was master of.
    pub fn restart(&mut self, machine: usize) {
        self.with(machine, |m, now| m.die(now, Duration::ZERO));
    }

    /// Freezes the process of a machine: it neither sends nor receives.
    pub fn pause(&mut self, machine: usize, duration: Duration) {
        self.with(machine, |m, now| m.pause(now, duration, false));
    }

    /// Asks a machine to let go and stop.
    pub fn release(&mut self, machine: usize) {
        self.with(machine, Machine::release);
    }

    /// A script's result.
    pub fn script(&mut self, machine: usize, name: &str, success: bool) {
        self.with(machine, |m, now| m.script(now, name, success));
    }

    /// Pulls or plugs the cable of a machine.
    pub fn set_carrier(&mut self, machine: usize, carrier: bool) {
        self.with(machine, |m, now| m.set_carrier(now, 0, carrier));
    }

    /// Lets nothing pass from one machine to another.
    pub fn block(&mut self, from: usize, to: usize) {
        if let Some(link) = self.link(from, to) {
            link.cut = true;
        }
    }

    /// Lets everything pass again.
    pub fn heal(&mut self) {
        self.links.iter_mut().for_each(Link::heal);
    }

    /// Frames lost on every link, in thousandths.
    pub fn set_loss(&mut self, permille: u64) {
        self.links.iter_mut().for_each(|link| link.loss_permille = permille);
    }

    pub(crate) fn link(&mut self, from: usize, to: usize) -> Option<&mut Link> {
        self.links.get_mut(from * self.machines.len() + to)
    }

    /// The machines whose kernel has the watched address.
    #[must_use]
    pub fn holders(&self) -> Vec<usize> {
        self.holders.iter().copied().collect()
    }

    /// Where a client of the watched address sends to.
    #[must_use]
    pub fn client_sends_to(&self) -> Option<usize> {
        self.clients_send_to(WATCHED.instance)
    }

    /// Clients that send to nobody who claims to be master find out by asking.
    pub(crate) fn let_clients_ask(&mut self) {
        for (instance, client) in (0..).zip(&mut self.clients) {
            let masters = self.checkers.masters(instance);
            client.take_if(|client| !masters.contains(client));
        }
    }

    pub(crate) fn clients_send_to(&self, instance: usize) -> Option<usize> {
        self.clients.get(instance).copied().flatten()
    }

    /// How often instances changed their state on a machine.
    #[must_use]
    pub fn transitions(&self, machine: usize) -> usize {
        self.transitions.get(machine).copied().unwrap_or(0)
    }

    /// The conditions since the last reset.
    #[must_use]
    pub const fn times(&self) -> Times {
        self.times
    }

    /// Counts from now on.
    pub fn reset_times(&mut self) {
        self.times = Times::default();
    }

    pub(crate) fn with(&mut self, machine: usize, act: impl FnOnce(&mut Machine, Instant)) {
        let now = self.now;
        if let Some(m) = self.machines.get_mut(machine) {
            act(m, now);
        }
        self.collect(machine);
    }

    /// Notes something that was done to a machine.
    pub(crate) fn note(&mut self, machine: usize, what: Happening) {
        if let Some(trace) = &mut self.trace {
            trace.push(Entry { at: self.now, machine, what });
        }
    }

    /// Does the next thing that happens until `end`; false when there is none.
    fn step(&mut self, end: Instant) -> bool {
        let timers = (0..).zip(&self.deadlines);
        let timer = timers.filter_map(|(machine, at)| Some(((*at)?, machine))).min();
        let arrival = self.wire.peek().map(|Reverse(arrival)| arrival.at);
        let next = timer.map(|(at, _)| at).into_iter().chain(arrival).min();
        let Some(at) = next.filter(|at| *at <= end) else { return false };
        self.advance(at);
        self.happenings += 1;
        if arrival.is_some_and(|arrives| arrives <= at) {
            self.deliver();
        } else if let Some((_, machine)) = timer {
            self.with(machine, Machine::handle_timeout);
        }
        true
    }

    fn advance(&mut self, to: Instant) {
        self.checkers.pass(to);
        let passed = to.saturating_since(self.now);
        if self.client_sends_to().is_none_or(|client| !self.holders.contains(&client)) {
            self.times.unanswered += passed;
        }
        if self.holders.len() > 1 {
            self.times.shared += passed;
        }
        self.now = self.now.max(to);
    }

    fn deliver(&mut self) {
        let Some(Reverse(Arrival { from, to, frame, .. })) = self.wire.pop() else { return };
        let now = self.now;
        let heard = self.machines.get_mut(to).is_some_and(|machine| machine.receive(now, &frame));
        if heard {
            self.collect(to);
        } else {
            self.lost(from, to, &frame);
        }
    }

    /// Takes what a machine has done: frames go on the wire, happenings to the checkers.
    fn collect(&mut self, from: usize) {
        let Some(machine) = self.machines.get_mut(from) else { return };
        if let Some(deadline) = self.deadlines.get_mut(from) {
            *deadline = machine.next_deadline();
        }
        let mut happenings = std::mem::take(&mut machine.happenings);
        let mut sent = std::mem::take(&mut machine.sent);
        for what in happenings.drain(..) {
            self.happen(from, what);
        }
        for frame in sent.drain(..) {
            self.send(from, frame);
        }
        // Their room is used again.
        if let Some(machine) = self.machines.get_mut(from) {
            machine.happenings = happenings;
            machine.sent = sent;
        }
    }

    fn happen(&mut self, machine: usize, what: Happening) {
        match what {
            Happening::Added(WATCHED) => {
                self.holders.insert(machine);
            }
            Happening::Gone(WATCHED) => {
                self.holders.remove(&machine);
            }
            Happening::State { .. } => {
                if let Some(count) = self.transitions.get_mut(machine) {
                    *count += 1;
                }
            }
            Happening::Added(_)
            | Happening::Gone(_)
            | Happening::Started { .. }
            | Happening::Crashed
            | Happening::Paused
            | Happening::Woke { .. }
            | Happening::Released
            | Happening::Configured(_)
            | Happening::Priority { .. }
            | Happening::Sent { .. }
            | Happening::Lost { .. }
            | Happening::Announced(_)
            | Happening::Settled
            | Happening::Said(_)
            | Happening::Befell(_) => {}
        }
        self.checkers.observe(self.now, machine, &what);
        if let Some(trace) = &mut self.trace
            && what != Happening::Settled
        {
            trace.push(Entry { at: self.now, machine, what });
        }
    }

    /// To every other machine, or to the peer it is for; announcements to the clients too.
    fn send(&mut self, from: usize, frame: Frame) {
        let plugged = self.machines.get(from).is_some_and(Machine::is_plugged);
        let peer = match &frame {
            Frame::Advert { destination, .. } if !destination.is_multicast() => Some(*destination),
            Frame::Advert { .. } => None,
            Frame::Announcement { place, .. } => {
                if plugged && let Some(client) = self.clients.get_mut(place.instance) {
                    *client = Some(from);
                }
                None
            }
        };
        let frame = Rc::new(frame);
        for to in 0..self.machines.len() {
            let other = to != from
                && peer.is_none_or(|peer| self.machines.get(to).is_some_and(|m| m.is_at(peer)));
            if !other {
                continue;
            }
            let Some(link) = self.links.get_mut(from * self.machines.len() + to) else { continue };
            match if plugged { link.pass(&mut self.rng) } else { Passage::Lost } {
                Passage::Lost => self.lost(from, to, &frame),
                Passage::After(way) => self.under_way(from, to, way, &frame),
                Passage::Twice(first, second) => {
                    self.under_way(from, to, first, &frame);
                    self.under_way(from, to, second, &frame);
                }
            }
        }
    }

    fn under_way(&mut self, from: usize, to: usize, way: Duration, frame: &Rc<Frame>) {
        self.frames += 1;
        let (at, order, frame) = (self.now + way, self.frames, Rc::clone(frame));
        self.wire.push(Reverse(Arrival { at, order, from, to, frame }));
    }

    fn lost(&mut self, from: usize, to: usize, frame: &Frame) {
        if let Frame::Advert { instance, .. } = *frame {
            self.happen(from, Happening::Lost { instance, to });
        }
    }
}
