//! The configuration: no bytes make it panic or run away, and its tokens are the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_conf::{Memory, Options, json, load, render};

fuzz_target!(|bytes: &[u8]| {
    let files = Memory::default().with("/a.conf", bytes).with("/b.conf", &bytes[bytes.len() / 2..]);
    let loaded = load("/a.conf".as_ref(), &Options::default(), &files);
    for diagnostic in &loaded.diagnostics {
        let _ = render(diagnostic, &loaded.sources, false);
        let _ = json(diagnostic, &loaded.sources);
    }
    for (file, source) in loaded.sources.iter() {
        let tokens = standfast_conf::tokens(file, source);
        let length: usize = tokens.iter().map(|token| token.span.range().len()).sum();
        assert_eq!(length, source.bytes().len(), "the tree prints back to the file");
    }
});
