//! What the brain does, said one by one.

use standfast_balance::{Active, Cause, Endpoint, Event, HostName, Input, Order, Output, Resolved};
use standfast_types::{
    Closing, Destination, Family, Forwarding, Scheduler, ServiceChange, ServiceKey,
};

use crate::make::{
    Machine, address, alpha, at, bad, bfd, config, file, good, host, id, key, misc, name, server,
    service, sorry, tcp, tcp_to,
};

fn three() -> Machine {
    let servers = (1..=3).map(|n| server(n, vec![tcp()])).collect();
    Machine::new(config(vec![service(1, servers)]))
}

#[test]
fn servers_are_good_until_a_check_fails() {
    let mut machine = three();
    assert_eq!(machine.weights(1), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(machine.lines(), ["VS [10.0.0.1]:tcp:80 UP"]);
    machine.checked(id(1, 2), bad());
    assert_eq!(machine.weights(1), [(1, 1), (3, 1)]);
    assert_eq!(machine.lines(), ["RS [10.1.0.2]:80 of [10.0.0.1]:tcp:80 DOWN"]);
    machine.checked(id(1, 2), good());
    assert_eq!(machine.weights(1), [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn the_check_that_decided_is_the_cause() {
    let mut machine = three();
    machine.events();
    machine.checked(id(1, 2), bad());
    let cause = machine.events().into_iter().find_map(|event| match event {
        Event::Server { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(cause, Some(Cause::Check("TCP_CHECK".into(), bad())));
}

#[test]
fn a_verdict_that_changes_nothing_costs_nothing() {
    let mut machine = three();
    machine.checked(id(1, 2), bad());
    machine.outputs.clear();
    machine.checked(id(1, 2), bad());
    machine.checked(id(1, 9), bad());
    machine.checked_by(id(1, 2), 1, bad());
    assert_eq!(machine.outputs, []);
}

#[test]
fn alpha_waits_for_the_first_success_of_each_alpha_check() {
    let checks = vec![alpha(&tcp()), alpha(&tcp_to(81)), tcp_to(82)];
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, checks)])]));
    assert_eq!(machine.weights(1), []);
    assert_eq!(machine.lines(), [""; 0], "nothing was up that could have gone down");
    machine.checked_by(id(1, 1), 0, good());
    assert_eq!(machine.weights(1), []);
    machine.checked_by(id(1, 1), 1, good());
    assert_eq!(machine.weights(1), [(1, 1)]);
    let lines = ["RS [10.1.0.1]:80 of [10.0.0.1]:tcp:80 UP", "VS [10.0.0.1]:tcp:80 UP"];
    assert_eq!(machine.lines(), lines);
}

#[test]
fn the_first_failure_of_a_server_that_waits_is_told() {
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, vec![alpha(&tcp())])])]));
    for _ in 0..2 {
        machine.checked(id(1, 1), bad());
        machine.checked(id(1, 1), standfast_balance::Verdict::Bad("no answer".into()));
    }
    assert_eq!(machine.lines(), ["RS [10.1.0.1]:80 of [10.0.0.1]:tcp:80 DOWN"]);
}

#[test]
fn a_server_without_checks_is_good() {
    let machine = Machine::new(config(vec![service(1, vec![server(1, vec![])])]));
    assert_eq!(machine.weights(1), [(1, 1)]);
}

#[test]
fn an_inhibited_server_stays_with_weight_0() {
    let mut bent = server(1, vec![tcp()]);
    bent.inhibit = true;
    let mut machine = Machine::new(config(vec![service(1, vec![bent, server(2, vec![])])]));
    machine.checked(id(1, 1), bad());
    assert_eq!(machine.weights(1), [(1, 0), (2, 1)]);
}

#[test]
fn a_dynamic_weight_replaces_the_configured_one_until_a_plain_success() {
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, vec![misc()])])]));
    machine.events();
    machine.checked(id(1, 1), standfast_balance::Verdict::Good { weight: Some(30) });
    assert_eq!(machine.weights(1), [(1, 30)]);
    assert!(machine.events().contains(&Event::Weight { server: id(1, 1), from: 1, to: 30 }));
    machine.checked(id(1, 1), bad());
    machine.checked(id(1, 1), good());
    assert_eq!(machine.weights(1), [(1, 1)]);
}

