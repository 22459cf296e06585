//! Routes, rules and what is static, through the whole brain.

use std::{net::Ipv4Addr, time::Duration};

use standfast_types::{
    Family, IfIndex, InstanceName, NextHop, Route, Rule, RuleAction, VirtualAddress,
};
use standfast_vrrp::StateName;

use super::*;
use crate::{
    Brain, Config, Event, Fault, Input, InstanceConfig, InstanceEvent, Static, StaticEvent, Statics,
};

const ETH0: IfIndex = IfIndex::new(2);
const ETH1: IfIndex = IfIndex::new(3);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

fn route(destination: &str, interface: Option<&str>) -> RoutingEntry {
    let gateway = Some(IpAddr::from([192, 0, 2, 1]));
    let interface = interface.map(InterfaceName::from);
    let hop = NextHop { gateway, interface, ..NextHop::default() };
    let mut route = Route::new(destination.parse().expect("a prefix"));
    route.hops = vec![hop];
    RoutingEntry::Route(Box::new(route))
}

fn rule(preference: u32) -> RoutingEntry {
    RoutingEntry::Rule(Box::new(Rule::new(Family::V4, preference, RuleAction::Lookup(7))))
}

fn config(routing: Vec<RoutingEntry>) -> Config {
    let instance =
        InstanceConfig { routing, ..crate::brain::tests::instance("V", 51, ADDRESS.into()) };
    Config { instances: vec![instance], ..Config::default() }
}

fn with_static(routing: RoutingEntry, followers: &[&str]) -> Config {
    let followers = followers.iter().map(|name| InstanceName::from(*name)).collect();
    let routing = vec![Static { what: routing, followers }];
    Config { statics: Statics { routing, ..Statics::default() }, ..config(Vec::new()) }
}

struct Machine {
    brain: Brain,
    now: Instant,
}

impl Machine {
    fn started(config: Config) -> (Self, Vec<Output>) {
        let mut machine = Self { brain: Brain::new(config, Instant::ZERO), now: Instant::ZERO };
        machine.link(ETH0, "eth0", true);
        machine.link(ETH1, "eth1", true);
        let own = IpAddr::from([192, 0, 2, 2]);
        machine.input(Input::Address { index: ETH0, address: own, ours: false });
        machine.brain.start(machine.now, &BTreeSet::new());
        let outputs = machine.drain();
        (machine, outputs)
    }

    /// With what it did to become one.
    fn master(config: Config) -> (Self, Vec<Output>) {
        let (mut machine, _) = Self::started(config);
        let outputs = machine.wait(Duration::from_secs(4));
        assert_eq!(machine.state(), StateName::Master);
        (machine, outputs)
    }

    fn link(&mut self, index: IfIndex, name: &str, running: bool) -> Vec<Output> {
        self.input(Input::Link { index, name: name.into(), running })
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.brain.handle_input(self.now, input);
        self.drain()
    }

    fn gone(&mut self, entry: &RoutingEntry) -> Vec<Output> {
        self.input(Input::EntryGone { entry: entry.clone() })
    }

    fn refused(&mut self, entry: &RoutingEntry) -> Vec<Output> {
        let refusal = Some("no".to_owned());
        self.input(Input::EntryAnswer { entry: entry.clone(), refusal })
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.brain.poll_output()).collect()
    }

    fn wait(&mut self, wait: Duration) -> Vec<Output> {
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

    fn state(&self) -> StateName {
        self.brain.snapshot()[0].router.state
    }

    fn faults(&self) -> Vec<Fault> {
        self.brain.snapshot()[0].faults.clone()
    }
}

/// What was done to addresses, routes and rules, in order.
fn deeds(outputs: &[Output]) -> Vec<String> {
    let mut deeds = Vec::new();
    for output in outputs {
        if let Output::AddAddress { address, .. } = output {
            deeds.push(format!("+ {}", address.prefix));
        } else if let Output::RemoveAddress { address, .. } = output {
            deeds.push(format!("- {}", address.prefix));
        } else if let Output::AddEntry { entry } = output {
            deeds.push(format!("+ {entry}"));
        } else if let Output::RemoveEntry { entry } = output {
            deeds.push(format!("- {entry}"));
        }
    }
    deeds
}

fn routing_events(outputs: &[Output]) -> Vec<RoutingEvent> {
    let mut events = Vec::new();
    for output in outputs {
        if let Output::Emit(
            Event::Instance { kind: InstanceEvent::Routing(event), .. }
            | Event::Static(StaticEvent::Routing(event)),
        ) = output
        {
            events.push(event.clone());
        }
    }
    events
}

