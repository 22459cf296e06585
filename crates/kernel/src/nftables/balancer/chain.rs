//! A service's chain: the rules that pick a destination for a new connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

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

/// Registers: what the client or its connection is known by, up to 24 bytes; a number that was drawn; a
/// destination, up to 20 bytes; another one, in place of the number if it is long.
pub(super) const CLIENT: u32 = register(0);
pub(super) const DRAWN: u32 = register(6);
pub(super) const CHOSEN: u32 = register(6);
const ANY: u32 = register(11);
const SYN: u8 = 0x02;

/// A service that can be written as rules.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    pub(super) key: &'a ServiceKey,
    pub(super) service: &'a Service,
    pub(super) family: Family,
    pub(super) way: Way,
    /// By which interface a destination is reached: for direct return.
    links: &'a Links,
}

/// The numbers of the interfaces by which addresses are reached.
pub(super) type Links = BTreeMap<IpAddr, u32>;

/// How a service's packets get to its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// With another address and, if destinations have ports of their own, another port.
    Translated { ports: bool },
    /// As they are.
    Direct,
}

/// A map that rules write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) name: String,
    pub(super) key: Kind,
    /// `None`: of a set.
    pub(super) value: Option<Kind>,
}

/// Where the messages for a service's rules are written to.
pub(super) struct Page<'a> {
    pub(super) place: &'a Place,
    /// Tells the sets of one transaction apart.
    pub(super) number: &'a mut u32,
    pub(super) batch: &'a mut Vec<Message>,
}

impl Page<'_> {
    /// A map for one rule.
    fn map(&mut self, key: Kind, value: Option<Kind>, elements: &[Element]) -> SetName<'static> {
        *self.number = self.number.wrapping_add(1);
        self.place.map_of_rule(*self.number, key, value, elements, self.batch)
    }

    /// A map for one rule from servers to the interfaces by which they are reached.
    pub(super) fn interfaces(&mut self, chain: &Chain<'_>) -> SetName<'static> {
        let element = |to: &DestinationKey| Element {
            key: chain.chosen(to),
            value: Value::Data(chain.link(to).to_ne_bytes().to_vec()),
            comment: None,
        };
        let all: BTreeSet<_> = chain.service.destinations.keys().map(element).collect();
        let all: Vec<_> = all.into_iter().collect();
        self.map(chain.choice(), Some(key::INTERFACE), &all)
    }
}

impl<'a> Chain<'a> {
    /// All of its destinations were admitted ([`admit`]).
    pub(super) fn new(key: &'a ServiceKey, service: &'a Service, links: &'a Links) -> Self {
        let ports = |destination| port_of(key, destination) != 0;
        let way = match service.destinations.first_key_value() {
            Some((_, Destination { forwarding: Forwarding::DirectRouting, .. })) => Way::Direct,
            Some((destination, _)) => Way::Translated { ports: ports(destination) },
            None => Way::Translated { ports: false },
        };
        Self { key, service, family: key.family(), way, links }
    }

    pub(super) fn name(&self) -> String {
        key::chain(self.key)
    }

    /// The maps and sets that its rules write to.
    pub(super) fn memories(&self) -> Vec<Memory> {
        let memory = |name, key, value| Memory { name, key, value };
        let address = key::address(self.family);
        match (&self.service.scheduling.persistence, self.way) {
            (Some(_), _) => vec![memory(self.clients(), address, Some(self.choice()))],
            (None, Way::Translated { .. }) => Vec::new(),
            (None, Way::Direct) => {
                let flows = memory(self.flows(), self.flow(), Some(self.choice()));
                let closed = memory(self.closed_flows(), self.flow(), None);
                vec![flows, closed]
            }
        }
    }

    /// The map in which clients stay with their destinations.
    pub(super) fn clients(&self) -> String {
        format!("clients/{}", self.name())
    }

    /// The map in which connections stay with their destinations.
    pub(super) fn flows(&self) -> String {
        key::flows(self.key)
    }

    /// The set of those that are closed.
    pub(super) fn closed_flows(&self) -> String {
        key::closed_flows(self.key)
    }

    /// What tells a connection from others of the service: the client's address and port, and for a service
    /// of all ports the one that was asked for.
    fn flow(&self) -> Kind {
        let from = key::address(self.family).and_port();
        if self.takes_all_ports() { from.and_port() } else { from }
    }

    pub(super) const fn takes_all_ports(&self) -> bool {
        matches!(self.key, ServiceKey::Address { port: 0, .. })
    }

    /// What is chosen: an address, and a port if destinations have one.
    fn choice(&self) -> Kind {
        let address = key::address(self.family);
        match self.way {
            Way::Translated { ports: true } => address.and_port(),
            Way::Translated { ports: false } | Way::Direct => address,
        }
    }

    pub(super) fn chosen(&self, destination: &DestinationKey) -> Vec<u8> {
        let mut bytes = key::octets(destination.address);
        if let Way::Translated { ports: true } = self.way {
            bytes.extend(key::port(port_of(self.key, destination)));
        }
        bytes
    }

