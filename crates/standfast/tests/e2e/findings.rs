//! `standfast check --format json` on the files of the deployments: every mistake, at its place, with
//! what to write instead.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::Value;

use crate::common::{STANDFAST, folder};

/// File, code, line, column, hint.
type Finding<'a> = (&'a str, &'a str, u64, u64, &'a str);

const SECURITY: &str = "write `enable_script_security` and `script_user USER` in global_defs";
const SLEEPS_2: &str = "write a `timeout` beyond 2, or let the script not wait";
const SLEEPS_3: &str = "write a `timeout` beyond 3, or let the script not wait";
const MAIL: &str = "write the name or address of the mail server";

/// What `check` finds in files of a scenario whose scripts are installed, notes without a hint left out.
fn expect(scenario: &str, files: &[&str], expected: &[Finding<'_>]) {
    let root = tempfile::tempdir().expect("a directory");
    let place = root.path().join("etc/keepalived");
    fs::create_dir_all(&place).expect("made");
    for entry in fs::read_dir(folder(scenario)).expect("the scenario").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "sh") {
            let script = place.join(entry.file_name());
            fs::copy(entry.path(), &script).expect("copied");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
        }
    }
    fs::create_dir_all(root.path().join("bin")).expect("made");
    for program in ["bash", "pidof"] {
        let program = root.path().join("bin").join(program);
        fs::write(&program, "").expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let output = Command::new(STANDFAST)
        .args(["check", "--format", "json", "--root"])
        .arg(root.path())
        .args(files)
        .current_dir(folder(scenario))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "they are mistakes that keepalived lives with");
    let lines = String::from_utf8(output.stdout).expect("text");
    let values: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let found: Vec<Finding<'_>> = values
        .iter()
        .filter(|value| !value["hint"].is_null() || value["severity"] != "note")
        .map(|value| {
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            let number = |key: &str| value[key].as_u64().unwrap_or_default();
            (text("file"), text("code"), number("line"), number("column"), text("hint"))
        })
        // Who can read and write the checkout is not the file's affair.
        .filter(|(_, code, ..)| !["SF0405", "SF0810"].contains(code))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_mistakes_of_a_pair_of_containers_are_named() {
    expect(
        "container-pair",
        &["master/keepalived.conf", "slave/keepalived.conf"],
        &[
            ("master/keepalived.conf", "SF0407", 3, 12, "write `--no-header`"),
            ("master/keepalived.conf", "SF0406", 3, 12, SECURITY),
            ("master/keepalived.conf", "SF0418", 3, 12, SLEEPS_2),
            (
                "master/keepalived.conf",
                "SF0302",
                14,
                5,
                "write `state BACKUP` on both nodes; the priority decides who serves",
            ),
            ("slave/keepalived.conf", "SF0407", 3, 12, "write `--no-header`"),
            ("slave/keepalived.conf", "SF0406", 3, 12, SECURITY),
            ("slave/keepalived.conf", "SF0418", 3, 12, SLEEPS_2),
            ("slave/keepalived.conf", "SF0301", 9, 11, "write `state BACKUP`"),
            ("master/keepalived.conf", "SF0601", 5, 12, "write weight -21 or lower, e.g. -30"),
        ],
    );
}

#[test]
fn the_mistakes_of_a_compose_pair_behind_haproxy_are_named() {
    expect(
        "compose-haproxy",
        &["keepalived-master.conf", "keepalived-slave.conf"],
        &[
            ("keepalived-master.conf", "SF0406", 2, 12, SECURITY),
            (
                "keepalived-master.conf",
                "SF0501",
                26,
                16,
                "write `virtual_server 172.20.128.4`, which moves",
            ),
            (
                "keepalived-master.conf",
                "SF0201",
                30,
                5,
                "delete it: no netmask is needed, and versions since 2.0 refuse it",
            ),
            ("keepalived-master.conf", "SF0201", 38, 13, "write `retry`"),
            ("keepalived-slave.conf", "SF0406", 2, 12, SECURITY),
        ],
    );
}

