//! What servers said in the fuzzer's seeds.

#[path = "../../../fuzz/exercise/dialogue.rs"]
mod exercise;

use std::{fs, path::Path, sync::Arc};

use standfast_health::Prepared;

fn replay(target: &str, kinds: &[Arc<Prepared>]) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut count = 0;
    for seed in fs::read_dir(seeds).expect("seeds") {
        let bytes = fs::read(seed.expect("a seed").path()).expect("its bytes");
        // Each of them to each dialogue, cut and ended in several ways.
        for which in 0..kinds.len() {
            for cut in [0x00, 0x12, 0x53, 0x8f, 0xc0] {
                let rest = bytes.get(2..).unwrap_or_default();
                let which = u8::try_from(which).expect("few kinds");
                exercise::exercise(kinds, &[&[which, cut][..], rest].concat());
            }
        }
        count += 1;
    }
    assert!(count > 5);
}

#[test]
fn seeds_of_http_are_replayed() {
    replay("http", &exercise::http());
}

#[test]
fn seeds_of_http2_are_replayed() {
    replay("http2", &exercise::http2());
}

#[test]
fn seeds_of_handshakes_are_replayed() {
    replay("handshakes", &exercise::handshakes());
}
