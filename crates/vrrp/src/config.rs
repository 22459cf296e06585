//! What one virtual router is configured to do.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{AdvertInterval, Family, Priority, Vrid};

use crate::Authentication;

/// The configuration of one virtual router (RFC 9568, section 6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Virtual router id.
    pub vrid: Vrid,
    /// The protocol that carries the adverts, and whose addresses they list.
    pub family: Family,
    /// Protocol version on the wire.
    pub version: Version,
    /// Base priority, before any tracker's weight.
    pub priority: Priority,
    /// Period of our own adverts. VRRPv2 needs whole seconds.
    pub advert_interval: AdvertInterval,
    /// Adverts that may be missed before a backup takes over, 1..=100, default 3.
    pub down_timer_adverts: u8,
    /// What a backup does about a master of lower priority.
    pub preempt: Preempt,
    /// Addresses in our adverts, in the order of the configuration.
    pub addresses: Vec<IpAddr>,
    /// How adverts prove where they come from.
    pub authentication: Authentication,
    /// Where adverts go and which are accepted.
    pub transport: Transport,
    /// How the VRRPv3 checksum is made and checked.
    pub checksum: ChecksumMode,
    /// Gratuitous ARP.
    pub announcements: Announcements,
    /// As master, leave a lower-priority advert unanswered (`lower_prio_no_advert`).
    pub lower_prio_no_advert: bool,
    /// Compare the addresses only in the first advert of a master (`skip_check_adv_addr`).
    pub skip_check_adv_addr: bool,
    /// As the owner of the address, heed no advert (`owner_ignore_adverts`).
    pub owner_ignore_adverts: bool,
    /// Whoever follows answers from the same MAC address (`use_vmac`): once it has spoken, nothing of
    /// ours may follow, or switches would send to us again.
    pub shared_mac: bool,
}

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 9568.
    V3,
}

/// What a backup does about a living master of lower priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preempt {
    /// Take over when the master-down timer ends (the default).
    Always,
    /// Take over this long after the first lower-priority advert (`preempt_delay`).
    After(Duration),
    /// Never take over from a living master (`nopreempt`).
    Never,
}

/// Where adverts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To a group, 224.0.0.18 or ff02::12 by default; TTL 255 is required on receipt.
    Multicast {
        /// The group.
        group: IpAddr,
    },
    /// To each peer.
    Unicast {
        /// The peers, never empty.
        peers: Vec<UnicastPeer>,
        /// Refuse adverts from anyone else (`check_unicast_src`, or any TTL limit).
        check_source: bool,
        /// TTL of our adverts (`unicast_ttl`), default 255.
        ttl: u8,
    },
}

/// One `unicast_peer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnicastPeer {
    /// Its address.
    pub address: IpAddr,
    /// Lowest TTL that is accepted from it, default 0.
    pub min_ttl: u8,
    /// Highest TTL that is accepted from it, default 255.
    pub max_ttl: u8,
}

/// How the VRRPv3 checksum over IPv4 is made and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumMode {
    /// With the pseudo header (RFC 9568, section 5.2.8). Over unicast, a peer that uses the
    /// group's address in the pseudo header (keepalived before 1.3.6) is recognised and
    /// answered alike.
    PseudoHeader,
    /// As above, and such an old peer is refused (`old_unicast_checksum never`).
    PseudoHeaderOnly,
    /// Always with the group's address in the pseudo header (`old_unicast_checksum`).
    OldUnicast,
    /// Without pseudo header (`v3_checksum_as_v2`); a wrong checksum is accepted too.
    AsV2,
}

/// Gratuitous ARP and unsolicited neighbour advertisements: how often, how many. Every `repeat` counts messages for
/// each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcements {
    /// Messages at once on becoming master (`garp_master_repeat`), at least 1.
    pub master_repeat: u32,
    /// A second burst this long after the first (`garp_master_delay`); zero is none.
    pub master_delay: Duration,
    /// Period of refreshes while master (`garp_master_refresh`); zero is never.
    pub refresh: Duration,
    /// Messages in a refresh (`garp_master_refresh_repeat`), at least 1.
    pub refresh_repeat: u32,
    /// Messages at once on hearing a lower-priority advert as master (`garp_lower_prio_repeat`).
    pub lower_prio_repeat: u32,
    /// A second burst this long after that (`garp_lower_prio_delay`); zero is none.
    pub lower_prio_delay: Duration,
    /// Gap between two messages on one interface (`vrrp_garp_interval`, `vrrp_gna_interval`); zero is
    /// none.
    pub gap: Duration,
}

impl Default for Announcements {
    /// keepalived's defaults: 5 at once, 5 more after 5 s, no refresh.
    fn default() -> Self {
        Self {
            master_repeat: 5,
            master_delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::from_secs(5),
            gap: Duration::ZERO,
        }
    }
}

impl Transport {
    /// The group of VRRP over IPv4 (RFC 9568, section 5.1.1.2).
    pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
    /// The group of VRRP over IPv6 (RFC 9568, section 5.1.2.2).
    pub const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

    /// Whether adverts are sent to this address because it is a `unicast_peer`.
    pub(crate) fn is_peer(&self, address: IpAddr) -> bool {
        match self {
            Self::Multicast { .. } => false,
            Self::Unicast { peers, .. } => peers.iter().any(|peer| peer.address == address),
        }
    }

    /// The group of a family.
    #[must_use]
    pub const fn group(family: Family) -> IpAddr {
        match family {
            Family::V4 => Self::GROUP,
            Family::V6 => Self::GROUP6,
        }
    }
}

impl Config {
    /// How long it goes on serving beside its successor.
    pub(crate) const fn linger(&self, usual: Duration) -> Duration {
        if self.shared_mac { Duration::ZERO } else { usual }
    }

    /// keepalived's defaults for a router over IPv4 with this id and priority.
    #[must_use]
    pub fn new(vrid: Vrid, priority: Priority) -> Self {
        Self {
            vrid,
            family: Family::V4,
            version: Version::V2,
            priority,
            advert_interval: AdvertInterval::DEFAULT,
            down_timer_adverts: 3,
            preempt: Preempt::Always,
            addresses: Vec::new(),
            authentication: Authentication::None,
            transport: Transport::Multicast { group: Transport::GROUP },
            checksum: ChecksumMode::PseudoHeader,
            announcements: Announcements::default(),
            lower_prio_no_advert: false,
            skip_check_adv_addr: false,
            owner_ignore_adverts: false,
            shared_mac: false,
        }
    }
}
