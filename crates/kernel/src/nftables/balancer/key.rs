//! What services and destinations are as keys of maps.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use standfast_types::{DestinationKey, Family, ServiceKey, Transport};

use super::place::Kind;
use crate::nftables::transaction::{TYPE_IPV4, TYPE_IPV6};

const TYPE_FAMILY: u32 = 2;
const TYPE_INTEGER: u32 = 4;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_PORT: u32 = 13;
const TYPE_MARK: u32 = 19;
const TYPE_INTERFACE: u32 = 20;

/// A map that leads to chains of services: what it tells them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceMap {
    /// A family and a mark.
    Marks,
    /// An address, a protocol and a port.
    Ports(Family),
    /// An address and a protocol.
    Addresses(Family),
}

impl ServiceMap {
    /// The one in which a service is.
    pub(super) const fn of(key: &ServiceKey) -> Self {
        match key {
            ServiceKey::Mark { .. } => Self::Marks,
            ServiceKey::Address { port: 0, .. } => Self::Addresses(key.family()),
            ServiceKey::Address { .. } => Self::Ports(key.family()),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Marks => "marks",
            Self::Ports(Family::V4) => "services",
            Self::Ports(Family::V6) => "services6",
            Self::Addresses(Family::V4) => "addresses",
            Self::Addresses(Family::V6) => "addresses6",
        }
    }

    pub(super) const fn key(self) -> Kind {
        match self {
            Self::Marks => Kind { shown: together(&[TYPE_FAMILY, TYPE_MARK]), length: 8 },
            Self::Ports(family) => address(family).and(TYPE_PROTOCOL).and_port(),
            Self::Addresses(family) => address(family).and(TYPE_PROTOCOL),
        }
    }

    /// The service that has this key.
    pub(super) fn read(self, key: &[u8]) -> Option<ServiceKey> {
        let (key, port) = match self {
            Self::Marks => {
                let (family, mark) = key.split_first_chunk::<4>()?;
                let mark = u32::from_ne_bytes(<[u8; 4]>::try_from(mark).ok()?);
                return Some(ServiceKey::Mark { mark, family: read_family(*family.first()?)? });
            }
            Self::Addresses(_) => (key, 0),
            Self::Ports(_) => {
                let (key, port) = key.split_at_checked(key.len().checked_sub(4)?)?;
                (key, read_port(port)?)
            }
        };
        let (address, protocol) = key.split_at_checked(key.len().checked_sub(4)?)?;
        let (address, transport) = (read_address(address)?, read_transport(*protocol.first()?)?);
        Some(ServiceKey::Address { address, port, transport })
    }
}

/// What a rule draws.
pub(super) const NUMBER: Kind = Kind { shown: TYPE_INTEGER, length: 4 };
/// A firewall mark.
pub(super) const MARK: Kind = Kind { shown: TYPE_MARK, length: 4 };
/// An interface.
pub(super) const INTERFACE: Kind = Kind { shown: TYPE_INTERFACE, length: 4 };
/// A service and one of its destinations.
pub(super) const DESTINATION: Kind = Kind {
    shown: together(&[TYPE_IPV6, TYPE_PROTOCOL, TYPE_PORT, TYPE_IPV6, TYPE_PORT]),
    length: 44,
};

/// How `nft` is told what a key consists of.
const fn together(types: &[u32]) -> u32 {
    let (mut shown, mut rest) = (0, types);
    while let [first, others @ ..] = rest {
        (shown, rest) = (shown << 6 | *first, others);
    }
    shown
}

/// An address.
pub(super) const fn address(family: Family) -> Kind {
    match family {
        Family::V4 => Kind { shown: TYPE_IPV4, length: 4 },
        Family::V6 => Kind { shown: TYPE_IPV6, length: 16 },
    }
}

impl Kind {
    /// This, and a port after it.
    pub(super) const fn and_port(self) -> Self {
        self.and(TYPE_PORT)
    }

