//! VRRPv2 (RFC 3768, section 5.1) and VRRPv3 (RFC 9568, section 5.1) over IPv4 and IPv6.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |version| type  |      VRID     |    priority   | address count |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | v2: authentication, seconds   |           checksum            |
//! | v3: 4 zero bits, centiseconds |                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  addresses, 4 or 16 bytes each; then, v2 only, a password of 8 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::{IpAddr, Ipv6Addr};

use standfast_types::{Family, Vrid};

use crate::checksum::Sum;

/// VRRP's number in an IP header.
pub const PROTOCOL: u8 = 112;

const HEADER: usize = 8;
const PASSWORD: usize = 8;
const ADVERTISEMENT: u8 = 1;

/// Why bytes are no VRRP advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its header, or than its address count says.
    #[error("shorter than its address count says")]
    Truncated,
    /// Longer than its address count says (a trailer that we do not know).
    #[error("longer than its address count says")]
    TooLong,
    /// Neither version 2 nor 3.
    #[error("version {0}")]
    Version(u8),
    /// Not type 1, the only one there is.
    #[error("type {0}")]
    Type(u8),
    /// VRID 0.
    #[error("virtual router id 0")]
    Vrid,
}

/// What the version's own fields of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// VRRPv2.
    V2 {
        /// 0 none, 1 password, 2 AH.
        authentication: u8,
        /// The master's interval in seconds.
        interval_seconds: u8,
        /// The eight bytes behind the addresses.
        password: [u8; 8],
    },
    /// VRRPv3.
    V3 {
        /// The master's interval in centiseconds, 0..=4095.
        interval_centis: u16,
    },
}

/// What a checksum covers beside the message (RFC 9568, section 5.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PseudoHeader {
    /// Nothing: VRRPv2 over IPv4, and VRRPv3 of vendors that compute it alike.
    Absent,
    /// The addresses of the IP header.
    Present {
        /// Source address.
        source: IpAddr,
        /// Destination address.
        destination: IpAddr,
    },
}

/// A checked view of one advertisement: its lengths fit, so no accessor can fail.
/// The checksum is not checked, see [`Packet::checksum_is_intact`].
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    header: [u8; HEADER],
    vrid: Vrid,
    fields: Fields,
    family: Family,
    addresses: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks version, type, VRID and every length of a message that came over this protocol.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(bytes: &'a [u8], family: Family) -> Result<Self, Malformed> {
        let (&header, body) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed::Truncated)?;
        let [kind, vrid, _, count, fourth, fifth, ..] = header;
        let (version, kind) = (kind >> 4, kind & 0x0f);
        let trailer = match version {
            2 => PASSWORD,
            3 => 0,
            other => return Err(Malformed::Version(other)),
        };
        if kind != ADVERTISEMENT {
            return Err(Malformed::Type(kind));
        }
        let vrid = Vrid::new(vrid).ok_or(Malformed::Vrid)?;
        let (addresses, rest) = body
            .split_at_checked(usize::from(count) * family.octets())
            .ok_or(Malformed::Truncated)?;
        match rest.len().cmp(&trailer) {
            std::cmp::Ordering::Less => return Err(Malformed::Truncated),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => return Err(Malformed::TooLong),
        }
        let fields = match rest.first_chunk::<PASSWORD>() {
            Some(&password) => {
                Fields::V2 { authentication: fourth, interval_seconds: fifth, password }
            }
            None => Fields::V3 { interval_centis: u16::from_be_bytes([fourth, fifth]) & 0x0fff },
        };
        Ok(Self { bytes, header, vrid, fields, family, addresses })
    }

    /// The virtual router.
    #[must_use]
    pub const fn vrid(&self) -> Vrid {
        self.vrid
    }

    /// The sender's priority; 0 when it lets go.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        let [_, _, priority, ..] = self.header;
        priority
    }

    /// The fields in which the versions differ.
    #[must_use]
    pub const fn fields(&self) -> Fields {
        self.fields
    }

    /// The addresses that the sender holds.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        self.addresses.chunks_exact(family.octets()).map(move |octets| address(family, octets))
    }

    /// Whether the checksum is that of these bytes, with this pseudo header in VRRPv3.
    #[must_use]
    pub fn checksum_is_intact(&self, pseudo_header: PseudoHeader) -> bool {
        is_intact(self.bytes, pseudo_header)
    }
}

