//! The kernel as pulse sees it: sockets by interface, and netlink.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use standfast_conf::{Buffer, Running};
use standfast_failover::{Config, Input, Output, ReceiveBuffer};
use standfast_kernel::{
    Class, Error,
    arp_socket::ArpSocket,
    link::Switch,
    neighbour_socket::{ADVERTISEMENT, NeighbourSocket},
    netlink::{
        Address, AddressRequest, Change, Lifetime, Link, LinkKind, Monitor, MonitorError, Netlink,
    },
    poll::Registry,
    vrrp_socket::{Received, VrrpSocket},
};
use standfast_types::{
    Family, IfIndex, InterfaceName, MacAddress, RoutingEntry, VirtualAddress, Vrid,
};
use standfast_vrrp::Envelope;
use standfast_wire::{arp, neighbour};

use super::{
    agenda::{Lease, Place},
    routing::Routing,
    secondaries::Secondaries,
    source::Source,
    vmac::OwnLinks,
};

/// Claims that are read from one socket in one go; then it is the timers' turn again.
const BURST: usize = 64;

/// Who says that an address is at its door, and what it says.
type Claim = (arp::MacOctets, Input<'static>);

/// Changes were lost: everything must be read afresh.
#[derive(Debug)]
pub(crate) struct Lost;

/// What the kernel refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// To receive on an interface.
    Listen { index: IfIndex, family: Family, error: String },
    /// Anything else, in words.
    Other(String),
}

#[derive(Debug, Default)]
pub(super) struct Port {
    pub(super) name: String,
    /// What kind of interface it is, and on which other it was made.
    pub(super) made_on: Option<(LinkKind, IfIndex)>,
    pub(super) mac: Option<arp::MacOctets>,
    /// Largest packet in bytes.
    mtu: u32,
    vrrp: BTreeMap<Family, VrrpSocket>,
    /// VRRP behind authentication headers, where an instance wants them.
    protected: Option<VrrpSocket>,
    arp: Option<ArpSocket>,
    neighbour: Option<NeighbourSocket>,
    /// Sending failed and nothing has succeeded since: said once.
    mute: bool,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(super) netlink: Netlink,
    monitor: Monitor,
    registry: Registry,
    pub(super) ports: BTreeMap<IfIndex, Port>,
    pub(super) own_links: OwnLinks,
    routing: Routing,
    secondaries: Secondaries,
    /// What the brain was told about addresses: whether they are ours.
    addresses: BTreeMap<Place, bool>,
}

impl World {
    /// Opens netlink; the monitor first, so that no change falls between a survey and the first event.
    pub(crate) fn open(own_links: OwnLinks, registry: Registry) -> Result<Self, Error> {
        let monitor = Monitor::open()?;
        registry.add(&monitor, Source::Changes.token())?;
        let netlink = Netlink::open()?;
        Ok(Self {
            netlink,
            monitor,
            registry,
            ports: BTreeMap::new(),
            own_links,
            secondaries: Secondaries::default(),
            routing: Routing::default(),
            addresses: BTreeMap::new(),
        })
    }

    /// Gives the sockets of netlink the room that the file asks for. What was refused, in words.
    pub(crate) fn widen(&self, running: &Running) -> Vec<String> {
        let Running { command_buffer, monitor_buffer, .. } = running;
        let bytes = |buffer: &Buffer| usize::try_from(buffer.bytes?).ok();
        let command =
            bytes(command_buffer).map(|bytes| self.netlink.widen(bytes, command_buffer.force));
        let monitor =
            bytes(monitor_buffer).map(|bytes| self.monitor.widen(bytes, monitor_buffer.force));
        let refused = [command, monitor].into_iter().flatten().filter_map(Result::err);
        refused.map(|error| error.to_string()).collect()
    }

