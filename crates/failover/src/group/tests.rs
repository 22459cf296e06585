//! Machines with sync groups on several segments, under a virtual clock.

use std::{net::Ipv4Addr, time::Duration};

use standfast_types::{AdvertInterval, IfIndex, Prefix, Priority, Rng, VirtualAddress, Vrid};
use standfast_vrrp::{Datagram, Event as Election, Preempt, Version};

use super::*;
use crate::{Brain, Config, Input, InstanceConfig, InstanceEvent};

const INTERVAL: Duration = Duration::from_millis(100);
/// Three intervals and a skew, and as much again for a contest.
const SETTLED: Duration = Duration::from_millis(1500);
const DELAY: Duration = Duration::from_micros(200);

/// What is under way: from, to, on which segment, the message.
type Frame = (usize, usize, usize, Vec<u8>);

struct Net {
    now: Instant,
    machines: Vec<Brain>,
    configs: Vec<Config>,
    frames: BTreeMap<(Instant, u64), Frame>,
    sent: u64,
    /// Segments on which nothing passes.
    cut: BTreeSet<usize>,
    lost_permille: u64,
    /// How long a frame is under way.
    delay: Duration,
    rng: Rng,
    events: Vec<(usize, Event)>,
}

fn own(machine: usize, segment: usize) -> Ipv4Addr {
    let [machine, segment] = [machine, segment].map(|at| u8::try_from(at).expect("small"));
    // The order of addresses is another one on every other segment.
    let host = if segment % 2 == 0 { 1 + machine } else { 9 - machine };
    Ipv4Addr::new(10, 0, segment, host)
}

fn index(segment: usize) -> IfIndex {
    IfIndex::new(2 + u32::try_from(segment).expect("small"))
}

fn interface(segment: usize) -> String {
    format!("eth{segment}")
}

/// A machine with one instance `M0`, `M1`, .. of these priorities on each segment, all in group `G`.
fn node(priorities: &[u8]) -> Config {
    let instance = |(segment, priority): (usize, &u8)| {
        let id = u8::try_from(segment).expect("small");
        let vrid = Vrid::new(51 + id).expect("not 0");
        let priority = Priority::new(*priority).expect("not 0");
        let mut router = standfast_vrrp::Config::new(vrid, priority);
        let address = Ipv4Addr::new(10, 0, id, 100);
        router.version = Version::V3;
        router.advert_interval = AdvertInterval::from_centis(10).expect("in range");
        router.addresses = vec![address.into()];
        let (name, interface) = (format!("M{segment}"), interface(segment));
        let prefix = Prefix::host(address.into());
        InstanceConfig {
            addresses: vec![VirtualAddress::new(prefix, interface.as_str().into())],
            ..InstanceConfig::new(name.as_str().into(), interface.as_str().into(), router)
        }
    };
    let instances: Vec<_> = priorities.iter().enumerate().map(instance).collect();
    let members = instances.iter().map(|instance| instance.name.clone()).collect();
    let group = GroupConfig { name: "G".into(), members, trackers: Trackers::default() };
    Config { instances, groups: vec![group], ..Config::default() }
}

impl Net {
    fn new(configs: Vec<Config>, seed: u64) -> Self {
        let brain = |config: &Config| Brain::new(config.clone(), Instant::ZERO);
        Self {
            now: Instant::ZERO,
            machines: configs.iter().map(brain).collect(),
            configs,
            frames: BTreeMap::new(),
            sent: 0,
            cut: BTreeSet::new(),
            lost_permille: 0,
            delay: DELAY,
            rng: Rng::from_seed(seed),
            events: Vec::new(),
        }
    }

    /// All machines start at once.
    fn started(priorities: &[&[u8]]) -> Self {
        let mut net = Self::new(priorities.iter().map(|own| node(own)).collect(), 1);
        (0..net.machines.len()).for_each(|machine| net.start(machine));
        net
    }

    fn settled(priorities: &[&[u8]]) -> Self {
        let mut net = Self::started(priorities);
        net.run(SETTLED);
        net.events.clear();
        net
    }

