//! What becomes of connections whose destination is no longer one.
//!
//! A connection that is forgotten begins anew with its next packet. One of UDP goes to another server. One
//! of TCP was not begun by that packet: it comes to this machine, which answers with a reset.

use std::collections::{BTreeMap, BTreeSet};

use standfast_types::{
    Closing, Destination, DestinationKey, Family, Service, ServiceKey, Transport,
};

use super::{
    chain::{Chain, Links, Way},
    place::{Element, Value},
    read,
    table::Side,
};
use crate::{
    conntrack::{Connection, Conntrack, Wanted},
    error::{Class, Error},
    nftables::transaction::Nftables,
};

/// So many endings are looked for one by one; for more, everything is read once.
const FEW: usize = 8;

#[derive(Debug)]
pub(super) struct Closings {
    conntrack: Conntrack,
    table: String,
    /// Not done yet: connections that are translated, and what rules remember.
    translated: Vec<Wanted>,
    remembered: Vec<Remembered>,
}

/// What a map has with one value.
#[derive(Debug)]
struct Remembered {
    side: Side,
    map: String,
    chosen: Vec<u8>,
}

impl Closings {
    pub(super) fn open(table: &str) -> Result<Self, Error> {
        Ok(Self {
            conntrack: Conntrack::open()?,
            table: table.to_owned(),
            translated: Vec::new(),
            remembered: Vec::new(),
        })
    }

    /// Notes which connections end with a change of a service.
    pub(super) fn after(&mut self, key: &ServiceKey, from: Option<&Service>, to: Option<&Service>) {
        let closing = to.or(from).map(|service| service.scheduling.closing).unwrap_or_default();
        let none = BTreeMap::new();
        let before = from.map_or(&none, |service| &service.destinations);
        let after = to.map_or(&none, |service| &service.destinations);
        let gone: Vec<_> = before.keys().filter(|key| !after.contains_key(key)).collect();
        if let (Some(from), Some(_)) = (from, to) {
            let links = Links::new();
            let chain = Chain::new(key, from, &links);
            let remembered = |map: String| {
                let at = |to: &&DestinationKey| (map.clone(), chain.chosen(to));
                gone.iter().map(at).collect::<Vec<_>>()
            };
            let ends = match closing {
                Closing::AsKernel | Closing::Keep => false,
                Closing::Reset | Closing::Expire => true,
            };
            let found = match (&from.scheduling.persistence, chain.way) {
                // A client must not come back to it.
                (Some(_), _) => remembered(chain.clients()),
                (None, Way::Direct) if ends => remembered(chain.flows()),
                (None, Way::Direct | Way::Translated { .. }) => Vec::new(),
            };
            let side = chain.side();
            let found = found.into_iter().map(|(map, chosen)| Remembered { side, map, chosen });
            self.remembered.extend(found);
        }
        match closing {
            Closing::AsKernel | Closing::Keep => {}
            Closing::Reset | Closing::Expire => {
                self.translated.extend(gone.iter().map(|to| Wanted { service: *key, to: **to }));
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
            self.translated.push(Wanted { service: *key, to: DestinationKey { address, port } });
        }
    }

    /// Ends what is to be ended. What can't be now waits for the next change.
    pub(super) fn close(&mut self, nftables: &mut Nftables) {
        if self.close_translated().is_ok() {
            self.translated.clear();
        }
        let table = &self.table;
        self.remembered.retain(|remembered| remembered.forget(nftables, table).is_err());
    }

    fn close_translated(&mut self) -> Result<(), Error> {
        if self.translated.len() <= FEW {
            return self.translated.iter().try_for_each(|wanted| {
                let found = self.conntrack.connections(wanted)?;
                self.conntrack.forget(&found)
            });
        }
        let mut by_server: BTreeMap<_, Vec<&Wanted>> = BTreeMap::new();
        for wanted in &self.translated {
            by_server.entry(wanted.to.address).or_default().push(wanted);
        }
        let ends = |connection: &Connection| {
            let candidates = by_server.get(&connection.served.ip());
            candidates.is_some_and(|list| list.iter().any(|wanted| wanted.includes(connection)))
        };
        for family in [Family::V4, Family::V6] {
            let found = self.conntrack.all(family, ends)?;
            self.conntrack.forget(&found)?;
        }
        Ok(())
    }

    pub(super) fn count(
        &mut self,
        nftables: &mut Nftables,
        known: Option<&Service>,
        service: &ServiceKey,
        to: &DestinationKey,
    ) -> Result<u32, Error> {
        let links = Links::new();
        let chain = known.map(|known| Chain::new(service, known, &links));
        let alive = match chain.filter(|chain| chain.side() == Side::Direct) {
            Some(chain) => self.count_flows(nftables, &chain, to)?,
            None => {
                let wanted = Wanted { service: *service, to: *to };
                let found = self.conntrack.connections(&wanted)?;
                found.iter().filter(|connection| !connection.is_over()).count()
            }
        };
        Ok(u32::try_from(alive).unwrap_or(u32::MAX))
    }

    /// Of a service whose clients stay, the clients.
    fn count_flows(
        &self,
        nftables: &mut Nftables,
        chain: &Chain<'_>,
        to: &DestinationKey,
    ) -> Result<usize, Error> {
        let persistent = chain.service.scheduling.persistence.is_some();
        let map = if persistent { chain.clients() } else { chain.flows() };
        let remembered = Remembered { side: Side::Direct, map, chosen: chain.chosen(to) };
        let flows = remembered.find(nftables, &self.table)?;
        let place = Side::Direct.place(&self.table);
        let closed = if chain.is_tcp() && !persistent {
            read::flows(nftables, &place, &chain.closed_flows())?
        } else {
            Vec::new()
        };
        let closed: BTreeSet<_> = closed.into_iter().map(|flow| flow.key).collect();
        Ok(flows.iter().filter(|flow| !closed.contains(&flow.key)).count())
    }
}

impl Remembered {
    /// None when the map is gone, with its service.
    fn find(&self, nftables: &mut Nftables, table: &str) -> Result<Vec<read::Flow>, Error> {
        match read::flows(nftables, &self.side.place(table), &self.map) {
            Ok(flows) => Ok(flows.into_iter().filter(|flow| flow.to == self.chosen).collect()),
            Err(error) if error.class == Class::Gone => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn forget(&self, nftables: &mut Nftables, table: &str) -> Result<(), Error> {
        let element =
            |flow: read::Flow| Element { key: flow.key, value: Value::None, comment: None };
        let found: Vec<_> = self.find(nftables, table)?.into_iter().map(element).collect();
        let mut batch = Vec::new();
        self.side.place(table).delete(&self.map, &found, &mut batch);
        nftables.transact("forget connections", batch)
    }
}
