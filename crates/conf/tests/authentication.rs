//! `authentication` and `auth_hmac`: what protects the adverts, and when an instance must not run without it.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use standfast_conf::{Class, Code, Loaded, Memory, cross_node, dump};
use standfast_vrrp::{AntiReplay, Authentication, Hmac, Key, Mode, Password};
use support::{MAIN, expect, find, instance, load, load_as, load_with, warnings};

const TEXT: &str = "0123456789abcdef0123456789abcdef";
const FILE: &str = "/etc/keepalived/vrrp.key";

/// Loads an instance with extra lines, the first of which is line 5.
fn with(extra: &str) -> Loaded {
    load(&instance(extra))
}

fn hmac_lines(lines: &str) -> String {
    instance(&format!(" auth_hmac {{\n {}\n }}", lines.replace("KEY", TEXT)))
}

/// Loads an instance with lines in `auth_hmac`, the first of which is line 6.
fn with_hmac(lines: &str) -> Loaded {
    load(&hmac_lines(lines))
}

fn authentication(loaded: &Loaded) -> Authentication {
    let model = loaded.model.as_ref().expect("runs");
    model.failover.instances[0].router.authentication.clone()
}

fn hmac(loaded: &Loaded) -> Hmac {
    if let Authentication::Hmac(hmac) = authentication(loaded) {
        return hmac;
    }
    panic!("{:?}", authentication(loaded));
}

fn key(bytes: impl Into<Vec<u8>>) -> Key {
    Key::new(bytes.into()).expect("fits")
}

fn is_left_out(loaded: &Loaded) -> bool {
    let model = loaded.model.as_ref().expect("other instances run");
    (model.left_out.len(), model.failover.instances.len()) == (1, 0)
}

#[test]
fn a_long_password_is_cut_and_the_peers_view_named() {
    let loaded = with(" authentication {\n auth_type PASS\n auth_pass secret1234\n }");
    expect(&loaded, Code::PasswordCut, 7, "secret1234", "the first 8 bytes");
    assert_eq!(authentication(&loaded), Authentication::Password(Password(*b"secret12")));
}

#[test]
fn an_authentication_header_is_made_with_the_password() {
    let loaded = with(" authentication {\n auth_type AH\n auth_pass abc\n }");
    assert_eq!(warnings(&loaded), []);
    let header = Authentication::Header(Password(*b"abc\0\0\0\0\0"));
    assert_eq!(authentication(&loaded), header);
}

#[test]
fn version_3_ignores_the_old_authentication_and_ipv6_ignores_ah() {
    let loaded = with(" version 3\n authentication {\n auth_type PASS\n auth_pass x\n }");
    expect(&loaded, Code::AuthenticationWithVersion3, 6, "authentication", "version 2");
    assert_eq!(authentication(&loaded), Authentication::None);
    let block = " version 2\n authentication {\n auth_type AH\n auth_pass x\n }";
    let loaded = load(&instance(block).replace("192.0.2.100/24", "fe80::100"));
    expect(&loaded, Code::AuthenticationWithVersion3, 7, "AH", "auth_hmac");
    assert_eq!(authentication(&loaded), Authentication::None);
}

#[test]
fn half_an_authentication_is_none() {
    let loaded = with(" authentication {\n auth_pass x\n }");
    expect(&loaded, Code::AuthenticationIncomplete, 5, "authentication", "");
    let unknown = with(" authentication {\n auth_type SECRET\n auth_pass x\n }");
    expect(&unknown, Code::AuthenticationIncomplete, 6, "SECRET", "auth_type PASS");
}

#[test]
fn auth_hmac_has_keepalived_s_defaults() {
    let key = key(TEXT);
    let expected = Hmac {
        keys: BTreeMap::from([(7, key)]),
        active: 7,
        mode: Mode::Enforce,
        anti_replay: AntiReplay::Time { window: Duration::from_secs(5) },
    };
    let loaded = with_hmac("key 7 KEY\n active_key 7");
    assert_eq!(hmac(&loaded), expected);
    assert_eq!(warnings(&loaded), []);
    let slow = instance(" advert_int 10\n auth_hmac {\n key 7 KEY\n active_key 7\n }");
    let window = Duration::from_secs(30);
    let loaded = load(&slow.replace("KEY", TEXT));
    assert_eq!(hmac(&loaded).anti_replay, AntiReplay::Time { window });
}

