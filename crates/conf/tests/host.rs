//! What is said about the machine that a file is checked on.

mod support;

use standfast_conf::{
    Class, Code, Host, HostInterface, Loaded, Memory, Options, Severity, test_exit_code,
};
use support::{MAIN, expect, find, instance, load, load_as, warnings};

/// An interface that is up and carries multicast.
fn interface(name: &str, addresses: &[&str]) -> HostInterface {
    HostInterface {
        name: name.to_owned(),
        up: true,
        multicast: true,
        loopback: false,
        addresses: addresses.iter().map(|text| text.parse().expect("a prefix")).collect(),
    }
}

fn loopback() -> HostInterface {
    let own = interface("lo", &["127.0.0.1/8"]);
    HostInterface { multicast: false, loopback: true, ..own }
}

fn with_interfaces(interfaces: Vec<HostInterface>) -> Options {
    let interfaces = std::iter::once(loopback()).chain(interfaces).collect();
    let host = Host { interfaces, has_user: |_| true, has_group: |_| true };
    Options { host: Some(host), ..Options::default() }
}

/// A machine with `eth0` in 192.0.2.0/24 and `eth1` in 198.51.100.0/24.
fn machine() -> Options {
    with_interfaces(vec![
        interface("eth0", &["192.0.2.1/24"]),
        interface("eth1", &["198.51.100.1/24"]),
    ])
}

fn check(text: &str, options: &Options) -> Loaded {
    load_as(MAIN, text, Memory::default(), options)
}

/// Codes of findings about the machine.
fn about_the_machine(loaded: &Loaded) -> Vec<Code> {
    let codes = loaded.diagnostics.iter().map(|found| found.code);
    codes.filter(|code| (701..800).contains(&code.number())).collect()
}

#[test]
fn a_file_that_fits_its_machine_gives_nothing() {
    let text = instance(
        " mcast_src_ip 192.0.2.1\n track_interface {\n eth1\n }\n virtual_ipaddress_excluded {\n 198.51.100.9 dev eth1\n 203.0.113.1/24\n }",
    );
    let loaded = check(&text, &Options { on_this_host: true, ..machine() });
    assert_eq!(about_the_machine(&loaded), []);
    assert_eq!(warnings(&loaded), []);
}

#[test]
fn without_a_host_nothing_is_said_about_it() {
    let loaded = load(&instance(" mcast_src_ip 10.9.9.9").replace("eth0", "nosuch0"));
    assert_eq!(about_the_machine(&loaded), []);
}

#[test]
fn an_interface_that_the_machine_lacks_is_said_once_with_the_nearest_name() {
    let text = instance(
        " track_interface {\n eht1\n }\n virtual_ipaddress_excluded {\n 192.0.2.7 dev eht1\n }",
    );
    let loaded = check(&text, &machine());
    expect(&loaded, Code::InterfaceAbsent, 6, "eht1", "did you mean `eth1`?");
    let found = find(&loaded, Code::InterfaceAbsent);
    assert_eq!(found.severity, Severity::Warning);
    assert_eq!(found.secondary.len(), 1, "the other use: {found:#?}");
    assert_eq!(found.keepalived, Some(Class::Error));
    assert_eq!(test_exit_code(&loaded.diagnostics), 5);
    assert!(loaded.model.is_some(), "it may come later");
    let number = check(&instance("").replace("eth0", "eth7"), &machine());
    expect(&number, Code::InterfaceAbsent, 2, "eth7", "it has eth0, eth1");
    let unlike = check(&instance("").replace("eth0", "bond0.17"), &machine());
    expect(&unlike, Code::InterfaceAbsent, 2, "bond0.17", "it has eth0, eth1");
}

#[test]
fn on_this_host_a_missing_interface_refuses_the_file() {
    let options = Options { on_this_host: true, ..machine() };
    let loaded = check(&instance("").replace("eth0", "eth7"), &options);
    assert_eq!(find(&loaded, Code::InterfaceAbsent).severity, Severity::Error);
    assert!(loaded.model.is_none());
}

