//! Routes: install, delete, list, and the report of one that changed.

use std::{borrow::Cow, net::IpAddr};

use standfast_types::{
    Encap, IfIndex, InterfaceName, MetricKind, NextHop, Placement, Prefix, Realms, Route,
    RouteKind, Tunnel,
};

use super::{
    address::{AF_INET, AF_INET6},
    link::IFLA_LINKINFO,
    message::{Message, attributes, ip_address, u16_at, u32_at},
    socket::{
        NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE,
        NLM_F_REQUEST, Netlink,
    },
};
use crate::error::Error;

/// Who made our routes and rules (`RTPROT_KEEPALIVED`). Not a number of our own, as addresses
/// have it: routing daemons and scripts tell virtual routes by `proto keepalived`, and whichever
/// of the two programs starts removes what the other left behind.
pub const OUR_ROUTES: u8 = 18;

pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_FLOW: u16 = 11;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;
const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;
const RTNH_F_ONLINK: u8 = 4;
/// Matches a route of any scope when it is deleted.
const RT_SCOPE_NOWHERE: u8 = 255;
/// What the kernel takes for IPv6 when no metric is given.
const IP6_METRIC: u32 = 1024;
/// Length of `rtmsg`.
const HEADER: usize = 12;

/// How an interface's name becomes its number now.
pub type IndexOf<'a> = &'a dyn Fn(&InterfaceName) -> Option<IfIndex>;

/// A route as the kernel reports it: as much as tells one from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteReport {
    /// `RTN_*`.
    kind: u8,
    /// Where it leads.
    pub destination: Prefix,
    /// Its table.
    pub table: u32,
    /// Who made it.
    pub protocol: u8,
    /// Its rank.
    pub metric: u32,
    from: Option<Prefix>,
    tos: u8,
    /// Gateway and interface of each way.
    hops: Vec<(Option<IpAddr>, Option<IfIndex>)>,
}

impl RouteReport {
    /// Whether that is this route, or for a route with several ways one of them.
    #[must_use]
    pub fn is(&self, route: &Route, index_of: IndexOf<'_>) -> bool {
        let six = route.destination.address().is_ipv6();
        let same = self.kind == kind_number(route.kind)
            && (self.table == route.table || route.vrf.is_some())
            && self.protocol == route.protocol.unwrap_or(OUR_ROUTES)
            && self.metric == route.metric.unwrap_or(if six { IP6_METRIC } else { 0 })
            && self.tos == route.tos
            && self.destination == route.destination.network()
            && self.from == route.from.map(Prefix::network);
        let fits = |hop: &NextHop, (gateway, index): &(Option<IpAddr>, Option<IfIndex>)| {
            hop.gateway == *gateway
                && hop.interface.as_ref().is_none_or(|name| index_of(name) == *index)
        };
        same && (route.hops.is_empty()
            || self.hops.iter().all(|found| route.hops.iter().any(|hop| fits(hop, found))))
    }
}

impl Netlink {
    /// Installs a route. One that is there already is no error; an equal one of somebody else's is,
    /// if it has to be [`Placement::Alone`].
    ///
    /// # Errors
    /// `Gone` when an interface that it names is; `Retry` while one is down; what else the kernel
    /// says.
    pub fn add_route(&mut self, route: &Route, index_of: IndexOf<'_>) -> Result<(), Error> {
        let operation = "add a route";
        let route = &*self.in_its_vrf(operation, route, index_of)?;
        // For IPv6, a route with several ways is several routes: what is left of it is replaced.
        let several = route.hops.len() > 1 && route.destination.address().is_ipv6();
        let flags = match route.placement {
            Placement::Prepend if several => NLM_F_REPLACE,
            Placement::Prepend => 0,
            Placement::Append => NLM_F_APPEND,
            Placement::Alone => NLM_F_EXCL,
        };
        let kind = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | flags;
        let message = header(Message::new(RTM_NEWROUTE, kind), route, route.scope.0);
        let message = hops(identity(message, route), route, index_of, operation)?;
        match self.request(operation, details(message, route)) {
            Err(error) if error.is_there_already() => match route.placement {
                Placement::Prepend | Placement::Append => Ok(()),
                Placement::Alone => {
                    let known = self.routes(route.protocol.unwrap_or(OUR_ROUTES))?;
                    if known.iter().any(|known| known.is(route, index_of)) {
                        Ok(())
                    } else {
                        Err(error)
                    }
                }
            },
            answer => answer,
        }
    }

