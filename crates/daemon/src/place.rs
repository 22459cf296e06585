//! Where this daemon is among several on one machine: its network namespace and its pid files.

use std::path::{Path, PathBuf};

use standfast_conf::Place;
use standfast_kernel::namespace::NetNs;

use crate::Options;

/// The pid files of the supervisor, of pulse and of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PidFiles {
    pub(crate) supervisor: PathBuf,
    pub(crate) pulse: PathBuf,
    pub(crate) pool: PathBuf,
}

impl PidFiles {
    /// Those that the command line names, else `/run/keepalived.pid`, `/run/vrrp.pid` and
    /// `/run/checkers.pid`; of one of several daemons, in a directory of their own.
    pub(crate) fn of(options: &Options, place: &Place) -> Self {
        let name = options.name.as_str();
        let (pulse, pool) = match name {
            "keepalived" => ("vrrp", "checkers"),
            _ => ("standfast-pulse", "standfast-pool"),
        };
        let Place { namespace, instance, pid_directory } = place;
        let mut directory = PathBuf::from("/run");
        if namespace.is_some() || instance.is_some() || *pid_directory {
            directory.push(name);
        }
        directory.extend(namespace.as_ref().and_then(|name| Path::new(name).file_name()));
        let suffix = instance.as_ref().map(|name| format!("_{name}")).unwrap_or_default();
        let file = |process: &str| directory.join(format!("{process}{suffix}.pid"));
        Self {
            supervisor: options.pid_file.clone().unwrap_or_else(|| file(name)),
            pulse: options.pulse_pid_file.clone().unwrap_or_else(|| file(pulse)),
            pool: options.pool_pid_file.clone().unwrap_or_else(|| file(pool)),
        }
    }

    /// Where operators speak to the supervisor: beside its pid file.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.supervisor.with_extension("sock")
    }

    /// `reload_file` without a path of its own.
    pub(crate) fn reload_marker(&self) -> PathBuf {
        self.supervisor.with_extension("reload")
    }
}

/// What tells this daemon's log lines and dumps from another's: `_NAMESPACE_INSTANCE`.
pub(crate) fn suffix(place: &Place, separator: char) -> String {
    let names = [&place.namespace, &place.instance].into_iter().flatten();
    names.map(|name| format!("{separator}{name}")).collect()
}

/// Moves the process, and all that it will start, into its network namespace. Call it before there is
/// a second thread.
pub(crate) fn enter(place: &Place) -> anyhow::Result<()> {
    match &place.namespace {
        Some(name) => Ok(NetNs::named(name)?.enter()?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str, place: &Place) -> (String, String) {
        let mut options = Options::foreground("/x".into());
        options.name = name.to_owned();
        let PidFiles { supervisor, pulse, pool: _ } = PidFiles::of(&options, place);
        (supervisor.display().to_string(), pulse.display().to_string())
    }

    fn both(supervisor: &str, pulse: &str) -> (String, String) {
        (supervisor.to_owned(), pulse.to_owned())
    }

    #[test]
    fn pid_files_are_where_keepalived_has_them() {
        let mut place = Place::default();
        let plain = both("/run/keepalived.pid", "/run/vrrp.pid");
        assert_eq!(files("keepalived", &place), plain);
        let own = both("/run/standfast.pid", "/run/standfast-pulse.pid");
        assert_eq!(files("standfast", &place), own);
        place.pid_directory = true;
        let apart = both("/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid");
        assert_eq!(files("keepalived", &place), apart);
        place.instance = Some("one".to_owned());
        let named = both("/run/keepalived/keepalived_one.pid", "/run/keepalived/vrrp_one.pid");
        assert_eq!(files("keepalived", &place), named);
        place.namespace = Some("ns".to_owned());
        let inside =
            both("/run/keepalived/ns/keepalived_one.pid", "/run/keepalived/ns/vrrp_one.pid");
        assert_eq!(files("keepalived", &place), inside);
        assert_eq!(suffix(&place, '_'), "_ns_one");
    }

    #[test]
    fn a_namespace_that_does_not_exist_is_an_error() {
        let namespace = Some("../no-such-namespace".to_owned());
        assert!(enter(&Place { namespace, ..Place::default() }).is_err());
        assert!(enter(&Place::default()).is_ok());
    }
}
