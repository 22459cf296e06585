//! Never two masters longer than the faults allow.
//!
//! Two machines claim an instance when both are its master, run, do not pause and have not been told to
//! stop. Of two, one outranks the other: by its priority, or by its address when both have the same
//! (RFC 9568, section 6.4.3). The lower one must yield on the first advert of the higher one that reaches
//! it. The higher one sends at its interval, and at once when it becomes master, so the next advert is at
//! most one interval away at any time, and under way no longer than the slowest link allows (`reach`):
//!
//! ```text
//! both claim, or rank or interval changed, at t      allowed until t + interval + reach
//! an advert of the higher one was lost at t          allowed until t + interval + reach
//! ```
//!
//! In a sync group the lead's election is the one that counts (the others may contradict it, and must
//! then not yield at once), so its bound is the whole group's.
//!
//! Nothing else excuses two masters. Each lost advert is a fault that the network, a pause or a dead
//! process caused; so a partition is excused as long as the higher one keeps sending into it, and one
//! that does not send is not. A master that was told to stop serves until its successor announces the
//! addresses: at most the longest skew and 100 ms. One that is dead or paused holds its addresses no
//! longer than their leases: see [`super::addresses`].

use std::{net::IpAddr, time::Duration};

use standfast_types::Instant;
use standfast_vrrp::StateName;

use crate::trace::Happening;

/// What a stopping master adds to the longest skew of its successor, for that one's lateness.
const RELEASE_MARGIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Masters {
    nodes: Vec<Node>,
    reach: Duration,
    /// For each instance, the higher one and the lower one: until when both may claim it.
    allowed: Vec<Instant>,
    /// The lead of each instance: its own number where it is in no group.
    leads: Vec<usize>,
    /// Whether there is any pair to look at, or a master that stops.
    alert: bool,
}

#[derive(Debug)]
struct Node {
    own: IpAddr,
    awake: bool,
    /// Until when a machine that was told to stop may serve.
    stop_by: Option<Instant>,
    members: Vec<Member>,
}

#[derive(Clone, Debug, Default)]
struct Member {
    master: bool,
    priority: u8,
    interval: Duration,
    skew: Duration,
}

impl Node {
    fn claims(&self, instance: usize) -> Option<&Member> {
        let awake = self.awake && self.stop_by.is_none();
        self.members.get(instance).filter(|member| awake && member.master)
    }
}

impl Masters {
    pub(crate) fn new(own: &[IpAddr], leads: Vec<usize>, reach: Duration) -> Self {
        let instances = leads.len();
        let node = |own: &IpAddr| Node {
            own: *own,
            awake: false,
            stop_by: None,
            members: vec![Member::default(); instances],
        };
        Self {
            nodes: own.iter().map(node).collect(),
            reach,
            allowed: vec![Instant::ZERO; instances * own.len() * own.len()],
            leads,
            alert: false,
        }
    }

    /// Who claims an instance.
    pub(crate) fn of(&self, instance: usize) -> Vec<usize> {
        let claims = (0..).zip(&self.nodes).filter(|(_, node)| node.claims(instance).is_some());
        claims.map(|(at, _)| at).collect()
    }

    pub(crate) fn observe(&mut self, at: Instant, machine: usize, what: &Happening) {
        let Some(node) = self.nodes.get_mut(machine) else { return };
        match *what {
            Happening::Started { .. } => {
                node.awake = true;
                node.stop_by = None;
                node.members.iter_mut().for_each(|member| member.master = false);
            }
            Happening::Crashed | Happening::Paused => node.awake = false,
            Happening::Woke { .. } => {
                node.awake = true;
                node.stop_by = node.stop_by.map(|by| by.max(at));
            }
            Happening::Released => {
                let skew = node.members.iter().map(|member| member.skew).max();
                node.stop_by = Some(at + skew.unwrap_or_default() + RELEASE_MARGIN);
            }
            Happening::Configured(settings) => {
                let Some(member) = node.members.get_mut(settings.instance) else { return };
                member.interval = settings.interval;
                member.skew = settings.skew;
            }
            Happening::State { instance, to } => {
                let Some(member) = node.members.get_mut(instance) else { return };
                member.master = to == StateName::Master;
            }
            Happening::Priority { instance, to } => {
                let Some(member) = node.members.get_mut(instance) else { return };
                member.priority = to;
            }
            Happening::Lost { instance, to } => {
                let Some(interval) = node.claims(instance).map(|member| member.interval) else {
                    return;
                };
                self.allow(instance, machine, to, at + interval + self.reach);
                return;
            }
            Happening::Sent { .. }
            | Happening::Added(_)
            | Happening::Gone(_)
            | Happening::Announced(_)
            | Happening::Settled
            | Happening::Said(_)
            | Happening::Befell(_) => return,
        }
        self.alert = false;
        for instance in 0..self.leads.len() {
            self.excuse(at, machine, instance);
            self.alert |= self.of(instance).len() > 1;
        }
        self.alert |= self.nodes.iter().any(|node| node.stop_by.is_some());
    }

    /// From now on everything is as new between this machine and all others.
    fn excuse(&mut self, at: Instant, machine: usize, instance: usize) {
        for other in 0..self.nodes.len() {
            for (from, to) in [(machine, other), (other, machine)] {
                let member = self.nodes.get(from).and_then(|node| node.claims(instance));
                if let Some(interval) = member.map(|member| member.interval) {
                    self.allow(instance, from, to, at + interval + self.reach);
                }
            }
        }
    }

