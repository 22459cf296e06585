//! A late daemon never lies.
//!
//! A master that did nothing for longer than any peer waits (missed adverts and the longest skew, by its
//! own settings) may have a successor: it must leave MASTER, and so listen, before it sends an advert that
//! says otherwise. The owner of an address (priority 255) waits for nobody.

use std::time::Duration;

use standfast_vrrp::StateName;

use crate::trace::Happening;

const OWNER: u8 = 255;

#[derive(Debug)]
pub(crate) struct Lateness {
    /// Of each machine, of each instance.
    members: Vec<Vec<Member>>,
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
        Self { members: vec![vec![Member::default(); instances]; machines] }
    }

    pub(crate) fn observe(&mut self, machine: usize, what: &Happening) -> Option<String> {
        let members = self.members.get_mut(machine)?;
        match *what {
            Happening::Started { .. } | Happening::Crashed => {
                members.iter_mut().for_each(|member| *member = Member::default());
            }
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
                let lies = priority > 0 && members.get(instance)?.must_listen;
                return lies.then(|| format!("V{instance}: was late, and did not listen"));
            }
            Happening::Paused
            | Happening::Released
            | Happening::Lost { .. }
            | Happening::Added(_)
            | Happening::Gone(_)
            | Happening::Announced(_)
            | Happening::Settled
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
        first.iter().chain(then).any(|what| lateness.observe(0, what).is_some())
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
