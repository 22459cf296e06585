//! All BFD sessions of a machine: which packet belongs to which, and which count as up.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

use standfast_bfd::{Bond, Discard, Event as SessionEvent, Input, Packet, Session, State};
use standfast_types::{BfdName, Instant, Rng};

use super::{BfdConfig, BfdEvent, BfdInput, BfdOutput, BfdPath, BfdSnapshot};
use crate::{Event, Output};

/// How long after the kernel refused a socket it is tried again.
const OPEN_RETRY: Duration = Duration::from_secs(1);

/// The sessions.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    rng: Rng,
    /// Until the start.
    waiting: Vec<BfdConfig>,
    /// Of a process that died a moment ago, until the start: with whom, and what was agreed.
    bonds: BTreeMap<BfdName, (IpAddr, Bond)>,
    /// By our numbers of them.
    links: BTreeMap<Number, Link>,
    names: BTreeMap<BfdName, Number>,
    neighbors: BTreeMap<Neighbor, Number>,
    /// The deadline of each that has one, soonest first.
    timers: BTreeSet<(Instant, Number)>,
    /// Sessions whose sockets the kernel refused; tried again and again.
    refused: BTreeSet<Number>,
    retry_at: Option<Instant>,
}

type Number = NonZeroU32;
/// With its address, whether it is reached across routers.
type Neighbor = (IpAddr, bool);

#[derive(Clone, Debug)]
struct Link {
    name: BfdName,
    path: BfdPath,
    session: Session,
    standing: Standing,
    /// Its deadline as it stands among the timers.
    scheduled: Option<Instant>,
}

/// What those who follow a session are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is new: its neighbour has until then to answer.
    Pending(Instant),
    Up,
    Down,
}

