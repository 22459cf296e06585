//! Processes of a room's own: `ps` and `killall` there see nothing else, and all of them end with the room.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::{read, write},
    mount::{MountFlags, mount},
    process::Pid,
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};

use super::unshare;
use crate::{
    error::{During, Error},
    process::{exit, fork, ignore_children, keep_only, kill, reap_child, signal},
};

/// A namespace of processes, and its process 1, which does nothing but reap orphans.
#[derive(Debug)]
pub(super) struct Processes {
    namespace: File,
    init: Pid,
    /// When it closes, by whatever end of ours, process 1 ends, and with it all others.
    _life: PipeWriter,
}

impl Processes {
    /// Makes one. `/proc` of the calling thread's mount namespace, which must be its own, then
    /// shows these processes only; the thread itself is not among them.
    pub(super) fn new() -> Result<Self, Error> {
        const WHAT: &str = "make a namespace of processes";
        // From here on `/proc/thread-self` leads nowhere for us.
        let ours = File::open("/proc/thread-self/ns").during(WHAT)?;
        unshare(UnshareFlags::NEWPID).during(WHAT)?;
        let (life_end, life) = io::pipe().during(WHAT)?;
        let (mut ready, ready_end) = io::pipe().during(WHAT)?;
        let Some(init) = fork().during(WHAT)? else { be_init(&life_end, &ready_end) };
        drop((life_end, ready_end));
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = openat(&ours, c"pid_for_children", flags, Mode::empty()).during(WHAT)?;
        let processes = Self { namespace: namespace.into(), init, _life: life };
        ready.read_exact(&mut [0]).during(WHAT)?;
        Ok(processes)
    }

    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // Its end waits for all others, which may be our children and wait for us: so no wait here.
        let _ = kill(self.init, signal::SIGKILL);
        let _ = reap_child(self.init);
    }
}

/// A copy of a process with threads may make system calls, and nothing that allocates.
fn be_init(life: &PipeReader, ready: &PipeWriter) -> ! {
    ignore_children();
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Where this is not allowed, the outer one stays visible and does as well.
    let _ = mount("proc", "/proc", "proc", flags, None);
    let _ = write(ready, &[1]);
    // Copies of other rooms' lifelines, too, which would keep those alive.
    keep_only(life);
    while matches!(read(life, &mut [0]), Ok(1..) | Err(rustix::io::Errno::INTR)) {}
    exit(0)
}

/// The calling thread's children belong to these processes as long as this value lives. It can
/// start no threads then.
#[derive(Debug)]
pub(crate) struct Parent(File);

impl Parent {
    pub(crate) fn of(namespace: BorrowedFd<'_>) -> Result<Self, Error> {
        let ours = File::open("/proc/thread-self/ns/pid").during("enter a namespace")?;
        let kind = Some(LinkNameSpaceType::ProcessID);
        move_into_link_name_space(namespace, kind).during("enter a namespace")?;
        Ok(Self(ours))
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::ProcessID));
    }
}