    /// All links and addresses, and what is gone since the last survey.
    pub(crate) fn survey(&mut self) -> Result<Vec<Input<'static>>, Error> {
        let links = self.netlink.links()?;
        let mut addresses = self.netlink.addresses()?;
        addresses.retain(|address| !address.tentative);
        let present = links.iter().map(|link| link.index);
        let present: BTreeSet<_> = present.chain([IfIndex::ANY]).collect();
        let gone: Vec<_> =
            self.ports.keys().filter(|index| !present.contains(index)).copied().collect();
        let held: BTreeSet<_> = addresses.iter().map(|a| (a.index, a.prefix.address())).collect();
        let known = self.addresses.keys().copied();
        let lost: Vec<_> = known.filter(|place| !held.contains(place)).collect();
        let mut inputs = Vec::new();
        inputs.extend(gone.into_iter().map(|index| self.link_gone(index)));
        inputs.extend(links.into_iter().map(|link| self.link(link)));
        inputs.extend(addresses.into_iter().map(|address| self.address(&address)));
        let index_of = |name: &InterfaceName| index_of(&self.ports, name);
        inputs.extend(self.routing.again(&mut self.netlink, &index_of));
        inputs.extend(lost.into_iter().map(|(index, address)| self.address_gone(index, address)));
        Ok(inputs)
    }

    /// The next change that the kernel reports.
    pub(crate) fn next_change(&mut self) -> Result<Option<Input<'static>>, Lost> {
        loop {
            let input = match self.monitor.next() {
                Ok(None) => return Ok(None),
                Ok(Some(change)) => self.follow(change),
                Err(MonitorError::Overrun | MonitorError::Failed(_)) => return Err(Lost),
            };
            if input.is_some() {
                return Ok(input);
            }
        }
    }

    /// What a change means to the brain; nothing when it is about a route or rule that is not ours.
    fn follow(&mut self, change: Change) -> Option<Input<'static>> {
        match change {
            Change::Link(link) => Some(self.link(link)),
            Change::LinkGone { index, .. } => Some(self.link_gone(index)),
            // Until duplicate address detection has passed nobody can send from it.
            Change::Address(address) if address.tentative => None,
            Change::Address(address) => Some(self.address(&address)),
            Change::AddressGone(gone) => Some(self.address_gone(gone.index, gone.prefix.address())),
            Change::RouteGone(gone) => {
                let index_of = |name: &InterfaceName| index_of(&self.ports, name);
                self.routing.route_gone(&gone, &index_of)
            }
            Change::RuleGone(gone) => self.routing.rule_gone(&gone),
        }
    }

    /// The next advert that has arrived on an interface, into `buffer`.
    pub(crate) fn next_advert(
        &self,
        index: IfIndex,
        family: Family,
        buffer: &mut [u8],
    ) -> Option<Received> {
        // An error here is the interface's, which netlink reports as well.
        let mut receive = |socket: &VrrpSocket| socket.receive(buffer).ok().flatten();
        self.ports.get(&index)?.hearing(family).find_map(&mut receive)
    }

    /// Addresses that other machines announce on an interface, or say to have.
    pub(crate) fn claims(&self, index: IfIndex, family: Family) -> Vec<Input<'static>> {
        let Some(port) = self.ports.get(&index) else { return Vec::new() };
        let mut claims: Vec<Claim> = match family {
            Family::V4 => port.heard_arp(index).collect(),
            Family::V6 => port.heard_neighbours(index).collect(),
        };
        // Two interfaces on one network hear each other.
        claims.retain(|(mac, _)| self.ports.values().all(|port| port.mac != Some(*mac)));
        claims.into_iter().map(|(_, claim)| claim).collect()
    }

    /// Does what the brain wants.
    pub(crate) fn apply(&mut self, output: Output) -> Result<(), Refusal> {
        match output {
            Output::Listen { index, family, name, vrids, protected, groups, room } => self
                .listen((index, family), &name, &vrids, &groups, room)
                .and_then(|()| match family {
                    Family::V4 => self.listen_protected(index, &name, &protected, &groups, room),
                    Family::V6 => Ok(()),
                })
                .map_err(|error| {
                    let place = if name.is_any() { "any interface" } else { name.as_str() };
                    let error = format!("no VRRP over {family} on {place}: {error}");
                    Refusal::Listen { index, family, error }
                }),
            Output::Unlisten { index, family } => {
                if let Some(port) = self.ports.get_mut(&index) {
                    port.vrrp.remove(&family);
                    if family == Family::V4 {
                        port.protected = None;
                    }
                }
                Ok(())
            }
            Output::Send { index, source, destination, ttl, envelope, payload } => {
                self.send(index, |port| {
                    let (socket, identification) = match envelope {
                        Envelope::Bare => (port.vrrp.get(&Family::of(destination)), 0),
                        Envelope::Header { identification } => {
                            (port.protected.as_ref(), identification)
                        }
                    };
                    socket.map_or(Ok(()), |socket| {
                        socket.send(source, destination, ttl, identification, &payload)
                    })
                })
            }
            Output::Announce { index, address } => self.send(index, |port| port.announce(address)),
            Output::RemoveLink { index } => self.remove_link(index),
            Output::Block { firewall, addresses } => self.block(firewall, addresses),
            Output::LinkUp { index } => self.switch_link(index, Switch::Up),
            Output::LinkDown { index } => self.switch_link(index, Switch::Down),
            Output::Ask { index, address } => self.send(index, |port| port.ask(address)),
            // These go to others.
            Output::AddAddress { .. }
            | Output::RemoveAddress { .. }
            | Output::CreateLink { .. }
            | Output::AddEntry { .. }
            | Output::RemoveEntry { .. }
            | Output::Bfd(_)
            | Output::Emit(_) => Ok(()),
        }
    }

    /// Installs a route or a rule. What the brain shall hear of it.
    pub(crate) fn add_entry(&mut self, entry: RoutingEntry) -> Option<Input<'static>> {
        let index_of = |name: &InterfaceName| index_of(&self.ports, name);
        self.routing.add(&mut self.netlink, entry, &index_of)
    }

    /// Removes a route or a rule. What could not be done, for the log.
    pub(crate) fn remove_entry(&mut self, entry: &RoutingEntry) -> Option<String> {
        let index_of = |name: &InterfaceName| index_of(&self.ports, name);
        self.routing.remove(&mut self.netlink, entry, &index_of)
    }

    fn listen(
        &mut self,
        (index, family): (IfIndex, Family),
        name: &InterfaceName,
        vrids: &[Vrid],
        groups: &[IpAddr],
        room: ReceiveBuffer,
    ) -> Result<(), Error> {
        let port = self.ports.entry(index).or_default();
        // A new socket each time: group memberships that are no longer wanted end with the old one.
        let socket = VrrpSocket::open(index, name.as_str(), family)?;
        socket.hear(vrids, groups, port.bytes(room))?;
        self.registry.add(&socket, Source::Adverts(index, family).token())?;
        port.vrrp.insert(family, socket);
        port.open_announcer(index, family, &self.registry)
    }

    fn listen_protected(
        &mut self,
        index: IfIndex,
        name: &InterfaceName,
        vrids: &[Vrid],
        groups: &[IpAddr],
        room: ReceiveBuffer,
    ) -> Result<(), Error> {
        let port = self.ports.entry(index).or_default();
        port.protected = None;
        if vrids.is_empty() {
            return Ok(());
        }
        let socket = VrrpSocket::open_protected(index, name.as_str())?;
        socket.hear(vrids, groups, port.bytes(room))?;
        self.registry.add(&socket, Source::Adverts(index, Family::V4).token())?;
        port.protected = Some(socket);
        Ok(())
    }

    /// Whether we have put an address on an interface, as far as the brain was told.
    pub(super) fn has_address(&self, place: Place) -> bool {
        self.addresses.get(&place) == Some(&true)
    }

    /// Installs addresses, or renews their leases. What the brain shall hear of it.
    pub(super) fn add(&mut self, leases: &[Lease]) -> Vec<Input<'static>> {
        let requests: Vec<_> = leases.iter().map(request).collect();
        let answers = self.netlink.add_addresses(&requests);
        let mut inputs = Vec::new();
        for (lease, answer) in leases.iter().zip(answers) {
            let (index, address) = (lease.index, lease.address.prefix.address());
            match answer.and_then(|()| self.prepare_announcer((index, address))) {
                Ok(()) if self.addresses.insert((index, address), true) != Some(true) => {
                    inputs.push(Input::Address { index, address, ours: true });
                }
                Ok(()) => {}
                Err(error) => {
                    let lasting = error.class == Class::Refused;
                    let error = error.to_string();
                    inputs.push(Input::AddressRefused { index, address, error, lasting });
                }
            }
        }
        inputs
    }

    fn prepare_announcer(&mut self, (index, address): Place) -> Result<(), Error> {
        match self.ports.get_mut(&index) {
            Some(port) => port.open_announcer(index, Family::of(address), &self.registry),
            None => Ok(()),
        }
    }

    /// Removes addresses. What could not be done, for the log.
    pub(super) fn remove(&mut self, places: &[(IfIndex, VirtualAddress)]) -> Vec<String> {
        let (peers, plain): (Vec<_>, Vec<_>) =
            places.iter().partition(|(_, address)| address.peer.is_some());
        let which: Vec<_> = plain.iter().map(|(index, address)| (*index, address.prefix)).collect();
        let mut answers = self.netlink.delete_addresses(&which);
        for (index, address) in &peers {
            let own = address.prefix.address();
            let peer = address.peer.unwrap_or(address.prefix);
            answers.push(self.netlink.delete_peer_address(*index, own, peer));
        }
        let failed =
            plain.iter().chain(&peers).zip(answers).filter_map(|((_, address), answer)| {
                let error = answer.err().filter(|error| error.class != Class::Gone)?;
                Some(format!("could not remove {}: {error}", address.prefix))
            });
        failed.collect()
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

    pub(super) fn link(&mut self, link: Link) -> Input<'static> {
        let port = self.ports.entry(link.index).or_default();
        port.mac = link.mac;
        port.mtu = link.mtu;
        port.made_on = link.parent.map(|parent| (link.kind, parent));
        port.name.clone_from(&link.name);
        let name = link.name.as_str().into();
        self.secondaries.see(link.index, &name, &mut self.netlink);
        let running = link.up && link.running;
        Input::Link { index: link.index, name, running }
    }

    /// The interfaces of a new configuration that ask for `promote_secondaries`.
    pub(super) fn keep_secondaries(&mut self, config: &Config) {
        let links = self.ports.iter().map(|(index, port)| (*index, port.name.as_str().into()));
        self.secondaries.reconfigure(config, &mut self.netlink, links);
    }

    /// Gives the machine back as it was.
    pub(super) fn end(&mut self) {
        self.secondaries.end(&mut self.netlink);
    }

    fn link_gone(&mut self, index: IfIndex) -> Input<'static> {
        self.ports.remove(&index);
        self.forget_link(index);
        self.addresses.retain(|(holder, _), _| *holder != index);
        Input::LinkGone { index }
    }

    fn address(&mut self, address: &Address) -> Input<'static> {
        let Address { index, prefix, ours, .. } = *address;
        self.addresses.insert((index, prefix.address()), ours);
        Input::Address { index, address: prefix.address(), ours }
    }

    fn address_gone(&mut self, index: IfIndex, address: IpAddr) -> Input<'static> {
        self.addresses.remove(&(index, address));
        Input::AddressGone { index, address }
    }
}

