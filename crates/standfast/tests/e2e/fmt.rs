//! `standfast fmt` on files, links and standard input.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::common::STANDFAST;

const UGLY: &str = "vrrp_instance V { state BACKUP # both\n}";
const LAID_OUT: &str = "vrrp_instance V {\n    state BACKUP  # both\n}\n";

fn fmt(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(STANDFAST);
    command.arg("fmt").args(arguments).current_dir(folder);
    command.output().expect("it runs")
}

/// What it writes to standard output, and its exit code.
fn fmt_input(arguments: &[&str], text: &str) -> (String, Option<i32>) {
    let mut child = Command::new(STANDFAST)
        .arg("fmt")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    (String::from_utf8(output.stdout).expect("text"), output.status.code())
}

#[test]
fn a_file_is_laid_out_in_its_place_and_keeps_its_mode() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("a.conf");
    fs::write(&path, UGLY).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    let output = fmt(folder.path(), &["-f", "a.conf"]);
    assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(0), 0, 0));
    assert_eq!(fs::read_to_string(&path).expect("readable"), LAID_OUT);
    let metadata = fs::metadata(&path).expect("there");
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left over");
    fmt(folder.path(), &["a.conf"]);
    let again = fs::metadata(&path).expect("there");
    assert_eq!(again.ino(), metadata.ino(), "a file that does not change is not written");
}

#[test]
fn check_lists_what_would_change_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("ugly.conf"), UGLY).expect("written");
    fs::write(folder.path().join("fine.conf"), LAID_OUT).expect("written");
    let output = fmt(folder.path(), &["--check", "ugly.conf", "fine.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"ugly.conf\n");
    assert_eq!(fs::read_to_string(folder.path().join("ugly.conf")).expect("readable"), UGLY);
    assert_eq!(fmt(folder.path(), &["--check", "fine.conf"]).status.code(), Some(0));
}

#[test]
fn the_target_of_a_link_is_replaced_and_not_the_link() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir(folder.path().join("real")).expect("made");
    fs::write(folder.path().join("real/a.conf"), UGLY).expect("written");
    symlink("real/a.conf", folder.path().join("link.conf")).expect("linked");
    assert_eq!(fmt(folder.path(), &["link.conf"]).status.code(), Some(0));
    let link = fs::symlink_metadata(folder.path().join("link.conf")).expect("there");
    assert!(link.is_symlink());
    let text = fs::read_to_string(folder.path().join("real/a.conf")).expect("readable");
    assert_eq!(text, LAID_OUT);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_done() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("a.conf"), UGLY).expect("written");
    let output = fmt(folder.path(), &["gone.conf", ".", "a.conf"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("gone.conf: cannot read: No such file"), "{said}");
    assert!(said.contains(".: not a regular file"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("a.conf")).expect("readable"), LAID_OUT);
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(fmt_input(&["-"], UGLY), (LAID_OUT.to_owned(), Some(0)));
    assert_eq!(fmt_input(&["--check", "-"], UGLY), ("-\n".to_owned(), Some(1)));
    assert_eq!(fmt_input(&["--check", "-"], LAID_OUT), (String::new(), Some(0)));
}
