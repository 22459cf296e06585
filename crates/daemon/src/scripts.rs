//! When each `vrrp_script` runs, and what its end means. The runs themselves are the supervisor's affair.

use std::{collections::BTreeMap, time::Duration};

use standfast_conf::{Command, Script};
use standfast_kernel::process::Pid;
use standfast_types::{Instant, ScriptName};

use crate::limit::{Overdue, Running};

/// A script without a `timeout` of its own counts as failed after an interval, as keepalived has it, but may
/// go on for this long: people write checks that restart a service, wait three seconds for it and then end
/// keepalived, all of it with an interval of two.
const LINGER: Duration = Duration::from_secs(5);

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run a script's command; tell [`Scripts::started`] or [`Scripts::failed`].
    Start { name: ScriptName, command: Command },
    /// Signal a script's process group.
    Signal { pid: Pid, overdue: Overdue },
    /// A script counts as failed: it exceeded its timeout.
    Failed { name: ScriptName },
}

/// The schedule of every script.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    entries: BTreeMap<ScriptName, Entry>,
    /// Runs of scripts that a reload removed.
    orphans: Vec<Running>,
}

#[derive(Debug)]
struct Entry {
    script: Script,
    next: Instant,
    running: Option<Running>,
    /// When the run counts as failed, or once more as failed.
    expires: Option<Instant>,
    /// It exceeded its timeout, which was reported already.
    reported: bool,
    last: Option<bool>,
}

impl Scripts {
    /// Takes the scripts of a (new) configuration. Unchanged ones keep their rhythm and a running one
    /// goes on; new ones are due at once.
    pub(crate) fn reconfigure(&mut self, now: Instant, scripts: Vec<Script>) {
        let mut old = std::mem::take(&mut self.entries);
        for script in scripts {
            let entry = match old.remove(&script.name) {
                Some(entry) => {
                    let next = entry.next.min(now + script.interval);
                    Entry { script, next, ..entry }
                }
                None => Entry {
                    script,
                    next: now,
                    running: None,
                    expires: None,
                    reported: false,
                    last: None,
                },
            };
            self.entries.insert(entry.script.name.clone(), entry);
        }
        for mut orphan in old.into_values().filter_map(|entry| entry.running) {
            orphan.limit(now);
            self.orphans.push(orphan);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let runs = self.entries.values().filter_map(|entry| entry.running.as_ref());
        let limits = runs.chain(&self.orphans).filter_map(Running::next_deadline);
        let expiries = self.entries.values().filter_map(|entry| entry.expires);
        self.entries.values().map(|entry| entry.next).chain(limits).chain(expiries).min()
    }

    /// Everything that is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for (name, entry) in &mut self.entries {
            if entry.next <= now {
                // From now, not from when it was due: a late daemon must not catch up in a burst.
                entry.next = now + entry.script.interval;
                // A run that still goes on makes the next one be skipped.
                if entry.running.is_none() {
                    let command = entry.script.command.clone();
                    actions.push(Action::Start { name: name.clone(), command });
                }
            }
            let Some(running) = &mut entry.running else { continue };
            if let Some(overdue) = running.overdue(now) {
                actions.push(Action::Signal { pid: running.pid, overdue });
            }
            if entry.expires.take_if(|expires| *expires <= now).is_some() {
                // Where keepalived would have ended it, further runs would have failed as well.
                entry.expires = lingers(&entry.script).then_some(now + entry.script.interval);
                entry.reported = true;
                entry.last = Some(false);
                actions.push(Action::Failed { name: name.clone() });
            }
        }
        for orphan in &mut self.orphans {
            if let Some(overdue) = orphan.overdue(now) {
                actions.push(Action::Signal { pid: orphan.pid, overdue });
            }
        }
        actions
    }

    /// A run has begun.
    pub(crate) fn started(&mut self, now: Instant, name: &ScriptName, pid: Pid) {
        if let Some(entry) = self.entries.get_mut(name) {
            let mut running = Running::new(pid, now);
            let expires = now + entry.script.timeout;
            running.limit(if lingers(&entry.script) { expires + LINGER } else { expires });
            entry.running = Some(running);
            entry.expires = Some(expires);
            entry.reported = false;
        }
    }

    /// A run could not begin. Whether that is news, worth a line in the log.
    pub(crate) fn failed(&mut self, name: &ScriptName) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        entry.last.replace(false) != Some(false)
    }

    /// A process ended; the result when it was a script's and is not reported yet.
    pub(crate) fn ended(&mut self, pid: Pid, success: bool) -> Option<(ScriptName, bool)> {
        self.orphans.retain(|orphan| orphan.pid != pid);
        let mut entries = self.entries.iter_mut();
        let (name, entry) = entries
            .find(|(_, entry)| entry.running.as_ref().is_some_and(|running| running.pid == pid))?;
        entry.running = None;
        entry.expires = None;
        if entry.reported {
            return None;
        }
        entry.last = Some(success);
        Some((name.clone(), success))
    }

    /// The process groups that still run.
    pub(crate) fn running(&self) -> impl Iterator<Item = Pid> {
        let runs = self.entries.values().filter_map(|entry| entry.running.as_ref());
        runs.chain(&self.orphans).map(|running| running.pid)
    }
}

