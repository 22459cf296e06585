//! Direct return, in a network of five namespaces: a switch, a client, a director and two servers.

use std::{fs, net::UdpSocket, os::fd::AsFd};

use super::*;

struct Network {
    _switch: NetNs,
    client: NetNs,
    director: NetNs,
    _servers: [NetNs; 2],
}

fn ip_command(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A namespace on the switch, with these addresses.
fn node(switch: &NetNs, name: &str, addresses: &[&str]) -> Option<NetNs> {
    let node = namespace()?;
    let connect = || {
        let mut netlink = Netlink::open().expect("open");
        netlink.create_veth(name, None, "eth0", node.as_fd()).expect("make a cable");
        ip_command(&format!("link set {name} master br0 up"));
    };
    switch.run(connect).expect("enter");
    let furnish = || {
        // Addresses are ready at once.
        for name in ["all", "default", "eth0"] {
            let path = format!("/proc/sys/net/ipv6/conf/{name}/accept_dad");
            fs::write(path, "0").expect("sysctl");
        }
        ip_command("link set lo up");
        ip_command("link set eth0 up");
        for address in addresses {
            ip_command(&format!("addr add {address}"));
        }
    };
    node.run(furnish).expect("enter");
    Some(node)
}

fn network() -> Option<Network> {
    let switch = namespace()?;
    let bridge = || ip_command("link add br0 up type bridge");
    switch.run(bridge).expect("enter");
    let own = ["10.0.0.9/24 dev eth0", "2001:db8::9/64 dev eth0 nodad"];
    let client = node(&switch, "client", &own)?;
    let director = node(
        &switch,
        "director",
        &[
            "10.0.0.254/24 dev eth0",
            "10.0.0.100/32 dev eth0",
            "2001:db8::254/64 dev eth0 nodad",
            "2001:db8::100/128 dev eth0 nodad",
        ],
    )?;
    let server = |name: u8| {
        let v4 = format!("10.0.0.{name}/24 dev eth0");
        let v6 = format!("2001:db8::{name}/64 dev eth0 nodad");
        let vips = ["10.0.0.100/32 dev lo", "2001:db8::100/128 dev lo nodad"];
        let server = node(&switch, &format!("s{name}"), &[&v4, &v6, vips[0], vips[1]])?;
        let quiet = || {
            fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").expect("sysctl");
            fs::write("/proc/sys/net/ipv4/conf/all/arp_announce", "2").expect("sysctl");
            for vip in ["10.0.0.100", "2001:db8::100"] {
                echo(vip, 80, b'a' + name - 1);
            }
        };
        server.run(quiet).expect("enter");
        Some(server)
    };
    let servers = [server(1)?, server(2)?];
    Some(Network { _switch: switch, client, director, _servers: servers })
}

fn connect(vip: &str) -> TcpStream {
    let address = (ip(vip), 80).into();
    TcpStream::connect_timeout(&address, Duration::from_secs(2))
        .unwrap_or_else(|error| panic!("{vip}: {error}"))
}

/// Who answers that many new connections.
fn answers(times: usize, vip: &str) -> String {
    (0..times).map(|_| say(&mut connect(vip))).collect()
}

#[test]
fn packets_go_on_as_they_are_and_connections_stay_where_they_are() {
    let Some(network) = network() else { return };
    for (vip, servers) in [
        ("10.0.0.100", ["10.0.0.1", "10.0.0.2"]),
        ("2001:db8::100", ["2001:db8::1", "2001:db8::2"]),
    ] {
        let key = tcp(vip, 80);
        let [a, b] = servers.map(|address| to(address, 80));
        let direct = |weight| Destination::new(weight, Forwarding::DirectRouting);
        let open = || {
            let mut balancer = Balancer::open("test").expect("open");
            let scheduling =
                Scheduling { closing: Closing::Reset, ..Scheduling::new(Scheduler::Wrr) };
            let changes = [
                ServiceChange::AddService(key, scheduling),
                ServiceChange::AddDestination(key, a, direct(2)),
                ServiceChange::AddDestination(key, b, direct(1)),
            ];
            all(&mut balancer, &changes);
            assert!(!balancer.is_disturbed().expect("ask"));
            balancer
        };
        let mut balancer = network.director.run(open).expect("enter");
        let run = |work: &mut (dyn FnMut(&mut Balancer) + Send), balancer: &mut Balancer| {
            network.director.run(|| work(balancer)).expect("enter");
        };
        let ask = |times| network.client.run(|| answers(times, vip)).expect("enter");
        assert_eq!(sorted(&ask(6)), "aaaabb");
        // One that stands while its server is drained, then ends with it.
        let mut stream = network.client.run(|| connect(vip)).expect("enter");
        let served = say(&mut stream);
        let (own, other) = if served == 'a' { (a, b) } else { (b, a) };
        let mut drain = |balancer: &mut Balancer| {
            assert!(comes_to(1, balancer, &key, &own));
            all(balancer, &[ServiceChange::EditDestination(key, own, direct(0))]);
        };
        run(&mut drain, &mut balancer);
        assert_eq!(say(&mut stream), served);
        assert!(!ask(3).contains(served));
        let mut remove = |balancer: &mut Balancer| {
            all(balancer, &[ServiceChange::RemoveDestination(key, own)]);
            assert_eq!(balancer.connections(&key, &own).expect("count"), 0);
            let reads = Balancer::open("test").expect("open").read().expect("read");
            assert_eq!(reads, balancer.services);
        };
        run(&mut remove, &mut balancer);
        let _ = say(&mut stream);
        assert!(stream.write_all(b"?").and_then(|()| stream.read_exact(&mut [0])).is_err());
        // What cannot be.
        let mut refuse = |balancer: &mut Balancer| {
            let nat = ServiceChange::AddDestination(key, own, weight(1));
            let far = if vip.contains(':') { "2001:db9::1" } else { "10.9.9.9" };
            let far = ServiceChange::AddDestination(key, to(far, 80), direct(1));
            assert!(balancer.apply(&[nat, far]).iter().all(Result::is_err));
            all(balancer, &[ServiceChange::RemoveDestination(key, other)]);
        };
        run(&mut refuse, &mut balancer);
        drop(balancer);
    }
}

#[test]
fn direct_return_serves_datagrams_and_clients_that_stay() {
    let Some(network) = network() else { return };
    let direct = Destination::new(1, Forwarding::DirectRouting);
    let (a, b) = (to("10.0.0.1", 0), to("10.0.0.2", 0));
    let persistence = Persistence { timeout: Duration::from_secs(60), prefix: 32, engine: None };
    let sticky = Scheduling { persistence: Some(persistence), ..Scheduling::new(Scheduler::Rr) };
    let udp =
        ServiceKey::Address { address: ip("10.0.0.100"), port: 80, transport: Transport::Udp };
    let of_all_ports = tcp("10.0.0.100", 0);
    let open = || {
        let mut balancer = Balancer::open("test").expect("open");
        for (key, scheduling) in [(of_all_ports, sticky), (udp, Scheduling::new(Scheduler::Rr))] {
            let mut changes = vec![ServiceChange::AddService(key, scheduling)];
            changes.extend([a, b].map(|to| ServiceChange::AddDestination(key, to, direct)));
            all(&mut balancer, &changes);
        }
        balancer
    };
    let _balancer = network.director.run(open).expect("enter");
    let work = || {
        let first = answers(4, "10.0.0.100");
        assert_eq!(first, first[..1].repeat(4));
        let said: String = (0..4)
            .map(|_| {
                let socket = UdpSocket::bind("0.0.0.0:0").expect("bind");
                socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a limit");
                let mut byte = [b'.'];
                let mut ask = || {
                    let _ =
                        socket.send_to(b"?", "10.0.0.100:80").and_then(|_| socket.recv(&mut byte));
                    char::from(byte[0])
                };
                let first = ask();
                assert_eq!(ask(), first);
                first
            })
            .collect();
        assert_eq!(sorted(&said), "aabb");
    };
    network.client.run(work).expect("enter");
}

#[test]
fn clients_of_a_removed_server_go_to_another_one() {
    let Some(network) = network() else { return };
    for (vip, servers) in [
        ("10.0.0.100", ["10.0.0.1", "10.0.0.2"]),
        ("2001:db8::100", ["2001:db8::1", "2001:db8::2"]),
    ] {
        let key = tcp(vip, 80);
        let direct = Destination::new(1, Forwarding::DirectRouting);
        let persistence = Persistence { timeout: seconds(60), prefix: 128, engine: None };
        let sticky =
            Scheduling { persistence: Some(persistence), ..Scheduling::new(Scheduler::Wrr) };
        let open = || {
            let mut balancer = Balancer::open("test").expect("open");
            let mut changes = vec![ServiceChange::AddService(key, sticky)];
            let servers = servers.map(|address| to(address, 80));
            changes.extend(servers.map(|to| ServiceChange::AddDestination(key, to, direct)));
            all(&mut balancer, &changes);
            balancer
        };
        let mut balancer = network.director.run(open).expect("enter");
        let ask = || network.client.run(|| answers(3, vip)).expect("enter");
        for _ in 0..3 {
            let served = ask();
            assert_eq!(served, served[..1].repeat(3));
            let own = to(servers[usize::from(served.as_bytes()[0] - b'a')], 80);
            let remove = || all(&mut balancer, &[ServiceChange::RemoveDestination(key, own)]);
            network.director.run(remove).expect("enter");
            let other = ask();
            assert_eq!(other, other[..1].repeat(3));
            assert_ne!(other, served);
            let add = || all(&mut balancer, &[ServiceChange::AddDestination(key, own, direct)]);
            network.director.run(add).expect("enter");
        }
    }
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_new_interface_is_listened_to_and_servers_behind_it_are_found_again() {
    let Some(network) = network() else { return };
    let direct = Destination::new(1, Forwarding::DirectRouting);
    let key = tcp("10.0.0.100", 80);
    let work = || {
        let mut balancer = Balancer::open("test").expect("open");
        let add = [
            ServiceChange::AddService(key, Scheduling::new(Scheduler::Rr)),
            ServiceChange::AddDestination(key, to("10.0.0.1", 80), direct),
        ];
        all(&mut balancer, &add);
        ip_command("link add other0 type veth peer name other1");
        assert!(balancer.is_disturbed().expect("ask"));
        assert_eq!(balancer.read().expect("read").len(), 1);
        assert!(!balancer.is_disturbed().expect("ask"));
        let text = listed();
        for line in [
            "hook ingress devices = { eth0, other0, other1 }",
            "map @flows/tcp/10.0.0.100/80 device \"eth0\"",
            "numgen inc mod 1 vmap { 0 : goto tcp/10.0.0.100/80/10.0.0.1/80 }",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        ip_command("link del other0");
        assert_eq!(balancer.read().expect("read").len(), 1);
        assert!(!listed().contains("other0"));
    };
    network.director.run(work).expect("enter");
    assert_eq!(network.client.run(|| answers(2, "10.0.0.100")).expect("enter"), "aa");
}
