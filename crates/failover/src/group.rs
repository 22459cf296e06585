//! Sync groups: instances that are master together or not at all.
//!
//! Every member has its own election. What one of them decides, the others do at the same moment, and a
//! group with a member in FAULT is in FAULT. Elections of members may contradict each other: one is
//! outranked where another outranks. Then that of the *lead* counts, which is the member with the lowest
//! virtual router id, so that machines with the same groups agree on it. The members that follow
//!
//! - do not take over while another member hears a master that it accepts, unless theirs said good-bye,
//! - even then give whoever stays master a moment to answer, if the lead hears one, and
//! - as masters do not yield at once to a better one, whose own lead may be about to lose against ours.
//!
//! So all machines settle on the one that wins the lead's election, whoever came first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use standfast_types::{GroupName, InstanceName, Instant};
use standfast_vrrp::{Input as RouterInput, Seat, StateName, Takeover};

use crate::{
    Event, Fault, GroupConfig, Output, Trackers,
    instance::Instance,
    instances::{Instances, Slot},
    world::World,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<GroupName, Group>,
    /// The group of each member.
    of: BTreeMap<InstanceName, GroupName>,
}

#[derive(Clone, Debug)]
struct Group {
    trackers: Trackers,
    /// The lead first.
    members: Vec<InstanceName>,
    state: StateName,
    /// What the members were when it was settled last.
    seen: BTreeMap<InstanceName, StateName>,
}

