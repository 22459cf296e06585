//! The wire between the machines, and a client that looks on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use standfast_failover::{Config, Event, Input};
use standfast_types::{InstanceName, Instant, Rng};
use standfast_vrrp::StateName;

use crate::machine::{ADDRESS, Frame, Machine};

/// Machines on one segment.
#[derive(Debug)]
pub struct Cluster {
    now: Instant,
    rng: Rng,
    machines: Vec<Machine>,
    /// Frames under way, by arrival; the counter keeps the order of equal times.
    wire: BTreeMap<(Instant, u64), (usize, Option<usize>, Frame)>,
    frames: u64,
    /// Directions in which nothing passes.
    blocked: BTreeSet<(usize, usize)>,
    /// One-way delay of every frame.
    pub delay: Duration,
    /// Frames lost, in thousandths.
    pub loss_permille: u64,
    /// Where the client believes the address to be: the last announcement it heard.
    client: Option<usize>,
    times: Times,
}

/// How long the address was in which condition, since [`Cluster::reset_times`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The client got no answer: the machine it sends to did not hold the address.
    pub unanswered: Duration,
    /// More than one machine held the address.
    pub shared: Duration,
}

impl Cluster {
    /// Starts machines, each with its own address and configuration, on one segment.
    #[must_use]
    pub fn new(nodes: Vec<(IpAddr, Config)>, seed: u64) -> Self {
        let mut cluster = Self {
            now: Instant::ZERO,
            rng: Rng::from_seed(seed),
            machines: nodes.into_iter().map(Machine::new).collect(),
            wire: BTreeMap::new(),
            frames: 0,
            blocked: BTreeSet::new(),
            delay: Duration::from_micros(200),
            loss_permille: 0,
            client: None,
            times: Times::default(),
        };
        for machine in 0..cluster.machines.len() {
            cluster.start(machine);
        }
        cluster
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Runs for this long.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.advance(end);
    }

    /// Starts the process of a machine.
    pub fn start(&mut self, machine: usize) {
        self.with(machine, |m, now| m.start(now, &BTreeSet::new()));
    }

    /// Whether a process runs on a machine.
    #[must_use]
    pub fn is_running(&self, machine: usize) -> bool {
        self.machines.get(machine).is_some_and(|m| m.brain.is_some())
    }

    /// `kill -9` of everything: the kernel keeps the addresses until their leases end.
    pub fn crash(&mut self, machine: usize) {
        self.with(machine, |m, _| m.brain = None);
    }

    /// `kill -9` of pulse alone; a new one adopts what it was master of.
    pub fn restart(&mut self, machine: usize) {
        self.with(machine, |m, now| {
            let masters: BTreeSet<InstanceName> = m
                .brain
                .iter()
                .flat_map(standfast_failover::Brain::snapshot)
                .filter(|instance| instance.router.state == StateName::Master)
                .map(|instance| instance.name)
                .collect();
            m.start(now, &masters);
        });
    }

    /// Freezes the process of a machine: it neither sends nor receives.
    pub fn pause(&mut self, machine: usize, duration: Duration) {
        self.with(machine, |m, now| m.paused_until = Some(now + duration));
    }

    /// Asks a machine to let go and stop.
    pub fn release(&mut self, machine: usize) {
        self.with(machine, |m, now| m.input(now, Input::Release));
    }

    /// A script's result.
    pub fn script(&mut self, machine: usize, name: &str, success: bool) {
        let name = name.into();
        self.with(machine, |m, now| m.input(now, Input::Script { name, success }));
    }

    /// Pulls or plugs the cable of a machine.
    pub fn set_carrier(&mut self, machine: usize, carrier: bool) {
        self.with(machine, |m, now| m.set_carrier(now, carrier));
    }

    /// Lets nothing pass from one machine to another.
    pub fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    /// Lets everything pass again.
    pub fn heal(&mut self) {
        self.blocked.clear();
    }

    /// The machines whose kernel has the shared address.
    #[must_use]
    pub fn holders(&self) -> Vec<usize> {
        let has = |m: &Machine| m.addresses.contains_key(&ADDRESS);
        (0..self.machines.len()).filter(|&at| self.machines.get(at).is_some_and(has)).collect()
    }

    /// Where a client on the segment sends to.
    #[must_use]
    pub const fn client_sends_to(&self) -> Option<usize> {
        self.client
    }

    /// What happened on a machine.
    #[must_use]
    pub fn events(&self, machine: usize) -> &[(Instant, Event)] {
        self.machines.get(machine).map_or(&[], |m| &m.events)
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

    fn with(&mut self, machine: usize, act: impl FnOnce(&mut Machine, Instant)) {
        let now = self.now;
        if let Some(m) = self.machines.get_mut(machine) {
            act(m, now);
        }
        self.collect(machine);
    }

    /// Does the next thing that happens until `end`; false when there is none.
    fn step(&mut self, end: Instant) -> bool {
        let timer = self
            .machines
            .iter()
            .enumerate()
            .filter_map(|(at, machine)| Some((machine.next_deadline()?, at)))
            .min();
        let arrival = self.wire.keys().next().copied();
        let next = timer.map(|(at, _)| at).into_iter().chain(arrival.map(|(at, _)| at)).min();
        let Some(at) = next.filter(|at| *at <= end) else { return false };
        self.advance(at);
        match (arrival, timer) {
            (Some(key), _) if key.0 <= at => self.deliver(key),
            (_, Some((_, machine))) => self.with(machine, Machine::handle_timeout),
            (_, None) => {}
        }
        true
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.saturating_since(self.now);
        let holders = self.holders();
        if self.client.is_none_or(|client| !holders.contains(&client)) {
            self.times.unanswered += passed;
        }
        if holders.len() > 1 {
            self.times.shared += passed;
        }
        self.now = self.now.max(to);
    }

    fn deliver(&mut self, key: (Instant, u64)) {
        let Some((from, to, frame)) = self.wire.remove(&key) else { return };
        match to {
            Some(machine) => self.with(machine, |m, now| m.receive(now, &frame)),
            None => self.client = Some(from),
        }
    }

    /// Puts on the wire what a machine has sent: to every other machine, announcements to the client too.
    fn collect(&mut self, from: usize) {
        let Some(machine) = self.machines.get_mut(from) else { return };
        let carrier = machine.carrier;
        for frame in std::mem::take(&mut machine.sent) {
            let client = matches!(frame, Frame::Announcement(_)).then_some(None);
            let others = (0..self.machines.len()).filter(|to| *to != from).map(Some);
            for to in others.chain(client).collect::<Vec<_>>() {
                let plugged = to.is_none_or(|to| self.machines.get(to).is_some_and(|m| m.carrier));
                let open = to.is_none_or(|to| !self.blocked.contains(&(from, to)));
                if carrier && plugged && open && !self.rng.chance(self.loss_permille) {
                    self.frames += 1;
                    let key = (self.now + self.delay, self.frames);
                    self.wire.insert(key, (from, to, frame.clone()));
                }
            }
        }
    }
}
