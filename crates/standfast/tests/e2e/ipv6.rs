//! VRRP over IPv6, with Debian's keepalived as the other node.

use std::net::{IpAddr, Ipv6Addr};

use standfast_kernel::{clock, process::signal};
use standfast_lab::stage::{CLIENT, Stage};

use crate::common::{
    KEEPALIVED, TCPDUMP, capture, enable_ipv6, file, in_sandbox, pair, run, say, seconds, wait_for,
};

const TSHARK: &str = "/usr/bin/tshark";
const PING: &str = "/usr/bin/ping";

/// Instances over multicast and over unicast; `a` is master of those below 50.
const KINDS: [(u8, bool); 4] = [(11, true), (12, false), (51, true), (52, false)];

fn address(number: u8) -> IpAddr {
    Ipv6Addr::new(0xfd83, 0, 0, 0, 0, 0, 1, number.into()).into()
}

fn configuration(own: u8, other: u8) -> String {
    let instances = KINDS.map(|(number, multicast)| {
        let priority = if (own == 1) == (number < 50) { 200 } else { 100 };
        let peers = if multicast {
            String::new()
        } else {
            format!(" unicast_src_ip fd83::{own}\n unicast_peer {{\n fd83::{other}\n }}\n")
        };
        format!(
            "vrrp_instance VI_{number} {{\n state BACKUP\n interface eth0\n virtual_router_id {number}\n \
             priority {priority}\n advert_int 0.2\n{peers} virtual_ipaddress {{\n \
             fe80::{number}/64\n {}/64\n }}\n}}\n",
            address(number)
        )
    });
    format!("global_defs {{\n vrrp_version 3\n}}\n{}", instances.concat())
}

fn held(stage: &mut Stage, what: &str, plan: impl Fn(u8) -> &'static str) -> anyhow::Result<()> {
    let from = clock::now();
    wait_for(stage, what, seconds(8), |stage| {
        for (number, _) in KINDS {
            if stage.topology.holders(address(number))? != [plan(number)] {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    say(format_args!("{what}: after {} ms", clock::now().saturating_since(from).as_millis()));
    // Who resolved the address before must find its new place without asking again.
    for (number, _) in KINDS {
        run(stage, CLIENT, &format!("ping -6 -c 1 -W 2 {}", address(number)))?;
    }
    Ok(())
}

#[test]
fn keepalived_and_we_replace_each_other_over_ipv6() {
    let name = "ipv6::keepalived_and_we_replace_each_other_over_ipv6";
    in_sandbox(name, &[KEEPALIVED, TSHARK, TCPDUMP, PING], || {
        let mut stage = pair()?;
        enable_ipv6(&mut stage, &[("a", 1), ("b", 2), (CLIENT, 3)])?;
        capture(&mut stage, "b", &["-U", "-s", "0", "-w", "/tmp/capture", "ip6"])?;
        let (ours, theirs) = (configuration(1, 2), configuration(2, 1));
        stage.start_keepalived("a", &ours, &[])?;
        let path = std::path::Path::new("/etc/keepalived/keepalived.conf");
        stage.topology.node("b")?.write_file(path, theirs.as_bytes())?;
        let daemon = [KEEPALIVED, "-n", "-l", "-D", "-G"];
        stage.start("b", "daemon", &daemon)?;
        let by_priority = |number| if number < 50 { "a" } else { "b" };
        held(&mut stage, "both start: each holds its own", by_priority)?;
        stage.kill_everything("a")?;
        held(&mut stage, "ours is killed: keepalived has all", |_| "b")?;
        stage.start_keepalived("a", &ours, &[])?;
        held(&mut stage, "ours is back: each holds its own", by_priority)?;
        stage.signal("b", "daemon", signal::SIGTERM)?;
        held(&mut stage, "keepalived is stopped: we have all", |_| "a")?;
        wait_for(&mut stage, "keepalived has ended", seconds(5), |stage| {
            Ok(stage.exit_code("b", "daemon")?.is_some())
        })?;
        stage.start("b", "daemon", &daemon)?;
        held(&mut stage, "keepalived is back: each holds its own", by_priority)?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        held(&mut stage, "ours is stopped: keepalived has all", |_| "b")?;
        well_formed(&mut stage)
    });
}

/// Every packet of ours in the capture, judged by tshark.
fn well_formed(stage: &mut Stage) -> anyhow::Result<()> {
    stage.signal("b", "capture", signal::SIGTERM)?;
    let judge = "tshark -r /tmp/capture -Y 'eth.src == 02:00:00:00:01:00 and ((vrrp and not icmpv6) or icmpv6.type == 136)' \
                 -o vrrp.v3_checksum_as_in_v2:FALSE -T fields -e ipv6.src -e ipv6.dst -e ipv6.hlim \
                 -e vrrp.checksum.status -e icmpv6.checksum.status -e icmpv6.nd.na.flag.r \
                 -e _ws.malformed -e _ws.expert.severity 2>/dev/null > /tmp/judged; wc -l < /tmp/judged";
    let lines = run(stage, "b", judge)?;
    let judged = file(stage, "b", "/tmp/judged")?;
    anyhow::ensure!(judged.lines().count() > 50, "too few packets: {lines:?}");
    let mut announcements = 0;
    for line in judged.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [source, destination, hops, vrrp, icmp, router, malformed, _] = fields[..] else {
            anyhow::bail!("{line}");
        };
        anyhow::ensure!(hops == "255" && malformed.is_empty(), "{line}");
        match (vrrp, icmp) {
            ("1", "") if destination == "ff02::12" => {
                anyhow::ensure!(source == "fe80::a:1", "{line}");
            }
            ("1", "") => anyhow::ensure!(destination == "fd83::2", "{line}"),
            ("", "1") if router == "1" && destination == "ff02::1" => announcements += 1,
            // Answers to those who asked are the kernel's.
            ("", "1") => {}
            _ => anyhow::bail!("a wrong checksum: {line}"),
        }
    }
    anyhow::ensure!(announcements >= 20, "only {announcements} announcements");
    say(format_args!("tshark judged {} packets, no fault", judged.lines().count()));
    Ok(())
}