    /// Deletes a route of ours.
    ///
    /// # Errors
    /// `Gone` when it is not there (any more).
    pub fn delete_route(&mut self, route: &Route, index_of: IndexOf<'_>) -> Result<(), Error> {
        let operation = "delete a route";
        let route = &*self.in_its_vrf(operation, route, index_of)?;
        let message = Message::new(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK);
        let message = identity(header(message, route, RT_SCOPE_NOWHERE), route);
        // Of an interface that is gone or has another name now the rest has to do.
        let message = match hops(message.clone(), route, index_of, operation) {
            Ok(message) => message,
            Err(_) => message,
        };
        self.request(operation, message)
    }

    /// The route with the table of its VRF.
    fn in_its_vrf<'r>(
        &mut self,
        operation: &'static str,
        route: &'r Route,
        index_of: IndexOf<'_>,
    ) -> Result<Cow<'r, Route>, Error> {
        let Some(vrf) = &route.vrf else { return Ok(Cow::Borrowed(route)) };
        let index = index_of(vrf).ok_or_else(|| missing(operation, vrf))?;
        let table = self.link_detail(operation, index, |bytes| {
            let data = inside(inside(bytes, IFLA_LINKINFO)?, IFLA_INFO_DATA)?;
            u32_at(inside(data, IFLA_VRF_TABLE)?, 0)
        })?;
        Ok(Cow::Owned(Route { table, ..route.clone() }))
    }

    /// All routes of one maker in this namespace.
    ///
    /// # Errors
    /// [`crate::Class::Retry`] when the table kept changing or the kernel did not answer.
    pub fn routes(&mut self, protocol: u8) -> Result<Vec<RouteReport>, Error> {
        let header = [0, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0];
        let request = Message::new(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP).raw(&header);
        self.dump("list routes", &request, |kind, payload| {
            let report = if kind == RTM_NEWROUTE { decode(payload) } else { None };
            report.filter(|report| report.protocol == protocol)
        })
    }
}

/// `rtmsg`
fn header(message: Message, route: &Route, scope: u8) -> Message {
    let family = if route.destination.address().is_ipv4() { AF_INET } else { AF_INET6 };
    let onlink = matches!(route.hops.as_slice(), [NextHop { onlink: true, .. }]);
    let flags = if onlink { RTNH_F_ONLINK } else { 0 };
    let [f0, f1, f2, f3] = u32::from(flags).to_ne_bytes();
    message.raw(&[
        family,
        route.destination.length(),
        route.from.map_or(0, Prefix::length),
        route.tos,
        // In an attribute: this byte is too small for some.
        0,
        route.protocol.unwrap_or(OUR_ROUTES),
        scope,
        kind_number(route.kind),
        f0,
        f1,
        f2,
        f3,
    ])
}

/// What tells the route from others, its ways excepted.
fn identity(mut message: Message, route: &Route) -> Message {
    message = message.number(RTA_TABLE, route.table);
    if route.destination.length() > 0 {
        message = message.address(RTA_DST, route.destination.network().address());
    }
    if let Some(from) = route.from.filter(|from| from.length() > 0) {
        message = message.address(RTA_SRC, from.network().address());
    }
    match route.metric {
        Some(metric) => message.number(RTA_PRIORITY, metric),
        None => message,
    }
}

fn details(mut message: Message, route: &Route) -> Message {
    if let Some(source) = route.source {
        message = message.address(RTA_PREFSRC, source);
    }
    if !route.metrics.is_empty() || route.congestion.is_some() {
        message = message.nested(RTA_METRICS, |inner| metrics(inner, route));
    }
    if let Some(seconds) = route.expires {
        message = message.number(RTA_EXPIRES, seconds);
    }
    if let Some(preference) = route.preference {
        message = message.attribute(RTA_PREF, &[preference]);
    }
    match route.ttl_propagate {
        Some(enabled) => message.attribute(RTA_TTL_PROPAGATE, &[u8::from(enabled)]),
        None => message,
    }
}

fn metrics(mut message: Message, route: &Route) -> Message {
    let locked = route.metrics.iter().filter(|metric| metric.locked);
    let mut lock = locked.fold(0, |bits, metric| bits | 1_u32 << metric_number(metric.kind));
    for metric in &route.metrics {
        message = message.number(metric_number(metric.kind), metric.value);
    }
    if let Some(congestion) = &route.congestion {
        message = message.text(RTAX_CC_ALGO, &congestion.algorithm);
        lock |= u32::from(congestion.locked) << RTAX_CC_ALGO;
    }
    if lock == 0 { message } else { message.number(RTAX_LOCK, lock) }
}

