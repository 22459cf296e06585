//! The configuration, see `exercise/conf.rs`.
#![no_main]

#[path = "../exercise/conf.rs"]
mod conf;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conf::exercise(bytes));
