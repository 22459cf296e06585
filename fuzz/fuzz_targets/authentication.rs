//! What authenticates adverts: no bytes make a decoder panic, what parses is emitted alike, and a router that wants
//! authenticated adverts believes nothing that is not.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use standfast_types::{Instant, Priority, Vrid};
use standfast_vrrp::{
    AntiReplay, Authentication, Config, Datagram, Envelope, Event, Hmac, Input, Key, Mode, Output,
    Password, Router, Transport,
};
use standfast_wire::{ah, hmac_trailer};

fuzz_target!(|bytes: &[u8]| {
    decode(bytes);
    let key = Key::new(vec![7; 32]).expect("long enough");
    let hmac = Hmac {
        keys: [(1, key)].into(),
        active: 1,
        mode: Mode::Enforce,
        anti_replay: AntiReplay::Monotonic,
    };
    believe_nothing(Authentication::Hmac(hmac), Envelope::Bare, bytes);
    let header = Authentication::Header(Password(*b"secret12"));
    believe_nothing(header, Envelope::Header { identification: 1 }, bytes);
});

fn believe_nothing(authentication: Authentication, envelope: Envelope, payload: &[u8]) {
    let vrid = Vrid::new(51).expect("not 0");
    let mut config = Config::new(vrid, Priority::HIGHEST);
    config.authentication = authentication;
    let mut router = Router::new(config, Instant::ZERO);
    router.handle_input(Instant::ZERO, Input::Start);
    while router.poll_output().is_some() {}
    let source = Ipv4Addr::new(192, 0, 2, 3).into();
    let destination = Transport::GROUP;
    let datagram = Datagram { source, destination, ttl: 255, envelope, payload };
    router.handle_input(Instant::ZERO, Input::Datagram(datagram));
    let output = router.poll_output();
    assert!(matches!(output, Some(Output::Event(Event::Discarded { .. }))), "{output:?}");
}

fn decode(bytes: &[u8]) {
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
        let source = Ipv4Addr::LOCALHOST.into();
        let about = hmac_trailer::About { version: 3, vrid: Vrid::new(51).expect("not 0"), source };
        let length: usize = repr.covered(about, message).pieces().map(<[u8]>::len).sum();
        // A message too short for a checksum gets its zeros all the same; VRRP never signs one.
        assert!(length >= 20 + message.len() + trailer.len());
    }
}
