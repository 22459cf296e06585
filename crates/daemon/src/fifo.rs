//! `notify_fifo`: a line for every event, never waiting for a reader.
//!
//! A FIFO is opened for reading as well as writing, so that it can be opened and written to while nobody
//! reads: the kernel keeps the lines. What it has no room for waits here, and when that is too much the
//! oldest lines go, because the newest say how things are.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Gid, Mode, OFlags, Uid, chownat, mknodat, open},
    io::Errno,
    pipe::fcntl_setpipe_size,
};
use standfast_conf::{Command, Fifo as Config, User};

use crate::command::credentials;

/// Room in the kernel for some 20,000 lines. Where it allows less, it stays at its own 64 KiB.
const ROOM: usize = 1 << 20;
/// Lines that wait here when the kernel has no room.
const WAITING: usize = 10_000;

/// An open FIFO.
#[derive(Debug)]
pub(crate) struct Fifo {
    config: Config,
    file: File,
    /// We made it, so it goes with us.
    made: bool,
    waiting: VecDeque<Vec<u8>>,
}

impl Fifo {
    /// Opens a FIFO, and makes it if there is none.
    ///
    /// # Errors
    /// Something else has its path, its user does not exist, or it may not be opened.
    pub(crate) fn open(config: Config) -> anyhow::Result<Self> {
        let path = Path::new(&config.path);
        let made = make(path, config.user.as_ref())?;
        // Never through a link: in a directory of others it could lead anywhere.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(open(path, flags, Mode::empty())?);
        anyhow::ensure!(file.metadata()?.file_type().is_fifo(), "it is no FIFO");
        let _ = fcntl_setpipe_size(&file, ROOM);
        Ok(Self { config, file, made, waiting: VecDeque::new() })
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// The command that reads it, with its path as last argument.
    pub(crate) fn reader(&self) -> Option<Command> {
        let mut command = self.config.reader.clone()?;
        command.argv.push(self.config.path.clone());
        Some(command)
    }

    /// Writes a line, or keeps it for [`Self::flush`]. How many older ones are lost for it.
    pub(crate) fn write(&mut self, line: &str) -> usize {
        self.waiting.push_back(line.as_bytes().to_vec());
        self.flush();
        let lost = self.waiting.len().saturating_sub(WAITING);
        self.waiting.drain(..lost);
        lost
    }

    /// Writes what waits, as far as there is room. A line this short is written whole or not at all.
    pub(crate) fn flush(&mut self) {
        while let Some(line) = self.waiting.front() {
            match self.file.write(line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => drop(self.waiting.pop_front()),
            }
        }
    }

    /// Whether lines wait for room.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Somebody removed it, or put another one in its place: our lines reach nobody any more.
    pub(crate) fn is_stale(&self) -> bool {
        let same = |ours: &fs::Metadata, theirs: &fs::Metadata| {
            (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
        };
        match (self.file.metadata(), fs::symlink_metadata(&self.config.path)) {
            (Ok(ours), Ok(theirs)) => !same(&ours, &theirs),
            (Ok(_) | Err(_), _) => true,
        }
    }
}

impl AsFd for Fifo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        if self.made && !self.is_stale() {
            let _ = fs::remove_file(PathBuf::from(&self.config.path));
        }
    }
}

/// Makes a FIFO that only its owner may use. False when something has its path already.
fn make(path: &Path, user: Option<&User>) -> anyhow::Result<bool> {
    let owner = credentials(user)?;
    match mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    if let Some(owner) = owner {
        let (user, group) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        chownat(CWD, path, Some(user), Some(group), flags)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn config(path: &Path) -> Config {
        let path = path.to_str().expect("text").to_owned();
        Config { path, user: None, reader: None }
    }

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("standfast-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        path
    }

    #[test]
    fn lines_wait_for_a_reader_that_comes_later_and_a_fifo_of_ours_goes_with_us() {
        let directory = directory("fifo-later");
        let path = directory.join("fifo");
        let mut fifo = Fifo::open(config(&path)).expect("open");
        assert_eq!(fifo.write("one\n") + fifo.write("two\n"), 0);
        assert!(!fifo.has_backlog());
        let mut reader = File::open(&path).expect("open");
        let mut read = [0; 8];
        reader.read_exact(&mut read).expect("both lines");
        assert_eq!(&read, b"one\ntwo\n");
        let mode = fs::metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o7777, 0o600);
        drop(fifo);
        assert!(!path.exists());
        fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn a_full_fifo_loses_the_oldest_lines_and_never_blocks() {
        let directory = directory("fifo-full");
        let path = directory.join("fifo");
        let mut fifo = Fifo::open(config(&path)).expect("open");
        let line = format!("{}\n", "x".repeat(199));
        let mut lost = 0;
        for _ in 0..40_000 {
            lost += fifo.write(&line);
        }
        lost += fifo.write("last\n");
        assert!(lost > 0 && fifo.has_backlog());
        assert_eq!(fifo.waiting.back().map(Vec::as_slice), Some(&b"last\n"[..]));
        drop(fifo);
        fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn a_fifo_that_was_there_stays_and_a_plain_file_is_refused() {
        let directory = directory("fifo-there");
        let path = directory.join("fifo");
        assert!(make(&path, None).expect("made"));
        drop(Fifo::open(config(&path)).expect("open"));
        assert!(path.exists());
        let file = directory.join("file");
        fs::write(&file, "").expect("a file");
        assert!(Fifo::open(config(&file)).is_err());
        let link = directory.join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(Fifo::open(config(&link)).is_err(), "links are not followed");
        fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn a_fifo_that_somebody_replaced_is_stale() {
        let directory = directory("fifo-stale");
        let path = directory.join("fifo");
        let fifo = Fifo::open(config(&path)).expect("open");
        assert!(!fifo.is_stale());
        fs::remove_file(&path).expect("removed");
        assert!(make(&path, None).expect("another"));
        assert!(fifo.is_stale());
        drop(fifo);
        assert!(path.exists(), "another's FIFO is not removed");
        fs::remove_dir_all(directory).expect("removed");
    }
}
