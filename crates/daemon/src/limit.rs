//! A running child process with a time limit: SIGTERM at the limit, SIGKILL two seconds later, both to its
//! process group.

use std::time::Duration;

use standfast_kernel::process::Pid;
use standfast_types::Instant;

/// From SIGTERM to SIGKILL, as keepalived has it.
const GRACE: Duration = Duration::from_secs(2);

/// What to do to a process that exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Ask it to end.
    Terminate,
    /// End it.
    Kill,
}

/// A child process.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) pid: Pid,
    pub(crate) since: Instant,
    next: Option<(Instant, Overdue)>,
}

impl Running {
    pub(crate) fn new(pid: Pid, now: Instant) -> Self {
        Self { pid, since: now, next: None }
    }

    /// Ends it at `at`, or earlier if it had a limit already.
    pub(crate) fn limit(&mut self, at: Instant) {
        match &mut self.next {
            Some((limit, Overdue::Terminate)) => *limit = at.min(*limit),
            Some((_, Overdue::Kill)) => {}
            None => self.next = Some((at, Overdue::Terminate)),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    /// What is due at `now`.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Overdue> {
        let (_, overdue) = self.next.take_if(|(at, _)| *at <= now)?;
        // SIGKILL is repeated: a process may sit in the kernel for a while.
        self.next = Some((now + GRACE, Overdue::Kill));
        Some(overdue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_asked_first_and_ended_two_seconds_later() {
        let mut running = Running::new(Pid::INIT, Instant::ZERO);
        assert_eq!(running.next_deadline(), None);
        let limit = Instant::ZERO + Duration::from_secs(5);
        running.limit(limit);
        assert_eq!(running.overdue(Instant::ZERO), None);
        assert_eq!(running.overdue(limit), Some(Overdue::Terminate));
        assert_eq!(running.overdue(limit), None);
        assert_eq!(running.overdue(limit + GRACE), Some(Overdue::Kill));
    }
}
