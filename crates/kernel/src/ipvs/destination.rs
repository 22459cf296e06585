//! Destinations as bytes.

use standfast_types::{Checksum, Destination, DestinationKey, Encapsulation, Family, Forwarding};

use super::{
    DESTINATION,
    service::{address, family, family_number, port, sixteen},
    statistics::{Usage, counters_of},
};
use crate::netlink::{
    generic::HEADER,
    message::{Message, attributes, u16_at, u32_at},
};

const ADDRESS: u16 = 1;
const PORT: u16 = 2;
const FORWARDING: u16 = 3;
const WEIGHT: u16 = 4;
const UPPER: u16 = 5;
const LOWER: u16 = 6;
const ACTIVE: u16 = 7;
const INACTIVE: u16 = 8;
const PERSISTENT: u16 = 9;
const FAMILY: u16 = 11;
const STATISTICS: u16 = 12;
const TUNNEL: u16 = 13;
const TUNNEL_PORT: u16 = 14;
const TUNNEL_FLAGS: u16 = 15;

const NAT: u32 = 0;
const LOCAL: u32 = 1;
const TUNNELED: u32 = 2;
const DIRECT: u32 = 3;
/// The bits of a destination's flags that say how packets reach it.
const METHOD: u32 = 0x7;

const IPIP: u8 = 0;
const GUE: u8 = 1;
const GRE: u8 = 2;

const NO_CHECKSUM: u16 = 0;
const CHECKSUM: u16 = 1;
const REMOTE_CHECKSUM: u16 = 2;

/// A destination as it was read.
pub(super) type Entry = (DestinationKey, Destination, Usage);

/// Names a destination.
pub(super) fn key(key: &DestinationKey) -> Message {
    Message::fragment().nested(DESTINATION, |list| name(list, key))
}

/// Describes a destination in full.
pub(super) fn destination(key: &DestinationKey, value: &Destination) -> Message {
    let Destination { forwarding, upper_threshold, lower_threshold, .. } = value;
    let weight = value.weight.min(Destination::WEIGHT_MAX);
    Message::fragment().nested(DESTINATION, |list| {
        let list = name(list, key)
            .number(FORWARDING, method(*forwarding))
            .number(WEIGHT, weight)
            .number(UPPER, *upper_threshold)
            .number(LOWER, *lower_threshold);
        match forwarding {
            Forwarding::Nat | Forwarding::DirectRouting => list,
            Forwarding::Tunnel(tunnel) => encapsulation(list, *tunnel),
        }
    })
}

/// Reads a destination, of a service of this family, from the payload of the kernel's answer. `None`
/// for what is cut short, and for what no [`Destination`] says.
#[must_use]
pub fn parse_destination(
    of: Family,
    payload: &[u8],
) -> Option<(DestinationKey, Destination, Usage)> {
    let (key, value, usage, statistics) = read(of, payload)?;
    Some((key, value, Usage { counters: counters_of(statistics), ..usage }))
}

/// The same without its counters, which verifying a table does not ask for.
pub(super) fn parse_without_counters(of: Family, payload: &[u8]) -> Option<Entry> {
    read(of, payload).map(|(key, value, usage, _)| (key, value, usage))
}

fn read(of: Family, payload: &[u8]) -> Option<(DestinationKey, Destination, Usage, &[u8])> {
    let mut nested = attributes(payload.get(HEADER..)?);
    let (_, bytes) = nested.find(|(kind, _)| *kind == DESTINATION)?;
    let mut read = Read::default();
    for (kind, value) in attributes(bytes) {
        read.take(kind, value);
    }
    read.finish(of)
}

#[derive(Default)]
struct Read<'a> {
    family: Option<u16>,
    address: Option<&'a [u8]>,
    port: Option<u16>,
    method: Option<u32>,
    weight: Option<u32>,
    upper: Option<u32>,
    lower: Option<u32>,
    tunnel: Option<u8>,
    tunnel_port: Option<u16>,
    tunnel_flags: Option<u16>,
    statistics: &'a [u8],
    usage: Usage,
}

