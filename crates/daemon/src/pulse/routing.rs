//! Routes and rules: what of ours the kernel has, to know which of them it reports as gone.

use std::collections::{BTreeMap, BTreeSet};

use standfast_failover::Input;
use standfast_kernel::{
    Class,
    netlink::{IndexOf, Netlink, RouteReport, is_rule},
};
use standfast_types::{Prefix, Route, RoutingEntry, Rule};

/// Routes and rules that we have installed.
#[derive(Debug, Default)]
pub(super) struct Routing {
    /// By destination.
    routes: BTreeMap<Prefix, BTreeSet<Route>>,
    /// By preference.
    rules: BTreeMap<u32, BTreeSet<Rule>>,
    /// Those to which the kernel's last answer was a refusal.
    refused: BTreeSet<RoutingEntry>,
}

impl Routing {
    /// Installs an entry. What the brain shall hear: a refusal, or its end.
    pub(super) fn add(
        &mut self,
        netlink: &mut Netlink,
        entry: RoutingEntry,
        index_of: IndexOf<'_>,
    ) -> Option<Input<'static>> {
        let answer = match &entry {
            RoutingEntry::Route(route) => netlink.add_route(route, index_of),
            RoutingEntry::Rule(rule) => netlink.add_rule(rule),
        };
        let refusal = match answer {
            Ok(()) => {
                self.note(&entry);
                if !self.refused.remove(&entry) {
                    return None;
                }
                None
            }
            Err(error) => {
                self.refused.insert(entry.clone());
                Some(error.to_string())
            }
        };
        Some(Input::EntryAnswer { entry, refusal })
    }

    /// Installs everything again: what the kernel said of it may be among what was lost.
    pub(super) fn again(
        &mut self,
        netlink: &mut Netlink,
        index_of: IndexOf<'_>,
    ) -> Vec<Input<'static>> {
        let routes = self.routes.values().flatten().cloned().map(Box::new).map(RoutingEntry::Route);
        let rules = self.rules.values().flatten().cloned().map(Box::new).map(RoutingEntry::Rule);
        let all: Vec<_> = routes.chain(rules).filter(RoutingEntry::is_tracked).collect();
        all.into_iter().filter_map(|entry| self.add(netlink, entry, index_of)).collect()
    }

    /// Removes an entry. What could not be done, for the log.
    pub(super) fn remove(
        &mut self,
        netlink: &mut Netlink,
        entry: &RoutingEntry,
        index_of: IndexOf<'_>,
    ) -> Option<String> {
        // First forgotten: the report of it is no news then.
        self.forget(entry);
        let answer = match entry {
            RoutingEntry::Route(route) => netlink.delete_route(route, index_of),
            RoutingEntry::Rule(rule) => netlink.delete_rule(rule),
        };
        match answer {
            Ok(()) => None,
            Err(error) if error.class == Class::Gone => None,
            Err(error) => Some(format!("could not remove the {entry}: {error}")),
        }
    }

    /// The route of ours that the kernel says is gone.
    pub(super) fn route_gone(
        &self,
        gone: &RouteReport,
        index_of: IndexOf<'_>,
    ) -> Option<Input<'static>> {
        let known = self.routes.get(&gone.destination)?;
        let route = known.iter().find(|route| gone.is(route, index_of))?;
        Some(Input::EntryGone { entry: RoutingEntry::Route(Box::new(route.clone())) })
    }

    /// The rule of ours that the kernel says is gone.
    pub(super) fn rule_gone(&self, gone: &Rule) -> Option<Input<'static>> {
        let known = self.rules.get(&gone.preference)?;
        let rule = known.iter().find(|rule| is_rule(gone, rule))?;
        Some(Input::EntryGone { entry: RoutingEntry::Rule(Box::new(rule.clone())) })
    }

    fn note(&mut self, entry: &RoutingEntry) {
        match entry {
            RoutingEntry::Route(route) => {
                let known = self.routes.entry(route.destination.network()).or_default();
                known.insert((**route).clone());
            }
            RoutingEntry::Rule(rule) => {
                self.rules.entry(rule.preference).or_default().insert((**rule).clone());
            }
        }
    }

    fn forget(&mut self, entry: &RoutingEntry) {
        self.refused.remove(entry);
        match entry {
            RoutingEntry::Route(route) => {
                if let Some(known) = self.routes.get_mut(&route.destination.network()) {
                    known.remove(route.as_ref());
                }
            }
            RoutingEntry::Rule(rule) => {
                if let Some(known) = self.rules.get_mut(&rule.preference) {
                    known.remove(rule.as_ref());
                }
            }
        }
    }
}
