//! IPVS: the kernel's own load balancer.
//!
//! ```no_run
//! use standfast_kernel::ipvs::Ipvs;
//! use standfast_types::{Scheduler, Scheduling, ServiceChange, ServiceKey, Transport};
//!
//! let mut ipvs = Ipvs::open()?;
//! let address = [192, 0, 2, 1].into();
//! let key = ServiceKey::Address { address, port: 80, transport: Transport::Tcp };
//! let add = ServiceChange::AddService(key, Scheduling::new(Scheduler::Wlc));
//! for answer in ipvs.apply(&[add]) {
//!     answer?;
//! }
//! assert!(ipvs.read()?.contains_key(&key));
//! # Ok::<(), standfast_kernel::Error>(())
//! ```
//!
//! The kernel says nothing of its own accord: what others change is found by reading.

mod apply;
mod closing;
mod destination;
mod service;
mod statistics;
mod sync;
#[cfg(test)]
mod tests;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet};

use standfast_types::{
    DestinationKey, Family, Scheduling, Service, ServiceKey, ServiceTable, Transport,
};

pub use destination::parse_destination;
pub use service::parse_service;
pub use statistics::{Counters, Usage};

use self::closing::Closings;
use crate::{
    error::Error,
    netlink::{NLM_F_DUMP, generic::Generic, message::Message},
};

const NAME: &str = "IPVS";
const VERSION: u8 = 1;

const GET_SERVICE: u8 = 4;
const GET_DESTINATION: u8 = 8;
const FLUSH: u8 = 17;

/// First level of a message.
const SERVICE: u16 = 1;
const DESTINATION: u16 = 2;

/// The kernel's balancer in one network namespace.
#[derive(Debug)]
pub struct Ipvs {
    generic: Generic,
    /// What the kernel has, as far as was read and changed here. It does not know [`Closing`], so
    /// that part is known here alone.
    ///
    /// [`Closing`]: standfast_types::Closing
    known: BTreeMap<ServiceKey, Scheduling>,
    closings: Closings,
    /// Removed, but with connections that are kept; they get no new ones.
    lingering: BTreeSet<(ServiceKey, DestinationKey)>,
    changes: u64,
}

impl Ipvs {
    /// Opens it in the calling thread's network namespace, where it stays. The kernel loads its
    /// module where it has to.
    ///
    /// # Errors
    /// `Gone` where the kernel has no IPVS.
    pub fn open() -> Result<Self, Error> {
        let generic = Generic::open("find IPVS in the kernel", NAME, VERSION)?;
        Ok(Self {
            generic,
            known: BTreeMap::new(),
            closings: Closings::default(),
            lingering: BTreeSet::new(),
            changes: 0,
        })
    }

    /// Whether the calling thread can use IPVS in its network namespace.
    #[must_use]
    pub fn is_available() -> bool {
        Self::open().and_then(|mut ipvs| ipvs.timeouts()).is_ok()
    }

    /// Makes room for at least so many received bytes; with `force`, beyond the system's limit.
    ///
    /// # Errors
    /// `Refused` to be forced without `CAP_NET_ADMIN`.
    pub fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        self.generic.netlink.widen(bytes, force)
    }

    /// How many messages that change something were sent to the kernel since it was opened.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Reads all services and destinations. Those that no [`ServiceTable`] can have, with a
    /// scheduler of somebody else's say, are left out, as are removed destinations that keep their
    /// connections; of these it removes those whose last connection has ended.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn read(&mut self) -> Result<ServiceTable, Error> {
        let request = self.generic.message(GET_SERVICE, NLM_F_DUMP);
        let services =
            self.generic
                .netlink
                .dump("read virtual services", &request, |_, bytes| parse_service(bytes))?;
        let mut table = ServiceTable::new();
        let mut ended = Vec::new();
        for (key, mut scheduling) in services {
            if let Some(known) = self.known.get(&key) {
                scheduling.closing = known.closing;
            }
            let mut destinations = BTreeMap::new();
            for (destination, value, usage) in self.destinations(&key)? {
                if value.weight == 0 && self.lingering.contains(&(key, destination)) {
                    if usage.active_connections == 0 && usage.inactive_connections == 0 {
                        ended.push((key, destination));
                    }
                    continue;
                }
                destinations.insert(destination, value);
            }
            table.insert(key, Service { scheduling, destinations });
        }
        self.known =
            table.iter().map(|(key, service)| (*key, service.scheduling.clone())).collect();
        self.lingering.retain(|(key, _)| table.contains_key(key));
        self.remove_ended(ended);
        Ok(table)
    }

    /// How many connections a destination has: established ones of TCP and SCTP, all that are not
    /// forgotten of UDP and of marks. 0 for one that is not there.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn connections(&mut self, key: &ServiceKey, to: &DestinationKey) -> Result<u32, Error> {
        let found = self.destinations(key)?.into_iter().find(|(found, _, _)| found == to);
        let Some((_, _, usage)) = found else { return Ok(0) };
        Ok(match key {
            ServiceKey::Address { transport: Transport::Tcp | Transport::Sctp, .. } => {
                usage.active_connections
            }
            ServiceKey::Address { transport: Transport::Udp, .. } | ServiceKey::Mark { .. } => {
                usage.active_connections.saturating_add(usage.inactive_connections)
            }
        })
    }

    /// What a service and each of its destinations have done so far.
    ///
    /// # Errors
    /// `Gone` for a service that is not there.
    pub fn usage(
        &mut self,
        key: &ServiceKey,
    ) -> Result<(Counters, BTreeMap<DestinationKey, Usage>), Error> {
        let request = self.generic.message(GET_SERVICE, 0).append(service::key(key)).asking();
        let counters =
            self.generic
                .netlink
                .get("read a virtual service", request, |_, bytes| service::counters(bytes))?;
        let destinations = self.dump_destinations(key, parse_destination)?;
        Ok((counters, destinations.into_iter().map(|(key, _, usage)| (key, usage)).collect()))
    }

    /// Removes all services, those of others too.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn flush(&mut self) -> Result<(), Error> {
        let request = self.generic.message(FLUSH, 0);
        self.change("remove all virtual services", request)?;
        self.known.clear();
        self.lingering.clear();
        Ok(())
    }

    /// The destinations of a service, without counters.
    fn destinations(&mut self, of: &ServiceKey) -> Result<Vec<destination::Entry>, Error> {
        self.dump_destinations(of, destination::parse_without_counters)
    }

    fn dump_destinations(
        &mut self,
        of: &ServiceKey,
        parse: impl Fn(Family, &[u8]) -> Option<destination::Entry>,
    ) -> Result<Vec<destination::Entry>, Error> {
        let request = self.generic.message(GET_DESTINATION, NLM_F_DUMP).append(service::key(of));
        let operation = "read real servers";
        self.generic.netlink.dump(operation, &request, |_, bytes| parse(of.family(), bytes))
    }

    /// Sends one message that changes something.
    fn change(&mut self, operation: &'static str, message: Message) -> Result<(), Error> {
        self.changes = self.changes.saturating_add(1);
        self.generic.netlink.request(operation, message.asking())
    }
}
