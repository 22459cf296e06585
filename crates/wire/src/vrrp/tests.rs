use std::net::Ipv4Addr;

use super::*;

const GROUP: IpAddr = v4(224, 0, 0, 18);
const SENDER: IpAddr = v4(10, 77, 0, 1);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn vrid(id: u8) -> Vrid {
    Vrid::new(id).expect("not zero")
}

fn with_pseudo_header() -> PseudoHeader {
    PseudoHeader::Present { source: SENDER, destination: GROUP }
}

fn v3(addresses: &[IpAddr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Repr::V3(V3 { vrid: vrid(51), priority: 255, interval_centis: 50, addresses })
        .emit(with_pseudo_header(), &mut bytes);
    bytes
}

fn v2(password: Option<[u8; 8]>) -> Vec<u8> {
    let authentication = password.map_or(Authentication::None, Authentication::Password);
    let addresses = [v4(10, 77, 0, 10), v4(10, 77, 0, 11)];
    let repr = V2 {
        vrid: vrid(52),
        priority: 255,
        interval_seconds: 1,
        authentication,
        addresses: &addresses,
    };
    let mut bytes = Vec::new();
    Repr::V2(repr).emit(PseudoHeader::Absent, &mut bytes);
    bytes
}

/// Bytes that keepalived 2.4 sent (the messages of the first two vectors in its HMAC notes).
#[test]
fn adverts_are_byte_for_byte_what_keepalived_sends() {
    let golden_v3 = [0x31, 0x33, 0xff, 1, 0, 0x32, 0xda, 0x65, 10, 77, 0, 9];
    assert_eq!(v3(&[v4(10, 77, 0, 9)]), golden_v3);
    let golden_v2 = [
        0x21, 0x34, 0xff, 2, 0, 1, 0xcb, 0x18, 10, 77, 0, 10, 10, 77, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(v2(None), golden_v2);
}

#[test]
fn what_is_emitted_parses_to_the_same_facts() {
    let bytes = v3(&[v4(10, 77, 0, 9)]);
    let packet = Packet::parse(&bytes, Family::V4).expect("well-formed");
    assert_eq!((packet.vrid(), packet.priority()), (vrid(51), 255));
    assert_eq!(packet.fields(), Fields::V3 { interval_centis: 50 });
    assert_eq!(packet.addresses().collect::<Vec<_>>(), [v4(10, 77, 0, 9)]);
    assert!(packet.checksum_is_intact(with_pseudo_header()));

    let bytes = v2(Some(*b"letmein\0"));
    let packet = Packet::parse(&bytes, Family::V4).expect("well-formed");
    let fields = Fields::V2 { authentication: 1, interval_seconds: 1, password: *b"letmein\0" };
    assert_eq!(packet.fields(), fields);
    assert!(packet.checksum_is_intact(PseudoHeader::Absent));
}

#[test]
fn a_v3_checksum_covers_the_pseudo_header() {
    let bytes = v3(&[]);
    let packet = Packet::parse(&bytes, Family::V4).expect("well-formed");
    let elsewhere = PseudoHeader::Present { source: SENDER, destination: SENDER };
    assert!(!packet.checksum_is_intact(elsewhere));
    assert!(!packet.checksum_is_intact(PseudoHeader::Absent));
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for bytes in [v2(None), v3(&[SENDER, GROUP])] {
        for length in 0..bytes.len() {
            assert!(Packet::parse(&bytes[..length], Family::V4).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn a_trailer_makes_a_message_too_long() {
    for mut bytes in [v2(None), v3(&[SENDER])] {
        bytes.extend([0; 28]);
        assert_eq!(Packet::parse(&bytes, Family::V4).err(), Some(Malformed::TooLong));
    }
}

#[test]
fn any_flipped_bit_is_refused_or_breaks_the_checksum() {
    let bytes = v3(&[SENDER, GROUP]);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let intact = Packet::parse(&flipped, Family::V4)
            .is_ok_and(|p| p.checksum_is_intact(with_pseudo_header()));
        assert!(!intact, "bit {bit}");
    }
}

#[test]
fn each_malformed_header_is_named() {
    let mut bytes = v3(&[]);
    bytes[0] = 0x41;
    assert_eq!(Packet::parse(&bytes, Family::V4).err(), Some(Malformed::Version(4)));
    bytes[0] = 0x32;
    assert_eq!(Packet::parse(&bytes, Family::V4).err(), Some(Malformed::Type(2)));
    bytes[0] = 0x31;
    bytes[1] = 0;
    assert_eq!(Packet::parse(&bytes, Family::V4).err(), Some(Malformed::Vrid));
    bytes[1] = 1;
    bytes[3] = 1;
    assert_eq!(Packet::parse(&bytes, Family::V4).err(), Some(Malformed::Truncated));
}

#[test]
fn more_than_255_addresses_are_cut() {
    let addresses = vec![SENDER; 300];
    let packet_bytes = v3(&addresses);
    let packet = Packet::parse(&packet_bytes, Family::V4).expect("well-formed");
    assert_eq!(packet.addresses().len(), 255);
}

/// The third vector of keepalived's HMAC notes: an advert over IPv6, before the trailer. Its checksum
/// also covers the trailer's 28 bytes, so here it is computed anew.
#[test]
fn an_ipv6_advert_carries_addresses_of_sixteen_bytes_and_sums_its_pseudo_header() {
    let source: IpAddr = "fe80::a033:81ff:fe09:edae".parse().expect("an address");
    let destination: IpAddr = "ff02::12".parse().expect("an address");
    let held: Vec<IpAddr> =
        ["fe80::53", "2001:db8::9"].map(|a| a.parse().expect("an address")).to_vec();
    let pseudo = PseudoHeader::Present { source, destination };
    let mut bytes = Vec::new();
    Repr::V3(V3 { vrid: vrid(0x35), priority: 255, interval_centis: 100, addresses: &held })
        .emit(pseudo, &mut bytes);
    assert_eq!(bytes.len(), 8 + 2 * 16);
    assert_eq!(bytes[..6], [0x31, 0x35, 0xff, 2, 0, 0x64]);
    let packet = Packet::parse(&bytes, Family::V6).expect("well-formed");
    assert_eq!(packet.addresses().collect::<Vec<_>>(), held);
    assert!(packet.checksum_is_intact(pseudo));
    let other = PseudoHeader::Present { source: destination, destination: GROUP };
    assert!(!packet.checksum_is_intact(other));
    assert_eq!(Packet::parse(&bytes, Family::V4).map(drop), Err(Malformed::TooLong));
}
