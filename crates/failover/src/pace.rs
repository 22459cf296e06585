//! `garp_group`: interfaces that share one pace of announcements.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{Family, IfIndex, Instant, InterfaceName};

use crate::{Output, conflict::Place, world::World};

/// One `garp_group`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceGroup {
    /// Its interfaces; of one that is in several groups the first counts.
    pub interfaces: Vec<InterfaceName>,
    /// Between two gratuitous ARP packets; zero sends them without a pause.
    pub arp: Duration,
    /// Between two unsolicited neighbour advertisements.
    pub neighbour: Duration,
}

/// What waits for its turn on interfaces that share a pace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paces {
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
struct Lane {
    interfaces: BTreeSet<InterfaceName>,
    family: Family,
    gap: Duration,
    /// When the next one may leave.
    free_at: Instant,
    queue: VecDeque<Place>,
}

impl Lane {
    fn new(group: &PaceGroup, family: Family) -> Self {
        let gap = match family {
            Family::V4 => group.arp,
            Family::V6 => group.neighbour,
        };
        let interfaces = group.interfaces.iter().cloned().collect();
        Self { interfaces, family, gap, free_at: Instant::ZERO, queue: VecDeque::new() }
    }

    fn send(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        while self.gap.is_zero() || self.free_at <= now {
            let Some((index, address)) = self.queue.pop_front() else { return };
            out.push_back(Output::Announce { index, address });
            self.free_at = now + self.gap;
        }
    }
}

impl Paces {
    pub(crate) fn new(groups: &[PaceGroup]) -> Self {
        let lanes = groups.iter().flat_map(|group| {
            [Family::V4, Family::V6].into_iter().map(|family| Lane::new(group, family))
        });
        Self { lanes: lanes.collect() }
    }

    /// Takes new groups; what waits goes by their pace.
    pub(crate) fn reconfigure(&mut self, groups: &[PaceGroup], out: &mut VecDeque<Output>) {
        let old = std::mem::replace(self, Self::new(groups));
        for lane in old.lanes {
            let since = self.lanes.iter_mut().filter(|new| new.interfaces == lane.interfaces);
            since.for_each(|new| new.free_at = new.free_at.max(lane.free_at));
            let waiting = lane.queue.into_iter();
            out.extend(waiting.map(|(index, address)| Output::Announce { index, address }));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let waiting = self.lanes.iter().filter(|lane| !lane.queue.is_empty());
        waiting.map(|lane| lane.free_at).min()
    }

    /// Nothing that waits is sent any more.
    pub(crate) fn clear(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.queue.clear());
    }

    /// Holds announcements back whose turn has not come, and lets those go whose turn it is. What waits
    /// for an address that is removed is dropped. `parents` has the interfaces under our own ones.
    pub(crate) fn regulate(
        &mut self,
        now: Instant,
        world: &World,
        parents: impl Fn() -> BTreeMap<IfIndex, IfIndex>,
        out: &mut VecDeque<Output>,
    ) {
        let concerns = |output: &Output| {
            matches!(output, Output::Announce { .. } | Output::RemoveAddress { .. })
        };
        if !self.lanes.is_empty() && out.iter().any(concerns) {
            self.take_in(world, &parents(), out);
        }
        self.lanes.iter_mut().for_each(|lane| lane.send(now, out));
    }

    fn take_in(
        &mut self,
        world: &World,
        parents: &BTreeMap<IfIndex, IfIndex>,
        out: &mut VecDeque<Output>,
    ) {
        let mut fresh: Vec<(usize, Place)> = Vec::new();
        for output in std::mem::take(out) {
            if let Output::Announce { index, address } = output
                && let Some(lane) = self.lane(world, parents, (index, address))
            {
                fresh.push((lane, (index, address)));
                continue;
            }
            if let Output::RemoveAddress { index, address } = &output {
                let gone = (*index, address.prefix.address());
                fresh.retain(|(_, place)| *place != gone);
                self.lanes.iter_mut().for_each(|lane| lane.queue.retain(|place| *place != gone));
            }
            out.push_back(output);
        }
        // A burst replaces what is left of an earlier one: a queue with a gap must not grow.
        let again: BTreeSet<Place> = fresh.iter().map(|(_, place)| *place).collect();
        for lane in &mut self.lanes {
            lane.queue.retain(|place| !again.contains(place));
        }
        for (at, place) in fresh {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.queue.push_back(place);
            }
        }
    }

    fn lane(
        &self,
        world: &World,
        parents: &BTreeMap<IfIndex, IfIndex>,
        (index, address): Place,
    ) -> Option<usize> {
        let name = world.name(*parents.get(&index).unwrap_or(&index))?;
        let family = match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        let fits = |lane: &Lane| lane.family == family && lane.interfaces.contains(name);
        self.lanes.iter().position(fits)
    }
}

