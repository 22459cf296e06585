//! The rules that hold whatever happens, checked at every happening.
//!
//! A checker sees [`Happening`]s only: it knows no brain, and handmade traces test it. Each of its bounds
//! is derived from the faults that it saw, in its own room.

mod addresses;
mod lateness;
mod masters;
mod together;

use std::net::IpAddr;

use standfast_failover::Config;
use standfast_types::Instant;

use crate::{link::Link, node, trace::Happening};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was noticed.
    pub at: Instant,
    /// The machine.
    pub machine: usize,
    /// What is wrong.
    pub text: String,
}

/// Every rule.
#[derive(Debug)]
pub(crate) struct Checkers {
    masters: masters::Masters,
    addresses: addresses::Addresses,
    lateness: lateness::Lateness,
    together: together::Together,
    violation: Option<Violation>,
}

impl Checkers {
    pub(crate) fn new(nodes: &[(IpAddr, Config)], links: &[Link]) -> Self {
        let leads = nodes.first().map(|(_, config)| node::leads(config)).unwrap_or_default();
        let instances = leads.len();
        let reach = links.iter().map(Link::reach).max().unwrap_or_default();
        let own: Vec<_> = nodes.iter().map(|(own, _)| *own).collect();
        Self {
            masters: masters::Masters::new(&own, leads.clone(), reach),
            addresses: addresses::Addresses::new(nodes.len(), instances),
            lateness: lateness::Lateness::new(nodes.len(), instances),
            together: together::Together::new(nodes.len(), &leads),
            violation: None,
        }
    }

    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) fn masters(&self, instance: usize) -> Vec<usize> {
        self.masters.of(instance)
    }

    /// Something happens.
    pub(crate) fn observe(&mut self, at: Instant, machine: usize, what: &Happening) {
        self.masters.observe(at, machine, what);
        let broken = self
            .addresses
            .observe(at, machine, what)
            .or_else(|| self.lateness.observe(at, machine, what))
            .or_else(|| self.together.observe(machine, what));
        self.report(at, machine, broken);
    }

    /// Nothing happens until `to`.
    pub(crate) fn pass(&mut self, to: Instant) {
        if let Some((machine, text)) = self.masters.pass(to).or_else(|| self.addresses.pass(to)) {
            self.report(to, machine, Some(text));
        }
    }

    pub(crate) fn report(&mut self, at: Instant, machine: usize, broken: Option<String>) {
        if self.violation.is_none() {
            self.violation = broken.map(|text| Violation { at, machine, text });
        }
    }
}
