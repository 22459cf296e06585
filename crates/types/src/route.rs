//! A route as the kernel can install it: where packets go, by which ways, and what TCP assumes about them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{InterfaceName, Prefix, Scope};

/// One line of `virtual_routes` or `static_routes`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// What becomes of the packets.
    pub kind: RouteKind,
    /// Which packets; `0.0.0.0/0` and `::/0` are everywhere.
    pub destination: Prefix,
    /// Only packets from this network (IPv6).
    pub from: Option<Prefix>,
    /// Only packets of this type of service (IPv4).
    pub tos: u8,
    /// The table that it stands in.
    pub table: u32,
    /// Who made it, for `ip route`; `None`: us.
    pub protocol: Option<u8>,
    /// How far away the destination is (IPv4).
    pub scope: Scope,
    /// Its rank among routes to the same destination; lower wins. The kernel's default is 0 for
    /// IPv4, 1024 for IPv6.
    pub metric: Option<u32>,
    /// The address that this machine itself sends from.
    pub source: Option<IpAddr>,
    /// None for a route that drops packets, several to share the load.
    pub hops: Vec<NextHop>,
    /// What TCP and the kernel assume about the path.
    pub metrics: Vec<PathMetric>,
    /// TCP's congestion control.
    pub congestion: Option<Congestion>,
    /// Seconds after which the kernel removes it (IPv6).
    pub expires: Option<u32>,
    /// Router preference as in RFC 4191: 0 medium, 1 high, 3 low (IPv6).
    pub preference: Option<u8>,
    /// Whether MPLS carries the TTL over.
    pub ttl_propagate: Option<bool>,
    /// The VRF whose table it stands in, whatever `table` says.
    pub vrf: Option<InterfaceName>,
    /// Where it stands among equal ones.
    pub placement: Placement,
    /// Whether its removal by somebody else is repaired (`no_track` clears it).
    pub tracked: bool,
}

/// What becomes of a route's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RouteKind {
    /// They are sent on.
    Unicast,
    /// They are for this machine.
    Local,
    /// They are for everybody on the link.
    Broadcast,
    /// They are for a group.
    Multicast,
    /// Dropped silently.
    Blackhole,
    /// Dropped, and the sender hears that the network cannot be reached.
    Unreachable,
    /// Dropped, and the sender hears that it is forbidden.
    Prohibit,
    /// The next rule decides.
    Throw,
    /// Translated; kernels of this century refuse it.
    Nat,
}

/// One way to a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextHop {
    /// The gateway, perhaps of another family than the destination.
    pub gateway: Option<IpAddr>,
    /// The interface that packets leave by; else the kernel finds it by the gateway.
    pub interface: Option<InterfaceName>,
    /// Share of the traffic less 1, 0..=255.
    pub weight: u8,
    /// The gateway is a neighbour, whatever addresses the interface has.
    pub onlink: bool,
    /// What packets are wrapped in.
    pub encap: Option<Encap>,
    /// For classification (IPv4).
    pub realms: Option<Realms>,
}

/// What packets of a route are wrapped in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encap {
    /// MPLS labels, the outermost first, each 20 bits.
    Mpls(Vec<u32>),
    /// An IPv4 tunnel.
    Ip(Tunnel),
    /// An IPv6 tunnel.
    Ip6(Tunnel),
    /// A locator that replaces the upper half of the destination.
    Ila(u64),
}

/// The header that a route's tunnel puts in front of packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tunnel {
    /// The tunnel's number.
    pub id: Option<u64>,
    /// Its other end.
    pub destination: Option<IpAddr>,
    /// Its own end.
    pub source: Option<IpAddr>,
    /// Type of service, or traffic class.
    pub tos: Option<u8>,
    /// Time to live, or hop limit.
    pub ttl: Option<u8>,
    /// The kernel's tunnel flags.
    pub flags: Option<u16>,
}

/// Realms, for classification: 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Realms {
    /// Where packets come from.
    pub from: u16,
    /// Where they go.
    pub to: u16,
}

/// One number that TCP or the kernel assumes about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PathMetric {
    /// Which.
    pub kind: MetricKind,
    /// In the kernel's unit.
    pub value: u32,
    /// Measurements don't change it (`lock`).
    pub locked: bool,
}

/// Which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MetricKind {
    /// Largest packet in bytes.
    Mtu,
    /// Largest window in bytes.
    Window,
    /// Round-trip time in eighths of a millisecond.
    Rtt,
    /// Its variance in quarters of a millisecond.
    RttVar,
    /// Slow start threshold in segments.
    SlowStart,
    /// Limit of the congestion window in segments.
    CongestionWindow,
    /// Segment size in bytes that is offered.
    AdvertisedMss,
    /// How far packets may be out of order.
    Reordering,
    /// Hop limit.
    HopLimit,
    /// Congestion window at first, in segments.
    InitialCongestionWindow,
    /// Feature bits; 1 is ECN.
    Features,
    /// Shortest retransmission time in milliseconds.
    MinimalTimeout,
    /// Receive window at first, in segments.
    InitialReceiveWindow,
    /// Whether segments are acknowledged at once.
    QuickAck,
    /// Whether Fast Open does without a cookie.
    FastOpenNoCookie,
}

/// TCP's congestion control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Congestion {
    /// The algorithm's name.
    pub algorithm: String,
    /// Programs may not choose another.
    pub locked: bool,
}

/// Where a route stands among equal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Placement {
    /// In front.
    #[default]
    Prepend,
    /// Behind.
    Append,
    /// Nowhere: an equal one of somebody else's is an error.
    Alone,
}

impl Route {
    /// The table that holds what no rule sends elsewhere.
    pub const MAIN: u32 = 254;

    /// A unicast route of the main table, everything else at its default.
    #[must_use]
    pub const fn new(destination: Prefix) -> Self {
        Self {
            kind: RouteKind::Unicast,
            destination,
            from: None,
            tos: 0,
            table: Self::MAIN,
            protocol: None,
            scope: Scope::GLOBAL,
            metric: None,
            source: None,
            hops: Vec::new(),
            metrics: Vec::new(),
            congestion: None,
            expires: None,
            preference: None,
            ttl_propagate: None,
            vrf: None,
            placement: Placement::Prepend,
            tracked: true,
        }
    }

    /// The interfaces that it names.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        self.hops.iter().filter_map(|hop| hop.interface.as_ref()).chain(&self.vrf)
    }
}
