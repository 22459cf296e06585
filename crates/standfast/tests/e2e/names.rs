//! Real servers by name: with a name server of the test's own, whose answers change and which dies.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use standfast_lab::stage::{CLIENT, Stage, pause};

use crate::{
    common::{ASK_EVERY, in_sandbox, logged, run, seconds, wait_for},
    pool::{ADDRESS, IP, answered_by, service, stage},
};

const A: u16 = 1;
const SRV: u16 = 33;

/// What a name server knows: data of records by name and type.
#[derive(Default)]
struct Zone {
    records: BTreeMap<(String, u16), Vec<Vec<u8>>>,
    dead: bool,
}

type Shared = Arc<Mutex<Zone>>;

/// Answers each question from the zone, with a time to live of a second.
fn answer(zone: &Zone, query: &[u8]) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let name = labels.join(".");
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question = query.get(12..at + 4)?;
    let known = zone.records.keys().any(|(its, _)| *its == name);
    let records = zone.records.get(&(name, kind)).cloned().unwrap_or_default();
    let code = if known { 0 } else { 3 };
    let count = u16::try_from(records.len()).ok()?.to_be_bytes();
    let mut reply = query.get(..2)?.to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0]);
    reply.extend(question);
    for data in records {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1]);
        reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}

/// A name server on the client's machine, which the director asks; and the director's `/etc/hosts`.
fn name_server(stage: &mut Stage, hosts: &str) -> anyhow::Result<Shared> {
    let socket =
        stage.topology.node(CLIENT)?.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)))??;
    let zone = Shared::default();
    let shared = Arc::clone(&zone);
    thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok((read, from)) = socket.recv_from(&mut bytes) {
            let Ok(zone) = shared.lock() else { return };
            let query = bytes.get(..read).unwrap_or_default();
            let reply = answer(&zone, query).filter(|_| !zone.dead);
            if let Some(reply) = reply {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    let servers = "nameserver 10.83.0.3\\noptions timeout:1 attempts:1\\n";
    run(
        stage,
        "lb",
        &format!(
            "printf '{servers}' > /tmp/resolv.conf && printf '{hosts}' > /tmp/hosts && \
             mount --bind /tmp/resolv.conf $(readlink -f /etc/resolv.conf) && \
             mount --bind /tmp/hosts /etc/hosts"
        ),
    )?;
    Ok(zone)
}

fn change(zone: &Shared, change: impl FnOnce(&mut Zone)) {
    if let Ok(mut zone) = zone.lock() {
        change(&mut zone);
    }
}

fn host(zone: &Shared, name: &str, addresses: &[Ipv4Addr]) {
    let data = addresses.iter().map(|address| address.octets().to_vec()).collect();
    change(zone, |zone| drop(zone.records.insert((name.to_owned(), A), data)));
}

/// Data of an SRV record.
fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    let mut data = [priority, weight, port].map(u16::to_be_bytes).concat();
    for label in target.split('.') {
        data.extend(u8::try_from(label.len()).ok());
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

const S1: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 11);
const S2: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 12);

#[test]
fn a_name_whose_address_changes_moves_the_traffic_and_a_dead_name_server_does_not() {
    let name =
        "names::a_name_whose_address_changes_moves_the_traffic_and_a_dead_name_server_does_not";
    in_sandbox(name, &[IP], || {
        let mut stage = stage()?;
        let zone = name_server(&mut stage, "127.0.0.1 localhost\\n")?;
        // Nobody answers at the start: nothing waits for it.
        change(&zone, |zone| zone.dead = true);
        stage.start_standfast("lb", &service(&["web.test 80"], "", 1))?;
        logged(&mut stage, "lb", "it has no servers until that changes", seconds(10))?;
        host(&zone, "web.test", &[S1]);
        change(&zone, |zone| zone.dead = false);
        logged(&mut stage, "lb", "the name resolves again", seconds(15))?;
        stage.start_probe(ADDRESS, ASK_EVERY)?;
        answered_by(&mut stage, &["s1"])?;
        host(&zone, "web.test", &[S2]);
        answered_by(&mut stage, &["s2"])?;
        host(&zone, "web.test", &[S1, S2]);
        answered_by(&mut stage, &["s1", "s2"])?;
        // A name that is gone, and a server that is dead, keep what was known.
        change(&zone, |zone| zone.records.clear());
        logged(&mut stage, "lb", "there is no such name; what was known stays", seconds(10))?;
        change(&zone, |zone| zone.dead = true);
        pause(seconds(3));
        answered_by(&mut stage, &["s1", "s2"])?;
        Ok(())
    });
}

#[test]
fn srv_records_bring_ports_and_weights_and_the_hosts_file_counts_first() {
    let name = "names::srv_records_bring_ports_and_weights_and_the_hosts_file_counts_first";
    in_sandbox(name, &[IP], || {
        let mut stage = stage()?;
        let zone = name_server(&mut stage, "10.83.0.12 s2.test\\n")?;
        host(&zone, "s1.test", &[S1]);
        host(&zone, "s2.test", &[Ipv4Addr::new(10, 83, 0, 99)]);
        let records =
            vec![srv(10, 3, 80, "s1.test"), srv(10, 1, 80, "s2.test"), srv(20, 9, 80, "s3.test")];
        let key = ("_http._tcp.test".to_owned(), SRV);
        change(&zone, |zone| drop(zone.records.insert(key.clone(), records)));
        let text = service(&["srv _http._tcp.test"], "", 1).replace(" weight 1\n", "");
        stage.start_standfast("lb", &text)?;
        stage.start_probe(ADDRESS, ASK_EVERY)?;
        answered_by(&mut stage, &["s1", "s2"])?;
        let listed = |stage: &mut Stage| -> anyhow::Result<String> {
            Ok(run(stage, "lb", "nft list set inet standfast servers")?.join("\n"))
        };
        let set = listed(&mut stage)?;
        let element =
            |address: &str, weight: u16| format!("{address} . 80 comment \"weight {weight} ");
        anyhow::ensure!(set.contains(&element("10.83.0.11", 3)), "{set}");
        anyhow::ensure!(set.contains(&element("10.83.0.12", 1)), "{set}");
        anyhow::ensure!(!set.contains("10.83.0.99"), "{set}");
        // Another weight, and one target less.
        let records = vec![srv(10, 5, 80, "s1.test")];
        change(&zone, |zone| drop(zone.records.insert(key, records)));
        wait_for(&mut stage, "the records are followed", seconds(6), |stage| {
            let set = listed(stage)?;
            Ok(set.contains(&element("10.83.0.11", 5)) && !set.contains("10.83.0.12"))
        })?;
        pause(Duration::from_millis(200));
        answered_by(&mut stage, &["s1"])?;
        Ok(())
    });
}
