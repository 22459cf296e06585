//! The routes and rules of one holder: an instance while it is master, or the machine.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{Instant, InterfaceName, RoutingEntry};

use crate::{Output, world::World};

/// How long after a refusal an entry is tried again; a changed interface does not wait for it.
const RETRY: Duration = Duration::from_secs(1);

/// Something that happened to a route or a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoutingEvent {
    /// Somebody removed it; it is back.
    Restored {
        /// Which.
        entry: RoutingEntry,
        /// How often this happened to the holder's entries.
        count: u32,
    },
    /// The kernel refused it. It is tried again.
    Refused {
        /// Which.
        entry: RoutingEntry,
        /// What the kernel said.
        error: String,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Routing {
    /// Asked for and not taken back, in the order of the file: one may need those before it.
    held: Vec<RoutingEntry>,
    /// Removed by somebody a moment ago.
    gone: BTreeSet<RoutingEntry>,
    /// When what is gone is looked at: once the kernel has said all that it has to say, for a
    /// route that went with its interface was removed by nobody.
    look_at: Option<Instant>,
    /// Not in the kernel, and what it said last; nothing when an interface is the reason.
    lacking: BTreeMap<RoutingEntry, Option<String>>,
    retry_at: Option<Instant>,
    restored: u32,
}

impl Routing {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.look_at.into_iter().chain(self.retry_at).min()
    }

    pub(crate) const fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Installs what is new and removes what is no longer wanted.
    pub(crate) fn hold(&mut self, wanted: &[RoutingEntry], out: &mut VecDeque<Output>) {
        let kept: BTreeSet<_> = wanted.iter().collect();
        let (kept, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|held| kept.contains(held));
        self.take_back(stale, out);
        let known: BTreeSet<_> = kept.iter().collect();
        for entry in wanted.iter().filter(|entry| !known.contains(entry)) {
            out.push_back(Output::AddEntry { entry: entry.clone() });
        }
        self.held = wanted.to_vec();
    }

    /// Removes everything, the last first.
    pub(crate) fn let_go(&mut self, out: &mut VecDeque<Output>) {
        let held = std::mem::take(&mut self.held);
        self.take_back(held, out);
        *self = Self::default();
    }

    fn take_back(&mut self, entries: Vec<RoutingEntry>, out: &mut VecDeque<Output>) {
        for entry in entries.into_iter().rev() {
            self.gone.remove(&entry);
            self.lacking.remove(&entry);
            out.push_back(Output::RemoveEntry { entry });
        }
    }

    /// The kernel no longer has an entry.
    pub(crate) fn lose(&mut self, now: Instant, entry: &RoutingEntry) {
        if entry.is_tracked() && self.held.contains(entry) && !self.lacking.contains_key(entry) {
            self.gone.insert(entry.clone());
            self.look_at = Some(now);
        }
    }

    /// What the kernel said to an entry: its refusal, or nothing when it has it.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        entry: &RoutingEntry,
        refusal: Option<&str>,
    ) -> Option<RoutingEvent> {
        if !self.held.contains(entry) {
            return None;
        }
        let Some(error) = refusal else {
            self.lacking.remove(entry);
            return None;
        };
        self.retry_at.get_or_insert(now + RETRY);
        let error = Some(error.to_owned());
        let before = self.lacking.insert(entry.clone(), error.clone());
        let news = before.as_ref() != Some(&error);
        error.filter(|_| news).map(|error| RoutingEvent::Refused { entry: entry.clone(), error })
    }

    /// Restores what is gone and tries again what was refused. What happened, for the log.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        world: &World,
        out: &mut VecDeque<Output>,
    ) -> Vec<RoutingEvent> {
        let mut events = Vec::new();
        if self.look_at.take_if(|at| *at <= now).is_some() {
            for entry in std::mem::take(&mut self.gone) {
                if !can_stand(&entry, world) {
                    self.lacking.insert(entry, None);
                    continue;
                }
                self.restored = self.restored.saturating_add(1);
                out.push_back(Output::AddEntry { entry: entry.clone() });
                events.push(RoutingEvent::Restored { entry, count: self.restored });
            }
        }
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            self.retry(now, world, out);
        }
        events
    }

    fn retry(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        for entry in self.held.iter().filter(|entry| self.lacking.contains_key(entry)) {
            if can_stand(entry, world) {
                out.push_back(Output::AddEntry { entry: entry.clone() });
                self.retry_at.get_or_insert(now + RETRY);
            }
        }
    }

    /// An interface came, went, or changed. The kernel drops IPv4's routes with an interface and says
    /// nothing, so what may have been among them is installed again.
    pub(crate) fn relink(
        &mut self,
        interface: &InterfaceName,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        if !world.is_running(interface) {
            return;
        }
        let affected = |entry: &&RoutingEntry| {
            let mut names = entry.interfaces().peekable();
            names.peek().is_none() || names.any(|name| name == interface)
        };
        for entry in self.held.iter().filter(affected) {
            if (entry.is_tracked() || self.lacking.contains_key(entry)) && can_stand(entry, world) {
                out.push_back(Output::AddEntry { entry: entry.clone() });
            }
        }
    }

    /// The machine lost an address and has it again. The kernel dropped the routes that send from it,
    /// and said nothing.
    pub(crate) fn readdress(&self, address: IpAddr, out: &mut VecDeque<Output>) {
        let tracked = |entry: &&RoutingEntry| entry.is_tracked() && entry.sends_from(address);
        for entry in self.held.iter().filter(tracked) {
            out.push_back(Output::AddEntry { entry: entry.clone() });
        }
    }

    /// Whether the kernel does not have the entry, as far as is known.
    pub(crate) fn lacks(&self, entry: &RoutingEntry, world: &World) -> bool {
        self.lacking.contains_key(entry) || !can_stand(entry, world)
    }
}

/// Whether every interface that it names is there and up.
fn can_stand(entry: &RoutingEntry, world: &World) -> bool {
    entry.interfaces().all(|name| world.is_running(name))
}

#[cfg(test)]
mod tests;
