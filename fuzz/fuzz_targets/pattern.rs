//! Patterns of a configuration and the pages they are searched in: neither makes a search panic, nor come to
//! what depends on how the page was cut.
#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use standfast_health::{
    Dialogue, End, Failure, Good, Http, HttpProtocol, Kind, Pattern, Prepared, Run, Target, Url,
};

const OPTIONS: [&str; 8] = [
    "caseless",
    "dotall",
    "multiline",
    "extended",
    "dollar_endonly",
    "firstline",
    "utf",
    "allow_empty_class",
];

fn outcome(prepared: &Arc<Prepared>, page: &[u8], size: usize) -> Result<Good, Failure> {
    let server = ([192, 0, 2, 1], 80).into();
    let run = Run { server, page: 0, random: 0, keep: false, timeout: Duration::from_secs(5) };
    let mut dialogue = Dialogue::new(prepared, &run);
    dialogue.handle_bytes(b"HTTP/1.0 200 OK\r\n\r\n");
    page.chunks(size).for_each(|piece| dialogue.handle_bytes(piece));
    dialogue.handle_end(End::Closed);
    dialogue.poll_outcome().expect("an outcome")
}

fuzz_target!(|input: &[u8]| {
    let [options, split, rest @ ..] = input else { return };
    let (text, page) = rest.split_at(rest.len().min(usize::from(*split)));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let chosen = OPTIONS.iter().enumerate().filter(|(bit, _)| options & (1 << bit) != 0);
    let pattern = Pattern {
        text: text.into(),
        options: chosen.map(|(_, &name)| name.into()).collect(),
        absent: options & 1 != 0,
        min_offset: u32::from(*split) / 64,
        max_offset: None,
    };
    if let Err(error) = pattern.compile() {
        assert!(!error.to_string().is_empty());
        return;
    }
    let url = Url {
        path: "/".into(),
        host: None,
        status: vec![(200, 200)],
        digest: None,
        pattern: Some(pattern),
        strict_end: false,
    };
    let (target, protocol) = (Target::default(), HttpProtocol::Http10);
    let http = Http { target, tls: None, protocol, fast_recovery: false, urls: vec![url] };
    let prepared = Arc::new(Prepared::new(&Kind::Http(Box::new(http))).expect("a dialogue"));
    assert_eq!(outcome(&prepared, page, page.len().max(1)), outcome(&prepared, page, 3));
});
