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
    /// Where the supervisor's pid goes, held locked against a second copy; else where keepalived's goes.
    pub pid_file: Option<PathBuf>,
    /// Where pulse's pid goes; else where that of keepalived's VRRP process goes.
    pub pulse_pid_file: Option<PathBuf>,
    /// Where the pool's pid goes; else where that of keepalived's checker process goes.
    pub pool_pid_file: Option<PathBuf>,
    /// Whether servers are checked and balanced (`--vrrp` alone switches it off).
    pub checks: bool,
    /// At the end, the kernel keeps our services (`--dont-release-ipvs`).
    pub keep_services: bool,
    /// Whether VRRP runs at all (`--check` alone switches it off).
    pub vrrp: bool,
    /// Whether the BFD sessions of the file run (`--no_bfd` clears it).
    pub bfd: bool,
    /// Start pulse again when it dies (`--dont-respawn` clears it).
    pub respawn: bool,
    /// Leave SIGINT to a debugger (`--ignore-sigint`).
    pub ignore_interrupt: bool,
    /// Every failure of an include is a mistake (`--all-config`).
    pub include_check: bool,
    /// Log the resolved configuration at start (`--dump-conf`).
    pub dump: bool,
    /// Permissions that files do not get (`--umask`).
    pub umask: Option<u32>,
    /// The network namespace to run in (`--namespace`), whatever the file says.
    pub namespace: Option<String>,
    /// The name that processes show: `keepalived` or `standfast`.
    pub name: String,
    /// What was accepted on the command line and does nothing in this version: said at start.
    pub inactive: Vec<String>,
}

impl Options {
    /// In the foreground with this file, all else at its default.
    #[must_use]
    pub fn foreground(file: PathBuf) -> Self {
        Self {
            file,
            config_id: None,
            console: true,
            syslog: None,
            detail: false,
            background: false,
            pid_file: None,
            pulse_pid_file: None,
            pool_pid_file: None,
            checks: true,
            keep_services: false,
            vrrp: true,
            bfd: true,
            respawn: true,
            ignore_interrupt: false,
            include_check: false,
            dump: false,
            umask: None,
            namespace: None,
            name: "standfast".to_owned(),
            inactive: Vec::new(),
        }
    }
}
