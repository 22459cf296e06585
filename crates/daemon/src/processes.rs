//! Processes that are followed (`vrrp_track_process`).
//!
//! The end of one is told by its descriptor, everywhere and at once. New ones are told by the kernel's
//! process connector where it speaks to us, and else are looked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use standfast_failover::{Process, ProcessConfig, ProcessInput, ProcessPattern};
use standfast_kernel::{
    poll::Poll,
    process_watch::{self, Connector, Overrun, PidFd, ProcessEvent},
};
use standfast_types::Instant;

/// How often new processes are looked for where the kernel doesn't tell of them.
const SCAN: Duration = Duration::from_millis(250);
/// A process becomes what it will be soon after it began, and is read each time until then. Later
/// it rarely runs another program, and is read this often.
const SETTLED: Duration = Duration::from_secs(5);
/// Events that are followed in one go.
const BURST: usize = 4096;
/// The connector, among ids of processes.
const CONNECTOR: u64 = u64::MAX;

/// All processes that are followed.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    patterns: Vec<ProcessPattern>,
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    poll: Poll,
    connector: Option<Connector>,
    matching: BTreeMap<u32, Followed>,
    /// The others, each with the time from which on it is rarely read. None are kept where the kernel tells of
    /// changes.
    others: BTreeMap<u32, Instant>,
    scan_at: Option<Instant>,
    /// When all are read again.
    read_at: Instant,
}

#[derive(Debug)]
struct Followed {
    process: Process,
    /// `None` when there was no descriptor left.
    end: Option<PidFd>,
}

impl Processes {
    /// Takes the processes of a configuration and looks for them. What an operator should know.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        configs: &[ProcessConfig],
    ) -> Option<String> {
        let patterns: Vec<_> = configs.iter().map(|config| config.pattern.clone()).collect();
        let old = std::mem::replace(&mut self.patterns, patterns);
        if self.patterns.is_empty() {
            self.watch = None;
            return None;
        }
        let mut complaint = None;
        let watch = match self.watch.take() {
            Some(watch) => watch,
            None => match Watch::new(now) {
                Ok((watch, said)) => {
                    complaint = said;
                    watch
                }
                Err(error) => return Some(format!("processes can't be followed: {error}")),
            },
        };
        let watch = self.watch.insert(watch);
        watch.read_at = now;
        // The old configuration still counts for a moment.
        watch.scan(now, &[old, self.patterns.clone()].concat(), &mut Vec::new());
        complaint
    }

    /// Those that match.
    pub(crate) fn matching(&self) -> Vec<Process> {
        let all = self.watch.iter().flat_map(|watch| watch.matching.values());
        all.map(|followed| followed.process.clone()).collect()
    }

    /// What can be read from.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(|watch| watch.poll.as_fd())
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.watch.as_ref()?.scan_at
    }

    /// What has changed.
    pub(crate) fn receive(&mut self, now: Instant) -> Vec<ProcessInput> {
        let mut changes = Vec::new();
        if let Some(watch) = &mut self.watch {
            watch.receive(now, &self.patterns, &mut changes);
        }
        changes
    }
}

