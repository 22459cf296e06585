//! `vrrp_track_process`.

use std::time::Duration;

use standfast_failover::{Comparison, Parameters, ProcessConfig, ProcessPattern, Weight};
use standfast_types::ProcessName;

use super::{Lowering, arguments::Read, file::own_weight};
use crate::{source::Span, syntax::Statement, table::Keyword};

/// A `vrrp_track_process` that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(super) config: ProcessConfig,
    pub(super) weight: Weight,
    pub(super) weight_span: Option<Span>,
    /// Some instance or group tracks it.
    pub(super) used: bool,
}

/// What the block says, before it is put together.
#[derive(Default)]
struct Block {
    words: Vec<String>,
    comparison: Option<Comparison>,
    full_command: bool,
    quorum: Option<u32>,
    quorum_max: Option<u32>,
    fork_delay: Duration,
    terminate_delay: Duration,
    weight: (Weight, Option<Span>),
}

impl Lowering<'_> {
    pub(super) fn track_process_block(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let Some(block) = keyword.block() else { return };
        let name = ProcessName::from(name.text.as_str());
        let mut found = Block::default();
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            let read = self.read(keyword, inner);
            found.take(keyword.name, &read);
        }
        let (weight, weight_span) = found.weight;
        // That it has no process, or is there already, is said by a lint.
        let known = self.processes.iter().any(|known| known.config.name == name);
        if let (Some(config), false) = (found.config(name), known) {
            self.processes.push(Draft { config, weight, weight_span, used: false });
        }
    }

    /// The processes that are tracked go into the model.
    pub(super) fn lower_processes(&mut self) {
        let used = std::mem::take(&mut self.processes).into_iter().filter(|draft| draft.used);
        self.model.failover.processes = used.map(|draft| draft.config).collect();
    }
}

impl Block {
    fn take(&mut self, name: &str, read: &Read<'_>) {
        let time = |old: Duration| read.time().map_or(old, |(time, _)| time);
        match name {
            "process" if !read.failed => {
                let words = read.matched.iter().map(|matched| matched.word.text.to_string());
                self.words = words.collect();
            }
            "param_match" if !read.failed => {
                self.comparison = Some(match read.word().map(|word| word.text.as_str()) {
                    Some("initial") => Comparison::LastOpen,
                    Some("partial") => Comparison::Leading,
                    Some(_) | None => Comparison::Exact,
                });
            }
            "full_command" => self.full_command = true,
            "weight" => self.weight = own_weight(read, self.weight.0, self.weight.1),
            "quorum" => self.quorum = read.small().map_or(self.quorum, |(count, _)| Some(count)),
            "quorum_max" => {
                self.quorum_max = read.small().map_or(self.quorum_max, |(count, _)| Some(count));
            }
            "delay" => {
                self.fork_delay = time(self.fork_delay);
                self.terminate_delay = self.fork_delay;
            }
            "fork_delay" => self.fork_delay = time(self.fork_delay),
            "terminate_delay" => self.terminate_delay = time(self.terminate_delay),
            _ => {}
        }
    }

    fn config(self, name: ProcessName) -> Option<ProcessConfig> {
        let mut words = self.words.into_iter();
        let command = words.next()?;
        let words: Vec<_> = words.collect();
        // Parameters that are written count, and without any `param_match` wants none.
        let parameters = (!words.is_empty() || self.comparison.is_some()).then(|| Parameters {
            words,
            comparison: self.comparison.unwrap_or(Comparison::Exact),
        });
        // A name has no path.
        let command_line = self.full_command || parameters.is_some() || command.contains('/');
        // A limit of 0 means that none may run.
        let quorum = self.quorum.unwrap_or(1).min(self.quorum_max.unwrap_or(u32::MAX));
        Some(ProcessConfig {
            name,
            pattern: ProcessPattern { command, command_line, parameters },
            quorum,
            quorum_max: self.quorum_max,
            fork_delay: self.fork_delay,
            terminate_delay: self.terminate_delay,
        })
    }
}
