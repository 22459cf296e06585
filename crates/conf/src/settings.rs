//! Settings of the daemon as a whole that are more than a number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Command, User};

/// Where events go, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifos {
    /// `notify_fifo`: events of VRRP and of servers.
    pub all: Option<Fifo>,
    /// `vrrp_notify_fifo`: events of VRRP.
    pub vrrp: Option<Fifo>,
    /// `fifo_write_vrrp_states_on_reload`: all states are written again after a reload.
    pub states_on_reload: bool,
}

/// A FIFO and who reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Where it is; it is made if it is missing.
    pub path: String,
    /// Whom it belongs to when we make it, `script_user` applied; `None` as for a [`Command`].
    pub user: Option<User>,
    /// Started to read it, with its path as last argument.
    pub reader: Option<Command>,
}

/// Where mails go, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// `notification_email`; never empty.
    pub recipients: Vec<String>,
    /// `notification_email_from`; else root at this host.
    pub from: Option<String>,
    /// `smtp_server`: an address or a name.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// `smtp_helo_name`; else the host's name.
    pub helo: Option<String>,
    /// How long the server may take to connect and for each answer.
    pub timeout: Duration,
    /// `router_id`; else the host's name.
    pub router_id: Option<String>,
    /// `no_email_faults`
    pub no_faults: bool,
}

/// Where dumps go; where nothing is said, to `keepalived.*` in `$TMPDIR` or `/tmp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumps {
    /// `state_dump_file`
    pub state: Option<String>,
    /// `stats_dump_file`
    pub stats: Option<String>,
    /// `json_dump_file`
    pub json: Option<String>,
    /// `data_use_instance`: the names of instance and network namespace become part of them.
    pub use_instance: bool,
}
