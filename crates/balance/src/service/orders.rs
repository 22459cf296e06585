//! What operators want of a service's servers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use standfast_types::{DestinationKey, Instant};

use super::Service;
use crate::{
    Cause, Endpoint, Event, Order, Output, RealServer,
    facts::Facts,
    outbox::Outbox,
    server::{Hold, Wish},
};

/// What operators want of a service's servers. It outlives the servers and the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// Servers that the configuration does not have.
    pub(crate) added: Vec<Arc<RealServer>>,
    wishes: BTreeMap<DestinationKey, Wish>,
}

/// Nothing in particular.
const NONE: &Wish = &Wish { weight: None, hold: None };

impl Orders {
    pub(crate) const fn new() -> Self {
        Self { added: Vec::new(), wishes: BTreeMap::new() }
    }

    /// What is wanted of one server.
    pub(crate) fn of(&self, key: DestinationKey) -> &Wish {
        self.wishes.get(&key).unwrap_or(NONE)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.wishes.is_empty()
    }

    fn set(&mut self, key: DestinationKey, change: impl FnOnce(&mut Wish)) {
        let wish = self.wishes.entry(key).or_default();
        change(wish);
        if wish.is_empty() {
            self.wishes.remove(&key);
        }
    }

    /// Takes note of an order; a limit counts from now.
    pub(crate) fn take(&mut self, now: Instant, order: Order) {
        match order {
            Order::Drain { server, limit } => self.set(server.key, |wish| {
                if wish.hold != Some(Hold::Drained) {
                    let ends = limit.map(|limit| now + Duration::from_nanos(limit));
                    let left = 0;
                    wish.hold = Some(Hold::Draining { limit, ends, left });
                }
                if limit == Some(0) {
                    wish.hold = Some(Hold::Drained);
                }
            }),
            Order::Disable(server) => {
                self.set(server.key, |wish| wish.hold = Some(Hold::Disabled));
            }
            Order::Enable(server) => self.set(server.key, |wish| wish.hold = None),
            Order::Weight(server, weight) => self.set(server.key, |wish| wish.weight = weight),
            Order::Add(_, real) => {
                let at = self.added.iter().position(|added| added.endpoint == real.endpoint);
                if let Endpoint::Address(key) = real.endpoint {
                    self.set(key, |wish| {
                        wish.hold.take_if(|hold| *hold == Hold::Removed);
                    });
                }
                match at.and_then(|at| self.added.get_mut(at)) {
                    Some(added) => *added = Arc::from(real),
                    None => self.added.push(Arc::from(real)),
                }
            }
            Order::Remove(server) => {
                self.added.retain(|added| added.endpoint != Endpoint::Address(server.key));
                self.set(server.key, |wish| wish.hold = Some(Hold::Removed));
            }
        }
    }

    /// A server has been drained.
    pub(crate) fn drained(&mut self, key: DestinationKey) {
        self.set(key, |wish| wish.hold = Some(Hold::Drained));
    }

    /// When a server has been drained long enough.
    pub(crate) fn ends(&self, key: DestinationKey) -> Option<Instant> {
        match self.of(key).hold {
            Some(Hold::Draining { ends, .. }) => ends,
            Some(Hold::Drained | Hold::Disabled | Hold::Removed) | None => None,
        }
    }
}

impl Service {
    /// Does what an operator wants.
    pub(crate) fn obey(&mut self, now: Instant, order: Order, facts: &Facts, out: &mut Outbox) {
        let key = order.key();
        let drained = key.is_some_and(|key| self.orders.of(key).drains());
        self.orders.take(now, order);
        if let Some(key) = key {
            self.count(key, drained, out);
        }
        self.reshape(facts, &Cause::Order, true, out);
        if let Some(key) = key {
            self.restand(key, &Cause::Order, out);
        }
        self.judge(out);
    }

    /// Asks for the connections of a server that is drained from now on.
    fn count(&self, key: DestinationKey, before: bool, out: &mut Outbox) {
        let drains = self.orders.of(key).drains();
        if drains != before && self.servers.contains_key(&key) {
            let id = self.id(key);
            out.push(if drains { Output::CountConnections(id) } else { Output::EndCount(id) });
        }
    }

    /// So many connections a draining server still has.
    pub(crate) fn counted(&mut self, key: DestinationKey, connections: u32, out: &mut Outbox) {
        if !self.servers.contains_key(&key) {
            return;
        }
        let mut done = false;
        self.orders.set(key, |wish| {
            if let Some(Hold::Draining { left, .. }) = &mut wish.hold {
                *left = connections;
                done = connections == 0;
            }
        });
        if done {
            self.drained(key, out);
        }
    }

    /// A server has been drained, or its time is over.
    pub(crate) fn drained(&mut self, key: DestinationKey, out: &mut Outbox) {
        let &Wish { hold: Some(Hold::Draining { left, .. }), .. } = self.orders.of(key) else {
            return;
        };
        self.orders.drained(key);
        if !self.servers.contains_key(&key) {
            return;
        }
        out.push(Output::EndCount(self.id(key)));
        out.say(Event::Drained { server: self.id(key), left });
        self.restand(key, &Cause::Order, out);
        self.judge(out);
    }
}
