//! Every interleaving of two and three routers, to a depth: each message in flight may arrive next, get
//! lost or come twice, timers fire, machines pause and crash. The engine is the daemon's own.
//!
//! In every state that is reached an address is held in MASTER only, and every state, left alone from
//! there, ends within the bound with exactly one master, the right one, and stays so.
//!
//! The search is depth first; what was seen with as many steps left is not looked into again. Times count
//! relative to now, so the same situation later is the same state.

use std::{
    collections::HashMap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use standfast_types::{Instant, Priority, Vrid};
use standfast_vrrp::{
    Config, Datagram, Envelope, Input, Output, Preempt, Router, StateName, Transport, Version,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// No message is under way for longer.
const REACH: Duration = Duration::from_millis(400);
/// A hold time, a late one's second listening, the preemption and its advert: see the simulator.
const CONVERGED: Duration = Duration::from_millis(4_000 + 2_000 + 2_000 + 800);
const QUIET: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Node {
    /// `None` after a crash.
    router: Option<Router>,
    holds: bool,
    paused: bool,
}

#[derive(Clone)]
struct Message {
    sent: Instant,
    from: usize,
    to: usize,
    payload: Vec<u8>,
}

#[derive(Clone)]
struct World {
    now: Instant,
    nodes: Vec<Node>,
    wire: Vec<Message>,
    /// How many more things may go wrong.
    faults: u8,
    changed_at: Instant,
    preempt: Preempt,
    priorities: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Deliver(usize),
    Lose(usize),
    Double(usize),
    Fire,
    Pause(usize),
    Wake(usize),
    Crash(usize),
    Start(usize),
    Adopt(usize),
}

fn address(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1 + u8::try_from(node).expect("few")))
}

impl World {
    fn new(priorities: &[u8], preempt: Preempt, faults: u8) -> Self {
        let node = Node { router: None, holds: false, paused: false };
        let mut world = Self {
            now: Instant::ZERO,
            nodes: vec![node; priorities.len()],
            wire: Vec::new(),
            faults,
            changed_at: Instant::ZERO,
            preempt,
            priorities: priorities.to_vec(),
        };
        (0..priorities.len()).for_each(|node| world.apply(Action::Start(node)));
        world
    }

    fn settled(priorities: &[u8], preempt: Preempt, faults: u8) -> Self {
        let mut world = Self::new(priorities, preempt, faults);
        world.run(CONVERGED);
        world
    }

