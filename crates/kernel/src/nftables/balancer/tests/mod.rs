//! Against a real kernel, in a network namespace that exists for one test.

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    time::Duration,
};

use standfast_types::{
    Closing, Destination, DestinationKey, Family, Forwarding, Persistence, Prefix, Scheduler,
    Scheduling, Transport,
};

mod direct;

use super::{marks::Marking, *};
use crate::{
    link::Switch,
    namespace::{NetNs, test::namespace},
    netlink::{AddressRequest, Netlink},
};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { address: ip(address), port, transport: Transport::Tcp }
}

fn to(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: ip(address), port }
}

fn weight(weight: u32) -> Destination {
    Destination::new(weight, Forwarding::Nat)
}

/// A service with destinations and their weights.
fn service(
    key: ServiceKey,
    scheduling: Scheduling,
    to: &[(DestinationKey, u32)],
) -> Vec<ServiceChange> {
    let mut changes = vec![ServiceChange::AddService(key, scheduling)];
    changes.extend(to.iter().map(|(to, w)| ServiceChange::AddDestination(key, *to, weight(*w))));
    changes
}

fn all(balancer: &mut Balancer, changes: &[ServiceChange]) {
    for (change, answer) in changes.iter().zip(balancer.apply(changes)) {
        answer.unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
}

/// `nft list ruleset`
fn listed() -> String {
    let output = Command::new("nft").args(["list", "ruleset"]).output().expect("nft runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn nft(words: &str) -> bool {
    Command::new("nft").args(words.split(' ')).output().expect("nft runs").status.success()
}

/// Runs `test` in a new namespace where these addresses are on `lo`; says why if it cannot.
fn with_addresses(addresses: &[&str], test: impl FnOnce() + Send) {
    let Some(room) = namespace() else { return };
    let work = || {
        let mut netlink = Netlink::open().expect("open");
        let lo = netlink.index_of("lo").expect("lo");
        netlink.switch_link(lo, Switch::Up).expect("up");
        for address in addresses {
            let length = if address.contains(':') { 128 } else { 32 };
            let prefix: Prefix = format!("{address}/{length}").parse().expect("a prefix");
            let request = AddressRequest::new(lo, prefix);
            for answer in netlink.add_addresses(&[request]) {
                answer.expect("an address");
            }
        }
        if Balancer::open("test").and_then(|mut balancer| balancer.prepare(&[])).is_err() {
            let _ = writeln!(std::io::stderr(), "skipped, no nftables here");
            return;
        }
        test();
    };
    room.run(work).expect("enter");
}

/// A server that tells everybody its name.
fn serve(address: &str, port: u16, name: u8) {
    let listener = TcpListener::bind((ip(address), port)).expect("bind");
    let here = NetNs::current().expect("here");
    std::thread::spawn(move || {
        here.enter().expect("enter");
        for stream in listener.incoming() {
            let _ = stream.expect("a connection").write_all(&[name]);
        }
    });
}

/// Who answers there; `.` is nobody.
fn ask(address: &str, port: u16) -> char {
    let address = (ip(address), port).into();
    let mut byte = [b'.'];
    if let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
        let _ = stream.read(&mut byte);
    }
    byte[0].into()
}

fn ask_times(times: usize, address: &str, port: u16) -> String {
    (0..times).map(|_| ask(address, port)).collect()
}

fn sorted(text: &str) -> String {
    let mut letters: Vec<_> = text.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

#[test]
fn connections_take_turns_by_weight_and_a_change_touches_one_service() {
    with_addresses(&["192.0.2.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"], || {
        serve("10.0.0.1", 8001, b'a');
        serve("10.0.0.2", 8002, b'b');
        let mut balancer = Balancer::open("test").expect("open");
        let key = tcp("192.0.2.1", 80);
        let (a, b) = (to("10.0.0.1", 8001), to("10.0.0.2", 8002));
        let plain = Scheduling::new(Scheduler::Wrr);
        all(&mut balancer, &service(key, plain.clone(), &[(a, 1), (b, 1)]));
        let text = listed();
        for line in [
            "192.0.2.1 . tcp . 80 : goto tcp/192.0.2.1/80",
            "type nat hook prerouting priority dstnat - 10; policy accept;",
            "ip daddr . meta l4proto . th dport vmap @services",
            "dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1 . 8001, 1 : 10.0.0.2 . 8002 }",
            "::ffff:10.0.0.2 . 8002 comment \"weight 1 nat limits 0/0\"",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert_eq!(sorted(&ask_times(6, "192.0.2.1", 80)), "aaabbb");
        all(&mut balancer, &[ServiceChange::EditDestination(key, b, weight(2))]);
        assert_eq!(sorted(&ask_times(6, "192.0.2.1", 80)), "aabbbb");
        all(&mut balancer, &[ServiceChange::EditDestination(key, b, weight(0))]);
        assert_eq!(ask_times(3, "192.0.2.1", 80), "aaa");
        all(&mut balancer, &[ServiceChange::RemoveDestination(key, a)]);
        assert_eq!(ask_times(2, "192.0.2.1", 80), "..");
        assert!(!balancer.is_disturbed().expect("ask"));
        let known = balancer.services.clone();
        let mut other = Balancer::open("test").expect("open");
        assert_eq!(other.read().expect("read"), known);
        drop(balancer);
        // Another test that starts a program holds the socket for a moment.
        let removal = [ServiceChange::RemoveService(key)];
        let removed = (0..100).any(|_| other.apply(&removal)[0].is_ok());
        assert!(removed, "it belongs to nobody");
        assert_eq!(other.read().expect("read"), ServiceTable::new());
        other.remove_all().expect("remove");
        assert_eq!(listed(), "");
    });
}

#[test]
fn clients_stay_with_their_server_while_it_is_one() {
    with_addresses(&["192.0.2.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"], || {
        for (address, name) in [("10.0.0.1", b'a'), ("10.0.0.2", b'b'), ("10.0.0.3", b'c')] {
            serve(address, 80, name);
        }
        let mut balancer = Balancer::open("test").expect("open");
        let key = tcp("192.0.2.1", 80);
        let to = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|address| to(address, 0));
        let persistence =
            Persistence { timeout: Duration::from_secs(60), prefix: 24, engine: None };
        let sticky = Scheduling {
            persistence: Some(persistence),
            closing: Closing::Keep,
            ..Scheduling::new(Scheduler::Rr)
        };
        all(&mut balancer, &service(key, sticky.clone(), &to.map(|to| (to, 1))));
        let first = ask_times(5, "192.0.2.1", 80);
        assert_eq!(first, first[..1].repeat(5));
        let place = to[usize::from(first.as_bytes()[0] - b'a')];
        // Drained, it keeps those who know it.
        all(&mut balancer, &[ServiceChange::EditDestination(key, place, weight(0))]);
        assert_eq!(ask_times(5, "192.0.2.1", 80), first);
        let text = listed();
        let line = "map @clients/tcp/192.0.2.1/80";
        assert!(text.contains(line), "{line} is not in {text}");
        all(&mut balancer, &[ServiceChange::RemoveDestination(key, place)]);
        let second = ask_times(5, "192.0.2.1", 80);
        assert_eq!(second, second[..1].repeat(5));
        assert_ne!(first, second);
        assert_eq!(Balancer::open("test").expect("open").read().expect("read"), balancer.services);
        all(&mut balancer, &[ServiceChange::EditService(key, Scheduling::new(Scheduler::Rr))]);
        assert_eq!(sorted(&ask_times(4, "192.0.2.1", 80)).matches(&second[..1]).count(), 2);
        assert!(!listed().contains("clients/"));
    });
}

#[test]
fn every_scheduler_serves_both_families_and_reads_back() {
    let addresses = ["192.0.2.1", "10.0.0.1", "10.0.0.2", "2001:db8::1", "fd00::1", "fd00::2"];
    with_addresses(&addresses, || {
        for (address, name) in
            [("10.0.0.1", b'a'), ("10.0.0.2", b'b'), ("fd00::1", b'a'), ("fd00::2", b'b')]
        {
            serve(address, 80, name);
        }
        let mut balancer = Balancer::open("test").expect("open");
        for (vip, first, second) in
            [("192.0.2.1", "10.0.0.1", "10.0.0.2"), ("2001:db8::1", "fd00::1", "fd00::2")]
        {
            let key = tcp(vip, 80);
            let to = [(to(first, 80), 2), (to(second, 80), 1)];
            all(&mut balancer, &service(key, Scheduling::new(Scheduler::Rr), &to));
            for scheduler in Scheduler::ALL {
                let mut scheduling = Scheduling::new(scheduler);
                scheduling.flags.second = true;
                all(&mut balancer, &[ServiceChange::EditService(key, scheduling)]);
                let said = ask_times(6, vip, 80);
                let firsts = said.matches('a').count();
                let right = match scheduler {
                    Scheduler::Rr | Scheduler::Lc => firsts == 3,
                    Scheduler::Wrr
                    | Scheduler::Wlc
                    | Scheduler::Ovf
                    | Scheduler::Sed
                    | Scheduler::Nq
                    | Scheduler::Twos => firsts == 4,
                    Scheduler::Fo => firsts == 6,
                    Scheduler::Dh | Scheduler::Lblc | Scheduler::Lblcr => firsts.is_multiple_of(6),
                    Scheduler::Sh | Scheduler::Mh => !said.contains('.'),
                };
                assert!(right, "{scheduler} {vip}: {said}");
                assert_eq!(
                    Balancer::open("test").expect("open").read().expect("read"),
                    balancer.services
                );
            }
        }
    });
}

#[test]
fn a_port_of_zero_takes_all_ports_but_those_of_others() {
    with_addresses(&["192.0.2.1", "10.0.0.1", "10.0.0.2"], || {
        serve("10.0.0.1", 81, b'a');
        serve("10.0.0.2", 80, b'b');
        let mut balancer = Balancer::open("test").expect("open");
        let plain = Scheduling::new(Scheduler::Rr);
        all(&mut balancer, &service(tcp("192.0.2.1", 0), plain.clone(), &[(to("10.0.0.1", 0), 1)]));
        all(&mut balancer, &service(tcp("192.0.2.1", 80), plain, &[(to("10.0.0.2", 0), 1)]));
        assert_eq!(ask("192.0.2.1", 80), 'b');
        assert_eq!(ask("192.0.2.1", 81), 'a');
        let mixed =
            ServiceChange::AddDestination(tcp("192.0.2.1", 0), to("10.0.0.2", 80), weight(1));
        assert!(balancer.apply(&[mixed])[0].is_err());
    });
}

#[test]
fn what_cannot_be_done_is_refused_alone() {
    with_addresses(&[], || {
        let mut balancer = Balancer::open("test").expect("open");
        let key = tcp("192.0.2.1", 80);
        let mut changes = service(key, Scheduling::new(Scheduler::Rr), &[(to("fd00::1", 80), 1)]);
        changes.push(ServiceChange::AddDestination(key, to("10.0.0.1", 80), weight(1)));
        changes.push(ServiceChange::RemoveDestination(key, to("10.0.0.9", 80)));
        changes.push(ServiceChange::RemoveService(tcp("192.0.2.9", 80)));
        changes.push(ServiceChange::AddService(key, Scheduling::new(Scheduler::Rr)));
        let answers: Vec<_> = balancer.apply(&changes).iter().map(Result::is_ok).collect();
        assert_eq!(answers, [true, false, true, false, false, false]);
        assert_eq!(balancer.read().expect("read")[&key].destinations.len(), 1);
    });
}

/// Makes the table as with a kernel that knows no owners.
fn not_owned(balancer: &mut Balancer) {
    let empty = Side::Translated.empty(&Side::Translated.place("test"), 0, &[]);
    balancer.transact(empty).expect("a table");
    balancer.known = Some(BTreeSet::from([Side::Translated]));
}

#[test]
fn a_table_that_others_spoil_is_noticed_and_made_anew() {
    with_addresses(&["192.0.2.1", "10.0.0.1"], || {
        serve("10.0.0.1", 80, b'a');
        let key = tcp("192.0.2.1", 80);
        let changes = service(key, Scheduling::new(Scheduler::Rr), &[(to("10.0.0.1", 80), 1)]);
        let mut balancer = Balancer::open("test").expect("open");
        not_owned(&mut balancer);
        for spoil in [
            "flush chain inet test tcp/192.0.2.1/80",
            "flush map inet test services",
            "flush set inet test servers",
            "flush chain inet test prerouting",
            "add rule inet test prerouting accept",
            "delete table inet test",
            "flush ruleset",
        ] {
            if balancer.known.as_ref().is_none_or(BTreeSet::is_empty) {
                not_owned(&mut balancer);
            }
            all(&mut balancer, &changes);
            assert!(!balancer.is_disturbed().expect("ask"));
            assert_eq!(balancer.read().expect("read").len(), 1);
            let name = spoil.replace([' ', '/', '.'], "");
            assert!(nft(&format!("add table ip {name}")));
            assert!(balancer.is_disturbed().expect("ask"));
            assert_eq!(balancer.read().expect("read").len(), 1, "no damage by others' own tables");
            assert!(nft(spoil), "{spoil}");
            assert!(balancer.is_disturbed().expect("ask"), "{spoil}");
            assert_eq!(balancer.read().expect("read"), ServiceTable::new(), "{spoil}");
        }
        all(&mut balancer, &changes);
        assert_eq!(ask("192.0.2.1", 80), 'a');
    });
}

#[test]
fn many_services_take_few_transactions_and_read_back() {
    with_addresses(&[], || {
        let mut balancer = Balancer::open("test").expect("open");
        let mut changes = Vec::new();
        for number in 0..300_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(0xcb00_7100 + number));
            let key = ServiceKey::Address { address, port: 80, transport: Transport::Udp };
            let servers: Vec<_> =
                (1..20_u32).map(|n| (to(&format!("10.0.0.{n}"), 80), n)).collect();
            changes.extend(service(key, Scheduling::new(Scheduler::Wrr), &servers));
        }
        let before = balancer.nftables.generation().expect("ask");
        all(&mut balancer, &changes);
        let after = balancer.nftables.generation().expect("ask");
        assert!(after - before < 30, "{} transactions", after - before);
        assert!(!balancer.is_disturbed().expect("ask"));
        assert_eq!(balancer.read().expect("read"), balancer.services);
    });
}