#[test]
fn the_number_in_a_file_adds_to_the_weight() {
    let checks = vec![file("load", -2)];
    let mut heavy = server(1, checks);
    heavy.weight = 100;
    let mut machine = Machine::new(config(vec![service(1, vec![heavy])]));
    machine.tell(Input::File("load".into(), 20));
    assert_eq!(machine.weights(1), [(1, 60)]);
    machine.tell(Input::File("load".into(), 80));
    assert_eq!(machine.weights(1), [(1, 0)], "a weight is not below 0");
    machine.tell(Input::File("load".into(), 0x7fff_ffff));
    assert_eq!(machine.weights(1), [], "at the limit the server is down");
    machine.tell(Input::File("load".into(), i64::MIN));
    assert_eq!(machine.weights(1), [(1, 0x7fff_ffff)]);
}

#[test]
fn a_file_without_weight_takes_the_server_down_by_any_number_but_0() {
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, vec![file("off", 0)])])]));
    machine.tell(Input::File("off".into(), 1));
    assert_eq!(machine.weights(1), []);
    machine.tell(Input::File("off".into(), 0));
    assert_eq!(machine.weights(1), [(1, 1)]);
}

#[test]
fn a_bfd_session_takes_its_servers_down_in_all_services() {
    let with = |n| service(n, vec![server(1, vec![bfd("b")]), server(2, vec![])]);
    let mut machine = Machine::new(config(vec![with(1), with(2)]));
    machine.tell(Input::Bfd("b".into(), false));
    assert_eq!((machine.weights(1), machine.weights(2)), (vec![(2, 1)], vec![(2, 1)]));
    machine.tell(Input::Bfd("b".into(), true));
    assert_eq!(machine.weights(2), [(1, 1), (2, 1)]);
}

#[test]
fn the_quorum_has_a_margin_on_both_sides() {
    let servers: Vec<_> = (1..=5).map(|n| server(n, vec![tcp()])).collect();
    let service = |servers| {
        let mut service = service(1, servers);
        (service.quorum, service.hysteresis) = (3, 1);
        service
    };
    let mut machine = Machine::new(config(vec![service(servers)]));
    machine.events();
    let quorum = |machine: &mut Machine| -> Vec<_> {
        machine.lines().into_iter().filter(|line| line.starts_with("VS")).collect()
    };
    for n in [1, 2, 3] {
        machine.checked(id(1, n), bad());
    }
    assert_eq!(quorum(&mut machine), [""; 0], "2 are as many as 3 - 1");
    machine.checked(id(1, 4), bad());
    assert_eq!(quorum(&mut machine), ["VS [10.0.0.1]:tcp:80 DOWN"]);
    machine.checked(id(1, 1), good());
    machine.checked(id(1, 2), good());
    assert_eq!(quorum(&mut machine), [""; 0], "3 are less than 3 + 1");
    machine.checked(id(1, 3), good());
    assert_eq!(quorum(&mut machine), ["VS [10.0.0.1]:tcp:80 UP"]);
}

#[test]
fn a_quorum_beyond_all_servers_is_lowered_and_a_margin_too() {
    let mut high = service(1, vec![server(1, vec![tcp()]), server(2, vec![tcp()])]);
    (high.quorum, high.hysteresis) = (9, 4);
    let mut machine = Machine::new(config(vec![high]));
    assert_eq!(machine.lines(), ["VS [10.0.0.1]:tcp:80 UP"]);
    machine.checked(id(1, 1), bad());
    assert_eq!(machine.lines().len(), 1, "1 is as many as 2 - 1");
    machine.checked(id(1, 2), bad());
    machine.checked(id(1, 1), good());
    machine.events();
    machine.checked(id(1, 2), good());
    assert!(machine.lines().contains(&"VS [10.0.0.1]:tcp:80 UP".to_owned()));
}

#[test]
fn the_sorry_server_serves_alone_while_the_quorum_is_lost() {
    let mut one = service(1, vec![server(1, vec![tcp()]), server(2, vec![tcp()])]);
    (one.quorum, one.sorry) = (2, sorry(9));
    let mut machine = Machine::new(config(vec![one]));
    machine.outputs.clear();
    machine.checked(id(1, 1), bad());
    assert_eq!(machine.weights(1), [(9, 1)]);
    let changes = machine.changes();
    let first = ServiceChange::AddDestination(key(1), at(9), Destination::new(1, Forwarding::Nat));
    assert_eq!(changes.first(), Some(&first), "somebody serves at every moment");
    machine.checked(id(1, 1), good());
    assert_eq!(machine.weights(1), [(1, 1), (2, 1)]);
    let sorry = Event::Sorry { service: name(1), serving: false };
    assert!(machine.events().contains(&sorry));
}

