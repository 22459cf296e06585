//! The trailer that signs an advert: keepalived's `auth_hmac`, as 2.4.2 and later send it.
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    type: 1    |     key id    |         reserved: zero        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     seconds since 1970, UTC                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |       1/65536 seconds         |            counter            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     first 16 bytes of HMAC-SHA256 over prefix, message with   |
//! |       a zero checksum, this trailer with a zero tag           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::IpAddr;

use standfast_types::Vrid;

/// Bytes of a trailer.
pub const LENGTH: usize = HEAD + TAG;

const HEAD: usize = 12;
const TAG: usize = 16;
const TYPE: u8 = 1;
const PREFIX: usize = 20;

/// Not type 1, or its reserved bits are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trailer of an unknown type")]
pub struct Malformed;

/// Seconds, fraction and counter as one number: later is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sender's clock in seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// Whether this one is after `other`, on a circle: in 2106 the seconds begin anew.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 63
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Which of the keys that both sides know.
    pub key_id: u8,
    /// When it was sent, and the how manyeth then.
    pub sequence: Sequence,
    /// The authentication code; zero while it is computed.
    pub tag: [u8; TAG],
}

impl Repr {
    /// Reads a trailer.
    ///
    /// # Errors
    /// It is of another type.
    pub fn parse(bytes: &[u8; LENGTH]) -> Result<Self, Malformed> {
        let [kind, key_id, r0, r1, rest @ ..] = *bytes;
        let [s0, s1, s2, s3, s4, s5, s6, s7, tag @ ..] = rest;
        if (kind, r0, r1) != (TYPE, 0, 0) {
            return Err(Malformed);
        }
        let sequence = Sequence(u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]));
        Ok(Self { key_id, sequence, tag })
    }

    /// The trailer's bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let fields = [TYPE, self.key_id, 0, 0]
            .into_iter()
            .chain(self.sequence.0.to_be_bytes())
            .chain(self.tag);
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }

    /// What the tag covers, in this order, of an advert with this message. No other field of the IP header
    /// is covered.
    #[must_use]
    pub fn covered<'a>(&self, about: About, message: &'a [u8]) -> Covered<'a> {
        let (head, rest) = message.split_at_checked(CHECKSUM_AT).unwrap_or((message, &[]));
        let body = rest.split_at_checked(2).map_or(&[][..], |(_, body)| body);
        Covered {
            prefix: about.prefix(),
            head,
            body,
            trailer: Self { tag: [0; TAG], ..*self }.emit(),
        }
    }
}

/// Where a VRRP message has its checksum, of two bytes.
const CHECKSUM_AT: usize = 6;

/// What the tag covers beside the message and the trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// 2 or 3.
    pub version: u8,
    /// The virtual router.
    pub vrid: Vrid,
    /// Source address of the IP header.
    pub source: IpAddr,
}

impl About {
    fn prefix(&self) -> [u8; PREFIX] {
        let mut prefix = [0; PREFIX];
        let (family, source) = match &self.source {
            IpAddr::V4(address) => (4, &address.octets()[..]),
            IpAddr::V6(address) => (6, &address.octets()[..]),
        };
        let fields = [family, self.version, self.vrid.get(), 0];
        for (byte, field) in prefix.iter_mut().zip(fields.iter().chain(source)) {
            *byte = *field;
        }
        prefix
    }
}

/// The bytes that a tag covers.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    prefix: [u8; PREFIX],
    head: &'a [u8],
    body: &'a [u8],
    trailer: [u8; LENGTH],
}

impl Covered<'_> {
    /// Piece after piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        [&self.prefix, self.head, &[0, 0], self.body, &self.trailer].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn repr() -> Repr {
        Repr { key_id: 7, sequence: Sequence(0x6b01_8c55_ecf5_0003), tag: *b"sixteen bytes ok" }
    }

    #[test]
    fn a_trailer_survives_the_round_trip() {
        let bytes = repr().emit();
        assert_eq!(bytes[..12], [1, 7, 0, 0, 0x6b, 1, 0x8c, 0x55, 0xec, 0xf5, 0, 3]);
        assert_eq!(Repr::parse(&bytes), Ok(repr()));
        assert_eq!(repr().sequence.seconds(), 0x6b01_8c55);
    }

    #[test]
    fn another_type_and_reserved_bits_are_refused() {
        for at in [0, 2, 3] {
            let mut bytes = repr().emit();
            bytes[at] ^= 0x10;
            assert_eq!(Repr::parse(&bytes), Err(Malformed), "byte {at}");
        }
    }

    #[test]
    fn sequences_are_compared_on_a_circle() {
        let end = Sequence(u64::MAX);
        assert!(end.next().is_after(end));
        assert!(!end.is_after(end.next()));
        assert!(!end.is_after(end));
        assert!(Sequence(5).is_after(Sequence(4)));
    }

    #[test]
    fn the_tag_covers_everything_but_checksum_and_tag() {
        let about = About {
            version: 3,
            vrid: Vrid::new(51).expect("not zero"),
            source: Ipv4Addr::new(10, 77, 0, 1).into(),
        };
        let message = [0x31, 51, 255, 1, 0, 0x32, 0xda, 0x65, 10, 77, 0, 9];
        let covered: Vec<u8> =
            repr().covered(about, &message).pieces().flatten().copied().collect();
        let mut expected = vec![4, 3, 51, 0, 10, 77, 0, 1];
        expected.extend([0; 12]);
        expected.extend([0x31, 51, 255, 1, 0, 0x32, 0, 0, 10, 77, 0, 9]);
        expected.extend([1, 7, 0, 0, 0x6b, 1, 0x8c, 0x55, 0xec, 0xf5, 0, 3]);
        expected.extend([0; 16]);
        assert_eq!(covered, expected);
    }
}
