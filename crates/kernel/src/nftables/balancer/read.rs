//! A table read back: what is balanced, as far as everything is as we wrote it.

use std::collections::BTreeMap;

use standfast_types::{Destination, DestinationKey, Service, ServiceKey, ServiceTable};

use super::{
    chain::{Chain, Links},
    key,
    key::ServiceMap,
    place::{Place, comment},
    record,
    table::{SERVERS, Side, dispatch_mark},
};
use crate::{
    error::{Class, Error},
    netlink::message::{attributes, text},
    nftables::transaction::{GET_CHAIN, GET_ELEMENTS, GET_RULE, GET_TABLE, Nftables, question},
};

const OPERATION: &str = "read the nftables table";

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// No such table.
    Absent,
    /// A table that is not as we write it.
    Damaged,
    /// Ours.
    Table {
        flags: u32,
        services: ServiceTable,
        /// By which interfaces servers of direct return are reached.
        links: Links,
    },
}

pub(super) fn read(nftables: &mut Nftables, side: Side, place: &Place) -> Result<Found, Error> {
    let tables = nftables.dump(OPERATION, &question(GET_TABLE, place.family), |bytes| {
        let name = attribute(bytes, 1).and_then(text)?;
        (name == place.table).then(|| number(attribute(bytes, 2)?))
    })?;
    let Some(flags) = tables.first() else { return Ok(Found::Absent) };
    let flags = flags.unwrap_or_default();
    let mut parts = Parts::default();
    let rules = question(GET_RULE, place.family).text(1, &place.table);
    let rules = nftables.dump(OPERATION, &rules, |bytes| read_rule(bytes, &place.table))?;
    for (chain, comment) in rules {
        parts.rules.entry(chain).or_default().push(comment);
    }
    let elements =
        |set: &str| question(GET_ELEMENTS, place.family).text(1, &place.table).text(2, set);
    let read_all = |nftables: &mut Nftables, parts: &mut Parts| -> Result<(), Error> {
        for map in side.maps() {
            let request = elements(map.name());
            let found = nftables.dump(OPERATION, &request, |b| Some(read_services(map, b)))?;
            parts.services.extend(found.into_iter().flatten());
        }
        let found =
            nftables.dump(OPERATION, &elements(SERVERS), |bytes| Some(read_servers(bytes)))?;
        parts.servers.extend(found.into_iter().flatten());
        Ok(())
    };
    match read_all(nftables, &mut parts) {
        // One of the sets is not there.
        Err(error) if error.class == Class::Gone => return Ok(Found::Damaged),
        result => result?,
    }
    let dormant = flags & 1 != 0;
    let links = parts.links();
    Ok(match parts.assemble(side) {
        Some(services) if !dormant => Found::Table { flags, services, links },
        _ => Found::Damaged,
    })
}

/// A connection or client that rules remember, and its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) key: Vec<u8>,
    pub(super) to: Vec<u8>,
}

