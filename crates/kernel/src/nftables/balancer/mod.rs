//! Connections spread over servers by nftables, where the kernel has no IPVS.
//!
//! One table of our own. A map leads from a service's address, protocol and port to its chain, whose rules
//! draw a number and find a destination for it; the kernel's connection tracking translates the rest of
//! the connection. What can't be told from rules stands in comments, so that the table can be read again
//! by the next process, and by people with `nft list`. Where the kernel can (6.9), the table belongs to this
//! process: nobody else changes it, and it stays when the process dies.

mod chain;
mod closing;
mod direct;
mod key;
mod links;
pub mod marks;
mod place;
mod read;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod wheel;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use standfast_types::{
    DestinationKey, Forwarding, Service, ServiceChange, ServiceKey, ServiceTable,
};

use super::transaction::Nftables;
use crate::{
    error::{Class, Error},
    netlink::message::Message,
};
use chain::admit;
use closing::Closings;
use links::Neighbours;
use read::Found;
pub use read::parse_elements;
use table::{LEFT, OWNED, Side};
use write::Step;

const OPERATION: &str = "change the nftables table";
/// Bytes around a batch.
const FRAME: usize = 64;

/// Tables of nftables that balance.
#[derive(Debug)]
pub struct Balancer {
    nftables: Nftables,
    table: String,
    /// `None` before the first reading.
    known: Option<BTreeSet<Side>>,
    services: ServiceTable,
    neighbours: Neighbours,
    closings: Closings,
    /// As it was after our last change or reading.
    generation: u32,
}

impl Balancer {
    /// Opens nftables in the calling thread's network namespace, where it stays. Nothing is changed yet.
    ///
    /// # Errors
    /// `Refused` when the kernel has no nftables or permission is missing.
    pub fn open(table: &str) -> Result<Self, Error> {
        let mut nftables = Nftables::open()?;
        let generation = nftables.generation()?;
        Ok(Self {
            nftables,
            table: table.to_owned(),
            known: None,
            services: ServiceTable::new(),
            neighbours: Neighbours::open()?,
            closings: Closings::open(table)?,
            generation,
        })
    }

