//! Messages as bytes. What the kernel makes of them is proven in a virtual machine
//! (`crates/kernel/tests/ipvs.rs`).

use std::time::Duration;

use standfast_types::{
    Checksum, Closing, Destination, DestinationKey, Encapsulation, Family, Forwarding, Persistence,
    Scheduler, SchedulerFlags, Scheduling, ServiceKey, Transport,
};

use super::{destination, parse_destination, parse_service, service};
use crate::netlink::message::Message;

fn payload(fragment: Message) -> Vec<u8> {
    let bytes = Message::new(30, 0).raw(&[1, 1, 0, 0]).append(fragment).finish(1);
    bytes[16..].to_vec()
}

fn address(text: &str, port: u16, transport: Transport) -> ServiceKey {
    ServiceKey::Address { address: text.parse().expect("an address"), port, transport }
}

fn server(text: &str, port: u16) -> DestinationKey {
    DestinationKey { address: text.parse().expect("an address"), port }
}

fn full() -> Scheduling {
    Scheduling {
        scheduler: Scheduler::Mh,
        flags: SchedulerFlags { first: true, second: false, third: true },
        one_packet: true,
        persistence: Some(Persistence {
            timeout: Duration::from_secs(300),
            prefix: 24,
            engine: Some("sip".to_owned()),
        }),
        closing: Closing::AsKernel,
    }
}

#[test]
#[cfg(target_endian = "little")]
fn a_service_is_written_as_the_kernel_reads_it() {
    let key = address("192.0.2.1", 8080, Transport::Udp);
    #[rustfmt::skip]
    let wanted = [
        1, 1, 0, 0,
        92, 0, 1, 0x80,
        6, 0, 1, 0, 2, 0, 0, 0,
        6, 0, 2, 0, 17, 0, 0, 0,
        20, 0, 3, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        6, 0, 4, 0, 0x1f, 0x90, 0, 0,
        7, 0, 6, 0, b'm', b'h', 0, 0,
        12, 0, 7, 0, 0x2d, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
        8, 0, 8, 0, 0x2c, 1, 0, 0,
        8, 0, 9, 0, 255, 255, 255, 0,
        8, 0, 11, 0, b's', b'i', b'p', 0,
    ];
    let written = payload(service::service(&key, &full()));
    assert_eq!(written, wanted);
}

#[test]
#[cfg(target_endian = "little")]
fn a_destination_is_written_as_the_kernel_reads_it() {
    let gue = Encapsulation::Gue { port: 6080, checksum: Checksum::Remote };
    let value = Destination {
        weight: 70_000,
        forwarding: Forwarding::Tunnel(gue),
        upper_threshold: 500,
        lower_threshold: 400,
    };
    #[rustfmt::skip]
    let wanted = [
        1, 1, 0, 0,
        96, 0, 2, 0x80,
        6, 0, 11, 0, 10, 0, 0, 0,
        20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
        6, 0, 2, 0, 0, 80, 0, 0,
        8, 0, 3, 0, 2, 0, 0, 0,
        8, 0, 4, 0, 0xff, 0xff, 0, 0,
        8, 0, 5, 0, 0xf4, 1, 0, 0,
        8, 0, 6, 0, 0x90, 1, 0, 0,
        5, 0, 13, 0, 1, 0, 0, 0,
        6, 0, 14, 0, 0x17, 0xc0, 0, 0,
        6, 0, 15, 0, 2, 0, 0, 0,
    ];
    assert_eq!(payload(destination::destination(&server("2001:db8::9", 80), &value)), wanted);
}

#[test]
fn services_of_every_kind_read_back() {
    let marks = [Family::V4, Family::V6].map(|family| ServiceKey::Mark { mark: 7, family });
    let keys = [
        address("192.0.2.1", 80, Transport::Tcp),
        address("2001:db8::1", 0, Transport::Sctp),
        address("198.51.100.255", 65_535, Transport::Udp),
    ];
    for key in keys.into_iter().chain(marks) {
        for scheduler in Scheduler::ALL {
            let plain = Scheduling::new(scheduler);
            assert_eq!(parse_service(&payload(service::service(&key, &plain))), Some((key, plain)));
        }
        assert_eq!(parse_service(&payload(service::service(&key, &full()))), Some((key, full())));
        for prefix in 0..=32 {
            let persistence = full().persistence.map(|found| Persistence { prefix, ..found });
            let scheduling = Scheduling { persistence, ..full() };
            let read = parse_service(&payload(service::service(&key, &scheduling)));
            assert_eq!(read, Some((key, scheduling)));
        }
    }
}

#[test]
fn destinations_of_every_kind_read_back() {
    let checksums = [Checksum::None, Checksum::Full, Checksum::Remote];
    let tunnels = checksums.iter().flat_map(|checksum| {
        [
            Encapsulation::Ipip,
            Encapsulation::Gue { port: 6080, checksum: *checksum },
            Encapsulation::Gre { checksum: *checksum },
        ]
    });
    let tunnels = tunnels.map(Forwarding::Tunnel);
    for forwarding in [Forwarding::Nat, Forwarding::DirectRouting].into_iter().chain(tunnels) {
        for key in [server("10.0.0.1", 8080), server("2001:db8::9", 0)] {
            let value = Destination {
                upper_threshold: 9,
                lower_threshold: 3,
                ..Destination::new(65_535, forwarding)
            };
            let bytes = payload(destination::destination(&key, &value));
            // Its own family counts, not that of the service.
            for family in [Family::V4, Family::V6] {
                let (found, read, _) = parse_destination(family, &bytes).expect("a destination");
                assert_eq!((found, read), (key, value));
            }
        }
    }
}

#[test]
fn answers_cut_anywhere_or_with_any_byte_changed_never_panic() {
    let service = payload(service::service(&address("192.0.2.1", 80, Transport::Tcp), &full()));
    let gre = Forwarding::Tunnel(Encapsulation::Gre { checksum: Checksum::Full });
    let destination = destination::destination(&server("10.0.0.1", 80), &Destination::new(1, gre));
    for whole in [service, payload(destination)] {
        for end in 0..whole.len() {
            assert_eq!(parse_service(&whole[..end]), None);
            assert_eq!(parse_destination(Family::V4, &whole[..end]), None);
        }
        for (place, value) in (0..whole.len()).flat_map(|place| (0..=255).map(move |v| (place, v)))
        {
            let mut bytes = whole.clone();
            bytes[place] = value;
            let _ = parse_service(&bytes);
            let _ = parse_destination(Family::V6, &bytes);
        }
    }
}

#[test]
fn a_service_that_no_table_can_have_is_left_out() {
    let key = address("192.0.2.1", 80, Transport::Tcp);
    let mut bytes = payload(service::service(&key, &Scheduling::new(Scheduler::Rr)));
    let place = bytes.windows(3).position(|found| found == b"rr\0").expect("the scheduler");
    bytes[place] = b'x';
    assert_eq!(parse_service(&bytes), None);
}
