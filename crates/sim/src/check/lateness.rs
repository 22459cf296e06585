//! A late daemon never lies.
//!
//! A master that did nothing for longer than any peer waits (missed adverts and the longest skew, by its
//! own settings) may have a successor: it must leave MASTER, and so listen, before it sends an advert that
//! says otherwise. The same holds for one whose process died, and whose next process took so long to begin:
//! it must not adopt. The owner of an address (priority 255) waits for nobody.

use std::time::Duration;

use standfast_types::Instant;
use standfast_vrrp::StateName;

use crate::trace::Happening;

const OWNER: u8 = 255;

#[derive(Debug)]
pub(crate) struct Lateness {
    /// Of each machine, of each instance.
    members: Vec<Vec<Member>>,
    /// Of each machine: since when it is dead.
    died: Vec<Instant>,
    /// Of each machine: how long it was dead, while its new process begins.
    dead_for: Vec<Option<Duration>>,
}

#[derive(Clone, Debug, Default)]
struct Member {
    master: bool,
    patience: Duration,
    priority: u8,
    must_listen: bool,
}

impl Lateness {
    pub(crate) fn new(machines: usize, instances: usize) -> Self {
        Self {
            members: vec![vec![Member::default(); instances]; machines],
            died: vec![Instant::ZERO; machines],
            dead_for: vec![None; machines],
        }
    }

    pub(crate) fn observe(
        &mut self,
        at: Instant,
        machine: usize,
        what: &Happening,
    ) -> Option<String> {
        let members = self.members.get_mut(machine)?;
        let (died, dead_for) = (self.died.get_mut(machine)?, self.dead_for.get_mut(machine)?);
        match *what {
            Happening::Started { adopting } => {
                *dead_for = adopting.then(|| at.saturating_since(*died));
                members.iter_mut().for_each(|member| *member = Member::default());
            }
            Happening::Crashed => {
                *died = at;
                members.iter_mut().for_each(|member| *member = Member::default());
            }
            Happening::Settled => *dead_for = None,
            Happening::Configured(settings) => {
                let member = members.get_mut(settings.instance)?;
                member.patience = settings.patience;
            }
            Happening::Priority { instance, to } => members.get_mut(instance)?.priority = to,
            Happening::State { instance, to } => {
                let member = members.get_mut(instance)?;
                member.master = to == StateName::Master;
                member.must_listen = false;
            }
            Happening::Woke { slept } => {
                for member in members {
                    let late = slept > member.patience && member.priority != OWNER;
                    member.must_listen = member.master && late;
                }
            }
            Happening::Sent { instance, priority } => {
                let member = members.get(instance)?;
                let dead = dead_for.is_some_and(|dead_for| dead_for > member.patience);
                let lies = member.must_listen || (dead && member.priority != OWNER);
                return (lies && priority > 0)
                    .then(|| format!("V{instance}: was late, and did not listen"));
            }
            Happening::Paused
            | Happening::Released
            | Happening::Lost { .. }
            | Happening::Added(_)
            | Happening::Gone(_)
            | Happening::Announced(_)
            | Happening::Said(_)
            | Happening::Befell(_) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Settings;

    const BACKUP: Happening = Happening::State { instance: 0, to: StateName::Backup };
    const MASTER: Happening = Happening::State { instance: 0, to: StateName::Master };

    fn broken(priority: u8, slept: Duration, then: &[Happening]) -> bool {
        let second = Duration::from_secs(1);
        let (interval, skew, patience) = (second, second, 4 * second);
        let settings = Settings { instance: 0, interval, patience, skew, addresses: 1 };
        let mut lateness = Lateness::new(1, 1);
        let first = [
            Happening::Configured(settings),
            Happening::Priority { instance: 0, to: priority },
            MASTER,
            Happening::Woke { slept },
        ];
        let mut all = first.iter().chain(then);
        all.any(|what| lateness.observe(Instant::ZERO, 0, what).is_some())
    }

    #[test]
    fn a_process_that_begins_late_must_not_adopt() {
        let second = Duration::from_secs(1);
        for (dead_for, broken) in [(4, false), (5, true)] {
            let mut lateness = Lateness::new(1, 1);
            let begin = Instant::ZERO + dead_for * second;
            let (interval, skew, patience) = (second, second, 4 * second);
            let settings = Settings { instance: 0, interval, patience, skew, addresses: 1 };
            lateness.observe(Instant::ZERO, 0, &Happening::Crashed);
            lateness.observe(begin, 0, &Happening::Started { adopting: true });
            lateness.observe(begin, 0, &Happening::Configured(settings));
            let sent = Happening::Sent { instance: 0, priority: 100 };
            assert_eq!(lateness.observe(begin, 0, &sent).is_some(), broken);
        }
    }

    #[test]
    fn a_late_master_must_leave_before_it_speaks() {
        let late = Duration::from_secs(5);
        let (claim, bye) =
            ([100, 0]).map(|priority| Happening::Sent { instance: 0, priority }).into();
        assert!(broken(100, late, std::slice::from_ref(&claim)));
        assert!(!broken(100, late, &[bye]));
        assert!(!broken(100, late, &[BACKUP, claim.clone()]));
        assert!(!broken(100, Duration::from_secs(4), std::slice::from_ref(&claim)));
        assert!(!broken(255, late, &[claim]));
    }
}