impl Groups {
    /// Takes the groups of a configuration; what was known of those that stay is kept.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        configs: Vec<GroupConfig>,
        instances: &mut Instances,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let mut old = std::mem::take(&mut self.groups);
        self.of.clear();
        for config in configs {
            let mut members: Vec<_> =
                config.members.into_iter().filter(|name| instances.contains(name)).collect();
            members.sort_by_cached_key(|name| rank(name, instances));
            self.of.extend(members.iter().map(|member| (member.clone(), config.name.clone())));
            let known = old.remove(&config.name);
            let (state, mut seen) =
                known.map_or((StateName::Init, BTreeMap::new()), |group| (group.state, group.seen));
            seen.retain(|name, _| members.contains(name));
            let group = Group { trackers: config.trackers, members, state, seen };
            self.groups.insert(config.name, group);
        }
        for instance in instances.values_mut() {
            instance.feed(now, RouterInput::Seat(None), world, out);
        }
        for group in self.groups.values() {
            group.seat(now, instances, world, out);
        }
    }

    /// What every member of the instance's group follows.
    pub(crate) fn trackers(&self, name: &InstanceName) -> Option<&Trackers> {
        Some(&self.groups.get(self.of.get(name)?)?.trackers)
    }

    /// These instances, and all that are in a group with one of them.
    pub(crate) fn together(&self, slots: BTreeSet<Slot>, instances: &Instances) -> BTreeSet<Slot> {
        let groups = self.groups_of(&slots, instances);
        let groups = groups.iter().filter_map(|name| self.groups.get(name));
        let members = groups.flat_map(|group| &group.members);
        members.filter_map(|name| instances.slot(name)).chain(slots).collect()
    }

    /// Forgets what an instance was that starts anew.
    pub(crate) fn forget(&mut self, name: &InstanceName) {
        for group in self.groups.values_mut() {
            group.seen.remove(name);
        }
    }

    /// Keeps those of which the whole group is there.
    pub(crate) fn whole(&self, names: &BTreeSet<InstanceName>) -> BTreeSet<InstanceName> {
        let is_whole = |name: &&InstanceName| {
            let group = self.of.get(*name).and_then(|group| self.groups.get(group));
            group.is_none_or(|group| group.members.iter().all(|member| names.contains(member)))
        };
        names.iter().filter(is_whole).cloned().collect()
    }

    /// Gives the faults of one member to the others.
    pub(crate) fn share_faults(&self, faults: &mut BTreeMap<InstanceName, BTreeSet<Fault>>) {
        for group in self.groups.values() {
            let with = |is: fn(&Fault) -> bool| {
                let has =
                    |name: &&InstanceName| faults.get(*name).is_some_and(|own| own.iter().any(is));
                group.members.iter().filter(has).take(2).cloned().collect::<Vec<_>>()
            };
            let failed = with(|fault| !fault.is_pending());
            let pending = with(Fault::is_pending);
            for member in &group.members {
                let other = |those: &[InstanceName]| those.iter().find(|o| *o != member).cloned();
                if let Some(own) = faults.get_mut(member)
                    && !failed.contains(member)
                {
                    own.extend(match other(&failed) {
                        Some(other) => Some(Fault::Member(other)),
                        None => other(&pending).map(Fault::MemberPending),
                    });
                }
            }
        }
    }

    /// Until when a member that is due to take over must wait for the others; see the module.
    pub(crate) fn held_back(
        &self,
        now: Instant,
        name: &InstanceName,
        instances: &Instances,
    ) -> Option<Instant> {
        let group = self.groups.get(self.of.get(name)?)?;
        let takeover = instances.get(name)?.router.takeover(now)?;
        let leads = group.members.first() == Some(name);
        match takeover {
            Takeover::Preempts | Takeover::Released if leads => return None,
            Takeover::Released => return group.answered_by(now, name, instances),
            Takeover::Preempts | Takeover::Silence => {}
        }
        let others = group.members.iter().filter(|member| *member != name);
        let alive = others.filter_map(|member| instances.get(member)?.router.master_alive_until());
        // The lead preempts for all: one that has not listened long enough to do so may hear a better
        // master yet.
        let lead = group.members.first().and_then(|lead| instances.get(lead)).filter(|_| !leads);
        let lead = lead.filter(|_| takeover == Takeover::Preempts);
        let decides = lead.and_then(|lead| lead.router.next_deadline()).map(|(at, _)| at);
        alive.chain(decides).filter(|until| *until > now).max()
    }

    /// A member heard something: those that wait for it look again.
    pub(crate) fn heard(&self, now: Instant, name: &InstanceName, instances: &mut Instances) {
        let Some(group) = self.of.get(name).and_then(|group| self.groups.get(group)) else {
            return;
        };
        for member in &group.members {
            if let Some(instance) = instances.get_mut(member)
                && instance.router.is_deferred(now)
            {
                instance.router.defer(now);
            }
        }
    }

    /// Makes the members of an instance's group follow the one that changed.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        name: &InstanceName,
        instances: &mut Instances,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        if let Some((group_name, group)) =
            self.of.get(name).and_then(|group| Some((group, self.groups.get_mut(group)?)))
        {
            group.settle(now, group_name, instances, world, out);
        }
    }

    /// Settles the groups of these instances.
    pub(crate) fn settle_some(
        &mut self,
        now: Instant,
        slots: &BTreeSet<Slot>,
        instances: &mut Instances,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        for name in self.groups_of(slots, instances) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.settle(now, &name, instances, world, out);
            }
        }
    }

    fn groups_of(&self, slots: &BTreeSet<Slot>, instances: &Instances) -> BTreeSet<GroupName> {
        if self.of.is_empty() {
            return BTreeSet::new();
        }
        let names = slots.iter().filter_map(|&slot| Some(&instances.at(slot)?.config.name));
        names.filter_map(|name| self.of.get(name)).cloned().collect()
    }
}

/// Who leads: the lowest id, which all machines agree on; where ids are the same, the lowest address.
fn rank(name: &InstanceName, instances: &Instances) -> impl Ord + use<> {
    let router = instances.get(name).map(|instance| &instance.config.router);
    let lowest = router.and_then(|router| router.addresses.iter().min().copied());
    (router.map(|router| router.vrid), lowest, name.clone())
}