impl Sessions {
    /// Sessions that wait for [`Self::start`].
    pub(crate) fn new(configs: Vec<BfdConfig>, seed: u64) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            waiting: configs,
            bonds: BTreeMap::new(),
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            neighbors: BTreeMap::new(),
            timers: BTreeSet::new(),
            refused: BTreeSet::new(),
            retry_at: None,
        }
    }

    /// Better random numbers than those so far.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Rng::from_seed(seed);
    }

    /// All begin, or go on.
    pub(crate) fn start(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let mut bonds = std::mem::take(&mut self.bonds);
        for config in std::mem::take(&mut self.waiting) {
            let bond = bonds.remove(&config.name);
            let bond = bond.filter(|(neighbor, _)| *neighbor == config.path.neighbor);
            self.create(now, config, bond.map(|(_, bond)| bond), out);
        }
    }

    /// Whether a session counts as up; `None` when that is not known yet, or there is no such session.
    pub(crate) fn up(&self, name: &BfdName) -> Option<bool> {
        match self.links.get(self.names.get(name)?)?.standing {
            Standing::Pending(_) => None,
            Standing::Up => Some(true),
            Standing::Down => Some(false),
        }
    }

    /// Whether any session counts as something else afterwards.
    pub(crate) fn handle_input(
        &mut self,
        now: Instant,
        input: BfdInput<'_>,
        out: &mut VecDeque<Output>,
    ) -> bool {
        match input {
            BfdInput::Packet { source, ttl, multihop, payload } => {
                return self.handle_packet(now, (source, multihop), ttl, payload, out);
            }
            BfdInput::Refused { name } => {
                self.refused.extend(self.names.get(&name));
                self.retry_at.get_or_insert(now + OPEN_RETRY);
            }
            BfdInput::Resume { name, neighbor, bond } => {
                self.bonds.insert(name, (neighbor, bond));
            }
        }
        false
    }

    /// Does what is due. Whether any session counts as something else afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) -> bool {
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            for number in std::mem::take(&mut self.refused) {
                out.extend(self.links.get(&number).map(Link::open));
            }
        }
        let mut changed = false;
        let due = self.timers.range(..=(now, Number::MAX)).map(|&(_, number)| number);
        for number in due.collect::<Vec<_>>() {
            changed |= self.change(number, |link| link.handle_timeout(now, out)).unwrap_or(false);
        }
        changed
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at).into_iter().chain(self.retry_at).min()
    }

    /// Takes a new configuration. Sessions between the same ends stay up.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        configs: Vec<BfdConfig>,
        out: &mut VecDeque<Output>,
    ) {
        let mut wanted: BTreeMap<_, _> =
            configs.into_iter().map(|config| (config.name.clone(), config)).collect();
        for (name, number) in self.names.clone() {
            let kept = |config: &BfdConfig| {
                self.links.get(&number).is_some_and(|link| link.path.has_ends_of(&config.path))
            };
            match wanted.get(&name) {
                Some(config) if kept(config) => {
                    self.change(number, |link| link.reconfigure(now, config, out));
                    wanted.remove(&name);
                }
                Some(_) => self.delete(now, &name, out),
                None => {
                    self.delete(now, &name, out);
                    out.push_back(emit(BfdEvent::Deleted { name }));
                }
            }
        }
        for config in wanted.into_values() {
            self.create(now, config, None, out);
        }
    }

    /// Tells every neighbour that we stop.
    pub(crate) fn release(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let numbers: Vec<_> = self.links.keys().copied().collect();
        for number in numbers {
            self.change(number, |link| link.release(now, out));
        }
    }

    /// Every session as seen from outside, by name.
    pub(crate) fn snapshot(&self) -> Vec<BfdSnapshot> {
        let snapshot = |link: &Link| BfdSnapshot {
            name: link.name.clone(),
            neighbor: link.path.neighbor,
            up: self.up(&link.name),
            session: link.session.snapshot(),
        };
        self.names.values().filter_map(|number| self.links.get(number)).map(snapshot).collect()
    }

    fn create(
        &mut self,
        now: Instant,
        config: BfdConfig,
        bond: Option<Bond>,
        out: &mut VecDeque<Output>,
    ) {
        let BfdConfig { name, path, session: config } = config;
        let seed = self.rng.next_u64();
        let bond = bond.filter(|bond| !self.links.contains_key(&bond.discriminator));
        let (number, session, standing) = match bond {
            Some(bond) => {
                let session = Session::resume(config, &bond, seed, now);
                (bond.discriminator, session, Standing::Up)
            }
            None => {
                let number = self.free_number();
                let session = Session::new(config, number, seed, now);
                (number, session, Standing::Pending(now + config.idle_tx))
            }
        };
        let link = Link { name: name.clone(), path, session, standing, scheduled: None };
        out.push_back(link.open());
        self.names.insert(name, number);
        self.neighbors.insert(path.neighbor(), number);
        self.links.insert(number, link);
        self.change(number, |_| ());
    }

    fn delete(&mut self, now: Instant, name: &BfdName, out: &mut VecDeque<Output>) {
        let Some(number) = self.names.remove(name) else { return };
        self.change(number, |link| link.release(now, out));
        self.neighbors.retain(|_, holder| *holder != number);
        self.timers.retain(|(_, holder)| *holder != number);
        self.refused.remove(&number);
        self.links.remove(&number);
        out.push_back(Output::Bfd(BfdOutput::Close { name: name.clone() }));
    }

    /// A discriminator that no session has, hard to guess for others (RFC 5880, section 9).
    fn free_number(&mut self) -> Number {
        loop {
            let [a, b, c, d, ..] = self.rng.next_u64().to_be_bytes();
            if let Some(number) = Number::new(u32::from_be_bytes([a, b, c, d]))
                && !self.links.contains_key(&number)
            {
                return number;
            }
        }
    }

    /// Does something to a session, and keeps its deadline.
    fn change<T>(&mut self, number: Number, what: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let link = self.links.get_mut(&number)?;
        let result = what(link);
        let at = link.next_deadline();
        let before = std::mem::replace(&mut link.scheduled, at);
        if before != at {
            self.timers.extend(at.map(|at| (at, number)));
            if let Some(before) = before {
                self.timers.remove(&(before, number));
            }
        }
        Some(result)
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        from: Neighbor,
        ttl: u8,
        payload: &[u8],
        out: &mut VecDeque<Output>,
    ) -> bool {
        let packet = Packet::parse(payload).map_err(Discard::Malformed);
        match packet.and_then(|packet| Ok((packet, self.addressee(from, &packet)?))) {
            Ok((packet, number)) => {
                let input = Input::Packet { ttl, packet };
                self.change(number, |link| link.handle_input(now, input, out)).unwrap_or(false)
            }
            Err(reason) => {
                out.push_back(emit(BfdEvent::Refused { source: from.0, reason }));
                false
            }
        }
    }

    /// Whose packet it is (RFC 5880, section 6.8.6): the number decides where it is given, and must
    /// fit the neighbour.
    fn addressee(&self, from: Neighbor, packet: &Packet) -> Result<Number, Discard> {
        match packet.your_discriminator {
            Some(number) => {
                let link = self.links.get(&number);
                let fits = link.is_some_and(|link| link.path.neighbor() == from);
                if fits { Ok(number) } else { Err(Discard::Discriminator) }
            }
            None => self.neighbors.get(&from).copied().ok_or(Discard::NoSession),
        }
    }
}

