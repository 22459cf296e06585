//! What balances in the kernel: IPVS or nftables, behind one trait.

use standfast_conf::Plane as Wanted;
use standfast_kernel::{Error, ipvs::Ipvs, nftables::balancer::Balancer};
use standfast_types::{
    DestinationKey, ServiceChange, ServiceKey, ServiceTable, SyncDaemon, SyncRole, Timeouts,
};

/// A table of services in the kernel.
pub(super) trait Plane: std::fmt::Debug {
    /// What it is called in the log.
    fn name(&self) -> &'static str;

    /// Makes room for what its socket receives.
    fn widen(&self, bytes: usize, force: bool) -> Result<(), Error>;

    /// Whether somebody else may have changed something since we last looked.
    fn is_disturbed(&mut self) -> Result<bool, Error>;

    /// All that is in it, by whomever.
    fn read(&mut self) -> Result<ServiceTable, Error>;

    /// Makes changes in their order; one answer each.
    fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>>;

    /// How many connections a destination has.
    fn connections(&mut self, of: &ServiceKey, to: &DestinationKey) -> Result<u32, Error>;

    /// Removes all services, those of others too.
    fn flush(&mut self) -> Result<(), Error>;

    /// Our services are gone: nothing of ours stays.
    fn close(&mut self) -> Result<(), Error>;

    /// How long idle connections are remembered; `false` when that is not in its power.
    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<bool, Error>;

    /// Starts or stops the copying of connections; `false` when it knows no such thing.
    fn copy(&mut self, role: SyncRole, daemon: Option<&SyncDaemon>) -> Result<bool, Error>;
}

impl Plane for Ipvs {
    fn name(&self) -> &'static str {
        "IPVS"
    }

    fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        self.widen(bytes, force)
    }

    fn is_disturbed(&mut self) -> Result<bool, Error> {
        // The kernel tells nobody.
        Ok(true)
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

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
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

impl Plane for Balancer {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        self.widen(bytes, force)
    }

    fn is_disturbed(&mut self) -> Result<bool, Error> {
        self.is_disturbed()
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
        self.remove_all()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.remove_all()
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<bool, Error> {
        Ok(*timeouts == Timeouts::default())
    }

    fn copy(&mut self, _role: SyncRole, daemon: Option<&SyncDaemon>) -> Result<bool, Error> {
        Ok(daemon.is_none())
    }
}

/// Opens what is wanted, in the calling thread's network namespace, where it stays. With nftables, `table` is
/// ours.
///
/// # Errors
/// Why it can't be had, in words.
pub(super) fn open(wanted: Wanted, table: &str) -> Result<Box<dyn Plane + Send>, String> {
    let ipvs = || Ipvs::open().map_err(|error| format!("no IPVS: failed to {error}"));
    let nftables =
        || Balancer::open(table).map_err(|error| format!("no nftables: failed to {error}"));
    match wanted {
        Wanted::Ipvs => Ok(Box::new(ipvs()?)),
        Wanted::Nftables => Ok(Box::new(nftables()?)),
        Wanted::Auto => match ipvs() {
            Ok(ipvs) => Ok(Box::new(ipvs)),
            Err(first) => match nftables() {
                Ok(balancer) => Ok(Box::new(balancer)),
                Err(second) => Err(format!("{first}; {second}")),
            },
        },
    }
}
