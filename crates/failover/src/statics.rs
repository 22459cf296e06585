//! Static addresses, routes and rules: held as long as the daemon runs, whatever the elections say.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use standfast_types::{
    IfIndex, InstanceName, Instant, InterfaceName, Prefix, RoutingEntry, VirtualAddress,
};

use crate::{Event, Fault, Output, RoutingEvent, routing::Routing, world::World};

/// The lease of what does not end by itself, in seconds.
const FOREVER: u32 = u32::MAX;

/// `static_ipaddress`, `static_routes` and `static_rules`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statics {
    /// `static_ipaddress`
    pub addresses: Vec<Static<VirtualAddress>>,
    /// `static_routes`, then `static_rules`.
    pub routing: Vec<Static<RoutingEntry>>,
}

/// Something static, and who depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Static<T> {
    /// What it is.
    pub what: T,
    /// Instances that are in FAULT while it is lost (`track_group`).
    pub followers: Vec<InstanceName>,
}

/// Something that happened to a static address, route or rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaticEvent {
    /// Somebody removed an address; it is back.
    AddressRestored {
        /// The address.
        address: Prefix,
        /// How often this happened to static addresses.
        count: u32,
    },
    /// The kernel refused an address.
    AddressRefused {
        /// The address.
        address: IpAddr,
        /// What the kernel said.
        error: String,
    },
    /// Something happened to a route or rule.
    Routing(RoutingEvent),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    config: Statics,
    holds: bool,
    leaves: bool,
    /// Where addresses were installed: an interface may have another name by now.
    installed: BTreeSet<(IfIndex, VirtualAddress)>,
    /// Addresses that the kernel refused last.
    refused: BTreeSet<IpAddr>,
    routing: Routing,
    restored: u32,
}

impl Held {
    pub(crate) fn new(config: Statics) -> Self {
        Self { config, ..Self::default() }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.routing.next_deadline()
    }

    /// Its addresses, which stay although they carry our tag.
    pub(crate) fn addresses(&self) -> BTreeSet<IpAddr> {
        self.config.addresses.iter().map(|address| address.what.prefix.address()).collect()
    }

    /// Where its addresses were installed.
    pub(crate) const fn installed(&self) -> &BTreeSet<(IfIndex, VirtualAddress)> {
        &self.installed
    }

    /// From now on it ends with the last instance.
    pub(crate) const fn release(&mut self) {
        self.leaves = true;
    }

    pub(crate) const fn leaves(&self) -> bool {
        self.leaves
    }

    /// Installs everything; what is there already stays.
    pub(crate) fn hold(&mut self, world: &World, out: &mut VecDeque<Output>) {
        self.holds = true;
        for address in self.config.addresses.iter().map(|address| &address.what) {
            install(address, world, &mut self.installed, out);
        }
        self.hold_routing(out);
    }

    fn hold_routing(&mut self, out: &mut VecDeque<Output>) {
        let wanted: Vec<_> = self.config.routing.iter().map(|entry| entry.what.clone()).collect();
        self.routing.hold(&wanted, out);
    }

    /// Removes everything, the last first.
    pub(crate) fn let_go(&mut self, out: &mut VecDeque<Output>) {
        self.holds = false;
        self.routing.let_go(out);
        for (index, address) in std::mem::take(&mut self.installed) {
            out.push_back(Output::RemoveAddress { index, address });
        }
    }

    /// Takes a new configuration; touches only what differs.
    pub(crate) fn reconfigure(
        &mut self,
        config: Statics,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        self.config = config;
        self.refused.clear();
        if !self.holds {
            return;
        }
        let wanted: BTreeSet<_> =
            self.config.addresses.iter().map(|address| &address.what).collect();
        let stale: Vec<_> =
            self.installed.iter().filter(|(_, held)| !wanted.contains(held)).cloned().collect();
        for (index, address) in stale {
            self.installed.remove(&(index, address.clone()));
            out.push_back(Output::RemoveAddress { index, address });
        }
        self.hold(world, out);
    }