    fn start(&mut self, machine: usize) {
        let config = self.configs[machine].clone();
        self.machines[machine] = Brain::new(config.clone(), self.now);
        for segment in 0..config.instances.len() {
            self.cable(machine, segment, true);
            let address = own(machine, segment).into();
            let input = Input::Address { index: index(segment), address, ours: false };
            self.input(machine, input);
        }
        let now = self.now;
        self.machines[machine].start(now, &BTreeSet::new());
        self.drain(machine);
    }

    fn crash(&mut self, machine: usize) {
        self.machines[machine] = Brain::new(Config::default(), self.now);
    }

    fn cable(&mut self, machine: usize, segment: usize, running: bool) {
        let name = interface(segment).as_str().into();
        self.input(machine, Input::Link { index: index(segment), name, running });
    }

    fn input(&mut self, machine: usize, input: Input<'_>) {
        let now = self.now;
        self.machines[machine].handle_input(now, input);
        self.drain(machine);
    }

    fn reload(&mut self, machine: usize, config: Config) {
        let now = self.now;
        self.machines[machine].reconfigure(now, config);
        self.drain(machine);
    }

    fn drain(&mut self, from: usize) {
        while let Some(output) = self.machines[from].poll_output() {
            if let Output::Send { index: at, payload, .. } = &output {
                self.send(from, *at, payload);
            } else if let Output::Emit(event) = output {
                self.events.push((from, event));
            }
        }
        self.check(from);
    }

    fn send(&mut self, from: usize, at: IfIndex, payload: &[u8]) {
        let segment = usize::try_from(at.get() - 2).expect("small");
        let others = (0..self.machines.len()).filter(|to| *to != from);
        for to in others.collect::<Vec<_>>() {
            if !self.cut.contains(&segment) && !self.rng.chance(self.lost_permille) {
                self.sent += 1;
                let frame = (from, to, segment, payload.to_vec());
                self.frames.insert((self.now + self.delay, self.sent), frame);
            }
        }
    }

