//! What balances in the kernel: IPVS or nftables, behind one trait.

use standfast_conf::Plane as Wanted;
use standfast_kernel::{Error, ipvs::Ipvs};
use standfast_types::{
    DestinationKey, ServiceChange, ServiceKey, ServiceTable, SyncDaemon, SyncRole, Timeouts,
};

/// A table of services in the kernel.
pub(super) trait Plane: std::fmt::Debug {
    /// What it is called in the log.
    fn name(&self) -> &'static str;

    /// All that is in it, by whomever.
    fn read(&mut self) -> Result<ServiceTable, Error>;

    /// Makes changes in their order; one answer each.
    fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>>;

    /// How many connections a destination has.
    fn connections(&mut self, of: &ServiceKey, to: &DestinationKey) -> Result<u32, Error>;

    /// Removes all services, those of others too.
    fn flush(&mut self) -> Result<(), Error>;

    /// How long idle connections are remembered; `false` when that is not in its power.
    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<bool, Error>;

    /// Starts or stops the copying of connections; `false` when it knows no such thing.
    fn copy(&mut self, role: SyncRole, daemon: Option<&SyncDaemon>) -> Result<bool, Error>;
}

impl Plane for Ipvs {
    fn name(&self) -> &'static str {
        "IPVS"
    }

    fn read(&mut self) -> Result<ServiceTable, Error> {
        self.read()
    }

    fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>> {
        self.apply(changes)
    }

    fn connections(&mut self, of: &ServiceKey, to: &DestinationKey) -> Result<u32, Error> {
        self.connections(of, to)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.flush()
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<bool, Error> {
        self.set_timeouts(timeouts).map(|()| true)
    }

    fn copy(&mut self, role: SyncRole, daemon: Option<&SyncDaemon>) -> Result<bool, Error> {
        match daemon {
            Some(daemon) => self.start_sync(role, daemon),
            None => self.stop_sync(role),
        }
        .map(|()| true)
    }
}

/// Opens what is wanted, in the calling thread's network namespace, where it stays.
///
/// # Errors
/// Why it can't be had, in words.
pub(super) fn open(wanted: Wanted) -> Result<Box<dyn Plane + Send>, String> {
    match wanted {
        Wanted::Auto | Wanted::Ipvs => match Ipvs::open() {
            Ok(ipvs) => Ok(Box::new(ipvs)),
            Err(error) => Err(format!("IPVS: failed to {error}")),
        },
        Wanted::Nftables => Err("nftables is not active in this version".to_owned()),
    }
}
