//! Instances with interfaces of their own.

use super::*;
use crate::{OwnLink, OwnLinkKind};

const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
const OWN_LINK: IfIndex = IfIndex::new(9);

fn with_vmac() -> Config {
    let mut instance = instance("V", 51, ADDRESS);
    instance.links.push(OwnLink {
        name: "vrrp.51".into(),
        prefix: Some("vrrp".to_owned()),
        parent: "eth0".into(),
        kind: OwnLinkKind::Macvlan { mac: MAC, ipv6: false },
        group: None,
    });
    instance.advertise_from = Some("vrrp.51".into());
    instance.addresses[0].interface = "vrrp.51".into();
    instance.router.shared_mac = true;
    config(vec![instance])
}

fn made(machine: &mut Machine, name: &str, index: IfIndex) -> Vec<Output> {
    let mut outputs = machine.input(Input::Link { index, name: name.into(), running: false });
    outputs.extend(machine.input(Input::LinkMade { name: name.into(), index }));
    outputs
}

fn backup() -> Machine {
    let mut machine = Machine::new(with_vmac());
    machine.start(&[]);
    made(&mut machine, "vrrp.51", OWN_LINK);
    assert_eq!(machine.state("V"), StateName::Backup);
    machine
}

fn master() -> (Machine, Vec<Output>) {
    let mut machine = backup();
    let outputs = machine.wait(Duration::from_secs(4));
    assert_eq!(machine.state("V"), StateName::Master);
    (machine, outputs)
}

fn position(outputs: &[Output], what: impl Fn(&Output) -> bool) -> usize {
    outputs.iter().position(what).unwrap_or_else(|| panic!("not among {outputs:?}"))
}

fn creates(outputs: &[Output]) -> Vec<&str> {
    let mut names = Vec::new();
    for output in outputs {
        if let Output::CreateLink { name, .. } = output {
            names.push(name.as_str());
        }
    }
    names
}

#[test]
fn its_interface_is_made_before_it_takes_part_and_stays_down_until_it_is_master() {
    let mut machine = Machine::new(with_vmac());
    let outputs = machine.start(&[]);
    assert_eq!(creates(&outputs), ["vrrp.51"]);
    assert_eq!(machine.state("V"), StateName::Init, "it waits quietly");
    let mut outputs = made(&mut machine, "vrrp.51", OWN_LINK);
    outputs.extend(machine.advert(200));
    outputs.extend(machine.wait(Duration::from_secs(2)));
    assert_eq!(machine.state("V"), StateName::Backup);
    assert!(!outputs.contains(&Output::LinkUp { index: OWN_LINK }));
    let sends = |output: &&Output| matches!(output, Output::Send { .. } | Output::Announce { .. });
    assert_eq!(outputs.iter().find(sends), None);
}

#[test]
fn as_master_it_speaks_and_holds_its_addresses_there_and_hears_on_the_parent() {
    let (machine, outputs) = master();
    let up = position(&outputs, |o| *o == Output::LinkUp { index: OWN_LINK });
    let add = position(&outputs, |o| matches!(o, Output::AddAddress { index: OWN_LINK, .. }));
    let send = position(&outputs, |o| matches!(o, Output::Send { index: OWN_LINK, .. }));
    let announce = position(&outputs, |o| matches!(o, Output::Announce { index: OWN_LINK, .. }));
    assert!(up < add && add < send && send < announce, "{outputs:?}");
    assert!(machine.brain.listeners.vrids((ETH0, Family::V4)).len() == 1);
    assert!(machine.brain.listeners.vrids((OWN_LINK, Family::V4)).is_empty());
}

#[test]
fn the_interface_falls_silent_before_anything_else_and_the_last_word_comes_from_the_parent() {
    let (mut machine, _) = master();
    let outputs = machine.advert(200);
    assert_eq!(machine.state("V"), StateName::Backup);
    assert_eq!(outputs[0], Output::LinkDown { index: OWN_LINK });
    position(&outputs, |o| matches!(o, Output::RemoveAddress { index: OWN_LINK, .. }));
    position(&outputs, |o| matches!(o, Output::Send { index: ETH0, .. }));
}

#[test]
fn on_release_nothing_follows_the_first_advert_of_the_successor() {
    let (mut machine, _) = master();
    let outputs = machine.input(Input::Release);
    position(&outputs, |o| matches!(o, Output::Send { index: OWN_LINK, .. }));
    assert!(!outputs.contains(&Output::LinkDown { index: OWN_LINK }), "it still serves");
    machine.advert(50);
    let outputs = machine.wait(Duration::ZERO);
    assert_eq!(outputs[0], Output::LinkDown { index: OWN_LINK });
    position(&outputs, |o| *o == Output::RemoveLink { index: OWN_LINK });
    assert!(machine.brain.has_stopped());
}

