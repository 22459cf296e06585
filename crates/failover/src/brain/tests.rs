use standfast_types::{Family, Priority, VirtualAddress, Vrid};
use standfast_vrrp::{Cause, Router, Transport};

use super::*;
use crate::{ReceiveBuffer, ScriptConfig, TrackInterface, TrackScript, Weight};

pub(crate) const ETH0: IfIndex = IfIndex::new(2);
pub(crate) const ETH1: IfIndex = IfIndex::new(3);
const RIVAL: standfast_types::MacAddress = standfast_types::MacAddress([2, 0, 0, 0, 0, 9]);
const OWN: IpAddr = v4(2);
pub(crate) const PEER: IpAddr = v4(3);
pub(crate) const ADDRESS: IpAddr = v4(100);

pub(crate) const fn v4(host: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, host))
}

pub(crate) fn instance(name: &str, vrid: u8, address: IpAddr) -> InstanceConfig {
    let vrid = Vrid::new(vrid).expect("not zero");
    let priority = Priority::new(100).expect("not zero");
    let mut router = standfast_vrrp::Config::new(vrid, priority);
    router.addresses = vec![address];
    let prefix = standfast_types::Prefix::host(address);
    InstanceConfig {
        addresses: vec![VirtualAddress::new(prefix, "eth0".into())],
        ..InstanceConfig::new(name.into(), "eth0".into(), router)
    }
}

fn config(instances: Vec<InstanceConfig>) -> Config {
    Config { instances, ..Config::default() }
}

fn tracked(weight: i16) -> Config {
    let mut instance = instance("V", 51, ADDRESS);
    let weight = Weight { value: weight, reverse: false };
    instance.trackers.scripts.push(TrackScript { script: "check".into(), weight });
    let script = ScriptConfig { name: "check".into(), rise: 1, fall: 1, init_fail: false };
    Config { scripts: vec![script], ..config(vec![instance]) }
}

pub(crate) struct Machine {
    pub(crate) brain: Brain,
    pub(crate) now: Instant,
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        let mut machine = Self { brain: Brain::new(config, Instant::ZERO), now: Instant::ZERO };
        machine.link(true);
        machine.input(Input::Address { index: ETH0, address: OWN, ours: false });
        machine
    }

    fn started(config: Config) -> Self {
        let mut machine = Self::new(config);
        machine.start(&[]);
        machine
    }

    pub(crate) fn master(config: Config) -> Self {
        let mut machine = Self::started(config);
        machine.wait(Duration::from_secs(4));
        assert_eq!(machine.state("V"), StateName::Master);
        machine
    }

    pub(crate) fn start(&mut self, adopt: &[&str]) -> Vec<Output> {
        let adopt = adopt.iter().map(|&name| name.into()).collect();
        self.brain.start(self.now, &adopt);
        self.drain()
    }

    pub(crate) fn link(&mut self, running: bool) -> Vec<Output> {
        self.input(Input::Link { index: ETH0, name: "eth0".into(), running })
    }

    fn script(&mut self, success: bool) -> Vec<Output> {
        self.input(Input::Script { name: "check".into(), success })
    }

    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.brain.handle_input(self.now, input);
        self.drain()
    }

    pub(crate) fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.brain.poll_output()).collect()
    }

    pub(crate) fn wait(&mut self, wait: Duration) -> Vec<Output> {
        let end = self.now + wait;
        let mut outputs = Vec::new();
        while let Some(at) = self.brain.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.brain.handle_timeout(self.now);
            outputs.extend(self.drain());
        }
        self.now = end;
        outputs
    }

    fn advert(&mut self, priority: u8) -> Vec<Output> {
        let config = instance("V", 51, ADDRESS).router;
        let mut payload = Vec::new();
        let group = Transport::GROUP;
        Router::new(config, self.now).emit_advert(priority, PEER, group, &mut payload);
        let envelope = standfast_vrrp::Envelope::Bare;
        let datagram =
            Datagram { source: PEER, destination: group, ttl: 255, envelope, payload: &payload };
        self.input(Input::Datagram { index: ETH0, datagram })
    }

    fn snapshot(&self, name: &str) -> InstanceSnapshot {
        let mut all = self.brain.snapshot().into_iter();
        all.find(|instance| instance.name.as_str() == name).expect("it exists")
    }

    pub(crate) fn state(&self, name: &str) -> StateName {
        self.snapshot(name).router.state
    }
}

