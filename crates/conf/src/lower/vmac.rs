//! `use_vmac`, `use_ipvlan`: the interfaces that an instance wants for itself, and what goes on them.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use standfast_failover::{ExtraAnnouncements, Isolation, OwnLink, OwnLinkKind};
use standfast_types::{Family, InterfaceName, Prefix, VirtualAddress, Vrid};

use super::{Lowering, arguments::Read, instance::Draft, names::NameTable};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span, syntax::Word, table::Value};

/// What an instance says about interfaces of its own.
#[derive(Default)]
pub(super) struct Wish {
    main: Option<Asked>,
    /// Addresses on other interfaces get one too (`use_vmac_addr`).
    everywhere: bool,
    /// Addresses that ask for one themselves.
    addresses: BTreeSet<IpAddr>,
    /// `vmac_xmit_base`
    pub(super) from_parent: Option<Span>,
}

/// One `use_vmac` or `use_ipvlan`.
struct Asked {
    span: Span,
    name: Option<Word>,
    parent: Option<Word>,
    group: Option<u32>,
    group_name: Option<Word>,
    kind: AskedKind,
}

enum AskedKind {
    /// Five bytes, or six.
    Macvlan(Option<Vec<u8>>),
    Ipvlan(Isolation, Option<Prefix>),
}

/// What [`Lowering::own_links`] comes to.
pub(super) struct Resolved {
    pub(super) links: Vec<OwnLink>,
    pub(super) advertise_from: Option<InterfaceName>,
    /// Of the ipvlan.
    pub(super) source: Option<IpAddr>,
}

impl Wish {
    pub(super) fn lift(&mut self, address: IpAddr) {
        self.addresses.insert(address);
    }

    /// Takes a keyword; whether it is one of these.
    pub(super) fn take(&mut self, name: &str, span: Option<Span>, read: &Read<'_>) -> bool {
        let Some(span) = span else { return false };
        match name {
            "use_vmac" => self.main = Some(Asked::new(span, read, AskedKind::Macvlan(None))),
            "use_ipvlan" => {
                let kind = AskedKind::Ipvlan(Isolation::Bridge, None);
                self.main = Some(Asked::new(span, read, kind));
            }
            "use_vmac_addr" => self.everywhere = true,
            "vmac_xmit_base" => self.from_parent = Some(span),
            _ => return false,
        }
        true
    }

    /// Strict mode has no MAC address but the standard's, and adverts come from that.
    pub(super) fn obey_strictness(&mut self) {
        self.from_parent = None;
        if let Some(Asked { kind: AskedKind::Macvlan(mac), .. }) = &mut self.main {
            *mac = None;
        }
    }

    /// Where it asks for an interface of its own.
    pub(super) fn main_span(&self) -> Option<Span> {
        self.main.as_ref().map(|asked| asked.span)
    }

    /// Whether the instance has a virtual MAC address, which its successor will have as well.
    pub(super) fn shares_mac(&self) -> bool {
        self.main.as_ref().is_some_and(|asked| matches!(asked.kind, AskedKind::Macvlan(_)))
    }
}

impl Asked {
    fn new(span: Span, read: &Read<'_>, kind: AskedKind) -> Self {
        let mut asked =
            Self { span, name: None, parent: None, group: None, group_name: None, kind };
        for matched in read.matched.iter().filter(|_| !read.failed) {
            let option = matched.option.map(|option| option.name);
            let word = matched.word;
            match (option, matched.value) {
                (Some("group"), Value::Number(group)) => asked.group = u32::try_from(group).ok(),
                (Some("group"), Value::Text(_)) => asked.group_name = Some(word.clone()),
                (Some("bridge" | "private" | "vepa"), _) => asked.isolate(&word.text),
                (Some("netlink_notify_msg"), _) => {}
                (Some("name") | None, _) if word.text != "name" => asked.word(word),
                (_, _) => {}
            }
        }
        asked
    }

    /// A word without keyword: a name, a parent, a MAC address or an address.
    fn word(&mut self, word: &Word) {
        match &mut self.kind {
            AskedKind::Macvlan(mac) => {
                if let Some(bytes) = mac_bytes(&word.text) {
                    return *mac = Some(bytes);
                }
            }
            AskedKind::Ipvlan(_, address) => {
                if let Ok(prefix) = word.text.parse::<Prefix>() {
                    return *address = Some(prefix);
                }
            }
        }
        if self.name.is_none() {
            self.name = Some(word.clone());
        } else {
            self.parent = Some(word.clone());
        }
    }

