//! The machine's processes: what they are called, when one ends, and which ones the kernel tells of.

mod connector;

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

pub use connector::{Connector, Overrun, ProcessEvent};

/// Of a longer command line only the beginning is read.
const COMMAND_LINE: u64 = 1 << 16;

/// The ids of all processes, without their threads.
///
/// # Errors
/// `/proc` is not mounted.
pub fn all() -> io::Result<Vec<u32>> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// A process's name, at most 15 bytes; `None` when there is no such process.
#[must_use]
pub fn name(pid: u32) -> Option<Vec<u8>> {
    let mut name = fs::read(place(pid, "comm")).ok()?;
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    Some(name)
}

/// The words of its command line: none of a process of the kernel. `None` when there is no such process.
#[must_use]
pub fn command_line(pid: u32) -> Option<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(place(pid, "cmdline")).ok()?.take(COMMAND_LINE).read_to_end(&mut bytes).ok()?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    Some(bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

fn place(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// A process. It can be read from once the process has ended, whether or not anybody has waited for it.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has this id now; `None` when it has ended.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn open(pid: u32) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => {
                let fd = Self(fd);
                Ok((!fd.has_ended()).then_some(fd))
            }
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::*;
    use crate::sys::readable_within;

    #[test]
    fn a_process_is_found_read_and_seen_to_end() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("start");
        let pid = child.id();
        assert!(all().expect("/proc").contains(&pid));
        // Between fork and exec it is still what we are.
        while command_line(pid) != Some(vec![b"sleep".to_vec(), b"1000".to_vec()]) {
            std::thread::yield_now();
        }
        assert_eq!(name(pid).as_deref(), Some(b"sleep".as_slice()));
        let fd = PidFd::open(pid).expect("a descriptor").expect("it runs");
        assert!(!readable_within(&fd, Duration::ZERO));
        child.kill().expect("kill");
        assert!(readable_within(&fd, Duration::from_secs(20)));
        assert!(PidFd::open(pid).expect("no failure").is_none(), "nobody has waited for it yet");
        child.wait().expect("wait");
        assert!(PidFd::open(pid).expect("no failure").is_none());
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_name() {
        assert_eq!(name(u32::MAX), None);
        assert_eq!(command_line(u32::MAX), None);
        assert!(PidFd::open(0).expect("no failure").is_none());
    }
}
