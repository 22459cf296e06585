//! Machines, switches, and the cables between them.

use std::{collections::BTreeMap, fs, net::IpAddr, os::fd::AsFd, path::PathBuf, time::Duration};

use rustix::thread::{Timespec, nanosleep};
use standfast_kernel::{
    clock::now,
    link::Switch as Power,
    namespace::NetNs,
    netlink::{AddressRequest, Link, Netlink, Origin},
};
use standfast_types::{IfIndex, Prefix};

use crate::{LabError, node::Node};

/// The number of the first switch port: far from any that a machine gives its interfaces,
/// because equal numbers would delay the news of a pulled cable.
const FIRST_PORT: u32 = 1000;
/// The kernel hands on a carrier's change in its own time, a second at most.
const SETTLED: Duration = Duration::from_secs(2);

/// What to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The machines, clients among them. Names are unique.
    pub nodes: Vec<NodePlan>,
    /// Programs that every machine finds in [`crate::node::PROGRAMS`].
    pub programs: Vec<PathBuf>,
}

/// A machine to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePlan {
    /// Its name.
    pub name: String,
    /// Its interfaces, besides loopback.
    pub interfaces: Vec<InterfacePlan>,
}

/// An interface to build, and the cable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePlan {
    /// Its name on its machine, at most 15 bytes.
    pub name: String,
    /// The switch at the other end of the cable. Switches exist because they are named.
    pub switch: String,
    /// Its addresses.
    pub addresses: Vec<Prefix>,
}

/// The state of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cable {
    /// Packets pass.
    Plugged,
    /// Nothing passes, and the machine notices: it has no carrier.
    Pulled,
    /// Nothing passes, and the machine does not notice: the cut is behind the next switch.
    Silent,
}

/// Machines in a network that exists as long as this value.
#[derive(Debug)]
pub struct Topology {
    nodes: BTreeMap<String, Node>,
    /// In the switches' namespace, which it keeps alive.
    netlink: Netlink,
    bridges: BTreeMap<String, IfIndex>,
    ports: BTreeMap<(String, String), Port>,
}

/// The far end of a machine's cable.
#[derive(Clone, Copy, Debug)]
struct Port {
    index: IfIndex,
    /// The machine's end.
    near: IfIndex,
    bridge: IfIndex,
}

impl Topology {
    /// Builds machines, switches and cables, all switched on and plugged in.
    ///
    /// # Errors
    /// [`LabError::NotPermitted`] says what is missing: a permission, or `veth` and `bridge`
    /// in the kernel.
    pub fn build(plan: &Plan) -> Result<Self, LabError> {
        let room = NetNs::new()?;
        // The switches themselves are no machines and shall not speak.
        let quiet = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
        let _ = room.run(|| fs::write(quiet, "1"))?;
        let netlink = room.run(Netlink::open)??;
        let (nodes, bridges, ports) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut topology = Self { nodes, netlink, bridges, ports };
        // Switches first: a new one takes the next free number, which a port may want.
        for interface in plan.nodes.iter().flat_map(|node| &node.interfaces) {
            topology.bridge(&interface.switch)?;
        }
        for (number, node) in (1..).zip(&plan.nodes) {
            topology.add_node(number, node, &plan.programs)?;
        }
        Ok(topology)
    }

    /// A machine.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is none of this name.
    pub fn node(&mut self, name: &str) -> Result<&mut Node, LabError> {
        self.nodes.get_mut(name).ok_or_else(|| LabError::Unknown(format!("node {name}")))
    }

