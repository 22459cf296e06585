//! What becomes of connections: a client, a director and two servers, in namespaces of their own.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{fd::AsFd, unix::net::UnixDatagram},
    thread,
    time::Duration,
};

use standfast_kernel::{ipvs::Ipvs, namespace::NetNs, netlink::Netlink};
use standfast_types::{
    Closing, Destination, DestinationKey, Forwarding, Persistence, Scheduler, Scheduling,
    ServiceChange, ServiceKey, Timeouts, Transport,
};

use super::{apply, at, ip, run_ip, say};

const PATIENCE: Duration = Duration::from_secs(5);
const VIRTUAL: &str = "10.3.0.1";
const SERVERS: [&str; 2] = ["10.2.0.2", "10.2.0.3"];

struct Stage {
    client: NetNs,
    director: NetNs,
    _servers: NetNs,
}

/// `None`, with the reason said, where there is no IPVS.
fn stage() -> Option<Stage> {
    let names = || -> Result<_, standfast_kernel::Error> {
        Ok((NetNs::new()?, NetNs::new()?, NetNs::new()?))
    };
    let (client, director, servers) = match names() {
        Ok(rooms) => rooms,
        Err(error) => {
            say(&format!("skipped: failed to {error}"));
            return None;
        }
    };
    if !director.run(Ipvs::is_available).expect("enter") {
        say("skipped: no IPVS");
        return None;
    }
    let lines = |room: &NetNs, lines: &[&str]| {
        let run = || lines.iter().for_each(|line| run_ip(&line.split(' ').collect::<Vec<_>>()));
        room.run(run).expect("enter");
    };
    director
        .run(|| {
            let mut netlink = Netlink::open().expect("open");
            netlink.create_veth("front", None, "eth0", client.as_fd()).expect("a cable");
            netlink.create_veth("back", None, "eth0", servers.as_fd()).expect("a cable");
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forward");
        })
        .expect("enter");
    lines(
        &director,
        &[
            "link set lo up",
            "link set front up",
            "link set back up",
            "addr add 10.1.0.1/24 dev front",
            "addr add 10.2.0.1/24 dev back",
            "addr add 10.3.0.1/32 dev lo",
        ],
    );
    lines(
        &client,
        &["link set eth0 up", "addr add 10.1.0.2/24 dev eth0", "route add default via 10.1.0.1"],
    );
    lines(
        &servers,
        &[
            "link set eth0 up",
            "addr add 10.2.0.2/24 dev eth0",
            "addr add 10.2.0.3/24 dev eth0",
            "route add default via 10.2.0.1",
        ],
    );
    servers.run(|| SERVERS.map(serve)).expect("enter");
    Some(Stage { client, director, _servers: servers })
}

/// Answers every byte, and every datagram, with the last number of its own address.
fn serve(address: &str) {
    let own = *address.as_bytes().last().expect("a number");
    let listener = TcpListener::bind((ip(address), 80)).expect("listen");
    let socket = UdpSocket::bind((ip(address), 80)).expect("bind");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                while matches!(stream.read(&mut [0]), Ok(1)) && stream.write(&[own]).is_ok() {}
            });
        }
    });
    thread::spawn(move || {
        while let Ok((_, client)) = socket.recv_from(&mut [0]) {
            socket.send_to(&[own], client).expect("answer");
        }
    });
}

fn key(transport: Transport) -> ServiceKey {
    ServiceKey::Address { address: ip(VIRTUAL), port: 80, transport }
}

fn scheduling(closing: Closing) -> Scheduling {
    Scheduling { closing, ..Scheduling::new(Scheduler::Rr) }
}

fn add(key: ServiceKey, scheduling: Scheduling) -> Vec<ServiceChange> {
    let value = Destination::new(1, Forwarding::Nat);
    let mut changes = vec![ServiceChange::AddService(key, scheduling)];
    changes.extend(SERVERS.map(|to| ServiceChange::AddDestination(key, at(to, 80), value)));
    changes
}

/// The server that answered.
fn server(answer: u8) -> DestinationKey {
    at(&format!("10.2.0.{}", char::from(answer)), 80)
}

fn connect(stage: &Stage) -> TcpStream {
    let connect = || {
        let address = SocketAddr::new(ip(VIRTUAL), 80);
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("patience");
        stream
    };
    stage.client.run(connect).expect("enter")
}

