//! A service's chain: the rules that pick a destination for a new connection.

use std::collections::BTreeMap;

use standfast_types::{
    Destination, DestinationKey, Family, Forwarding, Persistence, Scheduler, Service, ServiceKey,
    Transport,
};

use super::{
    key,
    place::{Element, Kind, Place, Value},
    record, wheel,
};
use crate::{
    netlink::message::Message,
    nftables::expression::{Field, Rule, SetName, Verdict, register},
};

/// Registers: what the client is known by, up to 20 bytes; a number that was drawn; a destination.
const CLIENT: u32 = register(0);
const DRAWN: u32 = register(8);
const CHOSEN: u32 = register(9);
const SYN: u8 = 0x02;

/// A service that can be written as rules.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    pub(super) key: &'a ServiceKey,
    pub(super) service: &'a Service,
    family: Family,
    /// Whether destinations have ports of their own.
    ports: bool,
}

impl<'a> Chain<'a> {
    /// All of its destinations were admitted ([`admit`]).
    pub(super) fn new(key: &'a ServiceKey, service: &'a Service) -> Self {
        let first = service.destinations.keys().next();
        let ports = first.is_some_and(|destination| port_of(key, destination) != 0);
        Self { key, service, family: key.family(), ports }
    }

    pub(super) fn name(&self) -> String {
        key::chain(self.key)
    }

    /// The map in which clients stay with their destinations; `None` if they do not.
    pub(super) fn memory(&self, place: &Place) -> Option<Message> {
        self.service.scheduling.persistence.as_ref()?;
        Some(place.memory(&self.memory_name(), key::address(self.family), self.choice()))
    }

    pub(super) fn memory_name(&self) -> String {
        format!("clients/{}", self.name())
    }

    /// What rules choose: an address, and a port if destinations have one.
    pub(super) fn choice(&self) -> Kind {
        let address = key::address(self.family);
        if self.ports { address.and_port() } else { address }
    }

    fn chosen(&self, destination: &DestinationKey) -> Vec<u8> {
        let mut bytes = key::octets(destination.address);
        if self.ports {
            bytes.extend(key::port(port_of(self.key, destination)));
        }
        bytes
    }

    /// The messages that make its rules; `number` tells sets of one transaction apart.
    pub(super) fn rules(&self, place: &Place, number: &mut u32, batch: &mut Vec<Message>) {
        let mut rules = Vec::new();
        if let ServiceKey::Address { transport: Transport::Tcp, .. } = self.key {
            // What does not begin a connection is none of ours, or not any more: this machine says so.
            let stranger = Rule::new().load(Field::TcpFlags, CLIENT).mask(CLIENT, &[SYN]);
            rules.push(stranger.is(CLIENT, &[0]).verdict(Verdict::Accept));
        }
        let places = self.places();
        let all = self.set_of_all(place, number, batch);
        if let Some(persistence) = &self.service.scheduling.persistence {
            let memory = self.memory_name();
            let named = SetName(&memory, None);
            if let Some(all) = all {
                let known =
                    self.client(persistence).find_in(named, CLIENT, CHOSEN).one_of(all, CHOSEN);
                let known = known.remember(&memory, CLIENT, CHOSEN, persistence.timeout);
                rules.push(self.translate(known));
            }
            if let Some(wheel) = self.wheel(&places, place, number, batch) {
                let new = self.pick(Rule::new(), places.len(), wheel);
                let new = new.append(self.client(persistence)).forget(&memory, CLIENT, CHOSEN);
                let new = new.remember(&memory, CLIENT, CHOSEN, persistence.timeout);
                rules.push(self.translate(new));
            }
        }
        // Also for clients when there are too many to remember.
        rules.push(match self.wheel(&places, place, number, batch) {
            Some(wheel) => self.translate(self.pick(Rule::new(), places.len(), wheel)),
            None => Rule::new().verdict(Verdict::Accept),
        });
        let count = rules.len();
        let name = self.name();
        let marks = record::Marks::new(self.service);
        for (at, rule) in rules.into_iter().enumerate() {
            batch.push(place.rule(&name, rule, &marks.of(at, count)));
        }
    }

    /// The numbers that are drawn, each with its destination.
    fn places(&self) -> Vec<Element> {
        let destinations: Vec<_> = self.service.destinations.iter().collect();
        let weights = self.weights();
        let drawn = match self.service.scheduling.scheduler {
            Scheduler::Sh | Scheduler::Mh | Scheduler::Dh | Scheduler::Lblc | Scheduler::Lblcr => {
                let named = destinations.iter().zip(&weights).map(|((key, _), weight)| {
                    (wheel::digest(&[key.to_string().as_bytes()]), *weight)
                });
                wheel::table(&named.collect::<Vec<_>>())
            }
            Scheduler::Rr
            | Scheduler::Wrr
            | Scheduler::Lc
            | Scheduler::Wlc
            | Scheduler::Fo
            | Scheduler::Ovf
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Twos => wheel::wheel(&weights),
        };
        (0_u32..)
            .zip(drawn)
            .filter_map(|(number, drawn)| {
                let (destination, _) = destinations.get(drawn)?;
                let value = Value::Data(self.chosen(destination));
                Some(Element { key: number.to_ne_bytes().to_vec(), value, comment: None })
            })
            .collect()
    }