    /// Makes room for at least so many received bytes; with `force`, beyond the system's limit.
    ///
    /// # Errors
    /// `Refused` to be forced without `CAP_NET_ADMIN`.
    pub fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        self.nftables.widen(bytes, force)
    }

    /// What is balanced. A table that somebody has changed counts as empty, and the next change makes it
    /// anew.
    ///
    /// # Errors
    /// `Refused` without permission, `Retry` when the table kept changing.
    pub fn read(&mut self) -> Result<ServiceTable, Error> {
        self.known = None;
        self.generation = self.nftables.generation()?;
        let (mut known, mut all) = (BTreeSet::new(), ServiceTable::new());
        for side in Side::BOTH {
            let place = side.place(&self.table);
            match read::read(&mut self.nftables, side, &place)? {
                Found::Absent | Found::Damaged => {}
                Found::Table { flags, services, links } => {
                    if flags & OWNED == LEFT {
                        // The process that it belonged to is gone.
                        self.transact(vec![place.new_table(OWNED)])?;
                    }
                    if side == Side::Direct {
                        self.neighbours.adopt(links);
                    }
                    known.insert(side);
                    all.extend(services);
                }
            }
        }
        self.services.clone_from(&all);
        let serves_directly = known.contains(&Side::Direct);
        self.known = Some(known);
        if serves_directly {
            self.follow_links()?;
        }
        Ok(all)
    }

    /// Whether somebody else has changed anything in nftables since we last looked or changed it, or the
    /// interfaces of direct return: then it is time to [`Self::read`]. Costs one short question, or two.
    ///
    /// # Errors
    /// Only those of a socket that does not work.
    pub fn is_disturbed(&mut self) -> Result<bool, Error> {
        let direct = self.known.as_ref().is_some_and(|known| known.contains(&Side::Direct));
        Ok(self.nftables.generation()? != self.generation
            || (direct && self.neighbours.have_changed()?))
    }

    /// Makes changes, those of one call at once as far as a batch of the kernel can hold them. One answer
    /// each, in order.
    pub fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>> {
        if let Err(error) = self.prepare(changes) {
            return changes.iter().map(|_| Err(again(&error))).collect();
        }
        let mut wanted = BTreeMap::new();
        let answers: Vec<_> = changes
            .iter()
            .map(|change| {
                let key = change_key(change);
                let service = wanted.entry(key).or_insert_with(|| self.services.get(&key).cloned());
                self.neighbours.find(change)?;
                fold(service, change)
            })
            .collect();
        let failures = self.write(wanted);
        self.closings.close(&mut self.nftables);
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
        self.closings.count(&mut self.nftables, self.services.get(key), key, to)
    }

    /// Removes our tables with all that is in them.
    ///
    /// # Errors
    /// `Refused` without permission, or when they belong to another process.
    pub fn remove_all(&mut self) -> Result<(), Error> {
        let places = Side::BOTH.map(|side| side.place(&self.table));
        let batch = places.iter().flat_map(|place| [place.any_table(), place.delete_table()]);
        self.transact(batch.collect())?;
        (self.known, self.services) = (Some(BTreeSet::new()), ServiceTable::new());
        Ok(())
    }

    /// Makes the tables that changes need, without services, in place of what is there.
    fn prepare(&mut self, changes: &[ServiceChange]) -> Result<(), Error> {
        if self.known.is_none() {
            self.read()?;
        }
        let direct = changes.iter().any(is_direct);
        for side in Side::BOTH {
            let is_there = self.known.as_ref().is_some_and(|known| known.contains(&side));
            if !is_there && (side == Side::Translated || direct) {
                self.make(side)?;
            }
        }
        Ok(())
    }

    fn make(&mut self, side: Side) -> Result<(), Error> {
        let place = side.place(&self.table);
        let links = match side {
            Side::Translated => Vec::new(),
            Side::Direct => self.neighbours.renew()?,
        };
        self.transact(side.empty(&place, OWNED, &links)).or_else(|error| match error.class {
            // A kernel that knows no owners, or none that the table outlives.
            Class::Refused | Class::Bug => self.transact(side.empty(&place, 0, &links)),
            Class::Retry | Class::Gone => Err(error),
        })?;
        self.known.get_or_insert_default().insert(side);
        Ok(())
    }

    /// Listens to the interfaces that there are now, and finds servers again.
    fn follow_links(&mut self) -> Result<(), Error> {
        let place = Side::Direct.place(&self.table);
        let old = self.neighbours.links().clone();
        let before = read::links(&mut self.nftables, &place)?;
        let now = self.neighbours.renew()?;
        if before != now {
            self.transact(Side::Direct.enter_anew(&place, &before, &now))?;
        }
        let (mut number, mut batch) = (0, Vec::new());
        for (key, service) in self.services.iter().filter(|(_, service)| serves_directly(service)) {
            let mut moved = false;
            for to in service
                .destinations
                .keys()
                .filter(|to| old.get(&to.address) != self.neighbours.links().get(&to.address))
                .map(|to| to.address)
                .collect::<Vec<_>>()
            {
                // One that can't be found now is found when interfaces change again.
                moved |= self.neighbours.look_for(to).is_ok();
            }
            if moved {
                let links = [&old, self.neighbours.links()];
                let (from, to) = (Some(service), Some(service));
                Step { table: &self.table, key, from, to, links }.write(&mut number, &mut batch);
            }
        }
        self.transact(batch)
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
            if self.services.get(&key) == service.as_ref() {
                continue;
            }
            let own = self.step(&key, service.as_ref(), &mut number);
            let length: usize = own.iter().map(Message::length).sum();
            if bytes.saturating_add(length) > self.nftables.room().saturating_sub(FRAME) {
                let services = std::mem::take(&mut waiting);
                self.commit(std::mem::take(&mut batch), services, &mut failures);
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
                self.has(key, service);
            }
            return;
        };
        if error.class == Class::Gone {
            // It is not as we know it.
            self.known = None;
        }
        if let [(key, _)] = services.as_slice() {
            failures.insert(*key, error);
            return;
        }
        for (key, service) in services {
            let own = self.step(&key, service.as_ref(), &mut 0);
            match self.transact(own) {
                Ok(()) => self.has(key, service),
                Err(error) => {
                    failures.insert(key, error);
                }
            }
        }
    }

    fn step(&self, key: &ServiceKey, to: Option<&Service>, number: &mut u32) -> Vec<Message> {
        let mut batch = Vec::new();
        let links = [self.neighbours.links(); 2];
        let from = self.services.get(key);
        Step { table: &self.table, key, from, to, links }.write(number, &mut batch);
        batch
    }

    /// The kernel has it.
    fn has(&mut self, key: ServiceKey, service: Option<Service>) {
        self.closings.after(&key, self.services.get(&key), service.as_ref());
        match service {
            Some(service) => self.services.insert(key, service),
            None => self.services.remove(&key),
        };
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

fn serves_directly(service: &Service) -> bool {
    let first = service.destinations.values().next();
    first.is_some_and(|destination| destination.forwarding == Forwarding::DirectRouting)
}

const fn is_direct(change: &ServiceChange) -> bool {
    match change {
        ServiceChange::AddDestination(_, _, to) | ServiceChange::EditDestination(_, _, to) => {
            matches!(to.forwarding, Forwarding::DirectRouting)
        }
        ServiceChange::AddService(..)
        | ServiceChange::EditService(..)
        | ServiceChange::RemoveService(_)
        | ServiceChange::RemoveDestination(..) => false,
    }
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
