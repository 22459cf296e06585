//! Files whose numbers are followed (`track_file`).
//!
//! Each file is watched itself, for what is written into it, and its directory, for what takes its place.
//! Of a directory that is missing the nearest one above is watched.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::OFlags;
use standfast_conf::TrackedFile;
use standfast_kernel::inotify::{FileEvent, Inotify, Watch};
use standfast_types::{FileName, Instant};

/// No number needs more.
const SIZE_MAX: u64 = 4096;
/// How often files are read whose changes the kernel does not report.
const POLL: Duration = Duration::from_secs(1);
/// File systems whose files change elsewhere, or without notice: NFS, SMB, FUSE, Ceph, AFS, proc, sysfs.
const SILENT: [u32; 9] = [
    0x6969,
    0x517b,
    0xfe53_4d42,
    0xff53_4d42,
    0x6573_5546,
    0x00c3_6400,
    0x5346_414f,
    0x9fa0,
    0x6265_6572,
];

/// All files that are followed.
#[derive(Debug, Default)]
pub(crate) struct Files {
    inotify: Option<Inotify>,
    files: BTreeMap<FileName, Followed>,
    watched: BTreeSet<Watch>,
    poll_at: Option<Instant>,
}

#[derive(Debug)]
struct Followed {
    path: PathBuf,
    value: i64,
    /// What is wrong with it, and was said.
    complaint: Option<String>,
    /// What is watched, and in a directory which entry.
    watches: Vec<(Watch, Option<OsString>)>,
    /// The kernel reports no changes.
    silent: bool,
}

/// What there is to say of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Its number changed.
    Value(FileName, i64),
    /// It cannot be followed as it should.
    Complaint(String),
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Missing,
    Empty,
    Number(i64),
    /// Something that must not change anything.
    Unfit(String),
}

impl Files {
    /// Takes the files of a configuration. Those that are new get their first contents, where they ask for
    /// it, and are read.
    pub(crate) fn reconfigure(&mut self, now: Instant, files: &[TrackedFile]) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.inotify.is_none() && !files.is_empty() {
            match Inotify::open() {
                Ok(inotify) => self.inotify = Some(inotify),
                Err(error) => {
                    let text = format!("no changes of files are reported: {error}; read instead");
                    findings.push(Finding::Complaint(text));
                }
            }
        }
        let mut old = std::mem::take(&mut self.files);
        for file in files {
            let followed = match old.remove(&file.name) {
                Some(known) if known.path == file.path => known,
                Some(_) | None => {
                    findings.extend(initialise(file).err().map(Finding::Complaint));
                    Followed::new(file.path.clone())
                }
            };
            self.files.insert(file.name.clone(), followed);
        }
        let all: Vec<_> = self.files.keys().cloned().collect();
        for name in all {
            self.look(&name, false, &mut findings);
        }
        self.forget_stale();
        self.poll_at = self.files.values().any(|file| file.silent).then(|| now + POLL);
        findings
    }

    /// The numbers, as far as they are not 0.
    pub(crate) fn values(&self) -> BTreeMap<FileName, i64> {
        self.files.iter().map(|(name, file)| (name.clone(), file.value)).collect()
    }

    /// What can be read from.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.poll_at
    }

    /// What has changed.
    pub(crate) fn receive(&mut self, now: Instant) -> Vec<Finding> {
        let events = self.inotify.as_ref().map(Inotify::events).transpose();
        // Without an answer everything may have changed.
        let events = events.map_or_else(|_| vec![FileEvent::Overrun], Option::unwrap_or_default);
        let polled = self.poll_at.take_if(|at| *at <= now).is_some();
        if polled {
            self.poll_at = Some(now + POLL);
        }
        let mut changed: BTreeMap<FileName, bool> = BTreeMap::new();
        for (name, file) in &self.files {
            if polled && file.silent {
                changed.insert(name.clone(), false);
            }
            for unfinished in events.iter().filter_map(|event| file.concerned(event)) {
                let all_unfinished = changed.entry(name.clone()).or_insert(unfinished);
                *all_unfinished &= unfinished;
            }
        }
        let mut findings = Vec::new();
        for (name, unfinished) in &changed {
            self.look(name, *unfinished, &mut findings);
        }
        if !changed.is_empty() {
            self.forget_stale();
        }
        findings
    }

    /// Reads a file, and watches what there is to watch now.
    fn look(&mut self, name: &FileName, unfinished: bool, findings: &mut Vec<Finding>) {
        let Some(file) = self.files.get_mut(name) else { return };
        let watched = self.inotify.as_ref().map(|inotify| watch(inotify, &file.path));
        let blind = match watched {
            Some(Ok(watches)) => {
                self.watched.extend(watches.iter().map(|(watch, _)| *watch));
                file.watches = watches;
                is_silent(&file.path).then(|| "is where the kernel reports no changes".to_owned())
            }
            Some(Err(error)) => Some(format!("can't be watched ({error})")),
            None => Some("can't be watched".to_owned()),
        };
        if blind.is_some() && !file.silent {
            file.silent = true;
            self.poll_at.get_or_insert_default();
        }
        let (value, complaint) = match read(&file.path) {
            Content::Missing => (Some(0), None),
            // A file that is being written anew is empty at first.
            Content::Empty => ((!unfinished).then_some(0), None),
            Content::Number(number) => (Some(number), None),
            Content::Unfit(what) => (None, Some(format!("{what}; it stays {}", file.value))),
        };
        let complaint = complaint.or_else(|| Some(format!("{}; it is read every second", blind?)));
        if complaint != file.complaint {
            let text = complaint
                .as_ref()
                .map(|what| format!("file {name}: {} {what}", file.path.display()));
            findings.extend(text.map(Finding::Complaint));
            file.complaint = complaint;
        }
        if let Some(value) = value.filter(|value| *value != file.value) {
            file.value = value;
            findings.push(Finding::Value(name.clone(), value));
        }
    }

    /// Watches nothing that no file needs any more.
    fn forget_stale(&mut self) {
        let needed: BTreeSet<_> =
            self.files.values().flat_map(|file| &file.watches).map(|(watch, _)| *watch).collect();
        if let Some(inotify) = &self.inotify {
            self.watched.difference(&needed).for_each(|watch| inotify.forget(*watch));
        }
        self.watched = needed;
    }
}