/// Sends back what it gets, after its name.
fn echo(address: &str, port: u16, name: u8) {
    let listener = TcpListener::bind((ip(address), port)).expect("bind");
    let datagrams = UdpSocket::bind((ip(address), port)).expect("bind");
    let here = NetNs::current().expect("here");
    std::thread::spawn(move || {
        here.enter().expect("enter");
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    let _ = stream.write_all(&[name]);
                }
            });
        }
    });
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok((_, client)) = datagrams.recv_from(&mut byte) {
            let _ = datagrams.send_to(&[name], client);
        }
    });
}

/// What a connection is answered; `.` if it is not.
fn say(stream: &mut TcpStream) -> char {
    let mut byte = [b'.'];
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let _ = stream.write_all(b"?").and_then(|()| stream.read_exact(&mut byte));
    byte[0].into()
}

/// Whether a destination soon has so many connections: others may just be closing.
fn comes_to(wanted: u32, balancer: &mut Balancer, key: &ServiceKey, to: &DestinationKey) -> bool {
    (0..1000).any(|_| balancer.connections(key, to).expect("count") == wanted)
}

#[test]
fn connections_of_a_removed_server_go_on_or_end_as_the_service_says() {
    with_addresses(&["192.0.2.1", "10.0.0.1", "10.0.0.2"], || {
        echo("10.0.0.1", 80, b'a');
        echo("10.0.0.2", 80, b'b');
        let mut balancer = Balancer::open("test").expect("open");
        let (a, b) = (to("10.0.0.1", 80), to("10.0.0.2", 80));
        let key = tcp("192.0.2.1", 80);
        for closing in [Closing::AsKernel, Closing::Keep, Closing::Reset, Closing::Expire] {
            let scheduling = Scheduling { closing, ..Scheduling::new(Scheduler::Rr) };
            all(&mut balancer, &service(key, scheduling, &[(a, 1)]));
            let mut stream = TcpStream::connect((ip("192.0.2.1"), 80)).expect("connect");
            assert_eq!(say(&mut stream), 'a');
            assert!(comes_to(1, &mut balancer, &key, &a), "{closing:?}");
            assert_eq!(balancer.connections(&key, &b).expect("count"), 0);
            all(
                &mut balancer,
                &[
                    ServiceChange::AddDestination(key, b, weight(1)),
                    ServiceChange::RemoveDestination(key, a),
                ],
            );
            match closing {
                Closing::AsKernel | Closing::Keep => {
                    assert_eq!(say(&mut stream), 'a');
                    assert_eq!(balancer.connections(&key, &a).expect("count"), 1);
                }
                Closing::Reset | Closing::Expire => {
                    let _ = say(&mut stream);
                    let broken = stream.write_all(b"?").and_then(|()| stream.read_exact(&mut [0]));
                    assert!(broken.is_err(), "{closing:?}");
                    assert_eq!(balancer.connections(&key, &a).expect("count"), 0);
                }
            }
            all(&mut balancer, &[ServiceChange::RemoveService(key)]);
        }
    });
}

