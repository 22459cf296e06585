//! Runs of `MISC_CHECK` commands, each with a time limit. When one starts is the pool's affair.

use standfast_kernel::process::Pid;
use standfast_types::Instant;
use std::time::Duration;

use crate::{
    limit::{Overdue, Running},
    pool::RunId,
};

/// All that run.
#[derive(Debug, Default)]
pub(crate) struct Commands(Vec<Run>);

#[derive(Debug)]
struct Run {
    /// Whose; `None` when nobody waits for its end any more.
    id: Option<RunId>,
    /// Of which probe: while it goes on, there is no other.
    probe: Option<u32>,
    running: Running,
    expires: Instant,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Signal a command's process group.
    Signal(Pid, Overdue),
    /// Its time is over.
    Late(RunId),
}

impl Commands {
    /// Whether a probe's run before still goes on.
    pub(crate) fn is_running(&self, id: RunId) -> bool {
        self.0.iter().any(|run| run.probe == Some(id.probe))
    }

    /// A run has begun.
    pub(crate) fn started(&mut self, now: Instant, id: RunId, pid: Pid, limit: Duration) {
        let mut running = Running::new(pid, now);
        let expires = now + limit;
        running.limit(expires);
        self.0.push(Run { id: Some(id), probe: Some(id.probe), running, expires });
    }

    /// A process ended; whose it was, while somebody waits for it.
    pub(crate) fn ended(&mut self, pid: Pid) -> Option<Option<RunId>> {
        let place = self.0.iter().position(|run| run.running.pid == pid)?;
        Some(self.0.swap_remove(place).id)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|run| run.running.next_deadline()).min()
    }

    /// Everything that is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for run in &mut self.0 {
            if run.expires <= now {
                actions.extend(run.id.take().map(Action::Late));
            }
            let overdue = run.running.overdue(now);
            actions.extend(overdue.map(|overdue| Action::Signal(run.running.pid, overdue)));
        }
        actions
    }

    /// The pool is gone: all are ended, and nobody waits for them.
    pub(crate) fn forget(&mut self, now: Instant) {
        for run in &mut self.0 {
            (run.id, run.probe) = (None, None);
            run.running.limit(now);
        }
    }

    /// The process groups that still run.
    pub(crate) fn running(&self) -> impl Iterator<Item = Pid> {
        self.0.iter().map(|run| run.running.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RunId = RunId { probe: 3, generation: 1 };
    const LIMIT: Duration = Duration::from_secs(5);

    fn running() -> Commands {
        let mut commands = Commands::default();
        commands.started(Instant::ZERO, ID, Pid::INIT, LIMIT);
        commands
    }

    #[test]
    fn one_that_takes_too_long_is_late_once_and_asked_to_end_and_then_ended() {
        let mut commands = running();
        assert_eq!(commands.due(Instant::ZERO), []);
        let late = Instant::ZERO + LIMIT;
        let ask = Action::Signal(Pid::INIT, Overdue::Terminate);
        assert_eq!(commands.due(late), [Action::Late(ID), ask]);
        assert!(commands.is_running(ID), "the next run is skipped");
        let end = Action::Signal(Pid::INIT, Overdue::Kill);
        assert_eq!(commands.due(late + LIMIT), [end]);
        assert_eq!(commands.ended(Pid::INIT), Some(None));
        assert!(!commands.is_running(ID));
        assert_eq!(commands.ended(Pid::INIT), None);
    }

    #[test]
    fn without_a_pool_they_are_ended_and_stand_in_nobodys_way() {
        let mut commands = running();
        commands.forget(Instant::ZERO);
        assert!(!commands.is_running(ID));
        let ask = Action::Signal(Pid::INIT, Overdue::Terminate);
        assert_eq!(commands.due(Instant::ZERO), [ask]);
        assert_eq!(commands.ended(Pid::INIT), Some(None));
    }
}
