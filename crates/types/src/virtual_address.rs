//! An address that a machine holds while it is master.

use std::{net::Ipv4Addr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{InterfaceName, Prefix};

/// One line of `virtual_ipaddress`: everything the kernel needs to install it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// Address and prefix length; a bare address is /32 or /128.
    pub prefix: Prefix,
    /// The interface it goes on (`dev`).
    pub interface: InterfaceName,
    /// IPv4 label, at most 15 bytes (`label`).
    pub label: Option<String>,
    /// Scope (`scope`).
    pub scope: Scope,
    /// Broadcast address (`brd`), IPv4.
    pub broadcast: Broadcast,
    /// Whether its removal by somebody else is repaired (`no_track` clears it).
    pub tracked: bool,
    /// Whether the kernel leaves out the prefix route (`noprefixroute`).
    pub no_prefix_route: bool,
    /// The other end of a point-to-point link (`peer`).
    pub peer: Option<Prefix>,
    /// What else the kernel is told of it.
    pub flags: AddressFlags,
    /// For so many seconds from now on this machine prefers it as its source, IPv6 (`preferred_lft`);
    /// `None`: never with /128, else for ever.
    pub preferred_seconds: Option<u32>,
}

/// Options of an address that the kernel knows as flags.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AddressFlags {
    /// The home address of Mobile IPv6 (`home`).
    pub home: bool,
    /// The kernel derives temporary addresses from it, IPv6 (`mngtmpaddr`).
    pub temporary: bool,
    /// The kernel joins the group that it is (`autojoin`).
    pub autojoin: bool,
}

/// How far an address is valid: the kernel's `RT_SCOPE_*` number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope(pub u8);

impl Scope {
    /// Valid everywhere, the default.
    pub const GLOBAL: Self = Self(0);
}

/// The broadcast address that goes with an IPv4 address.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Broadcast {
    /// None (the default, and `brd -`).
    #[default]
    None,
    /// The last address of the network (`brd +`).
    Derived,
    /// A given one.
    Fixed(Ipv4Addr),
}

impl VirtualAddress {
    /// As many seconds as never end.
    pub const FOREVER: u32 = u32::MAX;

    /// For how long this machine prefers it as its source, in seconds.
    #[must_use]
    pub fn preferred(&self) -> u32 {
        // An address without neighbours of its own is for others to come to.
        let host = self.prefix.address().is_ipv6() && self.prefix.length() == 128;
        self.preferred_seconds.unwrap_or(if host { 0 } else { Self::FOREVER })
    }

    /// A plain address on an interface, everything else at its default.
    #[must_use]
    pub fn new(prefix: Prefix, interface: InterfaceName) -> Self {
        Self {
            prefix,
            interface,
            label: None,
            scope: Scope::GLOBAL,
            broadcast: Broadcast::None,
            tracked: true,
            no_prefix_route: false,
            peer: None,
            flags: AddressFlags::default(),
            preferred_seconds: None,
        }
    }

    /// What is left of it so long after it was installed: `preferred_lft` has run on.
    #[must_use]
    pub fn after(&self, held: Duration) -> Self {
        let passed = u32::try_from(held.as_secs()).unwrap_or(u32::MAX);
        let preferred_seconds = self.preferred_seconds.map(|seconds| match seconds {
            Self::FOREVER => seconds,
            seconds => seconds.saturating_sub(passed),
        });
        Self { preferred_seconds, ..self.clone() }
    }

    /// The broadcast address to install, if any.
    #[must_use]
    pub fn broadcast_address(&self) -> Option<Ipv4Addr> {
        match (self.broadcast, self.prefix.address()) {
            (Broadcast::Fixed(address), _) => Some(address),
            (Broadcast::Derived, std::net::IpAddr::V4(own)) => {
                let hosts = u32::MAX.checked_shr(u32::from(self.prefix.length())).unwrap_or(0);
                Some(Ipv4Addr::from_bits(own.to_bits() | hosts))
            }
            (Broadcast::Derived, std::net::IpAddr::V6(_)) | (Broadcast::None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_broadcast_is_the_last_address_of_the_network() {
        let prefix = "192.0.2.7/24".parse().expect("a prefix");
        let mut address = VirtualAddress::new(prefix, "eth0".into());
        assert_eq!(address.broadcast_address(), None);
        address.broadcast = Broadcast::Derived;
        assert_eq!(address.broadcast_address(), Some(Ipv4Addr::new(192, 0, 2, 255)));
    }
}
