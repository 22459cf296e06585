//! Never an address outside MASTER, never MASTER without its addresses, and none without an announcement.
//!
//! After each input a running process has brought the kernel up to its state: an address is there exactly
//! while its instance is master. One that was not there before is announced in the same breath, before the
//! kernel can answer for it (the simulation draws no `vrrp_garp_interval`).
//!
//! A dead or paused process renews no lease. The lease is three intervals in whole seconds, at least 2 s,
//! and was renewed at the latest when the process fell silent at t. The kernel is up to 1.3 s late. So the
//! addresses are gone at
//!
//! ```text
//! t + max(2 s, 3 intervals rounded up) + 1.3 s
//! ```
//!
//! A process that starts meanwhile removes what is left, or adopts it; what has left its file since then it
//! does not know, and the lease ends it all the same.

use std::time::Duration;

use standfast_types::Instant;
use standfast_vrrp::StateName;

use crate::{
    machine::LEASE_LATENESS,
    trace::{Happening, Place, Settings},
};

#[derive(Debug)]
pub(crate) struct Addresses {
    nodes: Vec<Node>,
    /// Whether any address is there that nobody renews.
    left: bool,
}

#[derive(Debug)]
struct Node {
    awake: bool,
    /// Of each instance, when the kernel has taken away what nobody renews: by the interval that counted
    /// when the process fell silent, whatever its successor is told.
    gone_by: Vec<Instant>,
    members: Vec<Member>,
    held: Vec<Place>,
    /// What a process that died has left behind and its successor was not told of.
    orphans: Vec<Place>,
    /// Since the process had settled the last time.
    added: Vec<Place>,
    announced: Vec<Place>,
    changed: bool,
}

#[derive(Clone, Debug, Default)]
struct Member {
    master: bool,
    lease: Duration,
    addresses: usize,
}

impl Addresses {
    pub(crate) fn new(machines: usize, instances: usize) -> Self {
        let node = |_| Node {
            awake: false,
            gone_by: vec![Instant::ZERO; instances],
            members: vec![Member::default(); instances],
            held: Vec::new(),
            orphans: Vec::new(),
            added: Vec::new(),
            announced: Vec::new(),
            changed: false,
        };
        Self { nodes: (0..machines).map(node).collect(), left: false }
    }

    pub(crate) fn observe(&mut self, at: Instant, on: usize, what: &Happening) -> Option<String> {
        let node = self.nodes.get_mut(on)?;
        match *what {
            Happening::Settled => return node.settle(),
            Happening::Started { .. } => {
                node.awake = true;
                node.members.iter_mut().for_each(|member| *member = Member::default());
            }
            Happening::Woke { .. } => node.awake = true,
            Happening::Crashed | Happening::Paused => {
                if std::mem::replace(&mut node.awake, false) {
                    node.fall_silent(at);
                }
                if *what == Happening::Crashed {
                    node.orphans.clone_from(&node.held);
                }
            }
            Happening::Configured(settings) => {
                let member = node.members.get_mut(settings.instance)?;
                member.lease = lease(settings.interval);
                member.addresses = settings.addresses;
                let Settings { instance, addresses, .. } = settings;
                node.orphans
                    .retain(|place| place.instance != instance || place.address >= addresses);
            }
            Happening::State { instance, to } => {
                node.members.get_mut(instance)?.master = to == StateName::Master;
            }
            Happening::Added(place) => {
                node.held.push(place);
                node.added.push(place);
            }
            Happening::Gone(place) => {
                node.held.retain(|held| *held != place);
                node.orphans.retain(|orphan| *orphan != place);
            }
            Happening::Announced(place) => {
                node.announced.push(place);
                return None;
            }
            Happening::Released
            | Happening::Priority { .. }
            | Happening::Sent { .. }
            | Happening::Lost { .. }
            | Happening::Said(_)
            | Happening::Befell(_) => return None,
        }
        node.changed = true;
        self.left = self.nodes.iter().any(|node| !node.left().is_empty());
        None
    }

    /// Nothing happens until `to`: who holds addresses for too long then.
    pub(crate) fn pass(&self, to: Instant) -> Option<(usize, String)> {
        if !self.left {
            return None;
        }
        (0..).zip(&self.nodes).find_map(|(machine, node)| {
            let overdue = |place: &&Place| {
                node.gone_by.get(place.instance).is_some_and(|gone_by| to > *gone_by)
            };
            let place = node.left().iter().find(overdue)?;
            Some((machine, format!("silent for longer than its lease, and holds {place:?}")))
        })
    }
}

impl Node {
    /// What nobody renews.
    fn left(&self) -> &[Place] {
        if self.awake { &self.orphans } else { &self.held }
    }