#[test]
fn an_inhibited_sorry_server_waits_with_weight_0_and_so_do_those_it_relieves() {
    let mut bent = server(1, vec![tcp()]);
    bent.inhibit = true;
    let mut one = service(1, vec![bent, server(2, vec![tcp()])]);
    (one.quorum, one.sorry) = (
        2,
        sorry(9).map(|mut sorry| {
            sorry.inhibit = true;
            sorry
        }),
    );
    let mut machine = Machine::new(config(vec![one]));
    assert_eq!(machine.weights(1), [(1, 1), (2, 1), (9, 0)]);
    machine.checked(id(1, 2), bad());
    assert_eq!(machine.weights(1), [(1, 0), (9, 1)]);
}

#[test]
fn without_a_sorry_server_those_that_live_stay() {
    let mut one = service(1, vec![server(1, vec![tcp()]), server(2, vec![tcp()])]);
    one.quorum = 2;
    let mut machine = Machine::new(config(vec![one]));
    machine.checked(id(1, 1), bad());
    assert_eq!(machine.weights(1), [(2, 1)]);
}

#[test]
fn a_service_that_begins_with_its_sorry_server_is_reported_as_down() {
    let mut one = service(1, vec![server(1, vec![alpha(&tcp())])]);
    one.sorry = sorry(9);
    let mut machine = Machine::new(config(vec![one]));
    assert_eq!(machine.weights(1), [(9, 1)]);
    assert_eq!(machine.lines(), ["VS [10.0.0.1]:tcp:80 DOWN"]);
}

#[test]
fn all_keys_of_a_group_share_its_servers() {
    let mut group = service(1, vec![server(1, vec![tcp()]), server(2, vec![])]);
    group.keys = vec![key(1), key(2), ServiceKey::Mark { mark: 5, family: Family::V4 }];
    let mut machine = Machine::new(config(vec![group]));
    machine.outputs.clear();
    machine.checked(id(1, 1), bad());
    assert_eq!(machine.changes().len(), 3);
    assert!(machine.kernel.values().all(|service| service.destinations.len() == 1));
}

#[test]
fn only_a_tunnel_leads_to_the_other_family() {
    let (mut plain, mut tunnel) = (server(1, vec![]), server(2, vec![]));
    let v6 = |n: u16| standfast_types::DestinationKey {
        address: std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into(),
        port: 80,
    };
    plain.endpoint = Endpoint::Address(v6(1));
    tunnel.endpoint = Endpoint::Address(v6(2));
    tunnel.forwarding = Forwarding::Tunnel(standfast_types::Encapsulation::Ipip);
    let machine = Machine::new(config(vec![service(1, vec![plain, tunnel])]));
    assert_eq!(machine.weights(1), [(2, 1)]);
}

#[test]
fn active_on_master_follows_its_instance() {
    let mut one = service(1, vec![server(1, vec![tcp()])]);
    one.active = Active::Master("VI_1".into());
    let mut machine = Machine::new(config(vec![one]));
    assert!(machine.kernel.is_empty());
    assert!(matches!(machine.outputs[0], Output::Probe(..)), "a backup checks too");
    machine.tell(Input::Master("VI_1".into(), true));
    assert_eq!(machine.weights(1), [(1, 1)]);
    machine.tell(Input::Master("VI_1".into(), false));
    assert!(machine.kernel.is_empty());
}

#[test]
fn ha_suspend_checks_only_with_the_address_and_keeps_verdicts() {
    let mut one = service(1, vec![server(1, vec![tcp()])]);
    one.suspend = true;
    let mut machine = Machine::new(config(vec![one]));
    let probes = |machine: &mut Machine| -> Vec<bool> {
        machine.take(|output| match output {
            Output::Probe(..) => Some(true),
            Output::EndProbe(_) => Some(false),
            _ => None,
        })
    };
    assert_eq!(probes(&mut machine), []);
    machine.tell(Input::Address([10, 0, 0, 1].into(), true));
    assert_eq!(probes(&mut machine), [true]);
    machine.checked(id(1, 1), bad());
    machine.tell(Input::Address([10, 0, 0, 1].into(), false));
    assert_eq!(probes(&mut machine), [false]);
    assert_eq!(machine.weights(1), []);
    machine.tell(Input::Address([10, 0, 0, 1].into(), true));
    assert_eq!(machine.weights(1), [], "what was known is known");
}

