//! What the kernel balances: services, and the destinations that it spreads their connections over.

use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Family;

/// Every service, and where its connections go.
pub type ServiceTable = BTreeMap<ServiceKey, Service>;

/// What a service takes: connections to an address, or packets with a firewall mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKey {
    /// `virtual_server ADDRESS PORT`
    Address {
        /// The virtual address.
        address: IpAddr,
        /// Its port; 0 stands for all.
        port: u16,
        /// Its protocol.
        transport: Transport,
    },
    /// `virtual_server fwmark MARK`
    Mark {
        /// The mark.
        mark: u32,
        /// Whose packets.
        family: Family,
    },
}

impl ServiceKey {
    /// Whose packets it takes.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Mark { family, .. } => *family,
        }
    }
}

/// As keepalived writes it into logs and FIFOs: `[192.0.2.1]:tcp:80`, `FWM 5`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, port, transport } => {
                write!(f, "[{address}]:{transport}:{port}")
            }
            Self::Mark { mark, .. } => write!(f, "FWM {mark}"),
        }
    }
}

/// The protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Transport {
    /// Its number in an IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// How a service's connections are spread, and over what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// How.
    pub scheduling: Scheduling,
    /// Over what.
    pub destinations: BTreeMap<DestinationKey, Destination>,
}

/// How a service's connections are spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// How a destination is picked for a new connection.
    pub scheduler: Scheduler,
    /// What else the scheduler is told.
    pub flags: SchedulerFlags,
    /// `ops`: a destination is picked for each packet; UDP only.
    pub one_packet: bool,
    /// Whether clients stay with their destination.
    pub persistence: Option<Persistence>,
    /// What becomes of the connections of a destination that failed or was removed.
    pub closing: Closing,
}

impl Scheduling {
    /// By this scheduler, and nothing else.
    #[must_use]
    pub const fn new(scheduler: Scheduler) -> Self {
        let flags = SchedulerFlags { first: false, second: false, third: false };
        let (one_packet, persistence) = (false, None);
        Self { scheduler, flags, one_packet, persistence, closing: Closing::AsKernel }
    }
}

/// How a destination is picked (`lb_algo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// One after the other.
    Rr,
    /// One after the other, by weight.
    Wrr,
    /// The one with the fewest connections.
    Lc,
    /// The one with the fewest connections for its weight.
    Wlc,
    /// By the destination address, unless overloaded.
    Lblc,
    /// As `lblc`, with several servers an address.
    Lblcr,
    /// By the source address.
    Sh,
    /// By the source address, consistently (Maglev).
    Mh,
    /// By the destination address.
    Dh,
    /// The one with the highest weight.
    Fo,
    /// The one with the highest weight, up to as many connections, then the next.
    Ovf,
    /// The one with the shortest expected delay.
    Sed,
    /// An idle one, else as `sed`.
    Nq,
    /// The better one of two picked at random.
    Twos,
}

impl Scheduler {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Lblcr,
        Self::Sh,
        Self::Mh,
        Self::Dh,
        Self::Fo,
        Self::Ovf,
        Self::Sed,
        Self::Nq,
        Self::Twos,
    ];

    /// The name that the kernel and the configuration know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Sh => "sh",
            Self::Mh => "mh",
            Self::Dh => "dh",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Twos => "twos",
        }
    }

    /// The scheduler of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheduler| scheduler.name() == name)
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `flag-1`, `flag-2`, `flag-3`; with `sh` and `mh` the first is `sh-fallback` (`mh-fallback`), the second
/// `sh-port` (`mh-port`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SchedulerFlags {
    /// `flag-1`
    pub first: bool,
    /// `flag-2`
    pub second: bool,
    /// `flag-3`
    pub third: bool,
}

/// A client stays with its destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Persistence {
    /// For so long after its last connection; whole seconds, 1 s to 31 days.
    pub timeout: Duration,
    /// Clients of one network count as one: the prefix length, at most that of the family's hosts.
    pub prefix: u8,
    /// What tells clients apart instead of their addresses, such as `sip`.
    pub engine: Option<String>,
}

/// What becomes of the connections of a destination that failed or was removed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// As the machine's settings say (with IPVS `expire_nodest_conn` and its kin), which nobody touches.
    #[default]
    AsKernel,
    /// They go on as long as client and server speak.
    Keep,
    /// Their clients are told at once: a reset for TCP, "unreachable" for others.
    Reset,
    /// They are forgotten: the next packet goes to another destination.
    Expire,
}

/// Where connections go: a server's address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DestinationKey {
    /// The server's address; with a tunnel it may be of the other family than the service.
    pub address: IpAddr,
    /// Its port; 0 keeps the port that the client asked for.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.address, self.port)
    }
}

/// How much a destination gets, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// Its share relative to the others, at most [`Self::WEIGHT_MAX`]; 0 gets no new connections.
    pub weight: u32,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// With so many connections it gets no new ones; 0 sets no limit.
    pub upper_threshold: u32,
    /// Below so many it gets new ones again; 0 leaves it to the kernel.
    pub lower_threshold: u32,
}

impl Destination {
    /// The most that a weight can be: schedulers multiply and count with it.
    pub const WEIGHT_MAX: u32 = 65_535;

    /// Without limits.
    #[must_use]
    pub const fn new(weight: u32, forwarding: Forwarding) -> Self {
        Self { weight, forwarding, upper_threshold: 0, lower_threshold: 0 }
    }
}

/// How packets reach a destination (`lb_kind`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Forwarding {
    /// `NAT`: with the destination's address in place of the service's.
    #[default]
    Nat,
    /// `DR`: as they are, to the destination's hardware address.
    DirectRouting,
    /// `TUN`: in a tunnel.
    Tunnel(Encapsulation),
}

/// What a tunnel puts around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Encapsulation {
    /// Another IP header.
    Ipip,
    /// UDP with the GUE header.
    Gue {
        /// The destination's UDP port.
        port: u16,
        /// How it is protected.
        checksum: Checksum,
    },
    /// GRE.
    Gre {
        /// How it is protected; never [`Checksum::Remote`].
        checksum: Checksum,
    },
}

/// How what is tunnelled is protected.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Checksum {
    /// `nocsum`: not.
    #[default]
    None,
    /// `csum`: by a checksum of the tunnel.
    Full,
    /// `remcsum`: by the inner checksum, which the receiver completes.
    Remote,
}

/// One change of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceChange {
    /// A service that is not there, without destinations.
    AddService(ServiceKey, Scheduling),
    /// Another scheduling for one that is.
    EditService(ServiceKey, Scheduling),
    /// It goes, with its destinations.
    RemoveService(ServiceKey),
    /// A destination that is not there.
    AddDestination(ServiceKey, DestinationKey, Destination),
    /// Other values for one that is.
    EditDestination(ServiceKey, DestinationKey, Destination),
    /// It goes.
    RemoveDestination(ServiceKey, DestinationKey),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheduler_is_found_by_its_name() {
        for scheduler in Scheduler::ALL {
            assert_eq!(Scheduler::named(scheduler.name()), Some(scheduler));
        }
        assert_eq!(Scheduler::named("random"), None);
    }

    #[test]
    fn services_are_written_as_keepalived_writes_them() {
        let address = "2001:db8::1".parse().expect("an address");
        let key = ServiceKey::Address { address, port: 443, transport: Transport::Tcp };
        assert_eq!(key.to_string(), "[2001:db8::1]:tcp:443");
        assert_eq!(ServiceKey::Mark { mark: 5, family: Family::V4 }.to_string(), "FWM 5");
    }
}
