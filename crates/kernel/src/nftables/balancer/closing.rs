//! What becomes of connections whose destination is no longer one.
//!
//! A connection that is forgotten begins anew with its next packet. One of UDP goes to another server. One
//! of TCP was not begun by that packet: it comes to this machine, which answers with a reset.

use std::collections::BTreeMap;

use standfast_types::{Closing, Destination, DestinationKey, Service, ServiceKey, Transport};

use crate::{
    conntrack::{Connection, Conntrack, Wanted},
    error::Error,
};

/// So many endings are looked for one by one; for more, everything is read once.
const FEW: usize = 8;

#[derive(Debug)]
pub(super) struct Closings {
    conntrack: Conntrack,
    /// Not done yet.
    waiting: Vec<Wanted>,
}

impl Closings {
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self { conntrack: Conntrack::open()?, waiting: Vec::new() })
    }

    /// Notes which connections end with a change of a service.
    pub(super) fn after(&mut self, key: &ServiceKey, from: Option<&Service>, to: Option<&Service>) {
        let closing = to.or(from).map(|service| service.scheduling.closing).unwrap_or_default();
        let none = BTreeMap::new();
        let before = from.map_or(&none, |service| &service.destinations);
        let after = to.map_or(&none, |service| &service.destinations);
        match closing {
            Closing::AsKernel | Closing::Keep => {}
            Closing::Reset | Closing::Expire => {
                let gone = before.keys().filter(|key| !after.contains_key(key));
                self.waiting.extend(gone.map(|to| Wanted { service: *key, to: *to }));
            }
        }
        // Packets that came before the service had a server made a connection with this machine, which
        // lives as long as they come.
        let serves = |destinations: &BTreeMap<_, Destination>| {
            destinations.values().any(|destination| destination.weight > 0)
        };
        if let ServiceKey::Address { address, port, transport: Transport::Udp } = *key
            && serves(after)
            && !serves(before)
        {
            self.waiting.push(Wanted { service: *key, to: DestinationKey { address, port } });
        }
    }

    /// Ends what is to be ended. What can't be now waits for the next change.
    pub(super) fn close(&mut self) {
        let result = if self.waiting.len() <= FEW {
            self.waiting.iter().try_for_each(|wanted| {
                let found = self.conntrack.connections(wanted)?;
                self.conntrack.forget(&found)
            })
        } else {
            self.close_many()
        };
        if result.is_ok() {
            self.waiting.clear();
        }
    }

    fn close_many(&mut self) -> Result<(), Error> {
        let mut by_server: BTreeMap<_, Vec<&Wanted>> = BTreeMap::new();
        for wanted in &self.waiting {
            by_server.entry(wanted.to.address).or_default().push(wanted);
        }
        let ends = |connection: &Connection| {
            let candidates = by_server.get(&connection.served.ip());
            candidates.is_some_and(|list| list.iter().any(|wanted| wanted.includes(connection)))
        };
        for family in [standfast_types::Family::V4, standfast_types::Family::V6] {
            let found = self.conntrack.all(family, ends)?;
            self.conntrack.forget(&found)?;
        }
        Ok(())
    }

    pub(super) fn count(
        &mut self,
        service: &ServiceKey,
        to: &DestinationKey,
    ) -> Result<u32, Error> {
        let found = self.conntrack.connections(&Wanted { service: *service, to: *to })?;
        let alive = found.iter().filter(|connection| !connection.is_over()).count();
        Ok(u32::try_from(alive).unwrap_or(u32::MAX))
    }
}
