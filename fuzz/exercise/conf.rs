//! What the fuzzer and the replay of its seeds do with a configuration: no bytes make it panic or
//! run away, and its tokens are the file. Laying it out twice is laying it out once, and changes
//! no meaning.

use standfast_conf::{
    Memory, Options, cross_node, dump, format, json, load, render, same_meaning, test_exit_code,
    tokens,
};

/// Does with the bytes all that a program does with a configuration.
pub(crate) fn exercise(bytes: &[u8]) {
    let half = bytes.get(bytes.len() / 2..).unwrap_or_default();
    let files = Memory::default().with("/a.conf", bytes).with("/b.conf", half);
    let loaded = load("/a.conf".as_ref(), &Options::default(), &files);
    for diagnostic in &loaded.diagnostics {
        let _ = render(diagnostic, &loaded.sources, false);
        let _ = json(diagnostic, &loaded.sources);
    }
    let _ = test_exit_code(&loaded.diagnostics);
    let _ = dump(&loaded, true);
    for (file, source) in loaded.sources.iter() {
        let length: usize = tokens(file, source).iter().map(|it| it.span.range().len()).sum();
        assert_eq!(length, source.bytes().len(), "the tree prints back to the file");
    }
    let other = load("/b.conf".as_ref(), &Options::default(), &files);
    let _ = cross_node(&[loaded, other]);
    let laid_out = format(bytes);
    assert_eq!(format(&laid_out), laid_out, "a second time changes nothing");
    assert!(same_meaning(bytes, &laid_out), "it means the same");
}
