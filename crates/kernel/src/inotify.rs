//! Changes of files and directories, as the kernel reports them.

use std::{
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

/// What is told of everything that is watched: as one number stands for one file, whatever its names, the
/// same of all.
const EVENTS: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// The number of something that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch(i32);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// To what is watched, or in a directory that is.
    Changed {
        /// Which.
        watch: Watch,
        /// In a directory: to which entry.
        entry: Option<OsString>,
        /// Somebody is still writing.
        unfinished: bool,
    },
    /// Events were lost: everything may have changed.
    Overrun,
}

/// A nonblocking queue of events.
#[derive(Debug)]
pub struct Inotify(OwnedFd);

impl Inotify {
    /// A new one, which watches nothing.
    ///
    /// # Errors
    /// The user has too many.
    pub fn open() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches a file or directory, through symbolic links. The same one has the same number.
    ///
    /// # Errors
    /// It does not exist, may not be read, or the user watches too many.
    pub fn watch(&self, path: &Path) -> io::Result<Watch> {
        Ok(Watch(inotify::add_watch(&self.0, path, EVENTS)?))
    }

    /// Watches something no more. What is gone is no longer watched anyway.
    pub fn forget(&self, watch: Watch) {
        let _ = inotify::remove_watch(&self.0, watch.0);
    }

    /// What has happened.
    ///
    /// # Errors
    /// The kernel refuses; nothing is known then.
    pub fn events(&self) -> io::Result<Vec<FileEvent>> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    events.push(FileEvent::Overrun);
                }
                Ok(event) => events.push(FileEvent::Changed {
                    watch: Watch(event.wd()),
                    entry: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).into()),
                    unfinished: (ReadFlags::MODIFY | ReadFlags::CREATE).contains(event.events()),
                }),
                Err(Errno::AGAIN) => return Ok(events),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
