//! IPVS as the kernel has it. Few machines of developers do: there this proves nothing and says so,
//! and `crates/standfast/tests/vm/ipvs.sh` runs it in a virtual machine.

mod everything;
mod traffic;

use std::{io::Write, net::IpAddr, process::Command, time::Duration};

use standfast_kernel::{ipvs::Ipvs, namespace::NetNs};
use standfast_types::{
    Closing, Destination, DestinationKey, Family, Forwarding, Persistence, Scheduler,
    SchedulerFlags, Scheduling, Service, ServiceChange, ServiceKey, ServiceTable, SyncDaemon,
    SyncRole, Timeouts, Transport,
};

use self::everything::{everything, schedulers_here};

/// Runs `work` in a network namespace of its own; says why where that cannot be.
fn with_ipvs(work: impl FnOnce(Ipvs) + Send) {
    let namespace = match NetNs::new() {
        Ok(namespace) => namespace,
        Err(error) => return say(&format!("skipped: failed to {error}")),
    };
    let run = || match Ipvs::open() {
        Ok(ipvs) => {
            assert!(Ipvs::is_available());
            // Without it the kernel takes no address for one of a single host.
            run_ip(&["link", "set", "lo", "up"]);
            work(ipvs);
        }
        Err(error) => say(&format!("skipped: failed to {error}")),
    };
    namespace.run(run).expect("enter the namespace");
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What another program makes of it, its white space made even.
fn ipvsadm(arguments: &[&str]) -> String {
    let output = Command::new("ipvsadm").args(arguments).output().expect("run ipvsadm");
    let refusal = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {refusal}");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

fn run_ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().expect("run ip").success());
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { address: ip(address), port, transport: Transport::Tcp }
}

fn at(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: ip(address), port }
}

fn service(scheduling: Scheduling, to: &[(DestinationKey, Destination)]) -> Service {
    Service { scheduling, destinations: to.iter().copied().collect() }
}

/// The changes that make a table from nothing.
fn all(table: &ServiceTable) -> Vec<ServiceChange> {
    let mut changes = Vec::new();
    for (key, service) in table {
        changes.push(ServiceChange::AddService(*key, service.scheduling.clone()));
        for (to, value) in &service.destinations {
            changes.push(ServiceChange::AddDestination(*key, *to, *value));
        }
    }
    changes
}

fn apply(ipvs: &mut Ipvs, changes: &[ServiceChange]) {
    for (answer, change) in ipvs.apply(changes).into_iter().zip(changes) {
        assert!(answer.is_ok(), "{change:?}: {answer:?}");
    }
}

/// Makes changes, which must cost so many messages.
fn apply_counted(ipvs: &mut Ipvs, changes: &[ServiceChange], messages: usize) {
    let before = ipvs.changes();
    apply(ipvs, changes);
    assert_eq!(ipvs.changes() - before, u64::try_from(messages).expect("few"));
}