    /// An interface came or changed.
    pub(crate) fn relink(
        &mut self,
        name: &InterfaceName,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        if !self.holds {
            return;
        }
        // A new interface of the name has another number and none of the addresses.
        let here = world.index(name);
        self.installed.retain(|(index, held)| held.interface != *name || Some(*index) == here);
        for address in self.config.addresses.iter().map(|address| &address.what) {
            if address.interface == *name {
                install(address, world, &mut self.installed, out);
            }
        }
        self.routing.relink(name, world, out);
    }

    /// An address is there, so the kernel did not refuse it.
    pub(crate) fn arrived(&mut self, address: IpAddr) {
        self.refused.remove(&address);
    }

    /// Somebody removed an address.
    pub(crate) fn restore(&mut self, index: IfIndex, address: IpAddr, out: &mut VecDeque<Output>) {
        let lost = self
            .installed
            .iter()
            .find(|(at, held)| *at == index && held.tracked && held.prefix.address() == address);
        if let Some((index, lost)) = lost.cloned() {
            self.restored = self.restored.saturating_add(1);
            let event = StaticEvent::AddressRestored { address: lost.prefix, count: self.restored };
            out.push_back(Output::AddAddress { index, address: lost, lease_seconds: FOREVER });
            out.push_back(Output::Emit(Event::Static(event)));
        }
        self.routing.readdress(address, out);
    }

    pub(crate) fn address_refused(
        &mut self,
        index: IfIndex,
        address: IpAddr,
        error: &str,
        out: &mut VecDeque<Output>,
    ) {
        let ours = |(at, held): &(IfIndex, VirtualAddress)| {
            *at == index && held.prefix.address() == address
        };
        if self.installed.iter().any(ours) && self.refused.insert(address) {
            let event = StaticEvent::AddressRefused { address, error: error.to_owned() };
            out.push_back(Output::Emit(Event::Static(event)));
        }
    }

    pub(crate) fn entry_gone(&mut self, now: Instant, entry: &RoutingEntry) {
        self.routing.lose(now, entry);
    }

    pub(crate) fn entry_answer(
        &mut self,
        now: Instant,
        entry: &RoutingEntry,
        refusal: Option<&str>,
        out: &mut VecDeque<Output>,
    ) {
        emit(self.routing.answer(now, entry, refusal), out);
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let events = self.routing.handle_timeout(now, world, out);
        emit(events, out);
    }

    /// All instances that depend on something static.
    pub(crate) fn followers(&self) -> impl Iterator<Item = &InstanceName> {
        let addresses = self.config.addresses.iter().flat_map(|it| &it.followers);
        addresses.chain(self.config.routing.iter().flat_map(|it| &it.followers))
    }

    /// What an instance depends on and is lost.
    pub(crate) fn faults_of(&self, name: &InstanceName, world: &World) -> BTreeSet<Fault> {
        let addresses = self.config.addresses.iter().filter(|it| it.followers.contains(name));
        let addresses = addresses.map(|it| &it.what).filter(|address| {
            world.index(&address.interface).is_none()
                || self.refused.contains(&address.prefix.address())
        });
        let addresses = addresses.map(|lost| format!("address {}", lost.prefix));
        let entries = self.config.routing.iter().filter(|it| it.followers.contains(name));
        let entries = entries.filter(|it| self.routing.lacks(&it.what, world));
        let entries = entries.map(|lost| lost.what.to_string());
        addresses.chain(entries).map(Fault::Static).collect()
    }
}

fn emit(events: impl IntoIterator<Item = RoutingEvent>, out: &mut VecDeque<Output>) {
    let events = events.into_iter().map(StaticEvent::Routing);
    out.extend(events.map(|event| Output::Emit(Event::Static(event))));
}

/// Installs an address unless somebody else has put it there: then it is not ours to remove.
fn install(
    address: &VirtualAddress,
    world: &World,
    installed: &mut BTreeSet<(IfIndex, VirtualAddress)>,
    out: &mut VecDeque<Output>,
) {
    let Some(index) = world.index(&address.interface) else { return };
    let foreign = world.is_foreign(index, address.prefix.address());
    if !foreign && installed.insert((index, address.clone())) {
        let address = address.clone();
        out.push_back(Output::AddAddress { index, address, lease_seconds: FOREVER });
    }
}
