//! By which interface a server is reached, for direct return.

use std::net::IpAddr;

use standfast_types::{Forwarding, ServiceChange};

use super::chain::Links;
use crate::{error::Error, netlink::Netlink};

/// The servers that were looked for, and the interfaces that there were then.
#[derive(Debug)]
pub(super) struct Neighbours {
    netlink: Netlink,
    /// Names and numbers of the interfaces, sorted.
    interfaces: Vec<(String, u32)>,
    links: Links,
}

impl Neighbours {
    pub(super) fn open() -> Result<Self, Error> {
        let netlink = Netlink::open()?;
        Ok(Self { netlink, interfaces: Vec::new(), links: Links::new() })
    }

    pub(super) const fn links(&self) -> &Links {
        &self.links
    }

    /// Takes what was known before.
    pub(super) fn adopt(&mut self, links: Links) {
        self.links = links;
    }

    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.links.contains_key(&address)
    }

    /// Looks for the server of a change, if the change needs to know where it is.
    pub(super) fn find(&mut self, change: &ServiceChange) -> Result<(), Error> {
        match change {
            ServiceChange::AddDestination(_, key, to)
            | ServiceChange::EditDestination(_, key, to) => match to.forwarding {
                Forwarding::DirectRouting => self.look_for(key.address),
                Forwarding::Nat | Forwarding::Tunnel(_) => Ok(()),
            },
            ServiceChange::AddService(..)
            | ServiceChange::EditService(..)
            | ServiceChange::RemoveService(_)
            | ServiceChange::RemoveDestination(..) => Ok(()),
        }
    }

    pub(super) fn look_for(&mut self, address: IpAddr) -> Result<(), Error> {
        if !self.knows(address) {
            let link = self.netlink.link_to_neighbour(address)?;
            self.links.insert(address, link.get());
        }
        Ok(())
    }

    /// Whether interfaces came or went since the last [`Self::renew`].
    pub(super) fn have_changed(&mut self) -> Result<bool, Error> {
        Ok(self.now()? != self.interfaces)
    }

    /// The names of the interfaces that packets can come in by, sorted. Servers that were reached by others
    /// have to be found again.
    pub(super) fn renew(&mut self) -> Result<Vec<String>, Error> {
        self.interfaces = self.now()?;
        let interfaces = &self.interfaces;
        self.links.retain(|_, link| interfaces.iter().any(|(_, number)| number == link));
        Ok(self.interfaces.iter().map(|(name, _)| name.clone()).collect())
    }

    fn now(&mut self) -> Result<Vec<(String, u32)>, Error> {
        let links = self.netlink.links()?.into_iter().filter(|link| !link.loopback);
        let mut links: Vec<_> = links.map(|link| (link.name, link.index.get())).collect();
        links.sort_unstable();
        Ok(links)
    }
}
