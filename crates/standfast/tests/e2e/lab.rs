//! `standfast lab --scenario`: people's own files, played for them.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::common::{STANDFAST, folder, say};

/// Plays a folder; the verdict, or nothing where the lab can't run.
fn play(directory: &Path) -> Option<Value> {
    let mut command = Command::new(STANDFAST);
    command.args(["lab", "--format", "json", "--scenario"]).arg(directory);
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("the lab can't start") {
        say(format_args!("SKIPPED {}: {said}", directory.display()));
        return None;
    }
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(output.status.code(), Some(0), "{verdict:#}\n{said}");
    Some(verdict)
}

/// Each act and who held the address after it.
fn holders(verdict: &Value) -> Vec<(&str, &str)> {
    fn text<'a>(act: &'a Value, key: &str) -> &'a str {
        act.get(key).and_then(Value::as_str).unwrap_or_default()
    }
    let acts = verdict["acts"].as_array().map(Vec::as_slice).unwrap_or_default();
    acts.iter().map(|act| (text(act, "title"), text(act, "holder"))).collect()
}

#[test]
fn two_active_nodes_are_played_address_by_address() {
    let Some(verdict) = play(&folder("dual-active")) else { return };
    let expected = [
        ("all nodes start: 192.168.252.101", "node-131"),
        ("all nodes start: 192.168.252.102", "node-132"),
        ("node-131 is stopped (SIGTERM): 192.168.252.101", "node-132"),
        ("node-131 is stopped (SIGTERM): 192.168.252.102", "node-132"),
        ("node-131 comes back: 192.168.252.101", "node-131"),
        ("node-131 comes back: 192.168.252.102", "node-132"),
        ("node-132 is stopped (SIGTERM): 192.168.252.101", "node-131"),
        ("node-132 is stopped (SIGTERM): 192.168.252.102", "node-131"),
        ("node-132 comes back: 192.168.252.101", "node-131"),
        ("node-132 comes back: 192.168.252.102", "node-132"),
    ];
    assert_eq!(holders(&verdict), expected);
    let codes: Vec<_> =
        verdict["findings"].as_array().expect("findings").iter().map(|f| &f["code"]).collect();
    assert!(codes.contains(&&Value::from("SF0601")), "{codes:?}");
}

#[test]
fn a_node_that_must_not_preempt_stays_backup_when_it_returns() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, priority) in [("one", 200), ("two", 100)] {
        let text = format!(
            "global_defs {{\n vrrp_version 3\n}}\nvrrp_instance V {{\n state BACKUP\n nopreempt\n interface ens3\n \
             virtual_router_id 9\n priority {priority}\n advert_int 0.2\n virtual_ipaddress {{\n 10.7.0.100\n }}\n}}\n"
        );
        let folder = directory.path().join(name);
        fs::create_dir(&folder).expect("made");
        fs::write(folder.join("keepalived.conf"), text).expect("written");
    }
    let Some(verdict) = play(directory.path()) else { return };
    let expected = [
        ("all nodes start: 10.7.0.100", "one"),
        ("one is stopped (SIGTERM): 10.7.0.100", "two"),
        ("one comes back: 10.7.0.100", "two"),
    ];
    assert_eq!(holders(&verdict), expected);
}