#[test]
fn a_successor_that_announces_from_the_same_mac_is_heard_on_the_parent() {
    let (mut machine, _) = master();
    machine.input(Input::Release);
    machine.input(Input::Announced { index: ETH0, address: ADDRESS, mac: RIVAL });
    let outputs = machine.wait(Duration::ZERO);
    position(&outputs, |o| *o == Output::RemoveLink { index: OWN_LINK });
}

#[test]
fn an_interface_that_somebody_deletes_is_made_again_and_the_master_stays_master() {
    let (mut machine, _) = master();
    let outputs = machine.input(Input::LinkGone { index: OWN_LINK });
    assert_eq!(creates(&outputs), ["vrrp.51"]);
    assert_eq!(machine.state("V"), StateName::Master);
    let again = IfIndex::new(10);
    let outputs = made(&mut machine, "vrrp.51", again);
    let up = position(&outputs, |o| *o == Output::LinkUp { index: again });
    let add =
        position(&outputs, |o| matches!(o, Output::AddAddress { index, .. } if *index == again));
    assert!(up < add);
    position(&outputs, |o| matches!(o, Output::Announce { index, .. } if *index == again));
    let event = InstanceEvent::LinkRestored { interface: "vrrp.51".into() };
    position(
        &outputs,
        |o| matches!(o, Output::Emit(Event::Instance { kind, .. }) if *kind == event),
    );
}

#[test]
fn somebody_who_switches_the_interface_is_contradicted() {
    let mut machine = backup();
    let switched = |running| Input::Link { index: OWN_LINK, name: "vrrp.51".into(), running };
    let outputs = machine.input(switched(true));
    assert_eq!(outputs, [Output::LinkDown { index: OWN_LINK }]);
    machine.input(switched(false));
    let (mut machine, _) = master();
    machine.input(switched(true));
    let outputs = machine.input(switched(false));
    assert_eq!(outputs[0], Output::LinkUp { index: OWN_LINK });
}