fn adds(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::AddAddress { .. })).count()
}

fn removes(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::RemoveAddress { .. })).count()
}

fn announces(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Announce { .. })).count()
}

fn good_byes(outputs: &[Output]) -> usize {
    let priority = |output: &Output| match output {
        Output::Send { payload, .. } => payload.get(2).copied(),
        Output::Listen { .. }
        | Output::Unlisten { .. }
        | Output::AddAddress { .. }
        | Output::RemoveAddress { .. }
        | Output::AddEntry { .. }
        | Output::RemoveEntry { .. }
        | Output::CreateLink { .. }
        | Output::RemoveLink { .. }
        | Output::LinkUp { .. }
        | Output::LinkDown { .. }
        | Output::Block { .. }
        | Output::Announce { .. }
        | Output::Ask { .. }
        | Output::Bfd(_)
        | Output::Emit(_) => None,
    };
    outputs.iter().filter(|output| priority(output) == Some(0)).count()
}

#[test]
fn it_listens_before_it_starts_an_election() {
    let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.start(&[]);
    let vrids = vec![Vrid::new(51).expect("not zero")];
    let groups = vec![Transport::GROUP];
    assert_eq!(
        outputs[0],
        Output::Listen {
            index: ETH0,
            family: Family::V4,
            name: "eth0".into(),
            vrids,
            protected: Vec::new(),
            groups,
            room: ReceiveBuffer::default(),
        }
    );
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn an_address_is_a_lease_that_lasts_as_long_as_peers_wait_and_is_renewed_until_then() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.wait(Duration::from_secs(3));
    let leases: Vec<_> = outputs
        .iter()
        .filter_map(|output| {
            let Output::AddAddress { lease_seconds, .. } = output else { return None };
            Some(*lease_seconds)
        })
        .collect();
    assert_eq!(leases, [3; 8]);
}

#[test]
fn leftovers_of_a_previous_life_are_removed_at_start() {
    let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: false });
    assert_eq!(removes(&machine.start(&[])), 1);
}

#[test]
fn an_adopted_instance_keeps_its_addresses_and_tells_its_peers() {
    let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: true });
    let outputs = machine.start(&["V"]);
    assert_eq!((adds(&outputs), removes(&outputs)), (1, 0));
    assert!(outputs.iter().any(|output| matches!(output, Output::Send { .. })));
    assert_eq!(machine.state("V"), StateName::Master);
}

#[test]
fn an_instance_is_adopted_only_while_no_peer_can_have_missed_it() {
    let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: true });
    // Peers wait 3.6 s from the last advert, which was up to a second before the end.
    for (millis, adopts) in [(2_609, true), (2_610, false)] {
        let silence = Duration::from_millis(millis);
        assert_eq!(machine.brain.can_adopt(&"V".into(), silence), adopts, "{millis}");
    }
}

#[test]
fn a_reload_that_brings_an_address_to_a_backup_removes_what_is_left_of_it() {
    let mut machine = Machine::started(config(vec![instance("V", 51, ADDRESS)]));
    let left = "192.0.2.101".parse().expect("an address");
    machine.input(Input::Address { index: ETH0, address: left, ours: true });
    let mut wanted = instance("V", 51, ADDRESS);
    wanted.addresses.push(VirtualAddress::new(standfast_types::Prefix::host(left), "eth0".into()));
    machine.brain.reconfigure(machine.now, config(vec![wanted]));
    assert_eq!(removes(&machine.drain()), 1);
}

#[test]
fn an_instance_that_cannot_be_adopted_leaves_nothing_behind() {
    let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: true });
    machine.link(false);
    assert_eq!(removes(&machine.start(&["V"])), 1);
    assert_eq!(machine.state("V"), StateName::Fault);
}

#[test]
fn an_address_that_somebody_deletes_is_back_at_once_without_a_role_change() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.input(Input::AddressGone { index: ETH0, address: ADDRESS });
    assert_eq!((adds(&outputs), announces(&outputs)), (1, 1));
    assert_eq!(machine.state("V"), StateName::Master);
    let untouched = machine.input(Input::AddressGone { index: ETH1, address: ADDRESS });
    assert_eq!(untouched, []);
}

