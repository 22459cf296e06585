//! The two system calls that the standard library keeps for itself.

use std::io;

use rustix::process::Pid;

/// Makes a copy of this process, with the calling thread only; `None` in the copy. Only for
/// a process with one thread: a lock that another thread held would be held for ever.
#[expect(unsafe_code, reason = "no safe crate forks")]
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the callers see to it that there is one thread, so the copy finds every lock
    // free.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Ends at once, without flushing buffers that the other process has too.
#[expect(unsafe_code, reason = "the standard library's exit flushes")]
pub(super) fn exit(code: u8) -> ! {
    // SAFETY: nothing is touched; the process ends.
    unsafe { libc::_exit(i32::from(code)) }
}
