//! A virtual server: its real servers, its quorum, and where its connections go.

mod orders;
mod standing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use standfast_health::Kind;
use standfast_types::{DestinationKey, Family, Forwarding, ServiceKey};

use crate::{
    Active, Cause, CheckId, Endpoint, Event, Output, RealServer, ServerId, ServiceSnapshot,
    VirtualServer,
    facts::{Facts, Subject},
    outbox::Outbox,
    server::Server,
};

pub(crate) use orders::Orders;

/// A virtual server.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// As configured; its servers are in `real`.
    pub(crate) config: VirtualServer,
    real: Vec<Arc<RealServer>>,
    pub(crate) orders: Orders,
    servers: BTreeMap<DestinationKey, Server>,
    /// Weight of all servers, as configured.
    total: u64,
    /// Weight of those that are good.
    live: u64,
    /// Whether the quorum is reached.
    up: bool,
    /// Whether the sorry server serves.
    serving: bool,
    /// Whether its checks are run (`ha_suspend`).
    awake: bool,
    /// Whether the kernel has it (`active_on`).
    pub(crate) here: bool,
    /// Destinations that may have to be written.
    stale: BTreeSet<DestinationKey>,
}

impl Service {
    /// A service as it is before anything is known of it, but for what `facts` say.
    pub(crate) fn new(mut config: VirtualServer, orders: Orders, facts: &Facts) -> Self {
        let real = std::mem::take(&mut config.servers).into_iter().map(Arc::new).collect();
        let mut service = Self {
            config,
            real,
            orders,
            servers: BTreeMap::new(),
            total: 0,
            live: 0,
            up: false,
            serving: false,
            awake: false,
            here: false,
            stale: BTreeSet::new(),
        };
        service.awake = service.is_awake(facts);
        service.here = service.is_here(facts);
        service
    }

    /// Whether it is configured so.
    pub(crate) fn is(&self, config: &VirtualServer) -> bool {
        let VirtualServer {
            name,
            keys,
            transport,
            scheduling,
            servers,
            sorry,
            quorum,
            hysteresis,
            omega,
            active,
            suspend,
        } = config;
        let own = &self.config;
        own.name == *name
            && own.keys == *keys
            && own.transport == *transport
            && own.scheduling == *scheduling
            && self.real.iter().map(AsRef::as_ref).eq(servers)
            && own.sorry == *sorry
            && (own.quorum, own.hysteresis, own.omega) == (*quorum, *hysteresis, *omega)
            && own.active == *active
            && own.suspend == *suspend
    }

    /// Another configuration for the same service; [`Self::reshape`] is to follow.
    pub(crate) fn configure(&mut self, mut config: VirtualServer, facts: &Facts) {
        let servers = std::mem::take(&mut config.servers);
        self.real = servers.into_iter().map(Arc::new).collect();
        self.config = config;
        self.here = self.is_here(facts);
    }

    /// What it depends on.
    pub(crate) fn subjects(&self) -> BTreeSet<Subject> {
        let mut subjects = BTreeSet::new();
        for real in self.reals() {
            if !matches!(real.endpoint, Endpoint::Address(_)) {
                subjects.insert(Subject::Name(real.endpoint.clone()));
            }
            subjects.extend(real.checks.iter().filter_map(|check| match &check.kind {
                Kind::Bfd(name) => Some(Subject::Bfd(name.clone())),
                Kind::File(file) => Some(Subject::File(file.name.clone())),
                Kind::Tcp(_) | Kind::Http(_) | Kind::Smtp(_) | Kind::Dns(_) | Kind::Udp(_) => None,
                Kind::Ping(_) | Kind::Misc(_) | Kind::Grpc(_) | Kind::Redis(_) => None,
                Kind::Mysql(_) | Kind::Postgres(_) => None,
            }));
        }
        if let Active::Master(instance) = &self.config.active {
            subjects.insert(Subject::Instance(instance.clone()));
        }
        if self.config.suspend {
            subjects.extend(self.addresses().map(Subject::Address));
        }
        subjects
    }