#[test]
fn an_untracked_address_that_somebody_deletes_stays_away() {
    let mut untracked = instance("V", 51, ADDRESS);
    untracked.addresses[0].tracked = false;
    let mut machine = Machine::master(config(vec![untracked]));
    assert_eq!(machine.input(Input::AddressGone { index: ETH0, address: ADDRESS }), []);
}

#[test]
fn a_lost_carrier_is_a_fault_and_its_return_a_recovery() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    assert_eq!(removes(&machine.link(false)), 1);
    assert_eq!(machine.state("V"), StateName::Fault);
    assert_eq!(machine.snapshot("V").faults, [Fault::InterfaceDown("eth0".into())]);
    machine.link(true);
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn dont_track_primary_ignores_the_carrier_of_its_own_interface() {
    let untracked = InstanceConfig { track_primary: false, ..instance("V", 51, ADDRESS) };
    let mut machine = Machine::master(config(vec![untracked]));
    machine.link(false);
    assert_eq!(machine.state("V"), StateName::Master);
}

#[test]
fn an_interface_that_comes_back_under_another_index_is_used_again() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.input(Input::LinkGone { index: ETH0 });
    assert!(outputs.contains(&Output::Unlisten { index: ETH0, family: Family::V4 }));
    let fault = Fault::InterfaceMissing("eth0".into());
    assert_eq!(machine.snapshot("V").faults, [fault]);
    machine.input(Input::Link { index: ETH1, name: "eth0".into(), running: true });
    assert_eq!(machine.state("V"), StateName::Fault, "it has no address to send from yet");
    machine.input(Input::Address { index: ETH1, address: OWN, ours: false });
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn a_weighted_script_changes_the_priority_and_not_the_state() {
    let mut machine = Machine::master(tracked(-20));
    machine.script(true);
    assert_eq!(machine.snapshot("V").router.priority.get(), 100);
    machine.script(false);
    assert_eq!(machine.snapshot("V").router.priority.get(), 80);
    assert_eq!(machine.state("V"), StateName::Master);
}

#[test]
fn a_script_without_weight_keeps_the_instance_waiting_then_faults_it() {
    let mut machine = Machine::started(tracked(0));
    machine.wait(Duration::from_secs(10));
    assert_eq!(machine.state("V"), StateName::Init);
    machine.script(true);
    machine.wait(Duration::from_secs(4));
    assert_eq!(machine.state("V"), StateName::Master);
    let outputs = machine.script(false);
    assert_eq!((good_byes(&outputs), removes(&outputs)), (1, 1));
    assert_eq!(machine.state("V"), StateName::Fault);
}

#[test]
fn a_tracked_interface_counts_as_its_weight_says() {
    let mut faulty = instance("V", 51, ADDRESS);
    let track = |value| TrackInterface {
        interface: "eth1".into(),
        weight: Weight { value, reverse: false },
    };
    faulty.trackers.interfaces = vec![track(0)];
    let mut weighted = instance("W", 52, PEER);
    weighted.trackers.interfaces = vec![track(-30)];
    let mut machine = Machine::started(config(vec![faulty, weighted]));
    assert_eq!(machine.state("V"), StateName::Fault);
    assert_eq!(machine.snapshot("W").router.priority.get(), 70);
    machine.input(Input::Link { index: ETH1, name: "eth1".into(), running: true });
    assert_eq!(machine.state("V"), StateName::Backup);
    assert_eq!(machine.snapshot("W").router.priority.get(), 100);
}

#[test]
fn letting_go_ends_when_another_machine_has_announced_every_address() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.input(Input::Release);
    assert_eq!((good_byes(&outputs), removes(&outputs)), (1, 0));
    machine.advert(80);
    machine.input(Input::Announced { index: ETH0, address: ADDRESS, mac: RIVAL });
    let outputs = machine.wait(Duration::from_millis(20));
    assert_eq!(removes(&outputs), 1);
    assert!(machine.brain.has_stopped());
}