    /// This, and something of at most 4 bytes after it.
    const fn and(self, shown: u32) -> Self {
        Self { shown: self.shown << 6 | shown, length: self.length.saturating_add(4) }
    }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A port, in the 4 bytes of a register.
pub(super) fn port(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

/// What a packet must have to belong to a service: a key of its [`ServiceMap`].
pub(super) fn service(key: &ServiceKey) -> Vec<u8> {
    match *key {
        ServiceKey::Address { address, port: number, transport } => {
            let mut bytes = octets(address);
            bytes.extend([transport.number(), 0, 0, 0]);
            if number != 0 {
                bytes.extend(port(number));
            }
            bytes
        }
        ServiceKey::Mark { mark, family } => {
            [[family_number(family), 0, 0, 0], mark.to_ne_bytes()].concat()
        }
    }
}

/// A service and one of its destinations, each address as one of IPv6. A mark takes the place of an
/// address, the family that of a port; no protocol says so.
pub(super) fn destination(key: &ServiceKey, destination: &DestinationKey) -> Vec<u8> {
    let mut bytes = match *key {
        ServiceKey::Address { address, port: number, transport } => {
            let protocol = [transport.number(), 0, 0, 0];
            [&wide(address), protocol.as_slice(), &port(number)].concat()
        }
        ServiceKey::Mark { mark, family } => {
            let address = Ipv6Addr::from(u128::from(mark)).octets();
            [address.as_slice(), &[0; 4], &port(family_number(family).into())].concat()
        }
    };
    bytes.extend(wide(destination.address));
    bytes.extend(port(destination.port));
    bytes
}

/// What [`destination`] wrote.
pub(super) fn read_destination(key: &[u8]) -> Option<(ServiceKey, DestinationKey)> {
    let (service, destination) = key.split_at_checked(24)?;
    let (address, rest) = service.split_first_chunk::<16>()?;
    let (protocol, number) = rest.split_at_checked(4)?;
    let number = read_port(number)?;
    let key = match *protocol.first()? {
        0 => ServiceKey::Mark {
            mark: u32::try_from(u128::from_be_bytes(*address)).ok()?,
            family: read_family(u8::try_from(number).ok()?)?,
        },
        protocol => ServiceKey::Address {
            address: narrow(*address),
            port: number,
            transport: read_transport(protocol)?,
        },
    };
    let (address, port) = destination.split_first_chunk::<16>()?;
    Some((key, DestinationKey { address: narrow(*address), port: read_port(port)? }))
}

/// The name of a service's chain: what `nft` takes as a name, and people as the service.
pub(super) fn chain(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { address: IpAddr::V4(address), port, transport } => {
            format!("{transport}/{address}/{port}")
        }
        ServiceKey::Address { address: IpAddr::V6(address), port, transport } => {
            format!("{transport}6/{}/{port}", address.to_string().replace(':', "."))
        }
        ServiceKey::Mark { mark, family: Family::V4 } => format!("mark/{mark}"),
        ServiceKey::Mark { mark, family: Family::V6 } => format!("mark6/{mark}"),
    }
}

/// The name of the map in which a service's connections stay with their destinations.
pub(super) fn flows(key: &ServiceKey) -> String {
    format!("flows/{}", chain(key))
}

/// The name of the set of those that are closed.
pub(super) fn closed_flows(key: &ServiceKey) -> String {
    format!("closed/{}", chain(key))
}

/// The name of the chain of one of a service's destinations.
pub(super) fn target(key: &ServiceKey, to: &DestinationKey) -> String {
    let address = to.address.to_string().replace(':', ".");
    format!("{}/{address}/{}", chain(key), to.port)
}

/// As the packet's own header says it (`NFPROTO_*`).
const fn family_number(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

const fn read_family(number: u8) -> Option<Family> {
    match number {
        2 => Some(Family::V4),
        10 => Some(Family::V6),
        _ => None,
    }
}

fn read_transport(number: u8) -> Option<Transport> {
    [Transport::Tcp, Transport::Udp, Transport::Sctp]
        .into_iter()
        .find(|transport| transport.number() == number)
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into())
}

fn read_port(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [high, low, _, _] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn narrow(octets: [u8; 16]) -> IpAddr {
    let address = Ipv6Addr::from(octets);
    address.to_ipv4_mapped().map_or(address.into(), IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [ServiceKey; 4] {
        let address = |text: &str| text.parse().expect("an address");
        let of =
            |text, port, transport| ServiceKey::Address { address: address(text), port, transport };
        [
            of("192.0.2.1", 80, Transport::Tcp),
            of("2001:db8::1", 0, Transport::Sctp),
            ServiceKey::Mark { mark: 0x8000_0001, family: Family::V4 },
            ServiceKey::Mark { mark: 7, family: Family::V6 },
        ]
    }

    #[test]
    fn keys_read_back() {
        for key in keys() {
            assert_eq!(ServiceMap::of(&key).read(&service(&key)), Some(key));
            for address in ["10.0.0.1", "2001:db8::2"] {
                let to = DestinationKey { address: address.parse().expect("one"), port: 8080 };
                assert_eq!(read_destination(&destination(&key, &to)), Some((key, to)));
            }
        }
    }

    #[test]
    fn keys_cut_anywhere_are_no_keys() {
        let to = DestinationKey { address: "10.0.0.1".parse().expect("one"), port: 8080 };
        for key in keys() {
            for end in 0..service(&key).len() {
                let _ = ServiceMap::of(&key).read(&service(&key)[..end]);
            }
            for end in 0..44 {
                assert_eq!(read_destination(&destination(&key, &to)[..end]), None);
            }
        }
        assert_eq!(ServiceMap::Ports(Family::V4).read(&[0; 12]), None, "no protocol");
        assert_eq!(ServiceMap::Marks.read(&[9; 8]), None, "no family");
    }

    #[test]
    fn chains_have_names_that_nft_takes() {
        let names = keys().map(|key| chain(&key));
        assert_eq!(
            names,
            ["tcp/192.0.2.1/80", "sctp6/2001.db8..1/0", "mark/2147483649", "mark6/7"]
        );
    }
}
