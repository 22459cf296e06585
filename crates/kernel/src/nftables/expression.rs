//! What a rule of nftables looks at, and what it says.

use std::time::Duration;

use standfast_types::Family;

use super::transaction::{IPV4, IPV6};
use crate::netlink::message::Message;

/// A register for 16 bytes; the next one follows it, so that both can be looked up as one key.
const FIRST: u32 = 1;
/// Of hashes. Machines that share a service must agree on it.
const SEED: u32 = 0x5afe_fa57;
/// `NFT_META_MARK`
const MARK: u32 = 3;
/// `NFT_LOOKUP_F_INV`
const INVERTED: u32 = 1;
const VERDICT: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// A rule being written: what it matches, in order.
pub(super) struct Rule(Vec<Message>);

/// A register of 4 bytes, counted from 0. What is longer takes the next ones too, and what stands in
/// adjacent ones can be looked up as one key.
pub(super) const fn register(number: u32) -> u32 {
    number.saturating_add(8)
}

/// A set or map by its name, and by its number if it has no name of its own but was made in the same
/// transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetName<'a>(pub(super) &'a str, pub(super) Option<u32>);

/// Where a field of a packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Source(Family),
    Destination(Family),
    SourcePort,
    DestinationPort,
    TcpFlags,
}

/// What a packet has besides its bytes (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// The interface that it came in by.
    InName,
    /// The interface that it leaves by.
    OutName,
    /// What follows the IP headers.
    Protocol,
    /// The firewall mark.
    Mark,
    /// IPv4 or IPv6.
    Family,
    /// The same where a packet comes in: its type in the Ethernet header.
    Ethertype,
}

/// What becomes of a packet that the rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Accept,
}

impl Rule {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Loads an address from the IP header.
    pub(super) fn address(self, offset: u32, length: u32) -> Self {
        self.payload(NETWORK_HEADER, offset, length)
    }

    /// Loads the type of an ICMP message.
    pub(super) fn icmp_type(self) -> Self {
        self.payload(TRANSPORT_HEADER, 0, 1)
    }

    fn payload(self, header: u32, offset: u32, length: u32) -> Self {
        self.expression("payload", |data| {
            data.big_endian(1, FIRST)
                .big_endian(2, header)
                .big_endian(3, offset)
                .big_endian(4, length)
        })
    }

    pub(super) fn meta(self, meta: Meta, register: u32) -> Self {
        let key = match meta {
            Meta::InName => 6,
            Meta::OutName => 7,
            Meta::Protocol => 16,
            Meta::Mark => MARK,
            Meta::Family => 15,
            Meta::Ethertype => 1,
        };
        self.expression("meta", |data| data.big_endian(2, key).big_endian(1, register))
    }

    /// Asks for the state of the packet's connection, which goes nowhere. As long as one rule asks, the
    /// kernel tracks connections, and translates those that have begun.
    pub(super) fn track(self) -> Self {
        const STATE: u32 = 0;
        self.expression("ct", |data| data.big_endian(2, STATE).big_endian(1, register(0)))
    }

    /// Goes on when what was loaded is this byte.
    pub(super) fn equals(self, byte: u8) -> Self {
        self.expression("cmp", |data| {
            data.big_endian(1, FIRST)
                .big_endian(2, 0)
                .nested(3, |value| value.attribute(1, &[byte]))
        })
    }

    /// Goes on when what was loaded is in the set.
    pub(super) fn found_in(self, set: &str) -> Self {
        self.expression("lookup", |data| data.big_endian(2, FIRST).text(1, set))
    }

    pub(super) fn counter(self) -> Self {
        self.expression("counter", |data| data)
    }

    pub(super) fn verdict(self, verdict: Verdict) -> Self {
        let code = match verdict {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
        };
        self.expression("immediate", |data| {
            data.big_endian(1, VERDICT)
                .nested(2, |value| value.nested(2, |verdict| verdict.big_endian(1, code)))
        })
    }

    /// Loads a field.
    pub(super) fn load(self, field: Field, register: u32) -> Self {
        let (header, offset, length) = match field {
            Field::Source(Family::V4) => (NETWORK_HEADER, 12, 4),
            Field::Source(Family::V6) => (NETWORK_HEADER, 8, 16),
            Field::Destination(Family::V4) => (NETWORK_HEADER, 16, 4),
            Field::Destination(Family::V6) => (NETWORK_HEADER, 24, 16),
            Field::SourcePort => (TRANSPORT_HEADER, 0, 2),
            Field::DestinationPort => (TRANSPORT_HEADER, 2, 2),
            Field::TcpFlags => (TRANSPORT_HEADER, 13, 1),
        };
        self.expression("payload", |data| {
            data.big_endian(1, register)
                .big_endian(2, header)
                .big_endian(3, offset)
                .big_endian(4, length)
        })
    }

    /// Loads what is written here.
    pub(super) fn put(self, value: &[u8], register: u32) -> Self {
        self.expression("immediate", |data| {
            data.big_endian(1, register).nested(2, |data| data.attribute(1, value))
        })
    }