    fn config(&self, node: usize) -> Config {
        let priority = Priority::new(self.priorities[node]).expect("not 0");
        let mut config = Config::new(Vrid::new(51).expect("not 0"), priority);
        config.version = Version::V3;
        config.addresses = vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100))];
        config.preempt = self.preempt;
        config
    }

    fn state(&self, node: usize) -> Option<StateName> {
        self.nodes[node].router.as_ref().map(|router| router.snapshot().state)
    }

    fn masters(&self) -> Vec<usize> {
        let master = |node: &usize| self.state(*node) == Some(StateName::Master);
        (0..self.nodes.len()).filter(master).collect()
    }

    fn feed(&mut self, at: usize, act: impl FnOnce(&mut Router, Instant)) {
        let (now, others) = (self.now, self.nodes.len());
        let node = &mut self.nodes[at];
        let Some(router) = &mut node.router else { return };
        act(router, now);
        let (mut fresh, mut announced) = (false, false);
        while let Some(output) = router.poll_output() {
            match output {
                Output::Advertise { priority } => {
                    let mut payload = Vec::new();
                    router.emit_advert(priority, address(at), Transport::GROUP, &mut payload);
                    for to in (0..others).filter(|to| *to != at) {
                        let payload = payload.clone();
                        self.wire.push(Message { sent: now, from: at, to, payload });
                    }
                }
                Output::Hold => {
                    fresh = !std::mem::replace(&mut node.holds, true);
                    self.changed_at = now;
                }
                Output::LetGo => {
                    node.holds = false;
                    self.changed_at = now;
                }
                Output::Announce { .. } => announced = true,
                Output::Event(_) => {}
            }
        }
        let master = router.snapshot().state == StateName::Master;
        assert_eq!(node.holds, master, "an address is held in MASTER, and only there");
        assert!(!fresh || announced, "a new address is announced");
    }

    fn deliver(&mut self, message: &Message) {
        if !self.nodes[message.to].paused {
            let (source, destination) = (address(message.from), Transport::GROUP);
            let datagram = Datagram {
                source,
                destination,
                ttl: 255,
                envelope: Envelope::Bare,
                payload: &message.payload,
            };
            self.feed(message.to, |router, now| {
                router.handle_input(now, Input::Datagram(datagram))
            });
        }
    }

    fn start(&mut self, at: usize, adopt: bool) {
        let mut router = Router::new(self.config(at), self.now);
        router.handle_input(self.now, Input::Source(address(at)));
        let node = &mut self.nodes[at];
        node.router = Some(router);
        node.paused = false;
        // What is left of its last life is removed or adopted.
        node.holds &= adopt;
        let begin = if node.holds { Input::Adopt } else { Input::Start };
        self.feed(at, |router, now| router.handle_input(now, begin));
    }

    /// When the next timer of a running, unpaused machine fires.
    fn timer(&self) -> Option<(Instant, usize)> {
        let awake = self.nodes.iter().enumerate().filter(|(_, node)| !node.paused);
        let next = |(at, node): (usize, &Node)| {
            node.router.as_ref()?.next_deadline().map(|(deadline, _)| (deadline, at))
        };
        awake.filter_map(next).min()
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for at in 0..self.wire.len() {
            actions.push(Action::Deliver(at));
            if self.faults > 0 {
                actions.extend([Action::Lose(at), Action::Double(at)]);
            }
        }
        // What is under way arrives or is lost before its time is over.
        let in_time = |at: Instant| self.wire.iter().all(|message| message.sent + REACH >= at);
        if self.timer().is_some_and(|(at, _)| in_time(at)) {
            actions.push(Action::Fire);
        }
        for (at, node) in self.nodes.iter().enumerate() {
            match (&node.router, node.paused) {
                (None, _) => actions.extend([Action::Start(at), Action::Adopt(at)]),
                (Some(_), true) => actions.push(Action::Wake(at)),
                (Some(_), false) if self.faults > 0 => {
                    actions.extend([Action::Pause(at), Action::Crash(at)]);
                }
                (Some(_), false) => {}
            }
        }
        actions
    }

    fn apply(&mut self, action: Action) {
        let fault = |world: &mut Self| world.faults = world.faults.saturating_sub(1);
        match action {
            Action::Deliver(at) => {
                let message = self.wire.remove(at);
                self.deliver(&message);
            }
            Action::Lose(at) => {
                fault(self);
                self.wire.remove(at);
            }
            Action::Double(at) => {
                fault(self);
                let message = self.wire[at].clone();
                self.deliver(&message);
            }
            Action::Fire => {
                if let Some((at, node)) = self.timer() {
                    self.now = self.now.max(at);
                    self.feed(node, Router::handle_timeout);
                }
            }
            Action::Pause(at) => {
                fault(self);
                self.nodes[at].paused = true;
            }
            Action::Wake(at) => {
                self.nodes[at].paused = false;
                self.feed(at, Router::handle_timeout);
            }
            Action::Crash(at) => {
                fault(self);
                self.nodes[at].router = None;
            }
            Action::Start(at) => self.start(at, false),
            Action::Adopt(at) => self.start(at, true),
        }
    }

    /// Lets it run without faults: every message takes a millisecond.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let arrival = self.wire.first().map(|first| {
                let way = first.sent + Duration::from_millis(1);
                way.max(self.now)
            });
            let timer = self.timer().map(|(at, _)| at.max(self.now));
            let next = arrival.into_iter().chain(timer).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = next;
            self.apply(if arrival == Some(next) { Action::Deliver(0) } else { Action::Fire });
        }
        self.now = end;
    }

    /// Left alone, it ends with one master, the right one.
    fn check_that_it_settles(&self) {
        let mut world = self.clone();
        let before = self.masters();
        for at in 0..world.nodes.len() {
            if world.nodes[at].router.is_none() {
                world.apply(Action::Start(at));
            } else if world.nodes[at].paused {
                world.apply(Action::Wake(at));
            }
        }
        let healed = world.now;
        world.run(CONVERGED + QUIET);
        let took = world.changed_at.saturating_since(healed);
        assert!(took <= CONVERGED, "still moving after {took:?}");
        let masters = world.masters();
        let &[master] = masters.as_slice() else { panic!("masters: {masters:?}") };
        let highest = *self.priorities.iter().max().expect("some");
        let floor = before.iter().map(|at| self.priorities[*at]).max().unwrap_or(0);
        match self.preempt {
            Preempt::Always | Preempt::After(_) => assert_eq!(world.priorities[master], highest),
            // A master that crashed or paused may have lost it to a lower one.
            Preempt::Never => {
                let kept = before
                    .iter()
                    .all(|at| self.nodes[*at].router.is_some() && !self.nodes[*at].paused);
                assert!(!kept || world.priorities[master] >= floor);
            }
        }
    }

    /// The same for all states that behave alike from here on.
    fn fingerprint(&self) -> u64 {
        let mut text = String::new();
        for node in &self.nodes {
            let router = format!("{:?}", node.router);
            // Neither configuration nor counters decide what happens next.
            let state = router.split_once("state: ").map_or("", |(_, rest)| rest);
            let state = state.split_once(", since: Instant").map_or(state, |(state, _)| state);
            self.write_relative(&mut text, state);
            let _ = write!(text, "{}{};", node.holds, node.paused);
        }
        let mut wire: Vec<_> = self
            .wire
            .iter()
            .map(|m| (self.now.saturating_since(m.sent), m.from, m.to, &m.payload))
            .collect();
        wire.sort();
        let mut hasher = DefaultHasher::new();
        (text, wire, self.faults).hash(&mut hasher);
        hasher.finish()
    }

    /// Copies a text with every instant in it counted from now.
    fn write_relative(&self, out: &mut String, text: &str) {
        let now = i128::from(self.now.as_nanos());
        for (at, part) in text.split("Instant(").enumerate() {
            let number = part.split_once(')').filter(|_| at > 0);
            match number.and_then(|(number, rest)| Some((number.parse::<i128>().ok()?, rest))) {
                Some((nanos, rest)) => {
                    let _ = write!(out, "{}{rest}", nanos - now);
                }
                None => out.push_str(part),
            }
        }
    }
}

