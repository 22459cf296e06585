//! The checked model: what the daemon runs, every default resolved.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{Command, FileName, GroupName, InstanceName, ScriptName};

use crate::pool::Pool;
use crate::settings::{Dumps, Fifos, Mail, Place, Running, Supervision};

/// A configuration that can run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Settings of the whole process.
    pub global: Global,
    /// Instances of the file that cannot run, as a diagnostic says.
    pub left_out: Vec<InstanceName>,
    /// The failover brain's configuration.
    pub failover: standfast_failover::Config,
    /// How to run the scripts that `failover` counts, in the order of the file.
    pub scripts: Vec<Script>,
    /// The files whose numbers `failover` follows.
    pub files: Vec<TrackedFile>,
    /// What to run when an instance changes; instances without any are left out.
    pub notify: BTreeMap<InstanceName, Notify>,
    /// Instances that run in strict mode.
    pub strict: BTreeSet<InstanceName>,
    /// What to run when a sync group changes; groups without any are left out.
    pub group_notify: BTreeMap<GroupName, Notify>,
    /// Pools of servers.
    pub pool: Pool,
}

impl Model {
    /// The same without passwords and keys, to be shown.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut model = self.clone();
        for instance in &mut model.failover.instances {
            instance.router.authentication = instance.router.authentication.masked();
        }
        model.pool.mask_secrets();
        model
    }
}

/// Settings of the whole process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// `router_id`; else the host's name.
    pub router_id: Option<String>,
    /// `vrrp_rt_priority`: real-time priority of the VRRP process, 1..=99.
    pub realtime_priority: Option<u8>,
    /// `vrrp_priority`: its nice value, -20..=19.
    pub nice: Option<i8>,
    /// `enable_script_security`: scripts that others than root can change are refused.
    pub script_security: bool,
    /// FIFOs that get a line for every event.
    pub fifos: Fifos,
    /// Mails about changes; `None` when there is nobody to write to or no server.
    pub mail: Option<Mail>,
    /// `json_version`, 1 or 2.
    pub json_version: Option<u8>,
    /// Where dumps go, and under which names.
    pub dumps: Dumps,
    /// Which of several daemons this is.
    pub place: Place,
    /// What surrounds the life of the processes.
    pub supervision: Supervision,
    /// How the process of VRRP and BFD runs.
    pub running: Running,
}

/// How to run a `vrrp_script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its name.
    pub name: ScriptName,
    /// What to run.
    pub command: Command,
    /// From start to start; never zero.
    pub interval: Duration,
    /// After this it is killed and counts as failed; never zero.
    pub timeout: Duration,
}

/// A `track_file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedFile {
    /// Its name.
    pub name: FileName,
    /// Where it is.
    pub path: PathBuf,
    /// What to put into it at start.
    pub init: Option<InitFile>,
}

/// `init_file`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitFile {
    /// The number.
    pub value: i64,
    /// Also into a file that exists.
    pub overwrite: bool,
}

/// What to run when an instance changes. Those for one state get no arguments; `any` gets
/// `INSTANCE`, the name, the state and the priority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// `notify_master`
    pub master: Option<Command>,
    /// `notify_backup`
    pub backup: Option<Command>,
    /// `notify_fault`
    pub fault: Option<Command>,
    /// `notify_stop`
    pub stop: Option<Command>,
    /// `notify`: at every change.
    pub any: Option<Command>,
    /// `notify_deleted`
    pub deleted: Deleted,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<Command>,
    /// `notify_priority_changes`: also when the priority changes and the state does not.
    pub priority_changes: bool,
    /// `smtp_alert`, defaults applied: changes of state are mailed.
    pub mail: bool,
}

/// How an instance leaves that a reload removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deleted {
    /// As FAULT.
    #[default]
    AsFault,
    /// As DELETED (`notify_deleted`), with a command or without.
    AsDeleted(Option<Command>),
}
