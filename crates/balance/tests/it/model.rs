//! A naive brain: it remembers what it was told, and computes everything afresh each time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use standfast_balance::{
    Active, CheckId, Config, Endpoint, Input, Order, RealServer, Resolved, ServerId, Verdict,
    VirtualServer,
};
use standfast_health::{Check, Kind};
use standfast_types::{
    Destination, DestinationKey, Family, Forwarding, Instant, Service, ServiceKey, ServiceName,
    ServiceTable,
};

const LIMIT: i64 = 0x7fff_ffff;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) config: Config,
    files: BTreeMap<String, i64>,
    sessions: BTreeMap<String, bool>,
    masters: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    names: BTreeMap<Endpoint, Vec<Resolved>>,
    added: BTreeMap<ServiceName, Vec<RealServer>>,
    weights: BTreeMap<ServerId, u32>,
    holds: BTreeMap<ServerId, Hold>,
    servers: BTreeMap<ServerId, Vec<Known>>,
    pub(crate) up: BTreeMap<ServiceName, bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Hold {
    Draining(Option<Instant>),
    Drained,
    Disabled,
    Removed,
}

/// What is known of a check.
#[derive(Clone)]
struct Known {
    check: Arc<Check>,
    verdict: Option<Verdict>,
    weight: Option<u32>,
}

impl Model {
    pub(crate) fn reconfigure(&mut self, mut config: Config) {
        let mut taken = BTreeSet::new();
        for service in &mut config.services {
            service.keys.retain(|key| taken.insert(*key));
        }
        self.config = config;
        self.update();
    }

    pub(crate) fn tell(&mut self, now: Instant, input: &Input) {
        match input.clone() {
            Input::Checked(check, verdict) => {
                let known = self.servers.get_mut(&check.server);
                let known = known.and_then(|known| known.get_mut(check.index));
                let Some(known) = known.filter(|known| is_run(&known.check)) else { return };
                if known.verdict.as_ref() != Some(&verdict) {
                    if let Verdict::Good { weight } = verdict {
                        known.weight = weight;
                    }
                    known.verdict = Some(verdict);
                }
            }
            Input::File(name, number) => drop(self.files.insert(name.to_string(), number)),
            Input::Bfd(name, up) => drop(self.sessions.insert(name.to_string(), up)),
            Input::Resolved(endpoint, resolved) if !resolved.is_empty() => {
                self.names.insert(endpoint, resolved);
            }
            Input::Master(name, true) => drop(self.masters.insert(name.to_string())),
            Input::Master(name, false) => drop(self.masters.remove(name.as_str())),
            Input::Address(address, true) => drop(self.addresses.insert(address)),
            Input::Address(address, false) => drop(self.addresses.remove(&address)),
            Input::Order(order) => self.order(now, order),
            Input::Connections(server, 0) if self.servers.contains_key(&server) => {
                self.drained(&server);
            }
            Input::Resolved(..) | Input::Connections(..) => {}
            Input::Refused(..) | Input::Reported(..) => {}
        }
        self.update();
    }

    fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Drain { server, limit: Some(0) } => {
                self.holds.insert(server, Hold::Drained);
            }
            Order::Drain { server, limit } => {
                let ends = limit.map(|limit| now + Duration::from_nanos(limit));
                if self.holds.get(&server) != Some(&Hold::Drained) {
                    self.holds.insert(server, Hold::Draining(ends));
                }
            }
            Order::Disable(server) => drop(self.holds.insert(server, Hold::Disabled)),
            Order::Enable(server) => drop(self.holds.remove(&server)),
            Order::Weight(server, Some(weight)) => drop(self.weights.insert(server, weight)),
            Order::Weight(server, None) => drop(self.weights.remove(&server)),
            Order::Add(service, real) => {
                if let Endpoint::Address(key) = real.endpoint {
                    let server = ServerId { service: service.clone(), key };
                    if self.holds.get(&server) == Some(&Hold::Removed) {
                        self.holds.remove(&server);
                    }
                }
                let added = self.added.entry(service).or_default();
                match added.iter_mut().find(|added| added.endpoint == real.endpoint) {
                    Some(added) => *added = *real,
                    None => added.push(*real),
                }
            }
            Order::Remove(server) => {
                if let Some(added) = self.added.get_mut(&server.service) {
                    added.retain(|added| added.endpoint != Endpoint::Address(server.key));
                }
                self.holds.insert(server, Hold::Removed);
            }
        }
    }

    fn drained(&mut self, server: &ServerId) {
        if let Some(hold @ Hold::Draining(_)) = self.holds.get_mut(server) {
            *hold = Hold::Drained;
        }
    }

    pub(crate) fn wait(&mut self, now: Instant) {
        for hold in self.holds.values_mut() {
            if matches!(hold, Hold::Draining(Some(ends)) if *ends <= now) {
                *hold = Hold::Drained;
            }
        }
        self.update();
    }

    /// What a next life has to be told.
    pub(crate) fn memory(&mut self, now: Instant) -> Vec<Input> {
        let mut inputs: Vec<_> = Vec::new();
        inputs.extend(self.files.iter().map(|(name, n)| Input::File(name.as_str().into(), *n)));
        inputs.extend(self.sessions.iter().map(|(name, up)| Input::Bfd(name.as_str().into(), *up)));
        inputs.extend(self.masters.iter().map(|name| Input::Master(name.as_str().into(), true)));
        inputs.extend(self.addresses.iter().map(|address| Input::Address(*address, true)));
        for (service, added) in &self.added {
            let add = |real: &RealServer| {
                Input::Order(Order::Add(service.clone(), Box::new(real.clone())))
            };
            inputs.extend(added.iter().map(add));
        }
        for (server, weight) in &self.weights {
            inputs.push(Input::Order(Order::Weight(server.clone(), Some(*weight))));
        }
        for (server, hold) in &self.holds {
            let server = server.clone();
            inputs.push(Input::Order(match hold {
                Hold::Draining(ends) => {
                    let rest = |ends: Instant| ends.saturating_since(now).as_nanos();
                    let limit = ends.map(|ends| u64::try_from(rest(ends)).unwrap());
                    Order::Drain { server, limit }
                }
                Hold::Drained => Order::Drain { server, limit: Some(0) },
                Hold::Disabled => Order::Disable(server),
                Hold::Removed => Order::Remove(server),
            }));
        }
        for (endpoint, resolved) in &self.names {
            inputs.push(Input::Resolved(endpoint.clone(), resolved.clone()));
        }
        for (server, checks) in &mut self.servers {
            for (index, known) in checks.iter_mut().enumerate() {
                if matches!(known.verdict, Some(Verdict::Bad(_))) {
                    known.weight = None;
                }
                let check = CheckId { server: server.clone(), index };
                inputs.extend(known.verdict.clone().map(|verdict| Input::Checked(check, verdict)));
            }
        }
        inputs.extend(self.up.iter().map(|(name, up)| Input::Reported(name.clone(), *up)));
        inputs
    }

    /// Servers that are known by their checks, for someone who wants to judge one.
    pub(crate) fn checks(&self) -> Vec<CheckId> {
        let checks = self.servers.iter().flat_map(|(server, checks)| {
            (0..checks.len()).map(|index| CheckId { server: server.clone(), index })
        });
        checks.collect()
    }

    fn update(&mut self) {
        let services = self.config.services.clone();
        let asked: BTreeSet<_> = services
            .iter()
            .flat_map(|service| service.servers.iter().chain(self.added(&service.name)))
            .map(|real| real.endpoint.clone())
            .collect();
        self.names.retain(|endpoint, _| asked.contains(endpoint));
        let mut before = std::mem::take(&mut self.servers);
        for service in &services {
            for (key, (real, _)) in self.members(service) {
                let id = ServerId { service: service.name.clone(), key };
                let mut known = before.remove(&id).unwrap_or_default();
                let kept = real.checks.iter().map(|check| {
                    let at = known.iter().position(|known| known.check == *check);
                    at.map_or_else(
                        || Known { check: Arc::clone(check), verdict: None, weight: None },
                        |at| known.swap_remove(at),
                    )
                });
                let mut kept: Vec<_> = kept.collect();
                for known in &mut kept {
                    if let Some(verdict) = self.follow(&known.check.kind) {
                        known.verdict = Some(verdict);
                    }
                }
                self.servers.insert(id, kept);
            }
        }
        let judge = |service: &VirtualServer| {
            let up = self.up.get(&service.name).copied().unwrap_or_default();
            (service.name.clone(), self.quorum(service, up))
        };
        self.up = services.iter().map(judge).collect();
    }

    fn follow(&self, kind: &Kind) -> Option<Verdict> {
        match kind {
            Kind::Bfd(name) => self.sessions.get(name.as_str()).map(|up| match up {
                true => Verdict::Good { weight: None },
                false => Verdict::Bad("session down".into()),
            }),
            Kind::File(file) => self.files.get(file.name.as_str()).map(|n| {
                let effect = n.saturating_mul(i64::from(file.weight));
                if effect <= -LIMIT || (file.weight == 0 && *n != 0) {
                    return Verdict::Bad(format!("the file says {n}").into());
                }
                Verdict::Good { weight: None }
            }),
            _ => None,
        }
    }

    fn added(&self, service: &ServiceName) -> &[RealServer] {
        self.added.get(service).map(Vec::as_slice).unwrap_or_default()
    }

    fn members(
        &self,
        service: &VirtualServer,
    ) -> BTreeMap<DestinationKey, (RealServer, Option<u16>)> {
        let mut members = BTreeMap::new();
        for real in service.servers.iter().chain(self.added(&service.name)) {
            let resolved = self.names.get(&real.endpoint).cloned().unwrap_or_default();
            let places = match &real.endpoint {
                Endpoint::Address(key) => vec![(*key, None)],
                Endpoint::Host { port, .. } => {
                    let at = |one: &Resolved| DestinationKey { address: one.address, port: *port };
                    resolved.iter().map(|one| (at(one), None)).collect()
                }
                Endpoint::Srv(_) => {
                    let at = |one: &Resolved| {
                        let (port, weight) = one.srv.unwrap();
                        (DestinationKey { address: one.address, port }, Some(weight))
                    };
                    resolved.iter().map(at).collect()
                }
            };
            for (key, srv) in places {
                let id = ServerId { service: service.name.clone(), key };
                let removed = self.holds.get(&id) == Some(&Hold::Removed);
                let fits = service.keys.iter().any(|one| fits(one, key, real.forwarding));
                if !removed && fits && !members.contains_key(&key) {
                    members.insert(key, (real.clone(), srv));
                }
            }
        }
        members
    }

    fn base(real: &RealServer, srv: Option<u16>) -> i64 {
        (i64::from(real.weight) * i64::from(srv.unwrap_or(1).max(1))).min(LIMIT)
    }

    fn weight(&self, id: &ServerId, real: &RealServer, srv: Option<u16>) -> u32 {
        if let Some(weight) = self.weights.get(id) {
            return u32::try_from(i64::from(*weight).min(LIMIT)).unwrap();
        }
        let base = Self::base(real, srv);
        let mut weight = base;
        for known in &self.servers[id] {
            weight += known.weight.map_or(0, |weight| i64::from(weight) - base);
            if let (Kind::File(file), Some(Verdict::Good { .. })) =
                (&known.check.kind, &known.verdict)
            {
                let effect = self.files[file.name.as_str()] * i64::from(file.weight);
                weight += effect.min(LIMIT - 1);
            }
        }
        u32::try_from(weight.clamp(0, LIMIT)).unwrap()
    }

    fn is_good(&self, id: &ServerId) -> bool {
        let checks = self.servers[id].iter().all(|known| match known.verdict {
            None => !known.check.alpha,
            Some(Verdict::Good { .. }) => true,
            Some(Verdict::Bad(_)) => false,
        });
        let held = matches!(self.holds.get(id), Some(Hold::Drained | Hold::Disabled));
        checks && !held
    }

    fn quorum(&self, service: &VirtualServer, up: bool) -> bool {
        let (mut total, mut live) = (0i64, 0i64);
        for (key, (real, srv)) in self.members(service) {
            let id = ServerId { service: service.name.clone(), key };
            total += Self::base(&real, srv);
            if self.is_good(&id) && !matches!(self.holds.get(&id), Some(Hold::Draining(_))) {
                live += i64::from(self.weight(&id, &real, srv));
            }
        }
        let quorum = i64::from(service.quorum).min(total).max(1);
        let margin = i64::from(service.hysteresis).min(quorum - 1);
        match up {
            true => live >= quorum - margin,
            false => live >= quorum + margin || (live >= total && live >= quorum),
        }
    }

    /// What the kernel must have.
    pub(crate) fn table(&self) -> ServiceTable {
        let mut table = ServiceTable::new();
        for service in &self.config.services {
            let here = match &service.active {
                Active::Always => true,
                Active::Master(instance) => self.masters.contains(instance.as_str()),
            };
            for key in service.keys.iter().filter(|_| here) {
                let destinations = self.destinations(service);
                let destinations = destinations
                    .into_iter()
                    .filter(|(at, destination)| fits(key, *at, destination.forwarding))
                    .collect();
                let scheduling = service.scheduling.clone();
                table.insert(*key, Service { scheduling, destinations });
            }
        }
        table
    }

    fn destinations(&self, service: &VirtualServer) -> BTreeMap<DestinationKey, Destination> {
        let mut destinations = BTreeMap::new();
        let serving = service.sorry.is_some() && !self.up[&service.name];
        if let Some(sorry) = service.sorry.as_ref().filter(|sorry| sorry.inhibit) {
            destinations.insert(sorry.key, Destination::new(0, sorry.forwarding));
        }
        for (key, (real, srv)) in self.members(service) {
            let id = ServerId { service: service.name.clone(), key };
            let weight = match self.holds.get(&id) {
                Some(Hold::Drained | Hold::Removed) => None,
                Some(Hold::Draining(_)) if self.is_good(&id) => Some(0),
                _ if self.is_good(&id) && !serving => Some(self.weight(&id, &real, srv)),
                _ if real.inhibit => Some(0),
                _ => None,
            };
            if let Some(weight) = weight {
                let destination = Destination {
                    weight,
                    forwarding: real.forwarding,
                    upper_threshold: real.upper_threshold,
                    lower_threshold: real.lower_threshold,
                };
                destinations.insert(key, destination);
            }
        }
        if let Some(sorry) = service.sorry.as_ref().filter(|_| serving) {
            destinations.insert(sorry.key, Destination::new(1, sorry.forwarding));
        }
        destinations
    }

    /// Which checks must be run.
    pub(crate) fn probes(&self) -> BTreeSet<(CheckId, Arc<Check>)> {
        let mut probes = BTreeSet::new();
        for service in &self.config.services {
            let addresses: Vec<_> = service
                .keys
                .iter()
                .filter_map(|key| match key {
                    ServiceKey::Address { address, .. } => Some(*address),
                    ServiceKey::Mark { .. } => None,
                })
                .collect();
            let here = addresses.iter().any(|address| self.addresses.contains(address));
            if service.suspend && !addresses.is_empty() && !here {
                continue;
            }
            for (key, _) in self.members(service) {
                let server = ServerId { service: service.name.clone(), key };
                for (index, known) in self.servers[&server].iter().enumerate() {
                    if is_run(&known.check) {
                        let check = CheckId { server: server.clone(), index };
                        probes.insert((check, Arc::clone(&known.check)));
                    }
                }
            }
        }
        probes
    }
}

fn is_run(check: &Check) -> bool {
    !matches!(check.kind, Kind::File(_) | Kind::Bfd(_))
}

fn fits(key: &ServiceKey, at: DestinationKey, forwarding: Forwarding) -> bool {
    key.family() == Family::of(at.address) || matches!(forwarding, Forwarding::Tunnel(_))
}
