//! The machine that a configuration is meant for, as far as a check can know it. Plain data: who
//! asks for a check looks it up.

use std::net::IpAddr;

use standfast_types::Prefix;

/// What a machine has.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its network interfaces, in the kernel's order.
    pub interfaces: Vec<HostInterface>,
    /// Whether it has a user of a name. Asking can be slow, so only findings that depend on it do.
    pub has_user: fn(&str) -> bool,
    /// Whether it has a group of a name; as slow.
    pub has_group: fn(&str) -> bool,
}

/// A network interface of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterface {
    /// Its name.
    pub name: String,
    /// Somebody switched it on.
    pub up: bool,
    /// It carries multicast.
    pub multicast: bool,
    /// It is a loopback interface.
    pub loopback: bool,
    /// Its addresses in the kernel's order, without those that Standfast installed.
    pub addresses: Vec<Prefix>,
}

impl Host {
    /// The interface of this name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&HostInterface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// The interface that has the address.
    #[must_use]
    pub fn holder(&self, address: IpAddr) -> Option<&HostInterface> {
        self.interfaces.iter().find(|interface| interface.has(address))
    }
}

impl HostInterface {
    fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address() == address)
    }

    /// The networks of its addresses of this family; an address without neighbours has none.
    pub(crate) fn subnets(&self, family: IpAddr) -> impl Iterator<Item = Prefix> {
        self.addresses.iter().copied().filter(move |own| {
            own.address().is_ipv4() == family.is_ipv4()
                && own.length() < Prefix::host(family).length()
        })
    }
}