impl Followed {
    const fn new(path: PathBuf) -> Self {
        Self { path, value: 0, complaint: None, watches: Vec::new(), silent: false }
    }

    /// Whether an event may have changed it: `Some(true)` while somebody is still writing.
    fn concerned(&self, event: &FileEvent) -> Option<bool> {
        let FileEvent::Changed { watch, entry, unfinished } = event else { return Some(false) };
        let concerned = self.watches.iter().any(|(own, wanted)| {
            let other = entry.is_some() && wanted.is_some() && entry != wanted;
            own == watch && (!other || self.path.is_symlink())
        });
        concerned.then_some(*unfinished)
    }
}

/// Watches a file, and its directory or the nearest one above that exists.
fn watch(inotify: &Inotify, path: &Path) -> io::Result<Vec<(Watch, Option<OsString>)>> {
    let mut watches = Vec::new();
    let mut entry = path;
    loop {
        let parent = entry.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        match inotify.watch(parent) {
            Ok(watch) => {
                watches.push((watch, entry.file_name().map(OsStr::to_owned)));
                // What appeared in the meantime told nobody.
                if entry == path || !entry.exists() {
                    break;
                }
                entry = path;
            }
            Err(error) if is_missing(&error) && parent != entry => entry = parent,
            Err(error) => return Err(error),
        }
    }
    match inotify.watch(path) {
        Ok(watch) => watches.push((watch, None)),
        Err(error) if is_missing(&error) => {}
        // Reading it says what is wrong.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    Ok(watches)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_silent(path: &Path) -> bool {
    let place = path.ancestors().find_map(|place| rustix::fs::statfs(place).ok());
    place.is_some_and(|place| u32::try_from(place.f_type).is_ok_and(|kind| SILENT.contains(&kind)))
}

fn read(path: &Path) -> Content {
    // A pipe that nobody writes to must not hold us up.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    match file {
        Ok(file) => contents(&file).unwrap_or_else(|error| unreadable(&error)),
        Err(error) if is_missing(&error) => Content::Missing,
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &io::Error) -> Content {
    Content::Unfit(format!("can't be read ({error})"))
}

fn contents(file: &File) -> io::Result<Content> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Content::Unfit("is no ordinary file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SIZE_MAX) {
        return Ok(Content::Unfit(format!("is larger than {SIZE_MAX} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(match text.split_whitespace().next() {
        None => Content::Empty,
        Some(word) => match word.parse() {
            Ok(number) => Content::Number(number),
            Err(_) => Content::Unfit("does not begin with a whole number".to_owned()),
        },
    })
}

/// Writes a file's first contents (`init_file`). What went wrong, in words.
fn initialise(file: &TrackedFile) -> Result<(), String> {
    let Some(init) = file.init else { return Ok(()) };
    let path = &file.path;
    let mut options = OpenOptions::new();
    // Never through somebody else's link in a directory that all may write to.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.write(true).mode(0o644).custom_flags(flags);
    let opened = if init.overwrite {
        options.create(true).truncate(true).open(path)
    } else {
        options.create_new(true).open(path)
    };
    let written = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Ok(mut opened) => writeln!(opened, "{}", init.value),
        Err(error) => Err(error),
    };
    written.map_err(|error| format!("file {}: can't make {}: {error}", file.name, path.display()))
}

#[cfg(test)]
mod tests;
