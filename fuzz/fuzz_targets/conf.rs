//! The configuration: no bytes make it panic or run away, and its tokens are the file. Laying it
//! out twice is laying it out once, and changes no meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_conf::{Memory, Options, format, json, load, render, same_meaning};

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
    let laid_out = format(bytes);
    assert_eq!(format(&laid_out), laid_out, "a second time changes nothing");
    assert!(same_meaning(bytes, &laid_out), "it means the same");
});
