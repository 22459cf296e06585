//! Another configuration.

use std::collections::BTreeSet;

use standfast_types::{Instant, ServiceKey};

use super::Brain;
use crate::{Cause, Config, VirtualServer, service::Service, table::Comparison};

impl Brain {
    /// Another configuration. Only differences come out; verdicts of checks that are equal, and orders,
    /// stay.
    pub fn reconfigure(&mut self, _now: Instant, config: Config) {
        let Config { services, report_initial } = config;
        self.report_initial = report_initial;
        let mut gone = std::mem::take(&mut self.services);
        let mut touched = BTreeSet::new();
        let mut before = Vec::new();
        self.order.clear();
        for config in distinct(services) {
            let name = config.name.clone();
            let service = match gone.remove(&name) {
                Some(service) if service.is(&config) => service,
                Some(service) => {
                    before.push((name.clone(), service.subjects()));
                    self.change(service, config, &mut touched)
                }
                None => self.create(config, &mut touched),
            };
            self.order.push(name.clone());
            self.services.insert(name, service);
        }
        for (name, mut service) in gone {
            touched.extend(service.config.keys.iter().copied());
            before.push((name.clone(), service.subjects()));
            service.dissolve(&mut self.out);
            if !service.orders.is_empty() {
                self.parked.insert(name, service.orders);
            }
        }
        for (name, subjects) in before {
            let after = self.services.get(&name).map(Service::subjects).unwrap_or_default();
            self.forget(&name, subjects.difference(&after).cloned());
        }
        self.own();
        if self.out.running {
            self.write_keys(touched, Comparison::Exact);
        }
        self.out.flush();
    }

    fn create(&mut self, config: VirtualServer, touched: &mut BTreeSet<ServiceKey>) -> Service {
        touched.extend(config.keys.iter().copied());
        let orders = self.parked.remove(&config.name).unwrap_or_default();
        let mut service = Service::new(config, orders, &self.facts);
        self.depend(&service.config.name, &service.subjects());
        service.reshape(&self.facts, &Cause::Configuration, self.report_initial, &mut self.out);
        if self.out.running {
            service.found(None, &mut self.out);
        }
        service
    }

    fn change(
        &mut self,
        mut service: Service,
        config: VirtualServer,
        touched: &mut BTreeSet<ServiceKey>,
    ) -> Service {
        touched.extend(service.config.keys.iter().chain(&config.keys).copied());
        service.configure(config, &self.facts);
        self.depend(&service.config.name, &service.subjects());
        service.reshape(&self.facts, &Cause::Configuration, self.report_initial, &mut self.out);
        service.wake(&self.facts, &mut self.out);
        service.judge(&mut self.out);
        service
    }

    /// Notes whose each key is.
    fn own(&mut self) {
        let services = self.services.values().map(|service| &service.config);
        let owners =
            services.flat_map(|config| config.keys.iter().map(|key| (*key, config.name.clone())));
        self.owners = owners.collect();
    }
}

/// Without keys that an earlier service has.
fn distinct(services: Vec<VirtualServer>) -> Vec<VirtualServer> {
    let mut taken = BTreeSet::new();
    let mut services = services;
    for service in &mut services {
        service.keys.retain(|key| taken.insert(*key));
    }
    services
}
