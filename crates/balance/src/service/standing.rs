//! How servers count together, and what the kernel gets of them.

use std::collections::{BTreeMap, BTreeSet};

use standfast_types::{Destination, DestinationKey, Service as Kernel, ServiceKey, ServiceTable};

use super::{Service, fits};
use crate::{
    Cause, Event, Output, Verdict, facts::Facts, outbox::Outbox, server::Standing,
    table::diff_destination,
};

impl Service {
    /// Takes the verdict of a check.
    pub(crate) fn check(
        &mut self,
        key: DestinationKey,
        index: usize,
        verdict: &Verdict,
        out: &mut Outbox,
    ) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        if let Some(news) = server.judge(index, verdict) {
            self.decide(key, index, news, out);
            self.judge(out);
        }
    }

    /// Looks at what is known of files and BFD sessions.
    pub(crate) fn look(&mut self, facts: &Facts, out: &mut Outbox) {
        let servers = self.servers.iter_mut();
        let changed: Vec<_> = servers
            .flat_map(|(&key, server)| {
                server.look(facts).into_iter().map(move |(index, news)| (key, index, news))
            })
            .collect();
        for (key, index, news) in changed {
            self.decide(key, index, news, out);
        }
        self.judge(out);
    }

    /// A check has changed its mind (`news`), or only what it adds to the weight.
    fn decide(&mut self, key: DestinationKey, index: usize, news: bool, out: &mut Outbox) {
        let Some(server) = self.servers.get(&key) else { return };
        let Some((keyword, verdict)) = server.check(index) else { return };
        let (keyword, verdict) = (keyword.to_owned(), verdict.clone());
        let (before, endpoint) = (server.standing.up, server.real.endpoint.clone());
        self.restand(key, &Cause::Check(keyword.clone(), verdict.clone()), out);
        if news {
            let up = self.servers.get(&key).is_some_and(|server| server.standing.up);
            let (check, transport) = (self.check_id(key, index), self.config.transport);
            let decides = up != before;
            out.say(Event::Check { check, endpoint, transport, up, decides, keyword, verdict });
        }
    }

    /// Looks again at how a server counts. [`Self::judge`] is to follow.
    pub(super) fn restand(&mut self, key: DestinationKey, cause: &Cause, out: &mut Outbox) {
        let wish = self.orders.of(key);
        let Some(server) = self.servers.get_mut(&key) else { return };
        let standing = server.assess(wish);
        let before = std::mem::replace(&mut server.standing, standing);
        self.live = self.live - before.live() + standing.live();
        self.stale.insert(key);
        let failed = matches!(cause, Cause::Check(_, Verdict::Bad(_)));
        let first = (standing.up || failed) && std::mem::take(&mut server.waits);
        let share = |standing: Standing| if standing.open { standing.weight } else { 0 };
        let (from, to) = (share(before), share(standing));
        if from != to {
            out.say(Event::Weight { server: self.id(key), from, to });
        }
        if before.up != standing.up || first {
            self.say_server(key, standing.up, cause, out);
        }
    }

    /// The weight at which the quorum is lost when there is less, and the one that it takes to regain it.
    /// A quorum that its servers can't reach even together is lowered.
    pub(super) fn thresholds(&self) -> (u64, u64) {
        let quorum = u64::from(self.config.quorum).min(self.total).max(1);
        let hysteresis = u64::from(self.config.hysteresis).min(quorum - 1);
        (quorum - hysteresis, (quorum + hysteresis).min(self.total.max(quorum)))
    }

    /// Looks whether the quorum is reached, and who is to serve then.
    pub(crate) fn judge(&mut self, out: &mut Outbox) {
        let (lost, regained) = self.thresholds();
        let up = self.live >= if self.up { lost } else { regained };
        if std::mem::replace(&mut self.up, up) != up {
            self.say_quorum(out);
        }
        let serving = self.config.sorry.is_some() && !up;
        if std::mem::replace(&mut self.serving, serving) != serving {
            let sorry = self.config.sorry.as_ref().map(|sorry| &sorry.key);
            self.stale.extend(self.servers.keys().chain(sorry));
            out.say(Event::Sorry { service: self.config.name.clone(), serving });
        }
    }

    pub(super) fn say_quorum(&self, out: &mut Outbox) {
        let (lost, regained) = self.thresholds();
        let (service, up, weight) = (self.config.name.clone(), self.up, self.live);
        let wanted = if up { regained } else { lost };
        out.say(Event::Quorum { service, up, weight, wanted });
    }

    /// What the kernel is to have of one address.
    fn destination(&self, at: DestinationKey) -> Option<Destination> {
        let sorry = self.config.sorry.as_ref().filter(|sorry| sorry.key == at);
        let relieved = self.serving;
        if let Some(sorry) = sorry.filter(|_| relieved) {
            return Some(Destination::new(1, sorry.forwarding));
        }
        let server = self.servers.get(&at);
        let server = server.and_then(|server| server.destination(self.orders.of(at), relieved));
        let waiting = sorry.filter(|sorry| sorry.inhibit);
        server.or_else(|| waiting.map(|sorry| Destination::new(0, sorry.forwarding)))
    }

    /// What the kernel is to have under one key; `None` while this machine does not serve it.
    pub(crate) fn kernel(&self, key: ServiceKey) -> Option<Kernel> {
        let sorry = self.config.sorry.as_ref().map(|sorry| sorry.key);
        let places: BTreeSet<_> = self.servers.keys().copied().chain(sorry).collect();
        let destinations = places
            .into_iter()
            .filter_map(|at| Some((at, self.destination(at)?)))
            .filter(|(at, destination)| fits(key, *at, destination.forwarding));
        let scheduling = self.config.scheduling.clone();
        let destinations = destinations.collect();
        self.here.then_some(Kernel { scheduling, destinations })
    }

    /// Nothing has to be written any more: its keys were written as a whole.
    pub(crate) fn written(&mut self) {
        self.stale.clear();
    }

    /// Writes what may have changed. New ones come before old ones go, so that there is always one that
    /// serves.
    pub(crate) fn write(&mut self, table: &mut ServiceTable, out: &mut Outbox) {
        let stale = std::mem::take(&mut self.stale);
        let wanted = stale.into_iter().map(|at| (at, self.destination(at)));
        let (come, go): (BTreeMap<_, _>, BTreeMap<_, _>) =
            wanted.partition(|(_, wanted)| wanted.is_some());
        for (at, wanted) in come.into_iter().chain(go) {
            for key in &self.config.keys {
                let Some(kernel) = table.get_mut(key) else { continue };
                let wanted = wanted.filter(|wanted| fits(*key, at, wanted.forwarding));
                let now = match wanted {
                    Some(wanted) => kernel.destinations.insert(at, wanted),
                    None => kernel.destinations.remove(&at),
                };
                let change = diff_destination(*key, at, now.as_ref(), wanted);
                change.into_iter().for_each(|change| out.push(Output::Change(change)));
            }
        }
    }
}