#[derive(Default)]
struct Search {
    /// Of each state, the most steps that were left when it was looked into.
    seen: HashMap<u64, u8>,
    path: Vec<Action>,
}

impl Search {
    fn explore(&mut self, world: &World, steps: u8) {
        let known = self.seen.get(&world.fingerprint()).copied();
        if known.is_some_and(|left| left >= steps) {
            return;
        }
        self.seen.insert(world.fingerprint(), steps);
        if known.is_none() {
            world.check_that_it_settles();
        }
        if steps == 0 {
            return;
        }
        for action in world.actions() {
            let mut next = world.clone();
            self.path.push(action);
            next.apply(action);
            self.explore(&next, steps - 1);
            self.path.pop();
        }
    }
}

/// Says on a panic by which way it got there.
impl Drop for Search {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("by {:?}", self.path));
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Searches from a cold start and from a settled cluster; how many states there were.
fn search(priorities: &[u8], preempt: Preempt, steps: u8, faults: u8) -> usize {
    let mut search = Search::default();
    search.explore(&World::new(priorities, preempt, faults), steps);
    search.explore(&World::settled(priorities, preempt, faults), steps);
    search.seen.len()
}

fn everything(two: u8, three: u8, faults: u8) {
    let preempts = [Preempt::Always, Preempt::Never, Preempt::After(2 * INTERVAL)];
    for preempt in preempts {
        for priorities in [[200, 100], [100, 100]] {
            let states = search(&priorities, preempt, two, faults);
            say(&format!("{priorities:?} {preempt:?}: {states} states to depth {two}"));
        }
        for priorities in [[200, 150, 100], [100, 100, 100]] {
            let states = search(&priorities, preempt, three, faults);
            say(&format!("{priorities:?} {preempt:?}: {states} states to depth {three}"));
        }
    }
}

#[test]
fn two_and_three_routers_settle_whatever_happened_before() {
    everything(6, 4, 2);
}

/// `cargo test --release -p standfast-sim deeper -- --ignored --nocapture`
#[test]
#[ignore = "minutes, in release mode"]
fn two_and_three_routers_settle_whatever_happened_before_deeper() {
    everything(18, 8, 3);
}
