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
use crate::{
    error::{During, Error},
    namespace::Parent,
};

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
    /// Namespace of processes that it belongs to ([`crate::namespace::Room::processes`]). Its
    /// process id is still the one that we see.
    pub processes: Option<BorrowedFd<'a>>,
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
            processes: None,
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
    let _parent = what.processes.map(Parent::of).transpose()?;
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
mod tests;
