//! Interfaces of our own on top of others: a macvlan with a virtual MAC address, or an ipvlan.

use standfast_types::IfIndex;

use crate::{
    error::{Class, Error},
    link::{CHANGE, CREATE, IFLA_INFO_DATA, IFLA_MASTER, header},
    netlink::{
        IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO, Link,
        Netlink, RTM_NEWLINK,
        message::{Message, attributes, text, u32_at},
    },
};

const IFLA_GROUP: u16 = 27;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IPVLAN_MODE_L2: u16 = 0;
const IPVLAN_F_PRIVATE: u16 = 1;
const IPVLAN_F_VEPA: u16 = 2;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// What an interface of our own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKind {
    /// With a MAC address of its own.
    Macvlan {
        /// That address.
        mac: [u8; 6],
        /// Who hears what.
        mode: MacvlanMode,
    },
    /// With the MAC address of its parent (mode L2).
    Ipvlan(Isolation),
}

/// What a macvlan does with frames from and for others on its parent (`IFLA_MACVLAN_MODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Frames that another machine sends from the same MAC address reach the macvlan alone.
    Private,
    /// They reach the parent.
    Vepa,
}

/// Whether the ipvlans on one parent reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// They do.
    Bridge,
    /// They don't.
    Private,
    /// Over the next switch.
    Vepa,
}

/// A setting of IPv4 on one interface: the kernel's `IPV4_DEVCONF_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ipv4Setting {
    /// `rp_filter`: whether the way back to a sender must lead out here.
    RpFilter,
    /// `arp_announce`: which own address our ARP requests name.
    ArpAnnounce,
    /// `arp_ignore`: which addresses ARP requests are answered for.
    ArpIgnore,
    /// `promote_secondaries`: whether the others of a network stay when its first address goes.
    PromoteSecondaries,
    /// `accept_local`: whether packets from one of our own addresses are taken in.
    AcceptLocal,
}

impl Ipv4Setting {
    const fn number(self) -> u16 {
        match self {
            Self::RpFilter => 8,
            Self::ArpAnnounce => 18,
            Self::ArpIgnore => 19,
            Self::PromoteSecondaries => 20,
            Self::AcceptLocal => 23,
        }
    }

    /// Where the kernel's list of values has it.
    fn place(self) -> usize {
        usize::from(self.number()).saturating_sub(1).saturating_mul(4)
    }
}

impl Netlink {
    /// Makes an interface on top of another, down and without a word: no IPv6 address of its own
    /// making. With a `group`, as a member of that link group.
    ///
    /// # Errors
    /// `Refused` when the name is taken or the kernel has no such kind, `Gone` when the parent is.
    pub fn create_own_link(
        &mut self,
        name: &str,
        parent: IfIndex,
        kind: OwnKind,
        group: Option<u32>,
    ) -> Result<Link, Error> {
        let mut message = Message::new(RTM_NEWLINK, CREATE)
            .raw(&header(None, 0, 0))
            .text(IFLA_IFNAME, name)
            .number(IFLA_LINK, parent.get());
        if let Some(group) = group {
            message = message.number(IFLA_GROUP, group);
        }
        if let OwnKind::Macvlan { mac, .. } = kind {
            message = message.attribute(IFLA_ADDRESS, &mac);
        }
        self.request("make an interface", information(message, kind))?;
        let link = self.link_named(name)?;
        self.shape_own_link(link.index, kind)?;
        Ok(link)
    }

