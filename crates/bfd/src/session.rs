//! The session: states, timers and poll sequences (RFC 5880, section 6.8).

use std::{collections::VecDeque, num::NonZeroU32, time::Duration};

use standfast_types::{Instant, Rng};

use crate::{
    Bond, Cause, Config, Diagnostic, Discard, Event, Input, Output, Packet, Reason, Role, State,
    peer::Peer,
};

/// One BFD session.
#[derive(Clone, Debug)]
pub struct Session {
    config: Config,
    /// Our number of the session (`bfd.LocalDiscr`).
    discriminator: NonZeroU32,
    rng: Rng,
    state: State,
    since: Instant,
    diagnostic: Diagnostic,
    /// `None` while the neighbour is silent.
    peer: Option<Peer>,
    /// What an unanswered poll has not put into force yet (RFC 5880, section 6.8.3).
    in_use: Intervals,
    poll: Poll,
    sent_at: Instant,
    send_at: Option<Instant>,
    /// What was last said about the pace.
    agreed: Option<Bond>,
    outputs: VecDeque<Output>,
}

/// One interval each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Intervals {
    transmit: Duration,
    receive: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    Idle,
    Running,
    /// Running, and something else changed: what answers may answer an older packet.
    Again,
}

/// What can be seen of a session from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why it last left Up.
    pub diagnostic: Diagnostic,
    /// Our number of it.
    pub discriminator: NonZeroU32,
    /// The neighbour's number of it, unless the neighbour is silent.
    pub remote_discriminator: Option<NonZeroU32>,
    /// The neighbour's state, unless it is silent.
    pub remote_state: Option<State>,
    /// The time between two of our packets, without jitter.
    pub transmit: Duration,
    /// After so long a silence the neighbour is given up, unless it is silent.
    pub detection: Option<Duration>,
}

impl Session {
    /// A session that begins at once. `discriminator` is unique among the sessions of this machine; `seed`
    /// gives the jitter.
    #[must_use]
    pub fn new(config: Config, discriminator: NonZeroU32, seed: u64, now: Instant) -> Self {
        let mut session = Self {
            config,
            discriminator,
            rng: Rng::from_seed(seed),
            state: State::Down,
            since: now,
            diagnostic: Diagnostic::NONE,
            peer: None,
            in_use: Intervals { transmit: config.idle_tx, receive: config.required_min_rx },
            poll: Poll::Idle,
            sent_at: now,
            send_at: None,
            agreed: None,
            outputs: VecDeque::new(),
        };
        session.send_at = session.speaks().then_some(now);
        session
    }

