//! What a table has besides services: maps that lead to them, and the chains that ask those maps.

use standfast_types::{Family, ServiceKey};

use super::{
    key::{self, ServiceMap},
    place::Place,
};
use crate::{
    netlink::message::Message,
    nftables::{
        expression::{Field, Meta, Rule, SetName, register},
        transaction::{INET, IPV4, IPV6, NETDEV},
    },
};

/// The set of all destinations.
pub(super) const SERVERS: &str = "servers";
/// `flags owner, persist`
pub(super) const OWNED: u32 = 0x2 | 0x4;
/// Of a table that its owner has left behind.
pub(super) const LEFT: u32 = 0x4;
/// Before others that translate addresses, such as a container engine's rules at -100.
const PRIORITY: i32 = -110;
const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
const INGRESS: &str = "ingress";

/// One of our two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Of the family `inet`: for new connections, which are translated from then on.
    Translated,
    /// Of the family `netdev`: for every packet that comes in.
    Direct,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Translated, Self::Direct];

    pub(super) fn place(self, table: &str) -> Place {
        let family = match self {
            Self::Translated => INET,
            Self::Direct => NETDEV,
        };
        Place { family, table: table.to_owned() }
    }

    /// Maps from what a packet has to the chain of its service, in the order in which they are asked.
    pub(super) fn maps(self) -> impl Iterator<Item = ServiceMap> {
        let marks = match self {
            Self::Translated => Some(ServiceMap::Marks),
            // They are set later on a packet's way.
            Self::Direct => None,
        };
        let addresses = [Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| [ServiceMap::Ports(family), ServiceMap::Addresses(family)]);
        marks.into_iter().chain(addresses)
    }

    /// Chains that the kernel goes to.
    pub(super) const fn hooks(self) -> &'static [&'static str] {
        match self {
            Self::Translated => &[PREROUTING, OUTPUT],
            Self::Direct => &[INGRESS],
        }
    }

    /// The table without services, in place of what is there.
    pub(super) fn empty(self, place: &Place, flags: u32, links: &[String]) -> Vec<Message> {
        let mut batch = vec![place.any_table(), place.delete_table(), place.new_table(flags)];
        batch.extend(self.maps().map(|map| place.chain_map(map.name(), map.key())));
        batch.push(place.set(SERVERS, key::DESTINATION));
        match self {
            Self::Translated => {
                for (chain, hook) in [(PREROUTING, 0), (OUTPUT, 3)] {
                    batch.push(place.hooked_chain(chain, "nat", hook, PRIORITY));
                    self.dispatch(place, chain, &mut batch);
                }
            }
            Self::Direct => self.enter(place, links, &mut batch),
        }
        batch
    }

    /// The chain for what comes in by these interfaces; without any there is none.
    fn enter(self, place: &Place, links: &[String], batch: &mut Vec<Message>) {
        if !links.is_empty() {
            batch.push(place.ingress_chain(INGRESS, PRIORITY, links));
            self.dispatch(place, INGRESS, batch);
        }
    }

    /// The same for other interfaces than before.
    pub(super) fn enter_anew(
        self,
        place: &Place,
        before: &[String],
        links: &[String],
    ) -> Vec<Message> {
        let mut batch = Vec::new();
        if !before.is_empty() {
            // The kernel removes it with its last interface.
            batch.push(place.new_chain(INGRESS));
            batch.push(place.delete_chain(INGRESS));
        }
        self.enter(place, links, &mut batch);
        batch
    }

    /// The rules that lead packets to the chains of their services.
    fn dispatch(self, place: &Place, chain: &str, batch: &mut Vec<Message>) {
        let count = self.maps().count();
        for (at, map) in self.maps().enumerate() {
            batch.push(place.rule(chain, self.ask(map), &dispatch_mark(at, count)));
        }
    }

    fn ask(self, map: ServiceMap) -> Rule {
        let rule = match self {
            // Else the connections of a service that has no server left were no longer translated.
            Self::Translated => Rule::new().track(),
            Self::Direct => Rule::new(),
        };
        load_key(rule, self, map).follow(SetName(map.name(), None), register(0))
    }
}

/// Loads what a map tells services by.
pub(super) fn load_key(rule: Rule, side: Side, map: ServiceMap) -> Rule {
    let key = register(0);
    let (ServiceMap::Ports(family) | ServiceMap::Addresses(family)) = map else {
        return rule.meta(Meta::Family, key).meta(Meta::Mark, register(1));
    };
    let (number, ethertype, protocol) = match family {
        Family::V4 => (IPV4, [0x08, 0x00], 1),
        Family::V6 => (IPV6, [0x86, 0xdd], 4),
    };
    let rule = match side {
        Side::Translated => rule.meta(Meta::Family, key).is(key, &[number]),
        Side::Direct => rule.meta(Meta::Ethertype, key).is(key, &ethertype),
    };
    let rule = rule.load(Field::Destination(family), key);
    let rule = rule.meta(Meta::Protocol, register(protocol));
    match map {
        ServiceMap::Ports(_) => rule.load(Field::DestinationPort, register(protocol + 1)),
        ServiceMap::Addresses(_) | ServiceMap::Marks => rule,
    }
}

pub(super) fn dispatch_mark(at: usize, count: usize) -> String {
    format!("standfast {at}/{count}")
}

/// What leads to a service's chain.
pub(super) fn entry(key: &ServiceKey, chain: String) -> super::place::Element {
    let value = super::place::Value::Chain(chain);
    super::place::Element { key: key::service(key), value, comment: None }
}