#[test]
fn interfaces_that_come_later_are_no_mistake() {
    let dynamic = "global_defs {\n dynamic_interfaces\n}\n".to_owned()
        + &instance("").replace("eth0", "ppp0");
    let options = Options { on_this_host: true, ..machine() };
    let loaded = check(&dynamic, &options);
    let found = find(&loaded, Code::InterfaceAbsent);
    assert_eq!((found.severity, found.keepalived), (Severity::Note, None));
    let vmac = instance(" use_vmac mac51\n track_interface {\n mac51\n vrrp.51\n }");
    assert_eq!(about_the_machine(&check(&vmac, &options)), []);
}

#[test]
fn an_interface_that_is_off_is_a_note() {
    let off = HostInterface { up: false, ..interface("eth0", &["192.0.2.1/24"]) };
    let loaded = check(&instance(""), &with_interfaces(vec![off]));
    expect(&loaded, Code::InterfaceDown, 2, "eth0", "ip link set eth0 up");
    assert_eq!(warnings(&loaded), []);
}

#[test]
fn multicast_over_an_interface_without_it_needs_peers() {
    let tunnel = HostInterface { multicast: false, ..interface("eth0", &["192.0.2.1/24"]) };
    let options = with_interfaces(vec![tunnel]);
    let loaded = check(&instance(""), &options);
    expect(&loaded, Code::NoMulticast, 2, "eth0", "unicast_peer");
    assert_eq!(test_exit_code(&loaded.diagnostics), 5);
    let unicast = check(&instance(" unicast_peer {\n 192.0.2.2\n }"), &options);
    assert_eq!(about_the_machine(&unicast), []);
}

#[test]
fn a_source_that_the_machine_lacks_is_named_with_the_one_it_has() {
    let text = instance(" mcast_src_ip 192.0.2.77");
    let loaded = check(&text, &machine());
    expect(&loaded, Code::SourceAbsent, 5, "192.0.2.77", "eth0 has 192.0.2.1");
    assert_eq!(test_exit_code(&loaded.diagnostics), 0, "keepalived says nothing");
    let here = Options { on_this_host: true, ..machine() };
    assert_eq!(find(&check(&text, &here), Code::SourceAbsent).severity, Severity::Error);
}

#[test]
fn a_file_of_another_machine_is_not_measured_by_this_ones_addresses() {
    let text = instance(" mcast_src_ip 10.0.0.1").replace("192.0.2.100/24", "10.0.0.100");
    let loaded = check(&text, &machine());
    assert_eq!(about_the_machine(&loaded), [Code::SourceAbsent]);
    let other_interface = check(&text.replace("eth0", "ens33"), &machine());
    assert_eq!(about_the_machine(&other_interface), [Code::InterfaceAbsent]);
}

#[test]
fn an_address_in_no_subnet_of_its_interface_is_pointed_out_once() {
    let text = instance(" virtual_ipaddress_excluded {\n 10.0.0.7\n 10.0.0.8\n 192.0.2.9\n }");
    let loaded = check(&text, &machine());
    expect(&loaded, Code::OutsideSubnets, 6, "10.0.0.7", "prefix length");
    assert_eq!(find(&loaded, Code::OutsideSubnets).secondary.len(), 1);
    let elsewhere = instance(" virtual_ipaddress_excluded {\n 198.51.100.9\n }");
    let hint = "write `198.51.100.9 dev eth1`";
    expect(&check(&elsewhere, &machine()), Code::OutsideSubnets, 6, "198.51.100.9", hint);
}

#[test]
fn an_address_outside_is_normal_where_it_brings_its_subnet_or_the_interface_has_none() {
    let own_subnet = instance(" virtual_ipaddress_excluded {\n 10.0.0.7/24\n }");
    assert_eq!(about_the_machine(&check(&own_subnet, &machine())), []);
    let bare = instance("").replace("192.0.2.100/24", "10.0.0.7");
    for addresses in [&[][..], &["172.16.0.1/32"]] {
        let options = with_interfaces(vec![interface("eth0", addresses)]);
        assert_eq!(about_the_machine(&check(&bare, &options)), [], "{addresses:?}");
    }
}

