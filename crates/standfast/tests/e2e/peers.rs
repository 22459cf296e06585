//! Debian's keepalived as the other node, and what tshark thinks of our packets.

use std::net::Ipv4Addr;

use standfast_kernel::{clock, process::signal};
use standfast_lab::stage::Stage;

use crate::common::{
    KEEPALIVED, TCPDUMP, capture, in_sandbox, logged, pair, run, say, seconds, wait_for,
};

const TSHARK: &str = "/usr/bin/tshark";
/// Our address, which keepalived expects there.
const OUR_SPI: &str = "0x0a530001";
/// Of the first machine that a network builds: ours.
const OUR_MAC: &str = "02:00:00:00:01:00";

/// One instance of every kind, twice: the address ends in its number, and `a` is master of those below 50. With
/// the version, whether it is multicast, and its authentication.
const KINDS: [(u8, u8, bool, Option<&str>); 12] = [
    (11, 2, true, Some("PASS")),
    (12, 2, false, Some("PASS")),
    (13, 3, true, None),
    (14, 3, false, None),
    (15, 2, true, Some("AH")),
    (16, 2, false, Some("AH")),
    (51, 2, true, Some("PASS")),
    (52, 2, false, Some("PASS")),
    (53, 3, true, None),
    (54, 3, false, None),
    (55, 2, true, Some("AH")),
    (56, 2, false, Some("AH")),
];

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 83, 0, 100 + number)
}

/// Both nodes' configuration, seen from the one with this last byte.
fn configuration(own: u8, other: u8) -> String {
    let mut text = "global_defs {\n script_user root\n}\n".to_owned();
    for (number, version, multicast, authentication) in KINDS {
        let priority = if (own == 1) == (number < 50) { 200 } else { 100 };
        let interval = if version == 2 { "1" } else { "0.2" };
        let state = if priority == 200 { "MASTER" } else { "BACKUP" };
        let authentication = authentication.map_or_else(String::new, |kind| {
            format!(" authentication {{\n auth_type {kind}\n auth_pass secret\n }}\n")
        });
        let peers = if multicast {
            String::new()
        } else {
            format!(" unicast_src_ip 10.83.0.{own}\n unicast_peer {{\n 10.83.0.{other}\n }}\n")
        };
        text.push_str(&format!(
            "vrrp_instance VI_{number} {{\n state {state}\n interface eth0\n version {version}\n \
             virtual_router_id {number}\n priority {priority}\n \
             advert_int {interval}\n{authentication}{peers} \
             virtual_ipaddress {{\n {}/24\n }}\n}}\n",
            address(number)
        ));
    }
    text
}

pub(crate) fn start_theirs(
    stage: &mut Stage,
    node: &str,
    configuration: &str,
) -> anyhow::Result<()> {
    let path = std::path::Path::new("/etc/keepalived/keepalived.conf");
    stage.topology.node(node)?.write_file(path, configuration.as_bytes())?;
    stage.start(node, "daemon", &[KEEPALIVED, "-n", "-l", "-D", "-G"])
}

