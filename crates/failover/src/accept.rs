//! `no_accept`: packets for addresses that are only there to be forwarded to are dropped.
//!
//! The rules stand as long as the instance does, whoever is master: where an address is not installed they
//! match nothing, and so a takeover neither waits for them nor has a moment without them.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use standfast_types::InterfaceName;
use standfast_vrrp::StateName;

use crate::{Output, instance::Instance};

/// Where the rules stand (`nftables` and its kin).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// The table.
    pub table: String,
    /// Of its chains; lower runs earlier.
    pub priority: i32,
    /// Whether its rules count packets.
    pub counters: bool,
}

impl Default for Firewall {
    fn default() -> Self {
        Self { table: "keepalived".to_owned(), priority: -1, counters: false }
    }
}

/// Which addresses' packets are dropped, and what the world was told of that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocking {
    pub(crate) firewall: Firewall,
    told: (Firewall, BTreeSet<(IpAddr, InterfaceName)>),
}

impl Blocking {
    pub(crate) fn new(firewall: Firewall) -> Self {
        Self { firewall, ..Self::default() }
    }

    pub(crate) fn update<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Instance>,
        out: &mut VecDeque<Output>,
    ) {
        let instances = instances.filter(|instance| instance.blocks());
        let wanted: BTreeSet<_> = instances.flat_map(Instance::blocked).collect();
        let mut tell = |firewall: &Firewall, addresses| {
            out.push_back(Output::Block { firewall: firewall.clone(), addresses });
        };
        let (firewall, told) = &self.told;
        let moved = *firewall != self.firewall && !told.is_empty();
        if moved {
            tell(firewall, BTreeSet::new());
        }
        if wanted != *told || moved {
            tell(&self.firewall, wanted.clone());
        }
        self.told = (self.firewall.clone(), wanted);
    }
}

impl Instance {
    /// An owner takes what is sent to its addresses, whatever the file says.
    fn blocks(&self) -> bool {
        !self.config.accept
            && !self.config.router.priority.is_owner()
            && self.router.snapshot().state != StateName::Stop
    }

    fn blocked(&self) -> impl Iterator<Item = (IpAddr, InterfaceName)> {
        let addresses = self.config.addresses.iter();
        addresses.map(|held| (held.prefix.address(), self.name_of(&held.interface).clone()))
    }
}
