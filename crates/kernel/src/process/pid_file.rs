//! A file with our process id, locked as long as we live.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    mem::zeroed,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use crate::error::{During, Error};

/// A locked pid file. The kernel drops the lock with the process, so a file that was left
/// behind never keeps anybody out. Removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    file: File,
    path: PathBuf,
}

/// Why there is no pid file.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another process holds it.
    #[error("another process holds the file{}", .pid.map(|pid| format!(": {pid}")).unwrap_or_default())]
    Held {
        /// What the file says; `None` when it says nothing sensible.
        pid: Option<i32>,
    },
    /// It cannot be written.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl PidFile {
    /// Locks the file and writes our process id. Call it in the process that stays: after
    /// [`super::daemonize`].
    ///
    /// # Errors
    /// [`PidFileError::Held`] when another process holds the lock.
    pub fn acquire(path: &Path) -> Result<Self, PidFileError> {
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .open(path)
                .during("open the pid file")?;
            if !lock(&file).during("lock the pid file")? {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                return Err(PidFileError::Held { pid: text.trim().parse().ok() });
            }
            // Its former holder may have removed it between our opening and locking it.
            if is_still_at(&file, path) {
                write_pid(&mut file).during("write the pid file")?;
                return Ok(Self { file, path: path.to_owned() });
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Removed before it is unlocked, and only if it is still ours.
        if is_still_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn is_still_at(file: &File, path: &Path) -> bool {
    let same = |ours: &fs::Metadata, theirs: &fs::Metadata| {
        (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
    };
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => same(&ours, &theirs),
        (Ok(_), Err(_)) | (Err(_), Ok(_) | Err(_)) => false,
    }
}

/// Locks the whole file for writing (open file description lock, as keepalived does, so
/// that each keeps the other out); false when somebody else has.
#[expect(unsafe_code, reason = "no safe crate offers locks of open file descriptions")]
fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: `flock` is plain data, and all zero means the whole file.
    let mut request: libc::flock = unsafe { zeroed() };
    request.l_type = i16::try_from(libc::F_WRLCK).unwrap_or_default();
    request.l_whence = i16::try_from(libc::SEEK_SET).unwrap_or_default();
    // SAFETY: the pointer is to a live `flock`, which is what this command takes.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const request) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        Some(_) | None => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.pid");
        let first = PidFile::acquire(&path).expect("acquire");
        match PidFile::acquire(&path) {
            Err(PidFileError::Held { pid }) => {
                assert_eq!(pid.map(i32::unsigned_abs), Some(std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_was_left_behind_keeps_nobody_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.pid");
        fs::write(&path, "1234567890 and more text than a pid\n").expect("write");
        let held = PidFile::acquire(&path).expect("acquire");
        let text = fs::read_to_string(&path).expect("read");
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(held);
    }
}
