//! Who should be master once every fault is healed: a reference that knows no timers.
//!
//! It works from the configuration and the state of what is tracked, by the rules of the manual, without a
//! line of the engines.

use std::collections::BTreeSet;

use standfast_failover::{InstanceConfig, Weight};
use standfast_vrrp::Preempt;

/// What the oracle sees of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Seen<'a> {
    /// `None` when no process runs, or it has no such instance.
    pub(crate) config: Option<&'a InstanceConfig>,
    /// State of the interface with the virtual routers, and of the one that can be tracked.
    pub(crate) carriers: [bool; 2],
    /// The last word of each script; `None` before its first.
    pub(crate) scripts: [Option<bool>; 2],
    /// The members of its sync group, itself too; empty without one.
    pub(crate) members: Vec<&'a InstanceConfig>,
    /// Whether it claims to be master at this moment.
    pub(crate) claims: bool,
}

/// The machines of which one will be master, alone. Empty: nobody can.
///
/// In a sync group the lead's election counts: this is asked of the lead.
///
/// More than one only where timing decides: among equals, and where `nopreempt` lets whoever came first.
pub(crate) fn masters(seen: &[Seen<'_>]) -> BTreeSet<usize> {
    let able: Vec<_> =
        (0..).zip(seen).filter_map(|(at, seen)| Some((at, priority(seen)?, seen))).collect();
    // A master yields to nobody below it, so the highest that claims is the least that can come out.
    let floor = able.iter().filter(|(_, _, seen)| seen.claims).map(|(_, p, _)| *p).max();
    let stays = |candidate: u8| {
        let higher = able.iter().filter(|(_, priority, _)| *priority > candidate);
        higher.clone().all(|(_, _, seen)| never_preempts(seen))
    };
    able.iter()
        .filter(|(_, priority, _)| floor.is_none_or(|floor| *priority >= floor) && stays(*priority))
        .map(|(at, ..)| *at)
        .collect()
}

fn never_preempts(seen: &Seen<'_>) -> bool {
    seen.config.is_some_and(|config| config.router.preempt == Preempt::Never)
}

/// The effective priority; `None` in FAULT. A fault of one member of a sync group is a fault of all.
fn priority(seen: &Seen<'_>) -> Option<u8> {
    let own = effective(seen.config?, seen)?;
    seen.members.iter().all(|member| effective(member, seen).is_some()).then_some(own)
}

fn effective(config: &InstanceConfig, seen: &Seen<'_>) -> Option<u8> {
    let [own, tracked] = seen.carriers;
    if config.track_primary && !own {
        return None;
    }
    let base = config.router.priority.get();
    let mut sum = i32::from(base);
    for _ in &config.trackers.interfaces {
        sum += effect(tracked_weight(config)?, Some(tracked))?;
    }
    for (track, up) in config.trackers.scripts.iter().zip(seen.scripts) {
        sum += effect(track.weight, up)?;
    }
    if base == 255 {
        return Some(255);
    }
    u8::try_from(sum.clamp(1, 254)).ok()
}

fn tracked_weight(config: &InstanceConfig) -> Option<Weight> {
    config.trackers.interfaces.first().map(|track| track.weight)
}

/// What something tracked adds; `None` is FAULT.
fn effect(weight: Weight, up: Option<bool>) -> Option<i32> {
    let good = up.map(|up| up ^ weight.reverse);
    match good {
        Some(true) => Some(i32::from(weight.value).max(0)),
        Some(false) | None if weight.value == 0 => None,
        Some(false) => Some(i32::from(weight.value).min(0)),
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use standfast_failover::{TrackInterface, TrackScript};
    use standfast_types::{Family, Priority};

    use super::*;
    use crate::node;

    fn instance(priority: u8, preempt: Preempt) -> InstanceConfig {
        let priority = Priority::new(priority).expect("not 0");
        let mut config = node::instance(0, Family::V4, 1, priority);
        config.router.preempt = preempt;
        config
    }

    fn weight(value: i16, reverse: bool) -> Weight {
        Weight { value, reverse }
    }

    fn seen(config: &InstanceConfig, claims: bool) -> Seen<'_> {
        let (carriers, scripts) = ([true; 2], [Some(true), Some(false)]);
        Seen { config: Some(config), carriers, scripts, members: vec![config], claims }
    }

    #[test]
    fn the_highest_priority_wins_unless_it_never_preempts() {
        for (preempt, expected) in [(Preempt::Always, vec![1]), (Preempt::Never, vec![0, 1])] {
            let (low, high) = (instance(100, Preempt::Always), instance(200, preempt));
            let all = [seen(&low, true), seen(&high, false)];
            assert_eq!(masters(&all), expected.into_iter().collect());
            let all = [seen(&low, true), seen(&high, true)];
            assert_eq!(masters(&all), [1].into(), "two masters: the lower one yields");
        }
    }

    #[test]
    fn equals_may_both_win_and_who_cannot_run_never_does() {
        let one = instance(100, Preempt::Always);
        let mut down = seen(&one, true);
        down.carriers = [false, true];
        let mut dead = seen(&one, false);
        dead.config = None;
        let all = [seen(&one, false), seen(&one, false), down, dead];
        assert_eq!(masters(&all), [0, 1].into());
        assert_eq!(masters(&all[2..]), BTreeSet::new());
    }

    #[test]
    fn weights_count_as_the_manual_says() {
        let table = [
            (weight(10, false), weight(10, false), Some(110)),
            (weight(-10, false), weight(-10, false), Some(90)),
            (weight(10, true), weight(-10, true), Some(100)),
            (weight(253, false), weight(-253, false), Some(100)),
            (weight(0, false), weight(0, true), Some(100)),
            (weight(5, false), weight(0, false), None),
        ];
        for (first, second, expected) in table {
            let mut config = instance(100, Preempt::Always);
            let track =
                |(script, weight): (&str, Weight)| TrackScript { script: script.into(), weight };
            config.trackers.scripts = [("a", first), ("b", second)].map(track).into();
            assert_eq!(priority(&seen(&config, false)), expected, "{first:?} {second:?}");
        }
        let mut config = instance(100, Preempt::Always);
        let interface = node::TRACKED.into();
        config.trackers.interfaces = vec![TrackInterface { interface, weight: weight(200, false) }];
        assert_eq!(priority(&seen(&config, false)), Some(254));
    }
}