impl Watch {
    /// And why it has to look for new processes, if so.
    fn new(now: Instant) -> anyhow::Result<(Self, Option<String>)> {
        let poll = Poll::new()?;
        let (connector, why) = match Connector::open() {
            Ok(Some(connector)) => (Some(connector), None),
            Ok(None) => (None, Some("the kernel tells of them only outside of namespaces".into())),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(connector) = &connector {
            poll.registry().add(connector, CONNECTOR)?;
        }
        let said = why.map(|why: String| {
            let every = SCAN.as_millis();
            format!(
                "new processes are looked for every {every} ms, their end is told at once: {why}"
            )
        });
        let (matching, others) = (BTreeMap::new(), BTreeMap::new());
        let watch = Self { poll, connector, matching, others, scan_at: None, read_at: now };
        Ok((watch, said))
    }

    fn receive(
        &mut self,
        now: Instant,
        patterns: &[ProcessPattern],
        changes: &mut Vec<ProcessInput>,
    ) {
        let ready = self.poll.wait(Some(Duration::ZERO));
        let ready: Vec<_> = ready.map(Iterator::collect).unwrap_or_default();
        for pid in ready.iter().filter_map(|token| u32::try_from(*token).ok()) {
            self.forget(pid, changes);
        }
        if ready.contains(&CONNECTOR) {
            self.follow(now, patterns, changes);
        }
        if !changes.is_empty() && self.scan_at.is_some() {
            // What takes its place may be there already; but first the end is told.
            self.scan_at = Some(now);
        } else if self.scan_at.is_some_and(|at| at <= now) {
            self.scan(now, patterns, changes);
        }
    }

    /// Follows what the kernel tells.
    fn follow(
        &mut self,
        now: Instant,
        patterns: &[ProcessPattern],
        changes: &mut Vec<ProcessInput>,
    ) {
        for _ in 0..BURST {
            let Some(connector) = &mut self.connector else { return };
            match connector.next() {
                Ok(None) => return,
                Ok(Some(ProcessEvent::Changed { pid })) => self.look(pid, patterns, changes),
                Ok(Some(ProcessEvent::Forked { parent, child })) => {
                    if self.matching.contains_key(&parent) {
                        self.look(child, patterns, changes);
                    }
                }
                Err(Overrun) => self.scan_at = Some(now),
            }
        }
    }

    /// Looks at all processes, as far as they may have changed.
    fn scan(&mut self, now: Instant, patterns: &[ProcessPattern], changes: &mut Vec<ProcessInput>) {
        let Ok(all) = process_watch::all() else { return };
        let there: BTreeSet<_> = all.into_iter().collect();
        let gone: Vec<_> =
            self.matching.keys().copied().filter(|pid| !there.contains(pid)).collect();
        for pid in gone {
            self.forget(pid, changes);
        }
        let everyone = self.connector.is_some() || self.read_at <= now;
        if everyone {
            self.read_at = now + SETTLED;
        }
        self.others.retain(|pid, _| there.contains(pid));
        for pid in there {
            let settled = self.others.get(&pid).is_some_and(|from| *from <= now);
            if everyone || !settled {
                self.look(pid, patterns, changes);
            }
            if self.connector.is_none() && !self.matching.contains_key(&pid) {
                self.others.entry(pid).or_insert(now + SETTLED);
            }
        }
        let blind = self.connector.is_none()
            || self.matching.values().any(|followed| followed.end.is_none());
        self.scan_at = blind.then(|| now + SCAN);
    }

    /// Looks at one process.
    fn look(&mut self, pid: u32, patterns: &[ProcessPattern], changes: &mut Vec<ProcessInput>) {
        let found = read(pid, patterns);
        let Some(process) = found.filter(|process| patterns.iter().any(|one| one.matches(process)))
        else {
            self.forget(pid, changes);
            return;
        };
        if self.matching.get(&pid).is_some_and(|known| known.process == process) {
            return;
        }
        let end = match PidFd::open(pid) {
            Ok(Some(end)) => Some(end),
            Ok(None) => {
                self.forget(pid, changes);
                return;
            }
            Err(_) => None,
        };
        let end = end.filter(|end| self.poll.registry().add(end, u64::from(pid)).is_ok());
        if end.is_none() {
            self.scan_at.get_or_insert_default();
        }
        self.others.remove(&pid);
        self.matching.insert(pid, Followed { process: process.clone(), end });
        changes.push(ProcessInput::Runs(process));
    }

    fn forget(&mut self, pid: u32, changes: &mut Vec<ProcessInput>) {
        if self.matching.remove(&pid).is_some() {
            changes.push(ProcessInput::Gone { pid });
        }
    }
}

/// What the patterns need to know of a process.
fn read(pid: u32, patterns: &[ProcessPattern]) -> Option<Process> {
    let (by_line, by_name): (Vec<_>, Vec<_>) =
        patterns.iter().partition(|pattern| pattern.command_line);
    let name = if by_name.is_empty() { Vec::new() } else { process_watch::name(pid)? };
    // Reading it may have to wait for the process itself; nobody does without need.
    let command = if by_line.is_empty() { Vec::new() } else { process_watch::command_line(pid)? };
    Some(Process { pid, name, command })
}

#[cfg(test)]
mod tests;