    fn fall_silent(&mut self, at: Instant) {
        for (gone_by, member) in self.gone_by.iter_mut().zip(&self.members) {
            *gone_by = (at + member.lease + LEASE_LATENESS).max(*gone_by);
        }
    }

    fn settle(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.changed, false) {
            self.announced.clear();
            return None;
        }
        let announced = std::mem::take(&mut self.announced);
        let added = std::mem::take(&mut self.added);
        if !self.awake {
            return None;
        }
        let is_master = |at: usize| self.members.get(at).is_some_and(|member| member.master);
        let known = |place: &&Place| !self.orphans.contains(place);
        if let Some(place) = self.held.iter().filter(known).find(|place| !is_master(place.instance))
        {
            return Some(format!("holds {place:?} outside MASTER"));
        }
        let silent = |place: &&Place| self.held.contains(place) && !announced.contains(place);
        if let Some(place) = added.iter().find(silent) {
            return Some(format!("answers for {place:?} without having announced it"));
        }
        (0..).zip(&self.members).filter(|(_, member)| member.master).find_map(|(at, member)| {
            let held = self.held.iter().filter(known).filter(|place| place.instance == at).count();
            let text =
                format!("V{at}: is master and holds {held} of {} addresses", member.addresses);
            (held != member.addresses).then_some(text)
        })
    }
}

fn lease(interval: Duration) -> Duration {
    let three = interval * 3;
    let whole = Duration::from_secs(three.as_secs() + u64::from(three.subsec_nanos() > 0));
    whole.max(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { instance: 0, address: 0 };
    const MASTER: Happening = Happening::State { instance: 0, to: StateName::Master };
    const BACKUP: Happening = Happening::State { instance: 0, to: StateName::Backup };

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn settings(interval: Duration, addresses: usize) -> Happening {
        let (patience, skew) = (4 * interval, interval);
        Happening::Configured(Settings { instance: 0, interval, patience, skew, addresses })
    }

    /// A running machine with one address to hold; then these, all at once.
    fn after(happenings: &[Happening]) -> (Addresses, Option<String>) {
        let mut addresses = Addresses::new(1, 1);
        let first = [Happening::Started { adopting: false }, settings(Duration::from_secs(1), 1)];
        let all = first.iter().chain(happenings).chain([&Happening::Settled]);
        let broken = all.filter_map(|what| addresses.observe(Instant::ZERO, 0, what)).next();
        (addresses, broken)
    }

    #[test]
    fn a_master_that_holds_and_announces_is_in_order() {
        assert_eq!(after(&[Happening::Added(HERE), Happening::Announced(HERE), MASTER]).1, None);
    }

    #[test]
    fn an_address_outside_master_is_not() {
        let held = [Happening::Added(HERE), Happening::Announced(HERE), BACKUP];
        assert!(after(&held).1.is_some_and(|text| text.contains("outside MASTER")));
    }

    #[test]
    fn a_master_without_its_address_is_not() {
        assert!(after(&[MASTER]).1.is_some_and(|text| text.contains("holds 0 of 1")));
    }

    #[test]
    fn an_address_that_nobody_was_told_of_is_not() {
        let silent = [Happening::Added(HERE), MASTER];
        assert!(after(&silent).1.is_some_and(|text| text.contains("without having announced")));
    }

    #[test]
    fn a_dead_or_paused_machine_holds_until_its_lease_ends_and_no_longer() {
        for silent in [Happening::Crashed, Happening::Paused] {
            let (mut addresses, broken) =
                after(&[Happening::Added(HERE), Happening::Announced(HERE), MASTER]);
            assert_eq!(broken, None);
            addresses.observe(at(1_000), 0, &silent);
            assert_eq!(addresses.pass(at(5_300)), None);
            assert!(addresses.pass(at(5_301)).is_some(), "{silent:?}");
            addresses.observe(at(5_300), 0, &Happening::Gone(HERE));
            assert_eq!(addresses.pass(at(60_000)), None);
        }
    }

    #[test]
    fn an_orphan_s_lease_is_that_of_its_time_whatever_interval_comes_later() {
        let (mut addresses, _) =
            after(&[Happening::Added(HERE), Happening::Announced(HERE), MASTER]);
        let quick = settings(Duration::from_millis(100), 0);
        for what in [Happening::Crashed, Happening::Started { adopting: false }, quick] {
            addresses.observe(at(1_000), 0, &what);
        }
        assert_eq!(addresses.pass(at(5_300)), None);
        assert!(addresses.pass(at(5_301)).is_some());
    }

    #[test]
    fn leases_are_whole_seconds_and_at_least_two() {
        let lease = |millis| lease(Duration::from_millis(millis)).as_secs();
        assert_eq!([10, 600, 670, 1000, 1010].map(lease), [2, 2, 3, 3, 4]);
    }
}
