//! `startup_script` and `shutdown_script`: commands that all else waits for, for a limited time.

use std::time::Duration;

use standfast_conf::Once;
use standfast_kernel::process::{self, Pid, signal};

use crate::{
    command::{self, Manner},
    message::Level,
};

/// From asking it to end to ending it.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a command and waits for its end. What to log of it.
pub(crate) fn run(once: &Once, what: &str, manner: Manner) -> (Level, String) {
    match try_run(once, manner) {
        Ok(Some(status)) if status.success() => (Level::Info, format!("{what} has run")),
        Ok(Some(status)) => (Level::Warning, format!("{what}: {status}")),
        Ok(None) => {
            let seconds = once.timeout.as_secs();
            (Level::Warning, format!("{what} is ended: it did not end within {seconds} s"))
        }
        Err(error) => (Level::Error, format!("{what} can't run: {error}")),
    }
}

fn try_run(once: &Once, manner: Manner) -> anyhow::Result<Option<std::process::ExitStatus>> {
    let pid = command::start(&once.command, manner)?;
    let status = process::wait_child_within(pid, once.timeout)?;
    if status.is_none() {
        end(pid)?;
    }
    Ok(status)
}

fn end(pid: Pid) -> anyhow::Result<()> {
    process::kill_group(pid, signal::SIGTERM)?;
    if process::wait_child_within(pid, GRACE)?.is_none() {
        process::kill_group(pid, signal::SIGKILL)?;
        process::wait_child(pid)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(text: &str, timeout: Duration) -> (Level, String) {
        let argv = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
        // A number is a user, too: these tests need no account.
        let uid = rustix::process::geteuid().as_raw().to_string();
        let group = Some(rustix::process::getegid().as_raw().to_string());
        let user = Some(standfast_conf::User { name: uid, group });
        let once = Once { command: standfast_conf::Command { argv, user }, timeout };
        run(&once, "it", Manner::default())
    }

    #[test]
    fn a_command_is_waited_for_and_its_failure_is_said() {
        const LONG: Duration = Duration::from_secs(20);
        assert_eq!(run_shell("exit 0", LONG), (Level::Info, "it has run".to_owned()));
        assert_eq!(run_shell("exit 3", LONG), (Level::Warning, "it: exit status: 3".to_owned()));
    }

    #[test]
    fn a_command_that_goes_on_is_ended() {
        let (level, text) = run_shell("sleep 100", Duration::from_millis(20));
        assert_eq!((level, text.contains("is ended")), (Level::Warning, true), "{text}");
    }
}
