//! Connections spread over servers by nftables, where the kernel has no IPVS.
//!
//! One table of our own. A map leads from a service's address, protocol and port to its chain, whose rules
//! draw a number and find a destination for it; the kernel's connection tracking translates the rest of
//! the connection. What can't be told from rules stands in comments, so that the table can be read again
//! by the next process, and by people with `nft list`. Where the kernel can (6.9), the table belongs to this
//! process: nobody else changes it, and it stays when the process dies.

mod chain;
mod closing;
mod key;
mod place;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::BTreeMap;

use standfast_types::{DestinationKey, Family, Service, ServiceChange, ServiceKey, ServiceTable};

use super::{
    expression::{Field, Meta, Rule, SetName, register},
    transaction::{INET, IPV4, IPV6, Nftables},
};
use crate::{
    error::{Class, Error},
    netlink::message::Message,
};
use chain::{Chain, admit, records};
use closing::Closings;
use key::ServiceMap;
use place::Place;
use read::Found;

/// `flags owner, persist`
const OURS: u32 = 0x2 | 0x4;
const PERSISTENT: u32 = 0x4;
const OPERATION: &str = "change the nftables table";
/// Before others that translate addresses, such as a container engine's rules at -100.
const PRIORITY: i32 = -110;
const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
/// Chains that the kernel goes to.
const DISPATCH: [&str; 2] = [PREROUTING, OUTPUT];
/// Maps from what a packet has to the chain of its service, in the order in which they are asked.
const MAPS: [ServiceMap; 5] = [
    ServiceMap::Marks,
    ServiceMap::Ports(Family::V4),
    ServiceMap::Addresses(Family::V4),
    ServiceMap::Ports(Family::V6),
    ServiceMap::Addresses(Family::V6),
];
/// The set of all destinations.
const SERVERS: &str = "servers";

/// A table of nftables that balances.
#[derive(Debug)]
pub struct Balancer {
    nftables: Nftables,
    place: Place,
    state: State,
    services: ServiceTable,
    closings: Closings,
    /// As it was after our last change or reading.
    generation: u32,
}

/// What is known of the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet.
    Unread,
    /// It is not there, or not as we write it, and has to be made anew.
    Missing,
    /// It has the services that we know.
    Known,
}

impl Balancer {
    /// Opens nftables in the calling thread's network namespace, where it stays. Nothing is changed yet.
    ///
    /// # Errors
    /// `Refused` when the kernel has no nftables or permission is missing.
    pub fn open(table: &str) -> Result<Self, Error> {
        let mut nftables = Nftables::open()?;
        let generation = nftables.generation()?;
        let place = Place { family: INET, table: table.to_owned() };
        let closings = Closings::open()?;
        let (state, services) = (State::Unread, ServiceTable::new());
        Ok(Self { nftables, place, state, services, closings, generation })
    }

    /// What is balanced. A table that somebody has changed counts as empty, and the next change makes it
    /// anew.
    ///
    /// # Errors
    /// `Refused` without permission, `Retry` when the table kept changing.
    pub fn read(&mut self) -> Result<ServiceTable, Error> {
        self.generation = self.nftables.generation()?;
        let (state, services) = match read::read(&mut self.nftables, &self.place)? {
            Found::Absent | Found::Damaged => (State::Missing, ServiceTable::new()),
            Found::Table { flags, services } => {
                if flags & OURS == PERSISTENT {
                    // The process that it belonged to is gone.
                    self.transact(vec![self.place.new_table(OURS)])?;
                }
                (State::Known, services)
            }
        };
        (self.state, self.services) = (state, services);
        Ok(self.services.clone())
    }

    /// Whether somebody else has changed anything in nftables since we last looked or changed it: then it
    /// is time to [`Self::read`]. Costs one short question.
    ///
    /// # Errors
    /// Only those of a socket that does not work.
    pub fn is_disturbed(&mut self) -> Result<bool, Error> {
        Ok(self.nftables.generation()? != self.generation)
    }

