//! Pools of servers: what the process that checks and balances is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use standfast_balance::{Config, Endpoint};
use standfast_health::{Check, Kind, Redis};
use standfast_types::{
    Command, Family, InstanceName, ServiceKey, ServiceName, SyncDaemon, Timeouts,
};

use crate::settings::{Fifo, Running};

/// Everything about virtual servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The balancing brain's configuration.
    pub balance: Config,
    /// What to run when a virtual server changes, and who gets a mail; those with neither are left out.
    pub notify: BTreeMap<ServiceName, ServiceNotify>,
    /// How the kernel balances.
    pub plane: Plane,
    /// `lvs_timeouts`
    pub timeouts: Timeouts,
    /// `lvs_sync_daemon`
    pub sync: Option<Sync>,
    /// `lvs_flush`: at start, everything goes that others made.
    pub flush: bool,
    /// `lvs_flush_on_stop`
    pub flush_on_stop: FlushOnStop,
    /// Groups whose packets nftables marks, so that one service takes them all (`nftables_ipvs`).
    pub marks: Option<Marks>,
    /// `SSL`: what we show to servers that ask who we are.
    pub identity: Identity,
    /// `lvs_notify_fifo`
    pub fifo: Option<Fifo>,
    /// `net_namespace_ipvs`; `Some("")` is the default namespace.
    pub namespace: Option<String>,
    /// How the process runs (`checker_*`, `lvs_netlink_*`).
    pub running: Running,
    /// `checker_rt_priority`, 1..=99.
    pub realtime_priority: Option<u8>,
    /// `checker_priority`, -20..=19.
    pub nice: Option<i8>,
    /// `checker_no_swap`
    pub no_swap: bool,
    /// `no_checker_emails`: mails about servers, not about each of their checks.
    pub no_check_mails: bool,
}

/// What stands in place of a secret.
const MASK: &str = "********";

impl Pool {
    /// Hides passwords, before it is shown.
    pub(crate) fn mask_secrets(&mut self) {
        if let Some(password) = &mut self.identity.password {
            MASK.clone_into(password);
        }
        let servers = self.balance.services.iter_mut().flat_map(|service| &mut service.servers);
        for check in servers.flat_map(|server| &mut server.checks) {
            let Kind::Redis(redis) = &check.kind else { continue };
            if redis.password.is_some() {
                let redis = Redis { password: Some(MASK.into()), ..(**redis).clone() };
                *check =
                    Arc::new(Check { kind: Kind::Redis(Box::new(redis)), ..(**check).clone() });
            }
        }
    }
}

/// What balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// IPVS where the kernel has it, else nftables.
    #[default]
    Auto,
    /// IPVS.
    Ipvs,
    /// nftables.
    Nftables,
}

/// `lvs_sync_daemon`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// How.
    pub daemon: SyncDaemon,
    /// Whose master sends, while others receive; `None`: both at once.
    pub instance: Option<InstanceName>,
}

/// `lvs_flush_on_stop`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// Services are removed one by one.
    #[default]
    No,
    /// Ours go.
    Ours,
    /// Everything goes.
    All,
}

/// Groups whose packets nftables marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// `nftables_ipvs`: the table.
    pub table: String,
    /// `nftables_ipvs_priority`
    pub priority: i32,
    /// Which packets get which mark.
    pub groups: Vec<MarkedGroup>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedGroup {
    /// The mark.
    pub mark: u32,
    /// Of which packets.
    pub family: Family,
    /// Addresses and ports; marks are never among them.
    pub members: BTreeSet<ServiceKey>,
}

/// Files of the `SSL` block. The supervisor reads them: the process that checks never touches the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `ca`
    pub ca: Option<String>,
    /// `certificate`
    pub certificate: Option<String>,
    /// `key`
    pub key: Option<String>,
    /// `password` of the key.
    pub password: Option<String>,
}

/// What to run when a virtual server changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceNotify {
    /// `quorum_up`
    pub quorum_up: Option<Command>,
    /// `quorum_down`
    pub quorum_down: Option<Command>,
    /// `smtp_alert`, defaults applied.
    pub mail: bool,
    /// What to run when one of its servers changes.
    #[serde(with = "pairs")]
    pub servers: BTreeMap<Endpoint, ServerNotify>,
}

/// What to run when a real server changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerNotify {
    /// `notify_up`
    pub up: Option<Command>,
    /// `notify_down`
    pub down: Option<Command>,
    /// `smtp_alert`, defaults applied.
    pub mail: bool,
}

/// JSON has only text as keys.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};
    use standfast_balance::Endpoint;

    use super::ServerNotify;

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Endpoint, ServerNotify>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Endpoint, ServerNotify>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}
