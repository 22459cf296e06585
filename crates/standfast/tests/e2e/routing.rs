//! Routes and rules: what each form of them installs, beside keepalived, and what becomes of them.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use standfast_kernel::{clock, process::signal};
use standfast_lab::{
    stage::{Stage, pause},
    topology::{InterfacePlan, NodePlan, Plan, Topology},
};

use crate::common::{
    KEEPALIVED, STANDFAST, in_sandbox, instance, logged, run, say, seconds, text, wait_for,
};

/// Two machines alike, each on networks of its own.
fn twins() -> anyhow::Result<Stage> {
    let node = |name: &str| {
        let interface = |number: u8| {
            let addresses = [format!("10.8{number}.0.1/24"), format!("2001:db8:{number}::1/64")];
            InterfacePlan {
                name: format!("eth{number}"),
                switch: format!("{name}{number}"),
                addresses: addresses.iter().filter_map(|text| text.parse().ok()).collect(),
            }
        };
        NodePlan { name: name.to_owned(), interfaces: vec![interface(0), interface(1)] }
    };
    let plan = Plan { nodes: vec![node("a"), node("b")], programs: vec![STANDFAST.into()] };
    Ok(Stage::new(Topology::build(&plan)?, Path::new(STANDFAST)))
}

/// Everything that `ip` shows of routes, rules and addresses and that somebody made, with what
/// differs from run to run left out.
fn shown(stage: &mut Stage, node: &str) -> anyhow::Result<Vec<String>> {
    let commands = "for family in 4 6; do ip -$family -d route show table all; ip -$family -d rule; done; \
                    ip -d -br addr show eth0; ip -d -br addr show eth1";
    let lines = run(stage, node, commands)?;
    let made = lines.iter().filter(|line| {
        !["table local", "proto kernel", "proto ra"].iter().any(|other| line.contains(other))
    });
    let plain = made.map(|line| {
        let words = line.split_whitespace().map(|word| match word {
            word if word.ends_with("sec") && word.starts_with(char::is_numeric) => "TIME",
            word if word.starts_with("eth") && word.contains('@') => "INTERFACE",
            word if word.starts_with("fe80:") && word.ends_with("/64") => "LINK-LOCAL",
            word => word,
        });
        let mut words: Vec<_> = words.collect();
        if line.starts_with("eth") {
            // An address that is put back is the last of its interface.
            words.sort_unstable();
        }
        words.join(" ")
    });
    Ok(plain.collect())
}

fn start_theirs(stage: &mut Stage, node: &str, configuration: &str) -> anyhow::Result<()> {
    let path = Path::new("/etc/keepalived/keepalived.conf");
    stage.topology.node(node)?.write_file(path, configuration.as_bytes())?;
    stage.start(node, "daemon", &[KEEPALIVED, "-n", "-l", "-D"])
}

#[test]
fn every_form_installs_what_keepalived_installs() {
    let name = "routing::every_form_installs_what_keepalived_installs";
    in_sandbox(name, &["/usr/sbin/ip", KEEPALIVED], || {
        let mut stage = twins()?;
        let before = shown(&mut stage, "a")?;
        let configuration = text("routing/both.conf")?;
        stage.start_standfast("a", &configuration)?;
        start_theirs(&mut stage, "b", &configuration)?;
        for node in ["a", "b"] {
            wait_for(&mut stage, "the last rule is there", seconds(5), |stage| {
                Ok(shown(stage, node)?.iter().any(|line| line.starts_with("901:")))
            })?;
        }
        let (ours, theirs) = (shown(&mut stage, "a")?, shown(&mut stage, "b")?);
        let only_ours: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
        let only_theirs: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
        anyhow::ensure!(
            only_ours.is_empty() && only_theirs.is_empty(),
            "only we: {only_ours:#?}\nonly they: {only_theirs:#?}\n{:#?}",
            stage.log("a", "daemon")?
        );
        say(format_args!("{} lines of ip are the same", ours.len()));
        anyhow::ensure!(ours.len() > before.len() + 80, "{ours:#?}");
        // And nothing stays behind.
        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "everything is gone", seconds(5), |stage| {
            Ok(shown(stage, "a")? == before)
        })
    });
}

#[test]
fn forms_of_the_manual_that_keepalived_refuses_are_installed() {
    let name = "routing::forms_of_the_manual_that_keepalived_refuses_are_installed";
    in_sandbox(name, &["/usr/sbin/ip"], || {
        let mut stage = twins()?;
        stage.start_standfast("a", &text("routing/ours.conf")?)?;
        let expected = [
            "unicast 10.2.0.0/24 via inet6 fe80::9 dev eth1 table main proto keepalived scope global",
            "nexthop via inet6 fe80::9 dev eth0 weight 1",
            "unicast 10.2.2.0/24 dev eth0 table main proto keepalived scope global",
            "unicast 10.2.3.0/24 dev eth0 table main proto keepalived scope global",
            "unicast default dev eth0 table 300 proto keepalived scope global metric 1024 pref medium",
            "unicast 10.2.5.0/24 table main proto keepalived scope global",
            "nexthop via 10.80.0.8 dev eth0 weight 1",
            "unicast 10.2.4.0/24 dev eth0 table main proto keepalived scope global rtt 102ms rto_min 100ms",
            "117: from all iif eth0 lookup 6 proto keepalived",
            "119: from 10.3.0.0/24 dport 80 lookup 5 proto keepalived",
            "130: from 10.3.1.0/24 lookup 5 proto static",
        ];
        for line in expected {
            wait_for(&mut stage, line, seconds(3), |stage| {
                Ok(shown(stage, "a")?.iter().any(|found| found == line))
            })?;
        }
        Ok(())
    });
}