pub(super) fn flows(nftables: &mut Nftables, place: &Place, map: &str) -> Result<Vec<Flow>, Error> {
    let request = question(GET_ELEMENTS, place.family).text(1, &place.table).text(2, map);
    let found = nftables.dump(OPERATION, &request, |bytes| {
        let list = attributes(attribute(bytes, 3)?);
        Some(list.filter_map(|(_, element)| read_flow(element)).collect::<Vec<_>>())
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn read_flow(element: &[u8]) -> Option<Flow> {
    let value = |kind| attribute(attribute(element, kind)?, 1);
    Some(Flow { key: value(1)?.to_vec(), to: value(2).unwrap_or_default().to_vec() })
}

/// The interfaces that the table for direct return listens to, sorted.
pub(super) fn links(nftables: &mut Nftables, place: &Place) -> Result<Vec<String>, Error> {
    let chains = nftables.dump(OPERATION, &question(GET_CHAIN, place.family), |bytes| {
        let table = attribute(bytes, 1).and_then(text)?;
        let devices = attribute(attribute(bytes, 4)?, 4)?;
        (table == place.table).then(|| {
            attributes(devices)
                .filter_map(|(_, name)| text(name))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
    })?;
    let mut links: Vec<_> = chains.into_iter().flatten().collect();
    links.sort_unstable();
    Ok(links)
}

/// What a table consists of. `None` is what we would not have written.
#[derive(Debug, Default)]
struct Parts {
    /// The comments on the rules of each chain, in their order.
    rules: BTreeMap<String, Vec<Option<String>>>,
    services: Vec<Option<(ServiceKey, String)>>,
    servers: Vec<Option<Server>>,
}

/// A destination, and the number of the interface by which it is reached.
type Server = (ServiceKey, DestinationKey, (Destination, Option<u32>));

impl Parts {
    fn links(&self) -> Links {
        let servers = self.servers.iter().flatten();
        servers.filter_map(|(_, to, (_, link))| Some((to.address, (*link)?))).collect()
    }

    /// `None` when one of them is not as we write it.
    fn take_targets(&mut self, chain: &Chain<'_>) -> Option<()> {
        let mark = record::Marks::new(chain.service).of(0, 1);
        for to in chain.targets() {
            match self.rules.remove(&chain.target_name(to))?.as_slice() {
                [Some(comment)] if *comment == mark => {}
                _ => return None,
            }
        }
        Some(())
    }

    /// `None` when it is not as we write it.
    fn assemble(mut self, side: Side) -> Option<ServiceTable> {
        for chain in side.hooks() {
            let Some(comments) = self.rules.remove(*chain) else {
                // The kernel removes a chain with its last interface.
                if side == Side::Direct {
                    continue;
                }
                return None;
            };
            let wanted = (0..comments.len()).map(|at| Some(dispatch_mark(at, comments.len())));
            if comments.is_empty() || !wanted.eq(comments.iter().cloned()) {
                return None;
            }
        }
        let mut destinations: BTreeMap<ServiceKey, BTreeMap<_, _>> = BTreeMap::new();
        for server in std::mem::take(&mut self.servers) {
            let (service, key, (destination, _)) = server?;
            destinations.entry(service).or_default().insert(key, destination);
        }
        let (mut table, links) = (ServiceTable::new(), Links::new());
        for service in std::mem::take(&mut self.services) {
            let (key, chain) = service?;
            let comments: Option<Vec<_>> = self.rules.remove(&chain)?.into_iter().collect();
            let destinations = destinations.remove(&key).unwrap_or_default();
            let comments = comments?;
            let marks = comments.iter().map(String::as_str);
            let scheduling = record::read_marks(marks, &destinations)?;
            if chain != key::chain(&key) {
                return None;
            }
            let service = Service { scheduling, destinations };
            self.take_targets(&Chain::new(&key, &service, &links))?;
            table.insert(key, service);
        }
        // Rules or servers of no service.
        (self.rules.is_empty() && destinations.is_empty()).then_some(table)
    }
}

/// The chain of a rule of this table, and the comment on it.
fn read_rule(bytes: &[u8], table: &str) -> Option<(String, Option<String>)> {
    let name = attribute(bytes, 1).and_then(text)?;
    let chain = attribute(bytes, 2).and_then(text)?;
    let comment = attribute(bytes, 7).and_then(comment).map(str::to_owned);
    (name == table).then(|| (chain.to_owned(), comment))
}

/// The elements of a message about some: key, value and what stands beside it.
fn read_elements(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], Option<&str>)> {
    let list = attribute(bytes, 3).unwrap_or_default();
    attributes(list).map(|(_, element)| {
        let key = attribute(element, 1).and_then(|data| attribute(data, 1)).unwrap_or_default();
        let value = attribute(element, 2).unwrap_or_default();
        (key, value, attribute(element, 6).and_then(comment))
    })
}

/// Reads a message of nftables as each of those that we ask for: for fuzzing. How much was understood.
pub fn parse_elements(bytes: &[u8]) -> usize {
    let maps = Side::Translated.maps().flat_map(|map| read_services(map, bytes));
    let flows = attributes(attribute(bytes, 3).unwrap_or_default());
    maps.flatten().count()
        + read_servers(bytes).into_iter().flatten().count()
        + flows.filter_map(|(_, element)| read_flow(element)).count()
        + read_rule(bytes, "standfast").into_iter().count()
}

fn read_services(map: ServiceMap, bytes: &[u8]) -> Vec<Option<(ServiceKey, String)>> {
    let read = |(key, value, _): (&[u8], &[u8], Option<&str>)| {
        let chain = attribute(attribute(value, 2)?, 2).and_then(text)?;
        Some((map.read(key)?, chain.to_owned()))
    };
    read_elements(bytes).map(read).collect()
}

fn read_servers(bytes: &[u8]) -> Vec<Option<Server>> {
    let read = |(key, _, comment): (&[u8], &[u8], Option<&str>)| {
        let (service, destination) = key::read_destination(key)?;
        Some((service, destination, record::read_server(comment?)?))
    };
    read_elements(bytes).map(read).collect()
}

fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Message;

    #[test]
    fn messages_cut_anywhere_never_panic() {
        let message =
            Message::fragment().text(1, "standfast").text(2, "services").nested(3, |list| {
                list.nested(1, |element| {
                    element
                        .nested(1, |data| {
                            data.attribute(1, &[192, 0, 2, 1, 6, 0, 0, 0, 0, 80, 0, 0])
                        })
                        .nested(2, |data| {
                            data.nested(2, |verdict| verdict.text(2, "tcp/192.0.2.1/80"))
                        })
                        .attribute(6, b"\0\x06words\0")
                })
            });
        let bytes = message.into_bytes();
        assert!(parse_elements(&bytes) >= 2, "a service, and the chain of a rule");
        for end in 0..bytes.len() {
            let _ = parse_elements(bytes.get(..end).unwrap_or_default());
        }
    }
}