    /// A session that was up in a process that died a moment ago: it goes on, and asks the neighbour at
    /// once whether it does too.
    #[must_use]
    pub fn resume(config: Config, bond: &Bond, seed: u64, now: Instant) -> Self {
        let mut session = Self::new(config, bond.discriminator, seed, now);
        session.state = State::Up;
        session.peer = Some(Peer::resume(now, bond));
        session.poll = Poll::Running;
        session.in_use.transmit = config.desired_min_tx;
        session.send_at = Some(now);
        session
    }

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Packet { ttl, packet } => match self.refusal(ttl, &packet) {
                Some(reason) => self.emit(Event::Discarded(reason)),
                None => self.handle_packet(now, &packet),
            },
            Input::Release => self.release(now),
        }
    }

    /// Does what is due at `now`. Whatever has arrived must be handed in before.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.forgive_own_lateness(now);
        if let Some(peer) = self.peer.filter(|peer| peer.is_silent(now)) {
            self.lose(now, &peer);
        }
        if self.send_at.is_some_and(|at| at <= now) {
            self.transmit(now);
        }
    }

    /// The next thing to do. Call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Reason)> {
        let transmit = self.send_at.map(|at| (at, Reason::Transmit));
        let detection = self.peer.map(|peer| (peer.silent_at, Reason::Detection));
        transmit.into_iter().chain(detection).min_by_key(|(at, _)| *at)
    }

    /// What can be seen of it from outside.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.state,
            since: self.since,
            diagnostic: self.diagnostic,
            discriminator: self.discriminator,
            remote_discriminator: self.peer.map(|peer| peer.discriminator),
            remote_state: self.peer.map(|peer| peer.state),
            transmit: self.interval(),
            detection: self.peer.map(|peer| peer.patience),
        }
    }

    /// Takes new intervals without going down: by a poll sequence while it is up.
    pub fn reconfigure(&mut self, now: Instant, config: Config) {
        let before = std::mem::replace(&mut self.config, config);
        if before == config || self.state == State::AdminDown {
            return;
        }
        let intervals = |config: &Config| (config.desired_min_tx, config.required_min_rx);
        if self.state == State::Up && intervals(&before) != intervals(&config) {
            self.start_poll();
        }
        self.use_intervals();
        // The neighbour measures us by what it was told last.
        self.transmit(now);
    }

    /// Why this packet is not for this session.
    fn refusal(&self, ttl: u8, packet: &Packet) -> Option<Discard> {
        if ttl < self.config.min_ttl {
            return Some(Discard::Ttl);
        }
        let named = packet.your_discriminator;
        named.is_some_and(|named| named != self.discriminator).then_some(Discard::Discriminator)
    }

    /// RFC 5880, section 6.8.6, from where the packet has its session.
    fn handle_packet(&mut self, now: Instant, packet: &Packet) {
        if self.state == State::AdminDown {
            return;
        }
        let pace = (self.speaks(), self.interval());
        if packet.is_final {
            self.poll_answered(now);
        }
        self.peer = Some(Peer::hear(now, packet, self.in_use.receive, self.peer.as_ref()));
        self.follow(now, packet);
        if pace != (self.speaks(), self.interval()) {
            self.schedule();
        }
        if packet.poll {
            let answer = Packet { poll: false, is_final: true, ..self.packet() };
            self.outputs.push_back(Output::Transmit(answer));
        } else {
            self.agree();
        }
    }

    /// The step that the neighbour's state demands.
    fn follow(&mut self, now: Instant, packet: &Packet) {
        match (self.state, packet.state) {
            (State::Down, State::Down) => self.transition(now, State::Init, Cause::Handshake),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.transition(now, State::Up, Cause::Handshake);
            }
            (State::Init | State::Up, State::AdminDown) => {
                self.fall(now, Diagnostic::NEIGHBOR_SIGNALED, Cause::NeighborAdmin);
            }
            (State::Up, State::Down) => {
                let cause = Cause::Neighbor { diagnostic: packet.diagnostic };
                self.fall(now, Diagnostic::NEIGHBOR_SIGNALED, cause);
            }
            (State::AdminDown, _)
            | (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up) => {}
        }
    }

    /// The neighbour was silent for the detection time (RFC 5880, sections 6.8.1 and 6.8.4).
    fn lose(&mut self, now: Instant, peer: &Peer) {
        self.peer = None;
        match self.state {
            State::Init | State::Up => {
                let lasted = now.saturating_since(peer.heard_at);
                self.fall(now, Diagnostic::TIME_EXPIRED, Cause::Silence { lasted });
            }
            State::Down | State::AdminDown => self.schedule(),
        }
    }

    /// Whoever is late by more than the neighbour leaves between two packets was deaf meanwhile, and
    /// must listen before it gives anybody up.
    fn forgive_own_lateness(&mut self, now: Instant) {
        let Some((due, _)) = self.next_deadline() else { return };
        let Some(peer) = &mut self.peer else { return };
        let by = now.saturating_since(due);
        if by <= peer.interval {
            return;
        }
        let would_fall = peer.is_silent(now);
        peer.listen_again(now);
        if would_fall && self.state == State::Up {
            self.emit(Event::Late { by });
        }
    }

    fn release(&mut self, now: Instant) {
        if self.state == State::AdminDown {
            return;
        }
        // One packet: should it be lost, the neighbour's detection time says the same soon after.
        self.diagnostic = Diagnostic::ADMIN_DOWN;
        self.transition(now, State::AdminDown, Cause::Released);
        self.peer = None;
    }

    fn fall(&mut self, now: Instant, diagnostic: Diagnostic, cause: Cause) {
        self.diagnostic = diagnostic;
        self.transition(now, State::Down, cause);
    }

    fn transition(&mut self, now: Instant, to: State, cause: Cause) {
        let from = std::mem::replace(&mut self.state, to);
        let since = std::mem::replace(&mut self.since, now);
        let lasted = now.saturating_since(since);
        self.emit(Event::Transition { from, to, cause, lasted });
        self.agreed = None;
        if to == State::Up {
            // We say another interval than before: the neighbour shall confirm it.
            self.start_poll();
        }
        self.use_intervals();
        self.transmit(now);
    }

    fn start_poll(&mut self) {
        self.poll = match self.poll {
            Poll::Idle => Poll::Running,
            Poll::Running | Poll::Again => Poll::Again,
        };
    }

    fn poll_answered(&mut self, now: Instant) {
        match self.poll {
            Poll::Idle => {}
            Poll::Running => {
                self.poll = Poll::Idle;
                self.in_use = self.wanted();
            }
            Poll::Again => {
                self.poll = Poll::Running;
                self.transmit(now);
            }
        }
    }

    /// Puts into force what needs no answer: while up, only what the neighbour cannot mistake for
    /// silence (RFC 5880, section 6.8.3).
    fn use_intervals(&mut self) {
        let wanted = self.wanted();
        if self.state == State::Up {
            self.in_use.transmit = self.in_use.transmit.min(wanted.transmit);
            self.in_use.receive = self.in_use.receive.max(wanted.receive);
        } else {
            self.poll = Poll::Idle;
            self.in_use = wanted;
        }
    }

    /// What we say that we want.
    fn wanted(&self) -> Intervals {
        let Config { desired_min_tx, idle_tx, required_min_rx: receive, .. } = self.config;
        let transmit =
            if self.state == State::Up { desired_min_tx } else { idle_tx.max(desired_min_tx) };
        Intervals { transmit, receive }
    }

    /// The time between two of our packets, without jitter.
    fn interval(&self) -> Duration {
        let asked = self.peer.map_or(Duration::ZERO, |peer| peer.required_min_rx);
        self.in_use.transmit.max(asked)
    }

    /// Whether packets may be sent without being asked for (RFC 5880, section 6.8.7).
    fn speaks(&self) -> bool {
        if self.state == State::AdminDown {
            return false;
        }
        let Some(peer) = &self.peer else { return self.config.role == Role::Active };
        let both_up = self.state == State::Up && peer.state == State::Up;
        let spared = peer.demand && both_up && self.poll == Poll::Idle;
        !spared && !peer.required_min_rx.is_zero()
    }

    /// Sends a packet now, if the neighbour wants any, and plans the next.
    fn transmit(&mut self, now: Instant) {
        // The last word of a session that ends is sent whatever was agreed.
        let last_word = self.state == State::AdminDown && self.peer.is_some();
        if self.speaks() || last_word {
            let packet = self.packet();
            self.outputs.push_back(Output::Transmit(packet));
            self.sent_at = now;
        }
        self.schedule();
    }

    /// Plans the next packet: an interval after the last, less 0 to 25 %, or 10 to 25 % where a single
    /// missing packet counts (RFC 5880, section 6.8.7).
    fn schedule(&mut self) {
        let least = if self.config.detect_mult.get() == 1 { 100 } else { 0 };
        let permille = u32::try_from(self.rng.below(251 - least)).unwrap_or(0);
        let kept = 1000 - u32::try_from(least).unwrap_or(0) - permille;
        let wait = self.interval() * kept / 1000;
        self.send_at = self.speaks().then(|| self.sent_at + wait);
    }

    fn packet(&self) -> Packet {
        let wanted = self.wanted();
        Packet {
            state: self.state,
            diagnostic: self.diagnostic,
            poll: self.poll != Poll::Idle,
            is_final: false,
            control_plane_independent: false,
            demand: false,
            detect_mult: self.config.detect_mult,
            my_discriminator: self.discriminator,
            your_discriminator: self.peer.map(|peer| peer.discriminator),
            desired_min_tx: micros(wanted.transmit),
            required_min_rx: micros(wanted.receive),
            required_min_echo_rx: 0,
        }
    }

    /// Says what was agreed, whenever that is news.
    fn agree(&mut self) {
        let Some(peer) = self.peer.filter(|_| self.state == State::Up && self.poll == Poll::Idle)
        else {
            return;
        };
        let bond = Bond {
            discriminator: self.discriminator,
            remote_discriminator: peer.discriminator,
            transmit: self.interval(),
            detection: peer.patience,
        };
        if self.agreed.replace(bond) != Some(bond) {
            self.emit(Event::Agreed(bond));
        }
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

fn micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
