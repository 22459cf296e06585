//! Running the lab in a sandbox.
//!
//! ```text
//! lab (outside, waits) ── go-between ── lab (inside: process 1, root, empty network)
//!                                        ├── node a: its network, its /run, /tmp, /etc/keepalived
//!                                        ├── node b
//!                                        └── client
//! ```
//! When one of the three at the top dies, by whatever signal, the kernel kills all to its
//! right and below, and with them go their interfaces and mounts.

use std::{env, ffi::OsString};

use standfast_kernel::process::{
    Output, ProcessGroup, Spawn, Surroundings, getpid, spawn, wait_child,
};

use crate::LabError;

/// Set for the process inside.
const MARK: &str = "STANDFAST_LAB_INSIDE";

/// On which side of the sandbox's wall we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Inside: build topologies.
    Inside,
    /// Outside, and what ran inside has ended with this exit code: exit with it, too.
    Ended(i32),
}

/// Runs this program once more, with the same arguments, in a sandbox, and waits for its
/// end; inside, returns at once. Call it first thing in `main`: what comes before it is
/// done twice. Standard input is not handed on.
///
/// # Errors
/// [`LabError::NotPermitted`] says what the user lacks.
pub fn isolate() -> Result<Side, LabError> {
    isolate_with(env::args_os().skip(1))
}

/// As [`isolate`], with other arguments for the process inside: a test names itself.
///
/// # Errors
/// As [`isolate`].
pub fn isolate_with(arguments: impl Iterator<Item = OsString>) -> Result<Side, LabError> {
    if is_inside() {
        return Ok(Side::Inside);
    }
    let program = env::current_exe()
        .map_err(|source| LabError::File { path: "/proc/self/exe".into(), source })?;
    let pid = spawn(Spawn {
        variables: vec![(MARK.into(), "1".into())],
        // The terminal's Ctrl-C reaches both sides.
        group: ProcessGroup::Inherited,
        stdout: Output::Inherited,
        stderr: Output::Inherited,
        surroundings: Surroundings::Sandbox,
        ..Spawn::new([program.into_os_string()].into_iter().chain(arguments))
    })?;
    Ok(Side::Ended(wait_child(pid)?.code().unwrap_or(1)))
}

/// The mark alone could have been set by anybody.
fn is_inside() -> bool {
    env::var_os(MARK).is_some() && getpid().is_init()
}

#[cfg(test)]
pub(crate) mod test {
    use std::io::Write;

    use super::*;

    /// Runs the test with this full name in a sandbox: `work` there, and here the wait for
    /// it. Prints why when it cannot.
    pub(crate) fn in_sandbox(name: &str, work: impl FnOnce()) {
        let arguments = ["--exact", name, "--nocapture"].map(OsString::from);
        match isolate_with(arguments.into_iter()) {
            Ok(Side::Inside) => work(),
            Ok(Side::Ended(code)) => assert_eq!(code, 0, "the test failed in its sandbox"),
            Err(error @ LabError::NotPermitted { .. }) => {
                let _ = writeln!(std::io::stderr(), "skipped: failed to {error}");
            }
            Err(error) => panic!("failed to {error}"),
        }
    }
}
