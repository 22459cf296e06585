//! Interfaces that instances have of their own, as the kernel makes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
};

use standfast_failover::{Firewall, Input, Isolation, OwnLinkKind};
use standfast_kernel::{
    Class, Error,
    link::Switch,
    netlink::{AddressRequest, LinkKind, Netlink, Origin},
    nftables::Blocklist,
    own_link::{self, Ipv4Setting, MacvlanMode, OwnKind},
};
use standfast_types::{IfIndex, InterfaceName};

use super::world::{Refusal, World};
use crate::message::Original;

/// On an interface of our own. Its way back may lead over the parent, which the strict `rp_filter`
/// takes for forgery; an address on another interface is not its to answer for.
const OWN: [(Ipv4Setting, u32); 4] = [
    (Ipv4Setting::RpFilter, 2),
    (Ipv4Setting::ArpIgnore, 1),
    (Ipv4Setting::ArpAnnounce, 2),
    (Ipv4Setting::PromoteSecondaries, 1),
];
/// Of IPv6 on an interface of our own: it takes addresses and routes from nobody but us.
const OWN_IPV6: [(&str, &str); 4] =
    [("accept_ra", "0"), ("autoconf", "0"), ("router_solicitations", "0"), ("accept_dad", "0")];

/// The interfaces of our own, and what their parents had before.
#[derive(Debug, Default)]
pub(super) struct OwnLinks {
    parents: BTreeMap<IfIndex, IfIndex>,
    originals: BTreeMap<IfIndex, Original>,
    /// The supervisor does not know `originals` yet.
    news: bool,
}

impl OwnLinks {
    /// With what a pulse that died had found on the parents.
    pub(super) fn new(originals: Vec<Original>) -> Self {
        let originals = originals.into_iter().map(|original| (original.index, original));
        Self { parents: BTreeMap::new(), originals: originals.collect(), news: false }
    }

    /// What the supervisor should keep for whoever comes after this process, if that is news.
    pub(super) fn news(&mut self) -> Option<Vec<Original>> {
        std::mem::take(&mut self.news).then(|| self.originals.values().cloned().collect())
    }
}

