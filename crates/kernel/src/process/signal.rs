//! Signals as something to read.

use std::{
    io,
    mem::zeroed,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr::null_mut,
};

pub use libc::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM,
    SIGUSR1, SIGUSR2, SIGXCPU,
};

use crate::error::{During, Error};

/// The real-time signal `offset` above the lowest; the C library keeps the first for itself.
#[must_use]
pub fn realtime(offset: i32) -> i32 {
    libc::SIGRTMIN().saturating_add(offset)
}

/// Signals that no longer interrupt anything but wait to be read.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks these signals for the calling thread, and the threads that it will start, and
    /// makes them readable. They stay blocked when this is dropped. Call it before any
    /// other thread exists, or a signal finds a thread that does not block it.
    ///
    /// # Errors
    /// `Bug` for a number that is no signal.
    #[expect(unsafe_code, reason = "no safe crate offers signalfd")]
    pub fn open(signals: &[i32]) -> Result<Self, Error> {
        let set = set_of(signals).during("collect signals")?;
        // SAFETY: both pointers are valid: to a live set, and null for "do not report".
        let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) };
        if blocked != 0 {
            return Err(Error::from_errno("block signals", blocked, None));
        }
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the pointer is to a live set, which is only read.
        let fd = unsafe { libc::signalfd(-1, &raw const set, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error()).during("make signals readable");
        }
        // SAFETY: the descriptor is fresh and nobody else's.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal's number; `None` when none waits. Equal signals that came before the
    /// first was read are one.
    #[must_use]
    pub fn next(&self) -> Option<i32> {
        // `signalfd_siginfo`: the number comes first.
        let mut info = [0_u8; 128];
        let length = rustix::io::read(&self.0, &mut info).ok()?;
        let number = info.get(..length)?.first_chunk().copied().map(u32::from_ne_bytes)?;
        i32::try_from(number).ok()
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Gives every signal its default effect and blocks none, as a new program expects it.
/// Only for a child between fork and exec: handlers of this program are lost.
#[expect(unsafe_code, reason = "no safe crate sets dispositions")]
pub(super) fn reset() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default disposition is valid; for signals that cannot be changed (KILL,
        // STOP, the C library's own) the call fails, which is right.
        let _ = unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = set_of(&[])?;
    // SAFETY: both pointers are valid: to a live set, and null for "do not report".
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[expect(unsafe_code, reason = "a signal set is filled through a pointer")]
fn set_of(signals: &[i32]) -> io::Result<libc::sigset_t> {
    // SAFETY: `sigset_t` is plain data, and all zero is the empty set on Linux.
    let mut set: libc::sigset_t = unsafe { zeroed() };
    for signal in signals {
        // SAFETY: the pointer is to a live, initialised set; bad numbers are refused.
        if unsafe { libc::sigaddset(&raw mut set, *signal) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::readable_within;

    #[test]
    #[expect(unsafe_code, reason = "only the test's own thread may get the signal")]
    fn a_signal_that_is_sent_can_be_read() {
        let signals = SignalFd::open(&[SIGUSR2, realtime(2)]).expect("open");
        assert_eq!(signals.next(), None);
        // SAFETY: the calling thread exists, and has just blocked the signal.
        let sent = unsafe { libc::pthread_kill(libc::pthread_self(), SIGUSR2) };
        assert_eq!(sent, 0);
        assert!(readable_within(&signals, Duration::from_secs(5)));
        assert_eq!(signals.next(), Some(SIGUSR2));
        assert_eq!(signals.next(), None);
    }

    #[test]
    fn a_number_that_is_no_signal_is_our_own_fault() {
        let error = SignalFd::open(&[4711]).expect_err("there is no such signal");
        assert_eq!(error.class, crate::Class::Bug);
    }
}