#[test]
fn what_somebody_removes_is_back_and_no_role_changes() {
    let name = "routing::what_somebody_removes_is_back_and_no_role_changes";
    in_sandbox(name, &["/usr/sbin/ip"], || {
        let mut stage = twins()?;
        stage.start_standfast("a", &text("routing/both.conf")?)?;
        let all = |stage: &mut Stage| shown(stage, "a");
        wait_for(&mut stage, "the last rule is there", seconds(5), |stage| {
            Ok(all(stage)?.iter().any(|line| line.starts_with("901:")))
        })?;
        let before = all(&mut stage)?;
        let mut worst = Duration::ZERO;
        for removal in [
            "ip route del 10.4.1.0/24",
            "ip -6 route del 2001:db8:40::/48",
            "ip rule del pref 900",
            "ip -6 rule del pref 901",
            "ip route del 10.2.0.0/24",
            "ip route del 10.2.9.0/24 table 6909",
            "ip rule del pref 101",
            "ip addr del 10.99.0.1/24 dev eth0",
        ] {
            // Each is looked at by another process: that takes its time too.
            let from = clock::now();
            run(&mut stage, "a", removal)?;
            wait_for(&mut stage, removal, seconds(2), |stage| Ok(all(stage)? == before))?;
            worst = worst.max(clock::now().saturating_since(from));
        }
        say(format_args!("back after {worst:?} at worst, with the time of `ip` itself"));
        let lines = stage.log("a", "daemon")?;
        anyhow::ensure!(!lines.iter().any(|line| line.contains("MASTER ->")), "{lines:#?}");
        let said = "somebody removed the static 10.99.0.1/24; put back";
        anyhow::ensure!(lines.iter().any(|line| line.contains(said)), "{lines:#?}");
        // With an interface the kernel takes IPv4's routes away and says nothing.
        run(&mut stage, "a", "ip link set eth0 down; ip link set eth0 up")?;
        wait_for(&mut stage, "everything is back", seconds(5), |stage| {
            let now = all(stage)?;
            let is_route = |line: &&String| line.starts_with("unicast") && !line.contains(':');
            Ok(before.iter().filter(is_route).all(|line| now.contains(line)))
        })
    });
}

#[test]
fn promote_secondaries_is_set_and_given_back() {
    let name = "routing::promote_secondaries_is_set_and_given_back";
    in_sandbox(name, &["/usr/sbin/ip"], || {
        let mut stage = twins()?;
        let asked = "cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries";
        anyhow::ensure!(run(&mut stage, "a", asked)? == ["0"]);
        let address = Ipv4Addr::new(10, 80, 0, 100);
        let configuration = instance(200, address, "promote_secondaries");
        stage.start_standfast("a", &configuration)?;
        wait_for(
            &mut stage,
            "it is set",
            seconds(3),
            |stage| Ok(run(stage, "a", asked)? == ["1"]),
        )?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "it is as before", seconds(3), |stage| {
            Ok(run(stage, "a", asked)? == ["0"])
        })
    });
}

#[test]
fn a_pulse_that_dies_leaves_its_routes_to_the_next() {
    let name = "routing::a_pulse_that_dies_leaves_its_routes_to_the_next";
    in_sandbox(name, &["/usr/sbin/ip"], || {
        let mut stage = twins()?;
        stage.start_standfast("a", &text("routing/both.conf")?)?;
        wait_for(&mut stage, "the last rule is there", seconds(5), |stage| {
            Ok(shown(stage, "a")?.iter().any(|line| line.starts_with("901:")))
        })?;
        stage.start("a", "monitor", &["/usr/sbin/ip", "monitor", "route", "rule"])?;
        pause(Duration::from_millis(300));
        stage.log("a", "monitor")?;
        stage.kill_pulse("a")?;
        logged(&mut stage, "a", "adopted", seconds(3))?;
        let lines = stage.log("a", "monitor")?;
        let gone = |line: &&String| line.starts_with("Deleted") && !line.contains("proto kernel");
        let gone: Vec<_> = lines.iter().filter(gone).collect();
        anyhow::ensure!(gone.is_empty(), "{gone:?}");
        run(&mut stage, "a", "ip route del 10.4.1.0/24")?;
        logged(&mut stage, "a", "somebody removed the route 10.4.1.0/24", seconds(2))?;
        let address = Ipv4Addr::new(10, 80, 0, 100);
        anyhow::ensure!(stage.holders(address)? == ["a"]);
        Ok(())
    });
}
