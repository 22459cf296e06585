//! Five deployments as their authors write them: the model that comes out, and what a look at
//! both nodes' files finds.

mod support;

use std::{net::Ipv4Addr, time::Duration};

use standfast_conf::{Code, Diagnostic, Loaded, Memory, Options, cross_node};
use standfast_vrrp::{Preempt, Transport, Version};
use support::{find, load_as, warnings};

const SCRIPT: &str = "#!/bin/bash\nA=`ps -C nginx --no-header|wc -l`\nexit 0\n";

fn node(path: &str, text: &str) -> Loaded {
    let files = Memory::default()
        .with_script("/etc/keepalived/web_check.sh", SCRIPT)
        .with_script("/etc/keepalived/check_web.sh", SCRIPT)
        .with_script("/etc/keepalived/notify.sh", SCRIPT)
        .with_script("/bin/bash", "");
    load_as(path, text, files, &Options::default())
}

fn pair(a: &str, b: &str) -> [Loaded; 2] {
    [node("a.conf", a), node("b.conf", b)]
}

/// The findings of one kind over both files, with the node they are about.
fn across(nodes: &[Loaded], code: Code) -> Vec<(usize, Diagnostic)> {
    cross_node(nodes).into_iter().filter(|(_, found)| found.code == code).collect()
}

#[test]
fn a_tie_after_failure_is_found_and_the_needed_weight_named() {
    let nodes = pair(
        include_str!("fixtures/container-master.conf"),
        include_str!("fixtures/container-slave.conf"),
    );
    let found = across(&nodes, Code::WeightNeverMoves);
    assert_eq!(found.len(), 1);
    let (node, found) = &found[0];
    assert_eq!(*node, 0);
    assert!(
        found.message.contains("80 ties with 80 of b.conf; a tie does not preempt"),
        "{found:?}"
    );
    assert_eq!(found.hint.as_deref(), Some("write weight -21 or lower, e.g. -30"));
    assert_eq!(nodes[0].sources.position(found.primary.span).line, 4);
}

#[test]
fn a_larger_weight_shows_that_nopreempt_holds_it_back() {
    let nodes = pair(
        &include_str!("fixtures/container-master.conf").replace("-20", "-30"),
        include_str!("fixtures/container-slave.conf"),
    );
    assert_eq!(across(&nodes, Code::WeightNeverMoves), []);
    let held = across(&nodes, Code::NoPreemptHolds);
    assert_eq!(held.len(), 1);
    assert!(held[0].1.message.contains("b.conf has `nopreempt`"));
    let slave = nodes[1].model.as_ref().expect("runs");
    assert_eq!(slave.failover.instances[0].router.preempt, Preempt::Never);
}

#[test]
fn unicast_nodes_with_a_plain_script_agree() {
    let nodes = pair(
        include_str!("fixtures/compose-master.conf"),
        include_str!("fixtures/compose-slave.conf"),
    );
    assert_eq!(cross_node(&nodes), []);
    let model = nodes[0].model.as_ref().expect("runs");
    let instance = &model.failover.instances[0];
    let Transport::Unicast { peers, check_source, ttl } = &instance.router.transport else {
        panic!("unicast");
    };
    assert_eq!(peers[0].address, Ipv4Addr::new(172, 20, 128, 3));
    assert_eq!((*check_source, *ttl, peers[0].max_ttl), (false, 255, 255));
    assert_eq!(instance.trackers.scripts[0].weight.value, 0, "a failure means FAULT");
    assert_eq!(instance.addresses[0].prefix.length(), 24);
    assert_eq!(model.scripts[0].command.argv, ["pidof", "nginx"]);
    assert_eq!(model.scripts[0].timeout, Duration::from_secs(2), "the interval");
    find(&nodes[0], Code::ServiceOnOwnAddress);
}

