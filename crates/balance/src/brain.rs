//! The brain: all virtual servers of a machine.

use std::collections::VecDeque;

use standfast_types::{Instant, ServiceTable};

use crate::{Config, Input, Output, ServiceSnapshot};

/// The balancing brain of one machine.
///
/// It gathers what is known until [`Self::start`], silently. From then on each input is followed by
/// [`Self::poll_output`] until `None`.
#[derive(Clone, Debug)]
pub struct Brain {
    config: Config,
    /// What the kernel has, or will have when it has done all that came out.
    table: ServiceTable,
    outputs: VecDeque<Output>,
}

impl Brain {
    /// A brain that gathers what is known until [`Self::start`]: verdicts, orders and what was reported
    /// of a former life; numbers of files, states of BFD sessions and instances, addresses.
    #[must_use]
    pub fn new(config: Config, _now: Instant) -> Self {
        Self { config, table: ServiceTable::new(), outputs: VecDeque::new() }
    }

    /// Begins. Of what the kernel has in `kernel`, services that the configuration names are adopted, and
    /// only differences come out; those of others are left alone.
    pub fn start(&mut self, _now: Instant, _kernel: &ServiceTable) {}

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, _now: Instant, _input: Input) {}

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The next thing to do. Call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Another configuration. Only differences come out; verdicts of checks that are equal, and orders, stay.
    pub fn reconfigure(&mut self, _now: Instant, config: Config) {
        self.config = config;
    }

    /// Compares with what the kernel really has, and puts right what somebody else changed.
    pub fn verify(&mut self, _now: Instant, _kernel: &ServiceTable) {}

    /// Everything goes; services with `omega` are reported as down.
    pub fn stop(&mut self, _now: Instant) {}

    /// What the kernel must have.
    #[must_use]
    pub fn wanted(&self) -> &ServiceTable {
        &self.table
    }

    /// How everything is, in the order of the file.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ServiceSnapshot> {
        Vec::new()
    }
}
