//! Interfaces as the kernel reports them.

use standfast_types::IfIndex;

use super::{
    message::{Message, attributes, text, u32_at},
    socket::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Netlink},
};
use crate::error::Error;

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
pub(crate) const IFLA_ADDRESS: u16 = 1;
pub(crate) const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
pub(crate) const IFLA_LINK: u16 = 5;
pub(crate) const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_AF_SPEC: u16 = 26;
pub(crate) const IFLA_INFO_KIND: u16 = 1;
pub(crate) const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_MULTICAST: u32 = 0x1000;
const IFF_RUNNING: u32 = 0x40;
const IFF_LOWER_UP: u32 = 0x1_0000;
/// Length of `ifinfomsg`: family, pad, type, index, flags, change mask.
const HEADER: usize = 16;
const AF_UNSPEC: u8 = 0;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number. A new interface of the same name has another.
    pub index: IfIndex,
    /// Its name.
    pub name: String,
    /// Somebody switched it on (`IFF_UP`).
    pub up: bool,
    /// It can carry packets: up, with carrier, and not dormant (`IFF_LOWER_UP` follows the
    /// carrier at once, `IFF_RUNNING` up to a second later).
    pub running: bool,
    /// Ethernet address; `None` for an interface whose addresses are not six bytes long.
    pub mac: Option<[u8; 6]>,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it carries multicast.
    pub multicast: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// The interface that it was made on (or, of a veth, the far end, in whatever namespace).
    pub parent: Option<IfIndex>,
    /// What it is.
    pub kind: LinkKind,
}

/// What an interface is, as far as we make or look for such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// One with a MAC address of its own on another's cable.
    Macvlan,
    /// One with its parent's MAC address.
    Ipvlan,
    /// Anything else.
    Other,
}

impl Netlink {
    /// All interfaces of this namespace.
    ///
    /// # Errors
    /// [`crate::Class::Retry`] when the table kept changing or the kernel did not answer.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = Message::new(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).raw(&[0; HEADER]);
        self.dump("list interfaces", &request, |kind, payload| {
            if kind == RTM_NEWLINK { decode(payload) } else { None }
        })
    }
}

impl Netlink {
    /// The interface of this name.
    ///
    /// # Errors
    /// `Gone` when there is none.
    pub fn link_named(&mut self, name: &str) -> Result<Link, Error> {
        let request = Message::new(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK)
            .raw(&[0; HEADER])
            .text(IFLA_IFNAME, name);
        self.get("find an interface", request, |_, payload| decode(payload))
    }

    /// What `read` finds among the attributes of one interface.
    pub(crate) fn link_detail<T>(
        &mut self,
        operation: &'static str,
        index: IfIndex,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Error> {
        let head = [0, index.get(), 0, 0].map(u32::to_ne_bytes).concat();
        let request = Message::new(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK).raw(&head);
        self.get(operation, request, |_, payload| read(payload.get(HEADER..)?))
    }
}

/// Reads the payload of a link message. `None` for one without a name, and for one of
/// another family: a bridge reports its ports so, and a port that leaves a bridge is not gone.
pub(super) fn decode(payload: &[u8]) -> Option<Link> {
    if payload.first() != Some(&AF_UNSPEC) {
        return None;
    }
    let index = IfIndex::new(u32_at(payload, 4)?);
    let flags = u32_at(payload, 8)?;
    let (mut name, mut mac, mut mtu) = (None, None, 0);
    let (mut parent, mut link_kind) = (None, LinkKind::Other);
    for (kind, value) in attributes(payload.get(HEADER..)?) {
        match kind {
            IFLA_IFNAME => name = text(value).map(str::to_owned),
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_MTU => mtu = u32_at(value, 0).unwrap_or(0),
            IFLA_LINK => parent = u32_at(value, 0).map(IfIndex::new),
            IFLA_LINKINFO => link_kind = kind_of(value),
            _ => {}
        }
    }
    Some(Link {
        index,
        name: name?,
        up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0 && flags & IFF_LOWER_UP != 0,
        mac,
        loopback: flags & IFF_LOOPBACK != 0,
        multicast: flags & IFF_MULTICAST != 0,
        mtu,
        parent,
        kind: link_kind,
    })
}

fn kind_of(information: &[u8]) -> LinkKind {
    let mut found = attributes(information).filter(|(kind, _)| *kind == IFLA_INFO_KIND);
    match found.next().and_then(|(_, value)| text(value)) {
        Some("macvlan") => LinkKind::Macvlan,
        Some("ipvlan") => LinkKind::Ipvlan,
        Some(_) | None => LinkKind::Other,
    }
}