#[test]
fn servers_come_and_go_with_their_name() {
    let mut named = server(1, vec![tcp()]);
    named.endpoint = host("web");
    let mut machine = Machine::new(config(vec![service(1, vec![named.clone()])]));
    assert_eq!(machine.weights(1), []);
    assert!(machine.outputs.contains(&Output::Resolve(host("web"))));
    machine.tell(Input::Resolved(host("web"), vec![address(1), address(2)]));
    assert_eq!(machine.weights(1), [(1, 1), (2, 1)]);
    machine.checked(id(1, 2), bad());
    machine.outputs.clear();
    machine.tell(Input::Resolved(host("web"), vec![address(2), address(3)]));
    assert_eq!(machine.weights(1), [(3, 1)], "the one that stays keeps its verdict");
    machine.tell(Input::Resolved(host("web"), vec![]));
    assert_eq!(machine.weights(1), [(3, 1)], "what was known last is kept");
    machine.reconfigure(config(vec![service(1, vec![server(1, vec![])])]));
    assert!(machine.outputs.contains(&Output::EndResolve(host("web"))));
}

#[test]
fn weights_of_srv_records_scale_the_configured_one() {
    let endpoint = Endpoint::Srv(HostName("_http._tcp.web".into()));
    let mut named = server(1, vec![]);
    (named.endpoint, named.weight) = (endpoint.clone(), 10);
    let mut machine = Machine::new(config(vec![service(1, vec![named])]));
    let record = |n, weight| Resolved { srv: Some((80, weight)), ..address(n) };
    machine.tell(Input::Resolved(endpoint, vec![record(1, 3), record(2, 0)]));
    assert_eq!(machine.weights(1), [(1, 30), (2, 10)]);
}

#[test]
fn a_name_leads_only_to_addresses_that_the_service_can_reach() {
    let mut named = server(1, vec![]);
    named.endpoint = host("web");
    let mut machine = Machine::new(config(vec![service(1, vec![named])]));
    let v6 = Resolved { address: std::net::Ipv6Addr::LOCALHOST.into(), srv: None };
    machine.tell(Input::Resolved(host("web"), vec![v6, address(1)]));
    assert_eq!(machine.brain.snapshot()[0].servers.len(), 1);
}

#[test]
fn a_drained_server_goes_with_its_last_connection() {
    let mut machine = three();
    machine.outputs.clear();
    machine.tell(Input::Order(Order::Drain { server: id(1, 1), limit: None }));
    assert_eq!(machine.weights(1), [(1, 0), (2, 1), (3, 1)]);
    assert!(machine.outputs.contains(&Output::CountConnections(id(1, 1))));
    machine.tell(Input::Connections(id(1, 1), 7));
    assert_eq!(machine.weights(1), [(1, 0), (2, 1), (3, 1)]);
    machine.tell(Input::Connections(id(1, 1), 0));
    assert_eq!(machine.weights(1), [(2, 1), (3, 1)]);
    assert!(machine.outputs.contains(&Output::EndCount(id(1, 1))));
    assert!(machine.events().contains(&Event::Drained { server: id(1, 1), left: 0 }));
    machine.tell(Input::Order(Order::Enable(id(1, 1))));
    assert_eq!(machine.weights(1), [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn a_drained_server_goes_when_its_time_is_over() {
    let mut machine = three();
    let limit = Some(10_000_000_000);
    machine.tell(Input::Order(Order::Drain { server: id(1, 1), limit }));
    machine.tell(Input::Connections(id(1, 1), 7));
    machine.wait(9);
    assert_eq!(machine.weights(1).len(), 3);
    machine.wait(1);
    assert_eq!(machine.weights(1).len(), 2);
    assert!(machine.events().contains(&Event::Drained { server: id(1, 1), left: 7 }));
}

#[test]
fn draining_goes_on_while_the_sorry_server_serves() {
    let mut one = service(1, vec![server(1, vec![])]);
    one.sorry = sorry(9);
    let mut machine = Machine::new(config(vec![one]));
    machine.tell(Input::Order(Order::Drain { server: id(1, 1), limit: None }));
    assert_eq!(machine.weights(1), [(1, 0), (9, 1)]);
}

#[test]
fn orders_outlive_reloads_and_the_service_itself() {
    let mut machine = three();
    let before = config(vec![service(1, (1..=3).map(|n| server(n, vec![tcp()])).collect())]);
    machine.tell(Input::Order(Order::Disable(id(1, 1))));
    machine.tell(Input::Order(Order::Weight(id(1, 2), Some(50))));
    machine.tell(Input::Order(Order::Add(name(1), Box::new(server(4, vec![])))));
    machine.tell(Input::Order(Order::Remove(id(1, 3))));
    assert_eq!(machine.weights(1), [(2, 50), (4, 1)]);
    machine.reconfigure(config(vec![]));
    assert!(machine.kernel.is_empty());
    machine.reconfigure(before);
    assert_eq!(machine.weights(1), [(2, 50), (4, 1)]);
    machine.tell(Input::Order(Order::Enable(id(1, 1))));
    machine.tell(Input::Order(Order::Weight(id(1, 2), None)));
    machine.tell(Input::Order(Order::Enable(id(1, 3))));
    machine.tell(Input::Order(Order::Remove(id(1, 4))));
    assert_eq!(machine.weights(1), [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn an_operators_weight_wins() {
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, vec![misc()])])]));
    machine.tell(Input::Order(Order::Weight(id(1, 1), Some(7))));
    machine.checked(id(1, 1), standfast_balance::Verdict::Good { weight: Some(30) });
    assert_eq!(machine.weights(1), [(1, 7)]);
    machine.tell(Input::Order(Order::Weight(id(1, 1), None)));
    assert_eq!(machine.weights(1), [(1, 30)]);
}