#[test]
fn a_positive_weight_that_never_moves_the_address_is_found() {
    let nodes =
        pair(include_str!("fixtures/standby-a.conf"), include_str!("fixtures/standby-b.conf"));
    let found = cross_node(&nodes);
    assert_eq!(found.len(), 1, "{found:#?}");
    let (node, found) = &found[0];
    assert_eq!((*node, found.code), (0, Code::WeightNeverMoves));
    assert!(found.message.contains("100 (from 110) is still above 80"), "{found:?}");
    assert!(found.message.contains("weight 10 never moves the address"));
    assert_eq!(found.hint.as_deref(), Some("write weight -21 or lower, e.g. -30"));
    let model = nodes[0].model.as_ref().expect("runs");
    assert_eq!(model.failover.instances.len(), 2);
    assert_eq!(model.global.router_id.as_deref(), Some("keep_a"));
}

#[test]
fn a_weight_that_moves_the_address_is_left_alone() {
    let nodes =
        pair(include_str!("fixtures/uplink-a.conf"), include_str!("fixtures/uplink-b.conf"));
    assert_eq!(cross_node(&nodes), []);
    let model = nodes[0].model.as_ref().expect("runs");
    let router = &model.failover.instances[0].router;
    assert_eq!((router.priority.get(), router.version), (101, Version::V2));
    assert_eq!(router.advert_interval.centis(), 200);
    let script = &model.failover.scripts[0];
    assert_eq!((script.rise, script.fall, script.init_fail), (2, 3, false));
    assert_eq!(warnings(&nodes[0]), [Code::ScriptSecurityOff]);
}

#[test]
fn a_director_runs_with_its_mistakes_named() {
    let loaded = node("director.conf", include_str!("fixtures/director.conf"));
    let model = loaded.model.as_ref().expect("runs");
    let instance = &model.failover.instances[0];
    assert_eq!(instance.addresses[0].label.as_deref(), Some("eth0:1"));
    assert_eq!(instance.source, Some(Ipv4Addr::new(192, 168, 10, 10).into()));
    let notify = &model.notify["VI_1"];
    let master = notify.master.as_ref().expect("notify_master");
    assert_eq!(master.argv, ["/bin/bash", "/etc/keepalived/notify.sh", "master"]);
    assert_eq!(notify.fault, None);
    for code in [Code::GroupNotMulticast, Code::PasswordCut, Code::OwnInterface] {
        find(&loaded, code);
    }
    let count = |code| loaded.diagnostics.iter().filter(|found| found.code == code).count();
    assert_eq!(count(Code::UnknownKeyword), 5);
    assert_eq!(count(Code::DirectRoutingPort), 1, "for both servers");
    assert_eq!(count(Code::PeerIsServer), 2);
}

#[test]
fn nodes_that_disagree_are_told_where() {
    let text = include_str!("fixtures/compose-slave.conf");
    let changed = |from: &str, to: &str| {
        let master = include_str!("fixtures/compose-master.conf");
        cross_node(&pair(master, &text.replace(from, to)))
    };
    let one = |from: &str, to: &str| {
        let found = changed(from, to);
        assert_eq!(found.len(), 1, "{found:#?}");
        (found[0].0, found[0].1.code)
    };
    assert_eq!(one("priority 100", "priority 100\nadvert_int 2"), (1, Code::IntervalDiffers));
    assert_eq!(one("letmein", "letmeout"), (1, Code::PasswordDiffers));
    assert_eq!(one("128.4/24", "128.5/24"), (1, Code::AddressesDiffer));
    assert_eq!(one("priority 100", "priority 200"), (0, Code::SamePriority));
    assert_eq!(one("        172.20.128.2\n", "        172.20.128.9\n"), (1, Code::PeerMissing));
    let version = changed("priority 100", "priority 100\nversion 3");
    assert!(version.iter().any(|(node, found)| (*node, found.code) == (1, Code::VersionDiffers)));
    let start = text.find("    unicast_peer").expect("peers");
    let end = text.find("    authentication").expect("authentication");
    let multicast = text.replace(&text[start..end], "");
    let found = cross_node(&pair(include_str!("fixtures/compose-master.conf"), &multicast));
    assert_eq!(found[0].1.code, Code::TransportDiffers);
}
