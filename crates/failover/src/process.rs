//! Processes that are followed (`vrrp_track_process`): which ones match, how many there must be, and for how
//! long before a change counts.
//!
//! The world tells of processes as they come and go, one after the other, and of all of them when it may
//! have missed some. Those that match nothing need not be told of.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{Instant, ProcessName};

use crate::{Event, Output};

/// The kernel keeps this many bytes of a process's name.
const NAME_MAX: usize = 15;

/// One `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// Its name.
    pub name: ProcessName,
    /// Which processes count.
    pub pattern: ProcessPattern,
    /// How many there must be at least.
    pub quorum: u32,
    /// How many there may be at most.
    pub quorum_max: Option<u32>,
    /// How long a change must last that a new process makes.
    pub fork_delay: Duration,
    /// How long a change must last that the end of a process makes.
    pub terminate_delay: Duration,
}

/// Which processes count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPattern {
    /// The process's name; with `command_line` the first word of its command line.
    pub command: String,
    /// Whether the command line is looked at, not only the name.
    pub command_line: bool,
    /// The parameters behind it, where they matter.
    pub parameters: Option<Parameters>,
}

/// Parameters that a process must have (`param_match`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// One by one.
    pub words: Vec<String>,
    /// How they are compared.
    pub comparison: Comparison,
}

/// How parameters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// All of them, and no more.
    Exact,
    /// These come first, others may follow (`partial`).
    Leading,
    /// These come first, the last one may be longer, and others may follow (`initial`).
    LastOpen,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub name: Vec<u8>,
    /// The words of its command line; none of a process of the kernel, or where nobody asks for them.
    pub command: Vec<Vec<u8>>,
}

/// What the world tells about processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessInput {
    /// These are all. Whatever was known before may be wrong.
    All(Vec<Process>),
    /// One is new, runs another program, or has another name.
    Runs(Process),
    /// One has ended.
    Gone {
        /// Which.
        pid: u32,
    },
}

/// All of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes {
    watches: BTreeMap<ProcessName, Watch>,
    /// What is counted from the moment on when it is asked for; `None` until all are known.
    known: Option<BTreeMap<u32, Process>>,
}

#[derive(Clone, Debug)]
struct Watch {
    config: ProcessConfig,
    /// Those that match.
    pids: BTreeSet<u32>,
    /// `None` until all processes are known.
    up: Option<bool>,
    /// When the other state counts.
    change_at: Option<Instant>,
}

impl Processes {
    pub(crate) fn new(configs: Vec<ProcessConfig>) -> Self {
        let watches = configs.into_iter().map(|config| (config.name.clone(), Watch::new(config)));
        Self { watches: watches.collect(), known: None }
    }

    /// Whether as many run as shall; `None` while that is not known.
    pub(crate) fn up(&self, name: &ProcessName) -> Option<bool> {
        self.watches.get(name)?.up
    }

    /// Takes a new configuration. What is counted alike stays as it is.
    pub(crate) fn reconfigure(&mut self, configs: Vec<ProcessConfig>) {
        let mut old = std::mem::take(&mut self.watches);
        for config in configs {
            let watch = match old.remove(&config.name) {
                Some(watch) if watch.config.pattern == config.pattern => Watch { config, ..watch },
                Some(_) | None => Watch::of(config, self.known.as_ref()),
            };
            self.watches.insert(watch.config.name.clone(), watch);
        }
    }

    /// Whether any counts as something else afterwards.
    pub(crate) fn handle_input(
        &mut self,
        now: Instant,
        input: &ProcessInput,
        out: &mut VecDeque<Output>,
    ) -> bool {
        self.remember(input);
        let mut changed = false;
        for watch in self.watches.values_mut() {
            let before = watch.pids.len();
            watch.follow(input);
            let all = matches!(input, ProcessInput::All(_));
            changed |= watch.judge(now, before, all, out);
        }
        changed
    }

    fn remember(&mut self, input: &ProcessInput) {
        match (input, &mut self.known) {
            (ProcessInput::All(all), known) => {
                *known = Some(all.iter().map(|one| (one.pid, one.clone())).collect());
            }
            (ProcessInput::Runs(process), Some(known)) => {
                known.insert(process.pid, process.clone());
            }
            (ProcessInput::Gone { pid }, Some(known)) => {
                known.remove(pid);
            }
            (ProcessInput::Runs(_) | ProcessInput::Gone { .. }, None) => {}
        }
    }

