//! Virtual MAC addresses: silent until MASTER, shared with Debian's keepalived, back after any accident.

use std::{path::Path, time::Duration};

use standfast_kernel::process::signal;
use standfast_lab::{
    stage::{CLIENT, Stage, pause},
    topology::Cable,
};

use crate::{
    common::{self, KEEPALIVED, TCPDUMP, in_sandbox, logged, pair, run, say, seconds, wait_for},
    peers::start_theirs,
};

const NFT: &str = "/usr/sbin/nft";
const MAC: &str = "00:00:5e:00:01:33";
const MAC6: &str = "00:00:5e:00:02:33";
/// Long enough for several adverts, and for whatever the kernel might have to say.
const WHILE: Duration = Duration::from_millis(1500);
const ADDRESS: &str = "10.83.0.100";

/// An instance of each family with the same number, and lines for both.
fn configuration(priority: u8, more: &str) -> String {
    let instance = |name: &str, addresses: &str| {
        format!(
            "vrrp_instance {name} {{\n state BACKUP\n interface eth0\n version 3\n \
             virtual_router_id 51\n priority {priority}\n advert_int 0.2\n use_vmac\n{more}\n \
             virtual_ipaddress {{\n{addresses}\n }}\n}}\n"
        )
    };
    format!(
        "global_defs {{\n script_user root\n}}\n{}{}",
        instance("V4", "10.83.0.100/24"),
        instance("V6", "fe80::100/64\n 2001:db8:83::100/64")
    )
}

/// Follows all that leaves a node from the virtual MAC addresses.
fn capture(stage: &mut Stage, node: &str) -> anyhow::Result<()> {
    let filter = format!("ether src {MAC} or ether src {MAC6}");
    let words = ["-Q", "out", "--immediate-mode", "-U", "-w", "/tmp/vmac", filter.as_str()];
    common::capture(stage, node, &words)
}

fn captured(stage: &mut Stage, node: &str, filter: &str) -> anyhow::Result<Vec<String>> {
    run(stage, node, &format!("{TCPDUMP} -nn -e -r /tmp/vmac '{filter}' 2>/dev/null"))
}

fn is_up(stage: &mut Stage, node: &str, interface: &str) -> anyhow::Result<bool> {
    let lines = run(stage, node, &format!("ip -o link show {interface}"))?;
    Ok(lines.iter().any(|line| line.contains(",UP")))
}

/// Waits until this node alone holds the addresses of both families.
fn held_by(stage: &mut Stage, node: &str) -> anyhow::Result<()> {
    wait_for(stage, &format!("{node} holds the addresses"), seconds(6), |stage| {
        let (four, six) = (ADDRESS.parse()?, "2001:db8:83::100".parse()?);
        let holders = |stage: &mut Stage, address| stage.topology.holders(address);
        Ok(holders(stage, four)? == [node] && holders(stage, six)? == [node])
    })
}

#[test]
fn the_virtual_mac_is_silent_until_we_are_master_and_again_when_keepalived_is() {
    let name = "vmac::the_virtual_mac_is_silent_until_we_are_master_and_again_when_keepalived_is";
    in_sandbox(name, &[KEEPALIVED, TCPDUMP], || {
        let mut stage = pair()?;
        run(&mut stage, "a", "sysctl -qw net.ipv4.conf.eth0.arp_announce=1")?;
        capture(&mut stage, "a")?;
        start_theirs(&mut stage, "b", &configuration(200, ""))?;
        held_by(&mut stage, "b")?;
        // What the kernel itself has to say there is said once its own address is settled.
        wait_for(&mut stage, "the parent has its link-local address", seconds(4), |stage| {
            let settled = run(stage, "a", "ip -o -6 addr show dev eth0 scope link -tentative")?;
            Ok(!settled.is_empty())
        })?;
        stage.start_keepalived("a", &configuration(100, ""), &[])?;
        logged(&mut stage, "a", "V6: INIT -> BACKUP", seconds(4))?;
        pause(WHILE);
        let early = captured(&mut stage, "a", "")?;
        anyhow::ensure!(early.is_empty(), "as a backup it said: {early:?}");
        anyhow::ensure!(!is_up(&mut stage, "a", "vrrp.51")?);

        stage.signal("b", "daemon", signal::SIGTERM)?;
        held_by(&mut stage, "a")?;
        anyhow::ensure!(is_up(&mut stage, "a", "vrrp6.51")?);
        run(&mut stage, CLIENT, &format!("timeout 1 bash -c '</dev/tcp/{ADDRESS}/9' 2>&1 || :"))?;
        let known = run(&mut stage, CLIENT, &format!("ip neigh show {ADDRESS}"))?.join("");
        anyhow::ensure!(known.contains(MAC), "the client has {known:?}");
        pause(WHILE);
        let adverts = captured(&mut stage, "a", "ip proto 112")?;
        anyhow::ensure!(
            adverts.len() > 3 && adverts.iter().all(|line| line.contains("10.83.0.1 >"))
        );
        anyhow::ensure!(captured(&mut stage, "a", "ip6 proto 112")?.len() > 3);
        anyhow::ensure!(captured(&mut stage, "a", "arp")?.len() >= 5);

        start_theirs(&mut stage, "b", &configuration(200, ""))?;
        held_by(&mut stage, "b")?;
        let before = captured(&mut stage, "a", "")?.len();
        pause(WHILE);
        let all = captured(&mut stage, "a", "")?;
        anyhow::ensure!(all.len() == before, "these followed: {:#?}", all.get(before..));
        anyhow::ensure!(!is_up(&mut stage, "a", "vrrp.51")?);

        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "ours ends", seconds(5), |stage| {
            Ok(stage.exit_code("a", "daemon")?.is_some())
        })?;
        let left = run(&mut stage, "a", "ip -o link show type macvlan")?;
        anyhow::ensure!(left.is_empty(), "it left {left:?}");
        let settings = run(
            &mut stage,
            "a",
            "sysctl -n net.ipv4.conf.eth0.arp_ignore net.ipv4.conf.eth0.arp_announce",
        )?;
        anyhow::ensure!(settings == ["0", "1"], "{settings:?}");
        say(format_args!("silent as a backup, {before} frames as master, none after"));
        Ok(())
    });
}