    fn allow(&mut self, instance: usize, from: usize, to: usize, until: Instant) {
        let slot = self.slot(instance, from, to);
        if let Some(allowed) = self.allowed.get_mut(slot) {
            *allowed = until.max(*allowed);
        }
    }

    const fn slot(&self, instance: usize, from: usize, to: usize) -> usize {
        (instance * self.nodes.len() + from) * self.nodes.len() + to
    }

    /// Nothing happens until `to`: who is master for too long then.
    pub(crate) fn pass(&self, to: Instant) -> Option<(usize, String)> {
        if !self.alert {
            return None;
        }
        for (machine, node) in (0..).zip(&self.nodes) {
            let serves = node.awake && node.members.iter().any(|member| member.master);
            if serves && node.stop_by.is_some_and(|by| to > by) {
                return Some((machine, "still serves long after it was told to stop".into()));
            }
        }
        let leads = (0..).zip(&self.leads).filter(|(instance, lead)| instance == *lead);
        leads.map(|(instance, _)| instance).find_map(|instance| self.pairs(to, instance))
    }

    fn pairs(&self, to: Instant, instance: usize) -> Option<(usize, String)> {
        let claims = || {
            let all = (0..).zip(&self.nodes);
            all.filter_map(|(at, node)| Some((at, node.claims(instance)?, node.own)))
        };
        for (high, winner, high_own) in claims() {
            for (low, loser, low_own) in claims() {
                let outranks = (winner.priority, high_own) > (loser.priority, low_own);
                let allowed = self.allowed.get(self.slot(instance, high, low));
                if outranks && allowed.is_some_and(|until| to > *until) {
                    let text =
                        format!("V{instance}: is master although {high} is, and outranks it");
                    return Some((low, text));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Settings;

    const SECOND: Duration = Duration::from_secs(1);
    const REACH: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Two masters from t = 0, the second of the higher priority.
    fn two(priorities: [u8; 2]) -> Masters {
        let own = [1, 2].map(|host| IpAddr::from([192, 0, 2, host]));
        let mut masters = Masters::new(&own, vec![0], REACH);
        for (machine, priority) in priorities.into_iter().enumerate() {
            let interval = SECOND;
            let settings = Settings {
                instance: 0,
                interval,
                patience: 4 * SECOND,
                skew: SECOND,
                addresses: 1,
            };
            for what in [
                Happening::Started { adopting: false },
                Happening::Configured(settings),
                Happening::Priority { instance: 0, to: priority },
                Happening::State { instance: 0, to: StateName::Master },
            ] {
                masters.observe(Instant::ZERO, machine, &what);
            }
        }
        masters
    }

    fn broken_by(masters: &Masters, millis: u64) -> Option<usize> {
        masters.pass(at(millis)).map(|(machine, _)| machine)
    }

    #[test]
    fn two_masters_may_last_for_an_interval_and_the_way_and_no_longer() {
        let masters = two([100, 200]);
        assert_eq!(broken_by(&masters, 1_001), None);
        assert_eq!(broken_by(&masters, 1_002), Some(0));
        assert_eq!(broken_by(&two([200, 100]), 1_002), Some(1));
        assert_eq!(broken_by(&two([100, 100]), 1_002), Some(0), "the lower address yields");
    }

    #[test]
    fn only_a_lost_advert_of_the_higher_one_buys_another_interval() {
        let mut masters = two([100, 200]);
        masters.observe(at(900), 0, &Happening::Lost { instance: 0, to: 1 });
        assert_eq!(broken_by(&masters, 1_002), Some(0));
        masters.observe(at(900), 1, &Happening::Lost { instance: 0, to: 0 });
        assert_eq!(broken_by(&masters, 1_901), None);
        assert_eq!(broken_by(&masters, 1_902), Some(0));
    }

    #[test]
    fn one_that_yields_pauses_or_dies_is_no_second_master() {
        for what in [
            Happening::State { instance: 0, to: StateName::Backup },
            Happening::Paused,
            Happening::Crashed,
        ] {
            let mut masters = two([100, 200]);
            masters.observe(at(1_000), 0, &what);
            assert_eq!(broken_by(&masters, 60_000), None, "{what:?}");
        }
    }

    #[test]
    fn one_that_wakes_has_an_interval_to_hear_the_other() {
        let mut masters = two([100, 200]);
        masters.observe(at(1_000), 0, &Happening::Paused);
        masters.observe(at(5_000), 0, &Happening::Woke { slept: 4 * SECOND });
        assert_eq!(broken_by(&masters, 6_001), None);
        assert_eq!(broken_by(&masters, 6_002), Some(0));
    }

    #[test]
    fn a_changed_rank_changes_who_must_yield() {
        let mut masters = two([100, 200]);
        masters.observe(at(1_000), 1, &Happening::Priority { instance: 0, to: 50 });
        assert_eq!(broken_by(&masters, 2_001), None);
        assert_eq!(broken_by(&masters, 2_002), Some(1));
    }

    #[test]
    fn one_that_was_told_to_stop_serves_for_a_skew_and_a_little() {
        let mut masters = two([100, 200]);
        masters.observe(at(500), 0, &Happening::Released);
        assert_eq!(broken_by(&masters, 1_600), None);
        assert_eq!(broken_by(&masters, 1_601), Some(0));
    }
}
