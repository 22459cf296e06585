//! The orders that stand: given by operators, and not taken back.

use std::collections::BTreeMap;

use standfast_balance::{Endpoint, Order, RealServer, ServerId};
use standfast_types::{DestinationKey, ServiceName};

use super::pools::State;

/// Every order that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    servers: BTreeMap<ServerId, Entry>,
}

/// What stands for one server. Of each kind the last order counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    added: Option<(Box<RealServer>, Life)>,
    weight: Option<(u32, Life)>,
    /// `Drain`, `Disable` or `Remove`.
    state: Option<(Order, Life)>,
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// As long as the daemon runs.
    Run,
    /// Over restarts.
    Persistent,
}

impl Life {
    pub(crate) const fn of(persist: bool) -> Self {
        if persist { Self::Persistent } else { Self::Run }
    }
}

impl Orders {
    /// Takes an order. Whether anything changed that outlives a restart.
    pub(crate) fn take(&mut self, order: Order, life: Life) -> bool {
        let before = self.persistent();
        match &order {
            Order::Drain { server, .. } | Order::Disable(server) => {
                self.entry(server).state = Some((order.clone(), life));
            }
            Order::Remove(server) => {
                let entry = self.entry(server);
                // One that an operator added is forgotten.
                let own = entry.added.is_some();
                *entry = Entry::default();
                if !own {
                    entry.state = Some((order.clone(), life));
                }
            }
            Order::Enable(server) => self.entry(server).state = None,
            Order::Weight(server, weight) => {
                self.entry(server).weight = weight.map(|weight| (weight, life));
            }
            Order::Add(service, server) => {
                let Endpoint::Address(key) = server.endpoint else { return false };
                let entry = self.entry(&ServerId { service: service.clone(), key });
                *entry = Entry { added: Some((server.clone(), life)), ..Entry::default() };
            }
        }
        self.servers.retain(|_, entry| *entry != Entry::default());
        before != self.persistent()
    }

    fn entry(&mut self, server: &ServerId) -> &mut Entry {
        self.servers.entry(server.clone()).or_default()
    }

    /// All of them, in an order in which they can be given again.
    pub(crate) fn all(&self) -> Vec<Order> {
        self.list(|_| true)
    }

    /// Those that outlive a restart.
    pub(crate) fn persistent(&self) -> Vec<Order> {
        self.list(|life| life == Life::Persistent)
    }

    fn list(&self, wanted: impl Fn(Life) -> bool) -> Vec<Order> {
        let mut orders = Vec::new();
        for (id, Entry { added, weight, state }) in &self.servers {
            // What is said about a server that will not be there is nothing.
            if let Some((server, life)) = added {
                if !wanted(*life) {
                    continue;
                }
                orders.push(Order::Add(id.service.clone(), server.clone()));
            }
            if let Some((weight, _)) = weight.filter(|(_, life)| wanted(*life)) {
                orders.push(Order::Weight(id.clone(), Some(weight)));
            }
            if let Some((order, life)) = state
                && wanted(*life)
            {
                orders.push(order.clone());
            }
        }
        orders
    }

    /// The servers that operators added to a service.
    pub(crate) fn added(&self, service: &ServiceName) -> impl Iterator<Item = DestinationKey> {
        let of_it = self
            .servers
            .iter()
            .filter(move |(id, entry)| id.service == *service && entry.added.is_some());
        of_it.map(|(id, _)| id.key)
    }

    /// The servers of a service about which something stands.
    pub(crate) fn of(&self, service: &ServiceName) -> impl Iterator<Item = DestinationKey> {
        self.servers.keys().filter(move |id| id.service == *service).map(|id| id.key)
    }

