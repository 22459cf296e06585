//! Interfaces as the kernel reports them.

use standfast_types::IfIndex;

use super::{
    message::{Message, attributes, text, u32_at},
    socket::{NLM_F_DUMP, NLM_F_REQUEST, Netlink},
};
use crate::error::Error;

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
pub(crate) const IFLA_ADDRESS: u16 = 1;
pub(crate) const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
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

/// Reads the payload of a link message. `None` for one without a name, and for one of
/// another family: a bridge reports its ports so, and a port that leaves a bridge is not gone.
pub(super) fn decode(payload: &[u8]) -> Option<Link> {
    if payload.first() != Some(&AF_UNSPEC) {
        return None;
    }
    let index = IfIndex::new(u32_at(payload, 4)?);
    let flags = u32_at(payload, 8)?;
    let (mut name, mut mac, mut mtu) = (None, None, 0);
    for (kind, value) in attributes(payload.get(HEADER..)?) {
        match kind {
            IFLA_IFNAME => name = text(value).map(str::to_owned),
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_MTU => mtu = u32_at(value, 0).unwrap_or(0),
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
    })
}
