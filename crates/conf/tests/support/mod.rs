//! What the tests share: load a text, look at what was found.

#![allow(dead_code, reason = "not every test file uses everything")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use standfast_conf::{Code, Diagnostic, Loaded, Memory, Options, Severity, load as load_files};

/// Where the tests' main file lies.
pub(crate) const MAIN: &str = "/etc/keepalived/keepalived.conf";

/// Loads a text with no other file around.
pub(crate) fn load(text: &str) -> Loaded {
    load_with(text, Memory::default())
}

/// Loads a text with other files around.
pub(crate) fn load_with(text: &str, files: Memory) -> Loaded {
    load_as(MAIN, text, files, &Options::default())
}

/// Loads a text under a path and options of its own.
pub(crate) fn load_as(path: &str, text: &str, files: Memory, options: &Options) -> Loaded {
    load_files(path.as_ref(), options, &files.with(path, text))
}

/// An instance that has all it needs, and `extra` lines from line 5 on.
pub(crate) fn instance(extra: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{ 192.0.2.100/24 }}\n{extra}\n}}\n"
    )
}

/// The one finding of a kind.
#[track_caller]
pub(crate) fn find(loaded: &Loaded, code: Code) -> &Diagnostic {
    let mut found = loaded.diagnostics.iter().filter(|found| found.code == code);
    let first = found.next().unwrap_or_else(|| panic!("no {code} in {:#?}", loaded.diagnostics));
    assert_eq!(found.next(), None, "more than one {code}");
    first
}

/// Asserts where the one finding of a kind is, what text it underlines and what its hint says.
#[track_caller]
pub(crate) fn expect(loaded: &Loaded, code: Code, line: usize, underlined: &str, hint: &str) {
    let found = find(loaded, code);
    let span = found.primary.span;
    let source = loaded.sources.source(span.file).expect("a file of this configuration");
    assert_eq!(loaded.sources.position(span).line, line, "{found:#?}");
    let bytes = &source.bytes()[span.range()];
    assert_eq!(String::from_utf8_lossy(bytes), underlined);
    let text = found.hint.as_deref().unwrap_or("");
    assert!(text.contains(hint), "hint is {text:?}");
}

/// The other places that the one finding of a kind names: line, text, remark.
#[track_caller]
pub(crate) fn also(loaded: &Loaded, code: Code) -> Vec<(usize, String, String)> {
    let place = |label: &standfast_conf::Label| {
        let source = loaded.sources.source(label.span.file).expect("a file of this configuration");
        let text = String::from_utf8_lossy(&source.bytes()[label.span.range()]).into_owned();
        (loaded.sources.position(label.span).line, text, label.text.clone())
    };
    find(loaded, code).secondary.iter().map(place).collect()
}

/// The codes of everything worse than a note.
pub(crate) fn warnings(loaded: &Loaded) -> Vec<Code> {
    let worse = |found: &&Diagnostic| found.severity > Severity::Note;
    loaded.diagnostics.iter().filter(worse).map(|found| found.code).collect()
}

/// Texts that look enough like a configuration to reach the deeper code.
pub(crate) fn configuration() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => prop::sample::select(vec![
            "vrrp_instance", "VI_1", "vrrp_script", "chk", "script", "\"/s a 'b\"", "'/s a'",
            "interface", "eth0", "lo", "virtual_router_id", "51", "priority", "255", "0", "weight",
            "-20", "10", "reverse", "state", "MASTER", "SLAVE", "advert_int", "0.5", "version",
            "3", "authentication", "auth_type", "PASS", "AH", "auth_pass", "virtual_ipaddress",
            "192.0.2.1/24", "::1", "dev", "label", "brd", "+", "unicast_peer", "192.0.2.2",
            "min_ttl", "track_script", "track_interface", "notify", "notify_master", "global_defs",
            "virtual_server", "real_server", "real_servers", "lb_kind", "DR", "80", "8080",
            "nopreempt", "preempt_delay", "unicast_src_ip", "include", "keepalived.conf", "*",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["{", "}", "\n", "\n", "\n", "{\n", "}\n"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "$A=", "$A", "${A}", "${_RANDOM 1 2}", "\\\n", "#", "!", "\"", "'", "~SEQ(i,3)",
            "~LST({a,b},{1,2})", "$i", "@x", "@^x", "\u{2013}x", "\u{feff}", "\0", "\r\n",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    prop::collection::vec(word, 0..80).prop_map(|words| words.join(" "))
}
