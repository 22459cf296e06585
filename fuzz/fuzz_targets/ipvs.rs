//! Answers of IPVS: no bytes make the decoders panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_kernel::ipvs::{parse_destination, parse_service};
use standfast_types::Family;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_service(bytes);
    if let Some((key, value, _)) = parse_destination(Family::V4, bytes) {
        // The answer says its own family, or is of the service's.
        let again = parse_destination(Family::V6, bytes);
        assert!(again.is_none_or(|(found, other, _)| found == key && other == value
            || Family::of(found.address) == Family::V6));
    }
});
