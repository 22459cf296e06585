//! How the daemon was asked to run.

use std::path::PathBuf;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub file: PathBuf,
    /// The id for `@id` conditions; the host name up to the first dot by default.
    pub config_id: Option<String>,
    /// Log to standard error.
    pub console: bool,
    /// Log to syslog under this facility, 0..=23.
    pub syslog: Option<u8>,
    /// Log details.
    pub detail: bool,
    /// Leave the terminal and return once the elections have begun.
    pub background: bool,
    /// Where the supervisor's pid goes; held locked against a second copy.
    pub pid_file: PathBuf,
    /// Where pulse's pid goes.
    pub pulse_pid_file: PathBuf,
    /// Whether VRRP runs at all (`--check` alone switches it off).
    pub vrrp: bool,
    /// Start pulse again when it dies (`--dont-respawn` clears it).
    pub respawn: bool,
    /// Leave SIGINT to a debugger (`--ignore-sigint`).
    pub ignore_interrupt: bool,
    /// Every failure of an include is a mistake (`--all-config`).
    pub include_check: bool,
    /// Log the resolved configuration at start (`--dump-conf`).
    pub dump: bool,
    /// The name that processes show: `keepalived` or `standfast`.
    pub name: String,
    /// What was accepted on the command line and does nothing in this version: said at start.
    pub inactive: Vec<String>,
}