/// The ways: none, one in attributes of the route itself, or several in one of their own.
fn hops(
    mut message: Message,
    route: &Route,
    index_of: IndexOf<'_>,
    operation: &'static str,
) -> Result<Message, Error> {
    let six = route.destination.address().is_ipv6();
    let mut found = Vec::with_capacity(route.hops.len());
    for hop in &route.hops {
        let index = match &hop.interface {
            None => None,
            Some(name) => match index_of(name) {
                Some(index) => Some(index),
                None => return Err(missing(operation, name)),
            },
        };
        found.push((hop, index));
    }
    if let [(hop, index)] = found.as_slice() {
        if let Some(index) = index {
            message = message.number(RTA_OIF, index.get());
        }
        return Ok(way(message, hop, six));
    }
    if found.is_empty() {
        return Ok(message);
    }
    Ok(message.nested(RTA_MULTIPATH, |mut inner| {
        for (hop, index) in found {
            let flags = if hop.onlink { RTNH_F_ONLINK } else { 0 };
            let [a, b, c, d] = index.map_or(0, IfIndex::get).to_ne_bytes();
            inner = inner.next_hop([flags, hop.weight, a, b, c, d], |inner| way(inner, hop, six));
        }
        inner
    }))
}

fn way(mut message: Message, hop: &NextHop, six: bool) -> Message {
    match hop.gateway {
        Some(gateway) if gateway.is_ipv6() == six => {
            message = message.address(RTA_GATEWAY, gateway);
        }
        Some(IpAddr::V4(gateway)) => {
            message = message.attribute(RTA_VIA, &via(AF_INET, &gateway.octets()));
        }
        Some(IpAddr::V6(gateway)) => {
            message = message.attribute(RTA_VIA, &via(AF_INET6, &gateway.octets()));
        }
        None => {}
    }
    if let Some(Realms { from, to }) = hop.realms {
        message = message.number(RTA_FLOW, u32::from(from) << 16 | u32::from(to));
    }
    match &hop.encap {
        Some(encap) => wrapped(message, encap),
        None => message,
    }
}

/// A gateway of the other family.
fn via(family: u8, octets: &[u8]) -> Vec<u8> {
    [&u16::from(family).to_ne_bytes(), octets].concat()
}

fn wrapped(message: Message, encap: &Encap) -> Message {
    let kind =
        |message: Message, number: u16| message.attribute(RTA_ENCAP_TYPE, &number.to_ne_bytes());
    match encap {
        Encap::Mpls(labels) => kind(message, 1).nested(RTA_ENCAP, |inner| {
            // Label, traffic class, bottom of stack, TTL.
            let last = labels.len().saturating_sub(1);
            let entry = |(at, label): (usize, &u32)| label << 12 | u32::from(at == last) << 8;
            let stack = labels.iter().enumerate().map(entry).flat_map(u32::to_be_bytes);
            inner.attribute(1, &stack.collect::<Vec<_>>())
        }),
        Encap::Ip(tunnel) => {
            kind(message, 2).nested(RTA_ENCAP, |inner| tunnel_header(inner, tunnel, [4, 5]))
        }
        Encap::Ila(locator) => {
            kind(message, 3).nested(RTA_ENCAP, |inner| inner.attribute(1, &locator.to_be_bytes()))
        }
        Encap::Ip6(tunnel) => {
            kind(message, 4).nested(RTA_ENCAP, |inner| tunnel_header(inner, tunnel, [4, 5]))
        }
    }
}

/// IPv4's and IPv6's tunnels differ only in what they call the fourth and fifth attribute:
/// TTL and TOS, hop limit and traffic class.
fn tunnel_header(mut message: Message, tunnel: &Tunnel, [ttl, tos]: [u16; 2]) -> Message {
    if let Some(id) = tunnel.id {
        message = message.attribute(1, &id.to_be_bytes());
    }
    if let Some(destination) = tunnel.destination {
        message = message.address(2, destination);
    }
    if let Some(source) = tunnel.source {
        message = message.address(3, source);
    }
    if let Some(value) = tunnel.ttl {
        message = message.attribute(ttl, &[value]);
    }
    if let Some(value) = tunnel.tos {
        message = message.attribute(tos, &[value]);
    }
    match tunnel.flags {
        // As the machine writes it, which is what `ip` always did and keepalived does.
        Some(flags) => message.attribute(6, &flags.to_ne_bytes()),
        None => message,
    }
}