#[test]
fn adverts_are_dropped_and_nothing_starts_during_the_startup_delay() {
    let delayed = Config {
        startup_delay: Duration::from_secs(5),
        ..config(vec![instance("V", 51, ADDRESS)])
    };
    let mut machine = Machine::started(delayed);
    machine.wait(Duration::from_millis(4_900));
    assert_eq!(machine.advert(200), []);
    assert_eq!(machine.state("V"), StateName::Init);
    machine.wait(Duration::from_millis(200));
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn a_reload_touches_only_what_differs() {
    let two = vec![instance("V", 51, ADDRESS), instance("W", 52, PEER)];
    let mut machine = Machine::master(config(two.clone()));
    machine.brain.reconfigure(machine.now, config(two.clone()));
    let outputs = machine.drain();
    assert_eq!((good_byes(&outputs), removes(&outputs), announces(&outputs)), (0, 0, 0));

    let mut more = two.clone();
    let extra = standfast_types::Prefix::host(v4(101));
    more[0].addresses.push(VirtualAddress::new(extra, "eth0".into()));
    machine.brain.reconfigure(machine.now, config(more));
    let outputs = machine.drain();
    assert_eq!((removes(&outputs), announces(&outputs)), (0, 1));
    assert_eq!(machine.state("V"), StateName::Master);

    machine.brain.reconfigure(machine.now, config(vec![two[0].clone()]));
    let outputs = machine.drain();
    assert_eq!((good_byes(&outputs), removes(&outputs)), (1, 2));
    assert_eq!(machine.state("V"), StateName::Master);
}

#[test]
fn a_script_that_a_reload_adds_costs_nothing_until_it_fails() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    machine.brain.reconfigure(machine.now, tracked(0));
    assert_eq!(removes(&machine.drain()), 0);
    assert_eq!(machine.state("V"), StateName::Master);
    machine.script(false);
    assert_eq!(machine.state("V"), StateName::Fault);
}

#[test]
fn an_address_that_the_kernel_refuses_for_good_makes_way_for_another_machine() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let refused = |lasting| Input::AddressRefused {
        index: ETH0,
        address: ADDRESS,
        error: "no".to_owned(),
        lasting,
    };
    machine.input(refused(false));
    assert_eq!(machine.state("V"), StateName::Master);
    assert_eq!(good_byes(&machine.input(refused(true))), 1);
    assert_eq!(machine.snapshot("V").faults, [Fault::AddressRefused(ADDRESS)]);
    machine.brain.reconfigure(machine.now, config(vec![instance("V", 51, ADDRESS)]));
    machine.drain();
    assert_eq!(machine.state("V"), StateName::Backup, "a reload is a new chance");
}

#[test]
fn the_same_address_on_another_interface_is_left_alone_unless_it_is_ours() {
    for (ours, expected) in [(false, 0), (true, 1)] {
        let mut machine = Machine::new(config(vec![instance("V", 51, ADDRESS)]));
        machine.input(Input::Link { index: ETH1, name: "lo".into(), running: true });
        machine.input(Input::Address { index: ETH1, address: ADDRESS, ours });
        assert_eq!(removes(&machine.start(&[])), expected);
    }
}

#[test]
fn a_machine_that_cannot_listen_is_no_master_until_it_can() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let listening = |success| Input::Listening { index: ETH0, family: Family::V4, success };
    assert_eq!(removes(&machine.input(listening(false))), 1);
    assert_eq!(machine.snapshot("V").faults, [Fault::CannotListen("eth0".into())]);
    let retry = machine.wait(Duration::from_secs(1));
    assert!(retry.iter().any(|output| matches!(output, Output::Listen { .. })));
    machine.input(listening(true));
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn an_address_whose_own_interface_is_gone_is_a_fault() {
    let mut elsewhere = instance("V", 51, ADDRESS);
    elsewhere.addresses[0].interface = "eth1".into();
    let mut machine = Machine::started(config(vec![elsewhere]));
    assert_eq!(machine.snapshot("V").faults, [Fault::AddressInterface("eth1".into())]);
    machine.input(Input::Link { index: ETH1, name: "eth1".into(), running: true });
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn an_interface_that_is_renamed_loses_its_addresses_and_says_good_bye() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    let renamed = Input::Link { index: ETH0, name: "lan0".into(), running: true };
    let outputs = machine.input(renamed);
    assert_eq!((good_byes(&outputs), removes(&outputs)), (1, 1));
    assert_eq!(machine.state("V"), StateName::Fault);
}

#[test]
fn an_announcement_of_before_the_release_does_not_end_it() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Announced { index: ETH0, address: ADDRESS, mac: RIVAL });
    machine.input(Input::Release);
    assert_eq!(removes(&machine.wait(Duration::from_millis(500))), 0);
}