    /// Makes changes, those of one call at once as far as a batch of the kernel can hold them. One answer
    /// each, in order.
    pub fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>> {
        let ready = match self.state {
            State::Unread => self.read().map(drop).and_then(|()| self.prepare()),
            State::Missing => self.prepare(),
            State::Known => Ok(()),
        };
        if let Err(error) = ready {
            return changes.iter().map(|_| Err(again(&error))).collect();
        }
        let mut wanted = BTreeMap::new();
        let answers: Vec<_> = changes
            .iter()
            .map(|change| {
                let key = change_key(change);
                let service = wanted.entry(key).or_insert_with(|| self.services.get(&key).cloned());
                fold(service, change)
            })
            .collect();
        let failures = self.write(wanted);
        self.closings.close();
        let answer = |(change, answer): (&ServiceChange, Result<(), Error>)| {
            answer.and_then(|()| match failures.get(&change_key(change)) {
                Some(error) => Err(again(error)),
                None => Ok(()),
            })
        };
        changes.iter().zip(answers).map(answer).collect()
    }

    /// How many connections a destination has, also one that was removed: those of TCP that are not over,
    /// and all that are not forgotten of other protocols.
    ///
    /// # Errors
    /// `Refused` without permission.
    pub fn connections(&mut self, key: &ServiceKey, to: &DestinationKey) -> Result<u32, Error> {
        self.closings.count(key, to)
    }

    /// Removes the table with all that is in it.
    ///
    /// # Errors
    /// `Refused` without permission, or when it belongs to another process.
    pub fn remove_all(&mut self) -> Result<(), Error> {
        let batch = vec![self.place.any_table(), self.place.delete_table()];
        self.transact(batch)?;
        (self.state, self.services) = (State::Missing, ServiceTable::new());
        Ok(())
    }

    /// Makes the table, without services, in place of what is there.
    fn prepare(&mut self) -> Result<(), Error> {
        let ours = self.empty(OURS);
        self.transact(ours).or_else(|error| match error.class {
            // A kernel that knows no owners, or none that the table outlives.
            Class::Refused | Class::Bug => {
                let open = self.empty(0);
                self.transact(open)
            }
            Class::Retry | Class::Gone => Err(error),
        })?;
        (self.state, self.services) = (State::Known, ServiceTable::new());
        Ok(())
    }

    fn empty(&self, flags: u32) -> Vec<Message> {
        let place = &self.place;
        let mut batch = vec![place.any_table(), place.delete_table(), place.new_table(flags)];
        batch.extend(MAPS.map(|map| place.chain_map(map.name(), map.key())));
        batch.push(place.set(SERVERS, key::DESTINATION));
        for (chain, hook) in [(PREROUTING, 0), (OUTPUT, 3)] {
            batch.push(place.nat_chain(chain, hook, PRIORITY));
            let rules = dispatch();
            let count = rules.len();
            for (at, rule) in rules.into_iter().enumerate() {
                batch.push(place.rule(chain, rule, &dispatch_mark(at, count)));
            }
        }
        batch
    }

    /// Brings services to what is wanted; what failed, and why.
    fn write(
        &mut self,
        wanted: BTreeMap<ServiceKey, Option<Service>>,
    ) -> BTreeMap<ServiceKey, Error> {
        let mut failures = BTreeMap::new();
        let mut waiting: Vec<_> = Vec::new();
        let (mut batch, mut number, mut bytes) = (Vec::new(), 0, 0_usize);
        for (key, service) in wanted {
            let from = self.services.get(&key);
            if from == service.as_ref() {
                continue;
            }
            let mut own = Vec::new();
            self.step(&key, from, service.as_ref(), &mut number, &mut own);
            let length: usize = own.iter().map(Message::length).sum();
            if bytes.saturating_add(length) > self.nftables.room().saturating_sub(FRAME) {
                self.commit(
                    std::mem::take(&mut batch),
                    std::mem::take(&mut waiting),
                    &mut failures,
                );
                bytes = 0;
            }
            bytes = bytes.saturating_add(length);
            batch.extend(own);
            waiting.push((key, service));
        }
        self.commit(batch, waiting, &mut failures);
        failures
    }