fn request(lease: &Lease) -> AddressRequest {
    let Lease { index, address, seconds } = lease;
    AddressRequest {
        label: address.label.clone(),
        scope: address.scope.0,
        broadcast: address.broadcast_address(),
        no_prefix_route: address.no_prefix_route,
        peer: address.peer,
        flags: address.flags,
        lifetime: Lifetime::Seconds(*seconds),
        preferred_seconds: address.preferred(),
        ..AddressRequest::new(*index, address.prefix)
    }
}

fn index_of(ports: &BTreeMap<IfIndex, Port>, name: &InterfaceName) -> Option<IfIndex> {
    ports.iter().find(|(_, port)| port.name == name.as_str()).map(|(index, _)| *index)
}

impl Port {
    /// The room for adverts in bytes.
    fn bytes(&self, room: ReceiveBuffer) -> usize {
        let bytes = room.bytes.max(room.mtus.saturating_mul(self.mtu));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The sockets that adverts arrive at.
    fn hearing(&self, family: Family) -> impl Iterator<Item = &VrrpSocket> {
        let protected = self.protected.iter().filter(move |_| family == Family::V4);
        self.vrrp.get(&family).into_iter().chain(protected)
    }

    /// What cannot be announced (an interface without Ethernet addresses) needs no socket for it.
    fn open_announcer(
        &mut self,
        index: IfIndex,
        family: Family,
        registry: &Registry,
    ) -> Result<(), Error> {
        let token = Source::Claims(index, family).token();
        match family {
            _ if self.mac.is_none() => {}
            Family::V4 if self.arp.is_none() => {
                let socket = ArpSocket::open(index)?;
                registry.add(&socket, token)?;
                self.arp = Some(socket);
            }
            Family::V6 if self.neighbour.is_none() => {
                let socket = NeighbourSocket::open(index)?;
                registry.add(&socket, token)?;
                self.neighbour = Some(socket);
            }
            Family::V4 | Family::V6 => {}
        }
        Ok(())
    }

    fn announce(&self, address: IpAddr) -> Result<(), Error> {
        let Some(mac) = self.mac else { return Ok(()) };
        match (address, &self.arp, &self.neighbour) {
            (IpAddr::V4(address), Some(socket), _) => {
                let packet = arp::Repr::announcement(mac, address);
                socket.send(mac, arp::BROADCAST, &packet.emit())
            }
            (IpAddr::V6(address), _, Some(socket)) => {
                let packet = neighbour::Announcement { address, mac };
                socket.send(mac, neighbour::ALL_NODES_MAC, &packet.emit())
            }
            (IpAddr::V4(_), None, _) | (IpAddr::V6(_), _, None) => Ok(()),
        }
    }

    fn ask(&self, address: IpAddr) -> Result<(), Error> {
        let Some(mac) = self.mac else { return Ok(()) };
        match (address, &self.arp, &self.neighbour) {
            (IpAddr::V4(address), Some(socket), _) => {
                socket.send(mac, arp::BROADCAST, &arp::Repr::probe(mac, address).emit())
            }
            (IpAddr::V6(address), _, Some(socket)) => {
                let probe = neighbour::Probe { address };
                let (_, group) = probe.destination();
                socket.send(mac, group, &probe.emit())
            }
            (IpAddr::V4(_), None, _) | (IpAddr::V6(_), _, None) => Ok(()),
        }
    }

    fn heard_arp(&self, index: IfIndex) -> impl Iterator<Item = Claim> {
        let socket = self.arp.iter();
        let packets = socket
            .flat_map(|socket| std::iter::from_fn(|| socket.receive().ok().flatten()).take(BURST));
        packets.filter_map(move |received| {
            let packet = arp::Repr::parse(&received.packet)?;
            let (address, mac) = (packet.sender.into(), MacAddress(packet.sender_mac));
            let claim = if packet.is_gratuitous() {
                Input::Announced { index, address, mac }
            } else if packet.answers_probe() {
                Input::Answered { index, address, mac }
            } else {
                return None;
            };
            Some((packet.sender_mac, claim))
        })
    }

    fn heard_neighbours(&self, index: IfIndex) -> impl Iterator<Item = Claim> {
        let socket = self.neighbour.iter();
        let packets = socket.flat_map(|socket| {
            std::iter::from_fn(|| {
                let mut buffer = [0; ADVERTISEMENT];
                let packet = socket.receive(&mut buffer).ok()??;
                Some(neighbour::Announcement::parse(packet))
            })
            .take(BURST)
        });
        packets.flatten().map(move |packet| {
            let (address, mac) = (packet.address.into(), MacAddress(packet.mac));
            (packet.mac, Input::Announced { index, address, mac })
        })
    }
}
