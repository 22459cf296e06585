//! All BFD sessions of a machine: which packet belongs to which, and which count as up.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

use standfast_bfd::{Discard, Event as SessionEvent, Input, Packet, Session, State};
use standfast_types::{BfdName, Instant, Rng};

use super::{BfdConfig, BfdEvent, BfdInput, BfdOutput, BfdPath, BfdSnapshot};
use crate::{Event, Output};

/// How long after the kernel refused a socket it is tried again.
const OPEN_RETRY: Duration = Duration::from_secs(1);

/// The sessions by name.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    rng: Rng,
    /// Until the start.
    waiting: Vec<BfdConfig>,
    links: BTreeMap<BfdName, Link>,
    by_number: BTreeMap<NonZeroU32, BfdName>,
    /// Sessions whose sockets the kernel refused; tried again and again.
    refused: BTreeSet<BfdName>,
    retry_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Link {
    name: BfdName,
    path: BfdPath,
    session: Session,
    standing: Standing,
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
            links: BTreeMap::new(),
            by_number: BTreeMap::new(),
            refused: BTreeSet::new(),
            retry_at: None,
        }
    }

    /// Better random numbers than those so far.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Rng::from_seed(seed);
    }

    /// All begin.
    pub(crate) fn start(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        for config in std::mem::take(&mut self.waiting) {
            self.create(now, config, out);
        }
    }

    /// Whether a session counts as up; `None` when that is not known yet, or there is no such session.
    pub(crate) fn up(&self, name: &BfdName) -> Option<bool> {
        match self.links.get(name)?.standing {
            Standing::Pending(_) => None,
            Standing::Up => Some(true),
            Standing::Down => Some(false),
        }
    }

    /// Whether any session counts as something else afterwards.
    pub(crate) fn handle_input(
        &mut self,
        now: Instant,
        input: &BfdInput<'_>,
        out: &mut VecDeque<Output>,
    ) -> bool {
        match *input {
            BfdInput::Packet { source, ttl, multihop, payload } => {
                self.handle_packet(now, (source, multihop), ttl, payload, out)
            }
            BfdInput::Refused { ref name } => {
                self.refused.insert(name.clone());
                self.retry_at.get_or_insert(now + OPEN_RETRY);
                false
            }
        }
    }

    /// Does what is due. Whether any session counts as something else afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) -> bool {
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            for name in std::mem::take(&mut self.refused) {
                out.extend(self.links.get(&name).map(Link::open));
            }
        }
        let mut changed = false;
        for link in self.links.values_mut() {
            if link.next_deadline().is_some_and(|at| at <= now) {
                changed |= link.handle_timeout(now, out);
            }
        }
        changed
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.links.values().filter_map(Link::next_deadline).chain(self.retry_at).min()
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
        let names: Vec<_> = self.links.keys().cloned().collect();
        for name in names {
            let Some(link) = self.links.get_mut(&name) else { continue };
            match wanted.remove(&name) {
                Some(config) if link.path.has_ends_of(&config.path) => {
                    link.reconfigure(now, &config, out);
                }
                Some(config) => {
                    self.delete(now, &name, out);
                    self.create(now, config, out);
                }
                None => {
                    self.delete(now, &name, out);
                    out.push_back(emit(BfdEvent::Deleted { name }));
                }
            }
        }
        for config in wanted.into_values() {
            self.create(now, config, out);
        }
    }

    /// Tells every neighbour that we stop.
    pub(crate) fn release(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        for link in self.links.values_mut() {
            link.session.handle_input(now, Input::Release);
            link.drain(out);
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
        self.links.values().map(snapshot).collect()
    }

    fn create(&mut self, now: Instant, config: BfdConfig, out: &mut VecDeque<Output>) {
        let BfdConfig { name, path, session } = config;
        let number = self.free_number();
        let link = Link {
            name: name.clone(),
            path,
            session: Session::new(session, number, self.rng.next_u64(), now),
            standing: Standing::Pending(now + session.idle_tx),
        };
        out.push_back(link.open());
        self.by_number.insert(number, name.clone());
        self.links.insert(name, link);
    }

    fn delete(&mut self, now: Instant, name: &BfdName, out: &mut VecDeque<Output>) {
        let Some(mut link) = self.links.remove(name) else { return };
        self.by_number.retain(|_, holder| holder != name);
        self.refused.remove(name);
        link.session.handle_input(now, Input::Release);
        link.drain(out);
        out.push_back(Output::Bfd(BfdOutput::Close { name: name.clone() }));
    }

    /// A discriminator that no session has, hard to guess for others (RFC 5880, section 9).
    fn free_number(&mut self) -> NonZeroU32 {
        loop {
            let [number, _] = halves(self.rng.next_u64());
            if let Some(number) = NonZeroU32::new(number)
                && !self.by_number.contains_key(&number)
            {
                return number;
            }
        }
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        from: (IpAddr, bool),
        ttl: u8,
        payload: &[u8],
        out: &mut VecDeque<Output>,
    ) -> bool {
        let packet = Packet::parse(payload).map_err(Discard::Malformed);
        match packet.and_then(|packet| Ok((packet, self.addressee(from, &packet)?))) {
            Ok((packet, link)) => {
                link.session.handle_input(now, Input::Packet { ttl, packet });
                link.drain(out)
            }
            Err(reason) => {
                out.push_back(emit(BfdEvent::Refused { source: from.0, reason }));
                false
            }
        }
    }

    /// Whose packet it is (RFC 5880, section 6.8.6): the number decides where it is given, and must
    /// fit the neighbour.
    fn addressee(&mut self, from: (IpAddr, bool), packet: &Packet) -> Result<&mut Link, Discard> {
        let is_from = |link: &&mut Link| (link.path.neighbor, link.path.multihop) == from;
        match packet.your_discriminator {
            Some(number) => {
                let link = self.by_number.get(&number).and_then(|name| self.links.get_mut(name));
                link.filter(is_from).ok_or(Discard::Discriminator)
            }
            None => self.links.values_mut().find(is_from).ok_or(Discard::NoSession),
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
            SessionEvent::Transition { from: State::Up, .. } => self.standing = Standing::Down,
            SessionEvent::Transition { .. }
            | SessionEvent::Agreed { .. }
            | SessionEvent::Late { .. }
            | SessionEvent::Discarded(_) => {}
        }
    }
}

impl BfdPath {
    fn has_ends_of(&self, other: &Self) -> bool {
        let ends = |path: &Self| (path.neighbor, path.source, path.multihop);
        ends(self) == ends(other)
    }
}

const fn emit(event: BfdEvent) -> Output {
    Output::Emit(Event::Bfd(event))
}

fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests;