    /// All machines, by name.
    pub fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut()
    }

    /// The names of the machines that have this address now: more than one is a split
    /// brain, none an outage.
    ///
    /// # Errors
    /// The kernel did not answer.
    pub fn holders(&mut self, address: IpAddr) -> Result<Vec<String>, LabError> {
        let mut holders = Vec::new();
        for (name, node) in &mut self.nodes {
            if node.addresses()?.iter().any(|held| held.prefix.address() == address) {
                holders.push(name.clone());
            }
        }
        Ok(holders)
    }

    /// Plugs, pulls or cuts the cable of a machine's interface. On return it has happened.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is no such interface.
    pub fn set_cable(&mut self, node: &str, interface: &str, cable: Cable) -> Result<(), LabError> {
        let Port { index, near, bridge } = self.port(node, interface)?;
        let (power, master) = match cable {
            Cable::Plugged => (Power::Up, Some(bridge)),
            Cable::Pulled => (Power::Down, Some(bridge)),
            Cable::Silent => (Power::Up, None),
        };
        self.netlink.set_master(index, master)?;
        self.netlink.switch_link(index, power)?;
        let end = now() + SETTLED;
        while self.is_running(node, index, near)? != (power == Power::Up) && now() < end {
            let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        }
        Ok(())
    }

    /// Whether a cable carries packets, as both of its ends see it.
    fn is_running(&mut self, node: &str, far: IfIndex, near: IfIndex) -> Result<bool, LabError> {
        let runs =
            |links: Vec<Link>, index| links.iter().any(|link| link.index == index && link.running);
        let far = runs(self.netlink.links()?, far);
        Ok(far && runs(self.node(node)?.links()?, near))
    }

    /// Plugs a cable into another switch, an existing one or a new one: two such groups of
    /// machines are a partition in which each group still hears itself.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is no such interface.
    pub fn move_cable(
        &mut self,
        node: &str,
        interface: &str,
        switch: &str,
    ) -> Result<(), LabError> {
        let port = self.port(node, interface)?;
        let port = Port { bridge: self.bridge(switch)?, ..port };
        self.ports.insert((node.to_owned(), interface.to_owned()), port);
        self.set_cable(node, interface, Cable::Plugged)
    }

    fn add_node(
        &mut self,
        number: u8,
        plan: &NodePlan,
        programs: &[PathBuf],
    ) -> Result<(), LabError> {
        let mut node = Node::new(&plan.name, programs)?;
        let lo = node.netlink().index_of("lo")?;
        node.netlink().switch_link(lo, Power::Up)?;
        for (position, interface) in (0..).zip(&plan.interfaces) {
            let port = self.add_cable(&mut node, interface, [2, 0, 0, 0, number, position])?;
            self.ports.insert((plan.name.clone(), interface.name.clone()), port);
        }
        self.nodes.insert(plan.name.clone(), node);
        for interface in &plan.interfaces {
            self.set_cable(&plan.name, &interface.name, Cable::Plugged)?;
        }
        Ok(())
    }

    /// The machine's end is made first, with addresses, and then plugged in.
    fn add_cable(
        &mut self,
        node: &mut Node,
        plan: &InterfacePlan,
        mac: [u8; 6],
    ) -> Result<Port, LabError> {
        let number = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        let index = IfIndex::new(FIRST_PORT.saturating_add(number));
        let machine = node.room().net().as_fd();
        let port = format!("port{number}");
        self.netlink.create_veth(&port, Some(index), &plan.name, machine)?;
        let netlink = node.netlink();
        let near = netlink.index_of(&plan.name)?;
        netlink.set_mac(near, mac)?;
        let request = |prefix: &Prefix| AddressRequest {
            origin: Origin::Untagged,
            ..AddressRequest::new(near, *prefix)
        };
        let requests: Vec<_> = plan.addresses.iter().map(request).collect();
        netlink.add_addresses(&requests).into_iter().collect::<Result<(), _>>()?;
        netlink.switch_link(near, Power::Up)?;
        Ok(Port { index, near, bridge: self.bridge(&plan.switch)? })
    }

    fn bridge(&mut self, switch: &str) -> Result<IfIndex, LabError> {
        if let Some(bridge) = self.bridges.get(switch) {
            return Ok(*bridge);
        }
        let name = format!("switch{}", self.bridges.len());
        self.netlink.create_bridge(&name)?;
        let bridge = self.netlink.index_of(&name)?;
        self.netlink.switch_link(bridge, Power::Up)?;
        self.bridges.insert(switch.to_owned(), bridge);
        Ok(bridge)
    }

    fn port(&self, node: &str, interface: &str) -> Result<Port, LabError> {
        let key = (node.to_owned(), interface.to_owned());
        let unknown = || LabError::Unknown(format!("interface {interface} of node {node}"));
        self.ports.get(&key).copied().ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests;