    /// Clears the bits that are not in the mask.
    pub(super) fn mask(self, register: u32, mask: &[u8]) -> Self {
        self.expression("bitwise", |data| {
            data.big_endian(1, register)
                .big_endian(2, register)
                .big_endian(3, length(mask))
                .nested(4, |data| data.attribute(1, mask))
                .nested(5, |data| data.attribute(1, &vec![0; mask.len()]))
        })
    }

    /// Goes on when the register has this value.
    pub(super) fn is(self, register: u32, value: &[u8]) -> Self {
        self.expression("cmp", |data| {
            data.big_endian(1, register).big_endian(2, 0).nested(3, |data| data.attribute(1, value))
        })
    }

    /// Counts 0, 1, .. up to `modulus`, and again.
    pub(super) fn next_of(self, modulus: u32, register: u32) -> Self {
        self.expression("numgen", |data| {
            data.big_endian(1, register).big_endian(2, modulus).big_endian(3, 0)
        })
    }

    /// A number below `modulus` that depends on the bytes in the registers.
    pub(super) fn hash_of(self, from: u32, bytes: u32, modulus: u32, register: u32) -> Self {
        self.expression("hash", |data| {
            data.big_endian(1, from)
                .big_endian(2, register)
                .big_endian(3, bytes)
                .big_endian(4, modulus)
                .big_endian(5, SEED)
        })
    }

    /// Goes on when the registers are not in the set.
    pub(super) fn none_of(self, set: SetName<'_>, key: u32) -> Self {
        self.expression("lookup", |data| {
            set.write(data.big_endian(2, key), 1, 4).big_endian(5, INVERTED)
        })
    }

    /// Goes on with what the map has for the registers, if it has anything.
    pub(super) fn find_in(self, map: SetName<'_>, key: u32, value: u32) -> Self {
        self.expression("lookup", |data| {
            map.write(data.big_endian(2, key).big_endian(3, value), 1, 4)
        })
    }

    /// Does what the map has for the registers, if it has anything.
    pub(super) fn follow(self, map: SetName<'_>, key: u32) -> Self {
        self.find_in(map, key, VERDICT)
    }

    /// Remembers something in a set, or a value in a map, for so long; or if it is there already, lets it live
    /// so long again. Goes on unless the set is full.
    pub(super) fn remember(self, set: &str, key: u32, value: Option<u32>, time: Duration) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.dynamic(set, 1, key, value, |data| data.attribute(6, &millis.to_be_bytes()))
    }

    /// Removes something from a set or map; of a map, the kernel wants to know a register for its value too.
    pub(super) fn forget(self, set: &str, key: u32, value: Option<u32>) -> Self {
        self.dynamic(set, 2, key, value, |data| data)
    }

    fn dynamic(
        self,
        set: &str,
        operation: u32,
        key: u32,
        value: Option<u32>,
        more: impl FnOnce(Message) -> Message,
    ) -> Self {
        self.expression("dynset", |data| {
            let data = data.text(1, set).big_endian(3, operation).big_endian(4, key);
            more(match value {
                Some(value) => data.big_endian(5, value),
                None => data,
            })
        })
    }

    /// Replaces the destination of a connection's packets.
    pub(super) fn translate(self, family: Family, address: u32, port: Option<u32>) -> Self {
        let number = match family {
            Family::V4 => IPV4,
            Family::V6 => IPV6,
        };
        self.expression("nat", |data| {
            let data = data.big_endian(1, 1).big_endian(2, number.into()).big_endian(3, address);
            match port {
                Some(port) => data.big_endian(5, port),
                None => data,
            }
        })
    }

    /// Gives the packet a firewall mark.
    pub(super) fn set_mark(self, register: u32) -> Self {
        self.expression("meta", |data| data.big_endian(2, MARK).big_endian(3, register))
    }

    /// Goes on when the packet's destination is an address of this machine.
    pub(super) fn with_our_address(self, register: u32) -> Self {
        const TYPE: u32 = 3;
        const DESTINATION: u32 = 1 << 1;
        const LOCAL: u32 = 2;
        let rule = self.expression("fib", |data| {
            data.big_endian(1, register).big_endian(2, TYPE).big_endian(3, DESTINATION)
        });
        rule.is(register, &LOCAL.to_ne_bytes())
    }

    /// Sends the packet out by an interface, to a neighbour there.
    pub(super) fn forward(self, family: Family, address: u32, interface: u32) -> Self {
        let number = match family {
            Family::V4 => IPV4,
            Family::V6 => IPV6,
        };
        self.expression("fwd", |data| {
            data.big_endian(1, interface).big_endian(2, address).big_endian(3, number.into())
        })
    }

    fn expression(mut self, name: &str, fill: impl FnOnce(Message) -> Message) -> Self {
        self.0.push(Message::fragment().text(1, name).nested(2, fill));
        self
    }

    /// Writes its expressions into a list.
    pub(super) fn write(self, list: Message) -> Message {
        self.0
            .into_iter()
            .fold(list, |list, expression| list.nested(1, |element| element.append(expression)))
    }
}

impl SetName<'_> {
    fn write(self, data: Message, name: u16, number: u16) -> Message {
        let data = data.text(name, self.0);
        match self.1 {
            Some(id) => data.big_endian(number, id),
            None => data,
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
