//! The FIFOs of the configuration and the commands that read them.

use std::{os::fd::BorrowedFd, time::Duration};

use standfast_conf::{Command, Fifo as Config};
use standfast_kernel::process::Pid;
use standfast_types::Instant;

use crate::{
    fifo::Fifo,
    limit::{Overdue, Running},
};

/// How long a reader may go on when its FIFO is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Instances and sync groups.
    Vrrp,
    /// Virtual and real servers.
    Servers,
}

/// Which FIFOs are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// `notify_fifo`
    pub(crate) all: Option<&'a Config>,
    /// `vrrp_notify_fifo`
    pub(crate) vrrp: Option<&'a Config>,
    /// `lvs_notify_fifo`
    pub(crate) servers: Option<&'a Config>,
}

#[derive(Debug)]
struct Open {
    fifo: Fifo,
    /// `None` takes every line.
    about: Option<About>,
    reader: Option<Pid>,
}

/// All open FIFOs.
#[derive(Debug, Default)]
pub(crate) struct Fifos {
    open: Vec<Open>,
    /// Readers of FIFOs that are closed.
    leaving: Vec<Running>,
}

impl Fifos {
    /// Opens what is wanted and closes what is not. What went wrong, in words.
    pub(crate) fn reconfigure(&mut self, now: Instant, wanted: Wanted<'_>) -> Vec<String> {
        let Wanted { all, vrrp, servers } = wanted;
        let wanted =
            [(all, None), (vrrp, Some(About::Vrrp)), (servers, Some(About::Servers))].into_iter();
        let wanted: Vec<_> = wanted.filter_map(|(config, about)| Some((config?, about))).collect();
        for open in std::mem::take(&mut self.open) {
            if wanted.contains(&(open.fifo.config(), open.about)) && !open.fifo.is_stale() {
                self.open.push(open);
            } else {
                self.leave(now, open.reader);
            }
        }
        let mut complaints = Vec::new();
        for (config, about) in wanted {
            let is = |open: &Open| open.fifo.config() == config && open.about == about;
            if self.open.iter().any(is) {
                continue;
            }
            match Fifo::open(config.clone()) {
                Ok(fifo) => self.open.push(Open { fifo, about, reader: None }),
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
        let idle = self.open.iter().enumerate().filter(|(_, open)| open.reader.is_none());
        idle.filter_map(|(at, open)| Some((at, open.fifo.reader()?))).collect()
    }

    pub(crate) fn started(&mut self, at: usize, pid: Pid) {
        if let Some(open) = self.open.get_mut(at) {
            open.reader = Some(pid);
        }
    }

    /// A process ended; the FIFO that it should still read.
    pub(crate) fn ended(&mut self, pid: Pid) -> Option<&str> {
        self.leaving.retain(|running| running.pid != pid);
        let open = self.open.iter_mut().find(|open| open.reader == Some(pid))?;
        open.reader = None;
        Some(&open.fifo.config().path)
    }

    /// Writes a line to each that takes it. How many older ones are lost for it.
    pub(crate) fn write(&mut self, about: About, line: &str) -> usize {
        let takes = |open: &&mut Open| open.about.is_none_or(|own| own == about);
        self.open.iter_mut().filter(takes).map(|open| open.fifo.write(line)).sum()
    }

    /// Those with lines that wait for room.
    pub(crate) fn full(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let full = self.open.iter().filter(|open| open.fifo.has_backlog());
        full.map(|open| std::os::fd::AsFd::as_fd(&open.fifo))
    }

    pub(crate) fn flush(&mut self) {
        for open in &mut self.open {
            open.fifo.flush();
        }
    }

    /// Closes all: readers see the end, and have a moment for what is left.
    pub(crate) fn close(&mut self, now: Instant) {
        for mut open in std::mem::take(&mut self.open) {
            open.fifo.flush();
            self.leave(now, open.reader);
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
