//! Replays the fuzzer's seeds: inputs that reach every part of the reader and the lowering.

use std::{fs, path::Path};

#[path = "../../../fuzz/exercise/conf.rs"]
mod conf;

#[test]
fn no_seed_of_the_fuzzer_panics_or_changes_its_meaning() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/conf");
    let mut count = 0;
    for entry in fs::read_dir(seeds).expect("the seeds are committed") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a seed");
        conf::exercise(&bytes);
        count += 1;
    }
    assert!(count > 100, "{count} seeds");
}