    /// What stands for a server, in words: `drained, weight 5 (kept over restarts)`. Empty when nothing does.
    pub(crate) fn words(&self, server: &ServerId) -> String {
        let Some(Entry { added, weight, state }) = self.servers.get(server) else {
            return String::new();
        };
        let with = |text: String, life: Life| match life {
            Life::Run => text,
            Life::Persistent => format!("{text} (kept over restarts)"),
        };
        let added = added.as_ref().map(|(_, life)| with("added".to_owned(), *life));
        let weight = weight.map(|(weight, life)| with(format!("weight {weight}"), life));
        let life = state.as_ref().map(|(_, life)| *life);
        let state =
            self.state(server).zip(life).map(|(state, life)| with(state.word().to_owned(), life));
        [added, state, weight].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What an operator made of a server.
    pub(crate) fn state(&self, server: &ServerId) -> Option<State> {
        match &self.servers.get(server)?.state.as_ref()?.0 {
            Order::Drain { .. } => Some(State::Drained),
            Order::Disable(_) => Some(State::Disabled),
            Order::Remove(_) => Some(State::Removed),
            Order::Enable(_) | Order::Weight(..) | Order::Add(..) => None,
        }
    }

    /// Whether an operator removed a server.
    pub(crate) fn is_removed(&self, server: &ServerId) -> bool {
        self.state(server) == Some(State::Removed)
    }
}

#[cfg(test)]
mod tests {
    use standfast_types::Forwarding;

    use super::*;

    fn id(port: u16) -> ServerId {
        let address = "192.0.2.10".parse().expect("an address");
        ServerId { service: "web".into(), key: DestinationKey { address, port } }
    }

    fn added(port: u16) -> Order {
        let endpoint = Endpoint::Address(id(port).key);
        let server = RealServer {
            endpoint,
            weight: 1,
            forwarding: Forwarding::Nat,
            upper_threshold: 0,
            lower_threshold: 0,
            inhibit: false,
            checks: Vec::new(),
        };
        Order::Add("web".into(), Box::new(server))
    }

    #[test]
    fn the_last_order_of_a_kind_stands_until_it_is_taken_back() {
        let mut orders = Orders::default();
        let drain = Order::Drain { server: id(80), limit: None };
        orders.take(drain, Life::Run);
        orders.take(Order::Weight(id(80), Some(7)), Life::Run);
        orders.take(Order::Disable(id(80)), Life::Run);
        assert_eq!(orders.all(), [Order::Weight(id(80), Some(7)), Order::Disable(id(80))]);
        assert_eq!(orders.words(&id(80)), "disabled, weight 7");
        orders.take(Order::Enable(id(80)), Life::Run);
        orders.take(Order::Weight(id(80), None), Life::Run);
        assert_eq!(orders, Orders::default());
    }

    #[test]
    fn only_what_is_persistent_outlives_a_restart_and_a_change_of_it_is_told() {
        let mut orders = Orders::default();
        assert!(!orders.take(Order::Disable(id(80)), Life::Run));
        assert!(orders.take(Order::Weight(id(80), Some(7)), Life::Persistent));
        assert_eq!(orders.persistent(), [Order::Weight(id(80), Some(7))]);
        assert_eq!(orders.words(&id(80)), "disabled, weight 7 (kept over restarts)");
        // The last one counts, persistent or not.
        assert!(orders.take(Order::Weight(id(80), Some(8)), Life::Run));
        assert_eq!(orders.persistent(), []);
    }

    #[test]
    fn a_server_that_was_added_comes_before_what_is_said_about_it_and_leaves_nothing_behind() {
        let mut orders = Orders::default();
        orders.take(added(81), Life::Run);
        orders.take(Order::Weight(id(81), Some(7)), Life::Persistent);
        assert_eq!(orders.all(), [added(81), Order::Weight(id(81), Some(7))]);
        assert_eq!(orders.persistent(), [], "without the server there is nothing to weigh");
        assert_eq!(orders.added(&"web".into()).collect::<Vec<_>>(), [id(81).key]);
        orders.take(Order::Remove(id(81)), Life::Run);
        assert_eq!(orders, Orders::default());
    }

    #[test]
    fn a_configured_server_stays_removed_until_it_is_enabled() {
        let mut orders = Orders::default();
        orders.take(Order::Weight(id(80), Some(7)), Life::Run);
        orders.take(Order::Remove(id(80)), Life::Run);
        assert!(orders.is_removed(&id(80)));
        assert_eq!(orders.all(), [Order::Remove(id(80))]);
        orders.take(Order::Enable(id(80)), Life::Run);
        assert_eq!(orders.all(), []);
    }
}
