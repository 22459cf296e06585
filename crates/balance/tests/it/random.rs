//! Random lives of a brain, held against a naive one after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    sync::Arc,
    time::Duration,
};

use standfast_balance::{
    Active, Brain, CheckId, Config, Endpoint, Event, HostName, Input, Order, Output, RealServer,
    Resolved, ServerId, ServiceSnapshot, SorryServer, Verdict, VirtualServer,
};
use standfast_health::Check;
use standfast_types::{
    DestinationKey, Encapsulation, Family, Forwarding, Instant, Rng, Scheduler, ServiceChange,
    ServiceKey, ServiceName, ServiceTable,
};

use crate::{
    kernel::apply,
    make::{alpha, at, bad, bfd, file, host, key, misc, service, tcp, tcp_to},
    model::Model,
};

struct Life {
    rng: Rng,
    now: Instant,
    brain: Brain,
    model: Model,
    kernel: ServiceTable,
    /// How often the kernel refuses, in 1000 changes.
    moods: u64,
    doubtful: bool,
    /// Somebody else changes the kernel's table.
    tampered: bool,
    probes: BTreeMap<CheckId, Arc<Check>>,
    names: BTreeSet<Endpoint>,
}

/// So many lives, or as many as the environment wants.
fn lives(count: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("STANDFAST_LIVES").ok().and_then(|text| text.parse().ok());
    0..wanted.unwrap_or(count)
}

fn endpoint(rng: &mut Rng) -> Endpoint {
    match rng.below(10) {
        0 => host("a"),
        1 => host("b"),
        2 => Endpoint::Srv(HostName("s".into())),
        3 => Endpoint::Address(six(rng)),
        _ => Endpoint::Address(at(small(rng, 5))),
    }
}

fn small(rng: &mut Rng, bound: u64) -> u8 {
    u8::try_from(rng.below(bound) + 1).unwrap()
}

fn six(rng: &mut Rng) -> DestinationKey {
    let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(small(rng, 2))).into();
    DestinationKey { address, port: 80 }
}

fn forwarding(rng: &mut Rng) -> Forwarding {
    match rng.below(4) {
        0 => Forwarding::Tunnel(Encapsulation::Ipip),
        1 => Forwarding::DirectRouting,
        _ => Forwarding::Nat,
    }
}

fn real(rng: &mut Rng) -> RealServer {
    let all =
        [tcp(), tcp_to(81), alpha(&tcp_to(82)), misc(), file("f", -2), file("g", 0), bfd("b")];
    let mut checks: Vec<_> = all.into_iter().filter(|_| rng.chance(200)).collect();
    if rng.chance(300) {
        checks.reverse();
    }
    RealServer {
        endpoint: endpoint(rng),
        weight: u32::try_from(rng.below(4)).unwrap(),
        forwarding: forwarding(rng),
        upper_threshold: u32::from(rng.chance(100)),
        lower_threshold: 0,
        inhibit: rng.chance(300),
        checks,
    }
}

fn virtual_server(rng: &mut Rng, n: u8) -> VirtualServer {
    let mut servers: Vec<RealServer> = Vec::new();
    for _ in 0..=rng.below(4) {
        let real = real(rng);
        if servers.iter().all(|one| one.endpoint != real.endpoint) {
            servers.push(real);
        }
    }
    let mut one = service(n, servers);
    let mark =
        ServiceKey::Mark { mark: 1, family: if rng.chance(500) { Family::V4 } else { Family::V6 } };
    one.keys.extend((1..=4).map(key).filter(|_| rng.chance(150)));
    one.keys.extend(Some(mark).filter(|_| rng.chance(200)));
    one.keys = one.keys.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if rng.chance(100) {
        one.scheduling.scheduler = Scheduler::Wlc;
    }
    one.sorry = rng.chance(500).then(|| SorryServer {
        key: at(small(rng, 7)),
        forwarding: forwarding(rng),
        inhibit: rng.chance(300),
    });
    one.quorum = u32::from(small(rng, 5));
    one.hysteresis = u32::try_from(rng.below(one.quorum.into())).unwrap();
    if rng.chance(200) {
        one.active = Active::Master("V".into());
    }
    one.suspend = rng.chance(200);
    one
}

