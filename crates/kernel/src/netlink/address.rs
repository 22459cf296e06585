//! Addresses: install with a lease, renew, delete, list.

use std::net::{IpAddr, Ipv4Addr};

use standfast_types::{AddressFlags, IfIndex, Prefix};

use super::{
    message::{Message, attributes, ip_address, text, u32_at},
    socket::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, Netlink},
};
use crate::error::Error;

/// The origin (`IFA_PROTO`) of every address that we install, so that a restart can tell its
/// own from others'. Kernels before 5.18 ignore it and report no origin.
pub const OUR_PROTO: u8 = 83;

pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
pub(super) const IFA_PROTO: u16 = 11;
const IFA_F_SECONDARY: u32 = 0x01;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_HOMEADDRESS: u32 = 0x10;
const IFA_F_MANAGETEMPADDR: u32 = 0x100;
const IFA_F_MCAUTOJOIN: u32 = 0x400;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

/// How long an address stays when nobody renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until somebody deletes it.
    Forever,
    /// The kernel removes it by itself so many seconds after its last renewal, or up to 1.3 s
    /// later (measured), for it looks about once a second. 1 to 4294967294; 0 is refused.
    Seconds(u32),
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is tagged with [`OUR_PROTO`].
    Ours,
    /// It carries no tag, as if an administrator had installed it.
    Untagged,
}

/// An address to install or, when it is there, whose lease to renew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRequest {
    /// The interface.
    pub index: IfIndex,
    /// Address and prefix length.
    pub prefix: Prefix,
    /// IPv4 label, at most 15 bytes; the kernel's default is the interface's name.
    pub label: Option<String>,
    /// `RT_SCOPE_*`: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// IPv4 broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Leave out the route to the prefix.
    pub no_prefix_route: bool,
    /// The other end of a point-to-point link.
    pub peer: Option<Prefix>,
    /// What else the kernel is told of it.
    pub flags: AddressFlags,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// For how many seconds it is preferred as a source; no longer than it stays.
    pub preferred_seconds: u32,
    /// Whether it is tagged as ours.
    pub origin: Origin,
}

impl AddressRequest {
    /// A global address of ours without label, that stays until deleted.
    #[must_use]
    pub const fn new(index: IfIndex, prefix: Prefix) -> Self {
        Self {
            index,
            prefix,
            label: None,
            scope: 0,
            broadcast: None,
            no_prefix_route: false,
            peer: None,
            flags: AddressFlags { home: false, temporary: false, autojoin: false },
            lifetime: Lifetime::Forever,
            preferred_seconds: u32::MAX,
            origin: Origin::Ours,
        }
    }

    fn message(&self) -> Message {
        let prefix = self.prefix;
        let mut flags = if self.no_prefix_route { IFA_F_NOPREFIXROUTE } else { 0 };
        if prefix.address().is_ipv6() {
            // A fail-over cannot wait for duplicate address detection, and the former
            // holder may still answer it.
            flags |= IFA_F_NODAD;
        }
        let seconds = match self.lifetime {
            Lifetime::Forever => u32::MAX,
            Lifetime::Seconds(seconds) => seconds,
        };
        for (given, flag) in [
            (self.flags.home, IFA_F_HOMEADDRESS),
            (self.flags.temporary, IFA_F_MANAGETEMPADDR),
            (self.flags.autojoin, IFA_F_MCAUTOJOIN),
        ] {
            flags |= if given { flag } else { 0 };
        }
        let preferred = self.preferred_seconds.min(seconds);
        // Preferred and valid lifetime, then two stamps that the kernel writes.
        let cache_info = [preferred, seconds, 0, 0].map(u32::to_ne_bytes).concat();
        let kind = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        let mut message = Message::new(RTM_NEWADDR, kind)
            .raw(&header(self.index, self.peer.unwrap_or(prefix), self.scope))
            .address(IFA_LOCAL, prefix.address())
            .address(IFA_ADDRESS, self.peer.unwrap_or(prefix).address())
            .attribute(IFA_CACHEINFO, &cache_info)
            .number(IFA_FLAGS, flags);
        match self.origin {
            Origin::Ours => message = message.attribute(IFA_PROTO, &[OUR_PROTO]),
            Origin::Untagged => {}
        }
        if let Some(broadcast) = self.broadcast {
            message = message.address(IFA_BROADCAST, broadcast.into());
        }
        if let Some(label) = &self.label {
            message = message.text(IFA_LABEL, label);
        }
        message
    }
}

