//! A table with all that a table can say.

use std::time::Duration;

use standfast_types::{
    Checksum, Destination, Encapsulation, Family, Forwarding, Persistence, Scheduler,
    SchedulerFlags, Scheduling, ServiceKey, ServiceTable, Transport,
};

use super::{at, ip, service, tcp};

/// Every scheduler, flag, kind of key, of persistence and of forwarding.
pub(crate) fn everything() -> ServiceTable {
    let mut table = schedulers();
    table.extend(persistences());
    table.extend(forwardings());
    let nat = Destination::new(1, Forwarding::Nat);
    let other = |port, transport| ServiceKey::Address { address: ip("192.0.2.4"), port, transport };
    let one_packet = Scheduling { one_packet: true, ..Scheduling::new(Scheduler::Rr) };
    table.insert(other(53, Transport::Udp), service(one_packet, &[]));
    table.insert(other(9, Transport::Sctp), service(Scheduling::new(Scheduler::Wrr), &[]));
    let mark = ServiceKey::Mark { mark: 0x7fff_ffff, family: Family::V4 };
    table.insert(mark, service(Scheduling::new(Scheduler::Wlc), &[(at("10.0.0.1", 0), nat)]));
    table
}

/// All but `twos`, which the kernels of distributions lack.
pub(crate) fn schedulers_here() -> impl Iterator<Item = Scheduler> {
    Scheduler::ALL.into_iter().filter(|scheduler| *scheduler != Scheduler::Twos)
}

fn schedulers() -> ServiceTable {
    let nat = Destination::new(1, Forwarding::Nat);
    let mut table = ServiceTable::new();
    for (port, scheduler) in (1..).zip(schedulers_here()) {
        for (address, to) in [("192.0.2.1", "10.0.0.1"), ("2001:db8::1", "fd00::1")] {
            let scheduling = Scheduling::new(scheduler);
            table.insert(tcp(address, port), service(scheduling, &[(at(to, 8000), nat)]));
        }
    }
    for (port, scheduler) in (100..).zip([Scheduler::Sh, Scheduler::Mh, Scheduler::Rr]) {
        for bits in 0..8_u16 {
            let [first, second, third] = [1, 2, 4].map(|bit| bits & bit != 0);
            let flags = SchedulerFlags { first, second, third };
            let scheduling = Scheduling { flags, ..Scheduling::new(scheduler) };
            table.insert(tcp("192.0.2.2", port + 10 * bits), service(scheduling, &[]));
        }
    }
    table
}

fn persistences() -> ServiceTable {
    let persistent = |key, prefix, seconds, engine: Option<&str>| {
        let timeout = Duration::from_secs(seconds);
        let persistence = Some(Persistence { timeout, prefix, engine: engine.map(str::to_owned) });
        (key, service(Scheduling { persistence, ..Scheduling::new(Scheduler::Rr) }, &[]))
    };
    let udp =
        |port| ServiceKey::Address { address: ip("192.0.2.4"), port, transport: Transport::Udp };
    ServiceTable::from([
        persistent(tcp("192.0.2.3", 80), 32, 1, None),
        persistent(tcp("192.0.2.3", 81), 24, 360, None),
        persistent(tcp("192.0.2.3", 0), 8, 31 * 86_400, None),
        persistent(tcp("2001:db8::3", 80), 128, 300, None),
        persistent(tcp("2001:db8::3", 81), 64, 300, None),
        persistent(ServiceKey::Mark { mark: 3, family: Family::V6 }, 48, 300, None),
        persistent(udp(5060), 32, 60, Some("sip")),
    ])
}

/// Every way to a destination, with limits, and of both families.
fn forwardings() -> ServiceTable {
    let gue = |port, checksum| Encapsulation::Gue { port, checksum };
    let tunnels = [
        Encapsulation::Ipip,
        gue(6080, Checksum::None),
        gue(6081, Checksum::Full),
        gue(6082, Checksum::Remote),
        Encapsulation::Gre { checksum: Checksum::None },
        Encapsulation::Gre { checksum: Checksum::Full },
    ];
    let tunnels = tunnels.map(Forwarding::Tunnel);
    let ways = [Forwarding::Nat, Forwarding::DirectRouting].into_iter().chain(tunnels);
    let mut table = ServiceTable::new();
    for (last, forwarding) in (1..).zip(ways) {
        let value = Destination {
            upper_threshold: 1000,
            lower_threshold: 500,
            ..Destination::new(Destination::WEIGHT_MAX, forwarding)
        };
        let quiet = Destination::new(0, forwarding);
        let mut to = |from: &str, same: &str, other: &str| {
            let entry = table
                .entry(tcp(from, 443))
                .or_insert_with(|| service(Scheduling::new(Scheduler::Wlc), &[]));
            entry.destinations.insert(at(&format!("{same}{last}"), 443), value);
            entry.destinations.insert(at(&format!("{same}1{last}"), 443), quiet);
            // The kernel takes the other family with tunnels alone.
            if matches!(forwarding, Forwarding::Tunnel(_)) {
                entry.destinations.insert(at(&format!("{other}{last}"), 443), value);
            }
        };
        to("192.0.2.5", "10.0.1.", "fd00:1::");
        to("2001:db8::5", "fd00:1::", "10.0.1.");
    }
    table
}