#[test]
fn a_refused_change_is_said_once_and_tried_again_after_longer_and_longer() {
    let mut machine = three();
    machine.events();
    let add = ServiceChange::AddDestination(key(1), at(2), Destination::new(1, Forwarding::Nat));
    let refuse = |machine: &mut Machine| {
        machine.kernel.get_mut(&key(1)).unwrap().destinations.remove(&at(2));
        let refused = Input::Refused(add.clone(), "No space left on device".into());
        machine.brain.handle_input(machine.now, refused);
        machine.take(Some);
        let said = std::iter::from_fn(|| machine.brain.poll_output()).count();
        let wait = machine.brain.next_deadline().unwrap().saturating_since(machine.now);
        (said, wait.as_secs())
    };
    assert_eq!(refuse(&mut machine), (1, 1));
    machine.wait(1);
    assert_eq!(machine.changes(), std::slice::from_ref(&add));
    assert_eq!(refuse(&mut machine), (0, 2));
    machine.wait(2);
    assert_eq!(machine.changes(), std::slice::from_ref(&add));
    machine.brain.verify(machine.now, &machine.kernel.clone());
    assert_eq!(refuse(&mut machine), (1, 1), "it was there in between");
}

#[test]
fn what_somebody_else_changed_is_put_right_and_said() {
    let mut machine = three();
    machine.events();
    machine.kernel.get_mut(&key(1)).unwrap().destinations.remove(&at(2));
    machine.kernel.insert(key(9), machine.kernel[&key(1)].clone());
    let theirs = machine.kernel[&key(9)].clone();
    machine.brain.verify(machine.now, &machine.kernel.clone());
    machine.kernel.remove(&key(9));
    machine.drain();
    assert_eq!(machine.weights(1).len(), 3);
    assert_eq!(machine.events(), [Event::Repaired { service: key(1) }]);
    machine.kernel.insert(key(9), theirs);
    machine.brain.verify(machine.now, &machine.kernel.clone());
    assert_eq!(machine.brain.poll_output(), None, "those of others are left alone");
}

#[test]
fn a_start_adopts_what_is_there_and_leaves_others_alone() {
    let machine = three();
    let mut kernel = machine.kernel.clone();
    kernel.insert(key(9), kernel[&key(1)].clone());
    kernel.get_mut(&key(1)).unwrap().destinations.remove(&at(3));
    kernel.get_mut(&key(1)).unwrap().scheduling.scheduler = Scheduler::Wlc;
    let servers = (1..=3).map(|n| server(n, vec![tcp()])).collect();
    let mut brain = standfast_balance::Brain::new(config(vec![service(1, servers)]), machine.now);
    brain.start(machine.now, &kernel);
    let changes: Vec<_> = std::iter::from_fn(|| brain.poll_output())
        .filter_map(|output| match output {
            Output::Change(change) => Some(change),
            _ => None,
        })
        .collect();
    let scheduling = machine.kernel[&key(1)].scheduling.clone();
    let destination = Destination::new(1, Forwarding::Nat);
    assert_eq!(
        changes,
        [
            ServiceChange::EditService(key(1), scheduling),
            ServiceChange::AddDestination(key(1), at(3), destination)
        ]
    );
    assert_eq!(brain.wanted(), &machine.kernel);
}