    /// The number of the interface by which a destination is reached.
    pub(super) fn link(&self, destination: &DestinationKey) -> u32 {
        self.links.get(&destination.address).copied().unwrap_or_default()
    }

    pub(super) const fn is_tcp(&self) -> bool {
        matches!(self.key, ServiceKey::Address { transport: Transport::Tcp, .. })
    }

    /// Writes its rules, and those of its targets.
    pub(super) fn write(&self, page: &mut Page<'_>) {
        let marks = record::Marks::new(self.service);
        for to in self.targets() {
            let rule = self.target(to);
            page.batch.push(page.place.rule(&self.target_name(to), rule, &marks.of(0, 1)));
        }
        let rules = match self.way {
            Way::Translated { ports } => self.translating(ports, page),
            Way::Direct => self.forwarding(page),
        };
        let count = rules.len();
        let name = self.name();
        for (at, rule) in rules.into_iter().enumerate() {
            page.batch.push(page.place.rule(&name, rule, &marks.of(at, count)));
        }
    }

    /// Rules for new connections, which the kernel then follows.
    fn translating(&self, ports: bool, page: &mut Page<'_>) -> Vec<Rule> {
        let mut rules = Vec::new();
        if self.is_tcp() {
            // What does not begin a connection is none of ours, or not any more: this machine says so.
            rules.push(syn(Rule::new(), false).verdict(Verdict::Accept));
        }
        if let Some(persistence) = &self.service.scheduling.persistence {
            let known = self.known_client(Rule::new(), persistence, persistence.timeout);
            rules.extend(known.map(|rule| self.translate(rule, ports)));
        }
        let new = match self.remembers() {
            true => self.pick_target(Rule::new(), page),
            false => self.pick(page).map(|rule| self.translate(rule, ports)),
        };
        rules.push(new.unwrap_or_else(|| Rule::new().verdict(Verdict::Accept)));
        rules
    }

    fn translate(&self, rule: Rule, ports: bool) -> Rule {
        let port = CHOSEN.saturating_add(key::address(self.family).length / 4);
        rule.translate(self.family, CHOSEN, ports.then_some(port))
    }

    /// Whether rules remember where a connection or a client goes. Then each destination has a chain, its
    /// target, in which that is written down.
    const fn remembers(&self) -> bool {
        self.service.scheduling.persistence.is_some() || matches!(self.way, Way::Direct)
    }

    /// The destinations that have a target: those that get new connections.
    pub(super) fn targets(&self) -> Vec<&DestinationKey> {
        if !self.remembers() {
            return Vec::new();
        }
        let drawn: BTreeSet<_> = self.drawn().into_iter().collect();
        let destinations = self.service.destinations.keys().enumerate();
        destinations.filter(|(place, _)| drawn.contains(place)).map(|(_, to)| to).collect()
    }

    pub(super) fn target_name(&self, to: &DestinationKey) -> String {
        key::target(self.key, to)
    }

    /// The rule of a target: it remembers the destination and sends packets there.
    fn target(&self, to: &DestinationKey) -> Rule {
        let rule = match &self.service.scheduling.persistence {
            Some(persistence) => {
                let time = match self.way {
                    Way::Translated { .. } => persistence.timeout,
                    Way::Direct => self.client_time(persistence),
                };
                let rule = self.put(self.client(Rule::new(), persistence), to, CHOSEN);
                anew(rule, &self.clients(), time)
            }
            None => self.new_flow(to),
        };
        match self.way {
            Way::Translated { ports } => self.translate(rule, ports),
            Way::Direct => self.send(rule, self.link(to)),
        }
    }

    /// The beginning of a rule for clients that have a server.
    pub(super) fn known_client(
        &self,
        rule: Rule,
        persistence: &Persistence,
        time: Duration,
    ) -> Option<Rule> {
        let clients = self.clients();
        let rule = self.client(rule, persistence);
        self.refresh(rule.find_in(SetName(&clients, None), CLIENT, CHOSEN), &clients, time)
    }

    /// Lets live longer what was just found in a map; `None` when there are no destinations. The kernel
    /// wants to know a value for the case that it is gone again, and `nft list` can't show one that comes
    /// from a map.
    pub(super) fn refresh(&self, rule: Rule, map: &str, time: Duration) -> Option<Rule> {
        let any = self.service.destinations.keys().next()?;
        Some(self.put(rule, any, ANY).remember(map, CLIENT, Some(ANY), time))
    }

    /// Loads a destination, in parts: `nft list` can't show it in one.
    pub(super) fn put(&self, rule: Rule, to: &DestinationKey, register: u32) -> Rule {
        let rule = rule.put(&key::octets(to.address), register);
        match self.way {
            Way::Translated { ports: true } => {
                let next = register.saturating_add(key::address(self.family).length / 4);
                rule.put(&port_of(self.key, to).to_be_bytes(), next)
            }
            Way::Translated { ports: false } | Way::Direct => rule,
        }
    }

