//! Starting a program with exactly the surroundings that it shall have.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::{ffi::OsStringExt, process::CommandExt},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Gid, Pid, Signal, Uid, chdir, set_parent_process_death_signal},
    thread::{move_into_link_name_space, set_thread_gid, set_thread_groups, set_thread_uid},
};

use super::{named, sandbox::Sandbox, signal};
use crate::error::{During, Error};

/// Variables through which a caller could make a script run another's code.
const UNSAFE_VARIABLES: [&str; 3] = ["IFS", "LD_LIBRARY_PATH", "LD_PRELOAD"];

/// A program to start. Its signals are at their defaults, its priority is the ordinary one.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// Program and arguments. A program without a slash is looked up in `PATH`.
    pub argv: Vec<OsString>,
    /// What it sees as its own name instead of the program's; `killall` and `pidof` look there.
    pub argv0: Option<OsString>,
    /// What it inherits of our environment.
    pub environment: Environment,
    /// Variables to set on top of that.
    pub variables: Vec<(OsString, OsString)>,
    /// Whom to run it as; `None` is as ourselves, and the only choice for a sandbox.
    pub credentials: Option<Credentials>,
    /// Whether it leads a group of its own, which [`super::kill_group`] can end.
    pub group: ProcessGroup,
    /// Working directory, in the namespaces entered. `None` is ours, or the root of a mount
    /// namespace entered.
    pub directory: Option<PathBuf>,
    /// Standard input; `/dev/null` by default.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// Descriptors that it shall find open, under the same numbers as here.
    pub inherited: Vec<BorrowedFd<'a>>,
    /// Namespaces to enter first, in this order.
    pub namespaces: Vec<BorrowedFd<'a>>,
    /// Whether it gets namespaces of its own.
    pub surroundings: Surroundings,
    /// Signal that it gets when the thread that starts it ends.
    pub death_signal: Option<i32>,
}

/// What a child inherits of our environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// All of it: for our own processes.
    Inherited,
    /// All but `IFS`, `LD_PRELOAD` and `LD_LIBRARY_PATH`: for scripts.
    Cleaned,
    /// Nothing.
    Empty,
}

/// Whether a child leads a process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessGroup {
    /// One of its own.
    Own,
    /// It stays in ours.
    Inherited,
}

/// What a child shares with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// Network, mounts and processes.
    Shared,
    /// None of them: it is process 1 in an empty network, and root (as an ordinary user,
    /// through a user namespace, in which no other user exists). All that it starts, makes
    /// and mounts ends with it, and it ends with the thread that started it.
    Sandbox,
}

/// Where a child's output goes.
#[derive(Debug)]
pub enum Output {
    /// Nowhere.
    Null,
    /// Where ours goes.
    Inherited,
    /// Into a file.
    File(File),
}

/// Whom a child runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups; all others are given up.
    pub groups: Vec<u32>,
}

impl Spawn<'_> {
    /// A program with our environment, as ourselves, in a group of its own, without output.
    #[must_use]
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            argv0: None,
            environment: Environment::Inherited,
            variables: Vec::new(),
            credentials: None,
            group: ProcessGroup::Own,
            directory: None,
            stdin: None,
            stdout: Output::Null,
            stderr: Output::Null,
            inherited: Vec::new(),
            namespaces: Vec::new(),
            surroundings: Surroundings::Shared,
            death_signal: None,
        }
    }
}

/// Starts a program. Somebody must [`super::reap`] it when it has ended.
///
/// # Errors
/// `Gone` when there is no such program, `Refused` when it may not be run or its
/// surroundings not be made, `Retry` when there are too many processes.
#[expect(unsafe_code, reason = "the standard library sets neither groups nor namespaces")]
pub fn spawn(what: Spawn<'_>) -> Result<Pid, Error> {
    let mut command = command(&what)?;
    let prepare = Prepare::new(&what)?;
    command.stdin(what.stdin.map_or_else(Stdio::null, Stdio::from));
    command.stdout(stdio(what.stdout)).stderr(stdio(what.stderr));
    // SAFETY: `in_child` makes system calls only and does not allocate; what it needs was
    // made before.
    unsafe { command.pre_exec(move || prepare.in_child()) };
    let child = command.spawn().during("start a program")?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| Error::malformed("start a program"))
}