fn contains(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn all_that_a_table_can_say_is_in_the_kernel_and_reads_back() {
    with_ipvs(|mut ipvs| {
        let wanted = everything();
        let changes = all(&wanted);
        apply_counted(&mut ipvs, &changes, changes.len());
        let found = ipvs.read().expect("read");
        for (key, service) in &wanted {
            assert_eq!(found.get(key), Some(service), "{key}");
        }
        assert_eq!(found, wanted);
        let removals: Vec<_> =
            wanted.keys().map(|key| ServiceChange::RemoveService(*key)).collect();
        apply_counted(&mut ipvs, &removals, removals.len());
        assert_eq!(ipvs.read().expect("read"), ServiceTable::new());
    });
}

#[test]
fn another_program_sees_what_was_written() {
    with_ipvs(|mut ipvs| {
        apply(&mut ipvs, &all(&everything()));
        let text = ipvsadm(&["-Ln"]);
        for (port, scheduler) in (1..).zip(schedulers_here()) {
            let four = format!("TCP 192.0.2.1:{port} {scheduler}\n-> 10.0.0.1:8000 Masq 1 0 0");
            let six = format!("TCP [2001:db8::1]:{port} {scheduler}\n-> [fd00::1]:8000 Masq 1 0 0");
            contains(&text, &[&four, &six]);
        }
        contains(
            &text,
            &[
                "TCP 192.0.2.2:110 sh (sh-fallback)",
                "TCP 192.0.2.2:131 mh (mh-fallback,mh-port)",
                "TCP 192.0.2.2:172 rr (flag-1,flag-2,flag-3)",
                "TCP 192.0.2.3:80 rr persistent 1",
                "TCP 192.0.2.3:81 rr persistent 360 mask 255.255.255.0",
                "TCP 192.0.2.3:0 rr persistent 2678400 mask 255.0.0.0",
                "TCP [2001:db8::3]:81 rr persistent 300 mask 64",
                "FWM 3 IPv6 rr persistent 300 mask 48",
                "UDP 192.0.2.4:5060 rr persistent 60 pe sip",
                "UDP 192.0.2.4:53 rr ops",
                "SCTP 192.0.2.4:9 wrr",
                "FWM 2147483647 wlc\n-> 10.0.0.1:0 Masq 1 0 0",
                "-> 10.0.1.2:443 Route 65535 0 0",
                "-> 10.0.1.12:443 Route 0 0 0",
            ],
        );
        contains(
            &ipvsadm(&["-Ln", "--tun-info"]),
            &[
                "-> 10.0.1.3:443 Tunnel ipip",
                "-> 10.0.1.4:443 Tunnel gue:6080:-c",
                "-> 10.0.1.5:443 Tunnel gue:6081:+c",
                "-> [fd00:1::6]:443 Tunnel gue:6082:r+c",
                "-> 10.0.1.7:443 Tunnel gre:-c",
                "-> 10.0.1.8:443 Tunnel gre:+c",
            ],
        );
        contains(&ipvsadm(&["-Ln", "--thresholds"]), &["-> 10.0.1.1:443 1000 500 0 0"]);
    });
}

#[test]
fn what_another_program_writes_is_read() {
    with_ipvs(|mut ipvs| {
        let add = |line: &str| ipvsadm(&line.split(' ').collect::<Vec<_>>());
        add("-A -t 192.0.2.9:80 -s mh -b mh-port");
        add("-a -t 192.0.2.9:80 -r 10.0.0.9:81 -m -w 7 -x 9 -y 3");
        add("-A -f 9 -6 -p 120");
        let found = ipvs.read().expect("read");
        let flags = SchedulerFlags { second: true, ..SchedulerFlags::default() };
        let scheduling = Scheduling { flags, ..Scheduling::new(Scheduler::Mh) };
        let value = Destination {
            upper_threshold: 9,
            lower_threshold: 3,
            ..Destination::new(7, Forwarding::Nat)
        };
        let first = service(scheduling, &[(at("10.0.0.9", 81), value)]);
        assert_eq!(found.get(&tcp("192.0.2.9", 80)), Some(&first));
        let timeout = Duration::from_secs(120);
        let persistence = Some(Persistence { timeout, prefix: 128, engine: None });
        let scheduling = Scheduling { persistence, ..Scheduling::new(Scheduler::Wlc) };
        let mark = ServiceKey::Mark { mark: 9, family: Family::V6 };
        assert_eq!(found.get(&mark), Some(&service(scheduling, &[])));
    });
}

#[test]
fn a_change_costs_one_message_and_touches_nothing_else() {
    with_ipvs(|mut ipvs| {
        let mut wanted = everything();
        apply(&mut ipvs, &all(&wanted));
        let (key, to) = (tcp("192.0.2.5", 443), at("10.0.1.2", 443));
        let value = Destination::new(5, Forwarding::DirectRouting);
        apply_counted(&mut ipvs, &[ServiceChange::EditDestination(key, to, value)], 1);
        wanted.get_mut(&key).expect("the service").destinations.insert(to, value);
        assert_eq!(ipvs.read().expect("read"), wanted);
        let scheduling = Scheduling::new(Scheduler::Sh);
        apply_counted(&mut ipvs, &[ServiceChange::EditService(key, scheduling.clone())], 1);
        wanted.get_mut(&key).expect("the service").scheduling = scheduling;
        assert_eq!(ipvs.read().expect("read"), wanted);
        apply_counted(&mut ipvs, &[ServiceChange::RemoveDestination(key, to)], 1);
        wanted.get_mut(&key).expect("the service").destinations.remove(&to);
        assert_eq!(ipvs.read().expect("read"), wanted);
    });
}

#[test]
fn what_somebody_else_did_first_is_no_failure() {
    with_ipvs(|mut ipvs| {
        ipvsadm(&["-A", "-t", "192.0.2.9:80", "-s", "rr"]);
        ipvsadm(&["-a", "-t", "192.0.2.9:80", "-r", "10.0.0.9:80", "-m", "-w", "3"]);
        let (key, to) = (tcp("192.0.2.9", 80), at("10.0.0.9", 80));
        let value = Destination::new(5, Forwarding::Nat);
        let wanted = service(Scheduling::new(Scheduler::Sed), &[(to, value)]);
        let wanted = ServiceTable::from([(key, wanted)]);
        apply(&mut ipvs, &all(&wanted));
        assert_eq!(ipvs.read().expect("read"), wanted);
        ipvsadm(&["-D", "-t", "192.0.2.9:80"]);
        let gone = [ServiceChange::RemoveDestination(key, to), ServiceChange::RemoveService(key)];
        apply(&mut ipvs, &gone);
    });
}

#[test]
fn a_refusal_says_what_and_why_and_the_others_are_made() {
    with_ipvs(|mut ipvs| {
        let key = tcp("192.0.2.9", 80);
        let nat = Destination::new(1, Forwarding::Nat);
        let limits = Destination { upper_threshold: 1, lower_threshold: 2, ..nat };
        let engine = Some("none".to_owned());
        let persistence = Some(Persistence { timeout: Duration::from_secs(1), prefix: 32, engine });
        let strange = Scheduling { persistence, ..Scheduling::new(Scheduler::Rr) };
        let changes = [
            ServiceChange::EditService(key, Scheduling::new(Scheduler::Rr)),
            ServiceChange::AddService(key, Scheduling::new(Scheduler::Rr)),
            ServiceChange::AddDestination(key, at("10.0.0.1", 80), limits),
            ServiceChange::AddDestination(key, at("10.0.0.2", 80), nat),
            ServiceChange::AddService(tcp("192.0.2.9", 81), strange),
        ];
        let text = |answer: Result<(), standfast_kernel::Error>| {
            answer.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let texts: Vec<_> = ipvs.apply(&changes).into_iter().map(text).collect();
        assert!(texts[0].starts_with("change a virtual service: No such process"), "{texts:?}");
        assert_eq!(texts[1], "");
        assert!(texts[2].starts_with("add a real server: Numerical result"), "{texts:?}");
        assert_eq!(texts[3], "");
        let end = "(this kernel has no scheduler rr or no persistence engine none)";
        assert!(texts[4].ends_with(end), "{texts:?}");
        assert_eq!(ipvs.read().expect("read")[&key].destinations.len(), 1);
    });
}

#[test]
fn timeouts_are_set_one_by_one() {
    with_ipvs(|mut ipvs| {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        ipvs.set_timeouts(&Timeouts { tcp: seconds(1800), ..Timeouts::default() }).expect("set");
        let before = ipvs.timeouts().expect("read");
        let others = Timeouts { tcp: None, tcp_fin: seconds(60), udp: seconds(90) };
        ipvs.set_timeouts(&others).expect("set");
        assert_eq!(ipvs.timeouts().expect("read"), Timeouts { tcp: before.tcp, ..others });
        assert!(ipvsadm(&["-L", "--timeout"]).ends_with("1800 60 90"));
        let count = ipvs.changes();
        ipvs.set_timeouts(&others).expect("again");
        ipvs.set_timeouts(&Timeouts::default()).expect("none");
        assert_eq!(ipvs.changes(), count, "nothing is sent for nothing");
    });
}

#[test]
fn copying_starts_once_is_left_alone_and_stops() {
    with_ipvs(|mut ipvs| {
        run_ip(&["link", "add", "sync", "up", "type", "dummy"]);
        run_ip(&["addr", "add", "192.0.2.77/24", "dev", "sync"]);
        let daemon = SyncDaemon {
            interface: "sync".into(),
            id: 7,
            max_length: None,
            port: Some(8850),
            ttl: None,
            group: Some(ip("224.0.0.82")),
        };
        ipvs.start_sync(SyncRole::Master, &daemon).expect("start");
        ipvs.start_sync(SyncRole::Backup, &daemon).expect("start");
        let count = ipvs.changes();
        ipvs.start_sync(SyncRole::Master, &daemon).expect("again");
        assert_eq!(ipvs.changes(), count, "what runs is left alone");
        let other = SyncDaemon { id: 8, ..daemon };
        ipvs.start_sync(SyncRole::Master, &other).expect("another");
        assert_eq!(ipvs.changes(), count + 2, "stopped and started");
        let running = ipvs.sync_daemons().expect("read");
        let ids: Vec<_> = running.iter().map(|(role, daemon)| (*role, daemon.id)).collect();
        assert_eq!(ids, [(SyncRole::Master, 8), (SyncRole::Backup, 7)]);
        for role in [SyncRole::Master, SyncRole::Backup] {
            ipvs.stop_sync(role).expect("stop");
            ipvs.stop_sync(role).expect("stop again");
        }
        assert_eq!(ipvs.sync_daemons().expect("read"), []);
    });
}

#[test]
fn closing_costs_no_message_and_survives_a_reading() {
    with_ipvs(|mut ipvs| {
        let key = tcp("192.0.2.9", 80);
        let plain = Scheduling::new(Scheduler::Rr);
        apply(&mut ipvs, &[ServiceChange::AddService(key, plain.clone())]);
        let setting = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/vs/{name}"));
            text.expect("a setting").trim().to_owned()
        };
        assert_eq!(setting("expire_nodest_conn"), "0");
        let reset = Scheduling { closing: Closing::Reset, ..plain };
        apply_counted(&mut ipvs, &[ServiceChange::EditService(key, reset.clone())], 0);
        assert_eq!(setting("expire_nodest_conn"), "1");
        assert_eq!(setting("expire_quiescent_template"), "1");
        assert_eq!(ipvs.read().expect("read")[&key].scheduling, reset);
    });
}

#[test]
fn a_flush_removes_all_and_what_is_unknown_has_no_connections() {
    with_ipvs(|mut ipvs| {
        apply(&mut ipvs, &all(&everything()));
        let key = tcp("192.0.2.5", 443);
        assert_eq!(ipvs.connections(&key, &at("10.0.1.2", 443)).expect("count"), 0);
        let (counters, usage) = ipvs.usage(&key).expect("usage");
        assert_eq!(counters.connections, 0);
        assert_eq!(usage.len(), everything()[&key].destinations.len());
        ipvs.flush().expect("flush");
        assert_eq!(ipvs.read().expect("read"), ServiceTable::new());
        assert_eq!(ipvs.connections(&key, &at("10.0.1.2", 443)).expect("count"), 0);
        assert!(ipvs.usage(&key).is_err());
    });
}