    fn addresses(&self) -> impl Iterator<Item = std::net::IpAddr> {
        self.config.keys.iter().filter_map(|key| match key {
            ServiceKey::Address { address, .. } => Some(*address),
            ServiceKey::Mark { .. } => None,
        })
    }

    /// A service of marks alone has no address that could be missing.
    fn is_awake(&self, facts: &Facts) -> bool {
        !self.config.suspend
            || self.addresses().next().is_none()
            || self.addresses().any(|address| facts.addresses.contains(&address))
    }

    fn is_here(&self, facts: &Facts) -> bool {
        match &self.config.active {
            Active::Always => true,
            Active::Master(instance) => facts.masters.contains(instance),
        }
    }

    fn reals(&self) -> impl Iterator<Item = &Arc<RealServer>> {
        self.real.iter().chain(&self.orders.added)
    }

    /// All servers, where they are now. Of two at one address the first one is meant.
    fn members(&self, facts: &Facts) -> BTreeMap<DestinationKey, (Arc<RealServer>, Option<u16>)> {
        let mut members = BTreeMap::new();
        for real in self.reals() {
            for (key, srv) in facts.places(&real.endpoint) {
                if self.reaches(key, real.forwarding) && !self.orders.of(key).removed() {
                    members.entry(key).or_insert_with(|| (Arc::clone(real), srv));
                }
            }
        }
        members
    }

    /// Whether any of its keys can send to this server. A name has addresses of both families.
    pub(crate) fn reaches(&self, at: DestinationKey, forwarding: Forwarding) -> bool {
        self.config.keys.iter().any(|key| fits(*key, at, forwarding))
    }

    /// Brings the servers in line with the configuration, with names and with orders. `told` are new
    /// servers whose state is an event.
    pub(crate) fn reshape(&mut self, facts: &Facts, cause: &Cause, told: bool, out: &mut Outbox) {
        let members = self.members(facts);
        let gone: Vec<_> =
            self.servers.keys().filter(|key| !members.contains_key(key)).copied().collect();
        for key in gone {
            self.drop_server(key, cause, out);
        }
        for (key, (real, srv)) in members {
            match self.servers.get_mut(&key) {
                Some(server) if server.is(&real, srv) => {}
                Some(server) => {
                    self.total -= u64::from(server.base());
                    let (ended, begun) = server.reconfigure(real, srv, facts);
                    self.total += u64::from(server.base());
                    self.end_probes(key, &ended, out);
                    self.begin_probes(key, &begun, out);
                    self.stale.insert(key);
                    self.restand(key, cause, out);
                }
                None => self.add_server(key, Server::new(real, srv, facts), cause, told, out),
            }
        }
    }

    fn add_server(
        &mut self,
        key: DestinationKey,
        mut server: Server,
        cause: &Cause,
        told: bool,
        out: &mut Outbox,
    ) {
        server.standing = server.assess(self.orders.of(key));
        server.waits = !server.standing.up && !told;
        self.total += u64::from(server.base());
        self.live += server.standing.live();
        let (up, probes) = (server.standing.up, server.probes());
        self.servers.insert(key, server);
        self.begin_probes(key, &probes, out);
        if self.orders.of(key).drains() {
            out.push(Output::CountConnections(self.id(key)));
        }
        if told {
            self.say_server(key, up, cause, out);
        }
        self.stale.insert(key);
    }

    fn drop_server(&mut self, key: DestinationKey, cause: &Cause, out: &mut Outbox) {
        let Some(server) = self.servers.get(&key) else { return };
        self.total -= u64::from(server.base());
        self.live -= server.standing.live();
        let up = server.standing.up;
        self.end_probes(key, &server.probes(), out);
        if self.orders.of(key).drains() {
            out.push(Output::EndCount(self.id(key)));
        }
        if up {
            self.say_server(key, false, cause, out);
        }
        self.servers.remove(&key);
        self.stale.insert(key);
    }

    /// Everything goes with the service itself.
    pub(crate) fn dissolve(&mut self, out: &mut Outbox) {
        for key in self.servers.keys().copied().collect::<Vec<_>>() {
            self.drop_server(key, &Cause::Configuration, out);
        }
        if self.up {
            self.up = false;
            self.say_quorum(out);
        }
    }