#[test]
fn a_name_that_is_taken_gives_way_to_the_next() {
    let mut machine = Machine::new(with_vmac());
    machine.start(&[]);
    let refused = |name: &str, taken| Input::LinkRefused {
        name: name.into(),
        error: "another interface has this name".to_owned(),
        taken,
    };
    assert_eq!(creates(&machine.input(refused("vrrp.51", true))), ["vrrp1.51"]);
    made(&mut machine, "vrrp1.51", OWN_LINK);
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn what_the_kernel_refuses_is_a_fault_and_is_tried_again() {
    let mut machine = Machine::new(with_vmac());
    machine.start(&[]);
    let error = "no such kind".to_owned();
    machine.input(Input::LinkRefused { name: "vrrp.51".into(), error, taken: false });
    assert_eq!(machine.state("V"), StateName::Fault);
    let outputs = machine.wait(Duration::from_secs(1));
    assert_eq!(creates(&outputs), ["vrrp.51"]);
    made(&mut machine, "vrrp.51", OWN_LINK);
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn after_a_crash_the_interface_is_adopted_with_what_is_on_it() {
    let mut machine = Machine::new(with_vmac());
    machine.brain.prepare(machine.now);
    assert_eq!(creates(&machine.drain()), ["vrrp.51"]);
    let outputs = made(&mut machine, "vrrp.51", OWN_LINK);
    assert!(!outputs.contains(&Output::LinkDown { index: OWN_LINK }));
    let name = InstanceName::from("V");
    assert!(!machine.brain.is_installed(&name));
    machine.input(Input::Address { index: OWN_LINK, address: ADDRESS, ours: true });
    assert!(machine.brain.is_installed(&name));
    let outputs = machine.start(&["V"]);
    assert_eq!(machine.state("V"), StateName::Master);
    assert!(!outputs.contains(&Output::LinkDown { index: OWN_LINK }));
}

#[test]
fn what_a_crash_left_up_and_nobody_adopts_is_switched_off_first() {
    let mut machine = Machine::new(with_vmac());
    machine.brain.prepare(machine.now);
    machine.drain();
    made(&mut machine, "vrrp.51", OWN_LINK);
    let outputs = machine.start(&[]);
    assert_eq!(outputs[0], Output::LinkDown { index: OWN_LINK });
    assert_eq!(machine.state("V"), StateName::Backup);
}

#[test]
fn a_parent_that_comes_back_as_another_gets_a_new_interface() {
    let (mut machine, _) = master();
    machine.input(Input::LinkGone { index: OWN_LINK });
    let outputs = machine.input(Input::LinkGone { index: ETH0 });
    assert_eq!(creates(&outputs), Vec::<&str>::new());
    assert_eq!(machine.state("V"), StateName::Fault);
    let parent = IfIndex::new(20);
    machine.input(Input::Address { index: parent, address: OWN, ours: false });
    let outputs = machine.input(Input::Link { index: parent, name: "eth0".into(), running: true });
    let on_new = |o: &Output| matches!(o, Output::CreateLink { parent: on, .. } if *on == parent);
    position(&outputs, on_new);
}

#[test]
fn a_reload_without_it_removes_the_interface_and_puts_the_addresses_on_the_parent() {
    let (mut machine, _) = master();
    machine.brain.reconfigure(machine.now, config(vec![instance("V", 51, ADDRESS)]));
    let outputs = machine.drain();
    position(&outputs, |o| *o == Output::RemoveLink { index: OWN_LINK });
    position(&outputs, |o| matches!(o, Output::AddAddress { index: ETH0, .. }));
    assert_eq!(machine.state("V"), StateName::Master);
    machine.brain.reconfigure(machine.now, Config::default());
    machine.drain();
}

#[test]
fn addresses_that_no_advert_keeps_in_mind_are_announced_again_and_again() {
    let mut config = with_vmac();
    let interval = Duration::from_secs(60);
    config.instances[0].extra_announcements =
        Some(crate::ExtraAnnouncements { interval, everywhere: false });
    // As with `vmac_xmit_base`.
    config.instances[0].advertise_from = None;
    let mut machine = Machine::new(config);
    machine.start(&[]);
    made(&mut machine, "vrrp.51", OWN_LINK);
    machine.wait(Duration::from_secs(20));
    assert_eq!(announces(&machine.wait(Duration::from_secs(180))), 3);
    machine.advert(200);
    assert_eq!(announces(&machine.wait(Duration::from_secs(2))), 0);
}

#[test]
fn one_that_stops_announces_nothing_again_behind_its_successor() {
    let mut config = config(vec![instance("V", 51, ADDRESS)]);
    config.instances[0].extra_announcements =
        Some(crate::ExtraAnnouncements { interval: Duration::from_millis(100), everywhere: true });
    // So that adverts leave elsewhere.
    config.instances[0].addresses[0].interface = "eth1".into();
    let mut machine = Machine::new(config);
    machine.input(Input::Link { index: ETH1, name: "eth1".into(), running: true });
    machine.start(&[]);
    machine.wait(Duration::from_secs(20));
    assert!(announces(&machine.wait(Duration::from_secs(1))) > 0);
    machine.input(Input::Release);
    assert!(machine.brain.snapshot()[0].holds);
    assert_eq!(announces(&machine.wait(Duration::from_secs(2))), 0);
}

#[test]
fn what_takes_no_packets_is_blocked_before_it_is_held_and_freed_at_the_end() {
    let mut config = config(vec![instance("V", 51, ADDRESS)]);
    config.instances[0].accept = false;
    let mut machine = Machine::new(config.clone());
    let outputs = machine.start(&[]);
    let block = |addresses: &[IpAddr]| Output::Block {
        firewall: crate::Firewall::default(),
        addresses: addresses.iter().map(|ip| (*ip, "eth0".into())).collect(),
    };
    assert_eq!(outputs[0], block(&[ADDRESS]));
    assert!(!machine.wait(Duration::from_secs(4)).contains(&block(&[ADDRESS])), "once is enough");
    machine.input(Input::Release);
    assert!(machine.wait(Duration::from_secs(4)).contains(&block(&[])));

    let mut machine = Machine::new(config.clone());
    machine.start(&[]);
    config.firewall.table = "mine".to_owned();
    machine.brain.reconfigure(machine.now, config.clone());
    let outputs = machine.drain();
    assert_eq!(outputs[0], block(&[]), "the old table goes");
    config.instances[0].accept = true;
    machine.brain.reconfigure(machine.now, config);
    let freed =
        |output: &Output| matches!(output, Output::Block { addresses, .. } if addresses.is_empty());
    assert!(machine.drain().iter().any(freed));
}

#[test]
fn an_owner_takes_packets_whatever_the_file_says() {
    let mut config = config(vec![instance("V", 51, ADDRESS)]);
    config.instances[0].accept = false;
    config.instances[0].router.priority = Priority::OWNER;
    let outputs = Machine::new(config).start(&[]);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Block { .. })));
}