    /// Does a batch; when it fails, service by service to find out which of them did.
    fn commit(
        &mut self,
        batch: Vec<Message>,
        services: Vec<(ServiceKey, Option<Service>)>,
        failures: &mut BTreeMap<ServiceKey, Error>,
    ) {
        let Err(error) = self.transact(batch) else {
            for (key, service) in services {
                self.known(key, service);
            }
            return;
        };
        if error.class == Class::Gone {
            // It is not as we know it.
            self.state = State::Unread;
        }
        if let [(key, _)] = services.as_slice() {
            failures.insert(*key, error);
            return;
        }
        for (key, service) in services {
            let mut own = Vec::new();
            self.step(&key, self.services.get(&key), service.as_ref(), &mut 0, &mut own);
            match self.transact(own) {
                Ok(()) => self.known(key, service),
                Err(error) => {
                    failures.insert(key, error);
                }
            }
        }
    }

    fn known(&mut self, key: ServiceKey, service: Option<Service>) {
        self.closings.after(&key, self.services.get(&key), service.as_ref());
        match service {
            Some(service) => self.services.insert(key, service),
            None => self.services.remove(&key),
        };
    }

    /// The messages that lead from one state of a service to another.
    fn step(
        &self,
        key: &ServiceKey,
        from: Option<&Service>,
        to: Option<&Service>,
        number: &mut u32,
        batch: &mut Vec<Message>,
    ) {
        let place = &self.place;
        let from = from.map(|service| Chain::new(key, service));
        let to = to.map(|service| Chain::new(key, service));
        let old = from.as_ref().map(|chain| records(key, &chain.service.destinations));
        let new = to.as_ref().map(|chain| records(key, &chain.service.destinations));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let gone: Vec<_> =
            old.iter().filter(|&e| new.binary_search_by(|n| n.cmp(e)).is_err()).cloned().collect();
        let come: Vec<_> =
            new.iter().filter(|&e| old.binary_search_by(|o| o.cmp(e)).is_err()).cloned().collect();
        place.delete(SERVERS, &gone, batch);
        place.add(SERVERS, &come, batch);
        let entry = |chain: &Chain<'_>| place::Element {
            key: key::service(key),
            value: place::Value::Chain(chain.name()),
            comment: None,
        };
        match (&from, &to) {
            (None, Some(to)) => batch.push(place.new_chain(&to.name())),
            (Some(from), None) => {
                place.delete(ServiceMap::of(key).name(), &[entry(from)], batch);
                batch.push(place.delete_chain(&from.name()));
            }
            (Some(from), Some(_)) => batch.push(place.delete_rules(&from.name())),
            (None, None) => {}
        }
        let memory = |chain: &Option<Chain<'_>>| {
            chain.as_ref().and_then(|chain| Some((chain.memory(place)?, chain.choice())))
        };
        let (before, after) = (memory(&from), memory(&to));
        if before.as_ref().map(|(_, choice)| choice) != after.as_ref().map(|(_, choice)| choice) {
            if let (Some(_), Some(from)) = (before, &from) {
                batch.push(place.delete_set(&from.memory_name()));
            }
            batch.extend(after.map(|(memory, _)| memory));
        }
        if let Some(to) = &to {
            to.rules(place, number, batch);
            if from.is_none() {
                place.add(ServiceMap::of(key).name(), &[entry(to)], batch);
            }
        }
    }

    fn transact(&mut self, batch: Vec<Message>) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.nftables.transact(OPERATION, batch)?;
        // Each transaction counts for one. If another one came in between, we take a second look.
        self.generation = self.generation.wrapping_add(1);
        Ok(())
    }
}