#[test]
fn routes_and_rules_come_behind_the_addresses_and_go_before_them() {
    let entries = vec![route("198.51.100.0/24", None), rule(100)];
    let (mut machine, outputs) = Machine::master(config(entries));
    let up = [
        "+ 192.0.2.100/32",
        "+ route 198.51.100.0/24 via 192.0.2.1",
        "+ rule 100: from all lookup 7",
    ];
    assert_eq!(deeds(&outputs)[..3], up);
    let outputs = machine.link(ETH0, "eth0", false);
    let down = [
        "- rule 100: from all lookup 7",
        "- route 198.51.100.0/24 via 192.0.2.1",
        "- 192.0.2.100/32",
    ];
    assert_eq!(deeds(&outputs), down);
}

#[test]
fn leftovers_are_removed_at_the_start() {
    let (_, outputs) = Machine::started(config(vec![rule(100)]));
    assert_eq!(deeds(&outputs), ["- rule 100: from all lookup 7"]);
}

#[test]
fn what_somebody_removes_is_back_at_once_and_no_role_changes() {
    let entry = route("198.51.100.0/24", None);
    let (mut machine, _) = Machine::master(config(vec![entry.clone()]));
    for count in 1..=2 {
        assert_eq!(machine.gone(&entry), []);
        let outputs = machine.wait(Duration::ZERO);
        assert_eq!(deeds(&outputs), ["+ route 198.51.100.0/24 via 192.0.2.1"]);
        assert_eq!(
            routing_events(&outputs),
            [RoutingEvent::Restored { entry: entry.clone(), count }]
        );
    }
    assert_eq!(machine.state(), StateName::Master);
}

#[test]
fn what_is_not_tracked_or_not_held_stays_away() {
    let RoutingEntry::Rule(mut untracked) = rule(100) else { unreachable!("a rule") };
    untracked.tracked = false;
    let untracked = RoutingEntry::Rule(untracked);
    let (mut machine, _) = Machine::master(config(vec![untracked.clone()]));
    machine.gone(&untracked);
    machine.gone(&rule(7));
    assert!(deeds(&machine.wait(Duration::ZERO)).is_empty());
}

#[test]
fn a_route_that_went_with_its_interface_is_back_with_it() {
    let RoutingEntry::Route(mut plain) = route("198.51.100.0/24", Some("eth1")) else {
        unreachable!("a route")
    };
    let (mut machine, _) = Machine::started(with_static(RoutingEntry::Route(plain.clone()), &[]));
    machine.gone(&RoutingEntry::Route(plain.clone()));
    machine.link(ETH1, "eth1", false);
    // Nobody removed it.
    let outputs = machine.wait(Duration::from_millis(10));
    assert_eq!((deeds(&outputs), routing_events(&outputs)), (Vec::new(), Vec::new()));
    let back = ["+ route 198.51.100.0/24 via 192.0.2.1 dev eth1"];
    assert_eq!(deeds(&machine.link(ETH1, "eth1", true)), back);
    // The kernel says nothing of IPv4's: they are installed again all the same.
    machine.link(ETH1, "eth1", false);
    assert_eq!(deeds(&machine.link(ETH1, "eth1", true)), back);
    plain.tracked = false;
    let (mut machine, _) = Machine::started(with_static(RoutingEntry::Route(plain), &[]));
    machine.link(ETH1, "eth1", false);
    assert!(deeds(&machine.link(ETH1, "eth1", true)).is_empty());
}

#[test]
fn the_interface_of_a_route_is_tracked() {
    let entries = vec![route("198.51.100.0/24", Some("eth1"))];
    let (mut machine, _) = Machine::master(config(entries));
    machine.link(ETH1, "eth1", false);
    assert_eq!(machine.faults(), [Fault::RouteInterface("eth1".into())]);
    assert_eq!(machine.state(), StateName::Fault);
}

#[test]
fn a_refusal_is_said_once_and_tried_again_every_second() {
    let entry = route("198.51.100.0/24", None);
    let (mut machine, _) = Machine::master(config(vec![entry.clone()]));
    let refused = RoutingEvent::Refused { entry: entry.clone(), error: "no".to_owned() };
    assert_eq!(routing_events(&machine.refused(&entry)), [refused]);
    for _ in 0..3 {
        let outputs = machine.wait(Duration::from_secs(1));
        let tries = deeds(&outputs).iter().filter(|deed| deed.contains("route")).count();
        assert_eq!(tries, 1);
        assert_eq!(routing_events(&machine.refused(&entry)), []);
    }
    machine.input(Input::EntryAnswer { entry, refusal: None });
    machine.wait(Duration::from_secs(1));
    let later = deeds(&machine.wait(Duration::from_secs(3)));
    assert!(!later.iter().any(|deed| deed.contains("route")), "{later:?}");
    assert_eq!(machine.state(), StateName::Master, "a route is an extra");
}