#[test]
fn datagrams_of_one_client_follow_the_servers_that_there_are() {
    with_addresses(&["192.0.2.1", "10.0.0.1", "10.0.0.2"], || {
        echo("10.0.0.1", 53, b'a');
        echo("10.0.0.2", 53, b'b');
        let mut balancer = Balancer::open("test").expect("open");
        let (a, b) = (to("10.0.0.1", 53), to("10.0.0.2", 53));
        let key =
            ServiceKey::Address { address: ip("192.0.2.1"), port: 53, transport: Transport::Udp };
        let client = UdpSocket::bind("0.0.0.0:0").expect("bind");
        client.set_read_timeout(Some(Duration::from_millis(500))).expect("a limit");
        let ask = || {
            let mut byte = [b'.'];
            let _ = client.send_to(b"?", "192.0.2.1:53").and_then(|_| client.recv(&mut byte));
            char::from(byte[0])
        };
        assert_eq!(ask(), '.');
        let closing = Closing::Expire;
        let scheduling = Scheduling { closing, ..Scheduling::new(Scheduler::Rr) };
        all(&mut balancer, &service(key, scheduling, &[(a, 1)]));
        assert_eq!(ask(), 'a', "though it asked before there was a server");
        all(&mut balancer, &[ServiceChange::AddDestination(key, b, weight(1))]);
        assert_eq!(ask(), 'a');
        all(&mut balancer, &[ServiceChange::RemoveDestination(key, a)]);
        assert_eq!(ask(), 'b');
        assert_eq!(balancer.connections(&key, &b).expect("count"), 1);
    });
}

