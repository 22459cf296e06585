//! VRRP, ARP and neighbour advertisements: no bytes make a decoder panic, and what parses is what its
//! accessors say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_types::Family;
use standfast_wire::{
    arp, neighbour,
    vrrp::{Authentication, Fields, Packet, PseudoHeader, Repr, V2, V3},
};

fuzz_target!(|bytes: &[u8]| {
    if let Some(packet) = arp::Repr::parse(bytes) {
        assert_eq!(arp::Repr::parse(&packet.emit()), Some(packet));
    }
    if let Some(packet) = neighbour::Announcement::parse(bytes) {
        assert_eq!(neighbour::Announcement::parse(&packet.emit()), Some(packet));
    }
    vrrp(bytes, Family::V4);
    vrrp(bytes, Family::V6);
});

fn vrrp(bytes: &[u8], family: Family) {
    let Ok(packet) = Packet::parse(bytes, family) else { return };
    let addresses: Vec<_> = packet.addresses().collect();
    let (vrid, priority) = (packet.vrid(), packet.priority());
    let addresses = addresses.as_slice();
    let repr = match packet.fields() {
        Fields::V2 { interval_seconds, password, .. } => {
            let authentication = Authentication::Password(password);
            Repr::V2(V2 { vrid, priority, interval_seconds, authentication, addresses })
        }
        Fields::V3 { interval_centis } => {
            Repr::V3(V3 { vrid, priority, interval_centis, addresses })
        }
    };
    let mut emitted = Vec::new();
    repr.emit(PseudoHeader::Absent, &mut emitted);
    let again = Packet::parse(&emitted, family).expect("what was emitted parses");
    assert!(again.checksum_is_intact(PseudoHeader::Absent));
    assert_eq!((again.vrid(), again.priority()), (vrid, priority));
    assert!(again.addresses().eq(packet.addresses()));
}