/// Waits until every instance is where the plan has it.
fn held(
    stage: &mut Stage,
    what: &str,
    plan: impl Fn(u8) -> &'static str,
    alone: bool,
) -> anyhow::Result<()> {
    let from = clock::now();
    wait_for(stage, what, seconds(8), |stage| {
        for (number, ..) in KINDS {
            let holders = stage.holders(address(number))?;
            let expected = plan(number);
            let right =
                if alone { holders == [expected] } else { holders.iter().any(|h| h == expected) };
            if !right {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    say(format_args!("{what}: after {} ms", clock::now().saturating_since(from).as_millis()));
    Ok(())
}

#[test]
fn keepalived_and_we_replace_each_other_in_every_mode_and_tshark_finds_no_fault() {
    let name =
        "peers::keepalived_and_we_replace_each_other_in_every_mode_and_tshark_finds_no_fault";
    in_sandbox(name, &[KEEPALIVED, TSHARK, TCPDUMP, "/usr/bin/killall"], || {
        let mut stage = pair()?;
        let by_priority = |number| if number < 50 { "a" } else { "b" };
        // On the other machine: what arrives there.
        let filter = "vrrp or ah or arp";
        capture(&mut stage, "b", &["-U", "-s", "0", "-w", "/tmp/capture", filter])?;
        let (ours, theirs) = (configuration(1, 2), configuration(2, 1));
        stage.start_keepalived("a", &ours, &[])?;
        start_theirs(&mut stage, "b", &theirs)?;
        held(&mut stage, "both start: each holds its own", by_priority, true)?;
        stage.kill_everything("a")?;
        held(&mut stage, "ours is killed: keepalived has all", |_| "b", true)?;
        stage.start_keepalived("a", &ours, &[])?;
        held(&mut stage, "ours is back: each holds its own", by_priority, true)?;
        run(&mut stage, "b", "killall -9 keepalived")?;
        // Its addresses stay on the dead machine: that is keepalived's way.
        held(&mut stage, "keepalived is killed: we have all", |_| "a", false)?;
        stage.kill("b", "daemon");
        start_theirs(&mut stage, "b", &theirs)?;
        held(&mut stage, "keepalived is back: each holds its own", by_priority, true)?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        held(&mut stage, "ours is stopped: keepalived has all", |_| "b", true)?;
        stage.start_keepalived("a", &ours, &[])?;
        held(&mut stage, "ours is back: each holds its own", by_priority, true)?;
        stage.signal("b", "daemon", signal::SIGTERM)?;
        held(&mut stage, "keepalived is stopped: we have all", |_| "a", true)?;
        well_formed(&mut stage)
    });
}

/// Every packet of ours in the capture, judged by tshark.
fn well_formed(stage: &mut Stage) -> anyhow::Result<()> {
    stage.signal("b", "capture", signal::SIGTERM)?;
    wait_for(stage, "the capture ends", seconds(3), |stage| {
        Ok(stage.exit_code("b", "capture")?.is_some())
    })?;
    let read = |filter: &str, fields: &str| {
        format!(
            "tshark -r /tmp/capture -o ip.check_checksum:TRUE -Y 'eth.src == {OUR_MAC} && ({filter})' \
             -T fields -E separator=/s -E occurrence=a {fields} 2>/dev/null"
        )
    };
    // That two machines announce one address after another is what this is all about.
    let bad = "_ws.malformed || (_ws.expert.severity >= 0x600000 && !arp.duplicate-address-detected) || vrrp.checksum.status == 0 \
               || ip.checksum.status == 0 || (vrrp && ip.ttl != 255)";
    let bad = run(stage, "b", &read(bad, "-e frame.number -e _ws.expert.message"))?;
    anyhow::ensure!(bad.is_empty(), "tshark objects to {} packets: {bad:?}", bad.len());
    let adverts = run(
        stage,
        "b",
        &read(
            "vrrp",
            "-e vrrp.version -e ip.dst -e eth.dst -e vrrp.checksum.status -e vrrp.auth_type -e ah.spi",
        ),
    )?;
    let mut counts = [0_usize; 6];
    for advert in &adverts {
        let kind = match advert.split_whitespace().collect::<Vec<_>>()[..] {
            ["2", "224.0.0.18", "01:00:5e:00:00:12", "1", "1"] => 0,
            ["2", "10.83.0.2", _, "1", "1"] => 1,
            ["3", "224.0.0.18", "01:00:5e:00:00:12", "1"] => 2,
            ["3", "10.83.0.2", _, "1"] => 3,
            ["2", "224.0.0.18", "01:00:5e:00:00:12", "1", "2", OUR_SPI] => 4,
            ["2", "10.83.0.2", _, "1", "2", OUR_SPI] => 5,
            _ => anyhow::bail!("not an advert of ours: {advert}"),
        };
        if let Some(count) = counts.get_mut(kind) {
            *count += 1;
        }
    }
    anyhow::ensure!(counts.iter().all(|count| *count > 10), "too few: {counts:?}");
    let announced = run(stage, "b", &read("arp.isgratuitous", "-e eth.dst -e arp.dst.proto_ipv4"))?;
    for (number, ..) in KINDS {
        let line = format!("ff:ff:ff:ff:ff:ff {}", address(number));
        anyhow::ensure!(announced.contains(&line), "{line} was never announced");
    }
    say(format_args!(
        "tshark finds no fault in {} adverts (v2 multicast, v2 unicast, v3 multicast, v3 unicast, AH \
         multicast, AH unicast: {counts:?}) and {} \
         announcements",
        adverts.len(),
        announced.len()
    ));
    Ok(())
}

#[test]
fn with_another_password_both_hold_the_address_and_our_log_says_why() {
    let name = "peers::with_another_password_both_hold_the_address_and_our_log_says_why";
    in_sandbox(name, &[KEEPALIVED], || {
        let mut stage = pair()?;
        let ours = configuration(1, 2);
        stage.start_keepalived("a", &ours, &[])?;
        start_theirs(
            &mut stage,
            "b",
            &configuration(2, 1).replace("auth_pass secret", "auth_pass secrets"),
        )?;
        logged(
            &mut stage,
            "a",
            "VI_11: advert from 10.83.0.2 refused: another auth_pass than here",
            seconds(8),
        )?;
        wait_for(&mut stage, "both hold it", seconds(8), |stage| {
            Ok(stage.holders(address(11))? == ["a", "b"])
        })?;
        // VRRPv3 has no passwords, and goes on as ever.
        anyhow::ensure!(stage.holders(address(13))? == ["a"]);
        Ok(())
    });
}

#[test]
fn with_an_authentication_header_keepalived_hears_who_takes_the_place_of_a_crashed_process() {
    let name = "peers::with_an_authentication_header_keepalived_hears_who_takes_the_place_of_a_crashed_process";
    in_sandbox(name, &[KEEPALIVED], || {
        let mut stage = pair()?;
        let only = |own, other| {
            let text = configuration(own, other);
            let block = text.split("vrrp_instance ").find(|block| block.starts_with("VI_15 "));
            format!("vrrp_instance {}", block.unwrap_or_default())
        };
        stage.start_keepalived("a", &only(1, 2), &[])?;
        start_theirs(&mut stage, "b", &only(2, 1))?;
        wait_for(&mut stage, "ours holds it", seconds(8), |stage| {
            Ok(stage.holders(address(15))? == ["a"])
        })?;
        stage.kill_pulse("a")?;
        // A sequence that began anew would be refused for as long as the first process ran.
        let from = clock::now();
        let moved =
            stage.wait_until(seconds(6), |stage| Ok(stage.holders(address(15))? != ["a"]))?;
        anyhow::ensure!(!moved, "{:?}", clock::now().saturating_since(from));
        // The first one may have the number of the last that was sent before.
        let log = stage.log("b", "daemon")?;
        let refused = log.iter().filter(|line| line.contains("already processed")).count();
        anyhow::ensure!(refused <= 1, "{log:#?}");
        Ok(())
    });
}
