//! Reports of connection tracking and of nftables: no bytes make the decoders panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_kernel::{conntrack::parse_connection, nftables::balancer::parse_elements};

fuzz_target!(|bytes: &[u8]| {
    if let Some(connection) = parse_connection(bytes) {
        let _ = connection.is_over();
    }
    parse_elements(bytes);
});
