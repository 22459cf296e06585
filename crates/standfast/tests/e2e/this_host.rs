//! `check` and `keepalived -t` compare a file with the machine that they run on.

use std::{fs, os::unix::process::CommandExt, process::Command};

use crate::common::STANDFAST;

/// Checks a file for an interface that no machine has; exit code and output.
fn check(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("a.conf");
    let text = "vrrp_instance V {\n interface nosuch0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.9\n }\n}\n";
    fs::write(&file, text).expect("written");
    let output =
        Command::new(STANDFAST).arg0(program).args(arguments).arg(&file).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("text"))
}

#[test]
fn an_interface_that_is_not_here_is_a_warning_and_an_error_when_the_file_is_for_this_host() {
    let (code, said) = check("standfast", &["check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning[SF0701]: this machine has no interface `nosuch0`"), "{said}");
    assert!(said.contains("would run: 0 errors, 1 warnings"), "{said}");
    assert!(said.contains("on the node itself, --on-this-host"), "{said}");
    let (code, said) = check("standfast", &["check", "--on-this-host"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error[SF0701]") && !said.contains("on the node itself"), "{said}");
}

#[test]
fn files_for_another_root_or_of_several_nodes_are_not_compared_with_this_host() {
    let (_, said) = check("standfast", &["check", "--root", "/nowhere"]);
    assert!(said.contains("would run: 0 errors, 0 warnings"), "{said}");
    let (_, said) = check("standfast", &["check", "/dev/null"]);
    assert!(!said.contains("SF0701"), "{said}");
}

#[test]
fn the_configuration_test_ends_with_keepalived_s_code_for_a_missing_interface() {
    let (code, said) = check("keepalived", &["-t", "-f"]);
    assert_eq!(code, Some(5), "{said}");
}
