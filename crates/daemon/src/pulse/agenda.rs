//! Work on the kernel that can take its time: thousands of addresses must not hold up one advert.
//!
//! Changes are made in the order in which the brain asks for them, a batch at a time. An address is
//! announced as soon as it is there. Leases are renewed when there is nothing else to do.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use standfast_types::{IfIndex, RoutingEntry, VirtualAddress};

/// Where an address is.
pub(super) type Place = (IfIndex, IpAddr);

/// As many changes may be made before an advert that comes behind them, so that whoever lets go on hearing
/// it opens no gap. More would delay it.
const SHORT: usize = 64;
/// The sizes of a batch, and how long one may take.
const SMALLEST: usize = 8;
const LARGEST: usize = 128;
const TOO_LONG: Duration = Duration::from_millis(1);
const SHORT_TIME: Duration = Duration::from_micros(300);

/// An address to install, or whose lease to renew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) index: IfIndex,
    pub(super) address: VirtualAddress,
    pub(super) seconds: u32,
}

/// Something to do at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Add(Vec<Lease>),
    Remove(Vec<(IfIndex, VirtualAddress)>),
    AddEntry(RoutingEntry),
    RemoveEntry(RoutingEntry),
    Announce(Vec<Place>),
}

#[derive(Debug)]
enum Change {
    Add(Lease),
    Remove(IfIndex, VirtualAddress),
    AddEntry(RoutingEntry),
    RemoveEntry(RoutingEntry),
}

#[derive(Debug)]
pub(super) struct Agenda {
    changes: VecDeque<Change>,
    /// Addresses that `changes` will install.
    coming: BTreeSet<Place>,
    /// Addresses that were let go of since `announcements` was empty.
    gone: BTreeSet<Place>,
    announcements: VecDeque<Place>,
    renewals: VecDeque<Lease>,
    batch: usize,
}

impl Default for Agenda {
    fn default() -> Self {
        Self {
            changes: VecDeque::new(),
            coming: BTreeSet::new(),
            gone: BTreeSet::new(),
            announcements: VecDeque::new(),
            renewals: VecDeque::new(),
            batch: SMALLEST,
        }
    }
}