    fn isolate(&mut self, word: &str) {
        // The first one counts.
        if let AskedKind::Ipvlan(isolation @ Isolation::Bridge, _) = &mut self.kind {
            *isolation = match word {
                "private" => Isolation::Private,
                "vepa" => Isolation::Vepa,
                _ => Isolation::Bridge,
            };
        }
    }
}

impl Lowering<'_> {
    /// Decides which interfaces the instance gets, and moves its addresses onto them.
    pub(super) fn own_links(
        &mut self,
        draft: &Draft,
        vrid: Vrid,
        interface: &InterfaceName,
        addresses: &mut [VirtualAddress],
    ) -> Resolved {
        let wish = &draft.own;
        let mut links: Vec<OwnLink> = Vec::new();
        let main = wish.main.as_ref().map(|asked| {
            let link = self.main_link(draft, asked, vrid, interface);
            links.push(link.clone());
            link
        });
        for address in addresses.iter_mut() {
            let ip = address.prefix.address();
            let lifted = wish.everywhere || wish.addresses.contains(&ip);
            let other_family = ip.is_ipv6() != (draft.family() == Family::V6);
            let ipvlan = main.as_ref().is_some_and(is_ipvlan);
            let name = match &main {
                Some(main) if address.interface == *interface => {
                    if other_family && lifted && !ipvlan {
                        self.extra_link(&mut links, &main.parent, vrid, ip)
                    } else {
                        main.name.clone()
                    }
                }
                Some(_) | None if lifted => {
                    // `use_vmac_addr` speaks of other interfaces.
                    let own = address.interface == *interface && !wish.addresses.contains(&ip);
                    if own {
                        continue;
                    }
                    let parent = address.interface.clone();
                    self.extra_link(&mut links, &parent, vrid, ip)
                }
                Some(_) | None => continue,
            };
            let held = links.iter_mut().find(|link| link.name == name);
            if let Some(OwnLink { kind: OwnLinkKind::Macvlan { ipv6, .. }, .. }) = held {
                *ipv6 |= ip.is_ipv6();
            }
            address.interface = name;
        }
        let source = main.as_ref().and_then(|main| match main.kind {
            OwnLinkKind::Ipvlan { address, .. } => address.map(|prefix| prefix.address()),
            OwnLinkKind::Macvlan { .. } => None,
        });
        let advertise_from = main.filter(|_| self.leaves_from_own(draft)).map(|main| main.name);
        Resolved { links, advertise_from, source }
    }

    fn main_link(
        &mut self,
        draft: &Draft,
        asked: &Asked,
        vrid: Vrid,
        interface: &InterfaceName,
    ) -> OwnLink {
        let parent = asked
            .parent
            .as_ref()
            .map_or_else(|| interface.clone(), |word| word.text.as_str().into());
        let ipv6 = draft.family() == Family::V6;
        let kind = match &asked.kind {
            AskedKind::Macvlan(mac) => {
                OwnLinkKind::Macvlan { mac: virtual_mac(mac.as_deref(), vrid, ipv6), ipv6 }
            }
            AskedKind::Ipvlan(isolation, address) => {
                OwnLinkKind::Ipvlan { isolation: *isolation, address: *address }
            }
        };
        let given = asked.name.as_ref().filter(|word| self.is_free(word, interface));
        let (name, prefix) = match given {
            Some(word) => (word.text.to_string(), None),
            None => {
                let prefix = self.defaults.vmac_prefix.clone();
                (self.link_name(&prefix, vrid, ipv6), Some(prefix))
            }
        };
        self.link_names.insert(name.clone());
        let group_name = asked.group_name.as_ref();
        let group = asked.group.or_else(|| self.named(NameTable::Groups, group_name?));
        OwnLink { name: name.as_str().into(), prefix, parent, kind, group }
    }

    /// Whether no other interface of the file has this name.
    fn is_free(&mut self, word: &Word, interface: &InterfaceName) -> bool {
        let free = word.text != interface.as_str()
            && word.text != "lo"
            && !self.link_names.contains(word.text.as_str());
        if self.link_names.contains(word.text.as_str()) {
            let message = format!("`{}` is the interface of another instance already", word.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::OwnMac, word, message)
                    .label("vrrp.VRID is used")
                    .hint("give each instance's interface a name of its own")
                    .class(Class::Error),
            );
        }
        free
    }

    /// A macvlan on the interface of some addresses: one for each family.
    fn extra_link(
        &mut self,
        links: &mut Vec<OwnLink>,
        parent: &InterfaceName,
        vrid: Vrid,
        address: IpAddr,
    ) -> InterfaceName {
        let ipv6 = address.is_ipv6();
        let kind = OwnLinkKind::Macvlan { mac: virtual_mac(None, vrid, ipv6), ipv6 };
        let known = links.iter().find(|link| {
            link.parent == *parent
                && mac_of(&link.kind).is_some_and(|mac| Some(mac) == mac_of(&kind))
        });
        if let Some(known) = known {
            return known.name.clone();
        }
        let prefix = self.defaults.vmac_addr_prefix.clone();
        let prefix = prefix.unwrap_or_else(|| self.defaults.vmac_prefix.clone());
        let text = self.link_name(&prefix, vrid, ipv6);
        self.link_names.insert(text.clone());
        let name = InterfaceName::from(text.as_str());
        let link = OwnLink {
            name: name.clone(),
            prefix: Some(prefix),
            parent: parent.clone(),
            kind,
            group: None,
        };
        links.push(link);
        name
    }

    /// `vrrp.51`, `vrrp6.51` for IPv6, and with numbers when these are taken.
    fn link_name(&self, prefix: &str, vrid: Vrid, ipv6: bool) -> String {
        let first = if ipv6 { format!("{prefix}6.{vrid}") } else { format!("{prefix}.{vrid}") };
        let numbers = (1_u32..).filter(|number| *number != 6);
        let mut names =
            std::iter::once(first).chain(numbers.map(|n| format!("{prefix}{n}.{vrid}")));
        names.find(|name| !self.link_names.contains(name)).unwrap_or_default()
    }

    /// Whether adverts leave through the instance's own interface.
    fn leaves_from_own(&mut self, draft: &Draft) -> bool {
        let Some(asked) = &draft.own.main else { return false };
        let macvlan = matches!(asked.kind, AskedKind::Macvlan(_));
        if macvlan && !draft.peers.is_empty() && draft.own.from_parent.is_none() {
            let message = "with unicast peers the adverts leave from the parent interface";
            self.diagnostics.push(
                Diagnostic::note(Code::OwnMac, asked.span, message)
                    .hint("write `vmac_xmit_base` too")
                    .class(Class::Error),
            );
            return false;
        }
        draft.own.from_parent.is_none()
    }
}

