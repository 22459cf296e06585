//! The two system calls that the standard library keeps for itself.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use rustix::process::Pid;

/// Makes a copy of this process, with the calling thread only; `None` in the copy. A lock that
/// another thread held would be held for ever: with other threads, the copy makes system calls
/// only, and does not allocate.
#[expect(unsafe_code, reason = "no safe crate forks")]
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the callers see to it that there is one thread, so the copy finds every lock
    // free, or that the copy takes none.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Ends at once, without flushing buffers that the other process has too.
#[expect(unsafe_code, reason = "the standard library's exit flushes")]
pub(crate) fn exit(code: u8) -> ! {
    // SAFETY: nothing is touched; the process ends.
    unsafe { libc::_exit(i32::from(code)) }
}

/// The kernel itself reaps the children of this process.
#[expect(unsafe_code, reason = "no safe crate sets what a signal does")]
pub(crate) fn ignore_children() {
    // SAFETY: no handler of ours runs; the kernel is only told to ignore the signal.
    let _ = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Closes every descriptor but one, in a copy that uses no other any more.
#[expect(unsafe_code, reason = "no safe crate closes what it does not own")]
pub(crate) fn keep_only(fd: impl AsFd) {
    let kept = libc::c_uint::try_from(fd.as_fd().as_raw_fd()).unwrap_or_default();
    let close = |first: libc::c_uint, last: libc::c_uint| {
        if first <= last {
            // SAFETY: nothing in this process uses these descriptors any more.
            let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    };
    if let Some(below) = kept.checked_sub(1) {
        close(0, below);
    }
    close(kept.saturating_add(1), libc::c_uint::MAX);
}
