//! What the supervisor knows of each instance, from the events of pulse.

mod bfd;

use std::collections::{BTreeMap, BTreeSet};

use standfast_failover::{Config, Event, Fault, InstanceEvent};
use standfast_types::{BfdName, GroupName, InstanceName, Priority, ScriptName};
use standfast_vrrp::{Event as Election, StateName};

use crate::{
    message::Bonds,
    news::{News, Subject},
};

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) state: StateName,
    pub(crate) priority: Option<Priority>,
    pub(crate) transitions: u64,
    pub(crate) last: String,
    pub(crate) faults: Vec<Fault>,
}

/// All instances.
#[derive(Debug, Default)]
pub(crate) struct Board {
    instances: BTreeMap<InstanceName, Status>,
    groups: BTreeMap<GroupName, StateName>,
    bfd: bfd::Sessions,
    /// As `rise` and `fall` see them.
    scripts: BTreeMap<ScriptName, bool>,
}

impl Board {
    /// Follows an event. `words` is what the log says of it.
    pub(crate) fn handle_event(&mut self, event: &Event, words: &str) {
        let (name, kind) = match event {
            Event::Bfd(event) => {
                self.bfd.handle_event(event, words);
                return;
            }
            Event::Instance { name, kind } => (name, kind),
            Event::Static(_) => return,
            Event::Script { name, up } => {
                self.scripts.insert(name.clone(), *up);
                return;
            }
            Event::Process { .. } | Event::File { .. } | Event::UnknownVrid { .. } => return,
            Event::Group { name, to, .. } => {
                self.groups.insert(name.clone(), *to);
                return;
            }
        };
        let status = self.instances.entry(name.clone()).or_insert_with(|| Status {
            state: StateName::Init,
            priority: None,
            transitions: 0,
            last: String::new(),
            faults: Vec::new(),
        });
        match kind {
            InstanceEvent::Election { event, faults } => match event {
                Election::Transition { to, priority, .. } => {
                    status.state = *to;
                    status.priority = Some(*priority);
                    status.transitions += 1;
                    words.clone_into(&mut status.last);
                    status.faults.clone_from(faults);
                }
                Election::Adopted { priority } => {
                    status.state = StateName::Master;
                    status.priority = Some(*priority);
                }
                Election::LowerPriorityHeard { .. }
                | Election::AddressListDiffers { .. }
                | Election::IntervalLearned { .. }
                | Election::OldChecksumPeer { .. }
                | Election::ClockDiffers { .. }
                | Election::Discarded { .. } => {}
            },
            InstanceEvent::Priority { to, .. } => status.priority = Some(*to),
            InstanceEvent::Faults(faults) => status.faults.clone_from(faults),
            InstanceEvent::Deleted => {
                self.instances.remove(name);
            }
            InstanceEvent::AddressRestored { .. }
            | InstanceEvent::AddressRefused { .. }
            | InstanceEvent::LinkRestored { .. }
            | InstanceEvent::Routing(_)
            | InstanceEvent::AddressContested { .. }
            | InstanceEvent::AddressUncontested { .. }
            | InstanceEvent::AddressWithoutInterface { .. } => {}
        }
    }

    /// Forgets what a new configuration no longer has. Of instances pulse tells itself.
    pub(crate) fn retain(&mut self, config: &Config) {
        self.groups.retain(|name, _| config.groups.iter().any(|group| group.name == *name));
        self.scripts.retain(|name, _| config.scripts.iter().any(|script| script.name == *name));
    }

    /// What is known of an instance.
    pub(crate) fn status(&self, name: &InstanceName) -> Option<&Status> {
        self.instances.get(name)
    }

    /// Every instance's and every sync group's state, by name.
    pub(crate) fn news(&self) -> impl Iterator<Item = News> {
        let instances = self.instances.iter().map(|(name, status)| News {
            subject: Subject::Instance(name.clone()),
            word: status.state.as_str(),
            priority: status.priority.map_or(0, Priority::get),
        });
        let groups = self.groups.iter().map(|(name, state)| News {
            subject: Subject::Group(name.clone()),
            word: state.as_str(),
            priority: 0,
        });
        instances.chain(groups)
    }

    /// The instances that are master.
    pub(crate) fn masters(&self) -> BTreeSet<InstanceName> {
        let masters = self.instances.iter().filter(|(_, s)| s.state == StateName::Master);
        masters.map(|(name, _)| name.clone()).collect()
    }

    /// What BFD sessions that are up have agreed on, for a pulse that begins.
    pub(crate) fn bonds(&self) -> Bonds {
        self.bfd.bonds()
    }

    /// Which BFD sessions are up, and which are not, for a pool that begins.
    pub(crate) fn sessions(&self) -> BTreeMap<BfdName, bool> {
        self.bfd.states()
    }

    /// The scripts' states, for a pulse that begins.
    pub(crate) fn scripts(&self) -> BTreeMap<ScriptName, bool> {
        self.scripts.clone()
    }

    /// BFD sessions, for a dump.
    pub(crate) fn dump_bfd(&self, text: &mut String) {
        self.bfd.dump(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_took_away_is_neither_told_nor_remembered() {
        let mut board = Board::default();
        let (from, to) = (StateName::Backup, StateName::Master);
        let group = Event::Group { name: "G".into(), from, to, leader: "V".into() };
        board.handle_event(&group, "");
        board.handle_event(&Event::Script { name: "check".into(), up: false }, "");
        assert_eq!((board.news().count(), board.scripts().len()), (1, 1));
        board.retain(&Config::default());
        assert_eq!((board.news().count(), board.scripts().len()), (0, 0));
    }
}