/// Another configuration, mostly like the one before.
fn another(rng: &mut Rng, before: &Config) -> Config {
    let mut services = before.services.clone();
    for _ in 0..=rng.below(2) {
        let n = small(rng, 3);
        let at = services.iter().position(|one| one.name == service(n, vec![]).name);
        match (at, rng.below(4)) {
            (Some(at), 0) => drop(services.remove(at)),
            (Some(at), 1) => services[at] = virtual_server(rng, n),
            (Some(at), _) => {
                let (servers, which) = (&mut services[at].servers, rng.next_u64());
                let which = usize::try_from(which % u64::try_from(servers.len()).unwrap()).unwrap();
                let changed = RealServer { endpoint: servers[which].endpoint.clone(), ..real(rng) };
                servers[which] = changed;
            }
            (None, _) => services.push(virtual_server(rng, n)),
        }
    }
    Config { services, report_initial: false }
}

impl Life {
    fn new(seed: u64, moods: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let config = another(&mut rng, &Config::default());
        let mut model = Model::default();
        model.reconfigure(config.clone());
        let mut life = Self {
            brain: Brain::new(config, Instant::ZERO),
            rng,
            now: Instant::ZERO,
            model,
            kernel: ServiceTable::new(),
            moods,
            doubtful: false,
            tampered: false,
            probes: BTreeMap::new(),
            names: BTreeSet::new(),
        };
        life.brain.start(life.now, &ServiceTable::new());
        life.settle();
        life
    }

    /// Does what comes out, and looks at everything.
    fn settle(&mut self) {
        loop {
            let outputs: Vec<_> = std::iter::from_fn(|| self.brain.poll_output()).collect();
            if outputs.is_empty() {
                break;
            }
            let mut refused = Vec::new();
            for output in outputs {
                match output {
                    Output::Change(change) => refused.extend(self.change(change)),
                    Output::Probe(check, what) => {
                        assert_eq!(self.probes.insert(check, what), None);
                    }
                    Output::EndProbe(check) => assert!(self.probes.remove(&check).is_some()),
                    Output::Resolve(name) => assert!(self.names.insert(name)),
                    Output::EndResolve(name) => assert!(self.names.remove(&name)),
                    Output::Verify => {
                        self.doubtful = false;
                        self.brain.verify(self.now, &self.kernel);
                    }
                    Output::Event(Event::Repaired { .. }) if self.moods == 0 && !self.tampered => {
                        panic!("nobody changed anything")
                    }
                    Output::CountConnections(_) | Output::EndCount(_) | Output::Event(_) => {}
                }
            }
            for (change, reason) in refused {
                self.brain.handle_input(self.now, Input::Refused(change, reason));
            }
        }
        assert_eq!(self.brain.wanted(), &self.model.table());
        if !self.doubtful {
            assert_eq!(&self.kernel, self.brain.wanted());
        }
        let probes: BTreeSet<_> = self.probes.clone().into_iter().collect();
        assert_eq!(probes, self.model.probes());
        for snapshot in self.brain.snapshot() {
            assert_eq!(snapshot.quorum_up, self.model.up[&snapshot.name]);
        }
    }

    fn change(&mut self, change: ServiceChange) -> Option<(ServiceChange, String)> {
        let result = match self.rng.below(1000) < self.moods {
            true => Err("Cannot allocate memory"),
            false => apply(&mut self.kernel, &change),
        };
        let reason = result.err()?;
        assert!(self.moods > 0 || self.doubtful, "{change:?}: {reason}");
        self.doubtful = true;
        Some((change, reason.to_owned()))
    }

    fn tell(&mut self, input: Input) {
        self.model.tell(self.now, &input);
        self.brain.handle_input(self.now, input);
    }

