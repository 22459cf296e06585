//! A sandbox: whatever a program makes in it, processes, interfaces, mounts, ends with it.

use std::io;

use rustix::{
    fs::{Mode, OFlags, open},
    io::write,
    mount::{MountFlags, mount},
    process::{
        Pid, Signal, WaitOptions, getegid, geteuid, set_parent_process_death_signal, waitpid,
    },
    thread::UnshareFlags,
};

use super::fork::{exit, fork};
use crate::namespace::{keep_mounts_private, unshare};

/// What has to be known before the fork, because nothing may be allocated after it.
#[derive(Debug)]
pub(super) struct Sandbox {
    /// The maps that make an ordinary user root inside; `None` for one who is root.
    maps: Option<(String, String)>,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        let maps = (format!("0 {} 1\n", uid.as_raw()), format!("0 {} 1\n", gid.as_raw()));
        Self { maps: (!uid.is_root()).then_some(maps) }
    }

    /// Moves the calling process, a fresh child, into new namespaces, where it is process 1.
    /// What was the child stays outside as a go-between: it is killed with its parent, kills
    /// process 1 by its death (and the kernel then all others), and hands on its exit code.
    pub(super) fn enter(&self) -> io::Result<()> {
        let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWNET;
        if self.maps.is_some() {
            flags |= UnshareFlags::NEWUSER;
        }
        set_parent_process_death_signal(Some(Signal::KILL))?;
        unshare(flags)?;
        if let Some((uid, gid)) = &self.maps {
            // An ordinary user may map groups only after giving up to change them.
            write_file(c"/proc/self/setgroups", "deny")?;
            write_file(c"/proc/self/uid_map", uid)?;
            write_file(c"/proc/self/gid_map", gid)?;
        }
        keep_mounts_private()?;
        if let Some(init) = fork()? {
            close_all();
            exit(outcome(init));
        }
        // Where this is not allowed, the outer one stays visible and does as well.
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let _ = mount("proc", "/proc", "proc", flags, None);
        Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
    }
}

fn write_file(path: &std::ffi::CStr, text: &str) -> io::Result<()> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, text.as_bytes())?;
    Ok(())
}

/// As a shell reports it: the exit code, or 128 and the signal's number.
fn outcome(init: Pid) -> u8 {
    loop {
        match waitpid(Some(init), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                let signal = status.terminating_signal().map(|signal| signal.saturating_add(128));
                let code = status.exit_status().or(signal);
                return code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}

/// The go-between must hold no pipe open that somebody waits on.
#[expect(unsafe_code, reason = "no safe crate closes what it does not own")]
fn close_all() {
    // SAFETY: this process will only wait and exit; it uses no descriptor any more.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
}
