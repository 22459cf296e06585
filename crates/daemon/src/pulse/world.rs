//! The kernel as pulse sees it: sockets by interface, and netlink.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, BorrowedFd},
};

use standfast_failover::{Input, Output};
use standfast_kernel::{
    Class, Error,
    arp_socket::ArpSocket,
    netlink::{Address, AddressRequest, Change, Lifetime, Link, Monitor, MonitorError, Netlink},
    vrrp_socket::{PACKET, Received, VrrpSocket},
};
use standfast_types::{IfIndex, InterfaceName, VirtualAddress, Vrid};
use standfast_wire::arp;

/// Packets that are read from one socket in one go; then it is the timers' turn again.
const BURST: usize = 64;

/// Changes were lost: everything must be read afresh.
#[derive(Debug)]
pub(crate) struct Lost;

/// What the kernel refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// An address.
    Address { index: IfIndex, address: IpAddr, error: String, lasting: bool },
    /// To receive on an interface.
    Listen { index: IfIndex, error: String },
    /// Anything else, in words.
    Other(String),
}

#[derive(Debug, Default)]
struct Port {
    name: String,
    mac: Option<arp::MacOctets>,
    vrrp: Option<VrrpSocket>,
    arp: Option<ArpSocket>,
    /// Sending failed and nothing has succeeded since: said once.
    mute: bool,
}

#[derive(Debug)]
pub(crate) struct World {
    netlink: Netlink,
    monitor: Monitor,
    ports: BTreeMap<IfIndex, Port>,
    /// What the brain was told about addresses, for [`Self::survey`].
    addresses: BTreeSet<(IfIndex, IpAddr)>,
}

impl World {
    /// Opens netlink; the monitor first, so that no change falls between a survey and the first event.
    pub(crate) fn open() -> Result<Self, Error> {
        let monitor = Monitor::open()?;
        let netlink = Netlink::open()?;
        Ok(Self { netlink, monitor, ports: BTreeMap::new(), addresses: BTreeSet::new() })
    }