/// Whether the checksum in a message is that of all these bytes.
#[must_use]
pub fn is_intact(bytes: &[u8], pseudo_header: PseudoHeader) -> bool {
    pseudo_header.sum(bytes.len()).with(bytes).is_intact()
}

/// Makes the checksum in a message that of all these bytes.
pub fn set_checksum(pseudo_header: PseudoHeader, bytes: &mut [u8]) {
    if let Some(field) = bytes.get_mut(6..8) {
        field.fill(0);
    }
    let checksum = pseudo_header.sum(bytes.len()).with(bytes).finish();
    if let Some(field) = bytes.get_mut(6..8) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Every chunk has its family's length.
fn address(family: Family, octets: &[u8]) -> IpAddr {
    match family {
        Family::V4 => <[u8; 4]>::try_from(octets).unwrap_or_default().into(),
        Family::V6 => <[u8; 16]>::try_from(octets).map_or(Ipv6Addr::UNSPECIFIED, Into::into).into(),
    }
}

fn with_address(sum: Sum, address: IpAddr) -> Sum {
    match address {
        IpAddr::V4(v4) => sum.with(&v4.octets()),
        IpAddr::V6(v6) => sum.with(&v6.octets()),
    }
}

fn push_octets(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
}

impl PseudoHeader {
    fn sum(self, length: usize) -> Sum {
        match self {
            Self::Absent => Sum::default(),
            Self::Present { source, destination } => {
                // IPv6 has room for 32 bits of length; the upper ones are zero and change nothing.
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                with_address(with_address(Sum::default(), source), destination)
                    .with(&[0, PROTOCOL])
                    .with(&length.to_be_bytes())
            }
        }
    }
}

/// An advertisement that can be emitted. At most 255 addresses go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repr<'a> {
    /// VRRPv2.
    V2(V2<'a>),
    /// VRRPv3.
    V3(V3<'a>),
}

/// What a VRRPv2 advertisement says of its authentication (RFC 2338, section 5.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0: none.
    None,
    /// Type 1: these bytes.
    Password([u8; PASSWORD]),
    /// Type 2: an IPsec authentication header is in front of it.
    Header,
}

impl Authentication {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Password(_) => 1,
            Self::Header => 2,
        }
    }

    /// The eight bytes behind the addresses.
    const fn bytes(self) -> [u8; PASSWORD] {
        match self {
            Self::Password(bytes) => bytes,
            Self::None | Self::Header => [0; PASSWORD],
        }
    }
}

/// A VRRPv2 advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V2<'a> {
    /// The virtual router.
    pub vrid: Vrid,
    /// Priority; 0 to let go.
    pub priority: u8,
    /// Advert interval in seconds.
    pub interval_seconds: u8,
    /// What its authentication fields say.
    pub authentication: Authentication,
    /// Addresses of the virtual router.
    pub addresses: &'a [IpAddr],
}

/// A VRRPv3 advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V3<'a> {
    /// The virtual router.
    pub vrid: Vrid,
    /// Priority; 0 to let go.
    pub priority: u8,
    /// Advert interval in centiseconds; the low 12 bits go out.
    pub interval_centis: u16,
    /// Addresses of the virtual router.
    pub addresses: &'a [IpAddr],
}

impl Repr<'_> {
    /// Replaces the buffer's contents by the message.
    pub fn emit(&self, pseudo_header: PseudoHeader, out: &mut Vec<u8>) {
        let (version, vrid, priority, [fourth, fifth], addresses) = match *self {
            Self::V2(V2 { vrid, priority, interval_seconds, authentication, addresses }) => {
                let specific = [authentication.number(), interval_seconds];
                (2_u8, vrid, priority, specific, addresses)
            }
            Self::V3(V3 { vrid, priority, interval_centis, addresses }) => {
                let specific = (interval_centis & 0x0fff).to_be_bytes();
                (3_u8, vrid, priority, specific, addresses)
            }
        };
        let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        let kind = (version << 4) | ADVERTISEMENT;
        out.clear();
        out.extend([kind, vrid.get(), priority, count, fourth, fifth, 0, 0]);
        for &address in addresses.iter().take(usize::from(count)) {
            push_octets(address, out);
        }
        if let Self::V2(V2 { authentication, .. }) = self {
            out.extend(authentication.bytes());
        }
        set_checksum(pseudo_header, out);
    }
}

#[cfg(test)]
mod tests;
