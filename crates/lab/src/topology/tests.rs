use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use super::*;
use crate::isolation::test::in_sandbox;

const PORT: u16 = 4000;

fn machine(name: &str, address: &str) -> NodePlan {
    let addresses = vec![address.parse().expect("a prefix")];
    let interface = InterfacePlan { name: "eth0".into(), switch: "lan".into(), addresses };
    NodePlan { name: name.into(), interfaces: vec![interface] }
}

fn three_machines() -> Topology {
    let nodes = vec![
        machine("a", "10.77.0.1/24"),
        machine("b", "10.77.0.2/24"),
        machine("client", "10.77.0.9/24"),
    ];
    Topology::build(&Plan { nodes, programs: Vec::new() }).expect("build")
}

/// A socket on a machine.
fn socket(topology: &mut Topology, node: &str) -> UdpSocket {
    let bound = topology.node(node).expect("the node").run(|| {
        let socket = UdpSocket::bind(("0.0.0.0", PORT))?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        Ok::<_, io::Error>(socket)
    });
    bound.expect("enter").expect("bind")
}

/// Whether a question is answered in the end: a machine that asked in vain for a neighbour
/// asks again after a second.
fn answers(client: &UdpSocket, server: &UdpSocket, address: &str) -> bool {
    (0..10).any(|_| answers_at_once(client, server, address))
}

/// Whether a question reaches `server` at `address` and the answer comes back.
fn answers_at_once(client: &UdpSocket, server: &UdpSocket, address: &str) -> bool {
    let to = SocketAddr::new(address.parse().expect("an address"), PORT);
    let mut buffer = [0; 16];
    if client.send_to(b"ping", to).is_err() {
        return false;
    }
    let Ok((_, from)) = server.recv_from(&mut buffer) else { return false };
    server.send_to(b"pong", from).expect("answer");
    client.recv_from(&mut buffer).is_ok_and(|(length, _)| buffer[..length] == *b"pong")
}

fn has_carrier(topology: &mut Topology, node: &str) -> bool {
    let links = topology.node(node).expect("the node").links().expect("links");
    links.iter().any(|link| link.name == "eth0" && link.running)
}

#[test]
fn a_pulled_cable_stops_packets_and_carrier_a_silent_one_only_packets() {
    let name = "a_pulled_cable_stops_packets_and_carrier_a_silent_one_only_packets";
    in_sandbox(&format!("topology::tests::{name}"), || {
        let mut topology = three_machines();
        let client = socket(&mut topology, "client");
        let (a, b) = (socket(&mut topology, "a"), socket(&mut topology, "b"));
        assert!(answers(&client, &a, "10.77.0.1"));
        assert!(answers(&client, &b, "10.77.0.2"));

        topology.set_cable("a", "eth0", Cable::Pulled).expect("pull");
        assert!(!has_carrier(&mut topology, "a"));
        assert!(!answers_at_once(&client, &a, "10.77.0.1"));
        assert!(answers(&client, &b, "10.77.0.2"), "the others do not notice");

        topology.set_cable("a", "eth0", Cable::Silent).expect("cut");
        assert!(has_carrier(&mut topology, "a"));
        assert!(!answers_at_once(&client, &a, "10.77.0.1"));

        topology.set_cable("a", "eth0", Cable::Plugged).expect("plug");
        assert!(has_carrier(&mut topology, "a"));
        assert!(answers(&client, &a, "10.77.0.1"));
    });
}

#[test]
fn a_partition_leaves_each_side_to_itself() {
    in_sandbox("topology::tests::a_partition_leaves_each_side_to_itself", || {
        let mut topology = three_machines();
        let client = socket(&mut topology, "client");
        let (a, b) = (socket(&mut topology, "a"), socket(&mut topology, "b"));
        topology.move_cable("a", "eth0", "other").expect("move");
        topology.move_cable("client", "eth0", "other").expect("move");
        assert!(answers(&client, &a, "10.77.0.1"));
        assert!(!answers_at_once(&client, &b, "10.77.0.2"));
        topology.move_cable("client", "eth0", "lan").expect("move back");
        assert!(!answers_at_once(&client, &a, "10.77.0.1"));
        assert!(answers(&client, &b, "10.77.0.2"));
    });
}

#[test]
fn an_address_is_held_by_the_machines_that_have_it() {
    in_sandbox("topology::tests::an_address_is_held_by_the_machines_that_have_it", || {
        let mut topology = three_machines();
        let holders = |topology: &mut Topology, address: &str| {
            topology.holders(address.parse().expect("an address")).expect("holders")
        };
        assert_eq!(holders(&mut topology, "10.77.0.2"), ["b"]);
        assert_eq!(holders(&mut topology, "10.77.0.100"), [""; 0]);
        for name in ["a", "b"] {
            let netlink = topology.node(name).expect("the node").netlink();
            let eth0 = netlink.index_of("eth0").expect("eth0");
            let prefix = "10.77.0.100/32".parse().expect("a prefix");
            netlink.add_addresses(&[AddressRequest::new(eth0, prefix)]);
        }
        assert_eq!(holders(&mut topology, "10.77.0.100"), ["a", "b"]);
        assert!(matches!(topology.node("c"), Err(LabError::Unknown(_))));
        assert!(topology.set_cable("a", "eth7", Cable::Pulled).is_err());
    });
}