#[test]
fn a_reload_touches_only_what_differs() {
    let entries = vec![route("198.51.100.0/24", None), rule(100)];
    let (mut machine, _) = Machine::master(config(entries));
    let entries = vec![route("198.51.100.0/24", None), rule(200)];
    machine.brain.reconfigure(machine.now, config(entries));
    let deeds: Vec<_> = deeds(&machine.drain());
    let routing: Vec<_> = deeds.iter().filter(|deed| !deed.contains("192.0.2.100")).collect();
    assert_eq!(routing, ["- rule 100: from all lookup 7", "+ rule 200: from all lookup 7"]);
}

#[test]
fn a_lost_address_brings_back_the_routes_that_send_from_it() {
    let RoutingEntry::Route(mut plain) = route("198.51.100.0/24", None) else {
        unreachable!("a route")
    };
    plain.source = Some(ADDRESS.into());
    let entries = vec![RoutingEntry::Route(plain), rule(100)];
    let (mut machine, _) = Machine::master(config(entries));
    let address = ADDRESS.into();
    machine.input(Input::Address { index: ETH0, address, ours: true });
    let outputs = machine.input(Input::AddressGone { index: ETH0, address });
    let back = ["+ 192.0.2.100/32", "+ route 198.51.100.0/24 via 192.0.2.1"];
    assert_eq!(deeds(&outputs), back);
}

#[test]
fn what_is_static_comes_first_and_goes_last() {
    let mut config = with_static(rule(100), &[]);
    let address = VirtualAddress::new("203.0.113.1/24".parse().expect("a prefix"), "eth1".into());
    config.statics.addresses.push(Static { what: address, followers: Vec::new() });
    let (mut machine, outputs) = Machine::started(config);
    let kept: Vec<_> = deeds(&outputs).into_iter().filter(|deed| deed.starts_with('+')).collect();
    assert_eq!(kept, ["+ 203.0.113.1/24", "+ rule 100: from all lookup 7"]);
    machine.wait(Duration::from_secs(4));
    let mut outputs = machine.input(Input::Release);
    outputs.extend(machine.wait(Duration::from_secs(2)));
    let end = ["- 192.0.2.100/32", "- rule 100: from all lookup 7", "- 203.0.113.1/24"];
    let ends: Vec<_> = deeds(&outputs).into_iter().filter(|deed| deed.starts_with('-')).collect();
    assert_eq!(ends, end);
    assert!(machine.brain.has_stopped());
}

#[test]
fn a_static_address_is_restored_and_one_of_somebody_else_is_left_alone() {
    let address = |text: &str| {
        let what = VirtualAddress::new(text.parse().expect("a prefix"), "eth1".into());
        Static { what, followers: Vec::new() }
    };
    let addresses = vec![address("203.0.113.1/24"), address("203.0.113.2/24")];
    let statics = Statics { addresses, routing: Vec::new() };
    let config = Config { statics, ..config(Vec::new()) };
    let mut machine = Machine { brain: Brain::new(config, Instant::ZERO), now: Instant::ZERO };
    machine.link(ETH1, "eth1", true);
    let theirs = IpAddr::from([203, 0, 113, 2]);
    machine.input(Input::Address { index: ETH1, address: theirs, ours: false });
    machine.brain.start(machine.now, &BTreeSet::new());
    assert_eq!(deeds(&machine.drain()), ["+ 203.0.113.1/24"]);
    let ours = IpAddr::from([203, 0, 113, 1]);
    machine.input(Input::Address { index: ETH1, address: ours, ours: true });
    let outputs = machine.input(Input::AddressGone { index: ETH1, address: ours });
    assert_eq!(deeds(&outputs), ["+ 203.0.113.1/24"]);
    assert!(matches!(
        outputs.as_slice(),
        [.., Output::Emit(Event::Static(StaticEvent::AddressRestored { count: 1, .. }))]
    ));
}

#[test]
fn who_follows_a_static_route_is_in_fault_while_it_is_lost() {
    let entry = route("198.51.100.0/24", None);
    let (mut machine, _) = Machine::started(with_static(entry.clone(), &["V"]));
    machine.wait(Duration::from_secs(4));
    assert_eq!(machine.state(), StateName::Master);
    machine.refused(&entry);
    let lost = Fault::Static("route 198.51.100.0/24 via 192.0.2.1".to_owned());
    assert_eq!(machine.faults(), [lost]);
    assert_eq!(machine.state(), StateName::Fault);
    machine.input(Input::EntryAnswer { entry, refusal: None });
    assert_eq!(machine.faults(), []);
}