fn ask(mut stream: &TcpStream) -> Result<u8, ErrorKind> {
    let mut answer = [0];
    stream.write(&[0]).map_err(|error| error.kind())?;
    match stream.read(&mut answer) {
        Ok(1) => Ok(answer[0]),
        Ok(_) => Err(ErrorKind::UnexpectedEof),
        Err(error) => Err(error.kind()),
    }
}

#[test]
fn connections_that_are_kept_outlive_the_removal_and_get_no_company() {
    let Some(stage) = stage() else { return };
    let key = key(Transport::Tcp);
    let mut ipvs = stage.director.run(|| Ipvs::open().expect("open")).expect("enter");
    let fin = Timeouts { tcp_fin: Some(Duration::from_secs(1)), ..Timeouts::default() };
    ipvs.set_timeouts(&fin).expect("timeouts");
    let persistence = Persistence { timeout: Duration::from_secs(300), prefix: 32, engine: None };
    let wanted = Scheduling { persistence: Some(persistence), ..scheduling(Closing::Keep) };
    stage.director.run(|| apply(&mut ipvs, &add(key, wanted))).expect("enter");

    let stream = connect(&stage);
    let first = ask(&stream).expect("an answer");
    let gone = server(first);
    assert_eq!(ipvs.connections(&key, &gone).expect("count"), 1);
    apply(&mut ipvs, &[ServiceChange::RemoveDestination(key, gone)]);
    assert_eq!(ask(&stream), Ok(first), "it goes on");
    assert_ne!(ask(&connect(&stage)).expect("an answer"), first, "the next goes elsewhere");
    let table = ipvs.read().expect("read");
    assert!(!table[&key].destinations.contains_key(&gone), "it counts as removed");
    assert_eq!(ipvs.connections(&key, &gone).expect("count"), 1, "but is there");
    assert_eq!(ask(&stream), Ok(first), "a reading ends nothing");

    drop(stream);
    let there = |ipvs: &mut Ipvs| {
        ipvs.read().expect("read");
        ipvs.usage(&key).expect("usage").1.contains_key(&gone)
    };
    // The kernel remembers a connection for two minutes after its end.
    let mut waited = 0;
    while there(&mut ipvs) {
        assert!(waited < 130, "it is still there");
        pause();
        waited += 1;
    }
}

#[test]
fn a_connection_that_is_reset_ends_with_its_next_packet() {
    let Some(stage) = stage() else { return };
    let key = key(Transport::Tcp);
    let mut ipvs = stage.director.run(|| Ipvs::open().expect("open")).expect("enter");
    stage.director.run(|| apply(&mut ipvs, &add(key, scheduling(Closing::Reset)))).expect("enter");
    let (one, other) = (connect(&stage), connect(&stage));
    let (first, second) = (ask(&one).expect("an answer"), ask(&other).expect("an answer"));
    assert_ne!(first, second);
    apply(&mut ipvs, &[ServiceChange::RemoveDestination(key, server(first))]);
    assert_eq!(ask(&one), Err(ErrorKind::ConnectionReset));
    assert_eq!(ask(&other), Ok(second), "that of another server goes on");
}

#[test]
fn a_flow_of_datagrams_that_expires_moves_to_another_server() {
    let Some(stage) = stage() else { return };
    let key = key(Transport::Udp);
    let mut ipvs = stage.director.run(|| Ipvs::open().expect("open")).expect("enter");
    stage.director.run(|| apply(&mut ipvs, &add(key, scheduling(Closing::Expire)))).expect("enter");
    let bind = || UdpSocket::bind("0.0.0.0:0").expect("bind");
    let socket = stage.client.run(bind).expect("enter");
    socket.connect((ip(VIRTUAL), 80)).expect("connect");
    socket.set_read_timeout(Some(PATIENCE)).expect("patience");
    let ask = || {
        let mut answer = [0];
        socket.send(&[0]).expect("send");
        socket.recv(&mut answer).expect("an answer");
        answer[0]
    };
    let first = ask();
    assert_eq!(ask(), first);
    assert_eq!(ipvs.connections(&key, &server(first)).expect("count"), 1);
    apply(&mut ipvs, &[ServiceChange::RemoveDestination(key, server(first))]);
    assert_ne!(ask(), first);
}

/// Nobody tells when the kernel's own timers have run.
fn pause() {
    let (silent, _other) = UnixDatagram::pair().expect("a socket pair");
    silent.set_read_timeout(Some(Duration::from_secs(1))).expect("a limit");
    assert!(silent.recv(&mut [0]).is_err(), "nobody speaks");
}
