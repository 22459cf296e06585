//! The FIFOs of the configuration and the commands that read them.

use std::{os::fd::BorrowedFd, time::Duration};

use standfast_conf::{Command, Fifo as Config, Fifos as Wanted};
use standfast_kernel::process::Pid;
use standfast_types::Instant;

use crate::{
    fifo::Fifo,
    limit::{Overdue, Running},
};

/// How long a reader may go on when its FIFO is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// All open FIFOs.
#[derive(Debug, Default)]
pub(crate) struct Fifos {
    open: Vec<(Fifo, Option<Pid>)>,
    /// Readers of FIFOs that are closed.
    leaving: Vec<Running>,
}

impl Fifos {
    /// Opens what is wanted and closes what is not. What went wrong, in words.
    pub(crate) fn reconfigure(&mut self, now: Instant, wanted: &Wanted) -> Vec<String> {
        let configs: Vec<&Config> = [&wanted.all, &wanted.vrrp].into_iter().flatten().collect();
        for (fifo, reader) in std::mem::take(&mut self.open) {
            if configs.contains(&fifo.config()) && !fifo.is_stale() {
                self.open.push((fifo, reader));
            } else {
                self.leave(now, reader);
            }
        }
        let mut complaints = Vec::new();
        for config in configs {
            if self.open.iter().any(|(fifo, _)| fifo.config() == config) {
                continue;
            }
            match Fifo::open(config.clone()) {
                Ok(fifo) => self.open.push((fifo, None)),
                Err(error) => complaints.push(format!("no FIFO {}: {error}", config.path)),
            }
        }
        complaints
    }

    fn leave(&mut self, now: Instant, reader: Option<Pid>) {
        if let Some(pid) = reader {
            let mut running = Running::new(pid, now);
            running.limit(now + FAREWELL);
            self.leaving.push(running);
        }
    }

    /// The readers that do not run yet; tell [`Self::started`] when they do.
    pub(crate) fn readers(&self) -> Vec<(usize, Command)> {
        let idle = self.open.iter().enumerate().filter(|(_, (_, reader))| reader.is_none());
        idle.filter_map(|(at, (fifo, _))| Some((at, fifo.reader()?))).collect()
    }

    pub(crate) fn started(&mut self, at: usize, pid: Pid) {
        if let Some((_, reader)) = self.open.get_mut(at) {
            *reader = Some(pid);
        }
    }

    /// A process ended; the FIFO that it should still read.
    pub(crate) fn ended(&mut self, pid: Pid) -> Option<&str> {
        self.leaving.retain(|running| running.pid != pid);
        let (fifo, reader) = self.open.iter_mut().find(|(_, reader)| *reader == Some(pid))?;
        *reader = None;
        Some(&fifo.config().path)
    }

    /// Writes a line to each. How many older ones are lost for it.
    pub(crate) fn write(&mut self, line: &str) -> usize {
        self.open.iter_mut().map(|(fifo, _)| fifo.write(line)).sum()
    }

    /// Those with lines that wait for room.
    pub(crate) fn full(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let full = self.open.iter().filter(|(fifo, _)| fifo.has_backlog());
        full.map(|(fifo, _)| std::os::fd::AsFd::as_fd(fifo))
    }

    pub(crate) fn flush(&mut self) {
        for (fifo, _) in &mut self.open {
            fifo.flush();
        }
    }

    /// Closes all: readers see the end, and have a moment for what is left.
    pub(crate) fn close(&mut self, now: Instant) {
        for (mut fifo, reader) in std::mem::take(&mut self.open) {
            fifo.flush();
            self.leave(now, reader);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.leaving.iter().filter_map(Running::next_deadline).min()
    }

    /// Readers that were to end and did not.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<(Pid, Overdue)> {
        let overdue = self
            .leaving
            .iter_mut()
            .filter_map(|running| Some((running.pid, running.overdue(now)?)));
        overdue.collect()
    }

    /// Whether no reader is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.leaving.is_empty()
    }
}