impl Link {
    fn open(&self) -> Output {
        Output::Bfd(BfdOutput::Open { name: self.name.clone(), path: self.path })
    }

    fn next_deadline(&self) -> Option<Instant> {
        let session = self.session.next_deadline().map(|(at, _)| at);
        let pending = match self.standing {
            Standing::Pending(until) => Some(until),
            Standing::Up | Standing::Down => None,
        };
        session.into_iter().chain(pending).min()
    }

    fn handle_input(&mut self, now: Instant, input: Input, out: &mut VecDeque<Output>) -> bool {
        self.session.handle_input(now, input);
        self.drain(out)
    }

    fn release(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        self.handle_input(now, Input::Release, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) -> bool {
        self.session.handle_timeout(now);
        let changed = self.drain(out);
        if matches!(self.standing, Standing::Pending(until) if until <= now) {
            self.standing = Standing::Down;
            let (name, neighbor) = (self.name.clone(), self.path.neighbor);
            out.push_back(emit(BfdEvent::Unanswered { name, neighbor }));
            return true;
        }
        changed
    }

    fn reconfigure(&mut self, now: Instant, config: &BfdConfig, out: &mut VecDeque<Output>) {
        if self.path != config.path {
            self.path = config.path;
            out.push_back(self.open());
        }
        self.session.reconfigure(now, config.session);
        self.drain(out);
    }

    /// Passes on what the session wants. Whether it counts as something else now.
    fn drain(&mut self, out: &mut VecDeque<Output>) -> bool {
        let before = self.standing;
        while let Some(output) = self.session.poll_output() {
            out.push_back(match output {
                standfast_bfd::Output::Transmit(packet) => {
                    Output::Bfd(BfdOutput::Send { name: self.name.clone(), payload: packet.emit() })
                }
                standfast_bfd::Output::Event(event) => {
                    self.follow(event);
                    let (name, neighbor) = (self.name.clone(), self.path.neighbor);
                    emit(BfdEvent::Session { name, neighbor, event })
                }
            });
        }
        before != self.standing
    }

    fn follow(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Transition { to: State::Up, .. } => self.standing = Standing::Up,
            // We stop: that says nothing of the neighbour, and whoever follows it still serves.
            SessionEvent::Transition { to: State::AdminDown, .. } => {}
            SessionEvent::Transition { from: State::Up, .. } => self.standing = Standing::Down,
            SessionEvent::Transition { .. }
            | SessionEvent::Agreed(_)
            | SessionEvent::Late { .. }
            | SessionEvent::Discarded(_) => {}
        }
    }
}

impl BfdPath {
    const fn neighbor(&self) -> Neighbor {
        (self.neighbor, self.multihop)
    }

    fn has_ends_of(&self, other: &Self) -> bool {
        let ends = |path: &Self| (path.neighbor, path.source, path.multihop);
        ends(self) == ends(other)
    }
}

const fn emit(event: BfdEvent) -> Output {
    Output::Emit(Event::Bfd(event))
}

#[cfg(test)]
mod tests;