#[cfg(test)]
mod tests {
    use standfast_types::VirtualAddress;

    use super::*;
    use crate::{
        Config, Input,
        brain::tests::{ADDRESS, ETH0, ETH1, Machine, instance, v4},
    };

    const GAP: Duration = Duration::from_millis(100);

    /// Two instances on two interfaces that share a pace.
    fn config(gap: Duration) -> Config {
        let mut other = instance("W", 52, v4(101));
        other.interface = "eth1".into();
        other.addresses.iter_mut().for_each(|address| address.interface = "eth1".into());
        let interfaces = vec!["eth0".into(), "eth1".into()];
        Config {
            instances: vec![instance("V", 51, ADDRESS), other],
            paces: vec![PaceGroup { interfaces, arp: gap, neighbour: gap }],
            ..Config::default()
        }
    }

    fn masters(gap: Duration) -> (Machine, Vec<(Instant, Place)>) {
        let mut machine = Machine::new(config(gap));
        machine.input(Input::Link { index: ETH1, name: "eth1".into(), running: true });
        machine.input(Input::Address { index: ETH1, address: v4(4), ours: false });
        machine.start(&[]);
        let sent = announced(&mut machine, Duration::from_secs(5));
        (machine, sent)
    }

    fn announced(machine: &mut Machine, wait: Duration) -> Vec<(Instant, Place)> {
        let end = machine.now + wait;
        let mut sent = Vec::new();
        while machine.now < end {
            for output in machine.wait(Duration::from_millis(1)) {
                if let Output::Announce { index, address } = output {
                    sent.push((machine.now, (index, address)));
                }
            }
        }
        sent
    }

    #[test]
    fn interfaces_of_a_group_take_turns_at_one_pace_and_nothing_is_lost() {
        let (_, sent) = masters(GAP);
        assert_eq!(sent.len(), 10, "five of each");
        for pair in sent.windows(2) {
            assert!(pair[1].0.saturating_since(pair[0].0) >= GAP - Duration::from_millis(1));
        }
        assert_eq!(sent.iter().filter(|(_, (index, _))| *index == ETH1).count(), 5);
    }

    #[test]
    fn without_an_interval_a_group_holds_nothing_back() {
        let (mut machine, sent) = masters(Duration::ZERO);
        assert_eq!(sent.len(), 10);
        assert_eq!(announced(&mut machine, Duration::from_secs(1)), []);
    }

    #[test]
    fn what_waits_for_an_address_that_is_removed_is_never_sent() {
        let (mut machine, _) = masters(GAP);
        machine.wait(Duration::from_secs(10));
        let mut paces = Paces::new(&machine_groups());
        let mut out: VecDeque<_> =
            std::iter::repeat_with(|| Output::Announce { index: ETH0, address: ADDRESS })
                .take(3)
                .collect();
        let mut world = World::default();
        world.set_link(ETH0, "eth0".into(), true);
        paces.regulate(machine.now, &world, BTreeMap::new, &mut out);
        assert_eq!(out.len(), 1);
        let prefix = standfast_types::Prefix::host(ADDRESS);
        let address = VirtualAddress::new(prefix, "eth0".into());
        out.clear();
        out.push_back(Output::RemoveAddress { index: ETH0, address });
        paces.regulate(machine.now + GAP, &world, BTreeMap::new, &mut out);
        assert_eq!((out.len(), paces.next_deadline()), (1, None));
    }

    fn machine_groups() -> Vec<PaceGroup> {
        config(GAP).paces
    }

    #[test]
    fn one_that_lets_go_says_nothing_more_of_its_addresses() {
        let (mut machine, _) = masters(Duration::from_millis(700));
        machine.input(Input::Release);
        assert_eq!(announced(&mut machine, Duration::from_secs(9)), []);
    }
}
