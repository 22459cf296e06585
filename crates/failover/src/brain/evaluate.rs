//! What a change of the machine means for the instances that it concerns.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use standfast_types::{IfIndex, InstanceName, Instant, InterfaceName};
use standfast_vrrp::{Input as RouterInput, StateName};

use super::{Brain, Phase};
use crate::{
    Fault,
    assess::{apply_faults, apply_weight, assess},
    instances::Slot,
    tracker::Facts,
};

impl Brain {
    /// Brings interfaces, sources, priorities and faults of every instance up to what is known.
    pub(super) fn evaluate(&mut self, now: Instant) {
        self.evaluate_some(now, self.instances.slots().collect(), &BTreeSet::new());
    }

    /// The instances that an interface of these names concerns, or of which it is an own one.
    pub(super) fn slots_of_link(
        &self,
        index: IfIndex,
        names: impl Iterator<Item = InterfaceName>,
    ) -> BTreeSet<Slot> {
        let owns = |slot: &Slot| self.instances.at(*slot).is_some_and(|own| own.owns(index));
        let dependents = names.flat_map(|name| self.dependents.of_interface(&name));
        dependents.chain(self.instances.slots().filter(owns)).collect()
    }

    /// An address came or went.
    pub(super) fn evaluate_address(&mut self, now: Instant, index: IfIndex, address: IpAddr) {
        let slots = self.dependents.of_address(address, self.world.name(index));
        self.evaluate_some(now, slots, &BTreeSet::new());
    }

    /// Brings these instances, and those in a group with them, up to what is known.
    pub(super) fn evaluate_some(
        &mut self,
        now: Instant,
        slots: BTreeSet<Slot>,
        adopt: &BTreeSet<InstanceName>,
    ) {
        if self.phase != Phase::Running || slots.is_empty() {
            return;
        }
        let slots = self.groups.together(slots, &self.instances);
        let mut moved = false;
        let mut assessed = BTreeMap::new();
        for &slot in &slots {
            moved |= self.locate(now, slot);
            if let Some((name, faults)) = self.assess(now, slot) {
                assessed.insert(name, faults);
            }
        }
        self.groups.share_faults(&mut assessed);
        for (name, faults) in assessed {
            let Some(instance) = self.instances.get_mut(&name) else { continue };
            apply_faults(now, instance, faults, &self.world, &mut self.outputs);
            let index = self.world.index(&instance.config.interface);
            moved |= std::mem::replace(&mut instance.index, index) != index;
        }
        if moved {
            self.update_listeners();
        }
        self.start_waiting(now, &slots, adopt);
        let (instances, out) = (&mut self.instances, &mut self.outputs);
        self.groups.settle_some(now, &slots, instances, &self.world, out);
    }

    pub(super) fn update_listeners(&mut self) {
        self.listeners.update(&self.instances, &mut self.outputs);
    }

    /// Finds the interface of an instance, and the address to send from. Whether it is another
    /// interface than before.
    fn locate(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(instance) = self.instances.at_mut(slot) else { return false };
        let config = &instance.config;
        // What is left to send goes where the interface was, whatever its name is now.
        let index = self.world.index(&config.interface).or(instance.index);
        let source = self.source(slot);
        let Some(instance) = self.instances.at_mut(slot) else { return false };
        let moved = std::mem::replace(&mut instance.index, index) != index;
        if instance.source != source {
            instance.source = source.or(instance.source);
            if let Some(source) = source {
                let input = RouterInput::Source(source);
                instance.feed(now, input, &self.world, &mut self.outputs);
            }
        }
        moved
    }

    fn source(&self, slot: Slot) -> Option<IpAddr> {
        let config = &self.instances.at(slot)?.config;
        config.source.or_else(|| {
            let is_moving = |address| self.dependents.is_moving(address);
            self.world.primary(&config.interface, config.router.family, is_moving)
        })
    }

    /// Gives an instance its priority. Every reason for FAULT.
    fn assess(&mut self, now: Instant, slot: Slot) -> Option<(InstanceName, BTreeSet<Fault>)> {
        let source = self.source(slot);
        let instance = self.instances.at_mut(slot)?;
        let config = &instance.config;
        let trackers = self.groups.trackers(&config.name);
        let world = &self.world;
        let facts = Facts {
            world,
            scripts: &self.scripts,
            files: &self.files,
            processes: &self.processes,
            bfd: &self.bfd,
        };
        let (weight, mut faults) = assess(config, trackers, source, facts);
        instance.ensure_links(now, world, &mut self.outputs);
        faults.extend(instance.link_faults(world));
        faults.extend(instance.refused.iter().copied().map(Fault::AddressRefused));
        faults.extend(self.statics.faults_of(&instance.config.name, world));
        let config = &instance.config;
        let deaf = |index| self.listeners.is_deaf((index, config.router.family));
        let sockets = [world.index(&config.interface), instance.sender().map(|(index, _)| index)];
        if sockets.into_iter().flatten().any(deaf) {
            faults.insert(Fault::CannotListen(config.interface.clone()));
        }
        apply_weight(now, instance, weight, &self.world, &mut self.outputs);
        Some((instance.config.name.clone(), faults))
    }

    /// Starts those that wait for nothing any more.
    fn start_waiting(
        &mut self,
        now: Instant,
        slots: &BTreeSet<Slot>,
        adopt: &BTreeSet<InstanceName>,
    ) {
        for &slot in slots {
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            let waits = instance.router.snapshot().state == StateName::Init;
            let (world, out) = (&self.world, &mut self.outputs);
            match (waits, adopt.contains(&instance.config.name)) {
                (true, true) => instance.feed(now, RouterInput::Adopt, world, out),
                (true, false) if instance.faults.is_empty() => {
                    instance.feed(now, RouterInput::Start, world, out);
                }
                // It was master, but can no longer be: nothing may stay behind.
                (false, true) => instance.clean(world, out),
                (true | false, false) => {}
            }
        }
    }
}
