//! Which addresses this machine has, for services that are suspended while it has not theirs (`ha_suspend`).

use std::{collections::BTreeSet, net::IpAddr};

use standfast_balance::Input;
use standfast_kernel::{
    Error,
    netlink::{Address, Change, Monitor, MonitorError, Netlink},
};
use standfast_types::IfIndex;

/// The addresses, and what tells of changes.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) monitor: Monitor,
    held: BTreeSet<(IpAddr, IfIndex)>,
}

impl Addresses {
    /// Begins to follow them; all that are there come first.
    pub(super) fn open() -> Result<(Self, Vec<Input>), Error> {
        let mut addresses = Self { monitor: Monitor::of_addresses()?, held: BTreeSet::new() };
        let inputs = addresses.survey()?;
        Ok((addresses, inputs))
    }

    /// Reads them all; what differs from what was known.
    fn survey(&mut self) -> Result<Vec<Input>, Error> {
        let place = |address: Address| (address.prefix.address(), address.index);
        let now: BTreeSet<_> = Netlink::open()?.addresses()?.into_iter().map(place).collect();
        let before = std::mem::replace(&mut self.held, now);
        let ip = |places: &BTreeSet<(IpAddr, IfIndex)>| -> BTreeSet<IpAddr> {
            places.iter().map(|(ip, _)| *ip).collect()
        };
        let (before, now) = (ip(&before), ip(&self.held));
        let gone = before.difference(&now).map(|ip| Input::Address(*ip, false));
        Ok(gone.chain(now.difference(&before).map(|ip| Input::Address(*ip, true))).collect())
    }

    /// What has changed.
    pub(super) fn changes(&mut self) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        loop {
            match self.monitor.next() {
                Ok(Some(change)) => inputs.extend(self.follow(change)),
                Ok(None) => return Ok(inputs),
                Err(MonitorError::Overrun) => inputs.extend(self.survey()?),
                Err(MonitorError::Failed(error)) => return Err(error),
            }
        }
    }

    fn follow(&mut self, change: Change) -> Option<Input> {
        let (address, there) = match change {
            Change::Address(address) => (address, true),
            Change::AddressGone(address) => (address, false),
            Change::Link(_)
            | Change::LinkGone { .. }
            | Change::RouteGone(_)
            | Change::RuleGone(_) => return None,
        };
        let ip = address.prefix.address();
        let had = self.holds(ip);
        if there {
            self.held.insert((ip, address.index));
        } else {
            self.held.remove(&(ip, address.index));
        }
        let has = self.holds(ip);
        (had != has).then_some(Input::Address(ip, has))
    }

    fn holds(&self, ip: IpAddr) -> bool {
        self.held.range((ip, IfIndex::ANY)..).next().is_some_and(|(held, _)| *held == ip)
    }
}
