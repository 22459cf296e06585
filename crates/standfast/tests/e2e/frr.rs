//! FRR's vrrpd as the other node: VRRPv2, VRRPv3 and IPv6, each in both roles.

use std::{net::IpAddr, path::Path};

use standfast_kernel::{clock, process::signal};
use standfast_lab::stage::Stage;

use crate::common::{enable_ipv6, in_sandbox, pair, run, say, seconds, wait_for};

const VRRPD: &str = "/usr/lib/frr/vrrpd";
const ZEBRA: &str = "/usr/lib/frr/zebra";
const VTYSH: &str = "/usr/bin/vtysh --vty_socket /tmp/frr -c";

/// Number and version of an instance, and whether it is IPv6; `a`, ours, is master of those below 50.
const KINDS: [(u8, u8, bool); 6] =
    [(11, 2, false), (12, 3, false), (13, 3, true), (51, 2, false), (52, 3, false), (53, 3, true)];

fn address(number: u8, v6: bool) -> IpAddr {
    let number = if v6 { format!("fd83::1:{number}") } else { format!("10.83.0.{}", 100 + number) };
    number.parse().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

/// The priorities of ours and theirs.
const fn priorities(number: u8) -> [u8; 2] {
    if number < 50 { [200, 100] } else { [100, 200] }
}

fn ours() -> String {
    KINDS
        .map(|(number, version, v6)| {
            let address = address(number, v6);
            let [priority, _] = priorities(number);
            let interval = if version == 2 { "1" } else { "0.2" };
            let addresses = match v6 {
                true => format!("fe80::{number}/64\n {address}/64"),
                false => format!("{address}/24"),
            };
            format!(
                "vrrp_instance VI_{number} {{\n state BACKUP\n interface eth0\n version {version}\n \
                 virtual_router_id {number}\n priority {priority}\n advert_int {interval}\n \
                 virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
            )
        })
        .concat()
}

fn theirs() -> String {
    let lines = KINDS.map(|(number, version, v6)| {
        let (address, [_, priority]) = (address(number, v6), priorities(number));
        let interval = if version == 2 { 1000 } else { 200 };
        let addresses = match v6 {
            true => format!(" vrrp {number} ipv6 fe80::{number}\n vrrp {number} ipv6 {address}\n"),
            false => format!(" vrrp {number} ip {address}\n"),
        };
        format!(
            " vrrp {number} version {version}\n vrrp {number} priority {priority}\n \
             vrrp {number} advertisement-interval {interval}\n{addresses}"
        )
    });
    format!("interface eth0\n{}", lines.concat())
}

/// FRR wants interfaces with the routers' MAC addresses and their addresses, and switches them on and off.
fn prepare(stage: &mut Stage) -> anyhow::Result<()> {
    enable_ipv6(stage, &[("a", 1), ("b", 2)])?;
    for (number, _, v6) in KINDS {
        let address = address(number, v6);
        let (family, length) = if v6 { (2, 64) } else { (1, 24) };
        let own = if v6 {
            format!("ip address add fe80::{number}/64 dev v{number} nodad;")
        } else {
            String::new()
        };
        let nodad = if v6 { "nodad" } else { "" };
        let command = format!(
            "ip link add v{number} link eth0 type macvlan mode bridge; \
             ip link set v{number} address 00:00:5e:00:0{family}:{number:02x} up; {own} \
             ip address add {address}/{length} dev v{number} {nodad}"
        );
        run(stage, "b", &command)?;
    }
    run(stage, "b", "mkdir /tmp/frr && : > /tmp/frr/zebra.conf")?;
    let configuration = stage.topology.node("b")?;
    configuration.write_file(Path::new("/tmp/frr/vrrpd.conf"), theirs().as_bytes())?;
    // It insists on its own user.
    run(stage, "b", "chown -R frr:frr /tmp/frr")?;
    let zebra = [ZEBRA, "-f", "/tmp/frr/zebra.conf", "-i", "/tmp/frr/zebra.pid"];
    stage.start("b", "zebra", &[&zebra[..], &COMMON].concat())?;
    wait_for(stage, "zebra runs", seconds(5), |stage| {
        Ok(stage.run("b", &["/usr/bin/test", "-S", "/tmp/frr/zserv.api"])?.0 == 0)
    })
}

const COMMON: [&str; 4] = ["-z", "/tmp/frr/zserv.api", "--vty_socket", "/tmp/frr"];

fn start_theirs(stage: &mut Stage) -> anyhow::Result<()> {
    let vrrpd = [VRRPD, "-f", "/tmp/frr/vrrpd.conf", "-i", "/tmp/frr/vrrpd.pid"];
    stage.start("b", "daemon", &[&vrrpd[..], &COMMON].concat())
}

/// Waits until every instance is where the plan has it: by our addresses, and by what FRR says of itself.
fn held(stage: &mut Stage, what: &str, plan: impl Fn(u8) -> &'static str) -> anyhow::Result<()> {
    let from = clock::now();
    wait_for(stage, what, seconds(10), |stage| {
        for (number, _, v6) in KINDS {
            let expected = plan(number);
            let ours = stage.topology.node("a")?.addresses()?;
            let held = ours.iter().any(|held| held.prefix.address() == address(number, v6));
            if held != (expected == "a") {
                return Ok(false);
            }
        }
        // One that is killed says nothing.
        if stage.exit_code("b", "daemon")?.is_some() {
            return Ok(true);
        }
        let (code, lines) =
            stage.run("b", &["/bin/sh", "-c", &format!("{VTYSH} 'show vrrp summary'")])?;
        let right = KINDS.iter().all(|&(number, _, v6)| {
            let state = if plan(number) == "b" { "Master" } else { "Backup" };
            let row = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>());
            row.into_iter().any(|fields| {
                let theirs = if v6 { fields.last() } else { fields.iter().rev().nth(1) };
                fields.get(1) == Some(&number.to_string().as_str()) && theirs == Some(&state)
            })
        });
        Ok(code == 0 && right)
    })?;
    say(format_args!("{what}: after {} ms", clock::now().saturating_since(from).as_millis()));
    Ok(())
}

#[test]
fn frr_and_we_replace_each_other_in_both_versions_and_over_ipv6() {
    let name = "frr::frr_and_we_replace_each_other_in_both_versions_and_over_ipv6";
    in_sandbox(name, &[VRRPD, ZEBRA, "/usr/bin/vtysh", "/usr/bin/test"], || {
        let mut stage = pair()?;
        prepare(&mut stage)?;
        let by_priority = |number| if number < 50 { "a" } else { "b" };
        stage.start_keepalived("a", &ours(), &[])?;
        start_theirs(&mut stage)?;
        held(&mut stage, "both start: each holds its own", by_priority)?;
        stage.kill_everything("a")?;
        held(&mut stage, "ours is killed: FRR has all", |_| "b")?;
        stage.start_keepalived("a", &ours(), &[])?;
        held(&mut stage, "ours is back: each holds its own", by_priority)?;
        stage.signal("b", "daemon", signal::SIGKILL)?;
        held(&mut stage, "FRR is killed: we have all", |_| "a")?;
        start_theirs(&mut stage)?;
        held(&mut stage, "FRR is back: each holds its own", by_priority)?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        held(&mut stage, "ours is stopped: FRR has all", |_| "b")?;
        let log = stage.log("a", "daemon")?;
        let refused: Vec<_> = log.iter().filter(|line| line.contains("refused")).collect();
        anyhow::ensure!(refused.is_empty(), "{refused:?}");
        Ok(())
    });
}