    /// Does what is due. Whether any counts as something else afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut VecDeque<Output>) -> bool {
        let mut changed = false;
        for watch in self.watches.values_mut() {
            if watch.change_at.take_if(|at| *at <= now).is_some() {
                watch.settle(out);
                changed = true;
            }
        }
        changed
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.watches.values().filter_map(|watch| watch.change_at).min()
    }
}

impl Watch {
    const fn new(config: ProcessConfig) -> Self {
        Self { config, pids: BTreeSet::new(), up: None, change_at: None }
    }

    /// A new one, which counts those that are known.
    fn of(config: ProcessConfig, known: Option<&BTreeMap<u32, Process>>) -> Self {
        let mut watch = Self::new(config);
        if let Some(known) = known {
            let matching = known.values().filter(|process| watch.config.pattern.matches(process));
            watch.pids = matching.map(|process| process.pid).collect();
            watch.up = Some(watch.is_right());
        }
        watch
    }

    fn follow(&mut self, input: &ProcessInput) {
        let pattern = &self.config.pattern;
        match input {
            ProcessInput::All(all) => {
                let matching = all.iter().filter(|process| pattern.matches(process));
                self.pids = matching.map(|process| process.pid).collect();
            }
            ProcessInput::Runs(process) => self.set(process.pid, pattern.matches(process)),
            ProcessInput::Gone { pid } => self.set(*pid, false),
        }
    }

    fn set(&mut self, pid: u32, matches: bool) {
        if matches {
            self.pids.insert(pid);
        } else {
            self.pids.remove(&pid);
        }
    }

    /// Whether it counts as something else, after there were `before` of them.
    fn judge(
        &mut self,
        now: Instant,
        before: usize,
        all: bool,
        out: &mut VecDeque<Output>,
    ) -> bool {
        let right = self.is_right();
        match self.up {
            // The first list decides at once.
            None if all => {
                self.settle(out);
                return true;
            }
            None => return false,
            Some(up) if up == right => {
                self.change_at = None;
                return false;
            }
            Some(_) => {}
        }
        let more = self.pids.len() > before;
        let delay = if more { self.config.fork_delay } else { self.config.terminate_delay };
        if delay.is_zero() {
            self.settle(out);
            return true;
        }
        self.change_at.get_or_insert(now + delay);
        false
    }

    fn settle(&mut self, out: &mut VecDeque<Output>) {
        let up = self.is_right();
        self.change_at = None;
        self.up = Some(up);
        let name = self.config.name.clone();
        out.push_back(Output::Emit(Event::Process { name, up, count: self.count() }));
    }

    fn is_right(&self) -> bool {
        let count = self.count();
        count >= self.config.quorum && self.config.quorum_max.is_none_or(|most| count <= most)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.pids.len()).unwrap_or(u32::MAX)
    }
}

impl ProcessPattern {
    /// Whether a process counts.
    #[must_use]
    pub fn matches(&self, process: &Process) -> bool {
        if !self.command_line {
            return self.is_named(&process.name);
        }
        let mut words = process.command.iter().map(Vec::as_slice);
        words.next() == Some(self.command.as_bytes())
            && self.parameters.as_ref().is_none_or(|parameters| parameters.match_all(words))
    }

    /// The kernel cuts names off.
    fn is_named(&self, name: &[u8]) -> bool {
        let wanted = self.command.as_bytes();
        name == wanted.get(..NAME_MAX).unwrap_or(wanted)
    }
}

impl Parameters {
    fn match_all<'a>(&self, mut given: impl Iterator<Item = &'a [u8]>) -> bool {
        let last = self.words.len().saturating_sub(1);
        let alike = self.words.iter().enumerate().all(|(at, wanted)| {
            let open = at == last && self.comparison == Comparison::LastOpen;
            given.next().is_some_and(|word| {
                let wanted = wanted.as_bytes();
                if open { word.starts_with(wanted) } else { word == wanted }
            })
        });
        alike && (self.comparison != Comparison::Exact || given.next().is_none())
    }
}

#[cfg(test)]
mod tests;
