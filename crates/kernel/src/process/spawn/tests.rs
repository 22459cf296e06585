use std::{fs, io::Read, os::fd::AsFd, process::ExitStatus, time::Duration};

use super::*;
use crate::{namespace::test::namespace, process};

fn wait(pid: Pid) -> ExitStatus {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    assert!(crate::sys::readable_within(pidfd.expect("pidfd"), Duration::from_secs(10)));
    process::reap_child(pid).expect("reap").expect("it has ended")
}

/// What a shell script prints.
fn shell<'a>(script: &str, change: impl FnOnce(&mut Spawn<'a>)) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut what = Spawn::new(["/bin/sh", "-c", script]);
    what.stdout = Output::File(file.reopen().expect("the file"));
    change(&mut what);
    assert!(wait(spawn(what).expect("spawn")).success());
    fs::read_to_string(file.path()).expect("read")
}

#[test]
fn a_script_gets_a_clean_environment_and_a_group_of_its_own() {
    let script =
        "echo \"${LD_PRELOAD-none} $COLOUR $(pwd)\"; echo $$; cut -d' ' -f5 /proc/self/stat";
    let out = shell(script, |what| {
        what.environment = Environment::Cleaned;
        what.variables = vec![("COLOUR".into(), "red".into())];
        what.directory = Some("/usr".into());
    });
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("none red /usr"));
    let script_itself = lines.next();
    assert!(script_itself.is_some());
    assert_eq!(lines.next(), script_itself, "it leads its group");
}

#[test]
fn a_child_runs_as_the_user_that_was_asked_for() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let out = shell("id -u; id -g; id -G", |what| {
        let groups = vec![65533];
        what.credentials = Some(Credentials { uid: 65534, gid: 65532, groups });
    });
    assert_eq!(out, "65534\n65532\n65532 65533\n");
}

#[test]
fn a_child_starts_with_no_signal_blocked_or_ignored() {
    let out = std::thread::spawn(|| {
        let _signals = signal::SignalFd::open(&[signal::SIGUSR2]).expect("block");
        shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2", |_| {})
    });
    for set in out.join().expect("the thread").lines() {
        // Signals 32 and 33 are the C library's own and cannot be changed.
        let set = u64::from_str_radix(set, 16).expect("a set") & !(3 << 31);
        assert_eq!(set, 0);
    }
}

#[test]
fn a_child_finds_its_descriptors_and_its_namespace() {
    let Some(namespace) = namespace() else { return };
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let number = writer.as_raw_fd();
    let script = format!("echo hello > /dev/fd/{number}; wc -l < /proc/net/dev");
    let out = shell(&script, |what| {
        what.inherited = vec![writer.as_fd()];
        what.namespaces = vec![namespace.as_fd()];
    });
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("read");
    assert_eq!(text, "hello\n");
    assert_eq!(out.trim(), "3", "two lines of heading and lo");
}

#[test]
fn a_program_that_does_not_exist_is_gone() {
    let error = spawn(Spawn::new(["/no/such/program"])).expect_err("there is none");
    assert_eq!(error.class, crate::Class::Gone);
}

#[test]
fn a_sandbox_has_its_own_processes_and_network_and_hands_on_the_exit_code() {
    if namespace().is_none() {
        return;
    }
    let out = shell("echo $$; id -u; wc -l < /proc/net/dev", |what| {
        what.surroundings = Surroundings::Sandbox;
    });
    assert_eq!(out, "1\n0\n3\n");
    let mut what = Spawn::new(["/bin/sh", "-c", "exit 42"]);
    what.surroundings = Surroundings::Sandbox;
    assert_eq!(wait(spawn(what).expect("spawn")).code(), Some(42));
}

const ORDINARY: &str = "STANDFAST_TEST_ORDINARY_USER";

/// Not a test of its own: what the next test runs as an ordinary user.
#[test]
fn ordinary_user() {
    if std::env::var_os(ORDINARY).is_none() {
        return;
    }
    assert_eq!(rustix::process::geteuid().as_raw(), 65534);
    let mut what = Spawn::new(["/bin/sh", "-c", "exit $(id -u)$$"]);
    what.surroundings = Surroundings::Sandbox;
    assert_eq!(wait(spawn(what).expect("spawn")).code(), Some(1), "root, and process 1");
}

#[test]
fn an_ordinary_user_gets_a_sandbox_too() {
    if namespace().is_none() || !rustix::process::geteuid().is_root() {
        return;
    }
    let program = std::env::current_exe().expect("this program").into_os_string();
    let name = "process::spawn::tests::ordinary_user";
    let mut what = Spawn::new([program, "--exact".into(), name.into()]);
    what.credentials = Some(Credentials { uid: 65534, gid: 65534, groups: Vec::new() });
    what.variables = vec![(ORDINARY.into(), "yes".into())];
    what.stdout = Output::Inherited;
    match spawn(what) {
        Ok(pid) => assert!(wait(pid).success()),
        Err(error) => assert_eq!(error.class, crate::Class::Refused, "a private directory"),
    }
}

#[test]
fn all_that_runs_in_a_sandbox_dies_with_it() {
    if namespace().is_none() {
        return;
    }
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut what = Spawn::new(["/bin/sh", "-c", "setsid sleep 100 & wait"]);
    what.surroundings = Surroundings::Sandbox;
    what.inherited = vec![writer.as_fd()];
    let pid = spawn(what).expect("spawn");
    drop(writer);
    process::kill(pid, signal::SIGKILL).expect("kill");
    assert!(!wait(pid).success());
    // It ends when the last process that holds the other end has ended.
    assert_eq!(reader.read_to_end(&mut Vec::new()).expect("read"), 0);
}

#[test]
fn a_group_dies_together() {
    let pid = spawn(Spawn::new(["/bin/sh", "-c", "sleep 100 & wait"])).expect("spawn");
    process::kill_group(pid, signal::SIGKILL).expect("kill");
    assert!(!wait(pid).success());
}