    /// The destinations in the order in which they are drawn: their places.
    fn drawn(&self) -> Vec<usize> {
        let weights = self.weights();
        match self.service.scheduling.scheduler {
            Scheduler::Sh | Scheduler::Mh | Scheduler::Dh | Scheduler::Lblc | Scheduler::Lblcr => {
                let named =
                    self.service.destinations.keys().zip(&weights).map(|(key, weight)| {
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
        }
    }

    /// The numbers that are drawn, each with what it stands for.
    fn wheel(&self, value: impl Fn(&DestinationKey) -> Value) -> Vec<Element> {
        let values: Vec<_> = self.service.destinations.keys().map(value).collect();
        let element = |(number, place): (u32, usize)| {
            let value = values.get(place)?.clone();
            Some(Element { key: number.to_ne_bytes().to_vec(), value, comment: None })
        };
        (0_u32..).zip(self.drawn()).filter_map(element).collect()
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

    /// Loads what a client is known by.
    fn client(&self, rule: Rule, persistence: &Persistence) -> Rule {
        let rule = rule.load(Field::Source(self.family), CLIENT);
        let mask = mask(self.family, persistence.prefix);
        if mask.iter().all(|byte| *byte == 0xff) { rule } else { rule.mask(CLIENT, &mask) }
    }

    /// Draws a number and finds a destination; `None` when there is none.
    fn pick(&self, page: &mut Page<'_>) -> Option<Rule> {
        let wheel = self.wheel(|to| Value::Data(self.chosen(to)));
        let rule = self.draw(Rule::new(), &wheel)?;
        let map = page.map(key::NUMBER, Some(self.choice()), &wheel);
        Some(rule.find_in(map, DRAWN, CHOSEN))
    }

    /// Draws a number and goes to a target; `None` when there is none.
    pub(super) fn pick_target(&self, rule: Rule, page: &mut Page<'_>) -> Option<Rule> {
        let wheel = self.wheel(|to| Value::Chain(self.target_name(to)));
        let rule = self.draw(rule, &wheel)?;
        let map = page.map(key::NUMBER, None, &wheel);
        Some(rule.follow(map, DRAWN))
    }

    fn draw(&self, rule: Rule, wheel: &[Element]) -> Option<Rule> {
        let places = u32::try_from(wheel.len()).ok().filter(|places| *places > 0)?;
        let address = key::address(self.family).length;
        Some(match self.service.scheduling.scheduler {
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
        })
    }
}

/// Remembers what is chosen: what is remembered already would not be replaced.
pub(super) fn anew(rule: Rule, map: &str, time: Duration) -> Rule {
    rule.forget(map, CLIENT, Some(CHOSEN)).remember(map, CLIENT, Some(CHOSEN), time)
}

/// Goes on when a TCP packet begins a connection, or when it does not.
pub(super) fn syn(rule: Rule, begins: bool) -> Rule {
    let rule = rule.load(Field::TcpFlags, DRAWN).mask(DRAWN, &[SYN]);
    rule.is(DRAWN, &[if begins { SYN } else { 0 }])
}

/// Whether a service can have a destination beside those that it has, or why not.
pub(super) fn admit(
    key: &ServiceKey,
    service: &Service,
    destination: &DestinationKey,
    how: &Destination,
) -> Result<(), &'static str> {
    match (how.forwarding, key) {
        (Forwarding::Nat, _) | (Forwarding::DirectRouting, ServiceKey::Address { .. }) => {}
        (Forwarding::DirectRouting, ServiceKey::Mark { .. }) => {
            return Err("direct return for a firewall mark needs IPVS");
        }
        (Forwarding::Tunnel(_), _) => return Err("nftables has no tunnels, they need IPVS"),
    }
    if Family::of(destination.address) != key.family() {
        return Err("servers of the other family need IPVS");
    }
    // The one that is changed itself does not count.
    let mut others = service.destinations.iter().filter(|(other, _)| *other != destination);
    let Some((other, other_how)) = others.next() else { return Ok(()) };
    if other_how.forwarding != how.forwarding {
        return Err("NAT and direct return in one service need IPVS");
    }
    if (port_of(key, other) != 0) != (port_of(key, destination) != 0) {
        return Err("servers with a port beside servers without need IPVS");
    }
    Ok(())
}

impl Chain<'_> {
    /// The records of its destinations, for the set that holds those of all services.
    pub(super) fn records(&self) -> Vec<Element> {
        let link = |to: &DestinationKey| match self.way {
            Way::Translated { .. } => None,
            Way::Direct => self.links.get(&to.address).copied(),
        };
        let record = |(to, destination): (&DestinationKey, &Destination)| Element {
            key: key::destination(self.key, to),
            value: Value::None,
            comment: Some(record::write_server(destination, link(to))),
        };
        self.service.destinations.iter().map(record).collect()
    }
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