#[test]
fn two_masters_with_one_virtual_mac_hear_each_other_again_when_the_network_heals() {
    let name =
        "vmac::two_masters_with_one_virtual_mac_hear_each_other_again_when_the_network_heals";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        stage.start_keepalived("a", &configuration(200, ""), &[])?;
        stage.start_keepalived("b", &configuration(100, ""), &[])?;
        held_by(&mut stage, "a")?;
        stage.topology.set_cable("a", "eth0", Cable::Silent)?;
        wait_for(&mut stage, "both are master", seconds(4), |stage| {
            Ok(stage.topology.holders(ADDRESS.parse()?)? == ["a", "b"])
        })?;
        stage.topology.set_cable("a", "eth0", Cable::Plugged)?;
        held_by(&mut stage, "a")
    });
}

#[test]
fn after_a_crash_the_interface_is_adopted_and_one_that_somebody_deletes_is_made_again() {
    let name =
        "vmac::after_a_crash_the_interface_is_adopted_and_one_that_somebody_deletes_is_made_again";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        // The name is taken.
        run(&mut stage, "a", "ip link add vrrp.51 type bridge")?;
        stage.start_keepalived("a", &configuration(200, ""), &[])?;
        held_by(&mut stage, "a")?;
        let number = |stage: &mut Stage| run(stage, "a", "ip -o link show vrrp1.51 | cut -d: -f1");
        let before = number(&mut stage)?;
        stage.kill_pulse("a")?;
        logged(&mut stage, "a", "V4: stays MASTER", seconds(5))?;
        anyhow::ensure!(number(&mut stage)? == before, "the interface is another one");
        held_by(&mut stage, "a")?;

        run(&mut stage, "a", "ip link del vrrp1.51")?;
        logged(&mut stage, "a", "V4: somebody removed interface", seconds(5))?;
        held_by(&mut stage, "a")?;
        run(&mut stage, "a", "ip link set vrrp6.51 down")?;
        held_by(&mut stage, "a")?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "it ends", seconds(5), |stage| {
            Ok(stage.exit_code("a", "daemon")?.is_some())
        })?;
        let left = run(&mut stage, "a", "ip -o link show type macvlan")?;
        anyhow::ensure!(left.is_empty(), "it left {left:?}");
        let setting = run(&mut stage, "a", "sysctl -n net.ipv4.conf.eth0.arp_ignore")?;
        anyhow::ensure!(setting == ["0"], "the pulse that died had found 0, now it is {setting:?}");
        Ok(())
    });
}

#[test]
fn with_no_accept_the_address_resolves_and_takes_nothing() {
    let name = "vmac::with_no_accept_the_address_resolves_and_takes_nothing";
    in_sandbox(name, &[NFT], || {
        let mut stage = pair()?;
        let configured = configuration(200, " no_accept").replace(" use_vmac\n", "");
        stage.start_keepalived("a", &configured, &[])?;
        held_by(&mut stage, "a")?;
        // Nobody listens on that port: without the rule it is refused at once.
        let ask = |stage: &mut Stage, address: &str| {
            let command = format!("timeout 1 bash -c '</dev/tcp/{address}/9'");
            stage.run(CLIENT, &["/bin/sh", "-c", &command]).map(|(code, _)| code)
        };
        anyhow::ensure!(ask(&mut stage, "10.83.0.1")? == 1);
        anyhow::ensure!(ask(&mut stage, ADDRESS)? == 124, "it answered");
        let known = run(&mut stage, CLIENT, &format!("ip neigh show {ADDRESS}"))?.join("");
        anyhow::ensure!(known.contains("02:00"), "the client has {known:?}");
        let path = Path::new("/etc/keepalived/keepalived.conf");
        let accepting = configured.replace(" no_accept", "");
        stage.topology.node("a")?.write_file(path, accepting.as_bytes())?;
        stage.signal("a", "daemon", signal::SIGHUP)?;
        wait_for(&mut stage, "it takes what is sent to it", seconds(4), |stage| {
            Ok(ask(stage, ADDRESS)? == 1)
        })?;
        let rules = run(&mut stage, "a", &format!("{NFT} list ruleset"))?;
        anyhow::ensure!(rules.is_empty(), "{rules:?}");
        Ok(())
    });
}
