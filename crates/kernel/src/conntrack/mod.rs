//! The connections that the kernel follows: which of them are translated to a server, and their end.

mod entry;

use std::net::IpAddr;

use rustix::net::netlink;
use standfast_types::{DestinationKey, Family, ServiceKey, Transport};

pub use entry::{Connection, parse_connection};

use crate::{
    error::{Class, Error},
    netlink::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Netlink, message::Message},
};

const SUBSYSTEM: u16 = 1;
const NEW: u16 = SUBSYSTEM << 8;
const GET: u16 = (SUBSYSTEM << 8) + 1;
const DELETE: u16 = (SUBSYSTEM << 8) + 2;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
/// What of a tuple the kernel's filter looks at.
const FILTER_SOURCE: u32 = 1;
const FILTER_DESTINATION: u32 = 1 << 1;
const FILTER_PROTOCOL: u32 = 1 << 3;
const FILTER_SOURCE_PORT: u32 = 1 << 4;
const FILTER_DESTINATION_PORT: u32 = 1 << 5;

/// A socket to connection tracking in the network namespace where it was opened.
#[derive(Debug)]
pub struct Conntrack(Netlink);

/// Which connections: those of a service, all of them or those to one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of this service. Of a mark nobody knows whose packets had it: its destination tells.
    pub service: ServiceKey,
    /// To this one.
    pub to: DestinationKey,
}

impl Conntrack {
    /// Opens a socket.
    ///
    /// # Errors
    /// No descriptor left, or no netfilter in this kernel.
    pub fn open() -> Result<Self, Error> {
        Netlink::open_to(Some(netlink::NETFILTER)).map(Self)
    }

    /// The connections that are wanted. The kernel looks at each that it follows; newer ones (5.8) tell
    /// only of these.
    ///
    /// # Errors
    /// `Refused` without permission, `Gone` where the kernel follows no connections.
    pub fn connections(&mut self, wanted: &Wanted) -> Result<Vec<Connection>, Error> {
        let request = wanted.filter(question(wanted.service.family()));
        self.dump(&request, |connection| wanted.includes(connection))
    }

    /// All connections of a family that `included` says yes to.
    ///
    /// # Errors
    /// As [`Self::connections`].
    pub fn all(
        &mut self,
        family: Family,
        included: impl Fn(&Connection) -> bool,
    ) -> Result<Vec<Connection>, Error> {
        self.dump(&question(family), included)
    }

    fn dump(
        &mut self,
        request: &Message,
        included: impl Fn(&Connection) -> bool,
    ) -> Result<Vec<Connection>, Error> {
        self.0.dump("read connections", request, |kind, payload| {
            parse_connection(payload.get(4..).filter(|_| kind == NEW)?).filter(&included)
        })
    }

    /// Forgets connections. Those that are over already are none the worse.
    ///
    /// # Errors
    /// `Refused` without permission.
    pub fn forget(&mut self, connections: &[Connection]) -> Result<(), Error> {
        let requests = connections.iter().map(Connection::deletion).collect();
        for answer in self.0.request_all("forget a connection", requests) {
            answer.or_else(|error| if error.class == Class::Gone { Ok(()) } else { Err(error) })?;
        }
        Ok(())
    }
}

fn question(family: Family) -> Message {
    let family = match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    };
    Message::new(GET, NLM_F_REQUEST | NLM_F_DUMP).raw(&[family, 0, 0, 0])
}

impl Wanted {
    /// Whether a connection is one of these.
    #[must_use]
    pub fn includes(&self, connection: &Connection) -> bool {
        let of_service = match self.service {
            ServiceKey::Mark { .. } => true,
            ServiceKey::Address { address, port, transport } => {
                let asked = connection.asked;
                connection.protocol == transport.number()
                    && asked.ip() == address
                    && (port == 0 || asked.port() == port)
            }
        };
        let served = connection.served;
        let port = self.port();
        of_service && served.ip() == self.to.address && (port == 0 || served.port() == port)
    }

    const fn port(&self) -> u16 {
        match (self.to.port, self.service) {
            (0, ServiceKey::Address { port, .. }) => port,
            (port, _) => port,
        }
    }

    /// Asks the kernel to tell only of these. One that does not know how tells of all.
    fn filter(&self, request: Message) -> Message {
        let ServiceKey::Address { address, port, transport } = self.service else { return request };
        let tuple = |message: Message, kind, ip: (u16, IpAddr), port: (u16, u16)| {
            message.nested(kind, |tuple| {
                let tuple = tuple.nested(1, |list| list.address(ip.0, ip.1));
                tuple.nested(2, |list| {
                    let list = list.attribute(1, &[transport.number()]);
                    if port.1 == 0 { list } else { list.attribute(port.0, &port.1.to_be_bytes()) }
                })
            })
        };
        let (source, destination) = if address.is_ipv4() { (1, 2) } else { (3, 4) };
        let served = self.port();
        let request = tuple(request, TUPLE_ORIGINAL, (destination, address), (3, port));
        let request = tuple(request, TUPLE_REPLY, (source, self.to.address), (2, served));
        let port_flag = |port: u16, flag| if port == 0 { 0 } else { flag };
        request.nested(FILTER, |filter| {
            filter
                .number(
                    1,
                    FILTER_DESTINATION | FILTER_PROTOCOL | port_flag(port, FILTER_DESTINATION_PORT),
                )
                .number(2, FILTER_SOURCE | FILTER_PROTOCOL | port_flag(served, FILTER_SOURCE_PORT))
        })
    }
}

impl Connection {
    /// Whether it is a TCP connection that is over, and only remembered for a while.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        const TIME_WAIT: u8 = 7;
        const CLOSE: u8 = 8;
        self.protocol == Transport::Tcp.number() && matches!(self.state, Some(TIME_WAIT | CLOSE))
    }

    fn deletion(&self) -> Message {
        let family = if self.asked.is_ipv4() { IPV4 } else { IPV6 };
        Message::new(DELETE, NLM_F_REQUEST | NLM_F_ACK).raw(&[family, 0, 0, 0]).raw(&self.identity)
    }
}