/// Whether it may go on when it has failed: no `timeout` is written, and so it is the interval.
fn lingers(script: &Script) -> bool {
    script.timeout == script.interval
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: Pid = Pid::INIT;
    const SECOND: Duration = Duration::from_secs(1);

    fn script() -> Script {
        Script {
            name: "check".into(),
            command: Command { argv: vec!["/bin/true".to_owned()], user: None },
            interval: 2 * SECOND,
            timeout: 5 * SECOND,
        }
    }

    fn scripts() -> Scripts {
        let mut scripts = Scripts::default();
        scripts.reconfigure(Instant::ZERO, vec![script()]);
        scripts
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + SECOND * u32::try_from(seconds).expect("small")
    }

    fn starts(actions: &[Action]) -> usize {
        actions.iter().filter(|action| matches!(action, Action::Start { .. })).count()
    }

    #[test]
    fn a_script_runs_at_once_and_then_once_an_interval() {
        let mut scripts = scripts();
        for second in 0..10 {
            let due = scripts.due(at(second));
            assert_eq!(starts(&due), usize::from(second % 2 == 0), "second {second}");
            scripts.started(at(second), &"check".into(), SEVEN);
            assert_eq!(scripts.ended(SEVEN, true), Some(("check".into(), true)));
        }
    }

    #[test]
    fn a_run_that_goes_on_makes_the_next_one_be_skipped() {
        let mut scripts = scripts();
        scripts.due(at(0));
        scripts.started(at(0), &"check".into(), SEVEN);
        assert_eq!(scripts.due(at(2)), []);
        scripts.ended(SEVEN, true);
        assert_eq!(starts(&scripts.due(at(4))), 1);
    }

    #[test]
    fn a_timeout_counts_as_one_failure_and_ends_the_process() {
        let mut scripts = scripts();
        scripts.due(at(0));
        scripts.started(at(0), &"check".into(), SEVEN);
        let failed = Action::Failed { name: "check".into() };
        let terminate = Action::Signal { pid: SEVEN, overdue: Overdue::Terminate };
        assert_eq!(scripts.due(at(5)), [terminate, failed]);
        let kill = Action::Signal { pid: SEVEN, overdue: Overdue::Kill };
        assert_eq!(scripts.due(at(7)), [kill]);
        assert_eq!(scripts.ended(SEVEN, false), None);
    }

    #[test]
    fn without_a_timeout_of_its_own_a_slow_script_fails_every_interval_and_may_go_on_for_a_while() {
        let mut scripts = Scripts::default();
        scripts.reconfigure(Instant::ZERO, vec![Script { timeout: 2 * SECOND, ..script() }]);
        scripts.due(at(0));
        scripts.started(at(0), &"check".into(), SEVEN);
        let failed = Action::Failed { name: "check".into() };
        assert_eq!(scripts.due(at(1)), []);
        for second in [2, 4, 6] {
            assert_eq!(scripts.due(at(second)), std::slice::from_ref(&failed), "second {second}");
        }
        let terminate = Action::Signal { pid: SEVEN, overdue: Overdue::Terminate };
        assert_eq!(scripts.due(at(7)), [terminate]);
        assert_eq!(scripts.ended(SEVEN, true), None, "it failed");
        assert_eq!(starts(&scripts.due(at(8))), 1);
    }

    #[test]
    fn a_reload_keeps_the_rhythm_and_ends_the_runs_of_removed_scripts() {
        let mut scripts = scripts();
        scripts.due(at(0));
        scripts.started(at(0), &"check".into(), SEVEN);
        scripts.reconfigure(at(1), vec![script()]);
        assert_eq!(scripts.due(at(1)), []);
        scripts.reconfigure(at(1), Vec::new());
        let terminate = Action::Signal { pid: SEVEN, overdue: Overdue::Terminate };
        assert_eq!(scripts.due(at(1)), [terminate]);
        assert_eq!(scripts.ended(SEVEN, true), None);
        assert_eq!(scripts.next_deadline(), None);
    }

    #[test]
    fn a_command_that_cannot_run_is_said_once() {
        let mut scripts = scripts();
        assert!(scripts.failed(&"check".into()));
        assert!(!scripts.failed(&"check".into()));
    }
}
