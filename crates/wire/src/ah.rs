//! The IPsec authentication header (RFC 2402) in front of VRRPv2 over IPv4, as keepalived uses it: its ICV is
//! HMAC-MD5-96 (RFC 2403), its SPI the sender's address.
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | next header   | words - 2: 4  |         reserved: zero        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     SPI, then the sequence                    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                    integrity check, 12 bytes                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::Ipv4Addr;

use crate::vrrp;

/// The header's number in an IP header.
pub const PROTOCOL: u8 = 51;
/// Bytes of the header.
pub const LENGTH: usize = FIXED + ICV;

const FIXED: usize = 12;
const ICV: usize = 12;
/// The header's length in words of four bytes, less two.
const WORDS: u8 = 4;
const IP_HEADER: usize = 20;

/// Why bytes are no VRRP message behind an authentication header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than the header.
    #[error("shorter than an authentication header")]
    Truncated,
    /// Another length of the header than HMAC-MD5-96 makes it.
    #[error("an authentication header of another length")]
    Length,
    /// What it protects is not VRRP.
    #[error("protocol {0} behind the authentication header")]
    NextHeader(u8),
}

/// A checked view of a header and the message behind it. Whether the ICV is right is not checked.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    fixed: [u8; FIXED],
    icv: [u8; ICV],
    message: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads what follows an IP header with protocol 51. The reserved bits may have any value, as the RFC
    /// says: the ICV covers them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (&fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or(Malformed::Truncated)?;
        let (&icv, message) = rest.split_first_chunk::<ICV>().ok_or(Malformed::Truncated)?;
        let [next, words, ..] = fixed;
        match (next, words) {
            (vrrp::PROTOCOL, WORDS) => Ok(Self { fixed, icv, message }),
            (vrrp::PROTOCOL, _) => Err(Malformed::Length),
            (other, _) => Err(Malformed::NextHeader(other)),
        }
    }

    /// Which key it was made with; keepalived puts the sender's address here.
    #[must_use]
    pub const fn spi(&self) -> Ipv4Addr {
        let [_, _, _, _, a, b, c, d, ..] = self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The sender's counter.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        let [.., a, b, c, d] = self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The integrity check value.
    #[must_use]
    pub const fn icv(&self) -> &[u8; ICV] {
        &self.icv
    }

    /// The VRRP message.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// What the ICV covers, in this order: the IP header as [`Ip::covered`] says, this header with a zero
    /// ICV, and the message.
    #[must_use]
    pub const fn covered(&self) -> ([u8; LENGTH], &'a [u8]) {
        (with_icv(self.fixed, [0; ICV]), self.message)
    }
}

/// A header that can be emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Which key it was made with.
    pub spi: Ipv4Addr,
    /// The sender's counter.
    pub sequence: u32,
    /// The integrity check value; zero while it is computed.
    pub icv: [u8; ICV],
}

impl Repr {
    /// The header's bytes; the message goes behind them.
    #[must_use]
    pub const fn emit(&self) -> [u8; LENGTH] {
        let [a, b, c, d] = self.spi.octets();
        let [e, f, g, h] = self.sequence.to_be_bytes();
        with_icv([vrrp::PROTOCOL, WORDS, 0, 0, a, b, c, d, e, f, g, h], self.icv)
    }
}

/// The fields of the IP header that no router on the way changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Identification. It must not be zero: the kernel would choose another.
    pub identification: u16,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
}

impl Ip {
    /// The IP header as the ICV covers it: mutable fields are zero. keepalived takes the TTL of multicast,
    /// always 255, for immutable, and that of unicast not.
    ///
    /// `message` is the length of the VRRP message. Options are not covered: a packet with any has
    /// another length than this says, and so fails.
    #[must_use]
    pub fn covered(&self, message: usize) -> [u8; IP_HEADER] {
        let length = IP_HEADER.saturating_add(LENGTH).saturating_add(message);
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let [i, d] = self.identification.to_be_bytes();
        let ttl = if self.destination.is_multicast() { 255 } else { 0 };
        let [s0, s1, s2, s3] = self.source.octets();
        let [d0, d1, d2, d3] = self.destination.octets();
        [0x45, 0, high, low, i, d, 0, 0, ttl, PROTOCOL, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3]
    }
}

const fn with_icv(fixed: [u8; FIXED], icv: [u8; ICV]) -> [u8; LENGTH] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = fixed;
    let [m, n, o, p, q, r, s, t, u, v, w, x] = icv;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    fn repr() -> Repr {
        Repr { spi: SENDER, sequence: 0x0102_0304, icv: *b"twelve bytes" }
    }

    fn packet() -> Vec<u8> {
        let mut bytes = repr().emit().to_vec();
        bytes.extend([0x21, 51, 100]);
        bytes
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        let bytes = packet();
        let packet = Packet::parse(&bytes).expect("well-formed");
        let Repr { spi, sequence, icv } = repr();
        assert_eq!((packet.spi(), packet.sequence(), *packet.icv()), (spi, sequence, icv));
        assert_eq!(packet.message(), [0x21, 51, 100]);
    }

    #[test]
    fn the_check_covers_the_header_with_a_zero_check_and_the_message() {
        let mut bytes = packet();
        bytes[2] = 7;
        let packet = Packet::parse(&bytes).expect("reserved bits may have any value");
        let (header, message) = packet.covered();
        assert_eq!(header[..12], bytes[..12]);
        assert_eq!(header[12..], [0; 12]);
        assert_eq!(message, &bytes[24..]);
    }

    #[test]
    fn a_short_header_another_length_or_another_protocol_is_refused() {
        let bytes = packet();
        for end in 0..LENGTH {
            assert_eq!(Packet::parse(&bytes[..end]).err(), Some(Malformed::Truncated), "{end}");
        }
        let mut long = bytes.clone();
        long[1] = 5;
        assert_eq!(Packet::parse(&long).err(), Some(Malformed::Length));
        let mut foreign = bytes;
        foreign[0] = 6;
        assert_eq!(Packet::parse(&foreign).err(), Some(Malformed::NextHeader(6)));
    }

    #[test]
    fn the_ttl_is_covered_over_multicast_only() {
        let group = Ipv4Addr::new(224, 0, 0, 18);
        let multicast = Ip { identification: 0x0a0b, source: SENDER, destination: group };
        let covered = multicast.covered(20);
        let mutable_zeroed =
            [0x45, 0, 0, 64, 0x0a, 0x0b, 0, 0, 255, 51, 0, 0, 192, 0, 2, 2, 224, 0, 0, 18];
        assert_eq!(covered, mutable_zeroed);
        let unicast = Ip { destination: Ipv4Addr::new(192, 0, 2, 1), ..multicast };
        assert_eq!(unicast.covered(20)[8], 0);
    }
}
