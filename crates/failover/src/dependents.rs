//! Which instances a change of the machine concerns, so that it need not be told to all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use standfast_types::{InterfaceName, RoutingEntry};

use crate::{
    Trackers,
    group::Groups,
    instance::Instance,
    instances::{Instances, Slot},
};

/// Made anew with every configuration.
#[derive(Debug, Default)]
pub(crate) struct Dependents {
    interfaces: BTreeMap<InterfaceName, BTreeSet<Slot>>,
    /// `track_src_ip`.
    sources: BTreeMap<IpAddr, BTreeSet<Slot>>,
    /// The instances that hold an address as master, and its place among their addresses.
    holders: BTreeMap<IpAddr, Vec<(Slot, usize)>>,
    /// Addresses that virtual routers move, which is none to send from. An owner's is its machine's.
    moving: BTreeSet<IpAddr>,
}

impl Dependents {
    pub(crate) fn new(instances: &Instances, groups: &Groups) -> Self {
        let mut this = Self::default();
        for slot in instances.slots() {
            let Some(instance) = instances.at(slot) else { continue };
            let config = &instance.config;
            if let Some(source) = config.source.filter(|_| config.track_source) {
                this.sources.entry(source).or_default().insert(slot);
            }
            for (place, address) in config.addresses.iter().enumerate() {
                let ip = address.prefix.address();
                this.holders.entry(ip).or_default().push((slot, place));
                if !config.router.priority.is_owner() {
                    this.moving.insert(ip);
                }
            }
            let group = groups.trackers(&config.name);
            for interface in interfaces(instance, group) {
                this.interfaces.entry(interface).or_default().insert(slot);
            }
        }
        this
    }

    /// The instances that an interface concerns.
    pub(crate) fn of_interface(&self, name: &InterfaceName) -> BTreeSet<Slot> {
        self.interfaces.get(name).cloned().unwrap_or_default()
    }

    /// The instances that an address on an interface concerns, other than those that hold it.
    pub(crate) fn of_address(&self, address: IpAddr, on: Option<&InterfaceName>) -> BTreeSet<Slot> {
        let mut slots = self.sources.get(&address).cloned().unwrap_or_default();
        if let Some(name) = on
            && !self.is_moving(address)
        {
            slots.extend(self.interfaces.get(name).into_iter().flatten());
        }
        slots
    }

    /// The instances that hold an address as master, and its place among their addresses.
    pub(crate) fn holders(&self, address: IpAddr) -> &[(Slot, usize)] {
        self.holders.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Whether a virtual router moves this address from machine to machine.
    pub(crate) fn is_moving(&self, address: IpAddr) -> bool {
        self.moving.contains(&address)
    }
}

fn interfaces(instance: &Instance, group: Option<&Trackers>) -> BTreeSet<InterfaceName> {
    let config = &instance.config;
    let trackers = [&config.trackers].into_iter().chain(group);
    let tracked = trackers.flat_map(|trackers| &trackers.interfaces).map(|track| &track.interface);
    let holding = config.addresses.iter().map(|address| &address.interface);
    let routing = config.routing.iter().flat_map(RoutingEntry::interfaces);
    let parents = config.links.iter().map(|own| &own.parent);
    let first = [&config.interface].into_iter().chain(holding).chain(parents);
    first.chain(routing).chain(tracked).cloned().collect()
}
