//! What comes out, in its order: first what is to be done, then what is to be told.

use std::collections::VecDeque;

use crate::{Event, Output};

/// Collects outputs. Before the start nothing comes out: what is known by then is no news.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Output>,
    events: Vec<Event>,
    pub(crate) running: bool,
}

impl Outbox {
    /// To be done.
    pub(crate) fn push(&mut self, output: Output) {
        if self.running {
            self.ready.push_back(output);
        }
    }

    /// To be told when all is done that led to it.
    pub(crate) fn say(&mut self, event: Event) {
        if self.running {
            self.events.push(event);
        }
    }

    /// Everything is done.
    pub(crate) fn flush(&mut self) {
        self.ready.extend(self.events.drain(..).map(Output::Event));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }
}
