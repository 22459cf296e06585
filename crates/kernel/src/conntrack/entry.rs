//! One connection as the kernel reports it.

use std::net::{IpAddr, SocketAddr};

use super::{ID, TUPLE_ORIGINAL, TUPLE_REPLY, ZONE};
use crate::netlink::message::{Message, attributes, ip_address};

const PROTOCOL_STATE: u16 = 4;

/// A connection that the kernel follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its protocol's number in an IP header.
    pub protocol: u8,
    /// Who began it.
    pub client: SocketAddr,
    /// Whom it asked for.
    pub asked: SocketAddr,
    /// Who answers.
    pub served: SocketAddr,
    /// Of TCP: its state (`TCP_CONNTRACK_*`).
    pub state: Option<u8>,
    /// The attributes by which the kernel finds it again.
    pub(super) identity: Vec<u8>,
}

/// Reads the attributes of a report; `None` for a protocol without ports.
#[must_use]
pub fn parse_connection(bytes: &[u8]) -> Option<Connection> {
    let (mut original, mut reply, mut state) = (None, None, None);
    let mut identity = Message::fragment();
    for (kind, value) in attributes(bytes) {
        match kind {
            TUPLE_ORIGINAL => original = tuple(value),
            TUPLE_REPLY => reply = tuple(value),
            PROTOCOL_STATE => state = tcp_state(value),
            _ => {}
        }
        if [TUPLE_ORIGINAL, ID, ZONE].contains(&kind) {
            let nested = if kind == TUPLE_ORIGINAL { NESTED } else { 0 };
            identity = identity.attribute(kind | nested, value);
        }
    }
    let (protocol, client, asked) = original?;
    let (_, served, _) = reply?;
    let identity = identity.into_bytes();
    Some(Connection { protocol, client, asked, served, state, identity })
}

/// Protocol, source and destination.
fn tuple(bytes: &[u8]) -> Option<(u8, SocketAddr, SocketAddr)> {
    const ADDRESSES: u16 = 1;
    const PROTOCOL: u16 = 2;
    let within = |wanted| attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, v)| v);
    let (mut source, mut destination) = (None, None);
    for (kind, value) in attributes(within(ADDRESSES)?) {
        match kind {
            1 | 3 => source = ip_address(value),
            2 | 4 => destination = ip_address(value),
            _ => {}
        }
    }
    let (mut protocol, mut from, mut to) = (None, None, None);
    for (kind, value) in attributes(within(PROTOCOL)?) {
        match kind {
            1 => protocol = value.first().copied(),
            2 => from = port(value),
            3 => to = port(value),
            _ => {}
        }
    }
    let address = |ip: Option<IpAddr>, port: Option<u16>| Some(SocketAddr::new(ip?, port?));
    Some((protocol?, address(source, from)?, address(destination, to)?))
}

fn tcp_state(bytes: &[u8]) -> Option<u8> {
    let (_, tcp) = attributes(bytes).find(|(kind, _)| *kind == 1)?;
    attributes(tcp).find(|(kind, _)| *kind == 1)?.1.first().copied()
}

fn port(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_be_bytes)
}

const NESTED: u16 = 0x8000;

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Vec<u8> {
        let tuple = |m: Message, kind, from: [u8; 4], to: [u8; 4], ports: (u16, u16)| {
            m.nested(kind, |m| {
                m.nested(1, |m| m.attribute(1, &from).attribute(2, &to)).nested(2, |m| {
                    m.attribute(1, &[6])
                        .attribute(2, &ports.0.to_be_bytes())
                        .attribute(3, &ports.1.to_be_bytes())
                })
            })
        };
        let report = tuple(Message::fragment(), 1, [10, 0, 0, 9], [192, 0, 2, 1], (4000, 80));
        let report = tuple(report, 2, [10, 0, 0, 1], [10, 0, 0, 9], (8080, 4000));
        report
            .nested(4, |m| m.nested(1, |m| m.attribute(1, &[3])))
            .attribute(ID, &[1, 2, 3, 4])
            .into_bytes()
    }

    #[test]
    fn a_report_tells_who_asked_whom_and_who_answers() {
        let connection = parse_connection(&report()).expect("a connection");
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(connection.client, address("10.0.0.9:4000"));
        assert_eq!(connection.asked, address("192.0.2.1:80"));
        assert_eq!(connection.served, address("10.0.0.1:8080"));
        assert_eq!((connection.protocol, connection.state), (6, Some(3)));
        assert!(!connection.is_over());
        let kinds: Vec<_> = attributes(&connection.identity).map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [TUPLE_ORIGINAL, ID]);
    }

    #[test]
    fn reports_cut_anywhere_never_panic() {
        let report = report();
        for end in 0..report.len() {
            let _ = parse_connection(&report[..end]);
        }
    }
}
