//! Making and changing interfaces: no `ip` program needed.

use std::os::fd::{AsRawFd, BorrowedFd};

use standfast_types::IfIndex;

use crate::{
    error::Error,
    netlink::{
        IFF_UP, IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, NLM_F_ACK, NLM_F_CREATE,
        NLM_F_EXCL, NLM_F_REQUEST, Netlink, RTM_DELLINK, RTM_NEWLINK, message::Message,
    },
};

pub(crate) const IFLA_MASTER: u16 = 10;
const IFLA_NET_NS_FD: u16 = 28;
pub(crate) const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
pub(crate) const CREATE: u16 = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
pub(crate) const CHANGE: u16 = NLM_F_REQUEST | NLM_F_ACK;

/// Whether an interface is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is up.
    Up,
    /// It is down.
    Down,
}

impl Netlink {
    /// Makes a pair of Ethernet interfaces joined by a cable: `name` in this socket's
    /// namespace, `peer` in the namespace `peer_namespace`. Both are down.
    ///
    /// The kernel reports a changed carrier at once, instead of up to a second later, when
    /// the two have different numbers, so `index` can choose one.
    ///
    /// # Errors
    /// `Refused` when a name or number is taken, a name longer than 15 bytes, or permission is missing.
    pub fn create_veth(
        &mut self,
        name: &str,
        index: Option<IfIndex>,
        peer: &str,
        peer_namespace: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let namespace = u32::try_from(peer_namespace.as_raw_fd()).unwrap_or(u32::MAX);
        let message = Message::new(RTM_NEWLINK, CREATE)
            .raw(&header(index, 0, 0))
            .text(IFLA_IFNAME, name)
            .nested(IFLA_LINKINFO, |info| {
                info.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |data| {
                    data.nested(VETH_INFO_PEER, |far| {
                        far.raw(&header(None, 0, 0))
                            .text(IFLA_IFNAME, peer)
                            .number(IFLA_NET_NS_FD, namespace)
                    })
                })
            });
        self.request("make a veth pair", message)
    }

    /// Makes a bridge, down. Its ports forward at once: no spanning tree.
    ///
    /// # Errors
    /// As [`Self::create_veth`].
    pub fn create_bridge(&mut self, name: &str) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CREATE)
            .raw(&header(None, 0, 0))
            .text(IFLA_IFNAME, name)
            .nested(IFLA_LINKINFO, |info| info.text(IFLA_INFO_KIND, "bridge"));
        self.request("make a bridge", message)
    }

    /// The index of the interface with this name.
    ///
    /// # Errors
    /// `Gone` when there is none.
    pub fn index_of(&mut self, name: &str) -> Result<IfIndex, Error> {
        let found = self.links()?.into_iter().find(|link| link.name == name);
        found
            .map(|link| link.index)
            .ok_or_else(|| Error::from_errno("find an interface", libc::ENODEV, Some(name)))
    }

    /// Switches an interface on or off. The far end of a veth pair loses its carrier when
    /// this end goes down.
    ///
    /// # Errors
    /// `Gone` when there is no such interface.
    pub fn switch_link(&mut self, index: IfIndex, switch: Switch) -> Result<(), Error> {
        let flags = match switch {
            Switch::Up => IFF_UP,
            Switch::Down => 0,
        };
        let message = Message::new(RTM_NEWLINK, CHANGE).raw(&header(Some(index), flags, IFF_UP));
        self.request("switch an interface", message)
    }

    /// Makes an interface a port of a bridge or a member of a VRF, or of none.
    ///
    /// # Errors
    /// `Gone` when one of them is.
    pub fn set_master(&mut self, port: IfIndex, master: Option<IfIndex>) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CHANGE)
            .raw(&header(Some(port), 0, 0))
            .number(IFLA_MASTER, master.map_or(0, IfIndex::get));
        self.request("attach an interface to another", message)
    }

    /// Gives an interface another name. It should be down.
    ///
    /// # Errors
    /// `Refused` when the name is taken, `Retry` when the interface is up on an old kernel.
    pub fn rename_link(&mut self, index: IfIndex, name: &str) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CHANGE)
            .raw(&header(Some(index), 0, 0))
            .text(IFLA_IFNAME, name);
        self.request("rename an interface", message)
    }

    /// Gives an interface another Ethernet address.
    ///
    /// # Errors
    /// `Refused` for a multicast address or when the driver cannot.
    pub fn set_mac(&mut self, index: IfIndex, mac: [u8; 6]) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CHANGE)
            .raw(&header(Some(index), 0, 0))
            .attribute(IFLA_ADDRESS, &mac);
        self.request("set an Ethernet address", message)
    }

    /// Deletes an interface; a veth's peer goes with it.
    ///
    /// # Errors
    /// `Gone` when there is no such interface.
    pub fn delete_link(&mut self, index: IfIndex) -> Result<(), Error> {
        let message = Message::new(RTM_DELLINK, CHANGE).raw(&header(Some(index), 0, 0));
        self.request("delete an interface", message)
    }
}

/// `ifinfomsg`: family and type (none), index (0 for a new one), flags, mask of flags to change.
pub(crate) fn header(index: Option<IfIndex>, flags: u32, mask: u32) -> Vec<u8> {
    [0, index.map_or(0, IfIndex::get), flags, mask].map(u32::to_ne_bytes).concat()
}
