use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use standfast_types::{Family, Priority};

use super::*;
use crate::{Event, Input, Output, Packet, Router, UnicastPeer};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
const SECOND: Duration = Duration::from_secs(1);
/// 2026-11-21.
const TODAY: Duration = Duration::from_secs(1_795_000_000);

fn vrid(id: u8) -> Vrid {
    Vrid::new(id).expect("not zero")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn key(byte: u8) -> Key {
    Key::new(vec![byte; 32]).expect("long enough")
}

fn hmac(active: u8) -> Hmac {
    Hmac {
        keys: [(1, key(1)), (2, key(2))].into(),
        active,
        mode: Mode::Enforce,
        anti_replay: AntiReplay::Time { window: 5 * SECOND },
    }
}

fn config(authentication: Authentication) -> Config {
    let mut config = Config::new(vrid(51), Priority::new(100).expect("not zero"));
    config.addresses = vec![Ipv4Addr::new(192, 0, 2, 100).into()];
    config.authentication = authentication;
    config
}

fn with(hmac: Hmac) -> Config {
    config(Authentication::Hmac(hmac))
}

/// A router that has started, and what it heard.
struct Node {
    router: Router,
    now: Instant,
}

impl Node {
    fn new(config: Config) -> Self {
        let now = Instant::ZERO;
        let mut node = Self { router: Router::new(config, now), now };
        node.clock(TODAY);
        node.input(Input::Source(OWN));
        node.input(Input::Start);
        node
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.router.handle_input(self.now, input);
        std::iter::from_fn(|| self.router.poll_output()).collect()
    }

    fn clock(&mut self, unix: Duration) {
        self.input(Input::Clock(WallClock::new(self.now, unix)));
    }

    /// The first packet of an advert.
    fn send(&mut self) -> Packet {
        self.router.adverts(self.now, 100, PEER).remove(0)
    }

    /// Why the packet is refused, if it is.
    fn hear(&mut self, packet: &Packet) -> Option<Discard> {
        self.hear_from(PEER, packet)
    }

    fn hear_from(&mut self, source: IpAddr, packet: &Packet) -> Option<Discard> {
        self.outputs_of(source, packet).into_iter().find_map(|output| {
            if let Output::Event(Event::Discarded { reason, .. }) = output {
                Some(reason)
            } else {
                None
            }
        })
    }

    fn outputs_of(&mut self, source: IpAddr, packet: &Packet) -> Vec<Output> {
        let Packet { destination, ttl, envelope, ref payload } = *packet;
        self.input(Input::Datagram(Datagram { source, destination, ttl, envelope, payload }))
    }
}

struct Vector {
    version: Version,
    source: &'static str,
    key: (u8, Vec<u8>),
    message: &'static str,
    trailer: &'static str,
}

/// What keepalived 2.4.2 sent.
fn vectors() -> [Vector; 3] {
    let ascii = || (7, b"0123456789abcdef0123456789abcdef".to_vec());
    let counted = || (9, (0..32).collect::<Vec<u8>>());
    [
        Vector {
            version: Version::V3,
            source: "10.77.0.1",
            key: ascii(),
            message: "3133ff010032da650a4d0009",
            trailer: "010700006b018c55ecf50000ea3bee72838d0714aae494fe76381384",
        },
        Vector {
            version: Version::V2,
            source: "10.77.0.1",
            key: counted(),
            message: "2134ff020001cb180a4d000a0a4d000b0000000000000000",
            trailer: "010900006b018c55ed520000bfc8548625ee09306f19b8262a0aecec",
        },
        Vector {
            version: Version::V3,
            source: "fe80::a033:81ff:fe09:edae",
            key: counted(),
            message: "3135ff0200645facfe80000000000000000000000000005320010db8000000000000000000000009",
            trailer: "010900006b018c55ed4500000c3ef5818b7bc19113d733fbb4ef05b6",
        },
    ]
}

#[test]
fn the_trailers_of_keepalived_are_verified_and_made_alike() {
    for Vector { version, source, key: (id, key), message, trailer } in vectors() {
        let (message, trailer) = (bytes(message), bytes(trailer));
        let trailer = trailer.first_chunk().expect("28 bytes");
        let sequence = hmac_trailer::Repr::parse(trailer).expect("sound").sequence;
        let fraction = u32::try_from(sequence.0 >> 16 & 0xffff).expect("16 bits");
        // The first moment of that fraction.
        let nanos = (u64::from(fraction) * 1_000_000_000).div_ceil(65_536);
        let sent = Duration::from_secs(sequence.seconds().into()) + Duration::from_nanos(nanos);
        let keys = [(id, Key::new(key).expect("fits"))].into();
        let hmac = Hmac { keys, active: id, ..hmac(id) };
        let about = about(version, vrid(message[1]), source.parse().expect("an address"));

        let mut sender = Auth::default();
        sender.set_clock(WallClock::new(Instant::ZERO, sent));
        assert_eq!(sender.sign(Instant::ZERO, &hmac, about, &message), Some(*trailer));

        let mut receiver = sender;
        let mut verify =
            || receiver.verify_trailer(Instant::ZERO, &hmac, about, &message, trailer, 4);
        assert_eq!(verify(), Ok(None));
        assert_eq!(verify(), Err(Discard::HmacReplay));
    }
}

#[test]
fn every_reason_of_authentication_is_reached() {
    let mut seen = BTreeSet::new();
    let mut refused = |receiver: Config, sender: Config, damage: fn(&mut Packet)| {
        let mut receiver = Node::new(receiver);
        let mut packet = Node::new(sender).send();
        damage(&mut packet);
        seen.insert(receiver.hear(&packet).expect("refused"));
    };
    let ah = || config(Authentication::Header(Password(*b"secret12")));
    refused(ah(), ah(), |packet| packet.payload[0] = 6);
    refused(ah(), ah(), |packet| packet.payload[4] ^= 1);
    refused(ah(), ah(), |packet| packet.payload[23] ^= 1);
    refused(with(hmac(1)), config(Authentication::None), |_| ());
    refused(with(hmac(1)), with(hmac(1)), |packet| packet.payload[22] = 1);
    let unknown = Hmac { keys: [(3, key(3))].into(), ..hmac(3) };
    refused(with(hmac(1)), with(unknown), |_| ());
    let other = Hmac { keys: [(1, key(9))].into(), ..hmac(1) };
    refused(with(hmac(1)), with(other), |_| ());
    for config in [ah(), with(hmac(1))] {
        let (mut receiver, packet) = (Node::new(config.clone()), Node::new(config).send());
        assert_eq!(receiver.hear(&packet), None);
        seen.extend(receiver.hear(&packet));
    }
    let mut late = Node::new(with(hmac(1)));
    late.clock(TODAY + 6 * SECOND);
    seen.extend(late.hear(&Node::new(with(hmac(1))).send()));
    let reasons = Discard::ALL.into_iter().skip_while(|&reason| reason <= Discard::Destination);
    assert!(seen.into_iter().eq(reasons));
}

#[test]
fn a_header_where_none_is_expected_is_another_authentication_and_the_reverse() {
    let kinds = [
        config(Authentication::None),
        config(Authentication::Password(Password(*b"secret12"))),
        config(Authentication::Header(Password(*b"secret12"))),
    ];
    for receiver in &kinds {
        for sender in &kinds {
            let refused = Node::new(receiver.clone()).hear(&Node::new(sender.clone()).send());
            let expected = (receiver != sender).then_some(Discard::AuthenticationType);
            assert_eq!(refused, expected, "{receiver:?} hears {sender:?}");
        }
    }
}

#[test]
fn what_a_configuration_accepts_is_what_its_router_hears() {
    let secret = |text: &[u8; 8]| Password(*text);
    let mode = |mode| Authentication::Hmac(Hmac { mode, ..hmac(1) });
    let one_key = Hmac { keys: [(2, key(2))].into(), ..hmac(2) };
    let kinds = [
        Authentication::None,
        Authentication::Password(secret(b"secret12")),
        Authentication::Password(secret(b"secret13")),
        Authentication::Header(secret(b"secret12")),
        Authentication::Header(secret(b"secret13")),
        mode(Mode::Enforce),
        mode(Mode::Permissive),
        mode(Mode::ReceiveOnly),
        Authentication::Hmac(hmac(2)),
        Authentication::Hmac(one_key),
    ];
    for receiver in &kinds {
        for sender in &kinds {
            let mut node = Node::new(config(receiver.clone()));
            let refused = node.hear(&Node::new(config(sender.clone())).send());
            assert_eq!(receiver.accepts(sender), refused.is_none(), "{receiver:?}, {sender:?}");
        }
    }
}

#[test]
fn a_key_is_rolled_over_without_a_refused_advert() {
    let old = Hmac { keys: [(1, key(1))].into(), ..hmac(1) };
    let new = Hmac { keys: [(2, key(2))].into(), ..hmac(2) };
    // Both get the new key, then both sign with it, then both lose the old one.
    let steps = [old, hmac(1), hmac(2), new];
    let mut nodes = [Node::new(with(steps[0].clone())), Node::new(with(steps[0].clone()))];
    for step in steps {
        for at in [0, 1] {
            let now = nodes[at].now;
            nodes[at].router.reconfigure(now, with(step.clone()));
            for sender in [0, 1] {
                let packet = nodes[sender].send();
                assert_eq!(nodes[1 - sender].hear(&packet), None, "{at} {sender}");
            }
        }
    }
}

#[test]
fn a_recorded_advert_is_refused_after_a_reload_too() {
    for config in [with(hmac(1)), config(Authentication::Header(Password(*b"secret12")))] {
        let mut receiver = Node::new(config.clone());
        let mut sender = Node::new(config.clone());
        let recorded = sender.send();
        assert_eq!(receiver.hear(&recorded), None);
        let changed = Config { lower_prio_no_advert: true, ..config };
        receiver.router.reconfigure(receiver.now, changed.clone());
        sender.router.reconfigure(sender.now, changed);
        assert!(receiver.hear(&recorded).is_some());
        assert_eq!(receiver.hear(&sender.send()), None, "the sender goes on from there");
    }
}

#[test]
fn an_advert_with_a_bad_checksum_uses_up_its_sequence() {
    for (config, message) in
        [(with(hmac(1)), 0), (config(Authentication::Header(Password(*b"secret12"))), 24)]
    {
        let mut receiver = Node::new(config.clone());
        let packet = Node::new(config.clone()).send();
        let mut broken = packet.clone();
        broken.payload[message + 6] ^= 1;
        let first = receiver.hear(&broken);
        let second = receiver.hear(&packet);
        if config.authentication.is_header() {
            assert_eq!((first, second), (Some(Discard::HeaderIcv), None));
        } else {
            // The checksum is not signed.
            assert_eq!(first, Some(Discard::Checksum));
            assert_eq!(second, Some(Discard::HmacReplay));
        }
    }
}

#[test]
fn a_sender_whose_clock_was_set_back_is_heard_again_when_its_old_mark_has_expired() {
    let mut receiver = Node::new(with(hmac(1)));
    let mut sender = Node::new(with(hmac(1)));
    sender.clock(TODAY + 5 * SECOND);
    assert_eq!(receiver.hear(&sender.send()), None);
    sender.clock(TODAY - SECOND);
    // Its own sequence is ahead of its clock by more than the window: it begins anew.
    let behind = sender.send();
    assert_eq!(receiver.hear(&behind), Some(Discard::HmacReplay));
    receiver.clock(TODAY - SECOND);
    assert_eq!(receiver.hear(&sender.send()), None);
    assert_eq!(receiver.hear(&behind), Some(Discard::HmacReplay));
}

#[test]
fn a_small_step_back_goes_on_from_the_last_sequence() {
    let mut sender = Node::new(with(hmac(1)));
    let mut receiver = Node::new(with(hmac(1)));
    for step in [0, 2, 1, 0] {
        sender.clock(TODAY + step * SECOND);
        assert_eq!(receiver.hear(&sender.send()), None);
    }
}

#[test]
fn monotonic_looks_at_the_sequence_alone() {
    let monotonic = || Hmac { anti_replay: AntiReplay::Monotonic, ..hmac(1) };
    let mut receiver = Node::new(with(monotonic()));
    let mut sender = Node::new(with(monotonic()));
    sender.clock(TODAY + 1_000_000 * SECOND);
    let far = sender.send();
    assert_eq!(receiver.hear(&far), None);
    sender.clock(TODAY);
    assert_eq!(receiver.hear(&sender.send()), None);
    assert_eq!(receiver.hear(&far), Some(Discard::HmacReplay));
}

#[test]
fn a_clock_that_drifts_away_is_said_once_before_it_is_too_late() {
    let mut receiver = Node::new(with(hmac(1)));
    let mut sender = Node::new(with(hmac(1)));
    let mut said = Vec::new();
    for (there, here) in [(2, 0), (3, 0), (4, 0), (5, 5), (10, 6)] {
        sender.clock(TODAY + there * SECOND);
        receiver.clock(TODAY + here * SECOND);
        for output in receiver.outputs_of(PEER, &sender.send()) {
            if let Output::Event(Event::ClockDiffers { source: PEER, ahead }) = output {
                said.push(ahead);
            }
        }
    }
    assert_eq!(said, [3, 4]);
}

#[test]
fn of_multicast_four_senders_are_remembered() {
    let mut receiver = Node::new(with(hmac(1)));
    let source = |last| IpAddr::from([192, 0, 2, last]);
    let packet = |last| {
        let mut sender = Node::new(with(hmac(1)));
        sender.router.adverts(sender.now, 100, source(last)).remove(0)
    };
    for last in 10..15 {
        assert_eq!(receiver.hear_from(source(last), &packet(last)), None);
    }
    assert_eq!(receiver.hear_from(source(14), &packet(14)), Some(Discard::HmacReplay));
    // The fifth made it forget the first.
    assert_eq!(receiver.hear_from(source(10), &packet(10)), None);
}

#[test]
fn unicast_peers_are_signed_for_once_and_only_peers_are_believed() {
    let peer = |address| UnicastPeer { address, min_ttl: 0, max_ttl: 255 };
    let unicast = |peers: &[IpAddr]| {
        let peers = peers.iter().copied().map(peer).collect();
        let transport = Transport::Unicast { peers, check_source: false, ttl: 64 };
        Config { transport, version: Version::V3, ..with(hmac(1)) }
    };
    let third = IpAddr::from([192, 0, 2, 4]);
    let mut sender = Node::new(unicast(&[OWN, third]));
    let packets = sender.router.adverts(sender.now, 100, PEER);
    let trailer = |packet: &Packet| packet.payload[12..].to_vec();
    assert_eq!(trailer(&packets[0]), trailer(&packets[1]));
    assert_ne!(packets[0].payload, packets[1].payload, "each has its own checksum");
    assert_eq!(packets[0].ttl, 64);

    let mut receiver = Node::new(unicast(&[PEER]));
    assert_eq!(receiver.hear(&packets[0]), None);
    assert_eq!(receiver.hear_from(third, &packets[0]), Some(Discard::UnknownSource));
    receiver.router.reconfigure(receiver.now, unicast(&[third]));
    receiver.router.reconfigure(receiver.now, unicast(&[PEER]));
    assert_eq!(receiver.hear(&packets[0]), None, "a former peer is forgotten");
}

#[test]
fn without_the_key_that_signs_nothing_is_sent() {
    let mut node = Node::new(with(hmac(3)));
    assert_eq!(node.router.adverts(node.now, 100, OWN), []);
}

#[test]
fn receive_only_verifies_and_sends_unsigned() {
    let receive_only = || Hmac { mode: Mode::ReceiveOnly, ..hmac(1) };
    let mut node = Node::new(with(receive_only()));
    let mut plain = Node::new(config(Authentication::None));
    assert_eq!(plain.hear(&node.send()), None);
    let signed = Node::new(with(hmac(1))).send();
    assert_eq!(node.hear(&signed), None);
    assert_eq!(node.hear(&signed), Some(Discard::HmacReplay));
}

#[test]
fn over_ipv6_the_checksum_covers_the_trailer() {
    let v6 = || Config {
        family: Family::V6,
        version: Version::V3,
        addresses: vec!["fe80::1".parse().expect("an address")],
        transport: Transport::Multicast { group: Transport::group(Family::V6) },
        ..with(hmac(1))
    };
    let source = "fe80::2".parse().expect("an address");
    let mut sender = Node::new(v6());
    let packet = sender.router.adverts(sender.now, 100, source).remove(0);
    let pseudo_header = PseudoHeader::Present { source, destination: packet.destination };
    assert!(vrrp::is_intact(&packet.payload, pseudo_header));
    assert_eq!(Node::new(v6()).hear_from(source, &packet), None);
}

#[test]
fn whoever_takes_over_goes_on_from_the_number_of_the_last_master() {
    let ah = || config(Authentication::Header(Password(*b"secret12")));
    let (mut first, mut second) = (Node::new(ah()), Node::new(ah()));
    for _ in 0..1000 {
        let packet = first.send();
        second.hear(&packet);
    }
    let after = second.send();
    assert_eq!(first.hear(&after), None);
    let sequence = |packet: &Packet| ah::Packet::parse(&packet.payload).expect("sound").sequence();
    assert_eq!(sequence(&first.send()), sequence(&after) + 1);
}

#[test]
fn a_process_that_takes_the_place_of_one_that_crashed_is_heard() {
    for config in [with(hmac(1)), config(Authentication::Header(Password(*b"secret12")))] {
        let mut receiver = Node::new(config.clone());
        assert_eq!(receiver.hear(&Node::new(config.clone()).send()), None);
        let mut next = Node::new(config);
        next.clock(TODAY + SECOND);
        assert_eq!(receiver.hear(&next.send()), None);
    }
}

#[test]
fn keys_have_32_to_64_bytes_and_no_secret_is_shown() {
    let lengths: Vec<_> = (0..100).filter(|&n| Key::new(vec![b'k'; n]).is_some()).collect();
    assert!(lengths.into_iter().eq(32..=64));
    for secret in [Authentication::Hmac(hmac(1)), Authentication::Password(Password([7; 8]))] {
        let shown = format!("{secret:?}");
        assert!(shown.contains("(..)") && !shown.contains("7, 7"), "{shown}");
        assert_ne!(secret.masked(), secret);
    }
}
