//! Going to the background.

use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, PipeWriter, Read, Write},
};

use rustix::process::setsid;

use super::fork::{exit, fork};
use crate::error::{During, Error};

/// The exit code of the process in the foreground when the daemon ends before it is ready.
const NEVER_READY: u8 = 1;

/// The daemon's line to the process in the foreground, which waits for it.
#[derive(Debug)]
#[must_use = "the process in the foreground waits until the launch is complete"]
pub struct Launch(PipeWriter);

impl Launch {
    /// Lets the process in the foreground end with this exit code: 0 when all is well.
    pub fn complete(mut self, code: u8) {
        // It may have been killed in the meantime, and then nobody waits.
        let _ = self.0.write_all(&[code]);
    }
}

/// Goes on as a daemon: a grandchild without terminal, in its own session, with all
/// standard streams at `/dev/null`. The working directory stays.
///
/// It returns in the grandchild only. The caller's process waits for [`Launch::complete`]
/// and exits with that code, or with 1 when the daemon ends before.
///
/// # Errors
/// `Bug` when the process has more than one thread, `Retry` when there are too many
/// processes.
pub fn daemonize() -> Result<Launch, Error> {
    only_thread()?;
    detach()
}

fn detach() -> Result<Launch, Error> {
    let (reader, writer) = io::pipe().during("make a pipe")?;
    if fork().during("go to the background")?.is_some() {
        drop(writer);
        exit(outcome(reader));
    }
    drop(reader);
    // From here on a failure is reported by the pipe's end: the foreground exits with 1.
    setsid().during("start a session")?;
    // Not the session's leader, and so never given a terminal again.
    if fork().during("go to the background")?.is_some() {
        exit(0);
    }
    silence().during("silence the standard streams")?;
    Ok(Launch(writer))
}

/// How often the threads are counted again.
const PATIENCE: u32 = 100;

fn outcome(mut reader: PipeReader) -> u8 {
    let mut code = [NEVER_READY];
    match reader.read_exact(&mut code) {
        Ok(()) => u8::from_ne_bytes(code),
        Err(_) => NEVER_READY,
    }
}

/// A lock held by a thread that fork does not copy would be held for ever.
fn only_thread() -> Result<(), Error> {
    for _ in 0..PATIENCE {
        let threads = std::fs::read_dir("/proc/self/task").during("count threads")?.count();
        if threads == 1 {
            return Ok(());
        }
        // One that was joined just now may still be listed.
        std::thread::yield_now();
    }
    Err(Error::from_errno("go to the background", libc::EINVAL, Some("more than one thread")))
}

fn silence() -> io::Result<()> {
    let null: File = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process::Command};

    use super::*;

    const REPORT: &str = "STANDFAST_TEST_DAEMON_REPORT";

    /// Not a test of its own: the process that the next test starts. The test harness has a
    /// second thread, which only waits.
    #[test]
    fn daemon() {
        let Some(report) = env::var_os(REPORT) else { return };
        let launch = detach().expect("detach");
        let session = rustix::process::getsid(None).expect("session");
        let text = format!("{} {session}", rustix::process::getpid());
        fs::write(report, text).expect("report");
        launch.complete(7);
        exit(0);
    }

    #[test]
    fn the_foreground_waits_for_the_daemon_and_exits_with_its_code() {
        let directory = tempfile::tempdir().expect("a directory");
        let report = directory.path().join("report");
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "process::daemon::tests::daemon"])
            .env(REPORT, &report)
            .output()
            .expect("start");
        assert_eq!(child.status.code(), Some(7), "{child:?}");
        let text = fs::read_to_string(&report).expect("the report is written before the exit");
        let (pid, session) = text.split_once(' ').expect("two numbers");
        assert_ne!(pid, session, "not the leader of its session");
        assert_ne!(session, our_session());
    }

    /// As `getsid`, which the library doesn't let answer 0: the session of a process whose
    /// container was entered from outside.
    fn our_session() -> String {
        let stat = fs::read_to_string("/proc/self/stat").expect("our own process");
        let (_, after_name) = stat.rsplit_once(") ").expect("a name in parentheses");
        after_name.split(' ').nth(3).expect("the session").to_owned()
    }

    #[test]
    fn a_program_with_several_threads_does_not_fork() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        assert!(daemonize().is_err());
        drop(release);
        assert!(other.join().expect("the thread").is_err());
    }
}