    /// Gives one that is there already what [`Self::create_own_link`] would have given it.
    ///
    /// # Errors
    /// `Gone` when it is.
    pub fn shape_own_link(&mut self, index: IfIndex, kind: OwnKind) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CHANGE).raw(&header(Some(index), 0, 0)).nested(
            IFLA_AF_SPEC,
            |families| {
                families.nested(AF_INET6, |ipv6| {
                    ipv6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
                })
            },
        );
        match self.request("keep an interface from choosing an address", message) {
            // A kernel without IPv6 chooses none.
            Err(error) if error.class == Class::Refused => {}
            other => other?,
        }
        let message = Message::new(RTM_NEWLINK, CHANGE).raw(&header(Some(index), 0, 0));
        self.request("change an interface", information(message, kind))
    }

    /// Puts an interface where its parent is, if that is in a VRF: its addresses belong into the same
    /// tables.
    ///
    /// # Errors
    /// `Gone` when either is.
    pub fn join_vrf_of(&mut self, parent: IfIndex, index: IfIndex) -> Result<(), Error> {
        let operation = "find the VRF of an interface";
        let master = self.link_detail(operation, parent, |attributes| {
            let master = nested(attributes, IFLA_MASTER);
            Some(master.and_then(|value| u32_at(value, 0)).map(IfIndex::new))
        })?;
        let Some(master) = master else { return Ok(()) };
        let is_vrf = self.link_detail(operation, master, |attributes| {
            let kind = nested(nested(attributes, IFLA_LINKINFO)?, IFLA_INFO_KIND)?;
            Some(text(kind) == Some("vrf"))
        })?;
        if is_vrf { self.set_master(index, Some(master)) } else { Ok(()) }
    }

    /// One setting of IPv4 on an interface.
    ///
    /// # Errors
    /// `Gone` when the interface is.
    pub fn ipv4_setting(&mut self, index: IfIndex, setting: Ipv4Setting) -> Result<u32, Error> {
        let operation = "read a setting of an interface";
        self.link_detail(operation, index, |attributes| {
            let families = nested(attributes, IFLA_AF_SPEC)?;
            let values = nested(nested(families, AF_INET)?, IFLA_INET_CONF)?;
            u32_at(values, setting.place())
        })
    }

    /// Changes settings of IPv4 on one interface.
    ///
    /// # Errors
    /// `Gone` when the interface is.
    pub fn set_ipv4_settings(
        &mut self,
        index: IfIndex,
        settings: &[(Ipv4Setting, u32)],
    ) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, CHANGE).raw(&header(Some(index), 0, 0)).nested(
            IFLA_AF_SPEC,
            |families| {
                families.nested(AF_INET, |ipv4| {
                    ipv4.nested(IFLA_INET_CONF, |values| {
                        let each = settings.iter();
                        each.fold(values, |values, (setting, value)| {
                            values.number(setting.number(), *value)
                        })
                    })
                })
            },
        );
        self.request("change settings of an interface", message)
    }
}

/// What kind of interface it is, and the details of that kind.
fn information(message: Message, kind: OwnKind) -> Message {
    message.nested(IFLA_LINKINFO, |info| match kind {
        OwnKind::Macvlan { mode, .. } => {
            let mode = match mode {
                MacvlanMode::Private => 1,
                MacvlanMode::Vepa => 2,
            };
            info.text(IFLA_INFO_KIND, "macvlan")
                .nested(IFLA_INFO_DATA, |data| data.number(IFLA_MACVLAN_MODE, mode))
        }
        OwnKind::Ipvlan(isolation) => {
            let flags = match isolation {
                Isolation::Bridge => 0,
                Isolation::Private => IPVLAN_F_PRIVATE,
                Isolation::Vepa => IPVLAN_F_VEPA,
            };
            info.text(IFLA_INFO_KIND, "ipvlan").nested(IFLA_INFO_DATA, |data| {
                data.attribute(IFLA_IPVLAN_MODE, &IPVLAN_MODE_L2.to_ne_bytes())
                    .attribute(IFLA_IPVLAN_FLAGS, &flags.to_ne_bytes())
            })
        }
    })
}

/// The attribute of this kind.
fn nested(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::Switch, namespace::test::cable, netlink::LinkKind};

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];

    #[test]
    fn a_macvlan_is_made_down_with_its_address_and_settings_and_is_found_again() {
        let Some(cable) = cable() else { return };
        let netlink = cable.near.run(Netlink::open);
        let mut netlink = netlink.expect("enter").expect("open");
        let kind = OwnKind::Macvlan { mac: MAC, mode: MacvlanMode::Vepa };
        let made = netlink.create_own_link("vrrp.51", cable.near_index, kind, Some(7));
        let made = made.expect("a macvlan");
        assert_eq!((made.mac, made.kind), (Some(MAC), LinkKind::Macvlan));
        assert_eq!((made.parent, made.up), (Some(cable.near_index), false));
        let again = netlink.create_own_link("vrrp.51", cable.near_index, kind, None);
        assert_eq!(again.expect_err("taken").class, Class::Refused);
        netlink.shape_own_link(made.index, kind).expect("the same again");
        let settings = [(Ipv4Setting::RpFilter, 2), (Ipv4Setting::ArpIgnore, 1)];
        netlink.set_ipv4_settings(made.index, &settings).expect("set");
        for (setting, value) in settings {
            assert_eq!(netlink.ipv4_setting(made.index, setting).ok(), Some(value));
        }
        assert_eq!(netlink.ipv4_setting(cable.near_index, Ipv4Setting::ArpIgnore).ok(), Some(0));
        netlink.switch_link(made.index, Switch::Up).expect("up");
        let addresses = netlink.addresses().expect("addresses");
        assert!(!addresses.iter().any(|a| a.index == made.index), "it chooses no address");
        netlink.delete_link(made.index).expect("delete");
        assert_eq!(netlink.link_named("vrrp.51").expect_err("gone").class, Class::Gone);
    }
}
