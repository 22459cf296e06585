//! BFD control packets: no bytes make the decoder panic, and what parses is emitted alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_wire::bfd::Repr;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = Repr::parse(bytes) {
        assert_eq!(Repr::parse(&packet.emit()), Ok(packet));
    }
});
