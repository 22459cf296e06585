//! What must be done to one table so that it becomes another.

use std::collections::BTreeMap;

use standfast_types::{
    Destination, DestinationKey, Scheduling, Service, ServiceChange, ServiceKey, ServiceTable,
};

/// The changes that make `wanted` of `now`. Services that are in `now` alone are removed: leave out those
/// of others. What becomes of connections ([`Scheduling::closing`]) is nothing that a kernel's table has,
/// and is not compared.
#[must_use]
pub fn diff(now: &ServiceTable, wanted: &ServiceTable) -> Vec<ServiceChange> {
    let mut changes = Vec::new();
    for key in now.keys().filter(|key| !wanted.contains_key(key)) {
        changes.push(ServiceChange::RemoveService(*key));
    }
    for (key, wanted) in wanted {
        diff_service(*key, now.get(key), wanted, Comparison::Kernel, &mut changes);
    }
    changes
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// What a kernel's table has.
    Kernel,
    /// Everything.
    Exact,
}

/// New destinations come before old ones go, so that there is always one that serves.
pub(crate) fn diff_service(
    key: ServiceKey,
    now: Option<&Service>,
    wanted: &Service,
    comparison: Comparison,
    changes: &mut Vec<ServiceChange>,
) {
    let none = BTreeMap::new();
    let destinations = now.map_or(&none, |now| &now.destinations);
    match now {
        None => changes.push(ServiceChange::AddService(key, wanted.scheduling.clone())),
        Some(now) if comparison.differs(&now.scheduling, &wanted.scheduling) => {
            changes.push(ServiceChange::EditService(key, wanted.scheduling.clone()));
        }
        Some(_) => {}
    }
    for (&at, &wanted) in &wanted.destinations {
        changes.extend(diff_destination(key, at, destinations.get(&at), Some(wanted)));
    }
    for (&at, now) in destinations {
        if !wanted.destinations.contains_key(&at) {
            changes.extend(diff_destination(key, at, Some(now), None));
        }
    }
}

pub(crate) fn diff_destination(
    key: ServiceKey,
    at: DestinationKey,
    now: Option<&Destination>,
    wanted: Option<Destination>,
) -> Option<ServiceChange> {
    match (now, wanted) {
        (None, Some(wanted)) => Some(ServiceChange::AddDestination(key, at, wanted)),
        (Some(now), Some(wanted)) if *now != wanted => {
            Some(ServiceChange::EditDestination(key, at, wanted))
        }
        (Some(_), None) => Some(ServiceChange::RemoveDestination(key, at)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

impl Comparison {
    fn differs(self, one: &Scheduling, other: &Scheduling) -> bool {
        let closing = match self {
            Self::Kernel => other.closing,
            Self::Exact => one.closing,
        };
        *one != *other && (Scheduling { closing, ..one.clone() }) != *other
    }
}