#[test]
fn a_virtual_address_that_the_machine_has_for_good_is_a_mistake() {
    let text = instance("").replace("192.0.2.100/24", "192.0.2.1");
    let loaded = check(&text, &machine());
    expect(&loaded, Code::OwnAddress, 4, "192.0.2.1", "write a free address");
    let first = instance("").replace("2.100/24", "2.1/24");
    expect(&check(&first, &machine()), Code::OwnAddress, 4, "192.0.2.1/24", "free");
}

#[test]
fn an_address_that_keepalived_serves_right_now_is_none() {
    let serving = [
        with_interfaces(vec![interface("eth0", &["192.0.2.1/24", "192.0.2.100/24"])]),
        with_interfaces(vec![
            interface("eth0", &["192.0.2.1/24"]),
            HostInterface { loopback: true, ..interface("lo2", &["192.0.2.100/32"]) },
        ]),
    ];
    for options in serving {
        assert_eq!(about_the_machine(&check(&instance(""), &options)), []);
    }
}

#[test]
fn priority_255_is_measured_by_what_the_machine_has() {
    let text = instance(" priority 255");
    let loaded = check(&text, &machine());
    expect(&loaded, Code::NotOwner, 5, "255", "below 255");
    let general = loaded.diagnostics.iter().filter(|found| found.code == Code::AddressOwner);
    assert_eq!(general.count(), 0, "said once");
    let owner = check(&text.replace("2.100", "2.1"), &machine());
    assert_eq!(about_the_machine(&owner), []);
    find(&owner, Code::AddressOwner);
}

#[test]
fn unicast_from_one_of_several_addresses_should_say_which() {
    let text = instance(" unicast_peer {\n 192.0.2.2\n }");
    let several = |own: &[&str]| with_interfaces(vec![interface("eth0", own)]);
    let loaded = check(&text, &several(&["192.0.2.1/24", "192.0.2.5/24"]));
    expect(&loaded, Code::SourceUnsaid, 5, "unicast_peer", "192.0.2.1");
    assert_eq!(find(&loaded, Code::SourceUnsaid).severity, Severity::Note);
    let held = check(&text, &several(&["192.0.2.1/24", "192.0.2.100/24"]));
    assert_eq!(about_the_machine(&held), [], "the other one moves");
}

#[test]
fn scripts_without_a_user_are_measured_by_the_machine() {
    let text =
        "global_defs {\n enable_script_security\n}\nvrrp_script chk {\n script \"/bin/chk\"\n}\n"
            .to_owned()
            + &instance(" track_script {\n chk\n }");
    let files = || Memory::default().with_script("/bin/chk", "#!/bin/sh\n");
    let unknown = load_as(MAIN, &text, files(), &Options::default());
    expect(&unknown, Code::ScriptAsRoot, 2, "enable_script_security", "script_user USER");
    assert_eq!(find(&unknown, Code::ScriptAsRoot).severity, Severity::Note);
    let mut options = machine();
    let with_user = load_as(MAIN, &text, files(), &options);
    assert_eq!(warnings(&with_user), []);
    options.host =
        options.host.map(|host| Host { has_user: |name| name != "keepalived_script", ..host });
    let without = load_as(MAIN, &text, files(), &options);
    assert_eq!(find(&without, Code::ScriptAsRoot).severity, Severity::Warning);
    assert_eq!(test_exit_code(&without.diagnostics), 5);
    let said = text.replace("enable_script", "script_user nobody\n enable_script");
    assert_eq!(warnings(&load_as(MAIN, &said, files(), &options)), []);
}