    fn server(&mut self) -> ServerId {
        let checks = self.model.checks();
        match checks.get(usize::try_from(self.rng.below(10)).unwrap()) {
            Some(check) if self.rng.chance(800) => check.server.clone(),
            _ => ServerId {
                service: service(small(&mut self.rng, 3), vec![]).name,
                key: at(small(&mut self.rng, 6)),
            },
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..40 => {
                let checks = self.model.checks();
                let at = self.rng.below(u64::try_from(checks.len()).unwrap());
                let Some(check) = checks.get(usize::try_from(at).unwrap()) else { return };
                let weight = self.rng.chance(300).then(|| u32::from(small(&mut self.rng, 5)));
                let verdict = match self.rng.chance(400) {
                    true => bad(),
                    false => Verdict::Good { weight },
                };
                self.tell(Input::Checked(check.clone(), verdict));
            }
            40..48 => {
                let number =
                    [0, 1, -1, 3, 0x7fff_ffff][usize::try_from(self.rng.below(5)).unwrap()];
                let name = if self.rng.chance(500) { "f" } else { "g" };
                self.tell(Input::File(name.into(), number));
            }
            48..52 => {
                let up = self.rng.chance(500);
                self.tell(Input::Bfd("b".into(), up));
            }
            52..60 => self.resolve(),
            60..64 => {
                let yes = self.rng.chance(500);
                self.tell(Input::Master("V".into(), yes));
            }
            64..68 => {
                let (n, yes) = (small(&mut self.rng, 3), self.rng.chance(500));
                self.tell(Input::Address([10, 0, 0, n].into(), yes));
            }
            68..80 => self.order(),
            80..84 => {
                let connections = u32::from(self.rng.chance(500));
                let server = self.server();
                self.tell(Input::Connections(server, connections));
            }
            84..92 => {
                let config = another(&mut self.rng, &self.model.config);
                self.model.reconfigure(config.clone());
                self.brain.reconfigure(self.now, config);
            }
            92..96 => self.wait(Duration::from_secs(1 + self.rng.clone().below(5))),
            96..98 => self.tamper(),
            _ => self.restart(),
        }
    }

    fn resolve(&mut self) {
        let name = match self.rng.below(3) {
            0 => host("a"),
            1 => host("b"),
            _ => Endpoint::Srv(HostName("s".into())),
        };
        let srv = matches!(name, Endpoint::Srv(_));
        let mut resolved = BTreeSet::new();
        for _ in 0..self.rng.below(4) {
            let key = match self.rng.chance(200) {
                true => six(&mut self.rng),
                false => at(small(&mut self.rng, 6)),
            };
            let weight = u16::from(small(&mut self.rng, 3)) - 1;
            resolved.insert(Resolved { address: key.address, srv: srv.then_some((80, weight)) });
        }
        if self.names.contains(&name) {
            self.tell(Input::Resolved(name, resolved.into_iter().collect()));
        }
    }

    fn order(&mut self) {
        let server = self.server();
        let order = match self.rng.below(8) {
            0 => {
                let seconds = self.rng.below(6);
                let limit = self.rng.chance(500).then_some(seconds * 1_000_000_000);
                Order::Drain { server, limit }
            }
            1 => Order::Disable(server),
            2 | 3 => Order::Enable(server),
            4 => Order::Weight(server, Some(u32::from(small(&mut self.rng, 9)))),
            5 => Order::Weight(server, None),
            6 => Order::Add(server.service, Box::new(real(&mut self.rng))),
            _ => Order::Remove(server),
        };
        self.tell(Input::Order(order));
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.brain.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.model.wait(self.now);
            self.brain.handle_timeout(self.now);
            self.settle();
        }
        self.now = until;
    }

    /// Somebody else changes the kernel's table.
    fn tamper(&mut self) {
        let keys: Vec<_> = self.kernel.keys().copied().collect();
        let at = usize::try_from(self.rng.below(8)).unwrap();
        let Some(key) = keys.get(at).filter(|_| !self.doubtful) else { return };
        match self.rng.below(3) {
            0 => drop(self.kernel.remove(key)),
            1 => self.kernel.get_mut(key).unwrap().destinations.clear(),
            _ => self.kernel.get_mut(key).unwrap().scheduling.scheduler = Scheduler::Sh,
        }
        self.brain.verify(self.now, &self.kernel);
        self.tampered = true;
        self.settle();
        self.tampered = false;
    }

    /// The process dies, and the next one is told what was known.
    fn restart(&mut self) {
        if self.doubtful {
            return;
        }
        let mut brain = Brain::new(self.model.config.clone(), self.now);
        for input in self.model.memory(self.now) {
            brain.handle_input(self.now, input);
        }
        brain.start(self.now, &self.kernel);
        self.brain = brain;
        (self.probes, self.names) = (BTreeMap::new(), BTreeSet::new());
        let outputs: Vec<_> = std::iter::from_fn(|| self.brain.poll_output()).collect();
        for output in outputs {
            match output {
                Output::Probe(check, what) => drop(self.probes.insert(check, what)),
                Output::Resolve(name) => drop(self.names.insert(name)),
                Output::CountConnections(_) => {}
                other => panic!("after a restart: {other:?}"),
            }
        }
    }

    fn end(mut self) {
        self.moods = 0;
        for _ in 0..20 {
            if self.brain.next_deadline().is_some() {
                self.wait(Duration::from_secs(60));
            }
        }
        assert_eq!(&self.kernel, self.brain.wanted());
        self.model.reconfigure(Config::default());
        self.brain.reconfigure(self.now, Config::default());
        self.settle();
        assert_eq!(self.kernel, ServiceTable::new());
        assert!(self.probes.is_empty() && self.names.is_empty());
    }
}

