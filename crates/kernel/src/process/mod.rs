//! The process itself: its name, priority and memory; its children; its pid file.

mod daemon;
mod fork;
mod peak;
mod pid_file;
mod sandbox;
pub mod signal;
mod spawn;
mod user;

use std::{
    ffi::CString, io, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    mm::{MlockAllFlags, mlockall},
    process::{
        PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, kill_process,
        kill_process_group, pidfd_open, setrlimit, wait, waitpid,
    },
    thread::{CpuSet, sched_setaffinity},
    time::Timespec,
};

pub use daemon::{Launch, daemonize};
pub(crate) use fork::{exit, fork, ignore_children, keep_only};
pub use peak::wait_with_peak;
pub use pid_file::{PidFile, PidFileError};
pub use rustix::process::{Pid, getpid};
pub use spawn::{Credentials, Environment, Output, ProcessGroup, Spawn, Surroundings, spawn};
pub use user::{User, group_by_name, groups_of, user_by_name};

use crate::error::{During, Error};

/// Names the calling thread, and in a single-threaded program the process as `ps` and
/// `killall` see it. At most 15 bytes count; a name with a zero byte is cut there.
///
/// # Errors
/// None that are known.
pub fn set_name(name: &str) -> Result<(), Error> {
    let name = name.split('\0').next().unwrap_or_default();
    let name = CString::new(name).during("name the process")?;
    rustix::thread::set_name(&name).during("name the process")
}

/// Keeps the process's memory in RAM: pages that it has, and pages that it will touch.
///
/// # Errors
/// `Refused` or `Retry` without `CAP_IPC_LOCK` beyond `RLIMIT_MEMLOCK`.
pub fn lock_memory() -> Result<(), Error> {
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).during("lock memory")
}

/// How real-time threads of one priority share a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realtime {
    /// `SCHED_RR`: in turns.
    RoundRobin,
    /// `SCHED_FIFO`: until it waits.
    Fifo,
}

/// Gives the calling thread a real-time priority, 1 (lowest) to 99. Children do not inherit.
///
/// # Errors
/// `Refused` without `CAP_SYS_NICE`, and in a control group without real-time share;
/// `Bug` for a priority out of range.
#[expect(unsafe_code, reason = "no safe crate offers sched_setscheduler")]
pub fn set_realtime(realtime: Realtime, priority: u8) -> Result<(), Error> {
    let policy = match realtime {
        Realtime::RoundRobin => libc::SCHED_RR,
        Realtime::Fifo => libc::SCHED_FIFO,
    };
    let parameter = libc::sched_param { sched_priority: i32::from(priority) };
    // SAFETY: the pointer is to a live `sched_param`, which the kernel only reads.
    let result = unsafe {
        libc::sched_setscheduler(0, policy | libc::SCHED_RESET_ON_FORK, &raw const parameter)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).during("get real-time priority")
    }
}

/// Sets the process's nice value, -20 (first) to 19 (last).
///
/// # Errors
/// `Refused` for a lower value than now, without `CAP_SYS_NICE`.
pub fn set_nice(nice: i8) -> Result<(), Error> {
    rustix::process::setpriority_process(None, i32::from(nice)).during("set the nice value")
}

/// Takes one child that has ended; `None` when none has, or there is none.
///
/// # Errors
/// None that are known.
pub fn reap() -> Result<Option<(Pid, ExitStatus)>, Error> {
    ended(wait(WaitOptions::NOHANG))
}

/// Takes this child if it has ended; `None` when it has not, or is no child.
///
/// # Errors
/// None that are known.
pub fn reap_child(pid: Pid) -> Result<Option<ExitStatus>, Error> {
    Ok(ended(waitpid(Some(pid), WaitOptions::NOHANG))?.map(|(_, status)| status))
}

/// Waits until this child has ended.
///
/// # Errors
/// `Gone` when it is no child.
pub fn wait_child(pid: Pid) -> Result<ExitStatus, Error> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::new("wait for a child", error)),
        }
    }
}