#[test]
fn bursts_with_a_gap_replace_each_other_instead_of_piling_up() {
    let mut paced = instance("V", 51, ADDRESS);
    paced.router.announcements.gap = Duration::from_millis(10);
    let mut machine = Machine::master(config(vec![paced]));
    machine.wait(Duration::from_secs(10));
    for _ in 0..100 {
        machine.advert(50);
        machine.wait(Duration::from_secs(1));
    }
    assert!(announces(&machine.wait(Duration::from_secs(20))) <= 10);
}

#[test]
fn announcements_keep_the_configured_gap() {
    let mut paced = instance("V", 51, ADDRESS);
    paced.router.announcements.gap = Duration::from_millis(100);
    let mut machine = Machine::started(config(vec![paced]));
    let outputs = machine.wait(Duration::from_nanos(3_609_375_000));
    assert_eq!(announces(&outputs), 1);
    assert_eq!(announces(&machine.wait(Duration::from_millis(399))), 3);
    assert_eq!(announces(&machine.wait(Duration::from_millis(1))), 1);
}

#[test]
fn an_owner_neither_removes_nor_leases_the_address_that_is_its_own() {
    let mut owner = instance("V", 51, OWN);
    owner.router.priority = Priority::OWNER;
    let mut machine = Machine::new(config(vec![owner]));
    let outputs = machine.start(&[]);
    assert_eq!((adds(&outputs), removes(&outputs)), (0, 0));
    assert_eq!(machine.state("V"), StateName::Master);
    assert_eq!(removes(&machine.input(Input::Release)), 0);
}

#[test]
fn an_owner_that_cannot_run_yet_removes_what_its_last_life_installed() {
    let mut owner = tracked(0);
    owner.instances[0].router.priority = Priority::OWNER;
    let mut machine = Machine::new(owner);
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: true });
    assert_eq!(removes(&machine.start(&[])), 1);
    assert_eq!(machine.state("V"), StateName::Init);
}

#[test]
fn two_instances_on_one_interface_hear_only_their_own_adverts() {
    let two = vec![instance("V", 51, ADDRESS), instance("W", 52, PEER)];
    let mut machine = Machine::started(config(two));
    for _ in 0..4 {
        machine.advert(200);
        machine.wait(Duration::from_secs(1));
    }
    assert_eq!(machine.state("V"), StateName::Backup);
    assert_eq!(machine.state("W"), StateName::Master);
}

#[test]
fn a_frozen_machine_lets_go_before_it_says_anything() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    machine.now = machine.now + Duration::from_secs(60);
    machine.brain.handle_timeout(machine.now);
    let outputs = machine.drain();
    assert_eq!((removes(&outputs), adds(&outputs)), (1, 0));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send { .. })));
    let late = outputs.iter().any(|output| {
        matches!(
            output,
            Output::Emit(Event::Instance {
                kind: InstanceEvent::Election {
                    event: standfast_vrrp::Event::Transition { cause: Cause::Late { .. }, .. },
                    ..
                },
                ..
            })
        )
    });
    assert!(late);
}

#[test]
fn a_rival_for_an_address_is_told_once_and_its_end_is_followed_by_an_announcement() {
    let mut machine = Machine::master(config(vec![instance("V", 51, ADDRESS)]));
    machine.wait(Duration::from_secs(7));
    let claim = || Input::Announced { index: ETH0, address: ADDRESS, mac: RIVAL };
    let contested = |outputs: &[Output]| {
        let tells = |output: &&Output| {
            matches!(
                output,
                Output::Emit(Event::Instance { kind: InstanceEvent::AddressContested { .. }, .. })
            )
        };
        outputs.iter().filter(tells).count()
    };
    assert_eq!(contested(&machine.input(claim())), 1);
    assert_eq!(contested(&machine.input(claim())), 0);
    let outputs = machine.wait(Duration::from_millis(100));
    let ended = outputs.iter().position(|output| {
        let Output::Emit(Event::Instance { kind, .. }) = output else { return false };
        matches!(kind, InstanceEvent::AddressUncontested { mac: RIVAL, .. })
    });
    let announced = outputs.iter().position(|output| matches!(output, Output::Announce { .. }));
    assert!(announced.is_some() && announced < ended, "{outputs:?}");
    assert!(outputs.contains(&Output::Ask { index: ETH0, address: ADDRESS }));
    assert_eq!(machine.state("V"), StateName::Master, "the election alone decides");
}