impl Agenda {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.announcements.is_empty() && self.renewals.is_empty()
    }

    /// Whether an advert can wait for all changes.
    pub(super) fn is_short(&self) -> bool {
        self.changes.len() <= SHORT
    }

    /// Installs an address, or renews its lease; `there` is what the kernel said last.
    pub(super) fn add(&mut self, lease: Lease, there: bool) {
        let place = (lease.index, lease.address.prefix.address());
        if there && !self.gone.contains(&place) {
            self.renewals.push_back(lease);
        } else {
            self.gone.remove(&place);
            self.coming.insert(place);
            self.changes.push_back(Change::Add(lease));
        }
    }

    pub(super) fn remove(&mut self, index: IfIndex, address: VirtualAddress) {
        self.gone.insert((index, address.prefix.address()));
        self.changes.push_back(Change::Remove(index, address));
    }

    pub(super) fn add_entry(&mut self, entry: RoutingEntry) {
        self.changes.push_back(Change::AddEntry(entry));
    }

    pub(super) fn remove_entry(&mut self, entry: RoutingEntry) {
        self.changes.push_back(Change::RemoveEntry(entry));
    }

    pub(super) fn announce(&mut self, place: Place) {
        self.announcements.push_back(place);
    }

    /// Announces nothing any more of what was asked for until now.
    pub(super) fn fall_silent(&mut self) {
        self.announcements.clear();
    }

    /// The next thing to do: announcements of what is there, then changes, then renewals.
    pub(super) fn next(&mut self) -> Option<Task> {
        let announcements = self.next_announcements();
        if !announcements.is_empty() {
            return Some(Task::Announce(announcements));
        }
        self.next_change().or_else(|| {
            let batch: Vec<_> =
                self.renewals.drain(..self.batch.min(self.renewals.len())).collect();
            // What was let go of since then must not come back.
            let there =
                |lease: &Lease| !self.gone.contains(&(lease.index, lease.address.prefix.address()));
            let batch: Vec<_> = batch.into_iter().filter(there).collect();
            if self.is_empty() {
                self.gone.clear();
            }
            (!batch.is_empty()).then_some(Task::Add(batch))
        })
    }

    /// The next changes.
    pub(super) fn next_change(&mut self) -> Option<Task> {
        match self.changes.pop_front()? {
            Change::AddEntry(entry) => Some(Task::AddEntry(entry)),
            Change::RemoveEntry(entry) => Some(Task::RemoveEntry(entry)),
            Change::Add(first) => {
                let mut batch = vec![first];
                while batch.len() < self.batch
                    && let Some(Change::Add(_)) = self.changes.front()
                    && let Some(Change::Add(next)) = self.changes.pop_front()
                {
                    batch.push(next);
                }
                for Lease { index, address, .. } in &batch {
                    self.coming.remove(&(*index, address.prefix.address()));
                }
                Some(Task::Add(batch))
            }
            Change::Remove(index, address) => {
                let mut batch = vec![(index, address)];
                while batch.len() < self.batch
                    && let Some(Change::Remove(..)) = self.changes.front()
                    && let Some(Change::Remove(index, address)) = self.changes.pop_front()
                {
                    batch.push((index, address));
                }
                Some(Task::Remove(batch))
            }
        }
    }

    /// Learns from how long a whole batch took.
    pub(super) fn took(&mut self, time: Duration) {
        if time > TOO_LONG {
            self.batch = (self.batch / 2).max(SMALLEST);
        } else if time < SHORT_TIME {
            self.batch = self.batch.saturating_mul(2).min(LARGEST);
        }
    }

    fn next_announcements(&mut self) -> Vec<Place> {
        let mut batch = Vec::new();
        while batch.len() < self.batch
            && let Some(place) = self.announcements.front().copied()
            && !self.coming.contains(&place)
        {
            self.announcements.pop_front();
            if !self.gone.contains(&place) {
                batch.push(place);
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use standfast_types::Prefix;

    use super::*;

    const INDEX: IfIndex = IfIndex::new(2);

    fn lease(host: u8) -> Lease {
        let prefix = Prefix::host(ip(host));
        let address = VirtualAddress::new(prefix, "eth0".into());
        Lease { index: INDEX, address, seconds: 3 }
    }

    fn ip(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    /// Every task as text: the hosts that it is about.
    fn tasks(agenda: &mut Agenda) -> Vec<String> {
        let host = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        let text = |task| match task {
            Task::Add(leases) => {
                let hosts: Vec<_> =
                    leases.iter().map(|lease| host(lease.address.prefix.address())).collect();
                format!("add {hosts:?}")
            }
            Task::Remove(places) => {
                let hosts: Vec<_> =
                    places.iter().map(|(_, address)| host(address.prefix.address())).collect();
                format!("remove {hosts:?}")
            }
            Task::Announce(places) => {
                let hosts: Vec<_> = places.iter().map(|(_, address)| host(*address)).collect();
                format!("announce {hosts:?}")
            }
            Task::AddEntry(_) | Task::RemoveEntry(_) => "entry".to_owned(),
        };
        std::iter::from_fn(|| agenda.next()).map(text).collect()
    }

    #[test]
    fn an_address_is_announced_when_it_is_there_and_before_the_next_batch() {
        let mut agenda = Agenda::default();
        for host in 1..=10 {
            agenda.add(lease(host), false);
        }
        for host in (1..=10).chain(1..=2) {
            agenda.announce((INDEX, ip(host)));
        }
        let expected = [
            "add [1, 2, 3, 4, 5, 6, 7, 8]",
            "announce [1, 2, 3, 4, 5, 6, 7, 8]",
            "add [9, 10]",
            "announce [9, 10, 1, 2]",
        ];
        assert_eq!(tasks(&mut agenda), expected);
        assert!(agenda.is_empty());
    }

    #[test]
    fn renewals_come_last_and_what_was_let_go_of_is_neither_renewed_nor_announced() {
        let mut agenda = Agenda::default();
        agenda.add(lease(1), true);
        agenda.add(lease(2), true);
        agenda.announce((INDEX, ip(1)));
        agenda.announce((INDEX, ip(2)));
        agenda.remove(INDEX, lease(1).address);
        assert_eq!(tasks(&mut agenda), ["announce [2]", "remove [1]", "add [2]"]);
    }

    #[test]
    fn an_address_that_comes_back_is_installed_after_its_removal() {
        let mut agenda = Agenda::default();
        agenda.remove(INDEX, lease(1).address);
        agenda.add(lease(1), true);
        agenda.announce((INDEX, ip(1)));
        assert_eq!(tasks(&mut agenda), ["remove [1]", "add [1]", "announce [1]"]);
    }

    #[test]
    fn a_batch_that_takes_long_is_followed_by_smaller_ones() {
        let mut agenda = Agenda::default();
        for _ in 0..10 {
            agenda.took(Duration::from_micros(10));
        }
        assert_eq!(agenda.batch, LARGEST);
        agenda.took(Duration::from_millis(2));
        assert_eq!(agenda.batch, LARGEST / 2);
    }
}