fn live(seed: u64, steps: u64, moods: u64) {
    let mut life = Life::new(seed, moods);
    for _ in 0..steps {
        life.step();
        life.settle();
    }
    life.end();
}

fn live_all(count: u64, steps: u64, moods: u64) {
    for seed in lives(count) {
        let result = std::panic::catch_unwind(|| live(seed, steps, moods));
        assert!(result.is_ok(), "seed {seed}");
    }
}

#[test]
fn whatever_happens_the_kernel_has_what_a_naive_brain_computes_afresh() {
    live_all(200, 40, 0);
}

#[test]
fn what_a_kernel_refuses_gets_there_in_the_end() {
    live_all(100, 40, 100);
}

/// Services that two configurations have alike, with the keys that are theirs in both.
fn untouched(before: &Config, after: &Config) -> BTreeMap<ServiceName, BTreeSet<ServiceKey>> {
    let owned = |config: &Config| {
        let mut taken = BTreeSet::new();
        let services = config.services.iter().cloned().map(|mut service| {
            service.keys.retain(|key| taken.insert(*key));
            (service.name.clone(), service)
        });
        services.collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (owned(before), owned(after));
    let same = after.into_iter().filter(|(name, service)| before.get(name) == Some(service));
    same.map(|(name, service)| (name, service.keys.into_iter().collect())).collect()
}

fn key_of(change: &ServiceChange) -> ServiceKey {
    match change {
        ServiceChange::AddService(key, _)
        | ServiceChange::EditService(key, _)
        | ServiceChange::RemoveService(key)
        | ServiceChange::AddDestination(key, ..)
        | ServiceChange::EditDestination(key, ..)
        | ServiceChange::RemoveDestination(key, _) => *key,
    }
}

#[test]
fn reloads_touch_nothing_of_services_that_stay_as_they_are() {
    let mut untouched_services = 0;
    for seed in 0..100 {
        let mut life = Life::new(seed, 0);
        for _ in 0..30 {
            for _ in 0..life.rng.below(4) {
                life.step();
                life.settle();
            }
            let config = another(&mut life.rng, &life.model.config);
            let same = untouched(&life.model.config, &config);
            untouched_services += same.len();
            let mut shown = life.brain.snapshot();
            shown.retain(|one| same.contains_key(&one.name));
            life.model.reconfigure(config.clone());
            life.brain.reconfigure(life.now, config);
            let mut brain = life.brain.clone();
            for output in std::iter::from_fn(|| brain.poll_output()) {
                let (name, key) = match &output {
                    Output::Change(change) => (None, Some(key_of(change))),
                    Output::Probe(check, _) | Output::EndProbe(check) => {
                        (Some(check.server.service.clone()), None)
                    }
                    _ => (None, None),
                };
                let theirs = |(own, keys): (&ServiceName, &BTreeSet<ServiceKey>)| {
                    Some(own) == name.as_ref() || key.is_some_and(|key| keys.contains(&key))
                };
                assert!(!same.iter().any(theirs), "seed {seed}: {output:?}");
            }
            life.settle();
            let mut now = life.brain.snapshot();
            now.retain(|one| same.contains_key(&one.name));
            let by_name = |list: Vec<_>| {
                let pairs = list.into_iter().map(|one: ServiceSnapshot| (one.name.clone(), one));
                pairs.collect::<BTreeMap<_, _>>()
            };
            assert_eq!(by_name(now), by_name(shown), "seed {seed}");
        }
    }
    assert!(untouched_services > 1000, "{untouched_services}");
}