#[test]
fn every_setting_of_auth_hmac_is_read() {
    let lines = "mode permissive\n time_window 60\n active_key 2\n key 1 KEY\n key 2 KEY";
    let window = Duration::from_secs(60);
    let found = hmac(&with_hmac(lines));
    assert_eq!((found.active, found.mode, found.keys.len()), (2, Mode::Permissive, 2));
    assert_eq!(found.anti_replay, AntiReplay::Time { window });
    let lines = "key 1 KEY\n active_key 1\n mode receive-only\n anti_replay monotonic";
    let found = hmac(&with_hmac(lines));
    assert_eq!((found.mode, found.anti_replay), (Mode::ReceiveOnly, AntiReplay::Monotonic));
}

#[test]
fn a_key_is_text_or_digits_or_either_in_a_file() {
    let digits = "hex:30313233343536373839616263646566".to_owned()
        + &"30313233343536373839616263646566".to_ascii_uppercase();
    let lines = format!("key 1 KEY\n key 2 {digits}\n key 3 file:{FILE}\n active_key 3");
    for content in [TEXT.to_owned(), format!("{TEXT}\r\n"), format!("{digits}\n")] {
        let files = Memory::default().with(FILE, content);
        let keys = hmac(&load_with(&hmac_lines(&lines), files)).keys;
        assert_eq!(keys.len(), 3);
        assert!(keys.into_values().all(|found| found == key(TEXT)));
    }
}

#[test]
fn without_a_key_that_signs_the_instance_is_left_out() {
    let missing = with_hmac("key 1 KEY");
    expect(&missing, Code::HmacKey, 5, "auth_hmac", "`active_key` with");
    let undefined = with_hmac("key 1 KEY\n active_key 2");
    expect(&undefined, Code::HmacKey, 7, "2", "define the key");
    let short = with_hmac("key 1 tooshort\n active_key 1");
    expect(&short, Code::HmacKey, 7, "1", "correct the key");
    let odd = with_hmac(&format!("key 1 hex:{TEXT}{TEXT}0\n active_key 1"));
    expect(&odd, Code::HmacKey, 7, "1", "correct the key");
    let unreadable = with_hmac(&format!("key 1 file:{FILE}\n active_key 1"));
    expect(&unreadable, Code::HmacKeyFile, 6, &format!("file:{FILE}"), "32 to 64 bytes");
    for loaded in [missing, undefined, short, odd, unreadable, with(" auth_hmac {\n }")] {
        assert!(is_left_out(&loaded), "{:?}", loaded.diagnostics);
    }
}

#[test]
fn another_key_that_cannot_be_read_costs_only_itself() {
    let lines = format!("key 1 KEY\n key 2 file:{FILE}\n active_key 1");
    let files = Memory::default().with(FILE, "too short\n");
    let loaded = load_with(&hmac_lines(&lines), files);
    assert_eq!(find(&loaded, Code::HmacKeyFile).keepalived, Some(Class::Error));
    assert!(hmac(&loaded).keys.into_keys().eq([1]));
}

#[test]
fn a_key_that_others_may_read_is_a_matter_of_security() {
    for (mode, found) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        let mut files = Memory::default().with(FILE, TEXT);
        files.modes.insert(FILE.into(), mode);
        let lines = format!("key 1 file:{FILE}\n active_key 1");
        let loaded = load_with(&hmac_lines(&lines), files);
        assert_eq!(hmac(&loaded).keys.len(), 1);
        let shared: Vec<_> =
            loaded.diagnostics.iter().filter(|d| d.code == Code::HmacKeyShared).collect();
        assert_eq!(!shared.is_empty(), found, "{mode:o}");
        assert!(shared.iter().all(|d| d.keepalived == Some(Class::Security)));
    }
}