    /// Reports an end by `omega`.
    pub(crate) fn end(&self, out: &mut Outbox) {
        for (key, _) in self.servers.iter().filter(|(_, server)| server.standing.up) {
            self.say_server(*key, false, &Cause::Stop, out);
        }
        if self.up {
            let (wanted, _) = self.thresholds();
            let service = self.config.name.clone();
            out.say(Event::Quorum { service, up: false, weight: 0, wanted });
        }
    }

    /// The first outputs, once it is known how everything is. `reported`: what a former life said.
    pub(crate) fn begin(&mut self, reported: Option<bool>, told: bool, out: &mut Outbox) {
        for (&key, server) in &self.servers {
            self.begin_probes(key, &server.probes(), out);
            if self.orders.of(key).drains() {
                out.push(Output::CountConnections(self.id(key)));
            }
            if told {
                self.say_server(key, server.standing.up, &Cause::Configuration, out);
            }
        }
        self.found(reported, out);
    }

    /// Judges the quorum for the first time. A service that begins without one is reported as down when
    /// that brings its sorry server in.
    pub(crate) fn found(&mut self, reported: Option<bool>, out: &mut Outbox) {
        self.up = reported.unwrap_or_default();
        self.serving = self.config.sorry.is_some() && reported == Some(false);
        self.judge(out);
        if reported.is_none() && self.serving {
            self.say_quorum(out);
        }
    }

    fn id(&self, key: DestinationKey) -> ServerId {
        ServerId { service: self.config.name.clone(), key }
    }

    fn check_id(&self, key: DestinationKey, index: usize) -> CheckId {
        CheckId { server: self.id(key), index }
    }

    fn say_server(&self, key: DestinationKey, up: bool, cause: &Cause, out: &mut Outbox) {
        let Some(endpoint) = self.servers.get(&key).map(|server| &server.real.endpoint) else {
            return;
        };
        let (endpoint, transport) = (endpoint.clone(), self.config.transport);
        let (server, cause) = (self.id(key), cause.clone());
        out.say(Event::Server { server, endpoint, transport, up, cause });
    }

    fn begin_probes(&self, key: DestinationKey, which: &[usize], out: &mut Outbox) {
        let Some(server) = self.servers.get(&key).filter(|_| self.awake) else { return };
        for &index in which {
            if let Some(check) = server.real.checks.get(index) {
                out.push(Output::Probe(self.check_id(key, index), Arc::clone(check)));
            }
        }
    }

    fn end_probes(&self, key: DestinationKey, which: &[usize], out: &mut Outbox) {
        for &index in which.iter().filter(|_| self.awake) {
            out.push(Output::EndProbe(self.check_id(key, index)));
        }
    }

    /// `ha_suspend`: begins or ends with the checks. Verdicts stay.
    pub(crate) fn wake(&mut self, facts: &Facts, out: &mut Outbox) {
        let awake = self.is_awake(facts);
        if awake == self.awake {
            return;
        }
        self.awake = true;
        for (&key, server) in &self.servers {
            match awake {
                true => self.begin_probes(key, &server.probes(), out),
                false => self.end_probes(key, &server.probes(), out),
            }
        }
        self.awake = awake;
    }

    /// Looks at whether the kernel is to have it. Returns whether that is different now.
    pub(crate) fn settle(&mut self, facts: &Facts) -> bool {
        let here = self.is_here(facts);
        std::mem::replace(&mut self.here, here) != here
    }

    pub(crate) fn snapshot(&self) -> ServiceSnapshot {
        let servers = self.servers.iter();
        ServiceSnapshot {
            name: self.config.name.clone(),
            quorum_up: self.up,
            weight: self.live,
            sorry: self.serving,
            servers: servers
                .map(|(&key, server)| server.snapshot(self.id(key), self.orders.of(key)))
                .collect(),
        }
    }
}

/// The kernel sends to the other family through tunnels only.
fn fits(key: ServiceKey, at: DestinationKey, forwarding: Forwarding) -> bool {
    key.family() == Family::of(at.address) || matches!(forwarding, Forwarding::Tunnel(_))
}
