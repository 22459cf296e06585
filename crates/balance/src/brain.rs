//! The brain: all virtual servers of a machine.

mod reload;
mod repair;

use std::collections::{BTreeMap, BTreeSet};

use standfast_types::{Instant, ServiceChange, ServiceKey, ServiceName, ServiceTable};

use crate::{
    Cause, Config, Endpoint, Event, Input, Order, Output, Resolved, ServerId, ServiceSnapshot,
    facts::{Facts, Subject},
    outbox::Outbox,
    service::{Orders, Service},
    table::{Comparison, diff_service},
};

use repair::Doubts;

/// The balancing brain of one machine.
///
/// It gathers what is known until [`Self::start`], silently. From then on each input is followed by
/// [`Self::poll_output`] until `None`.
#[derive(Clone, Debug)]
pub struct Brain {
    services: BTreeMap<ServiceName, Service>,
    /// In the order of the file.
    order: Vec<ServiceName>,
    /// Whose key it is.
    owners: BTreeMap<ServiceKey, ServiceName>,
    /// Who depends on what.
    dependents: BTreeMap<Subject, BTreeSet<ServiceName>>,
    facts: Facts,
    /// Orders about services that are not configured.
    parked: BTreeMap<ServiceName, Orders>,
    /// Whether a former life had reported a service as up.
    reported: BTreeMap<ServiceName, bool>,
    report_initial: bool,
    /// When draining ends.
    drains: BTreeSet<(Instant, ServerId)>,
    doubts: Doubts,
    /// What the kernel has when it has done all that came out.
    table: ServiceTable,
    out: Outbox,
}

