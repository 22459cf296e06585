//! What a rule of nftables looks at, and what it says.

use crate::netlink::message::Message;

/// A register for 16 bytes; the next one follows it, so that both can be looked up as one key.
const FIRST: u32 = 1;
const VERDICT: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// A rule being written: what it matches, in order.
pub(super) struct Rule(Vec<Message>);

/// What a packet has besides its bytes (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// The interface that it came in by.
    InName,
    /// The interface that it leaves by.
    OutName,
    /// What follows the IP headers.
    Protocol,
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
        };
        self.expression("meta", |data| data.big_endian(2, key).big_endian(1, register))
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