#[test]
fn what_becomes_of_connections_is_no_difference_to_a_kernel_but_one_to_a_reload() {
    let with = |closing| {
        let mut one = service(1, vec![server(1, vec![])]);
        one.scheduling.closing = closing;
        config(vec![one])
    };
    let mut machine = Machine::new(with(Closing::Reset));
    let mut kernel = machine.kernel.clone();
    kernel.get_mut(&key(1)).unwrap().scheduling.closing = Closing::AsKernel;
    machine.outputs.clear();
    machine.brain.verify(machine.now, &kernel);
    assert_eq!(machine.brain.poll_output(), None);
    machine.reconfigure(with(Closing::Expire));
    assert_eq!(machine.changes().len(), 1);
}

#[test]
fn a_restart_that_is_told_what_was_known_changes_and_says_nothing() {
    let servers = || (1..=4).map(|n| server(n, vec![tcp()])).collect();
    let with = || {
        let mut one = service(1, servers());
        (one.quorum, one.hysteresis, one.sorry) = (2, 1, sorry(9));
        config(vec![one])
    };
    let mut machine = Machine::new(with());
    let mut known = vec![];
    for n in 1..=4 {
        let check = standfast_balance::CheckId { server: id(1, n), index: 0 };
        machine.tell(Input::Checked(check.clone(), bad()));
        known.push(Input::Checked(check, bad()));
    }
    for n in 1..=2 {
        machine.checked(id(1, n), good());
        let check = standfast_balance::CheckId { server: id(1, n), index: 0 };
        known.push(Input::Checked(check, good()));
    }
    assert_eq!(machine.weights(1), [(9, 1)], "2 are less than 2 + 1");
    known.push(Input::Reported(name(1), false));
    let mut next = Machine::with(with(), known, machine.kernel.clone());
    assert_eq!(next.brain.wanted(), &machine.kernel);
    assert!(
        next.take(|output| (!matches!(output, Output::Probe(..))).then_some(output)).is_empty()
    );
}

#[test]
fn omega_reports_the_end() {
    let with = |omega| {
        let mut one = service(1, vec![server(1, vec![]), server(2, vec![tcp()])]);
        one.omega = omega;
        Machine::new(config(vec![one]))
    };
    let mut machine = with(true);
    machine.checked(id(1, 2), bad());
    machine.outputs.clear();
    machine.brain.stop(machine.now);
    machine.drain();
    assert!(machine.kernel.is_empty());
    let lines = ["RS [10.1.0.1]:80 of [10.0.0.1]:tcp:80 DOWN", "VS [10.0.0.1]:tcp:80 DOWN"];
    assert_eq!(machine.lines(), lines);
    let mut machine = with(false);
    machine.outputs.clear();
    machine.brain.stop(machine.now);
    machine.drain();
    assert_eq!(machine.lines(), [""; 0]);
}

#[test]
fn the_states_in_which_servers_start_are_told_when_wanted() {
    let mut config =
        config(vec![service(1, vec![server(1, vec![]), server(2, vec![alpha(&tcp())])])]);
    config.report_initial = true;
    let mut machine = Machine::new(config);
    let lines = [
        "RS [10.1.0.1]:80 of [10.0.0.1]:tcp:80 UP",
        "RS [10.1.0.2]:80 of [10.0.0.1]:tcp:80 DOWN",
        "VS [10.0.0.1]:tcp:80 UP",
    ];
    assert_eq!(machine.lines(), lines);
}

#[test]
fn checks_that_follow_from_something_else_are_not_run() {
    let checks = vec![file("load", 1), tcp(), bfd("b")];
    let mut machine = Machine::new(config(vec![service(1, vec![server(1, checks)])]));
    let probes = machine.take(|output| match output {
        Output::Probe(check, _) => Some(check.index),
        _ => None,
    });
    assert_eq!(probes, [1]);
}
