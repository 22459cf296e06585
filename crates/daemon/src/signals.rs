//! The signals that supervisor and pulse read. None of keepalived's may end either of them by default.

use standfast_kernel::{
    Error,
    process::signal::{self, SignalFd},
};

/// keepalived's signals for its JSON dump and for statistics, above the lowest real-time signal.
pub(crate) const JSON: i32 = 2;
pub(crate) const STATS_CLEAR: i32 = 29;

/// Makes all of them readable.
///
/// # Errors
/// No descriptor left.
pub(crate) fn open() -> Result<SignalFd, Error> {
    SignalFd::open(&[
        signal::SIGCHLD,
        signal::SIGTERM,
        signal::SIGINT,
        signal::SIGHUP,
        signal::SIGUSR1,
        signal::SIGUSR2,
        signal::SIGPIPE,
        signal::SIGQUIT,
        signal::SIGALRM,
        signal::SIGXCPU,
        signal::realtime(JSON),
        signal::realtime(STATS_CLEAR),
    ])
}