impl Brain {
    /// A brain that gathers what is known until [`Self::start`]: verdicts, orders and what was reported
    /// of a former life; what names stand for; numbers of files, states of BFD sessions and instances,
    /// addresses.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut brain = Self {
            services: BTreeMap::new(),
            order: Vec::new(),
            owners: BTreeMap::new(),
            dependents: BTreeMap::new(),
            facts: Facts::default(),
            parked: BTreeMap::new(),
            reported: BTreeMap::new(),
            report_initial: false,
            drains: BTreeSet::new(),
            doubts: Doubts::default(),
            table: ServiceTable::new(),
            out: Outbox::default(),
        };
        brain.reconfigure(now, config);
        brain
    }

    /// Begins. Of what the kernel has in `kernel`, services that the configuration names are adopted, and
    /// only differences come out; those of others are left alone.
    pub fn start(&mut self, _now: Instant, kernel: &ServiceTable) {
        self.out.running = true;
        let ours = kernel.iter().filter(|(key, _)| self.owners.contains_key(key));
        self.table = ours.map(|(key, service)| (*key, service.clone())).collect();
        for subject in self.dependents.keys() {
            if let Subject::Name(endpoint) = subject {
                self.out.push(Output::Resolve(endpoint.clone()));
            }
        }
        let reported = std::mem::take(&mut self.reported);
        for name in &self.order {
            if let Some(service) = self.services.get_mut(name) {
                let reported = reported.get(name).copied();
                let told = self.report_initial && reported.is_none();
                service.begin(reported, told, &mut self.out);
            }
        }
        let keys: Vec<_> = self.owners.keys().copied().collect();
        self.write_keys(keys, Comparison::Kernel);
        self.out.flush();
    }

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Checked(check, verdict) => {
                let key = check.server.key;
                self.with(&check.server.service, |service, out| {
                    service.check(key, check.index, &verdict, out);
                });
            }
            Input::File(name, number) => {
                self.facts.files.insert(name.clone(), number);
                self.each(&Subject::File(name), Service::look);
            }
            Input::Bfd(name, up) => {
                self.facts.sessions.insert(name.clone(), up);
                self.each(&Subject::Bfd(name), Service::look);
            }
            Input::Resolved(endpoint, resolved) => self.resolved(endpoint, resolved),
            Input::Master(name, is_master) => {
                let masters = &mut self.facts.masters;
                if is_master {
                    masters.insert(name.clone())
                } else {
                    masters.remove(&name)
                };
                self.settle(&Subject::Instance(name));
            }
            Input::Address(address, is_here) => {
                let addresses = &mut self.facts.addresses;
                if is_here {
                    addresses.insert(address)
                } else {
                    addresses.remove(&address)
                };
                self.each(&Subject::Address(address), Service::wake);
            }
            Input::Order(order) => self.obey(now, order),
            Input::Connections(server, connections) => {
                self.with(&server.service, |service, out| {
                    service.counted(server.key, connections, out);
                });
            }
            Input::Refused(change, reason) => self.refused(now, change, reason),
            Input::Reported(service, up) => {
                self.reported.insert(service, up);
            }
        }
        self.out.flush();
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, server)) = self.drains.pop_first() {
            if at > now {
                self.drains.insert((at, server));
                break;
            }
            if self.orders(&server.service).ends(server.key) != Some(at) {
                continue;
            }
            match self.parked.get_mut(&server.service) {
                Some(orders) => orders.drained(server.key),
                None => self.with(&server.service, |service, out| service.drained(server.key, out)),
            }
        }
        if self.doubts.take_due(now) {
            self.out.push(Output::Verify);
        }
        self.out.flush();
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let drain = self.drains.first().map(|(at, _)| *at);
        drain.into_iter().chain(self.doubts.next_deadline()).min()
    }

    /// The next thing to do. Call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// Everything goes; services with `omega` are reported as down. Nothing is to follow.
    pub fn stop(&mut self, _now: Instant) {
        for key in std::mem::take(&mut self.table).into_keys() {
            self.out.push(Output::Change(ServiceChange::RemoveService(key)));
        }
        for name in &self.order {
            if let Some(service) = self.services.get(name).filter(|service| service.config.omega) {
                service.end(&mut self.out);
            }
        }
        self.out.flush();
        self.out.running = false;
    }

    /// What the kernel must have.
    #[must_use]
    pub fn wanted(&self) -> &ServiceTable {
        &self.table
    }

    /// How everything is, in the order of the file.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ServiceSnapshot> {
        self.order.iter().filter_map(|name| Some(self.services.get(name)?.snapshot())).collect()
    }

    /// Changes one service, and writes what follows from it.
    fn with(&mut self, name: &ServiceName, change: impl FnOnce(&mut Service, &mut Outbox)) {
        if let Some(service) = self.services.get_mut(name) {
            change(service, &mut self.out);
            service.write(&mut self.table, &mut self.out);
        }
    }

    /// Changes those that depend on something.
    fn each(
        &mut self,
        subject: &Subject,
        mut change: impl FnMut(&mut Service, &Facts, &mut Outbox),
    ) {
        for name in self.dependents.get(subject).into_iter().flatten() {
            if let Some(service) = self.services.get_mut(name) {
                change(service, &self.facts, &mut self.out);
                service.write(&mut self.table, &mut self.out);
            }
        }
    }

    /// An instance became master, or is it no longer.
    fn settle(&mut self, subject: &Subject) {
        let mut keys = Vec::new();
        self.each(subject, |service, facts, _| {
            if service.settle(facts) {
                keys.extend(service.config.keys.iter().copied());
            }
        });
        self.write_keys(keys, Comparison::Exact);
    }

    fn resolved(&mut self, endpoint: Endpoint, resolved: Vec<Resolved>) {
        let subject = Subject::Name(endpoint.clone());
        if resolved.is_empty() || !self.dependents.contains_key(&subject) {
            return;
        }
        let before = self.facts.keys(&endpoint);
        self.facts.names.insert(endpoint.clone(), resolved);
        let after = self.facts.keys(&endpoint);
        let told = self.report_initial;
        self.each(&subject, |service, facts, out| {
            let added: Vec<_> = after.difference(&before).copied().collect();
            let removed: Vec<_> = before.difference(&after).copied().collect();
            if !(added.is_empty() && removed.is_empty()) {
                let (service, endpoint) = (service.config.name.clone(), endpoint.clone());
                out.say(Event::Resolved { service, endpoint, added, removed });
            }
            service.reshape(facts, &Cause::Name, told, out);
            service.judge(out);
        });
    }

    fn obey(&mut self, now: Instant, order: Order) {
        let name = order.service().clone();
        let key = order.key();
        match self.services.get_mut(&name) {
            None => self.parked.entry(name.clone()).or_default().take(now, order),
            Some(service) => {
                let before = service.subjects();
                service.obey(now, order, &self.facts, &mut self.out);
                service.write(&mut self.table, &mut self.out);
                let after = service.subjects();
                self.depend(&name, &after);
                self.forget(&name, before.difference(&after).cloned());
            }
        }
        if let Some(key) = key
            && let Some(at) = self.orders(&name).ends(key)
        {
            self.drains.insert((at, ServerId { service: name, key }));
        }
    }

    /// What operators want of a service, configured or not.
    fn orders(&self, name: &ServiceName) -> &Orders {
        const NONE: &Orders = &Orders::new();
        let service = self.services.get(name).map(|service| &service.orders);
        service.or_else(|| self.parked.get(name)).unwrap_or(NONE)
    }

    /// A service depends on these things from now on.
    fn depend(&mut self, name: &ServiceName, subjects: &BTreeSet<Subject>) {
        for subject in subjects {
            let dependents = self.dependents.entry(subject.clone()).or_default();
            if let (true, Subject::Name(endpoint)) = (dependents.is_empty(), subject) {
                self.out.push(Output::Resolve(endpoint.clone()));
            }
            dependents.insert(name.clone());
        }
    }

    /// And not on these any more. What a name stands for is forgotten when nobody asks any more, so others
    /// have to depend on theirs before.
    fn forget(&mut self, name: &ServiceName, subjects: impl IntoIterator<Item = Subject>) {
        for subject in subjects {
            let Some(dependents) = self.dependents.get_mut(&subject) else { continue };
            dependents.remove(name);
            if dependents.is_empty() {
                self.dependents.remove(&subject);
                if let Subject::Name(endpoint) = subject {
                    self.facts.names.remove(&endpoint);
                    self.out.push(Output::EndResolve(endpoint));
                }
            }
        }
    }

    /// Writes whole services.
    fn write_keys(&mut self, keys: impl IntoIterator<Item = ServiceKey>, comparison: Comparison) {
        let (mut gone, mut changes) = (Vec::new(), Vec::new());
        for key in keys {
            let owner = self.owners.get(&key).and_then(|name| self.services.get_mut(name));
            let wanted = owner.and_then(|owner| {
                owner.written();
                owner.kernel(key)
            });
            match wanted {
                Some(wanted) => {
                    diff_service(key, self.table.get(&key), &wanted, comparison, &mut changes);
                    self.table.insert(key, wanted);
                }
                None if self.table.remove(&key).is_some() => {
                    gone.push(ServiceChange::RemoveService(key));
                }
                None => {}
            }
        }
        gone.into_iter().chain(changes).for_each(|change| self.out.push(Output::Change(change)));
    }
}
