//! What names of real servers stand for (DNS, SRV records, `/etc/hosts`).
//!
//! One thread asks, and runs only while there is a name to ask for: name servers are slow or dead, and nobody
//! waits for them. An answer is asked for again when its time to live is over, at the earliest after 1 s and
//! at the latest after 1 h, and at once when `/etc/resolv.conf` or `/etc/hosts` has changed. Without an answer
//! what was known stays.

mod memory;
mod system;
mod thread;

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, mpsc},
};

use rustix::event::{EventfdFlags, eventfd};
use standfast_balance::{Endpoint, Resolved};
use tokio::sync::mpsc::UnboundedSender;

use crate::message::Level;

/// Every name that is followed, and what it stands for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    followed: BTreeMap<Endpoint, Vec<Resolved>>,
    running: Option<Running>,
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
struct Running {
    orders: UnboundedSender<Order>,
    reports: mpsc::Receiver<Report>,
    /// Readable while there are reports.
    bell: Arc<OwnedFd>,
}

/// To the thread.
#[derive(Debug)]
enum Order {
    Follow(Endpoint),
    Forget(Endpoint),
}

/// From the thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// What an endpoint stands for now; never empty.
    Resolved(Endpoint, Vec<Resolved>),
    /// Something that an operator should read.
    Said(Level, String),
}

impl Names {
    /// Begins to ask what an endpoint stands for, unless that is done already. What is known about it so far.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn follow(&mut self, endpoint: Endpoint) -> io::Result<&[Resolved]> {
        if !self.followed.contains_key(&endpoint) {
            let running = match self.running.take() {
                Some(running) => running,
                None => start()?,
            };
            // A thread that is gone says nothing any more.
            let _ = running.orders.send(Order::Follow(endpoint.clone()));
            self.running = Some(running);
        }
        Ok(self.followed.entry(endpoint).or_default())
    }

    /// It is not needed any more.
    pub(crate) fn forget(&mut self, endpoint: &Endpoint) {
        self.followed.remove(endpoint);
        if self.followed.is_empty() {
            self.running = None;
        } else if let Some(running) = &self.running {
            let _ = running.orders.send(Order::Forget(endpoint.clone()));
        }
    }

    /// Only these are needed any more.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Endpoint) -> bool) {
        let gone: Vec<_> = self.followed.keys().filter(|one| !wanted(one)).cloned().collect();
        for endpoint in gone {
            self.forget(&endpoint);
        }
    }

    /// What an endpoint stands for; nothing while that is not known.
    pub(crate) fn known(&self, endpoint: &Endpoint) -> &[Resolved] {
        self.followed.get(endpoint).map_or(&[], Vec::as_slice)
    }

    /// All that is known.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Endpoint, &[Resolved])> {
        let known = self.followed.iter().filter(|(_, resolved)| !resolved.is_empty());
        known.map(|(endpoint, resolved)| (endpoint, resolved.as_slice()))
    }

    /// Becomes readable when there is a report.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.bell.as_fd())
    }

    /// What has changed.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        let Some(running) = &self.running else { return Vec::new() };
        // Before the reports: one that comes now rings again.
        let _ = rustix::io::read(&running.bell, &mut [0; 8]);
        let mut reports: Vec<_> = running.reports.try_iter().collect();
        // About one that was forgotten meanwhile.
        reports.retain(|report| match report {
            Report::Resolved(endpoint, _) => self.followed.contains_key(endpoint),
            Report::Said(..) => true,
        });
        for report in &reports {
            if let Report::Resolved(endpoint, resolved) = report {
                self.followed.insert(endpoint.clone(), resolved.clone());
            }
        }
        reports
    }
}

fn start() -> io::Result<Running> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (orders, theirs) = tokio::sync::mpsc::unbounded_channel();
    let (sender, reports) = mpsc::channel();
    thread::start(theirs, thread::Reports::new(sender, Arc::clone(&bell)))?;
    Ok(Running { orders, reports, bell })
}
