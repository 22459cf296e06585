//! Reloads.

use standfast_balance::{Config, Input, Output};
use standfast_types::{Destination, Forwarding, ServiceChange};

use crate::make::{Machine, at, bad, config, good, id, key, server, service, sorry, tcp, tcp_to};

fn probes(machine: &mut Machine) -> Vec<(bool, usize)> {
    machine.take(|output| match output {
        Output::Probe(check, _) => Some((true, check.index)),
        Output::EndProbe(check) => Some((false, check.index)),
        _ => None,
    })
}

#[test]
fn the_same_configuration_changes_nothing() {
    let with = || {
        let servers = (1..=3).map(|n| server(n, vec![tcp()])).collect();
        config(vec![service(1, servers), service(2, vec![server(4, vec![tcp()])])])
    };
    let mut machine = Machine::new(with());
    machine.checked(id(1, 1), bad());
    machine.outputs.clear();
    machine.reconfigure(with());
    assert_eq!(machine.outputs, []);
}

#[test]
fn one_weight_is_one_change_in_37298_servers() {
    let with = |weight| -> Config {
        let services = (0..2284u32).map(|n| {
            let n16 = u8::try_from(n / 250).unwrap();
            let n8 = u8::try_from(n % 250).unwrap();
            let mut one = service(n8, vec![]);
            one.name = format!("{n}").as_str().into();
            one.keys = vec![standfast_types::ServiceKey::Address {
                address: [10, 9, n16, n8].into(),
                port: 80,
                transport: standfast_types::Transport::Tcp,
            }];
            let count = if n < 754 { 17 } else { 16 };
            one.servers = (1..=count).map(|n| server(n, vec![tcp()])).collect();
            one
        });
        let mut services: Vec<_> = services.collect();
        services[1000].servers[5].weight = weight;
        config(services)
    };
    let first = with(1);
    assert_eq!(first.services.iter().map(|one| one.servers.len()).sum::<usize>(), 37_298);
    let mut machine = Machine::new(first);
    let key = *machine.brain.wanted().keys().nth(1000).unwrap();
    machine.outputs.clear();
    machine.reconfigure(with(7));
    let edit = ServiceChange::EditDestination(key, at(6), Destination::new(7, Forwarding::Nat));
    assert_eq!(machine.changes(), [edit]);
}

#[test]
fn verdicts_of_equal_checks_stay_wherever_they_stand() {
    let with = |checks| config(vec![service(1, vec![server(1, checks), server(2, vec![])])]);
    let mut machine = Machine::new(with(vec![tcp_to(1), tcp_to(2), tcp_to(3)]));
    machine.checked_by(id(1, 1), 2, bad());
    machine.outputs.clear();
    machine.reconfigure(with(vec![tcp_to(1), tcp_to(3)]));
    assert_eq!(machine.weights(1), [(2, 1)]);
    assert_eq!(probes(&mut machine), [(false, 1), (false, 2), (true, 1)]);
    machine.reconfigure(with(vec![tcp_to(1), tcp_to(4)]));
    assert_eq!(machine.weights(1), [(1, 1), (2, 1)], "a new check knows nothing yet");
}

#[test]
fn a_server_that_is_taken_out_while_it_is_good_is_reported_as_down() {
    let with = |n| config(vec![service(1, (1..=n).map(|n| server(n, vec![tcp()])).collect())]);
    let mut machine = Machine::new(with(3));
    machine.checked(id(1, 3), bad());
    machine.events();
    machine.reconfigure(with(1));
    assert_eq!(machine.lines(), ["RS [10.1.0.2]:80 of [10.0.0.1]:tcp:80 DOWN"]);
    machine.reconfigure(config(vec![]));
    let lines = ["RS [10.1.0.1]:80 of [10.0.0.1]:tcp:80 DOWN", "VS [10.0.0.1]:tcp:80 DOWN"];
    assert_eq!(machine.lines(), lines);
}

#[test]
fn another_name_for_the_same_keys_changes_nothing_in_the_kernel() {
    let with = |group: &str| {
        let mut one = service(1, vec![server(1, vec![tcp()])]);
        one.name = group.into();
        config(vec![one])
    };
    let mut machine = Machine::new(with("A"));
    machine.outputs.clear();
    machine.reconfigure(with("B"));
    assert_eq!(machine.changes(), []);
}

#[test]
fn a_key_that_two_services_name_belongs_to_the_first() {
    let mut second = service(1, vec![server(2, vec![])]);
    second.name = "second".into();
    let mut machine =
        Machine::new(config(vec![service(1, vec![server(1, vec![])]), second.clone()]));
    assert_eq!(machine.weights(1), [(1, 1)]);
    machine.reconfigure(config(vec![second]));
    assert_eq!(machine.weights(1), [(2, 1)]);
    assert!(!machine.changes().contains(&ServiceChange::RemoveService(key(1))));
}

#[test]
fn a_sorry_server_that_is_new_serves_at_once_when_it_must() {
    let with = |sorry| {
        let mut one = service(1, vec![server(1, vec![tcp()])]);
        one.sorry = sorry;
        config(vec![one])
    };
    let mut machine = Machine::new(with(None));
    machine.checked(id(1, 1), bad());
    machine.reconfigure(with(sorry(9)));
    assert_eq!(machine.weights(1), [(9, 1)]);
    machine.reconfigure(with(None));
    assert_eq!(machine.weights(1), []);
    machine.checked(id(1, 1), good());
    assert_eq!(machine.weights(1), [(1, 1)]);
}

#[test]
fn suspension_can_be_switched_on_and_off() {
    let with = |suspend| {
        let mut one = service(1, vec![server(1, vec![tcp()])]);
        one.suspend = suspend;
        config(vec![one])
    };
    let mut machine = Machine::new(with(false));
    machine.outputs.clear();
    machine.reconfigure(with(true));
    assert_eq!(probes(&mut machine), [(false, 0)]);
    machine.reconfigure(with(false));
    assert_eq!(probes(&mut machine), [(true, 0)]);
    machine.tell(Input::Address([10, 0, 0, 1].into(), true));
}
