//! What the kernel refused, and what somebody else changed in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use standfast_types::{DestinationKey, Instant, ServiceChange, ServiceKey, ServiceTable};

use super::Brain;
use crate::{
    Event, Output,
    table::{Comparison, diff_service},
};

/// What the kernel is first asked again after; then after twice as long, and so on.
const FIRST: Duration = Duration::from_secs(1);
/// At the longest.
const LONGEST: Duration = Duration::from_secs(60);

/// What the kernel may not have, though it should.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    /// Refused since the table was compared last.
    refused: BTreeSet<Place>,
    /// What was said about them.
    said: BTreeMap<Place, String>,
    /// When to try again.
    at: Option<Instant>,
    wait: Duration,
}

/// A service, or one of its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(ServiceKey, Option<DestinationKey>);

impl Place {
    const fn of(change: &ServiceChange) -> Self {
        match change {
            ServiceChange::AddService(key, _)
            | ServiceChange::EditService(key, _)
            | ServiceChange::RemoveService(key) => Self(*key, None),
            ServiceChange::AddDestination(key, at, _)
            | ServiceChange::EditDestination(key, at, _)
            | ServiceChange::RemoveDestination(key, at) => Self(*key, Some(*at)),
        }
    }
}

impl Doubts {
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.at
    }

    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }

    fn mentions(&self, key: ServiceKey) -> bool {
        self.refused.iter().any(|place| place.0 == key)
    }
}

impl Brain {
    /// The kernel refused a change. It is said once, and tried again.
    pub(super) fn refused(&mut self, now: Instant, change: ServiceChange, reason: String) {
        let place = Place::of(&change);
        let doubts = &mut self.doubts;
        if doubts.at.is_none() {
            doubts.wait = (doubts.wait * 2).clamp(FIRST, LONGEST);
            doubts.at = Some(now + doubts.wait);
        }
        // without its service a destination is refused anyway
        let follows = place.1.is_some() && doubts.refused.contains(&Place(place.0, None));
        doubts.refused.insert(place);
        if !follows && doubts.said.get(&place) != Some(&reason) {
            doubts.said.insert(place, reason.clone());
            self.out.say(Event::Refused { change: Box::new(change), reason });
        }
    }

    /// Compares with what the kernel really has, tries again what it refused, and puts right what somebody
    /// else changed.
    pub fn verify(&mut self, _now: Instant, kernel: &ServiceTable) {
        let ours = |key: &&ServiceKey| self.owners.contains_key(key) || self.doubts.mentions(**key);
        let keys: BTreeSet<_> = kernel.keys().filter(ours).chain(self.table.keys()).collect();
        let mut all = BTreeSet::new();
        for key in keys {
            let mut changes = Vec::new();
            match self.table.get(key) {
                Some(wanted) => {
                    diff_service(*key, kernel.get(key), wanted, Comparison::Kernel, &mut changes);
                }
                None => changes.push(ServiceChange::RemoveService(*key)),
            }
            if !changes.is_empty() && !self.doubts.mentions(*key) {
                self.out.say(Event::Repaired { service: *key });
            }
            all.extend(changes.iter().map(Place::of));
            changes.into_iter().for_each(|change| self.out.push(Output::Change(change)));
        }
        let doubts = &mut self.doubts;
        doubts.said.retain(|place, _| all.contains(place));
        if !doubts.refused.iter().any(|place| all.contains(place)) {
            doubts.wait = Duration::ZERO;
        }
        doubts.refused.clear();
        doubts.at = None;
        self.out.flush();
    }
}