#[test]
fn a_user_that_the_machine_lacks_is_said_once() {
    let text = "global_defs {\n script_user nosuch\n}\nvrrp_script chk {\n script \"/bin/chk\"\n user nosuch\n}\n";
    let text = text.to_owned() + &instance(" track_script {\n chk\n }");
    let without = |options: Options| Options {
        host: options.host.map(|host| Host { has_user: |name| name == "root", ..host }),
        ..options
    };
    let loaded = check(&text, &without(machine()));
    expect(&loaded, Code::UserUnknown, 2, "nosuch", "a user that exists");
    let found = find(&loaded, Code::UserUnknown);
    assert_eq!((found.severity, found.keepalived), (Severity::Warning, Some(Class::Error)));
    assert_eq!(found.secondary.len(), 1, "the script's: {found:#?}");
    let own = check(&text, &without(Options { on_this_host: true, ..machine() }));
    assert_eq!(find(&own, Code::UserUnknown).severity, Severity::Error);
    for other in ["root", "1000"] {
        let loaded = check(&text.replace("nosuch", other), &without(machine()));
        assert!(loaded.diagnostics.iter().all(|found| found.code != Code::UserUnknown), "{other}");
    }
}

#[test]
fn a_group_that_the_machine_lacks_is_said_wherever_a_command_names_it() {
    let mut options = machine();
    options.host = options.host.map(|host| Host { has_group: |_| false, ..host });
    let global = "global_defs {\n script_user root:nogrp\n}\n";
    expect(&check(global, &options), Code::UserUnknown, 2, "root:nogrp", "a group that exists");
    let notify = instance(" notify \"/bin/n\" root nogrp");
    expect(&check(&notify, &options), Code::UserUnknown, 5, "nogrp", "");
    let misc = "virtual_server 192.0.2.1 80 {\n real_server 10.0.0.1 80 {\n MISC_CHECK {\n misc_path \"/bin/m\"\n user root nogrp\n }\n }\n}\n";
    expect(&check(misc, &options), Code::UserUnknown, 5, "nogrp", "");
    assert_eq!(about_the_machine(&check(&instance(" notify /bin/n -a"), &options)), []);
}

#[test]
fn interfaces_of_routes_rules_and_groups_have_to_be_there_too() {
    let lists = [
        "virtual_routes {\n 10.0.0.0/8 via 192.0.2.9 dev nosuch0\n }",
        "virtual_routes {\n 10.0.0.0/8 oif nosuch0\n }",
        "virtual_routes {\n 10.0.0.0/8 nexthop via 192.0.2.9 dev nosuch0 weight 1\n }",
        "virtual_rules {\n from 10.0.0.0/8 iif nosuch0 table 9 preference 9\n }",
    ];
    for list in lists {
        let loaded = check(&instance(&format!(" {list}")), &machine());
        expect(&loaded, Code::InterfaceAbsent, 6, "nosuch0", "it has eth0, eth1");
        let there = check(&instance(&format!(" {list}")).replace("nosuch0", "eth1"), &machine());
        assert_eq!(about_the_machine(&there), [], "{list}");
    }
    let top = [
        "static_ipaddress {\n 10.0.0.1/8 dev nosuch0\n}\n",
        "static_routes {\n 10.0.0.0/8 dev nosuch0\n}\n",
        "vrrp_sync_group G {\n track_interface {\n nosuch0\n }\n}\n",
    ];
    for block in top {
        let loaded = check(block, &machine());
        assert_eq!(about_the_machine(&loaded), [Code::InterfaceAbsent], "{block}");
    }
}

#[test]
fn a_new_interface_cannot_have_the_name_of_one_with_an_address_of_its_own() {
    let used = |name: &str, interfaces| {
        let loaded = check(&instance(&format!(" use_vmac {name}")), &with_interfaces(interfaces));
        loaded.diagnostics.iter().any(|found| found.code == Code::OwnMac)
    };
    let eth0 = || interface("eth0", &["192.0.2.1/24"]);
    assert!(used("eth1", vec![eth0(), interface("eth1", &["198.51.100.1/24"])]));
    let made = interface("vrrp.51", &["192.0.2.100/24"]);
    assert!(!used("vrrp.51", vec![eth0(), made]), "keepalived made it");
    assert!(!used("vrrp.51", vec![eth0()]));
}
