//! Which messages a virtual router listens to (RFC 9568, section 7.1; RFC 3768, section 7.1).

use std::net::IpAddr;

use standfast_types::{AdvertInterval, Family, Instant};
use standfast_wire::vrrp::{self, Fields, Packet, PseudoHeader};

use crate::{
    ChecksumMode, Config, Datagram, Discard, Transport, Version,
    auth::{Auth, Skew, open},
};

/// A message that passed every check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advert {
    pub(crate) source: IpAddr,
    pub(crate) priority: u8,
    pub(crate) interval: AdvertInterval,
    pub(crate) same_addresses: bool,
    pub(crate) old_checksum: bool,
    /// The sender's clock differs, which was not said yet.
    pub(crate) skew: Option<Skew>,
}

/// Checks a message; the order is the RFC's: cheap and general first. What authenticates it is used up, whatever
/// is wrong behind that.
pub(crate) fn admit(
    config: &Config,
    own: Option<IpAddr>,
    datagram: Datagram<'_>,
    auth: &mut Auth,
    now: Instant,
) -> Result<Advert, Discard> {
    let opened = open(config, datagram)?;
    let packet = Packet::parse(opened.message, config.family)?;
    if own == Some(datagram.source) {
        return Err(Discard::Own);
    }
    check_path(config, datagram)?;
    check_kind(config, packet.fields())?;
    let skew = opened.verify(config, packet.vrid(), datagram, auth, now)?;
    let interval = check_interval(config, packet.fields())?;
    let old_checksum = check_sum(config, &packet, datagram)?;
    let same_addresses = packet.addresses().eq(config.addresses.iter().copied())
        || same_set(&packet, &config.addresses);
    Ok(Advert {
        source: datagram.source,
        priority: packet.priority(),
        interval,
        same_addresses,
        old_checksum,
        skew,
    })
}

fn same_set(packet: &Packet<'_>, own: &[IpAddr]) -> bool {
    packet.addresses().len() == own.len() && packet.addresses().all(|a| own.contains(&a))
}

fn check_path(config: &Config, datagram: Datagram<'_>) -> Result<(), Discard> {
    match &config.transport {
        Transport::Multicast { group } if datagram.destination != *group => {
            Err(Discard::Destination)
        }
        Transport::Multicast { .. } if datagram.ttl != 255 => Err(Discard::Ttl),
        Transport::Multicast { .. } => Ok(()),
        Transport::Unicast { .. } if datagram.destination.is_multicast() => {
            Err(Discard::Destination)
        }
        Transport::Unicast { peers, check_source, .. } => {
            match peers.iter().find(|peer| peer.address == datagram.source) {
                Some(peer) if (peer.min_ttl..=peer.max_ttl).contains(&datagram.ttl) => Ok(()),
                Some(_) => Err(Discard::PeerTtl),
                None if *check_source => Err(Discard::UnknownSource),
                None => Ok(()),
            }
        }
    }
}

/// The version, and the fields of VRRPv2's own authentication.
fn check_kind(config: &Config, fields: Fields) -> Result<(), Discard> {
    match (config.version, fields) {
        (Version::V2, Fields::V2 { authentication, password, .. }) => {
            let own = config.authentication.fields();
            if authentication != own.number() {
                return Err(Discard::AuthenticationType);
            }
            match own {
                vrrp::Authentication::Password(own) if own != password => Err(Discard::Password),
                vrrp::Authentication::Password(_)
                | vrrp::Authentication::None
                | vrrp::Authentication::Header => Ok(()),
            }
        }
        (Version::V3, Fields::V3 { .. }) => Ok(()),
        (Version::V2, Fields::V3 { .. }) | (Version::V3, Fields::V2 { .. }) => {
            Err(Discard::Version)
        }
    }
}

fn check_interval(config: &Config, fields: Fields) -> Result<AdvertInterval, Discard> {
    match fields {
        Fields::V2 { interval_seconds, .. } => {
            let own = config.advert_interval;
            let same = own.whole_seconds() == Some(interval_seconds);
            same.then_some(own).ok_or(Discard::Interval)
        }
        Fields::V3 { interval_centis } => {
            AdvertInterval::from_centis(interval_centis).map_err(|_| Discard::Interval)
        }
    }
}

/// `Ok(true)` when only the checksum of old keepalived versions fits.
fn check_sum(
    config: &Config,
    packet: &Packet<'_>,
    datagram: Datagram<'_>,
) -> Result<bool, Discard> {
    let Datagram { source, destination, .. } = datagram;
    let with =
        |destination| packet.checksum_is_intact(PseudoHeader::Present { source, destination });
    let unicast = matches!(config.transport, Transport::Unicast { .. });
    if config.family == Family::V6 {
        // Here it covers a trailer, too.
        let all = vrrp::is_intact(datagram.payload, PseudoHeader::Present { source, destination });
        return all.then_some(false).ok_or(Discard::Checksum);
    }
    let verdict = match (config.version, config.checksum) {
        (Version::V2, _) => packet.checksum_is_intact(PseudoHeader::Absent).then_some(false),
        // The manual's promise: with this switch a peer's checksum is not a reason to refuse it.
        (Version::V3, ChecksumMode::AsV2) => Some(false),
        (Version::V3, _) if with(destination) => Some(false),
        (Version::V3, ChecksumMode::PseudoHeader | ChecksumMode::OldUnicast) => {
            (unicast && with(Transport::GROUP)).then_some(true)
        }
        (Version::V3, ChecksumMode::PseudoHeaderOnly) => None,
    };
    verdict.ok_or(Discard::Checksum)
}
