//! All instances, by name, and when each wants to be called again.
//!
//! Whoever gets an instance to change it may have moved its deadline: these are looked at again by
//! [`Instances::schedule`], so that neither the next deadline nor the due instances cost a walk through all.

use std::collections::BTreeSet;

use standfast_types::{InstanceName, Instant};

use crate::instance::Instance;

/// A place among the instances, until one is added or removed.
pub(crate) type Slot = usize;

#[derive(Clone, Debug, Default)]
pub(crate) struct Instances {
    /// In the order of their names.
    #[expect(clippy::vec_box, reason = "adding one in front of thousands shall not move them all")]
    all: Vec<Box<Instance>>,
    /// The deadline of each that has one, soonest first.
    timers: BTreeSet<(Instant, Slot)>,
    /// The deadline of each as it stands in `timers`.
    scheduled: Vec<Option<Instant>>,
    /// Those whose deadline may be another now.
    touched: Vec<Slot>,
}

impl Instances {
    pub(crate) fn new(instances: impl Iterator<Item = Instance>) -> Self {
        let mut all: Vec<_> = instances.map(Box::new).collect();
        all.sort_by(|one, other| one.config.name.cmp(&other.config.name));
        let mut this = Self { all, ..Self::default() };
        this.renumber();
        this
    }

    pub(crate) fn slots(&self) -> std::ops::Range<Slot> {
        0..self.all.len()
    }

    pub(crate) fn slot(&self, name: &InstanceName) -> Option<Slot> {
        self.all.binary_search_by(|instance| instance.config.name.cmp(name)).ok()
    }

    pub(crate) fn at(&self, slot: Slot) -> Option<&Instance> {
        self.all.get(slot).map(|instance| &**instance)
    }

    pub(crate) fn at_mut(&mut self, slot: Slot) -> Option<&mut Instance> {
        let instance = self.all.get_mut(slot)?;
        self.touched.push(slot);
        Some(instance)
    }

    pub(crate) fn get(&self, name: &InstanceName) -> Option<&Instance> {
        self.at(self.slot(name)?)
    }

    pub(crate) fn get_mut(&mut self, name: &InstanceName) -> Option<&mut Instance> {
        self.at_mut(self.slot(name)?)
    }

    pub(crate) fn contains(&self, name: &InstanceName) -> bool {
        self.slot(name).is_some()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Instance> {
        self.all.iter().map(|instance| &**instance)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Instance> {
        self.touched = self.slots().collect();
        self.all.iter_mut().map(|instance| &mut **instance)
    }

    /// Adds an instance, or replaces that of its name.
    pub(crate) fn insert(&mut self, instance: Instance) {
        let name = &instance.config.name;
        match self.all.binary_search_by(|other| other.config.name.cmp(name)) {
            Ok(slot) => {
                if let Some(place) = self.at_mut(slot) {
                    *place = instance;
                }
            }
            Err(slot) => {
                self.all.insert(slot, Box::new(instance));
                self.renumber();
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &InstanceName) -> Option<Instance> {
        let slot = self.slot(name)?;
        let instance = self.all.remove(slot);
        self.renumber();
        Some(*instance)
    }

    /// Brings the timers up to date with the instances. Comes after every change.
    pub(crate) fn schedule(&mut self) {
        for slot in self.touched.drain(..) {
            let (Some(instance), Some(scheduled)) =
                (self.all.get(slot), self.scheduled.get_mut(slot))
            else {
                continue;
            };
            let at = instance.next_deadline();
            let before = std::mem::replace(scheduled, at);
            if before != at {
                self.timers.extend(at.map(|at| (at, slot)));
                if let Some(before) = before {
                    self.timers.remove(&(before, slot));
                }
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        debug_assert!(self.touched.is_empty(), "`schedule` comes after every change");
        self.timers.first().map(|&(at, _)| at)
    }

    /// Those whose deadline has come, soonest first.
    pub(crate) fn due(&self, now: Instant) -> Vec<Slot> {
        self.timers.range(..=(now, Slot::MAX)).map(|&(_, slot)| slot).collect()
    }

    /// Slots are others now: all is to be scheduled anew.
    fn renumber(&mut self) {
        self.timers.clear();
        self.scheduled = vec![None; self.all.len()];
        self.touched = self.slots().collect();
    }
}