impl World {
    /// Makes an interface, or finds it. What the brain is to be told.
    pub(super) fn create_link(
        &mut self,
        name: InterfaceName,
        parent: IfIndex,
        kind: OwnLinkKind,
        group: Option<u32>,
    ) -> Vec<Input<'static>> {
        match self.make_link(name.as_str(), parent, kind, group) {
            Ok((index, appeared)) => {
                self.own_links.parents.insert(index, parent);
                let mut inputs = vec![appeared];
                inputs.push(Input::LinkMade { name, index });
                inputs
            }
            Err(Unmade::Taken) => {
                let error = "another interface has this name".to_owned();
                vec![Input::LinkRefused { name, error, taken: true }]
            }
            Err(Unmade::Failed(error)) => {
                let error = error.to_string();
                vec![Input::LinkRefused { name, error, taken: false }]
            }
        }
    }

    fn make_link(
        &mut self,
        name: &str,
        parent: IfIndex,
        kind: OwnLinkKind,
        group: Option<u32>,
    ) -> Result<(IfIndex, Input<'static>), Unmade> {
        let wanted = own_kind(kind);
        let found = self.find_link(name, parent, wanted)?;
        let link = match found {
            Some(index) => {
                self.netlink.shape_own_link(index, wanted)?;
                // It may be a leftover with another name; one that is up keeps it on old kernels.
                let _ = self.netlink.rename_link(index, name);
                self.netlink.link_named(name)?
            }
            None => match self.netlink.create_own_link(name, parent, wanted, group) {
                Err(error) if error.is_taken() => return Err(Unmade::Taken),
                other => other?,
            },
        };
        let index = link.index;
        quieten(&mut self.netlink, index, name, kind)?;
        self.netlink.join_vrf_of(parent, index)?;
        if let OwnLinkKind::Ipvlan { address: Some(address), .. } = kind {
            // Of the interface, and gone with it: no lease, and none of those that move.
            let request = AddressRequest::new(index, address);
            self.netlink
                .add_addresses(&[AddressRequest { origin: Origin::Untagged, ..request }])
                .into_iter()
                .collect::<Result<(), _>>()?;
        }
        self.prepare_parent(parent, kind)?;
        Ok((index, self.link(link)))
    }

    /// One that is there already: of this name, or a leftover of another with the same MAC address.
    fn find_link(
        &self,
        name: &str,
        parent: IfIndex,
        wanted: OwnKind,
    ) -> Result<Option<IfIndex>, Unmade> {
        let (kind, mac) = match wanted {
            OwnKind::Macvlan { mac, .. } => (LinkKind::Macvlan, Some(mac)),
            OwnKind::Ipvlan(_) => (LinkKind::Ipvlan, None),
        };
        let named = self.ports.iter().find(|(_, port)| port.name == name);
        let fits = |made_on, found| {
            made_on == Some((kind, parent)) && mac.is_none_or(|mac| found == Some(mac))
        };
        if let Some((&index, port)) = named {
            return match fits(port.made_on, port.mac) {
                true => Ok(Some(index)),
                false => Err(Unmade::Taken),
            };
        }
        let mut leftovers = self.ports.iter().filter(|_| mac.is_some());
        Ok(leftovers.find(|(_, port)| fits(port.made_on, port.mac)).map(|(&index, _)| index))
    }

    /// The parent must not name the addresses on its back in its questions: answers to those go up to their
    /// interface, and the parent never hears them. Nor must it answer for those that have another MAC address.
    fn prepare_parent(&mut self, parent: IfIndex, kind: OwnLinkKind) -> Result<(), Error> {
        if !self.own_links.originals.contains_key(&parent) {
            let original = Original {
                index: parent,
                arp_ignore: self.netlink.ipv4_setting(parent, Ipv4Setting::ArpIgnore)?,
                arp_announce: self.netlink.ipv4_setting(parent, Ipv4Setting::ArpAnnounce)?,
            };
            let least = match kind {
                OwnLinkKind::Macvlan { .. } => 1,
                OwnLinkKind::Ipvlan { .. } => 0,
            };
            let settings = [
                (Ipv4Setting::ArpIgnore, original.arp_ignore.max(least)),
                (Ipv4Setting::ArpAnnounce, original.arp_announce.max(2)),
            ];
            self.netlink.set_ipv4_settings(parent, &settings)?;
            self.own_links.originals.insert(parent, original);
            self.own_links.news = true;
        }
        Ok(())
    }

    /// Removes an interface of our own; the last one on its parent gives that back as it was.
    pub(super) fn remove_link(&mut self, index: IfIndex) -> Result<(), Refusal> {
        let parent = self.own_links.parents.remove(&index);
        let others = self.own_links.parents.values().any(|other| Some(*other) == parent);
        let original = parent.filter(|_| !others);
        let original = original.and_then(|parent| self.own_links.originals.remove(&parent));
        self.own_links.news |= original.is_some();
        let restored = original.map(|Original { index, arp_ignore, arp_announce }| {
            let settings =
                [(Ipv4Setting::ArpIgnore, arp_ignore), (Ipv4Setting::ArpAnnounce, arp_announce)];
            self.netlink.set_ipv4_settings(index, &settings)
        });
        for result in [Some(self.netlink.delete_link(index)), restored].into_iter().flatten() {
            match result {
                Err(error) if error.class != Class::Gone => {
                    return Err(Refusal::Other(format!("could not {error}")));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn switch_link(&mut self, index: IfIndex, to: Switch) -> Result<(), Refusal> {
        match self.netlink.switch_link(index, to) {
            Err(error) if error.class != Class::Gone => {
                Err(Refusal::Other(format!("could not {error}")))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Drops packets for addresses that are not to be reached themselves.
    pub(super) fn block(
        &self,
        firewall: Firewall,
        addresses: BTreeSet<(IpAddr, InterfaceName)>,
    ) -> Result<(), Refusal> {
        let Firewall { table, priority, counters } = firewall;
        let addresses = addresses.into_iter().map(|(ip, name)| (ip, name.to_string())).collect();
        let list = Blocklist { table, priority, counters, addresses };
        list.install().map_err(|error| {
            Refusal::Other(format!("addresses with no_accept take packets: could not {error}"))
        })
    }

    /// An interface is gone: what was known of it as a parent is of no use any more.
    pub(super) fn forget_link(&mut self, index: IfIndex) {
        self.own_links.parents.remove(&index);
        self.own_links.news |= self.own_links.originals.remove(&index).is_some();
    }
}

/// Why there is no interface.
enum Unmade {
    Taken,
    Failed(Error),
}

impl From<Error> for Unmade {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// With frames that another machine sends from our virtual MAC address on the parent, where we listen.
fn own_kind(kind: OwnLinkKind) -> OwnKind {
    match kind {
        OwnLinkKind::Macvlan { mac, .. } => OwnKind::Macvlan { mac, mode: MacvlanMode::Vepa },
        OwnLinkKind::Ipvlan { isolation, .. } => OwnKind::Ipvlan(match isolation {
            Isolation::Bridge => own_link::Isolation::Bridge,
            Isolation::Private => own_link::Isolation::Private,
            Isolation::Vepa => own_link::Isolation::Vepa,
        }),
    }
}

/// Leaves an interface nothing to say of its own accord, nor to answer for others.
fn quieten(
    netlink: &mut Netlink,
    index: IfIndex,
    name: &str,
    kind: OwnLinkKind,
) -> Result<(), Error> {
    netlink.set_ipv4_settings(index, &OWN)?;
    let folder = Path::new("/proc/sys/net/ipv6/conf").join(name);
    let silent = matches!(kind, OwnLinkKind::Macvlan { ipv6: false, .. });
    let settings: &[_] = if silent { &[("disable_ipv6", "1")] } else { &OWN_IPV6 };
    for (setting, value) in settings {
        // In containers these are often read-only. It has no address then all the same, for that is
        // settled by netlink.
        let _ = fs::write(folder.join(setting), value);
    }
    Ok(())
}
