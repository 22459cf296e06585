//! What authenticates adverts: no bytes make a decoder panic, and what parses is emitted alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_types::Vrid;
use standfast_wire::{ah, hmac_trailer};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = ah::Packet::parse(bytes) {
        let icv = *packet.icv();
        let repr = ah::Repr { spi: packet.spi(), sequence: packet.sequence(), icv };
        let mut emitted = repr.emit().to_vec();
        emitted.extend(packet.message());
        let again = ah::Packet::parse(&emitted).expect("what was emitted parses");
        assert_eq!((again.spi(), again.sequence(), *again.icv()), (repr.spi, repr.sequence, icv));
        assert_eq!(again.message(), packet.message());
        assert_eq!(packet.covered().1, packet.message());
    }
    let Some((message, trailer)) = bytes.split_last_chunk() else { return };
    if let Ok(repr) = hmac_trailer::Repr::parse(trailer) {
        assert_eq!(repr.emit(), *trailer);
        let source = std::net::Ipv4Addr::LOCALHOST.into();
        let about = hmac_trailer::About { version: 3, vrid: Vrid::new(51).expect("not 0"), source };
        let length: usize = repr.covered(about, message).pieces().map(<[u8]>::len).sum();
        // A message too short for a checksum gets its zeros all the same; VRRP never signs one.
        assert!(length >= 20 + message.len() + trailer.len());
    }
});