fn command(what: &Spawn<'_>) -> Result<Command, Error> {
    let (program, arguments) = what
        .argv
        .split_first()
        .ok_or_else(|| Error::from_errno("start a program", libc::ENOENT, Some("no program")))?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(argv0) = &what.argv0 {
        command.arg0(argv0);
    }
    match what.environment {
        Environment::Inherited => {}
        Environment::Cleaned => {
            for name in UNSAFE_VARIABLES {
                command.env_remove(name);
            }
        }
        Environment::Empty => {
            command.env_clear();
        }
    }
    command.envs(what.variables.iter().map(|(name, value)| (name, value)));
    match what.group {
        ProcessGroup::Own => {
            command.process_group(0);
        }
        ProcessGroup::Inherited => {}
    }
    Ok(command)
}

fn stdio(output: Output) -> Stdio {
    match output {
        Output::Null => Stdio::null(),
        Output::Inherited => Stdio::inherit(),
        Output::File(file) => file.into(),
    }
}

/// What the child does between fork and exec, with everything allocated beforehand.
struct Prepare {
    namespaces: Vec<RawFd>,
    directory: Option<CString>,
    inherited: Vec<RawFd>,
    groups: Vec<Gid>,
    user: Option<(Uid, Gid)>,
    death_signal: Option<Signal>,
    sandbox: Option<Sandbox>,
}

impl Prepare {
    fn new(what: &Spawn<'_>) -> Result<Self, Error> {
        let numbers = |fds: &[BorrowedFd<'_>]| fds.iter().map(AsRawFd::as_raw_fd).collect();
        let user = what.credentials.as_ref();
        let signal = what.death_signal.map(|signal| named(signal, "start a program"));
        let directory =
            what.directory.clone().map(|path| CString::new(path.into_os_string().into_vec()));
        Ok(Self {
            directory: directory.transpose().during("start a program")?,
            namespaces: numbers(&what.namespaces),
            inherited: numbers(&what.inherited),
            groups: user.into_iter().flat_map(|u| &u.groups).map(|g| Gid::from_raw(*g)).collect(),
            user: user.map(|user| (Uid::from_raw(user.uid), Gid::from_raw(user.gid))),
            death_signal: signal.transpose()?,
            sandbox: match what.surroundings {
                Surroundings::Shared => None,
                Surroundings::Sandbox => Some(Sandbox::new()),
            },
        })
    }

    fn in_child(&self) -> io::Result<()> {
        for namespace in &self.namespaces {
            move_into_link_name_space(borrow(*namespace), None)?;
        }
        if let Some(directory) = &self.directory {
            chdir(directory.as_c_str())?;
        }
        for inherited in &self.inherited {
            fcntl_setfd(borrow(*inherited), FdFlags::empty())?;
        }
        signal::reset()?;
        ordinary_priority();
        if let Some((uid, gid)) = self.user {
            set_thread_groups(&self.groups)?;
            set_thread_gid(gid)?;
            set_thread_uid(uid)?;
        }
        // Last, because a change of user clears it.
        set_parent_process_death_signal(self.death_signal)?;
        match &self.sandbox {
            Some(sandbox) => sandbox.enter(),
            None => Ok(()),
        }
    }
}

/// A real-time parent's script must not starve the machine.
#[expect(unsafe_code, reason = "no safe crate offers sched_setscheduler")]
fn ordinary_priority() {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live `sched_param`, which the kernel only reads.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const parameter) };
}

#[expect(unsafe_code, reason = "a closure for the child cannot hold a borrow")]
fn borrow<'fd>(fd: RawFd) -> BorrowedFd<'fd> {
    // SAFETY: it comes from a `BorrowedFd` that outlives `spawn`, and the child has a copy of
    // all descriptors until it executes.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests {
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
        let script = "echo \"${LD_PRELOAD-none} $COLOUR $(pwd)\"; cut -d' ' -f1,5 /proc/self/stat";
        let out = shell(script, |what| {
            what.environment = Environment::Cleaned;
            what.variables = vec![("COLOUR".into(), "red".into())];
            what.directory = Some("/usr".into());
        });
        let mut lines = out.lines();
        assert_eq!(lines.next(), Some("none red /usr"));
        let ours = rustix::process::getpgrp().to_string();
        assert!(!lines.next().expect("ids").ends_with(&ours));
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
}
