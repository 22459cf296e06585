//! Settings of the daemon as a whole that are more than a number.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use standfast_types::{Command, User};

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

/// Which of several daemons on one machine this one is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `net_namespace`: the network namespace that all processes run in.
    pub namespace: Option<String>,
    /// `instance`: its name.
    pub instance: Option<String>,
    /// `use_pid_dir`: pid files go into a directory of their own.
    pub pid_directory: bool,
}

/// What the supervisor does besides its work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervision {
    /// `process_name`
    pub name: Option<String>,
    /// `umask`
    pub umask: Option<u32>,
    /// `child_wait_time`: how long VRRP may take to let go.
    pub release_limit: Option<Duration>,
    /// `startup_script`: ends before anything else begins.
    pub startup: Option<Once>,
    /// `shutdown_script`: begins when everything else has ended.
    pub shutdown: Option<Once>,
    /// `set_supplementary_groups`: scripts have all groups of their user.
    pub supplementary_groups: bool,
    /// `vrrp_delay_after_boot`: no election before the machine is up for this long.
    pub delay_after_boot: Duration,
    /// `config_save_dir`: a copy of every configuration that is loaded goes there.
    pub save_directory: Option<String>,
    /// `reload_check_config`: what is found on a reload goes into this file too.
    pub reload_log: Option<String>,
    /// `reload_file`: is there while a reload runs.
    pub reload_marker: Option<Marker>,
}

/// Where a marker file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Marker {
    /// Beside the pid file, as `keepalived.reload`.
    BesidePidFile,
    /// Here.
    At(String),
}

/// A command that runs once, while all else waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// What runs.
    pub command: Command,
    /// After this it is ended.
    pub timeout: Duration,
}

/// How a process runs, besides its priority; the keywords are those of VRRP and BFD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// `vrrp_process_name`, or with `process_names` its usual one.
    pub name: Option<String>,
    /// `vrrp_cpu_affinity`; empty means all.
    pub cpus: Vec<u32>,
    /// `vrrp_rlimit_rttime`: it is told when it computes for longer without a pause.
    pub realtime_limit: Option<Duration>,
    /// `max_auto_priority`
    pub auto_priority: Option<AutoPriority>,
    /// `vrrp_netlink_cmd_rcv_bufs`
    pub command_buffer: Buffer,
    /// `vrrp_netlink_monitor_rcv_bufs`
    pub monitor_buffer: Buffer,
}

/// Room for what a socket has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// At least so many bytes.
    pub bytes: Option<u32>,
    /// Beyond the system's limit (`*_force`).
    pub force: bool,
}

/// A real-time priority that rises by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoPriority {
    /// At most to this, 1..=99.
    pub max: u8,
    /// By one whenever a timer fires this late (`min_auto_priority_delay`).
    pub after: Duration,
}
