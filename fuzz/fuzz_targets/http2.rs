//! What servers say to checks: see `exercise/dialogue.rs`.
#![no_main]

#[allow(dead_code, reason = "each target has its own of the kinds")]
#[path = "../exercise/dialogue.rs"]
mod exercise;

use std::sync::{Arc, LazyLock};

use standfast_health::Prepared;

static KINDS: LazyLock<Vec<Arc<Prepared>>> = LazyLock::new(exercise::http2);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::exercise(&KINDS, bytes));
