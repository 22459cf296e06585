//! Unsolicited neighbour advertisements (RFC 4861, section 4.4), with their IPv6 header: what
//! gratuitous ARP is to IPv4.
//!
//! ```text
//!  IPv6 header, 40 bytes: hop limit 255, to all nodes
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   type 136    |    code 0     |           checksum            |
//! |R|S|O|                      reserved                           |
//! |  target address, 16 bytes                                     |
//! |  option 2, length 1 | link-layer address of the target        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::Ipv6Addr;

use crate::{arp::MacOctets, checksum::Sum};

/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The hardware address of that group.
pub const ALL_NODES_MAC: MacOctets = [0x33, 0x33, 0, 0, 0, 1];
/// Bytes of an advertisement with its IPv6 header.
pub const LENGTH: usize = IPV6_HEADER + MESSAGE;

const IPV6_HEADER: usize = 40;
const MESSAGE: usize = 32;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const HOP_LIMIT: u8 = 255;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER: u8 = 2;

/// "This address is at my door", to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The address; it is the packet's source too.
    pub address: Ipv6Addr,
    /// Where it is.
    pub mac: MacOctets,
}

impl Announcement {
    /// The packet, from its IPv6 header on: router and override flags set, not solicited
    /// (RFC 9568, section 6.4.2).
    #[must_use]
    pub fn emit(&self) -> [u8; LENGTH] {
        let length = u8::try_from(MESSAGE).unwrap_or_default();
        let head = [0x60, 0, 0, 0, 0, length, ICMPV6, HOP_LIMIT];
        let message = [ADVERTISEMENT, 0, 0, 0, ROUTER | OVERRIDE, 0, 0, 0];
        let option = [TARGET_LINK_LAYER, 1];
        let mut bytes = [0; LENGTH];
        let fields = head
            .into_iter()
            .chain(self.address.octets())
            .chain(ALL_NODES.octets())
            .chain(message)
            .chain(self.address.octets())
            .chain(option)
            .chain(self.mac);
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        let checksum = sum(self.address, ALL_NODES, bytes.get(IPV6_HEADER..).unwrap_or_default());
        if let Some(field) = bytes.get_mut(IPV6_HEADER + 2..IPV6_HEADER + 4) {
            field.copy_from_slice(&checksum.finish().to_be_bytes());
        }
        bytes
    }

    /// Reads an unsolicited advertisement to all nodes from its IPv6 header on; bytes behind it are
    /// ignored. `None` for anything else.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<IPV6_HEADER>()?;
        let &[first, _, _, _, high, low, next, hops, ref addresses @ ..] = header;
        let (source, destination) = addresses.split_first_chunk::<16>()?;
        let destination = Ipv6Addr::from(*destination.first_chunk::<16>()?);
        let message = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
        let ours = first >> 4 == 6 && next == ICMPV6 && hops == HOP_LIMIT;
        let &[kind, code, _, _, flags, _, _, _] = message.first_chunk::<8>()?;
        let unsolicited = kind == ADVERTISEMENT && code == 0 && flags & SOLICITED == 0;
        if !ours || !unsolicited || destination != ALL_NODES {
            return None;
        }
        if !sum((*source).into(), destination, message).is_intact() {
            return None;
        }
        let (target, options) = message.get(8..)?.split_first_chunk::<16>()?;
        let mac = options.first_chunk::<8>().filter(|option| option.starts_with(&[2, 1]));
        let &[_, _, ref mac @ ..] = mac?;
        Some(Self { address: (*target).into(), mac: *mac })
    }
}

/// "Who has this address?", by somebody who may have it too: a solicitation as for duplicate address
/// detection (RFC 4862, section 5.4.2), whose answer goes to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address.
    pub address: Ipv6Addr,
}

impl Probe {
    const MESSAGE: usize = 24;
    /// Bytes of a probe with its IPv6 header.
    pub const LENGTH: usize = IPV6_HEADER + Self::MESSAGE;

    /// The group that the holder of the address listens to, and its hardware address.
    #[must_use]
    pub fn destination(&self) -> (Ipv6Addr, MacOctets) {
        let [.., a, b, c] = self.address.octets();
        let (high, low) = (u16::from_be_bytes([0xff, a]), u16::from_be_bytes([b, c]));
        (Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, high, low), [0x33, 0x33, 0xff, a, b, c])
    }

    /// The packet, from its IPv6 header on.
    #[must_use]
    pub fn emit(&self) -> [u8; Self::LENGTH] {
        let (destination, _) = self.destination();
        let length = u8::try_from(Self::MESSAGE).unwrap_or_default();
        let mut bytes = [0; Self::LENGTH];
        let fields = [0x60, 0, 0, 0, 0, length, ICMPV6, HOP_LIMIT]
            .into_iter()
            .chain(Ipv6Addr::UNSPECIFIED.octets())
            .chain(destination.octets())
            .chain([SOLICITATION, 0, 0, 0, 0, 0, 0, 0])
            .chain(self.address.octets());
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        let message = bytes.get(IPV6_HEADER..).unwrap_or_default();
        let checksum = sum(Ipv6Addr::UNSPECIFIED, destination, message).finish();
        if let Some(field) = bytes.get_mut(IPV6_HEADER + 2..IPV6_HEADER + 4) {
            field.copy_from_slice(&checksum.to_be_bytes());
        }
        bytes
    }
}

fn sum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Sum {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    Sum::default()
        .with(&source.octets())
        .with(&destination.octets())
        .with(&length.to_be_bytes())
        .with(&[0, ICMPV6])
        .with(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        let address = "2001:db8::9".parse().expect("an address");
        Announcement { address, mac: [2, 0, 0, 0, 0, 1] }
    }

    #[test]
    fn an_announcement_survives_the_round_trip_with_padding_behind_it() {
        let mut bytes = announcement().emit().to_vec();
        bytes.extend([0; 18]);
        assert_eq!(Announcement::parse(&bytes), Some(announcement()));
        assert_eq!(bytes[44], 0xa0, "router and override, not solicited");
    }

    #[test]
    fn a_probe_asks_the_group_of_the_address_without_a_source() {
        let probe = Probe { address: announcement().address };
        let (group, mac) = probe.destination();
        assert_eq!(group.to_string(), "ff02::1:ff00:9");
        assert_eq!(mac, [0x33, 0x33, 0xff, 0, 0, 9]);
        let bytes = probe.emit();
        assert_eq!(bytes[8..24], [0; 16]);
        assert!(sum(Ipv6Addr::UNSPECIFIED, group, &bytes[40..]).is_intact());
        assert_eq!(Announcement::parse(&bytes), None);
    }

    #[test]
    fn a_truncated_or_changed_packet_is_no_announcement() {
        let bytes = announcement().emit();
        for length in 0..LENGTH {
            assert_eq!(Announcement::parse(&bytes[..length]), None);
        }
        // The flow label is nobody's business.
        for at in (0..1).chain(4..LENGTH) {
            let mut changed = bytes;
            changed[at] ^= 0x40;
            assert_eq!(Announcement::parse(&changed), None, "byte {at}");
        }
    }
}
