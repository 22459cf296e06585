//! `bfd_instance` and `track_bfd`.

#![expect(clippy::panic, reason = "a test that panics has failed")]

mod support;

use std::{num::NonZeroU8, time::Duration};

use standfast_bfd::{Config, Role};
use standfast_conf::{Code, Model};
use standfast_failover::{BfdPath, Weight};
use support::{expect, instance, load, warnings};

const MILLI: Duration = Duration::from_millis(1);

fn model(text: &str) -> Model {
    let loaded = load(text);
    loaded.model.unwrap_or_else(|| panic!("refused: {:#?}", loaded.diagnostics))
}

fn session(lines: &str) -> (BfdPath, Config) {
    let config = model(&format!("bfd_instance b {{\n{lines}\n}}\n")).failover.bfd.remove(0);
    (config.path, config.session)
}

#[test]
fn a_session_without_more_has_keepaliveds_defaults_and_the_rfcs_ttl() {
    let (path, config) = session("neighbor_ip 192.0.2.2");
    let neighbor = std::net::IpAddr::from([192, 0, 2, 2]);
    assert_eq!(path, BfdPath { neighbor, source: None, multihop: false, ttl: 255 });
    assert_eq!(config, Config::default());
    let (path, config) = session("neighbour_ip 2001:db8::2");
    assert_eq!((path.ttl, config.min_ttl), (255, 64), "keepalived sends 64 over IPv6");
}

#[test]
fn every_keyword_arrives() {
    let (path, config) = session(
        "neighbor_ip 2001:db8::2\nsource_ip 2001:db8::1\nmin_rx 12.5\nmin_tx 50\nidle_tx 2000\nmultiplier 3\n\
         passive\nhoplimit 200\nmax_hops 5\nmultihop",
    );
    assert_eq!((path.ttl, path.multihop), (200, true));
    assert_eq!(path.source, Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()));
    let expected = Config {
        desired_min_tx: 50 * MILLI,
        required_min_rx: Duration::from_micros(12_500),
        idle_tx: 2000 * MILLI,
        detect_mult: NonZeroU8::new(3).expect("not zero"),
        role: Role::Passive,
        min_ttl: 195,
    };
    assert_eq!(config, expected);
    let floor = |lines: &str| session(&format!("neighbor_ip 192.0.2.2\n{lines}")).1.min_ttl;
    assert_eq!(floor("max_hops -1"), 0);
    assert_eq!(floor("max_hops 255"), 0);
    assert_eq!(floor("ttl 9\nmax_hops 20"), 0);
    assert_eq!(floor("max_hops 300"), 255, "what is out of range is ignored");
}

#[test]
fn a_session_that_can_not_be_is_left_out_and_the_others_run() {
    let text = "bfd_instance a {\n neighbor_ip 192.0.2.2\n}\nbfd_instance none {\n min_rx 10\n}\nbfd_instance twice {\n \
                neighbor_ip 192.0.2.2\n}\nbfd_instance mixed {\n neighbor_ip 192.0.2.3\n source_ip 2001:db8::1\n}\n\
                bfd_instance a {\n neighbor_ip 192.0.2.4\n}\nbfd_instance b {\n neighbor_ip 192.0.2.5\n}\n";
    let names: Vec<_> = model(text).failover.bfd.iter().map(|s| s.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn track_bfd_takes_the_sessions_weight_unless_it_has_its_own() {
    let sessions = "bfd_instance a {\n neighbor_ip 192.0.2.2\n weight 10 reverse\n}\nbfd_instance b {\n neighbor_ip 192.0.2.3\n}\n";
    let lists = "track_bfd {\n a\n b weight -20\n}";
    let model = model(&format!("{sessions}{}", instance(lists)));
    let tracked: Vec<_> = model.failover.instances[0]
        .trackers
        .sessions
        .iter()
        .map(|track| (track.session.to_string(), track.weight))
        .collect();
    let weight = |value, reverse| Weight { value, reverse };
    assert_eq!(tracked, [("a".to_owned(), weight(10, true)), ("b".to_owned(), weight(-20, false))]);
}

#[test]
fn a_session_for_real_servers_is_not_tracked_by_instances() {
    let text = |switches: &str| {
        let session = format!("bfd_instance a {{\n neighbor_ip 192.0.2.2\n{switches}\n}}\n");
        format!("{session}{}", instance("track_bfd {\n a\n}"))
    };
    for switches in ["", "vrrp", "vrrp\nchecker"] {
        let model = model(&text(switches));
        assert_eq!(model.failover.instances[0].trackers.sessions.len(), 1, "{switches}");
    }
    let found = load(&text("checker"));
    expect(&found, Code::TrackerUndefined, 10, "a", "add `vrrp`");
    let model = model(&text("checker"));
    assert!(model.failover.instances[0].trackers.sessions.is_empty());
    assert_eq!(model.failover.bfd.len(), 1, "it runs all the same");
    assert!(!warnings(&load(&text(""))).contains(&Code::NotActive));
}