    /// No address outside MASTER, and the members of the group together.
    fn check(&self, machine: usize) {
        let all = self.machines[machine].snapshot();
        for instance in &all {
            let master = instance.router.state == StateName::Master;
            assert_eq!(instance.holds, master, "machine {machine} at {:?}: {all:?}", self.now);
        }
        let states: BTreeSet<_> = all
            .iter()
            .map(|instance| instance.router.state)
            .filter(|s| *s != StateName::Init)
            .collect();
        let apart = self.configs[machine].groups.len() == 1 && states.len() > 1;
        assert!(!apart, "machine {machine} at {:?}: {all:?}", self.now);
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let frame = self.frames.keys().next().copied();
            let timers = self.machines.iter().map(Brain::next_deadline).enumerate();
            let timer = timers.filter_map(|(at, deadline)| Some((deadline?, at))).min();
            let next = frame.map(|(at, _)| at).into_iter().chain(timer.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            match (frame, timer) {
                (Some(key), _) if key.0 <= next => self.deliver(key),
                (_, Some((_, machine))) => {
                    let now = self.now;
                    self.machines[machine].handle_timeout(now);
                    self.drain(machine);
                }
                (_, None) => {}
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, key: (Instant, u64)) {
        let (from, to, segment, payload) = self.frames.remove(&key).expect("it is there");
        let source = own(from, segment).into();
        let destination = standfast_vrrp::Transport::GROUP;
        let envelope = standfast_vrrp::Envelope::Bare;
        let datagram = Datagram { source, destination, ttl: 255, envelope, payload: &payload };
        self.input(to, Input::Datagram { index: index(segment), datagram });
    }

    /// The machines that hold the addresses; of each, all.
    fn masters(&self) -> Vec<usize> {
        let holds = |machine: &usize| {
            let all = self.machines[*machine].snapshot();
            all.iter().any(|instance| instance.holds)
        };
        (0..self.machines.len()).filter(holds).collect()
    }

    fn group_events(&self, machine: usize) -> Vec<(StateName, StateName)> {
        let group = |(at, event): &(usize, Event)| {
            let Event::Group { from, to, .. } = event else { return None };
            (*at == machine).then_some((*from, *to))
        };
        self.events.iter().filter_map(group).collect()
    }

    fn transitions(&self) -> usize {
        let moved = |(_, event): &&(usize, Event)| {
            let Event::Instance { kind: InstanceEvent::Election { event, .. }, .. } = event else {
                return false;
            };
            matches!(event, Election::Transition { .. })
        };
        self.events.iter().filter(moved).count()
    }

    /// Nothing moves any more.
    fn stays(&mut self, machine: usize) {
        self.events.clear();
        self.run(100 * INTERVAL);
        assert_eq!(self.masters(), [machine], "{:?}", self.events);
        assert_eq!(self.transitions(), 0, "{:?}", self.events);
    }
}

#[test]
fn a_cable_pulled_on_one_member_moves_all_of_them_and_they_return_together() {
    let mut net = Net::settled(&[&[200, 200], &[100, 100]]);
    assert_eq!(net.masters(), [0]);
    net.cable(0, 1, false);
    assert_eq!(net.masters(), []);
    assert_eq!(net.group_events(0), [(StateName::Master, StateName::Fault)]);
    net.run(INTERVAL);
    assert_eq!(net.masters(), [1], "its good-byes leave only the skew");
    net.stays(1);
    net.cable(0, 1, true);
    net.run(SETTLED);
    net.stays(0);
}

#[test]
fn a_member_in_fault_keeps_the_others_in_fault_and_says_which_it_is() {
    let mut net = Net::settled(&[&[200, 200, 200]]);
    net.cable(0, 2, false);
    let faults = |net: &Net| -> Vec<_> {
        net.machines[0].snapshot().into_iter().map(|instance| instance.faults).collect()
    };
    let shared = vec![Fault::Member("M2".into())];
    let own = vec![Fault::InterfaceDown("eth2".into())];
    assert_eq!(faults(&net), [shared.clone(), shared, own]);
    net.cable(0, 2, true);
    assert_eq!(
        net.group_events(0),
        [(StateName::Master, StateName::Fault), (StateName::Fault, StateName::Backup)]
    );
    net.run(SETTLED);
    net.stays(0);
}

#[test]
fn a_crash_moves_all_members_at_the_same_instant() {
    let mut net = Net::settled(&[&[200, 200], &[100, 100]]);
    net.crash(0);
    net.run(Duration::from_millis(361));
    assert_eq!(net.masters(), [1]);
    assert_eq!(net.group_events(1), [(StateName::Backup, StateName::Master)]);
}

#[test]
fn the_lead_decides_where_members_contradict_each_other_whoever_was_first() {
    for first in [0, 1] {
        let mut net = Net::new(vec![node(&[200, 100]), node(&[100, 200])], 1);
        net.start(first);
        net.run(SETTLED);
        assert_eq!(net.masters(), [first]);
        net.start(1 - first);
        net.run(SETTLED);
        net.stays(0);
    }
}

#[test]
fn a_quick_member_does_not_preempt_before_the_lead_has_listened() {
    let mut configs = vec![node(&[200, 100]), node(&[100, 200])];
    for config in &mut configs {
        config.instances[1].router.advert_interval =
            AdvertInterval::from_centis(1).expect("in range");
    }
    let mut net = Net::new(configs, 1);
    net.start(0);
    net.run(SETTLED);
    // The lead of the first has spoken just now: the second hears nothing of it for a whole interval.
    net.run(INTERVAL / 2);
    net.start(1);
    net.run(SETTLED);
    assert_eq!(net.group_events(1), [(StateName::Init, StateName::Backup)]);
    net.stays(0);
}

#[test]
fn equal_priorities_and_contradicting_addresses_settle_on_the_lead_s_winner() {
    // The second machine has the higher address on the first segment, the lower one on the second.
    let mut net = Net::started(&[&[100, 100], &[100, 100]]);
    net.run(SETTLED);
    net.stays(1);
}

#[test]
fn a_healed_partition_settles_at_once_and_for_good() {
    for priorities in [[[200, 100], [100, 200]], [[200, 200], [100, 100]], [[100, 100], [100, 100]]]
    {
        let [first, second] = &priorities;
        let mut net = Net::settled(&[first, second]);
        net.cut = BTreeSet::from([0, 1]);
        net.run(SETTLED);
        assert_eq!(net.masters(), [0, 1]);
        net.cut.clear();
        net.run(3 * INTERVAL);
        let winner = if first[0] > second[0] { 0 } else { 1 };
        assert_eq!(net.masters(), [winner], "{priorities:?}");
        net.run(SETTLED);
        net.stays(winner);
    }
}

#[test]
fn a_partition_of_one_segment_leaves_one_machine_with_everything() {
    for cut in [0, 1] {
        let mut net = Net::settled(&[&[200, 200], &[100, 100]]);
        net.cut.insert(cut);
        net.run(SETTLED);
        net.stays(0);
    }
    // What is left of the network decides, and the lead again when it is back.
    let mut net = Net::settled(&[&[200, 100], &[100, 200]]);
    net.cut.insert(0);
    net.run(2 * SETTLED);
    net.stays(1);
    net.cut.clear();
    net.run(SETTLED);
    net.stays(0);
}

#[test]
fn one_member_s_good_bye_is_enough() {
    // Whatever the priority: its skew, or half an interval for an answer that does not come.
    for heir in [100, 199] {
        let mut net = Net::settled(&[&[200, 200], &[heir, heir]]);
        net.cut.insert(0);
        net.cable(0, 1, false);
        net.cut.clear();
        net.run(INTERVAL * 2 / 3);
        assert_eq!(net.masters(), [1]);
    }
}

#[test]
fn a_loser_s_good_bye_makes_nobody_master_while_the_winner_s_answer_is_under_way() {
    // The first two were apart, and the second loses the lead's election. The third hears its good-bye on
    // the other segment, where it is better than both and waits for a few milliseconds only.
    let configs = vec![node(&[200, 50]), node(&[150, 60]), node(&[100, 254])];
    let mut net = Net::new(configs, 1);
    net.delay = INTERVAL / 5;
    net.start(0);
    net.run(SETTLED);
    net.cut = BTreeSet::from([0, 1]);
    net.start(1);
    net.run(SETTLED);
    net.cut.clear();
    net.start(2);
    net.run(2 * SETTLED);
    assert_eq!(net.masters(), [0]);
    assert_eq!(net.group_events(2), [(StateName::Init, StateName::Backup)]);
    net.stays(0);
}

#[test]
fn without_preemption_the_group_stays_where_it_is() {
    let nodes = [[200, 200], [100, 100]].map(|priorities| {
        let mut config = node(&priorities);
        config.instances.iter_mut().for_each(|i| i.router.preempt = Preempt::Never);
        config
    });
    let mut net = Net::new(nodes.to_vec(), 1);
    net.start(1);
    net.run(SETTLED);
    net.start(0);
    net.run(SETTLED);
    net.stays(1);
    net.crash(1);
    net.run(SETTLED);
    assert_eq!(net.masters(), [0]);
}

#[test]
fn owners_start_as_masters_only_when_all_members_own_their_addresses() {
    let mut net = Net::started(&[&[255, 255]]);
    assert_eq!(net.masters(), [0]);
    net.stays(0);
    let mut net = Net::started(&[&[255, 100]]);
    assert_eq!(net.masters(), []);
    net.run(SETTLED);
    net.stays(0);
}

#[test]
fn any_start_and_any_partition_end_with_a_winner_of_the_lead_s_election() {
    for seed in 0..100 {
        let mut rng = Rng::from_seed(seed);
        let mut below = |end: u64| usize::try_from(rng.below(end)).expect("small");
        let (machines, members) = (2 + below(2), 1 + below(3));
        let mut priorities = vec![vec![0_u8; members]; machines];
        for own in priorities.iter_mut().flatten() {
            *own = u8::try_from(100 + below(3)).expect("small");
        }
        let mut net = Net::new(priorities.iter().map(|own| node(own)).collect(), seed);
        for machine in 0..machines {
            net.start(machine);
            net.run(Duration::from_millis(u64::try_from(below(700)).expect("small")));
        }
        for _ in 0..below(4) {
            net.cut = (0..members).filter(|_| below(2) == 0).collect();
            net.lost_permille = u64::try_from(below(200)).expect("small");
            net.run(Duration::from_millis(u64::try_from(below(2000)).expect("small")));
        }
        net.cut.clear();
        net.lost_permille = 0;
        net.run(3 * SETTLED);
        let masters = net.masters();
        let best = priorities.iter().map(|own| own[0]).max().expect("some");
        let [winner] = masters[..] else { panic!("seed {seed}: {priorities:?}: {masters:?}") };
        assert_eq!(priorities[winner][0], best, "seed {seed}: {priorities:?}: {winner}");
        net.stays(winner);
    }
}

#[test]
fn a_group_of_one_reports_its_changes() {
    let mut net = Net::started(&[&[100]]);
    net.run(SETTLED);
    assert_eq!(
        net.group_events(0),
        [(StateName::Init, StateName::Backup), (StateName::Backup, StateName::Master)]
    );
}

#[test]
fn a_new_member_follows_the_others_and_a_leaving_one_takes_nobody_along() {
    let mut net = Net::settled(&[&[100, 100, 100]]);
    let mut two = node(&[100, 100, 100]);
    two.groups[0].members.truncate(2);
    net.configs[0].groups.clear();
    net.reload(0, two.clone());
    net.run(SETTLED);
    assert_eq!((net.masters(), net.transitions()), (vec![0], 0));
    // What leaves is on its own.
    net.cable(0, 2, false);
    assert_eq!(net.transitions(), 1);
    net.cable(0, 2, true);
    assert_eq!(net.machines[0].snapshot()[2].router.state, StateName::Backup);
    // What comes back is pulled along at once.
    net.reload(0, node(&[100, 100, 100]));
    assert_eq!(net.machines[0].snapshot()[2].router.state, StateName::Master);
    net.configs[0] = node(&[100, 100, 100]);
    net.stays(0);
}

#[test]
fn a_group_is_adopted_whole_or_not_at_all() {
    let net = Net::settled(&[&[100, 100]]);
    let both = BTreeSet::from(["M0".into(), "M1".into()]);
    let one = BTreeSet::from(["M0".into()]);
    for (adopt, expected) in [(&both, StateName::Master), (&one, StateName::Backup)] {
        let mut brain = Brain::new(net.configs[0].clone(), net.now);
        for segment in [0, 1] {
            let name = interface(segment).as_str().into();
            brain.handle_input(net.now, Input::Link { index: index(segment), name, running: true });
            let address = own(0, segment).into();
            let input = Input::Address { index: index(segment), address, ours: false };
            brain.handle_input(net.now, input);
        }
        brain.start(net.now, adopt);
        let states = brain.snapshot().into_iter().map(|instance| instance.router.state);
        assert!(states.clone().all(|state| state == expected), "{:?}", states.collect::<Vec<_>>());
    }
}

#[test]
fn what_the_group_follows_counts_for_every_member() {
    let mut config = node(&[200, 200]);
    let weight = crate::Weight { value: 1, reverse: false };
    config.groups[0].trackers.files.push(crate::TrackFile { file: "f".into(), weight });
    let mut net = Net::new(vec![config, node(&[100, 100])], 1);
    (0..2).for_each(|machine| net.start(machine));
    net.run(SETTLED);
    assert_eq!(net.masters(), [0]);
    let file = |value| Input::File { name: "f".into(), value };
    net.input(0, file(-150));
    let priorities = net.machines[0].snapshot().into_iter().map(|i| i.router.priority.get());
    assert!(priorities.eq([50, 50]));
    net.run(SETTLED);
    net.stays(1);
    net.input(0, file(-254));
    assert_eq!(net.machines[0].snapshot()[0].faults, [Fault::File("f".into())]);
    net.input(0, file(0));
    net.run(SETTLED);
    net.stays(0);
}