    /// Everything that can be read from.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let ports = self.ports.values().flat_map(|port| {
            let vrrp = port.vrrp.as_ref().map(AsFd::as_fd);
            vrrp.into_iter().chain(port.arp.as_ref().map(AsFd::as_fd))
        });
        ports.chain([self.monitor.as_fd()])
    }

    /// All links and addresses, and what is gone since the last survey.
    pub(crate) fn survey(&mut self) -> Result<Vec<Input<'static>>, Error> {
        let links = self.netlink.links()?;
        let addresses = self.netlink.addresses()?;
        let present: BTreeSet<_> = links.iter().map(|link| link.index).collect();
        let gone: Vec<_> =
            self.ports.keys().filter(|index| !present.contains(index)).copied().collect();
        let held: BTreeSet<_> = addresses.iter().map(|a| (a.index, a.prefix.address())).collect();
        let lost: Vec<_> = self.addresses.difference(&held).copied().collect();
        let mut inputs = Vec::new();
        inputs.extend(gone.into_iter().map(|index| self.link_gone(index)));
        inputs.extend(links.into_iter().map(|link| self.link(link)));
        inputs.extend(addresses.into_iter().map(|address| self.address(&address)));
        inputs.extend(lost.into_iter().map(|(index, address)| self.address_gone(index, address)));
        Ok(inputs)
    }

    /// The next change that the kernel reports.
    pub(crate) fn next_change(&mut self) -> Result<Option<Input<'static>>, Lost> {
        match self.monitor.next() {
            Ok(None) => Ok(None),
            Ok(Some(Change::Link(link))) => Ok(Some(self.link(link))),
            Ok(Some(Change::LinkGone { index, .. })) => Ok(Some(self.link_gone(index))),
            Ok(Some(Change::Address(address))) => Ok(Some(self.address(&address))),
            Ok(Some(Change::AddressGone(gone))) => {
                Ok(Some(self.address_gone(gone.index, gone.prefix.address())))
            }
            Err(MonitorError::Overrun | MonitorError::Failed(_)) => Err(Lost),
        }
    }

    /// Adverts that have arrived.
    pub(crate) fn adverts(&self) -> Vec<(IfIndex, Received, Vec<u8>)> {
        let mut adverts = Vec::new();
        let mut buffer = [0; PACKET];
        for (&index, port) in &self.ports {
            let Some(socket) = &port.vrrp else { continue };
            // Each interface has its share: a flood on one must not cost another its adverts.
            for _ in 0..BURST {
                // An error here is the interface's, which netlink reports as well.
                let Ok(Some(packet)) = socket.receive(&mut buffer) else { break };
                let payload = buffer.get(packet.payload.clone()).unwrap_or_default().to_vec();
                adverts.push((index, packet, payload));
            }
        }
        adverts
    }

    /// Addresses that other machines have announced.
    pub(crate) fn announcements(&self) -> Vec<(IfIndex, Ipv4Addr)> {
        let mut announced = Vec::new();
        for (&index, port) in &self.ports {
            let Some(socket) = &port.arp else { continue };
            for _ in 0..BURST {
                let Ok(Some(received)) = socket.receive() else { break };
                if let Some(packet) = arp::Repr::parse(&received.packet)
                    && packet.is_gratuitous()
                    && port.mac != Some(packet.sender_mac)
                {
                    announced.push((index, packet.sender));
                }
            }
        }
        announced
    }

    /// Does what the brain wants.
    pub(crate) fn apply(&mut self, output: Output) -> Result<(), Refusal> {
        match output {
            Output::Listen { index, name, vrids, groups } => {
                self.listen(index, &name, &vrids, &groups).map_err(|error| Refusal::Listen {
                    index,
                    error: format!("no VRRP on interface {name}: {error}"),
                })
            }
            Output::Unlisten { index } => {
                if let Some(port) = self.ports.get_mut(&index) {
                    port.vrrp = None;
                }
                Ok(())
            }
            Output::Send { index, source, destination, ttl, payload } => {
                self.send(index, |port| match &port.vrrp {
                    Some(socket) => socket.send(source, destination, ttl, &payload),
                    None => Ok(()),
                })
            }
            Output::AddAddress { index, address, lease_seconds } => {
                self.add(index, &address, lease_seconds)
            }
            Output::RemoveAddress { index, address } => self.remove(index, &address),
            Output::Announce { index, address } => self.send(index, |port| {
                let (Some(socket), Some(mac)) = (&port.arp, port.mac) else { return Ok(()) };
                let packet = arp::Repr::announcement(mac, address);
                socket.send(mac, arp::BROADCAST, &packet.emit())
            }),
            // Events have another reader.
            Output::Emit(_) => Ok(()),
        }
    }

    fn listen(
        &mut self,
        index: IfIndex,
        name: &InterfaceName,
        vrids: &[Vrid],
        groups: &[Ipv4Addr],
    ) -> Result<(), Error> {
        let port = self.ports.entry(index).or_default();
        // A new socket each time: group memberships that are no longer wanted end with the old one.
        let socket = VrrpSocket::open(index, name.as_str())?;
        for group in groups {
            socket.join(*group)?;
        }
        socket.set_filter(vrids)?;
        port.vrrp = Some(socket);
        port.open_arp(index)
    }

    fn add(
        &mut self,
        index: IfIndex,
        address: &VirtualAddress,
        lease_seconds: u32,
    ) -> Result<(), Refusal> {
        let request = AddressRequest {
            label: address.label.clone(),
            scope: address.scope.0,
            broadcast: address.broadcast_address(),
            no_prefix_route: address.no_prefix_route,
            lifetime: Lifetime::Seconds(lease_seconds),
            ..AddressRequest::new(index, address.prefix)
        };
        let refuse = |error: Error| Refusal::Address {
            index,
            address: address.prefix.address(),
            error: error.to_string(),
            lasting: error.class == Class::Refused,
        };
        if let Some(port) = self.ports.get_mut(&index) {
            port.open_arp(index).map_err(refuse)?;
        }
        self.netlink
            .add_addresses(&[request])
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(refuse)
    }

    fn remove(&mut self, index: IfIndex, address: &VirtualAddress) -> Result<(), Refusal> {
        for answer in self.netlink.delete_addresses(&[(index, address.prefix)]) {
            match answer {
                Ok(()) => {}
                Err(error) if error.class == Class::Gone => {}
                Err(error) => {
                    let text = format!("could not remove {}: {error}", address.prefix);
                    return Err(Refusal::Other(text));
                }
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        index: IfIndex,
        send: impl FnOnce(&Port) -> Result<(), Error>,
    ) -> Result<(), Refusal> {
        let Some(port) = self.ports.get_mut(&index) else { return Ok(()) };
        let result = send(port);
        let was_mute = std::mem::replace(&mut port.mute, result.is_err());
        match result {
            Err(error) if !was_mute => {
                Err(Refusal::Other(format!("could not send on {}: {error}", port.name)))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn link(&mut self, link: Link) -> Input<'static> {
        let port = self.ports.entry(link.index).or_default();
        port.mac = link.mac;
        port.name.clone_from(&link.name);
        let running = link.up && link.running;
        Input::Link { index: link.index, name: link.name.as_str().into(), running }
    }

    fn link_gone(&mut self, index: IfIndex) -> Input<'static> {
        self.ports.remove(&index);
        self.addresses.retain(|(holder, _)| *holder != index);
        Input::LinkGone { index }
    }

    fn address(&mut self, address: &Address) -> Input<'static> {
        let Address { index, prefix, ours, .. } = *address;
        self.addresses.insert((index, prefix.address()));
        Input::Address { index, address: prefix.address(), ours }
    }

    fn address_gone(&mut self, index: IfIndex, address: IpAddr) -> Input<'static> {
        self.addresses.remove(&(index, address));
        Input::AddressGone { index, address }
    }
}

impl Port {
    fn open_arp(&mut self, index: IfIndex) -> Result<(), Error> {
        if self.arp.is_none() && self.mac.is_some() {
            self.arp = Some(ArpSocket::open(index)?);
        }
        Ok(())
    }
}