/// An address as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub index: IfIndex,
    /// Address and prefix length.
    pub prefix: Prefix,
    /// IPv4 label.
    pub label: Option<String>,
    /// Whether it carries [`OUR_PROTO`]: this program, now or before a restart, installed it.
    pub ours: bool,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// Another address of its interface and subnet came first (IPv4).
    pub secondary: bool,
    /// Duplicate address detection is not done yet, or found a duplicate (IPv6).
    pub tentative: bool,
    /// How much of its lifetime was left.
    pub lifetime: Lifetime,
}

impl Netlink {
    /// All addresses of this namespace.
    ///
    /// # Errors
    /// [`crate::Class::Retry`] when the table kept changing or the kernel did not answer.
    pub fn addresses(&mut self) -> Result<Vec<Address>, Error> {
        let request = Message::new(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(&[0; 8]);
        self.dump("list addresses", &request, |kind, payload| {
            if kind == RTM_NEWADDR { decode(payload) } else { None }
        })
    }

    /// Installs addresses, or renews the lease of those that are there; one answer each.
    ///
    /// An address is there when interface, address and prefix length agree. Then lifetime
    /// and origin change, even of an address that somebody else installed, and the label
    /// stays as it is. An IPv4 address goes together with the first of its subnet on the
    /// interface, unless `promote_secondaries` is set.
    ///
    /// # Errors
    /// Per address: `Gone` when the interface is, `Refused` without `CAP_NET_ADMIN`.
    pub fn add_addresses(&mut self, requests: &[AddressRequest]) -> Vec<Result<(), Error>> {
        let messages = requests.iter().map(AddressRequest::message).collect();
        self.request_all("add an address", messages)
    }

    /// Deletes addresses; one answer each.
    ///
    /// # Errors
    /// Per address: `Gone` when it is not there (any more).
    pub fn delete_addresses(&mut self, which: &[(IfIndex, Prefix)]) -> Vec<Result<(), Error>> {
        let message = |(index, prefix): &(IfIndex, Prefix)| {
            Message::new(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK)
                .raw(&header(*index, *prefix, 0))
                .address(IFA_LOCAL, prefix.address())
                .address(IFA_ADDRESS, prefix.address())
        };
        self.request_all("delete an address", which.iter().map(message).collect())
    }
}

impl Netlink {
    /// Deletes an address of a point-to-point link.
    ///
    /// # Errors
    /// `Gone` when it is not there (any more).
    pub fn delete_peer_address(
        &mut self,
        index: IfIndex,
        local: IpAddr,
        peer: Prefix,
    ) -> Result<(), Error> {
        let message = Message::new(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK)
            .raw(&header(index, peer, 0))
            .address(IFA_LOCAL, local)
            .address(IFA_ADDRESS, peer.address());
        self.request("delete an address", message)
    }
}

/// `ifaddrmsg`: family, prefix length, flags (in an attribute instead), scope, index.
fn header(index: IfIndex, prefix: Prefix, scope: u8) -> [u8; 8] {
    let family = if prefix.address().is_ipv4() { AF_INET } else { AF_INET6 };
    let [a, b, c, d] = index.get().to_ne_bytes();
    [family, prefix.length(), 0, scope, a, b, c, d]
}

/// Reads the payload of an address message; `None` when it is none that we know.
pub(super) fn decode(payload: &[u8]) -> Option<Address> {
    let ([family, length, flags, scope], rest) = payload.split_first_chunk()?;
    let index = IfIndex::new(u32_at(rest, 0)?);
    if ![AF_INET, AF_INET6].contains(family) {
        return None;
    }
    let (mut local, mut peer): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    let (mut label, mut flags, mut ours) = (None, u32::from(*flags), false);
    let mut lifetime = Lifetime::Forever;
    for (kind, value) in attributes(rest.get(4..)?) {
        match kind {
            IFA_LOCAL => local = ip_address(value),
            IFA_ADDRESS => peer = ip_address(value),
            IFA_LABEL => label = text(value).map(str::to_owned),
            IFA_FLAGS => flags = u32_at(value, 0).unwrap_or(flags),
            IFA_PROTO => ours = value.first() == Some(&OUR_PROTO),
            IFA_CACHEINFO => match u32_at(value, 4) {
                None | Some(u32::MAX) => {}
                Some(valid) => lifetime = Lifetime::Seconds(valid),
            },
            _ => {}
        }
    }
    Some(Address {
        index,
        // IPv6 reports a local address only when there is a peer.
        prefix: Prefix::new(local.or(peer)?, *length).ok()?,
        label,
        ours,
        scope: *scope,
        secondary: *family == AF_INET && flags & IFA_F_SECONDARY != 0,
        tentative: flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) != 0,
        lifetime,
    })
}
