//! The dumps of a small configuration.

use std::collections::BTreeSet;

use standfast_conf::{Memory, Options, load};
use standfast_failover::{Brain, Input};
use standfast_types::IfIndex;

use super::*;

const CONFIGURATION: &str = "global_defs {
 router_id R
 vrrp_version 3
 EXTRA
}
vrrp_script chk {
 script \"/usr/bin/test -e /x\"
 weight 2
}
vrrp_instance VI_1 {
 interface eth0
 virtual_router_id 51
 advert_int 0.2
 track_script {
  chk
 }
 virtual_ipaddress {
  10.9.9.100/24
  10.9.9.101/24 label eth0:1
 }
 virtual_ipaddress_excluded {
  10.9.9.102
 }
 notify_master \"/usr/bin/true m\"
}
";

/// One instance that became master after a second and sends for two more.
fn dump_with(extra: &str, dump: Dump) -> String {
    dump_of(CONFIGURATION, extra, dump)
}

fn dump_of(text: &str, extra: &str, dump: Dump) -> String {
    let text = text.replace("EXTRA", extra);
    let path = "/etc/k.conf".as_ref();
    let files = Memory::default().with("/etc/k.conf", text.as_str());
    let model = load(path, &Options::default(), &files).model.expect("it runs");
    let mut now = Instant::ZERO;
    let mut brain = Brain::new(model.failover.clone(), now);
    let index = IfIndex::new(2);
    let address = "10.9.9.1".parse().expect("an address");
    brain.handle_input(now, Input::Link { index, name: "eth0".into(), running: true });
    brain.handle_input(now, Input::Address { index, address, ours: false });
    brain.start(now, &BTreeSet::new());
    while brain.poll_output().is_some() {}
    let end = now + Duration::from_secs(3);
    while let Some(at) = brain.next_deadline().filter(|at| *at <= end) {
        now = at;
        brain.handle_timeout(now);
        while brain.poll_output().is_some() {}
    }
    let board = Board::default();
    let wall = Duration::new(1_795_289_085, 0);
    let instances = &brain.snapshot();
    let late = Duration::from_micros(1_500);
    Subject { model: &model, board: &board, instances, late, now: end, wall }.write(dump)
}

#[test]
fn json_has_the_names_and_the_order_of_keepaliveds() {
    let text = dump_with("", Dump::Json);
    let expected = "[{\"data\":{\"iname\":\"VI_1\",\"dont_track_primary\":0,\"skip_check_adv_addr\":0,\
         \"strict_mode\":0,\"vmac_ifname\":\"\",\"ifp_ifname\":\"eth0\",\"master_priority\":0,\
         \"last_transition\":1795289082.721875,\"garp_delay\":5,\"garp_refresh\":0,\"garp_rep\":5,\
         \"garp_refresh_rep\":1,\"garp_lower_prio_delay\":5,\"garp_lower_prio_rep\":5,\
         \"lower_prio_no_advert\":0,\"higher_prio_send_advert\":1,\"vrid\":51,\"base_priority\":100,\
         \"effective_priority\":100,\"vipset\":true,\"promote_secondaries\":false,\"adver_int\":0.2,\
         \"master_adver_int\":0.2,\"accept\":1,\"nopreempt\":false,\"preempt_delay\":0,\"state\":2,\
         \"wantstate\":2,\"version\":3,\"smtp_alert\":false,\"notify_deleted\":false,\
         \"script_master\":\"'\\/usr\\/bin\\/true' 'm'\",\
         \"vips\":[\"10.9.9.100\\/24 dev eth0 scope global set\",\
         \"10.9.9.101\\/24 dev eth0 scope global label eth0:1 set\"],\
         \"evips\":[\"10.9.9.102 dev eth0 scope global set\"],\
         \"track_script\":[\"'\\/usr\\/bin\\/test' '-e' '\\/x'\"],\"auth_type\":0},\
         \"stats\":{\"advert_rcvd\":0,\"advert_sent\":12,\"become_master\":1,\"release_master\":0,\
         \"packet_len_err\":0,\"advert_interval_err\":0,\"ip_ttl_err\":0,\"invalid_type_rcvd\":0,\
         \"addr_list_err\":0,\"invalid_authtype\":0,\"authtype_mismatch\":0,\"auth_failure\":0,\
         \"pri_zero_rcvd\":0,\"pri_zero_sent\":0}}]";
    assert_eq!(text, expected);
}

#[test]
fn json_tells_what_differs_from_the_usual() {
    let lines = " no_accept\n strict_mode\n virtual_routes {\n  10.8.0.0/16 via 10.9.9.1\n }\n\
                 virtual_rules {\n  from 10.9.9.100 table 7\n }\n notify_master";
    let text = dump_of(&CONFIGURATION.replace(" notify_master", lines), "", Dump::Json);
    for part in ["\"strict_mode\":1", "\"accept\":0", "\"vroutes\":[\"10.8.0.0", "\"vrules\":[\""] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn version_2_is_an_object_with_the_list_in_it() {
    let one = dump_with("", Dump::Json);
    let two = dump_with("json_version 2", Dump::Json);
    assert_eq!(two, format!("{{\"vrrp\":{one},\"track_process\":[]}}"));
}

#[test]
fn counters_are_told_in_keepaliveds_words() {
    let text = dump_with("", Dump::Stats);
    let expected = "VRRP Instance: VI_1
  Advertisements:
    Received: 0
    Sent: 12
  Became master: 1
  Released master: 0
  Packet Errors:
    Length: 0
    TTL: 0
    Invalid Type: 0
    Advertisement Interval: 0
    Address List: 0
  Authentication Errors:
    Invalid Type: 0
    Type Mismatch: 0
    Failure: 0
  Priority Zero:
    Received: 0
    Sent: 0
";
    assert_eq!(text, expected);
}

#[test]
fn the_state_in_words_names_what_keepaliveds_names() {
    let text = dump_with("notify_fifo /run/f", Dump::Text);
    for line in [
        "------< Global definitions >------",
        " Router ID = R",
        " Global notify fifo = /run/f",
        "------< VRRP Topology >------",
        " VRRP Instance = VI_1",
        "   State = MASTER",
        "   Last transition = 1795289082.721875 (2026-11-21T19:24:42.721Z)",
        "   Virtual IP = 10.9.9.100/24 dev eth0 scope global set",
        "   Virtual IP Excluded = 10.9.9.102 dev eth0 scope global set",
        "   Master state transition script = '/usr/bin/true' 'm'",
        " VRRP Script = chk",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
}