#[test]
fn packets_with_a_mark_are_a_service() {
    with_addresses(&["192.0.2.1", "192.0.2.2", "10.0.0.1"], || {
        serve("10.0.0.1", 80, b'a');
        let (table, priority) = ("marks".to_owned(), -150);
        let mut marking = Marking { table, priority, marks: BTreeMap::new() };
        let members = [tcp("192.0.2.1", 80), tcp("192.0.2.2", 0), tcp("2001:db8::1", 80)];
        marking.add(7, Family::V4, members);
        marking.install().expect("marks");
        assert!(listed().contains("192.0.2.1 . tcp . 80 : 0x00000007"), "{}", listed());
        let mut balancer = Balancer::open("test").expect("open");
        let key = ServiceKey::Mark { mark: 7, family: Family::V4 };
        all(
            &mut balancer,
            &service(key, Scheduling::new(Scheduler::Rr), &[(to("10.0.0.1", 0), 1)]),
        );
        assert_eq!(ask("192.0.2.1", 80), 'a');
        assert_eq!(ask("192.0.2.2", 80), 'a');
        assert_eq!(ask("192.0.2.2", 81), '.');
        marking.remove().expect("none");
        assert!(!listed().contains("table inet marks"));
        assert_eq!(ask("192.0.2.1", 80), '.');
        assert_eq!(balancer.read().expect("read"), balancer.services);
    });
}