#[test]
fn a_backup_asks_nobody_and_contests_nothing() {
    let mut machine = Machine::started(config(vec![instance("V", 51, ADDRESS)]));
    machine.input(Input::Announced { index: ETH0, address: ADDRESS, mac: RIVAL });
    let outputs = machine.wait(Duration::from_secs(1));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Ask { .. } | Output::Emit(_))));
}

mod random;
mod vmac;

#[test]
fn a_reload_to_the_other_family_is_another_virtual_router() {
    let six = "fe80::2".parse().expect("an address");
    let mut other = instance("V", 51, "fe80::100".parse().expect("an address"));
    other.router.version = standfast_vrrp::Version::V3;
    other.router.family = Family::V6;
    other.router.transport = Transport::Multicast { group: Transport::GROUP6 };
    let mut four = instance("V", 51, ADDRESS);
    four.router.version = standfast_vrrp::Version::V3;
    let mut machine = Machine::master(config(vec![four]));
    machine.input(Input::Address { index: ETH0, address: six, ours: false });
    machine.brain.reconfigure(machine.now, config(vec![other]));
    let outputs = machine.drain();
    let mixed = outputs.iter().any(|output| {
        matches!(output, Output::Send { source, destination, .. } if Family::of(*source) != Family::of(*destination))
    });
    assert!(!mixed, "{outputs:?}");
    assert_eq!(machine.state("V"), StateName::Backup, "it listens before it speaks");
}

#[test]
fn an_owner_renews_what_it_installed_on_a_kernel_without_tags() {
    let mut owner = instance("V", 51, ADDRESS);
    owner.router.priority = Priority::OWNER;
    let mut machine = Machine::new(config(vec![owner]));
    assert_eq!(adds(&machine.start(&[])), 1);
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: false });
    assert_eq!(adds(&machine.wait(Duration::from_secs(3))), 8);
}

#[test]
fn an_untracked_address_that_somebody_deletes_is_not_renewed() {
    let mut untracked = instance("V", 51, ADDRESS);
    untracked.addresses[0].tracked = false;
    let mut machine = Machine::master(config(vec![untracked]));
    machine.input(Input::AddressGone { index: ETH0, address: ADDRESS });
    assert_eq!(adds(&machine.wait(Duration::from_secs(3))), 0);
    machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: false });
    assert_eq!(adds(&machine.wait(Duration::from_secs(3))), 8, "somebody wants it back");
}

#[test]
fn an_untracked_address_whose_lease_ended_while_we_slept_comes_back() {
    let mut untracked = instance("V", 51, ADDRESS);
    untracked.addresses[0].tracked = false;
    untracked.router.priority = Priority::OWNER;
    let mut machine = Machine::started(config(vec![untracked]));
    machine.now = machine.now + Duration::from_secs(10);
    machine.input(Input::AddressGone { index: ETH0, address: ADDRESS });
    assert!(adds(&machine.wait(Duration::from_secs(3))) > 0);
}

#[test]
fn an_address_that_a_reload_moves_to_another_master_never_leaves_the_machine() {
    let (a, b) = (v4(101), v4(102));
    for (from, to) in [("V", "W"), ("W", "V")] {
        let mut machine = Machine::master(config(vec![instance("V", 51, a), instance("W", 52, b)]));
        assert_eq!(machine.state("W"), StateName::Master);
        let shared = VirtualAddress::new(standfast_types::Prefix::host(ADDRESS), "eth0".into());
        let with = |holder: &str| {
            let mut both = vec![instance("V", 51, a), instance("W", 52, b)];
            for one in both.iter_mut().filter(|one| one.name.as_str() == holder) {
                one.addresses.push(shared.clone());
            }
            config(both)
        };
        machine.brain.reconfigure(machine.now, with(from));
        machine.drain();
        machine.input(Input::Address { index: ETH0, address: ADDRESS, ours: true });
        machine.brain.reconfigure(machine.now, with(to));
        let outputs = machine.drain();
        assert_eq!(removes(&outputs), 0, "from {from} to {to}: {outputs:?}");
    }
}
