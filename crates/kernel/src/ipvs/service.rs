//! Services as bytes.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use standfast_types::{
    Closing, Family, Persistence, Scheduler, SchedulerFlags, Scheduling, ServiceKey, Transport,
};

use super::{
    SERVICE,
    statistics::{Counters, counters_of},
};
use crate::netlink::{
    generic::HEADER,
    message::{Message, attributes, text, u16_at, u32_at},
};

const FAMILY: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDRESS: u16 = 3;
const PORT: u16 = 4;
const MARK: u16 = 5;
const SCHEDULER: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const ENGINE: u16 = 11;
const STATISTICS: u16 = 12;

const PERSISTENT: u32 = 0x1;
const ONE_PACKET: u32 = 0x4;
const FIRST: u32 = 0x8;
const SECOND: u32 = 0x10;
const THIRD: u32 = 0x20;

pub(super) const AF_INET: u16 = 2;
pub(super) const AF_INET6: u16 = 10;

/// Names a service.
pub(super) fn key(key: &ServiceKey) -> Message {
    Message::fragment().nested(SERVICE, |list| name(list, key))
}

/// Describes a service in full.
pub(super) fn service(key: &ServiceKey, scheduling: &Scheduling) -> Message {
    let Scheduling { scheduler, flags, one_packet, persistence, closing: _ } = scheduling;
    let SchedulerFlags { first, second, third } = *flags;
    let bits = [
        (persistence.is_some(), PERSISTENT),
        (*one_packet, ONE_PACKET),
        (first, FIRST),
        (second, SECOND),
        (third, THIRD),
    ];
    let bits = bits.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit);
    let family = key.family();
    let (timeout, prefix, engine) = match persistence {
        Some(Persistence { timeout, prefix, engine }) => {
            let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
            (seconds, *prefix, engine.as_deref())
        }
        None => (0, host_prefix(family), None),
    };
    Message::fragment().nested(SERVICE, |list| {
        let list = name(list, key)
            .text(SCHEDULER, scheduler.name())
            .attribute(FLAGS, &[bits.to_ne_bytes(), u32::MAX.to_ne_bytes()].concat())
            .number(TIMEOUT, timeout)
            .attribute(NETMASK, &netmask(family, prefix));
        match engine {
            Some(engine) => list.text(ENGINE, engine),
            None => list,
        }
    })
}

/// Reads a service from the payload of the kernel's answer. `None` for what is cut short, and for
/// what no [`ServiceKey`] or [`Scheduling`] says.
#[must_use]
pub fn parse_service(payload: &[u8]) -> Option<(ServiceKey, Scheduling)> {
    let mut read = Read::default();
    for (kind, value) in attributes(nested(payload)?) {
        read.take(kind, value);
    }
    read.finish()
}

/// What the service of an answer has done so far.
pub(super) fn counters(payload: &[u8]) -> Option<Counters> {
    let mut found = attributes(nested(payload)?);
    found.find(|(kind, _)| *kind == STATISTICS).map(|(_, value)| counters_of(value))
}

fn nested(payload: &[u8]) -> Option<&[u8]> {
    attributes(payload.get(HEADER..)?).find(|(kind, _)| *kind == SERVICE).map(|(_, value)| value)
}

#[derive(Default)]
struct Read<'a> {
    family: Option<u16>,
    protocol: Option<u16>,
    address: Option<&'a [u8]>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<Scheduler>,
    flags: Option<u32>,
    timeout: Option<u32>,
    netmask: Option<&'a [u8]>,
    engine: Option<&'a str>,
}

impl<'a> Read<'a> {
    fn take(&mut self, kind: u16, value: &'a [u8]) {
        match kind {
            FAMILY => self.family = u16_at(value, 0),
            PROTOCOL => self.protocol = u16_at(value, 0),
            ADDRESS => self.address = Some(value),
            PORT => self.port = port(value),
            MARK => self.mark = u32_at(value, 0),
            SCHEDULER => self.scheduler = text(value).and_then(Scheduler::named),
            FLAGS => self.flags = u32_at(value, 0),
            TIMEOUT => self.timeout = u32_at(value, 0),
            NETMASK => self.netmask = Some(value),
            ENGINE => self.engine = text(value),
            _ => {}
        }
    }

    fn finish(self) -> Option<(ServiceKey, Scheduling)> {
        let family = family(self.family?)?;
        let key = match self.mark {
            Some(mark) if mark != 0 => ServiceKey::Mark { mark, family },
            _ => ServiceKey::Address {
                address: address(family, self.address?)?,
                port: self.port?,
                transport: transport(self.protocol?)?,
            },
        };
        let flags = self.flags?;
        let persistence = if flags & PERSISTENT == 0 {
            None
        } else {
            Some(Persistence {
                timeout: Duration::from_secs(self.timeout?.into()),
                prefix: prefix(family, self.netmask?)?,
                engine: self.engine.map(str::to_owned),
            })
        };
        let scheduling = Scheduling {
            scheduler: self.scheduler?,
            flags: SchedulerFlags {
                first: flags & FIRST != 0,
                second: flags & SECOND != 0,
                third: flags & THIRD != 0,
            },
            one_packet: flags & ONE_PACKET != 0,
            persistence,
            closing: Closing::AsKernel,
        };
        Some((key, scheduling))
    }
}

fn name(list: Message, key: &ServiceKey) -> Message {
    let list = list.attribute(FAMILY, &family_number(key.family()).to_ne_bytes());
    match key {
        ServiceKey::Address { address, port, transport } => list
            .attribute(PROTOCOL, &u16::from(transport.number()).to_ne_bytes())
            .attribute(ADDRESS, &sixteen(*address))
            .attribute(PORT, &port.to_be_bytes()),
        ServiceKey::Mark { mark, .. } => list.number(MARK, *mark),
    }
}

pub(super) const fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

pub(super) const fn family(number: u16) -> Option<Family> {
    match number {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

/// An address as the kernel wants it: 16 bytes, of which IPv4 takes the first four.
pub(super) fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

pub(super) fn address(family: Family, bytes: &[u8]) -> Option<IpAddr> {
    Some(match family {
        Family::V4 => Ipv4Addr::from(*bytes.first_chunk::<4>()?).into(),
        Family::V6 => Ipv6Addr::from(*bytes.first_chunk::<16>()?).into(),
    })
}

pub(super) fn port(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_be_bytes)
}

fn transport(number: u16) -> Option<Transport> {
    [Transport::Tcp, Transport::Udp, Transport::Sctp]
        .into_iter()
        .find(|transport| u16::from(transport.number()) == number)
}

const fn host_prefix(family: Family) -> u8 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

/// A mask with IPv4, the length of the prefix with IPv6.
fn netmask(family: Family, prefix: u8) -> [u8; 4] {
    match family {
        Family::V4 => {
            let host = 32_u32.saturating_sub(prefix.into());
            u32::MAX.checked_shl(host).unwrap_or_default().to_be_bytes()
        }
        Family::V6 => u32::from(prefix).to_ne_bytes(),
    }
}

fn prefix(family: Family, bytes: &[u8]) -> Option<u8> {
    let bytes: [u8; 4] = *bytes.first_chunk()?;
    let length = match family {
        Family::V4 => u32::from_be_bytes(bytes).leading_ones(),
        Family::V6 => u32::from_ne_bytes(bytes),
    };
    u8::try_from(length).ok()
}