/// `garp_extra_if`; without a number, or with 0, none.
pub(super) fn extra_announcements(read: &Read<'_>) -> Option<ExtraAnnouncements> {
    let mut extra = ExtraAnnouncements { interval: Duration::ZERO, everywhere: false };
    for matched in read.matched.iter().filter(|_| !read.failed) {
        match matched.value {
            Value::Number(seconds) => {
                extra.interval = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            }
            Value::Text(_) => extra.everywhere = true,
            Value::Bool(_) | Value::Time(_) | Value::Address(_) => {}
        }
    }
    (!extra.interval.is_zero()).then_some(extra)
}

const fn is_ipvlan(link: &OwnLink) -> bool {
    matches!(link.kind, OwnLinkKind::Ipvlan { .. })
}

const fn mac_of(kind: &OwnLinkKind) -> Option<[u8; 6]> {
    match kind {
        OwnLinkKind::Macvlan { mac, .. } => Some(*mac),
        OwnLinkKind::Ipvlan { .. } => None,
    }
}

/// RFC 9568, section 7.3, unless the file gives another; of five bytes the VRID becomes the sixth.
fn virtual_mac(given: Option<&[u8]>, vrid: Vrid, ipv6: bool) -> [u8; 6] {
    let family = if ipv6 { 2 } else { 1 };
    let last = vrid.get();
    match given {
        Some(&[a, b, c, d, e, f]) => [a, b, c, d, e, f],
        Some(&[a, b, c, d, e]) => [a, b, c, d, e, last],
        Some(_) | None => [0, 0, 0x5e, 0, family, last],
    }
}

/// Five or six bytes in hexadecimal.
fn mac_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes.filter(|bytes| text.contains(':') && (5..=6).contains(&bytes.len()))
}