#[test]
fn the_mistakes_of_an_active_and_a_standby_node_are_named() {
    expect(
        "active-standby",
        &["node-131/keepalived.conf", "node-132/keepalived.conf"],
        &[
            ("node-131/keepalived.conf", "SF0406", 5, 12, SECURITY),
            ("node-131/keepalived.conf", "SF0418", 5, 12, SLEEPS_3),
            ("node-131/keepalived.conf", "SF0601", 7, 12, "write weight -21 or lower, e.g. -30"),
        ],
    );
}

#[test]
fn the_mistakes_of_two_active_nodes_are_named() {
    expect(
        "dual-active",
        &["node-131/keepalived.conf", "node-132/keepalived.conf"],
        &[
            ("node-131/keepalived.conf", "SF0406", 5, 12, SECURITY),
            ("node-131/keepalived.conf", "SF0418", 5, 12, SLEEPS_3),
            ("node-131/keepalived.conf", "SF0601", 7, 12, "write weight -21 or lower, e.g. -30"),
        ],
    );
}

#[test]
fn the_mistakes_of_a_pair_behind_an_uplink_are_named() {
    expect(
        "uplink-pair",
        &["nginx01/keepalived.conf", "nginx02/keepalived.conf"],
        &[
            ("nginx01/keepalived.conf", "SF0804", 7, 17, MAIL),
            ("nginx01/keepalived.conf", "SF0406", 12, 12, SECURITY),
            ("nginx01/keepalived.conf", "SF0418", 12, 12, SLEEPS_3),
            ("nginx02/keepalived.conf", "SF0804", 7, 17, MAIL),
            ("nginx02/keepalived.conf", "SF0406", 12, 12, SECURITY),
            ("nginx02/keepalived.conf", "SF0418", 12, 12, SLEEPS_3),
        ],
    );
}

#[test]
fn the_mistakes_of_a_director_are_named() {
    expect(
        "lvs-director",
        &["keepalived.conf"],
        &[
            (
                "keepalived.conf",
                "SF0311",
                4,
                23,
                "write a group of 224.0.0.0/4, or delete the line for 224.0.0.18",
            ),
            ("keepalived.conf", "SF0304", 14, 19, "write only the first 8 bytes, on every node"),
            ("keepalived.conf", "SF0410", 17, 9, "delete the line, or list an uplink interface"),
            (
                "keepalived.conf",
                "SF0503",
                20,
                5,
                "list the other directors, unless this server runs VRRP too",
            ),
            (
                "keepalived.conf",
                "SF0503",
                20,
                5,
                "list the other directors, unless this server runs VRRP too",
            ),
            ("keepalived.conf", "SF0406", 27, 19, SECURITY),
            (
                "keepalived.conf",
                "SF0506",
                31,
                16,
                "write a `real_server ADDRESS PORT { ... }` for each server",
            ),
            ("keepalived.conf", "SF0545", 33, 13, "write `lb_algo wrr`"),
            (
                "keepalived.conf",
                "SF0546",
                36,
                29,
                "write a mask like 255.255.255.0, or delete the line to tell all clients apart",
            ),
            (
                "keepalived.conf",
                "SF0201",
                37,
                5,
                "write `connect_timeout` in the check, or `lvs_timeouts` in global_defs",
            ),
            (
                "keepalived.conf",
                "SF0201",
                39,
                5,
                "delete it: a real server's `uthreshold` limits connections",
            ),
            (
                "keepalived.conf",
                "SF0201",
                40,
                5,
                "delete it: each server is a `real_server ADDRESS PORT { ... }`",
            ),
            (
                "keepalived.conf",
                "SF0201",
                41,
                5,
                "delete it: IPVS does not look into HTTP; `persistence_timeout` keeps clients on a server",
            ),
            (
                "keepalived.conf",
                "SF0201",
                42,
                5,
                "did you mean `real_server`? Write one `real_server ADDRESS PORT { ... }` for each server",
            ),
            ("keepalived.conf", "SF0527", 43, 9, "write a check, like `TCP_CHECK { ... }`"),
            (
                "keepalived.conf",
                "SF0502",
                43,
                22,
                "let the server listen on 80, or write `lb_kind NAT`",
            ),
        ],
    );
}

#[test]
fn a_director_that_is_corrected_as_the_findings_say_has_none() {
    expect("lvs-director", &["corrected.conf"], &[]);
}
