//! Netlink messages as bytes: a writer that keeps its lengths right, and a reader of
//! attributes that stops at the first bad one instead of failing.
//!
//! Own code instead of the netlink-packet crates: they decode every attribute of a message
//! and refuse it whole for one that they dislike. We read the few that we need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::socket::NLM_F_ACK;

/// Set in the type of an attribute that holds attributes.
const NESTED: u16 = 0x8000;
/// The two bits of an attribute's type that are flags, not type.
const TYPE_FLAGS: u16 = 0xc000;

/// A message being written.
#[derive(Clone, Debug)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// Starts with the header; length and sequence number are filled in by [`Self::finish`].
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self(bytes)
    }

    /// Appends raw bytes and pads them: the fixed header of a message's family.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends an attribute of at most 65531 bytes.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value)
    }

    /// Appends a text attribute, closed by a zero byte.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends a 32-bit attribute.
    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Appends a 32-bit attribute in network order, as netfilter has them.
    pub(crate) fn big_endian(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// Attributes without a header, for [`Self::append`].
    pub(crate) const fn fragment() -> Self {
        Self(Vec::new())
    }

    /// The bytes of a fragment.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends a fragment.
    pub(crate) fn append(self, fragment: Self) -> Self {
        self.raw(&fragment.0)
    }

    /// Bytes so far.
    pub(crate) const fn length(&self) -> usize {
        self.0.len()
    }

    /// Appends an address attribute, 4 or 16 bytes.
    pub(crate) fn address(self, kind: u16, value: IpAddr) -> Self {
        match value {
            IpAddr::V4(value) => self.attribute(kind, &value.octets()),
            IpAddr::V6(value) => self.attribute(kind, &value.octets()),
        }
    }

    /// Appends an attribute that holds the attributes that `fill` writes.
    pub(crate) fn nested(self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        let mut message = fill(self.attribute(kind | NESTED, &[]));
        let length = message.0.len().saturating_sub(start);
        message.patch(start, &u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        message
    }

    /// Appends a `rtnexthop`, one way of a route: flags, weight and interface, then the attributes
    /// that `fill` writes.
    pub(crate) fn next_hop(self, fixed: [u8; 6], fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        let mut message = fill(self.raw(&[&[0; 2], fixed.as_slice()].concat()));
        let length = message.0.len().saturating_sub(start);
        message.patch(start, &u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        message
    }

    /// The same, asking to be told of its success (`NLM_F_ACK`).
    pub(crate) fn asking(mut self) -> Self {
        let flags = u16_at(&self.0, 6).unwrap_or_default() | NLM_F_ACK;
        self.patch(6, &flags.to_ne_bytes());
        self
    }

    /// The finished bytes.
    pub(crate) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.patch(0, &length.to_ne_bytes());
        self.patch(8, &sequence.to_ne_bytes());
        self.0
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        let place = self.0.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
    }
}

/// A message that was received: the header's fields, and what follows the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The messages in one datagram; stops at the first that is cut short.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = Received {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: bytes.get(16..length)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes` as type (flag bits cleared) and value; stops at the first bad one.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & !TYPE_FLAGS;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The native-endian 16-bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// The native-endian 32-bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

/// The text of a text attribute, up to its zero byte.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = bytes.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(text).ok()
}

/// The address in an address attribute.
pub(crate) fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let bytes = Message::new(20, 5)
            .raw(&[1, 2, 3, 4])
            .text(3, "eth0")
            .nested(18, |inner| inner.text(1, "veth").number(2, 7))
            .finish(9);
        let mut found = messages(&bytes);
        let message = found.next().expect("a message");
        assert!(found.next().is_none());
        assert_eq!((message.kind, message.flags, message.sequence), (20, 5, 9));
        let (header, rest) = message.payload.split_at(4);
        assert_eq!(header, [1, 2, 3, 4]);
        let found: Vec<_> = attributes(rest).collect();
        assert_eq!(found[0], (3, &b"eth0\0"[..]));
        assert_eq!(text(found[0].1), Some("eth0"));
        assert_eq!(found[1].0, 18);
        let inner: Vec<_> = attributes(found[1].1).collect();
        assert_eq!(inner, [(1, &b"veth\0"[..]), (2, &7_u32.to_ne_bytes()[..])]);
    }

    #[test]
    fn bytes_cut_anywhere_never_panic() {
        let bytes = Message::new(20, 5).raw(&[0; 8]).text(3, "eth0").number(4, 1).finish(1);
        for end in 0..bytes.len() {
            for message in messages(&bytes[..end]) {
                assert!(attributes(message.payload).count() < 8);
            }
        }
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0, "length 0 must not loop");
    }
}