/// Waits until this child has ended, at most for so long; `None` when it goes on.
///
/// # Errors
/// `Gone` when it is no child.
pub fn wait_child_within(pid: Pid, limit: Duration) -> Result<Option<ExitStatus>, Error> {
    let fd = pidfd_open(pid, PidfdFlags::empty()).during("wait for a child")?;
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut fds, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => reap_child(pid),
        Err(error) => Err(Error::new("wait for a child", error)),
    }
}

/// Keeps the calling thread on these processors; those that do not exist are passed over.
///
/// # Errors
/// `Bug` when none of them exists.
pub fn set_processors(processors: &[u32]) -> Result<(), Error> {
    let mut set = CpuSet::new();
    for number in processors.iter().filter_map(|number| usize::try_from(*number).ok()) {
        if number < CpuSet::MAX_CPU {
            set.set(number);
        }
    }
    sched_setaffinity(None, &set).during("keep to some processors")
}

/// Sends `SIGXCPU`, once a second, to a real-time process that computes for longer than this without
/// a pause. The process is never ended for it.
///
/// # Errors
/// None that are known.
pub fn set_realtime_limit(limit: Duration) -> Result<(), Error> {
    let current = u64::try_from(limit.as_micros()).ok();
    let limit = Rlimit { current, maximum: None };
    setrlimit(Resource::Rttime, limit).during("limit real-time work")
}

/// Sends a signal to a process.
///
/// # Errors
/// `Gone` when there is no such process, `Refused` when it is not ours to signal.
pub fn kill(pid: Pid, signal: i32) -> Result<(), Error> {
    kill_process(pid, named(signal, "signal a process")?).during("signal a process")
}

/// Sends a signal to a whole process group: a script and all that it started.
///
/// # Errors
/// As [`kill`].
pub fn kill_group(group: Pid, signal: i32) -> Result<(), Error> {
    kill_process_group(group, named(signal, "signal a group")?).during("signal a group")
}

type Waited = rustix::io::Result<Option<(Pid, WaitStatus)>>;

fn ended(waited: Waited) -> Result<Option<(Pid, ExitStatus)>, Error> {
    match waited {
        Ok(Some((pid, status))) => Ok(Some((pid, ExitStatus::from_raw(status.as_raw())))),
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(Error::new("wait for a child", error)),
    }
}

fn named(signal: i32, operation: &'static str) -> Result<Signal, Error> {
    Signal::from_named_raw(signal)
        .ok_or_else(|| Error::from_errno(operation, libc::EINVAL, Some("no such signal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_a_name_of_at_most_15_bytes() {
        let named = std::thread::spawn(|| {
            set_name("keepalived_vrrp_and_more").expect("name");
            std::fs::read_to_string("/proc/thread-self/comm").expect("comm")
        });
        assert_eq!(named.join().expect("the thread"), "keepalived_vrrp\n");
    }

    #[test]
    fn a_priority_out_of_range_is_our_own_fault() {
        let error = set_realtime(Realtime::Fifo, 0).expect_err("0 is no real-time priority");
        assert_eq!(error.class, crate::Class::Bug);
    }

    #[test]
    fn a_child_is_waited_for_as_long_as_was_said() {
        let pid = spawn(Spawn::new(["sleep", "100"])).expect("start");
        let none = wait_child_within(pid, Duration::from_millis(10)).expect("wait");
        assert_eq!(none, None);
        kill(pid, signal::SIGKILL).expect("kill");
        let status = wait_child_within(pid, Duration::from_secs(20)).expect("wait");
        assert_eq!(status.and_then(|status| status.signal()), Some(signal::SIGKILL));
    }

    #[test]
    fn a_thread_keeps_to_its_processors() {
        std::thread::spawn(|| {
            set_processors(&[0, 4_000_000_000]).expect("there is a first one");
            assert_eq!(std::thread::available_parallelism().expect("a number").get(), 1);
        })
        .join()
        .expect("the thread");
    }

    #[test]
    fn a_process_that_does_not_exist_is_gone() {
        let nobody = Pid::from_raw(i32::MAX).expect("a pid");
        let error = kill(nobody, signal::SIGTERM).expect_err("there is none");
        assert_eq!(error.class, crate::Class::Gone);
        assert_eq!(reap_child(nobody).expect("no failure"), None);
    }
}
