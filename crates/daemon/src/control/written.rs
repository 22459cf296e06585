//! Services and servers as people write them.

use std::net::IpAddr;

use standfast_types::{DestinationKey, ServiceKey, Transport};

/// `192.0.2.1:80/tcp`, `[2001:db8::1]:80/udp`, `fwmark 5`: how we write a service.
pub(crate) fn service(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { address, port, transport } => {
            format!("{}/{transport}", endpoint(*address, *port))
        }
        ServiceKey::Mark { mark, family } => match family {
            standfast_types::Family::V4 => format!("fwmark {mark}"),
            standfast_types::Family::V6 => format!("fwmark {mark} IPv6"),
        },
    }
}

/// `192.0.2.10:80`, `[2001:db8::1]:80`: how we write a server.
pub(crate) fn server(key: &DestinationKey) -> String {
    endpoint(key.address, key.port)
}

fn endpoint(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

/// What somebody wrote, as far as it is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// An address; a port and a protocol where they are written.
    Address { address: IpAddr, port: Option<u16>, transport: Option<Transport> },
    /// A firewall mark.
    Mark(u32),
}

impl Written {
    /// Reads `192.0.2.1:80/tcp`, `192.0.2.1 80`, `[2001:db8::1]:80`, `[192.0.2.1]:tcp:80` (as in logs),
    /// `fwmark 5`, `FWM 5`; the port and the protocol may be missing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(mark) = mark(text) {
            return Some(Self::Mark(mark));
        }
        let (rest, transport) = match text.rsplit_once('/') {
            Some((rest, word)) => (rest, Some(transport(word)?)),
            None => (text, None),
        };
        let (address, tail) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (address, tail) = inside.split_once(']')?;
                (address.parse().ok()?, tail.trim_start_matches([':', ' ']))
            }
            None => bare(rest)?,
        };
        let (tail, transport) = match tail.split_once(':') {
            Some((word, port)) => (port, Some(self::transport(word)?)),
            None => (tail, transport),
        };
        let port = if tail.is_empty() { None } else { Some(tail.trim().parse().ok()?) };
        Some(Self::Address { address, port, transport })
    }

    /// Whether a service can be meant.
    pub(crate) fn is_service(&self, key: &ServiceKey) -> bool {
        match (self, key) {
            (
                Self::Address { address, port, transport },
                ServiceKey::Address { address: its, port: its_port, transport: its_transport },
            ) => {
                address == its
                    && port.is_none_or(|port| port == *its_port)
                    && transport.is_none_or(|transport| transport == *its_transport)
            }
            (Self::Mark(mark), ServiceKey::Mark { mark: its, .. }) => mark == its,
            (Self::Address { .. }, ServiceKey::Mark { .. })
            | (Self::Mark(_), ServiceKey::Address { .. }) => false,
        }
    }

    /// Whether a server can be meant.
    pub(crate) fn is_server(&self, key: &DestinationKey) -> bool {
        match self {
            Self::Address { address, port, .. } => {
                *address == key.address && port.is_none_or(|port| port == key.port)
            }
            Self::Mark(_) => false,
        }
    }
}

/// An address without brackets, and what follows it.
fn bare(text: &str) -> Option<(IpAddr, &str)> {
    if let Some((address, port)) = text.split_once(' ') {
        return Some((address.parse().ok()?, port.trim()));
    }
    // All of `2001:db8::1` is an address.
    if let Ok(address) = text.parse() {
        return Some((address, ""));
    }
    let (address, port) = text.rsplit_once(':')?;
    match address.parse().ok()? {
        IpAddr::V4(address) => Some((address.into(), port)),
        IpAddr::V6(_) => None,
    }
}

fn mark(text: &str) -> Option<u32> {
    let (word, number) = text.split_once(' ')?;
    let known = word.eq_ignore_ascii_case("fwmark") || word.eq_ignore_ascii_case("fwm");
    known.then_some(())?;
    number.trim().parse().ok()
}

fn transport(word: &str) -> Option<Transport> {
    [Transport::Tcp, Transport::Udp, Transport::Sctp]
        .into_iter()
        .find(|transport| word.eq_ignore_ascii_case(&transport.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(address: &str, port: Option<u16>, transport: Option<Transport>) -> Option<Written> {
        Some(Written::Address { address: address.parse().expect("an address"), port, transport })
    }

    #[test]
    fn services_and_servers_are_understood_in_every_common_spelling() {
        let (tcp, udp) = (Some(Transport::Tcp), Some(Transport::Udp));
        for (text, meant) in [
            ("192.0.2.1:80", address("192.0.2.1", Some(80), None)),
            ("192.0.2.1:80/tcp", address("192.0.2.1", Some(80), tcp)),
            ("192.0.2.1 80", address("192.0.2.1", Some(80), None)),
            ("192.0.2.1", address("192.0.2.1", None, None)),
            ("192.0.2.1/udp", address("192.0.2.1", None, udp)),
            ("[2001:db8::1]:80/UDP", address("2001:db8::1", Some(80), udp)),
            ("[2001:db8::1]", address("2001:db8::1", None, None)),
            ("[2001:db8::1] 80", address("2001:db8::1", Some(80), None)),
            ("2001:db8::1", address("2001:db8::1", None, None)),
            ("2001:db8::1 80", address("2001:db8::1", Some(80), None)),
            ("[192.0.2.1]:tcp:80", address("192.0.2.1", Some(80), tcp)),
            ("fwmark 5", Some(Written::Mark(5))),
            ("FWM 5", Some(Written::Mark(5))),
            ("web", None),
            ("group web", None),
            ("192.0.2.1:http", None),
            ("192.0.2.1:80/quic", None),
            ("192.0.2.1:99999", None),
            ("[192.0.2.1", None),
            ("[", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(Written::parse(text), meant, "{text}");
        }
    }

    #[test]
    fn what_we_write_is_read_as_itself() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let address = text.parse().expect("an address");
            let key = ServiceKey::Address { address, port: 443, transport: Transport::Sctp };
            assert!(Written::parse(&service(&key)).expect("understood").is_service(&key));
            assert!(Written::parse(&key.to_string()).expect("understood").is_service(&key));
            let key = DestinationKey { address, port: 8080 };
            assert!(Written::parse(&server(&key)).expect("understood").is_server(&key));
            assert!(Written::parse(&key.to_string()).expect("understood").is_server(&key));
        }
    }
}