impl Group {
    /// Until when a follower whose master said good-bye waits for another's answer. Who says good-bye may
    /// have lost its link elsewhere, or stop: then nobody answers. Or it has just stepped down for a better
    /// master, that of our lead, which answers at once: who takes over before has to step down as well,
    /// with one more good-bye for all others.
    fn answered_by(
        &self,
        now: Instant,
        name: &InstanceName,
        instances: &Instances,
    ) -> Option<Instant> {
        let lead = instances.get(self.members.first()?)?;
        lead.router.master_alive_until().filter(|until| *until > now)?;
        instances.get(name)?.router.answered_by().filter(|by| *by > now)
    }

    fn seat(
        &self,
        now: Instant,
        instances: &mut Instances,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let owns = |name| {
            let instance = instances.get(name);
            instance.is_some_and(|instance: &Instance| instance.config.router.priority.is_owner())
        };
        let owners = self.members.iter().all(owns);
        for (at, name) in self.members.iter().enumerate() {
            if let Some(instance) = instances.get_mut(name) {
                let seat = Seat { lead: at == 0, owners };
                instance.feed(now, RouterInput::Seat(Some(seat)), world, out);
            }
        }
    }

    fn settle(
        &mut self,
        now: Instant,
        name: &GroupName,
        instances: &mut Instances,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let before = self.states(instances);
        let changed = before.iter().find(|(member, state)| self.seen.get(*member) != Some(*state));
        let leader = changed.map(|(member, _)| member.clone());
        let order = self.order(now, &before, instances);
        for member in &self.members {
            match order {
                Some(Order::TakeOver) => {
                    feed(now, member, RouterInput::TakeOver, instances, world, out)
                }
                Some(Order::StepDown) => {
                    feed(now, member, RouterInput::StepDown, instances, world, out)
                }
                None => {}
            }
        }
        self.seen = if order.is_some() { self.states(instances) } else { before };
        let state = together(self.seen.values().copied());
        let from = std::mem::replace(&mut self.state, state);
        if let Some(leader) = leader.filter(|_| from != state) {
            let name = name.clone();
            out.push_back(Output::Emit(Event::Group { name, from, to: state, leader }));
        }
    }

    fn states(&self, instances: &Instances) -> BTreeMap<InstanceName, StateName> {
        let state = |name: &InstanceName| {
            Some((name.clone(), instances.get(name)?.router.snapshot().state))
        };
        self.members.iter().filter_map(state).collect()
    }

    /// What the members have to do when some are master and others are not.
    fn order(
        &self,
        now: Instant,
        states: &BTreeMap<InstanceName, StateName>,
        instances: &Instances,
    ) -> Option<Order> {
        let any = |wanted| states.values().any(|state| *state == wanted);
        if !any(StateName::Master) || !any(StateName::Backup) || any(StateName::Stop) {
            return None;
        }
        let yielded = states.iter().any(|(name, state)| {
            *state == StateName::Backup && self.seen.get(name) == Some(&StateName::Master)
        });
        // A reload has put them together: the lead's election counts.
        let outvoted = self.members.first().is_some_and(|lead| {
            let router = instances.get(lead).map(|instance| &instance.router);
            let alive = router.and_then(|router| router.master_alive_until());
            !self.seen.contains_key(lead) && alive.is_some_and(|until| until > now)
        });
        Some(if yielded || outvoted { Order::StepDown } else { Order::TakeOver })
    }
}

#[derive(Clone, Copy, Debug)]
enum Order {
    TakeOver,
    StepDown,
}

fn feed(
    now: Instant,
    name: &InstanceName,
    input: RouterInput<'_>,
    instances: &mut Instances,
    world: &World,
    out: &mut VecDeque<Output>,
) {
    if let Some(instance) = instances.get_mut(name) {
        instance.feed(now, input, world, out);
    }
}

/// The state of a group whose members have these.
fn together(states: impl Iterator<Item = StateName> + Clone) -> StateName {
    let order =
        [StateName::Fault, StateName::Master, StateName::Backup, StateName::Init, StateName::Stop];
    let found = order.into_iter().find(|wanted| states.clone().any(|state| state == *wanted));
    found.unwrap_or(StateName::Init)
}

#[cfg(test)]
mod tests;
