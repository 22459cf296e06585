//! `standfast check`: its options and its outputs.

use std::{fs, process::Command};

use crate::common::STANDFAST;

const SLAVE: &str = "vrrp_instance V {\n state SLAVE\n interface e\n virtual_router_id 1\n authentication {\n auth_type PASS\n auth_pass tiger-and-cub\n }\n no_virtual_ipaddress\n}\n";

/// Exit code, standard output and standard error, in a folder with one file.
fn check(arguments: &[&str], no_color: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("a.conf"), SLAVE).expect("written");
    let output = Command::new(STANDFAST)
        .arg("check")
        .args(arguments)
        .current_dir(folder.path())
        .env("NO_COLOR", no_color)
        .output()
        .expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn a_code_is_explained_in_every_spelling() {
    let (code, page, _) = check(&["--explain", "SF0301"], "");
    assert_eq!(code, 0);
    assert!(page.starts_with("# SF0301: ") && page.contains("state BACKUP"), "{page}");
    for spelling in ["301", "sf0301"] {
        assert_eq!(check(&["--explain", spelling], "").1, page);
    }
}

#[test]
fn an_unknown_code_ends_with_2_and_similar_ones() {
    let (code, output, error) = check(&["--explain", "SF0399"], "");
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(error.contains("there is no such code; similar: SF0309"), "{error}");
}

#[test]
fn a_pipe_gets_colours_only_when_asked() {
    assert!(!check(&["a.conf"], "").1.contains('\x1b'));
    assert!(check(&["a.conf", "--color", "always"], "1").1.contains('\x1b'));
    assert!(!check(&["a.conf", "--color", "never"], "").1.contains('\x1b'));
}

#[test]
fn no_output_holds_the_password() {
    for format in ["human", "json", "sarif"] {
        let (code, output, _) = check(&["a.conf", "--format", format], "");
        assert_eq!(code, 0);
        assert!(output.contains("SF0304") && !output.contains("tiger"), "{output}");
    }
}

#[test]
fn sarif_names_the_file_as_it_is_found_from_here() {
    let (_, output, _) = check(&["a.conf", "--format", "sarif"], "");
    let log: serde_json::Value = serde_json::from_str(&output).expect("one document");
    let found = &log["runs"][0]["results"][0];
    let place = &found["locations"][0]["physicalLocation"];
    assert_eq!(found["ruleId"], "SF0301");
    assert_eq!(place["artifactLocation"]["uri"], "a.conf");
    assert_eq!(place["region"]["startLine"], 2);
}
