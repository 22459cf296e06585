//! What interfaces, sources and trackers mean for an instance: its priority, and every reason for FAULT.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
};

use standfast_types::{Instant, InterfaceName};
use standfast_vrrp::{Input as RouterInput, StateName};

use crate::{
    Fault, InstanceConfig, InstanceEvent, Output, Trackers, instance::Instance, tracker::Facts,
    world::World,
};

/// The sum of an instance's weights, and every reason for FAULT.
pub(crate) fn assess(
    config: &InstanceConfig,
    group: Option<&Trackers>,
    source: Option<IpAddr>,
    facts: Facts<'_>,
) -> (i32, BTreeSet<Fault>) {
    let world = facts.world;
    let mut faults = BTreeSet::new();
    let interface = &config.interface;
    match world.link(interface) {
        None => {
            faults.insert(Fault::InterfaceMissing(interface.clone()));
        }
        Some(link) => {
            if !link.running && config.track_primary {
                faults.insert(Fault::InterfaceDown(interface.clone()));
            }
            if source.is_none() {
                faults.insert(Fault::NoSource(interface.clone()));
            }
        }
    }
    let own = |name: &InterfaceName| config.links.iter().any(|link| link.name == *name);
    for address in config.addresses.iter().filter(|address| address.interface != *interface) {
        if !own(&address.interface) && !world.is_running(&address.interface) {
            faults.insert(Fault::AddressInterface(address.interface.clone()));
        }
    }
    for entry in config.routing.iter().filter(|entry| entry.is_tracked()) {
        for name in entry.interfaces().filter(|name| *name != interface) {
            if !world.is_running(name) {
                faults.insert(Fault::RouteInterface(name.clone()));
            }
        }
    }
    if let Some(source) = config.source
        && config.track_source
        && world.holders(source).next().is_none()
    {
        faults.insert(Fault::SourceMissing(source));
    }
    let mut sum = 0_i32;
    let trackers = [&config.trackers].into_iter().chain(group);
    for effect in trackers.flat_map(|trackers| trackers.effects(facts)) {
        match effect {
            Ok(weight) => sum = sum.saturating_add(weight),
            Err(fault) => {
                faults.insert(fault);
            }
        }
    }
    (sum, faults)
}

/// Gives an instance's router the priority that its trackers leave it.
pub(crate) fn apply_weight(
    now: Instant,
    instance: &mut Instance,
    weight: i32,
    world: &World,
    out: &mut VecDeque<Output>,
) {
    let from = instance.router.snapshot().priority;
    let to = instance.config.router.priority.weighted(weight);
    if from != to {
        instance.feed(now, RouterInput::Priority(to), world, out);
        instance.emit(InstanceEvent::Priority { from, to }, out);
    }
}

/// Tells an instance's router whether it can take part.
pub(crate) fn apply_faults(
    now: Instant,
    instance: &mut Instance,
    mut faults: BTreeSet<Fault>,
    world: &World,
    out: &mut VecDeque<Output>,
) {
    let state = instance.router.snapshot().state;
    if !matches!(state, StateName::Init | StateName::Fault) {
        // A script that a reload adds must not cost the address until its first result, nor an
        // interface of its own that somebody removed.
        faults.retain(|fault| !fault.is_pending());
    }
    if faults == instance.faults {
        return;
    }
    let was_faulty = !instance.faults.is_empty();
    instance.faults = faults;
    if instance.faults.is_empty() {
        instance.feed(now, RouterInput::Recover, world, out);
        return;
    }
    // Until the first result of a script it waits quietly, without a FAULT to tell anybody of.
    let only_pending = instance.faults.iter().all(Fault::is_pending);
    if state == StateName::Init && only_pending {
        return;
    }
    instance.feed(now, RouterInput::Fault, world, out);
    if was_faulty && state == StateName::Fault {
        let faults = instance.faults.iter().cloned().collect();
        instance.emit(InstanceEvent::Faults(faults), out);
    }
}