fn inside(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn missing(operation: &'static str, interface: &InterfaceName) -> Error {
    let text = format!("there is no interface {interface}");
    Error::from_errno(operation, libc::ENODEV, Some(&text))
}

const fn kind_number(kind: RouteKind) -> u8 {
    match kind {
        RouteKind::Unicast => 1,
        RouteKind::Local => 2,
        RouteKind::Broadcast => 3,
        RouteKind::Multicast => 5,
        RouteKind::Blackhole => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
        RouteKind::Nat => 10,
    }
}

const fn metric_number(kind: MetricKind) -> u16 {
    match kind {
        MetricKind::Mtu => 2,
        MetricKind::Window => 3,
        MetricKind::Rtt => 4,
        MetricKind::RttVar => 5,
        MetricKind::SlowStart => 6,
        MetricKind::CongestionWindow => 7,
        MetricKind::AdvertisedMss => 8,
        MetricKind::Reordering => 9,
        MetricKind::HopLimit => 10,
        MetricKind::InitialCongestionWindow => 11,
        MetricKind::Features => 12,
        MetricKind::MinimalTimeout => 13,
        MetricKind::InitialReceiveWindow => 14,
        MetricKind::QuickAck => 15,
        MetricKind::FastOpenNoCookie => 17,
    }
}

/// Reads the payload of a route message; `None` when it is none that we know.
pub(super) fn decode(payload: &[u8]) -> Option<RouteReport> {
    let [family, destination, source, tos, table, protocol, _, kind] = *payload.first_chunk()?;
    if ![AF_INET, AF_INET6].contains(&family) {
        return None;
    }
    let nowhere = any(family);
    let mut report = RouteReport {
        kind,
        destination: Prefix::new(nowhere, destination).ok()?,
        table: table.into(),
        protocol,
        metric: 0,
        from: None,
        tos,
        hops: Vec::new(),
    };
    let rest = payload.get(HEADER..)?;
    let (gateway, index) = hop(rest);
    if gateway.is_some() || index.is_some() {
        report.hops.push((gateway, index));
    }
    for (kind, value) in attributes(rest) {
        match kind {
            RTA_DST => report.destination = Prefix::new(ip_address(value)?, destination).ok()?,
            RTA_SRC => report.from = Prefix::new(ip_address(value)?, source).ok(),
            RTA_TABLE => report.table = u32_at(value, 0)?,
            RTA_PRIORITY => report.metric = u32_at(value, 0)?,
            RTA_MULTIPATH => report.hops.extend(several(value)),
            _ => {}
        }
    }
    Some(report)
}

impl Netlink {
    /// The interface by which an address is reached without a router.
    ///
    /// # Errors
    /// `Retry` when there is no route now, or a router in between; `Refused` for an address of this machine.
    pub fn link_to_neighbour(&mut self, address: IpAddr) -> Result<IfIndex, Error> {
        const UNICAST: u8 = 1;
        let operation = "find the interface of a neighbour";
        let (family, length) = if address.is_ipv4() { (AF_INET, 32) } else { (AF_INET6, 128) };
        let header = [family, length, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let request = Message::new(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK)
            .raw(&header)
            .address(RTA_DST, address);
        let (kind, (gateway, link)) = self.get(operation, request, |_, payload| {
            let (header, rest) = payload.split_at_checked(HEADER)?;
            Some((*header.get(7)?, hop(rest)))
        })?;
        let refuse = |errno, why| Err(Error::from_errno(operation, errno, Some(why)));
        match (kind, gateway, link) {
            (UNICAST, None, Some(link)) => Ok(link),
            (UNICAST, Some(_), _) => refuse(libc::EHOSTUNREACH, "it is behind a router"),
            (UNICAST, None, None) => refuse(libc::EHOSTUNREACH, "no interface leads to it"),
            _ => refuse(libc::EADDRINUSE, "it is an address of this machine"),
        }
    }
}

fn any(family: u8) -> IpAddr {
    if family == AF_INET { [0; 4].into() } else { [0; 16].into() }
}

/// Gateway and interface among the attributes of a route or of one of its ways.
fn hop(bytes: &[u8]) -> (Option<IpAddr>, Option<IfIndex>) {
    let (mut gateway, mut index) = (None, None);
    for (kind, value) in attributes(bytes) {
        match kind {
            RTA_GATEWAY => gateway = ip_address(value),
            RTA_VIA => gateway = value.get(2..).and_then(ip_address),
            RTA_OIF => index = u32_at(value, 0).map(IfIndex::new),
            _ => {}
        }
    }
    (gateway, index)
}

/// The ways in a `RTA_MULTIPATH`; stops at the first that is cut short.
fn several(mut bytes: &[u8]) -> impl Iterator<Item = (Option<IpAddr>, Option<IfIndex>)> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let index = IfIndex::new(u32_at(bytes, 4)?);
        let (gateway, _) = hop(bytes.get(8..length)?);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((gateway, Some(index)))
    })
}
