//! Signed adverts between two of ours: keys change without a gap, and what was recorded is worth nothing.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use standfast_kernel::{
    process::signal,
    vrrp_socket::{PACKET, VrrpSocket},
};
use standfast_lab::stage::Stage;
use standfast_types::{Family, IfIndex, Vrid};

use crate::common::{in_sandbox, instance, logged, pair, run, seconds, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const MASTER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 1);
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
const OLD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";

fn configuration(priority: u8, keys: &[u8], active: u8) -> String {
    let keys: String =
        keys.iter().map(|id| format!(" key {id} file:/etc/keepalived/{id}.key\n")).collect();
    let block = format!(" auth_hmac {{\n{keys} active_key {active}\n time_window 300\n }}");
    instance(priority, ADDRESS, &block)
}

/// Both nodes with both keys on their disks, and `a` as master.
fn begin() -> anyhow::Result<Stage> {
    let mut stage = pair()?;
    for (node, priority) in [("a", 200), ("b", 100)] {
        for (id, key) in [(1, OLD), (2, NEW)] {
            let path = format!("/etc/keepalived/{id}.key");
            stage.topology.node(node)?.write_file(Path::new(&path), key.as_bytes())?;
            run(&mut stage, node, &format!("chmod 600 {path}"))?;
        }
        stage.start_keepalived(node, &configuration(priority, &[1], 1), &[])?;
    }
    held_by(&mut stage, "a")?;
    Ok(stage)
}

fn held_by(stage: &mut Stage, node: &str) -> anyhow::Result<()> {
    wait_for(stage, &format!("{node} alone holds the address"), seconds(5), |stage| {
        Ok(stage.holders(ADDRESS)? == [node])
    })
}

/// Waits until it has read its new file, and gives what it logged meanwhile.
fn reload(stage: &mut Stage, node: &str, configuration: &str) -> anyhow::Result<Vec<String>> {
    let path = Path::new(CONFIGURATION);
    stage.topology.node(node)?.write_file(path, configuration.as_bytes())?;
    stage.signal(node, "daemon", signal::SIGHUP)?;
    let mut lines = Vec::new();
    wait_for(stage, "it has read its file again", seconds(3), |stage| {
        lines.extend(stage.log(node, "daemon")?);
        Ok(lines.iter().any(|line| line.contains(" reloaded")))
    })?;
    Ok(lines)
}

/// A socket of the client's on the network of both nodes.
fn eavesdropper(stage: &mut Stage) -> anyhow::Result<VrrpSocket> {
    let client = stage.topology.node("client")?;
    let links = client.links()?;
    let link = links.iter().find(|link| link.name == "eth0");
    let index = link.map_or(IfIndex::new(0), |link| link.index);
    let socket = client.run(|| VrrpSocket::open(index, "eth0", Family::V4))??;
    socket.join(GROUP.into())?;
    socket.set_filter(&Vec::from_iter(Vrid::new(51)))?;
    Ok(socket)
}

/// An advert of the master, as everybody on the network can hear it.
fn record(stage: &mut Stage, socket: &VrrpSocket) -> anyhow::Result<Vec<u8>> {
    let mut buffer = [0; PACKET];
    let mut advert = None;
    wait_for(stage, "the master is overheard", seconds(3), |_| {
        advert = socket.receive(&mut buffer)?.filter(|packet| packet.source == IpAddr::V4(MASTER));
        Ok(advert.is_some())
    })?;
    let payload = advert.and_then(|packet| buffer.get(packet.payload)).unwrap_or_default();
    Ok(payload.to_vec())
}

#[test]
fn the_keys_are_exchanged_and_no_advert_is_refused_meanwhile() {
    let name = "authentication::the_keys_are_exchanged_and_no_advert_is_refused_meanwhile";
    in_sandbox(name, &[], || {
        let mut stage = begin()?;
        let socket = eavesdropper(&mut stage)?;
        let mut log = Vec::new();
        let steps: [(&[u8], u8); 3] = [(&[1, 2], 1), (&[1, 2], 2), (&[2], 2)];
        for (keys, active) in steps {
            for (node, priority) in [("b", 100), ("a", 200)] {
                log.extend(reload(&mut stage, node, &configuration(priority, keys, active))?);
                held_by(&mut stage, "a")?;
            }
            // The number of the key stands behind 12 bytes of VRRPv3 and the type.
            while record(&mut stage, &socket)?.get(13) != Some(&active) {}
        }
        for node in ["a", "b"] {
            log.extend(stage.log(node, "daemon")?);
        }
        let masters = log.iter().filter(|line| line.contains("-> MASTER")).count();
        let refused = log.iter().any(|line| line.contains("refused"));
        anyhow::ensure!(!refused && masters == 1, "{log:#?}");
        Ok(())
    });
}

#[test]
fn a_recorded_and_a_forged_advert_are_refused() {
    let name = "authentication::a_recorded_and_a_forged_advert_are_refused";
    in_sandbox(name, &[], || {
        let mut stage = begin()?;
        let socket = eavesdropper(&mut stage)?;
        let recorded = record(&mut stage, &socket)?;
        // 12 bytes of VRRPv3 with one address, and the trailer.
        anyhow::ensure!(recorded.len() == 12 + 28, "{recorded:?}");
        stage.kill_everything("a")?;
        held_by(&mut stage, "b")?;
        socket.send(MASTER.into(), GROUP.into(), 255, 0, &recorded)?;
        logged(&mut stage, "b", "advert from 10.83.0.1 refused: signed once", seconds(3))?;
        let mut forged = recorded;
        if let Some(priority) = forged.get_mut(2) {
            *priority = 254;
        }
        socket.send(MASTER.into(), GROUP.into(), 255, 0, &forged)?;
        logged(&mut stage, "b", "advert from 10.83.0.1 refused: wrongly signed", seconds(3))?;
        let unsigned = forged.get(..12).unwrap_or_default();
        socket.send(MASTER.into(), GROUP.into(), 255, 0, unsigned)?;
        logged(&mut stage, "b", "advert from 10.83.0.1 refused: not signed", seconds(3))?;
        anyhow::ensure!(stage.holders(ADDRESS)? == ["b"]);
        Ok(())
    });
}

#[test]
fn a_reload_without_the_key_that_signs_changes_nothing_and_no_output_holds_a_key() {
    let name = "authentication::a_reload_without_the_key_that_signs_changes_nothing_and_no_output_holds_a_key";
    in_sandbox(name, &[], || {
        let mut stage = begin()?;
        run(&mut stage, "a", "rm /etc/keepalived/2.key")?;
        let path = Path::new(CONFIGURATION);
        stage.topology.node("a")?.write_file(path, configuration(200, &[2], 2).as_bytes())?;
        stage.signal("a", "daemon", signal::SIGHUP)?;
        logged(&mut stage, "a", "no instance is left in the file", seconds(3))?;
        held_by(&mut stage, "a")?;
        let (code, mut lines) = {
            let program = stage.keepalived("a")?;
            stage.run("a", &[&program, "-t"])?
        };
        anyhow::ensure!(code == 5, "{lines:?}");
        lines.extend(stage.log("a", "daemon")?);
        anyhow::ensure!(!lines.iter().any(|line| line.contains(OLD) || line.contains(NEW)));
        Ok(())
    });
}
