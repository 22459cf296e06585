//! Sync groups of two instances on two interfaces: a cable is pulled on one, and both move.

use std::{net::Ipv4Addr, path::Path};

use standfast_kernel::clock;
use standfast_lab::{
    stage::{CLIENT, Stage},
    topology::{Cable, InterfacePlan, NodePlan, Plan, Topology},
};

use crate::common::{KEEPALIVED, STANDFAST, file, in_sandbox, run, say, seconds, wait_for};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 84, 0, 100);
const TELL: &str = "#!/bin/sh
echo $* >> /tmp/told
";

/// Two machines between two networks, and a client in the first.
fn between() -> anyhow::Result<Stage> {
    let interface = |name: &str, switch: &str, address: String| InterfacePlan {
        name: name.to_owned(),
        switch: switch.to_owned(),
        addresses: address.parse().into_iter().collect(),
    };
    let node = |name: &str, host: u8| NodePlan {
        name: name.to_owned(),
        interfaces: vec![
            interface("eth0", "outside", format!("10.83.0.{host}/24")),
            interface("eth1", "inside", format!("10.84.0.{host}/24")),
        ],
    };
    let nodes = vec![node("a", 1), node("b", 2), node(CLIENT, 3)];
    let plan = Plan { nodes, programs: vec![STANDFAST.into()] };
    Ok(Stage::new(Topology::build(&plan)?, Path::new(STANDFAST)))
}

/// A router's two instances in a group, VRRPv3 with an advert every 100 ms.
fn configuration(priority: u8) -> String {
    let instance = |name: &str, interface: &str, id: u8, address: Ipv4Addr| {
        format!(
            "vrrp_instance {name} {{\n state BACKUP\n interface {interface}\n virtual_router_id {id}\n \
             priority {priority}\n advert_int 0.1\n virtual_ipaddress {{\n {address}/24\n }}\n}}\n"
        )
    };
    format!(
        "global_defs {{\n script_user root\n vrrp_version 3\n}}\nvrrp_sync_group ROUTER {{\n group {{\n \
         OUTSIDE\n INSIDE\n }}\n notify /etc/keepalived/tell.sh\n}}\n{}{}",
        instance("OUTSIDE", "eth0", 51, OUTSIDE),
        instance("INSIDE", "eth1", 52, INSIDE)
    )
}

fn held_by(stage: &mut Stage, node: &str) -> anyhow::Result<()> {
    let from = clock::now();
    wait_for(stage, &format!("{node} holds both addresses"), seconds(5), |stage| {
        Ok(stage.holders(OUTSIDE)? == [node] && stage.holders(INSIDE)? == [node])
    })?;
    say(format_args!("{node} holds both: {} ms", clock::now().saturating_since(from).as_millis()));
    Ok(())
}

/// The story with ours on `a` and anybody on `b`.
fn story(stage: &mut Stage) -> anyhow::Result<()> {
    held_by(stage, "a")?;
    for interface in ["eth1", "eth0"] {
        stage.topology.set_cable("a", interface, Cable::Pulled)?;
        held_by(stage, "b")?;
        stage.topology.set_cable("a", interface, Cable::Plugged)?;
        held_by(stage, "a")?;
        // The other one's cable as well: what it says and does is the same.
        stage.topology.set_cable("b", interface, Cable::Pulled)?;
        stage.topology.set_cable("b", interface, Cable::Plugged)?;
    }
    Ok(())
}

#[test]
fn both_instances_move_when_the_cable_of_one_is_pulled() {
    in_sandbox("groups::both_instances_move_when_the_cable_of_one_is_pulled", &["/bin/sh"], || {
        let mut stage = between()?;
        for (node, priority) in [("a", 200), ("b", 100)] {
            let place = Path::new("/etc/keepalived/tell.sh");
            stage.topology.node(node)?.write_program(place, TELL.as_bytes())?;
            stage.start_standfast(node, &configuration(priority))?;
        }
        story(&mut stage)?;
        let log = stage.log("a", "daemon")?.join("\n");
        for text in [
            "OUTSIDE: MASTER -> FAULT (priority 200): INSIDE of its sync group is in FAULT",
            "group ROUTER: BACKUP -> MASTER, after ",
        ] {
            anyhow::ensure!(log.contains(text), "{log}");
        }
        wait_for(&mut stage, "the group is told", seconds(3), |stage| {
            let told = file(stage, "a", "/tmp/told")?;
            let states: Vec<_> = told.lines().filter_map(|line| line.split(' ').nth(2)).collect();
            let fixed =
                told.lines().all(|line| line.starts_with("GROUP ROUTER ") && line.ends_with(" 0"));
            anyhow::ensure!(fixed, "{told}");
            Ok(states
                == ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"])
        })
    });
}

#[test]
fn a_group_moves_as_one_with_keepalived_as_the_other_node() {
    let name = "groups::a_group_moves_as_one_with_keepalived_as_the_other_node";
    in_sandbox(name, &[KEEPALIVED, "/usr/bin/killall"], || {
        let mut stage = between()?;
        let place = Path::new("/etc/keepalived/tell.sh");
        for node in ["a", "b"] {
            stage.topology.node(node)?.write_program(place, TELL.as_bytes())?;
        }
        let theirs = Path::new("/etc/keepalived/keepalived.conf");
        stage.topology.node("b")?.write_file(theirs, configuration(100).as_bytes())?;
        stage.start("b", "daemon", &[KEEPALIVED, "-n", "-l", "-D", "-G"])?;
        stage.start_standfast("a", &configuration(200))?;
        story(&mut stage)?;
        stage.kill_everything("a")?;
        held_by(&mut stage, "b")?;
        stage.start_standfast("a", &configuration(200))?;
        held_by(&mut stage, "a")?;
        run(&mut stage, "b", "killall keepalived")?;
        Ok(())
    });
}
