//! What is known about one endpoint, and what an answer changes about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use standfast_balance::{Endpoint, Resolved};
use standfast_types::Family;

use crate::message::Level;

/// Answers are asked for again no sooner.
const SOONEST: Duration = Duration::from_secs(1);
/// And no later.
const LATEST: Duration = Duration::from_secs(3600);
/// Without an answer the next try is after so long.
const RETRY: Duration = Duration::from_secs(5);
/// "There is no such name" is believed for so long at most.
const NOTHING_LATEST: Duration = Duration::from_secs(60);

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer<T> {
    /// Records, and how long they are good for.
    Found { records: Vec<T>, ttl: Duration },
    /// A name server says that there is nothing: why, as a fragment, and how long that is good for.
    Nothing { reason: &'static str, ttl: Option<Duration> },
    /// No answer: why, as a fragment.
    Failed(String),
}

/// What came of asking for a host's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) v4: Answer<IpAddr>,
    pub(super) v6: Answer<IpAddr>,
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) name: String,
}

/// What came of asking for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Of a host's name.
    Host(Host),
    /// Of a name with SRV records, and of each target of the lowest priority.
    Srv(Answer<Target>, BTreeMap<String, Host>),
}

/// What is to be done after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consequence {
    /// What the endpoint stands for now, if that is something else than before.
    pub(super) resolved: Option<Vec<Resolved>>,
    /// For the log.
    pub(super) said: Option<(Level, String)>,
    /// Ask again after so long.
    pub(super) wait: Duration,
}

/// What is known about one endpoint.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last good answer for each host and family.
    hosts: BTreeMap<(String, Family), Vec<IpAddr>>,
    resolved: Vec<Resolved>,
    /// What was last said to be wrong.
    complaint: Option<String>,
}

/// The records of the lowest priority, which alone count (RFC 2782).
pub(super) fn preferred(mut targets: Vec<Target>) -> Vec<Target> {
    let lowest = targets.iter().map(|target| target.priority).min();
    targets.retain(|target| Some(target.priority) == lowest);
    targets
}

impl Memory {
    /// Takes what came of asking for this endpoint.
    pub(super) fn handle(&mut self, endpoint: &Endpoint, finding: Finding) -> Consequence {
        let mut round = Round { ttl: LATEST, wrong: None };
        let mut now = BTreeSet::new();
        match finding {
            Finding::Host(host) => {
                let addresses = self.take_host("", host, &mut round);
                now.extend(addresses.into_iter().map(|address| Resolved { address, srv: None }));
            }
            Finding::Srv(answer, mut hosts) => {
                let targets = preferred(round.open(answer).unwrap_or_default());
                self.hosts.retain(|(name, _), _| {
                    targets.is_empty() || targets.iter().any(|target| target.name == *name)
                });
                for Target { weight, port, name, .. } in targets {
                    let Some(host) = hosts.remove(&name) else { continue };
                    for address in self.take_host(&name, host, &mut round) {
                        now.insert(Resolved { address, srv: Some((port, weight)) });
                    }
                }
            }
        }
        let resolved = (!now.is_empty()).then(|| now.into_iter().collect::<Vec<_>>());
        let resolved = resolved.filter(|new| *new != self.resolved);
        if let Some(new) = &resolved {
            self.resolved.clone_from(new);
        }
        let latest = if round.wrong.is_some() { NOTHING_LATEST } else { LATEST };
        let said = self.say(endpoint, round.wrong);
        Consequence { resolved, said, wait: round.ttl.clamp(SOONEST, latest) }
    }

    /// A host's addresses: those of the answer, and for a family without one those that were known.
    fn take_host(&mut self, name: &str, host: Host, round: &mut Round) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let mut wrong = Vec::new();
        for (family, answer) in [(Family::V4, host.v4), (Family::V6, host.v6)] {
            let mut alone = Round { ttl: LATEST, wrong: None };
            let key = (name.to_owned(), family);
            let failed = matches!(answer, Answer::Failed(_));
            match alone.open(answer) {
                Some(found) => {
                    addresses.extend(&found);
                    self.hosts.insert(key, found);
                }
                // That a family has nothing is news about it; that nobody answers is none.
                None if !failed && !addresses.is_empty() => drop(self.hosts.remove(&key)),
                None => wrong.push((key, alone.wrong.take(), failed)),
            }
            round.ttl = round.ttl.min(alone.ttl);
        }
        let other_found = !addresses.is_empty();
        let mut reasons = Vec::new();
        for (key, reason, failed) in wrong {
            let known = self.hosts.get(&key).cloned().unwrap_or_default();
            if other_found && !failed {
                self.hosts.remove(&key);
            } else if !other_found || !known.is_empty() {
                addresses.extend(known);
                reasons.extend(reason.map(|reason| (failed, reason)));
            }
        }
        // Of two reasons, that one family has nothing says less than that nobody answers for the other.
        reasons.sort_by_key(|(failed, _)| !failed);
        if let Some((_, reason)) = reasons.into_iter().next() {
            let whose = if name.is_empty() { String::new() } else { format!("{name}: ") };
            round.wrong.get_or_insert(format!("{whose}{reason}"));
        }
        addresses
    }

    /// What is wrong is said once, and so is that it is well again.
    fn say(&mut self, endpoint: &Endpoint, wrong: Option<String>) -> Option<(Level, String)> {
        if wrong == self.complaint {
            return None;
        }
        self.complaint.clone_from(&wrong);
        let Some(reason) = wrong else {
            return Some((Level::Info, format!("{endpoint}: the name resolves again")));
        };
        let still: Vec<_> = self.resolved.iter().map(|one| one.address.to_string()).collect();
        let outcome = if still.is_empty() {
            "it has no servers until that changes".to_owned()
        } else {
            format!("what was known stays: {}", still.join(", "))
        };
        Some((Level::Warning, format!("{endpoint}: {reason}; {outcome}")))
    }
}

/// What one round of questions came to.
struct Round {
    ttl: Duration,
    /// The first thing that is wrong.
    wrong: Option<String>,
}

impl Round {
    /// The records of an answer, if there are any.
    fn open<T>(&mut self, answer: Answer<T>) -> Option<Vec<T>> {
        match answer {
            Answer::Found { records, ttl } => {
                self.ttl = self.ttl.min(ttl);
                Some(records)
            }
            Answer::Nothing { reason, ttl } => {
                self.ttl = self.ttl.min(ttl.unwrap_or(LATEST).max(RETRY));
                self.wrong.get_or_insert_with(|| reason.to_owned());
                None
            }
            Answer::Failed(reason) => {
                self.ttl = self.ttl.min(RETRY);
                self.wrong.get_or_insert(reason);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