#[test]
fn the_first_definition_of_a_key_counts() {
    let other = TEXT.replace('0', "z");
    let twice = with_hmac(&format!("key 1 KEY\n key 1 {other}\n active_key 1"));
    expect(&twice, Code::HmacKey, 7, "1", "a number of its own");
    assert_eq!(hmac(&twice).keys[&1], key(TEXT));
}

#[test]
fn auth_hmac_takes_the_place_of_the_old_authentication() {
    let both = " authentication {\n auth_type PASS\n auth_pass x\n }\n auth_hmac {\n key 1 KEY\n active_key 1\n }";
    let loaded = load(&instance(both).replace("KEY", TEXT));
    expect(&loaded, Code::NoEffect, 5, "authentication", "delete");
    assert_eq!(hmac(&loaded).keys.len(), 1);
}

#[test]
fn fewer_addresses_fit_over_ipv6_with_a_trailer() {
    let addresses: String = (1..=100).map(|n| format!("  fe80::{n:x}\n")).collect();
    let text = |extra: &str| {
        let text = instance(&format!(" version 3\n{extra}"));
        text.replace(" 192.0.2.100/24 ", &format!("\n{addresses}")).replace("KEY", TEXT)
    };
    let advertised = |extra: &str| {
        let model = load(&text(extra)).model.expect("runs");
        let instance = &model.failover.instances[0];
        (instance.router.addresses.len(), instance.addresses.len())
    };
    assert_eq!(advertised(""), (90, 100));
    assert_eq!(advertised(" auth_hmac {\n key 1 KEY\n active_key 1\n }"), (89, 100));
}

#[test]
fn no_key_is_in_the_dump() {
    let files = Memory::default().with(FILE, TEXT.replace('0', "z"));
    let lines = format!("key 1 KEY\n key 2 file:{FILE}\n active_key 2");
    let loaded = load_with(&hmac_lines(&lines), files);
    let shown = serde_json::to_string(&dump(&loaded, false)).expect("JSON");
    // As text, and as a list of numbers.
    for secret in [TEXT, "z123456789", "48,49,50,51", "122,49,50,51"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    assert!(shown.contains("Hmac"), "{shown}");
}

#[test]
fn nodes_whose_keys_do_not_fit_are_told() {
    let node = |name: &str, lines: &str| {
        let path = format!("{name}{MAIN}");
        load_as(&path, &hmac_lines(lines), Memory::default(), &standfast_conf::Options::default())
    };
    let differs = |there: &str| {
        let nodes = [node("a", "key 1 KEY\n active_key 1"), node("b", there)];
        cross_node(&nodes).iter().any(|(_, found)| found.code == Code::PasswordDiffers)
    };
    let other = TEXT.replace('0', "z");
    assert!(!differs("key 1 KEY\n active_key 1"));
    assert!(!differs(&format!("key 1 KEY\n key 2 {other}\n active_key 1")));
    assert!(differs(&format!("key 1 {other}\n active_key 1")));
    assert!(differs("key 2 KEY\n active_key 2"));
    assert!(differs("key 1 KEY\n active_key 1\n mode receive-only"));
}

#[test]
fn strict_mode_enforces_signatures_and_knows_no_password() {
    let block = " strict_mode\n auth_hmac {\n key 1 KEY\n active_key 1\n mode permissive\n }";
    let loaded = load(&instance(block).replace("KEY", TEXT));
    expect(&loaded, Code::StrictMode, 9, "permissive", "mode enforce");
    assert_eq!(hmac(&loaded).mode, Mode::Enforce);
    let block = " strict_mode\n version 2\n authentication {\n auth_type AH\n auth_pass x\n }";
    let loaded = with(block);
    expect(&loaded, Code::StrictMode, 7, "authentication", "delete");
    assert_eq!(authentication(&loaded), Authentication::None);
}
