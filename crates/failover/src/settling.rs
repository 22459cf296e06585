//! `interface_up_down_delays`: an interface that has just changed counts as before for a while.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{IfIndex, Instant, InterfaceName};

use crate::world::World;

/// How long an interface must stay as it has become before that counts; zero acts at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDelays {
    /// Down.
    pub down: Duration,
    /// Up.
    pub up: Duration,
}

/// Interfaces that are not yet believed.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    delays: BTreeMap<InterfaceName, LinkDelays>,
    /// Those that are the opposite of what the world says, and when that begins to count.
    until: BTreeMap<IfIndex, Instant>,
}

impl Settling {
    pub(crate) const fn new(delays: BTreeMap<InterfaceName, LinkDelays>) -> Self {
        Self { delays, until: BTreeMap::new() }
    }

    /// What an interface that the kernel reports counts as for now. The first report of one counts as
    /// it is: nothing has changed.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        index: IfIndex,
        name: &InterfaceName,
        running: bool,
        world: &World,
    ) -> bool {
        let delays = self.delays.get(name).copied().unwrap_or_default();
        let delay = if running { delays.up } else { delays.down };
        match world.state(index) {
            Some(counted) if counted != running && !delay.is_zero() => {
                self.until.entry(index).or_insert(now + delay);
                counted
            }
            Some(_) | None => {
                self.until.remove(&index);
                running
            }
        }
    }

    pub(crate) fn forget(&mut self, index: IfIndex) {
        self.until.remove(&index);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }

    /// The interfaces whose change counts from now on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<IfIndex> {
        let due = self.until.iter().filter(|(_, until)| **until <= now);
        let due: Vec<_> = due.map(|(index, _)| *index).collect();
        for index in &due {
            self.until.remove(index);
        }
        due
    }

    /// Takes new delays. What waits already does so to its end, unless there is no delay any more.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        delays: BTreeMap<InterfaceName, LinkDelays>,
        world: &World,
    ) {
        self.delays = delays;
        for (index, until) in &mut self.until {
            let delayed = world.name(*index).is_some_and(|name| self.delays.contains_key(name));
            *until = if delayed { *until } else { now };
        }
    }
}

#[cfg(test)]
mod tests {
    use standfast_vrrp::StateName;

    use super::*;
    use crate::{
        Config, Input,
        brain::tests::{ADDRESS, ETH0, Machine, instance},
    };

    fn config(down: u64, up: u64) -> Config {
        let delays = LinkDelays { down: Duration::from_secs(down), up: Duration::from_secs(up) };
        Config {
            instances: vec![instance("V", 51, ADDRESS)],
            link_delays: BTreeMap::from([("eth0".into(), delays)]),
            ..Config::default()
        }
    }

    #[test]
    fn a_link_that_flaps_for_less_than_its_delay_changes_nothing() {
        let mut machine = Machine::master(config(2, 3));
        assert_eq!(machine.link(false), []);
        machine.wait(Duration::from_millis(1900));
        machine.link(true);
        machine.wait(Duration::from_secs(5));
        assert_eq!(machine.state("V"), StateName::Master);
    }

    #[test]
    fn a_change_counts_when_its_delay_is_over_however_often_it_is_reported() {
        let mut machine = Machine::master(config(2, 3));
        machine.link(false);
        machine.wait(Duration::from_secs(1));
        machine.link(false);
        machine.wait(Duration::from_millis(999));
        assert_eq!(machine.state("V"), StateName::Master);
        machine.wait(Duration::from_millis(1));
        assert_eq!(machine.state("V"), StateName::Fault);
        machine.link(true);
        machine.wait(Duration::from_millis(2999));
        assert_eq!(machine.state("V"), StateName::Fault);
        machine.wait(Duration::from_millis(1));
        assert_ne!(machine.state("V"), StateName::Fault);
    }

    #[test]
    fn each_direction_has_its_own_delay_and_none_acts_at_once() {
        let mut machine = Machine::master(config(0, 1));
        machine.link(false);
        assert_eq!(machine.state("V"), StateName::Fault);
        machine.link(true);
        assert_eq!(machine.state("V"), StateName::Fault);
    }

    #[test]
    fn an_interface_that_is_gone_is_gone_at_once_and_counts_as_it_comes_back() {
        let mut machine = Machine::master(config(9, 9));
        machine.link(false);
        machine.input(Input::LinkGone { index: ETH0 });
        assert_eq!(machine.state("V"), StateName::Fault);
        machine.link(true);
        assert_eq!(machine.brain.snapshot()[0].faults.len(), 1, "it lacks an address only");
        assert!(machine.brain.next_deadline().is_none_or(|at| at > machine.now));
    }

    #[test]
    fn a_reload_that_takes_the_delay_away_lets_the_change_count() {
        let mut machine = Machine::master(config(60, 0));
        machine.link(false);
        let without = Config { link_delays: BTreeMap::new(), ..config(0, 0) };
        machine.brain.reconfigure(machine.now, without);
        machine.wait(Duration::ZERO);
        assert_eq!(machine.state("V"), StateName::Fault);
    }
}