    /// The share of each destination, in their order.
    fn weights(&self) -> Vec<u32> {
        let weights = self.service.destinations.values().map(|destination| destination.weight);
        match self.service.scheduling.scheduler {
            Scheduler::Rr | Scheduler::Lc => weights.map(|weight| weight.min(1)).collect(),
            Scheduler::Fo => {
                let highest = weights.clone().max();
                let first = weights.clone().position(|weight| Some(weight) == highest);
                weights
                    .enumerate()
                    .map(|(place, weight)| if Some(place) == first { weight } else { 0 })
                    .collect()
            }
            Scheduler::Wrr
            | Scheduler::Wlc
            | Scheduler::Lblc
            | Scheduler::Lblcr
            | Scheduler::Sh
            | Scheduler::Mh
            | Scheduler::Dh
            | Scheduler::Ovf
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Twos => weights.collect(),
        }
    }

    /// A set belongs to one rule only.
    fn wheel(
        &self,
        places: &[Element],
        place: &Place,
        number: &mut u32,
        batch: &mut Vec<Message>,
    ) -> Option<SetName<'static>> {
        if places.is_empty() {
            return None;
        }
        *number = number.wrapping_add(1);
        Some(place.set_of_rule(*number, key::NUMBER, Some(self.choice()), places, batch))
    }

    /// Every destination, for what clients remember must still be one.
    fn set_of_all(
        &self,
        place: &Place,
        number: &mut u32,
        batch: &mut Vec<Message>,
    ) -> Option<SetName<'static>> {
        self.service.scheduling.persistence.as_ref()?;
        let all: Vec<_> = self
            .service
            .destinations
            .keys()
            .map(|destination| self.chosen(destination))
            // Two may become one when a port is filled in.
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|key| Element { key, value: Value::None, comment: None })
            .collect();
        if all.is_empty() {
            return None;
        }
        *number = number.wrapping_add(1);
        Some(place.set_of_rule(*number, self.choice(), None, &all, batch))
    }

    /// Loads what a client is known by.
    fn client(&self, persistence: &Persistence) -> Rule {
        let rule = Rule::new().load(Field::Source(self.family), CLIENT);
        let mask = mask(self.family, persistence.prefix);
        if mask.iter().all(|byte| *byte == 0xff) { rule } else { rule.mask(CLIENT, &mask) }
    }

    /// Draws a number and finds its destination.
    fn pick(&self, rule: Rule, places: usize, wheel: SetName<'static>) -> Rule {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let address = key::address(self.family).length;
        let rule = match self.service.scheduling.scheduler {
            Scheduler::Sh | Scheduler::Mh => {
                let rule = rule.load(Field::Source(self.family), CLIENT);
                let ports = self.service.scheduling.flags.second;
                let port = CLIENT.saturating_add(address / 4);
                let rule = if ports { rule.load(Field::SourcePort, port) } else { rule };
                let bytes = if ports { address.saturating_add(2) } else { address };
                rule.hash_of(CLIENT, bytes, places, DRAWN)
            }
            Scheduler::Dh | Scheduler::Lblc | Scheduler::Lblcr => rule
                .load(Field::Destination(self.family), CLIENT)
                .hash_of(CLIENT, address, places, DRAWN),
            Scheduler::Rr
            | Scheduler::Wrr
            | Scheduler::Lc
            | Scheduler::Wlc
            | Scheduler::Fo
            | Scheduler::Ovf
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Twos => rule.next_of(places, DRAWN),
        };
        rule.find_in(wheel, DRAWN, CHOSEN)
    }

    fn translate(&self, rule: Rule) -> Rule {
        let port = CHOSEN.saturating_add(key::address(self.family).length / 4);
        rule.translate(self.family, CHOSEN, self.ports.then_some(port))
    }
}

/// Whether a service can have a destination beside those that it has, or why not.
pub(super) fn admit(
    key: &ServiceKey,
    service: &Service,
    destination: &DestinationKey,
    how: &Destination,
) -> Result<(), &'static str> {
    match how.forwarding {
        Forwarding::Nat => {}
        Forwarding::DirectRouting => return Err("direct return needs IPVS"),
        Forwarding::Tunnel(_) => return Err("nftables has no tunnels, they need IPVS"),
    }
    if Family::of(destination.address) != key.family() {
        return Err("nftables translates within a family only");
    }
    let own = port_of(key, destination) != 0;
    match service.destinations.keys().next() {
        Some(other) if (port_of(key, other) != 0) != own => {
            Err("nftables can't mix servers with a port and servers without")
        }
        _ => Ok(()),
    }
}

/// The records of destinations, for the set that holds those of all services.
pub(super) fn records(
    key: &ServiceKey,
    destinations: &BTreeMap<DestinationKey, Destination>,
) -> Vec<Element> {
    destinations
        .iter()
        .map(|(to, destination)| Element {
            key: key::destination(key, to),
            value: Value::None,
            comment: Some(record::write_destination(destination)),
        })
        .collect()
}

/// The port that a destination's packets get; 0 keeps theirs.
const fn port_of(key: &ServiceKey, destination: &DestinationKey) -> u16 {
    match (destination.port, key) {
        (0, ServiceKey::Address { port, .. }) => *port,
        (port, _) => port,
    }
}

fn mask(family: Family, prefix: u8) -> Vec<u8> {
    let bits = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    let ones = u32::from(prefix.min(bits));
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(ones)).unwrap_or_default();
    mask.to_be_bytes().into_iter().take(usize::from(bits / 8)).collect()
}
