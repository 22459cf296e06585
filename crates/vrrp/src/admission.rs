//! Which messages a virtual router listens to (RFC 9568, section 7.1; RFC 3768, section 7.1).

use std::net::IpAddr;

use standfast_types::{AdvertInterval, Family};
use standfast_wire::vrrp::{Fields, Packet, PseudoHeader};

use crate::{ChecksumMode, Config, Datagram, Discard, Transport, Version};

/// A message that passed every check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advert {
    pub(crate) source: IpAddr,
    pub(crate) priority: u8,
    pub(crate) interval: AdvertInterval,
    pub(crate) same_addresses: bool,
    pub(crate) old_checksum: bool,
}

/// Checks a message; the order is the RFC's: cheap and general first.
pub(crate) fn admit(
    config: &Config,
    own: Option<IpAddr>,
    datagram: Datagram<'_>,
) -> Result<Advert, Discard> {
    let packet = Packet::parse(datagram.payload, config.family)?;
    if own == Some(datagram.source) {
        return Err(Discard::Own);
    }
    check_path(config, datagram)?;
    let interval = check_fields(config, packet.fields())?;
    let old_checksum = check_sum(config, &packet, datagram)?;
    let same_addresses = packet.addresses().eq(config.addresses.iter().copied())
        || same_set(&packet, &config.addresses);
    Ok(Advert {
        source: datagram.source,
        priority: packet.priority(),
        interval,
        same_addresses,
        old_checksum,
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

fn check_fields(config: &Config, fields: Fields) -> Result<AdvertInterval, Discard> {
    match (config.version, fields) {
        (Version::V2, Fields::V2 { authentication, interval_seconds, password }) => {
            let expected = u8::from(config.password.is_some());
            if authentication != expected {
                return Err(Discard::AuthenticationType);
            }
            if config.password.is_some_and(|own| own.0 != password) {
                return Err(Discard::Password);
            }
            if config.advert_interval.whole_seconds() != Some(interval_seconds) {
                return Err(Discard::Interval);
            }
            Ok(config.advert_interval)
        }
        (Version::V3, Fields::V3 { interval_centis }) => {
            AdvertInterval::from_centis(interval_centis).map_err(|_| Discard::Interval)
        }
        (Version::V2, Fields::V3 { .. }) | (Version::V3, Fields::V2 { .. }) => {
            Err(Discard::Version)
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
        return with(destination).then_some(false).ok_or(Discard::Checksum);
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
