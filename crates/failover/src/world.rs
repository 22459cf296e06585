//! What is known of the machine: its interfaces and their addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use standfast_types::{Family, IfIndex, InterfaceName};

#[derive(Clone, Debug)]
pub(crate) struct World {
    links: BTreeMap<IfIndex, Link>,
    names: BTreeMap<InterfaceName, IfIndex>,
    /// Addresses that carry our tag and stay (`static_ipaddress`).
    pub(crate) statics: BTreeSet<IpAddr>,
    /// The least time between two renewals of leases.
    pub(crate) lease_pace: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) name: InterfaceName,
    pub(crate) running: bool,
    /// What others put there, in the kernel's order: the first one is what the kernel itself would
    /// send from.
    foreign: Vec<IpAddr>,
    /// What we put there: thousands, perhaps.
    ours: BTreeSet<IpAddr>,
}

impl Default for World {
    /// Without interfaces but the one that stands for any: it is always there.
    fn default() -> Self {
        let mut world = Self {
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            statics: BTreeSet::new(),
            lease_pace: Duration::ZERO,
        };
        world.set_link(IfIndex::ANY, InterfaceName::any(), true);
        world
    }
}

impl World {
    /// Whether that was news.
    pub(crate) fn set_link(&mut self, index: IfIndex, name: InterfaceName, running: bool) -> bool {
        let known = self.links.get(&index);
        if known.is_some_and(|link| link.name == name && link.running == running) {
            return false;
        }
        if let Some(known) = known
            && self.names.get(&known.name) == Some(&index)
        {
            self.names.remove(&known.name);
        }
        self.names.insert(name.clone(), index);
        let link = self.links.entry(index).or_insert_with(|| Link {
            name: name.clone(),
            running,
            foreign: Vec::new(),
            ours: BTreeSet::new(),
        });
        link.name = name;
        link.running = running;
        true
    }

    pub(crate) fn remove_link(&mut self, index: IfIndex) {
        if let Some(link) = self.links.remove(&index) {
            // The name may have gone to another interface meanwhile.
            if self.names.get(&link.name) == Some(&index) {
                self.names.remove(&link.name);
            }
        }
    }

    /// Whether that was news; every renewal of a lease is reported, and is none.
    pub(crate) fn set_address(&mut self, index: IfIndex, address: IpAddr, ours: bool) -> bool {
        let Some(link) = self.links.get_mut(&index) else { return false };
        if ours {
            let known = link.foreign.len();
            link.foreign.retain(|known| *known != address);
            return link.ours.insert(address) || link.foreign.len() < known;
        }
        if link.foreign.contains(&address) {
            return false;
        }
        link.ours.remove(&address);
        link.foreign.push(address);
        true
    }

    pub(crate) fn remove_address(&mut self, index: IfIndex, address: IpAddr) {
        if let Some(link) = self.links.get_mut(&index)
            && !link.ours.remove(&address)
        {
            link.foreign.retain(|known| *known != address);
        }
    }

    pub(crate) fn name(&self, index: IfIndex) -> Option<&InterfaceName> {
        self.links.get(&index).map(|link| &link.name)
    }

    /// Whether an interface that is there is running.
    pub(crate) fn state(&self, index: IfIndex) -> Option<bool> {
        self.links.get(&index).map(|link| link.running)
    }

    pub(crate) fn index(&self, name: &InterfaceName) -> Option<IfIndex> {
        self.names.get(name).copied()
    }

    pub(crate) fn link(&self, name: &InterfaceName) -> Option<&Link> {
        self.links.get(&self.index(name)?)
    }

    pub(crate) fn is_running(&self, name: &InterfaceName) -> bool {
        self.link(name).is_some_and(|link| link.running)
    }

    /// Whether somebody other than us put this address there.
    pub(crate) fn is_foreign(&self, index: IfIndex, address: IpAddr) -> bool {
        self.links.get(&index).is_some_and(|link| link.foreign.contains(&address))
    }

    /// The interfaces that have this address, whoever put it there.
    pub(crate) fn holders(&self, address: IpAddr) -> impl Iterator<Item = IfIndex> {
        self.links
            .iter()
            .filter(move |(_, link)| {
                link.ours.contains(&address) || link.foreign.contains(&address)
            })
            .map(|(&index, _)| index)
    }

    /// The address to send from: the first of the interface that no virtual router moves. Over IPv6
    /// it is a link-local one (RFC 9568, section 5.1.2.1).
    pub(crate) fn primary(
        &self,
        name: &InterfaceName,
        family: Family,
        is_virtual: impl Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        let fits = |address: IpAddr| match address {
            IpAddr::V4(_) => family == Family::V4,
            IpAddr::V6(v6) => family == Family::V6 && v6.is_unicast_link_local(),
        };
        let link = self.link(name)?;
        let ours = link.ours.iter().filter(|address| self.statics.contains(*address));
        let all = link.foreign.iter().chain(ours).copied();
        all.into_iter().find(|&address| fits(address) && !is_virtual(address))
    }
}
