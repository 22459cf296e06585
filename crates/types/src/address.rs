//! Address and prefix length, as in `192.0.2.1/24`.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which of the two protocols an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bytes of an address.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no address with prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// The part before the slash is no IP address.
    Address,
    /// The part behind the slash is no number, or too large for the family.
    Length,
}

impl Prefix {
    /// `length` is 0..=32 for IPv4, 0..=128 for IPv6.
    ///
    /// # Errors
    /// [`PrefixError::Length`] when it is larger.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        if length > Self::longest(address) {
            return Err(PrefixError::Length);
        }
        Ok(Self { address, length })
    }

    /// The address alone: /32 or /128.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Self::longest(address) }
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix length in bits.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether `other` lies in this network.
    #[must_use]
    pub fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.length);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.length);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The prefix with the bits behind its length cleared.
    #[must_use]
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(own) => {
                let hosts = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                IpAddr::from((own.to_bits() & !hosts).to_be_bytes())
            }
            IpAddr::V6(own) => {
                let hosts = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                IpAddr::from((own.to_bits() & !hosts).to_be_bytes())
            }
        };
        Self { address, length: self.length }
    }

    fn longest(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address = address.parse().map_err(|_| PrefixError::Address)?;
        match length {
            None => Ok(Self::host(address)),
            Some(length) => Self::new(address, length.parse().map_err(|_| PrefixError::Length)?),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_address_is_a_host_prefix() {
        let prefix: Prefix = "192.0.2.1".parse().expect("an address");
        assert_eq!(prefix.to_string(), "192.0.2.1/32");
    }

    #[test]
    fn a_length_beyond_the_family_is_refused() {
        assert_eq!("192.0.2.1/33".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("2001:db8::1/129".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("192.0.2/24".parse::<Prefix>(), Err(PrefixError::Address));
    }

    #[test]
    fn a_network_contains_its_own_addresses_only() {
        let net: Prefix = "192.0.2.1/24".parse().expect("a prefix");
        assert!(net.contains("192.0.2.200".parse().expect("an address")));
        assert!(!net.contains("192.0.3.1".parse().expect("an address")));
        assert!(!net.contains("2001:db8::1".parse().expect("an address")));
        let all: Prefix = "0.0.0.0/0".parse().expect("a prefix");
        assert!(all.contains("198.51.100.7".parse().expect("an address")));
    }
}