impl<'a> Read<'a> {
    fn take(&mut self, kind: u16, value: &'a [u8]) {
        let number = || u32_at(value, 0);
        match kind {
            FAMILY => self.family = u16_at(value, 0),
            ADDRESS => self.address = Some(value),
            PORT => self.port = port(value),
            FORWARDING => self.method = number(),
            WEIGHT => self.weight = number(),
            UPPER => self.upper = number(),
            LOWER => self.lower = number(),
            ACTIVE => self.usage.active_connections = number().unwrap_or_default(),
            INACTIVE => self.usage.inactive_connections = number().unwrap_or_default(),
            PERSISTENT => self.usage.persistent_connections = number().unwrap_or_default(),
            STATISTICS => self.statistics = value,
            TUNNEL => self.tunnel = value.first().copied(),
            TUNNEL_PORT => self.tunnel_port = port(value),
            TUNNEL_FLAGS => self.tunnel_flags = u16_at(value, 0),
            _ => {}
        }
    }

    fn finish(self, of: Family) -> Option<(DestinationKey, Destination, Usage, &'a [u8])> {
        // Kernels before 3.18 know one family only, and those before 5.3 one tunnel.
        let family = match self.family {
            Some(number) => family(number)?,
            None => of,
        };
        let key = DestinationKey { address: address(family, self.address?)?, port: self.port? };
        let forwarding = match self.method? & METHOD {
            NAT => Forwarding::Nat,
            // Before 3.0 an address of this machine's own was marked so, whatever was asked for.
            DIRECT | LOCAL => Forwarding::DirectRouting,
            TUNNELED => Forwarding::Tunnel(self.encapsulation()?),
            _ => return None,
        };
        let value = Destination {
            weight: self.weight?,
            forwarding,
            upper_threshold: self.upper?,
            lower_threshold: self.lower?,
        };
        Some((key, value, self.usage, self.statistics))
    }

    fn encapsulation(&self) -> Option<Encapsulation> {
        let flags = self.tunnel_flags.unwrap_or(NO_CHECKSUM);
        let checksum = if flags & REMOTE_CHECKSUM != 0 {
            Checksum::Remote
        } else if flags & CHECKSUM != 0 {
            Checksum::Full
        } else {
            Checksum::None
        };
        match self.tunnel.unwrap_or(IPIP) {
            IPIP => Some(Encapsulation::Ipip),
            GUE => Some(Encapsulation::Gue { port: self.tunnel_port?, checksum }),
            GRE => Some(Encapsulation::Gre { checksum }),
            _ => None,
        }
    }
}

fn name(list: Message, key: &DestinationKey) -> Message {
    let family = family_number(Family::of(key.address));
    list.attribute(FAMILY, &family.to_ne_bytes())
        .attribute(ADDRESS, &sixteen(key.address))
        .attribute(PORT, &key.port.to_be_bytes())
}

const fn method(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Nat => NAT,
        Forwarding::DirectRouting => DIRECT,
        Forwarding::Tunnel(_) => TUNNELED,
    }
}

fn encapsulation(list: Message, tunnel: Encapsulation) -> Message {
    let (kind, port, checksum) = match tunnel {
        Encapsulation::Ipip => (IPIP, 0, Checksum::None),
        Encapsulation::Gue { port, checksum } => (GUE, port, checksum),
        Encapsulation::Gre { checksum } => (GRE, 0, checksum),
    };
    let flags = match checksum {
        Checksum::None => NO_CHECKSUM,
        Checksum::Full => CHECKSUM,
        Checksum::Remote => REMOTE_CHECKSUM,
    };
    list.attribute(TUNNEL, &[kind])
        .attribute(TUNNEL_PORT, &port.to_be_bytes())
        .attribute(TUNNEL_FLAGS, &flags.to_ne_bytes())
}