/// Bytes around a batch.
const FRAME: usize = 64;

/// The rules that lead new connections to the chains of their services.
fn dispatch() -> [Rule; 5] {
    MAPS.map(|map| {
        let key = register(0);
        let rule = match map {
            ServiceMap::Marks => Rule::new().meta(Meta::Family, key).meta(Meta::Mark, register(1)),
            ServiceMap::Ports(family) | ServiceMap::Addresses(family) => {
                let (number, protocol) = match family {
                    Family::V4 => (IPV4, 1),
                    Family::V6 => (IPV6, 4),
                };
                let rule = Rule::new().meta(Meta::Family, key).is(key, &[number]);
                let rule = rule.load(Field::Destination(family), key);
                let rule = rule.meta(Meta::Protocol, register(protocol));
                match map {
                    ServiceMap::Ports(_) => {
                        rule.load(Field::DestinationPort, register(protocol + 1))
                    }
                    ServiceMap::Addresses(_) | ServiceMap::Marks => rule,
                }
            }
        };
        rule.follow(SetName(map.name(), None), key)
    })
}

fn dispatch_mark(at: usize, count: usize) -> String {
    format!("standfast {at}/{count}")
}

const fn change_key(change: &ServiceChange) -> ServiceKey {
    match change {
        ServiceChange::AddService(key, _)
        | ServiceChange::EditService(key, _)
        | ServiceChange::RemoveService(key)
        | ServiceChange::AddDestination(key, _, _)
        | ServiceChange::EditDestination(key, _, _)
        | ServiceChange::RemoveDestination(key, _) => *key,
    }
}

/// Makes a change to a service, in memory.
fn fold(service: &mut Option<Service>, change: &ServiceChange) -> Result<(), Error> {
    let refuse = |errno, why| Err(Error::from_errno(OPERATION, errno, Some(why)));
    let (missing, taken) = ("there is no such service", "it is there already");
    match (change, service.as_mut()) {
        (ServiceChange::AddService(..), Some(_)) => refuse(libc::EEXIST, taken),
        (ServiceChange::AddService(_, scheduling), None) => {
            let scheduling = scheduling.clone();
            *service = Some(Service { scheduling, destinations: BTreeMap::new() });
            Ok(())
        }
        (_, None) => refuse(libc::ESRCH, missing),
        (ServiceChange::EditService(_, scheduling), Some(found)) => {
            found.scheduling.clone_from(scheduling);
            Ok(())
        }
        (ServiceChange::RemoveService(_), Some(_)) => {
            *service = None;
            Ok(())
        }
        (
            ServiceChange::AddDestination(key, to, destination)
            | ServiceChange::EditDestination(key, to, destination),
            Some(found),
        ) => {
            let adds = matches!(change, ServiceChange::AddDestination(..));
            match (adds, found.destinations.contains_key(to)) {
                (true, true) => return refuse(libc::EEXIST, taken),
                (false, false) => return refuse(libc::ENOENT, "there is no such destination"),
                (true, false) | (false, true) => {}
            }
            if let Err(why) = admit(key, found, to, destination) {
                return refuse(libc::EOPNOTSUPP, why);
            }
            found.destinations.insert(*to, *destination);
            Ok(())
        }
        (ServiceChange::RemoveDestination(_, to), Some(found)) => {
            match found.destinations.remove(to) {
                Some(_) => Ok(()),
                None => refuse(libc::ENOENT, "there is no such destination"),
            }
        }
    }
}

/// The same error, for another change that it struck.
fn again(error: &Error) -> Error {
    match error.source.raw_os_error() {
        Some(errno) => Error::from_errno(error.operation, errno, error.detail.as_deref()),
        None => Error::malformed(error.operation),
    }
}
