//! The checker over a folder of real files, beside what `keepalived -t` says about each.

mod exceptions;
mod look;
mod report;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;
use standfast_conf::{Host, HostInterface};

use self::look::Ours;
use crate::{root, say};

/// Where the files lie unless a folder is named, from the workspace's root.
const FOLDER: &str = "../shared/corpus";
/// More than this for one file is a hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may be wrong with how we take a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// It panics.
    Crash,
    /// It takes longer than [`PATIENCE`].
    Hang,
    /// Its tokens are not the file.
    Tokens,
    /// Laying it out anew changes its meaning, or a second time changes it again.
    Format,
    /// We have an error, keepalived has none.
    Refused,
    /// keepalived complains, we say nothing.
    Silent,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Crash, Self::Hang, Self::Tokens, Self::Format, Self::Refused, Self::Silent];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Tokens => "tokens",
            Self::Format => "format",
            Self::Refused => "refused",
            Self::Silent => "silent",
        })
    }
}

/// What keepalived 2.4.3 makes of a file.
#[derive(Clone, Debug)]
struct Theirs {
    /// Its exit code on a machine without the scripts and users that the file names.
    bare: u8,
    /// Its exit code where they are present.
    present: u8,
    /// What it says where they are present.
    messages: Vec<String>,
}

impl Theirs {
    /// Clean, or no more than findings about the security of scripts.
    fn accepts(&self) -> bool {
        matches!(self.present, 0 | 6)
    }
}

/// A file of the corpus and what both make of it.
struct Case {
    name: String,
    theirs: Option<Theirs>,
    ours: Result<Ours, Kind>,
}

impl Case {
    fn failures(&self) -> Vec<Kind> {
        let ours = match &self.ours {
            Ok(ours) => ours,
            Err(kind) => return vec![*kind],
        };
        let mut failures = Vec::new();
        if !ours.round_trip {
            failures.push(Kind::Tokens);
        }
        if !ours.formats {
            failures.push(Kind::Format);
        }
        if let Some(theirs) = &self.theirs {
            if ours.refused && theirs.accepts() {
                failures.push(Kind::Refused);
            }
            if !ours.complains && !theirs.accepts() {
                failures.push(Kind::Silent);
            }
        }
        failures
    }
}

/// Checks every file of the folder. An error when one fails that is not listed as an exception,
/// or is listed and no longer fails.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let details = args.iter().any(|arg| arg == "--details");
    let folder = args.iter().find(|arg| !arg.starts_with('-'));
    let folder = folder.map_or_else(|| root().join(FOLDER), PathBuf::from);
    if !folder.is_dir() {
        say(&format!("SKIPPED: the corpus of real files: there is no {}", folder.display()));
        return Ok(());
    }
    let cases = cases(&folder)?;
    anyhow::ensure!(!cases.is_empty(), "no .conf file in {}", folder.display());
    say(&report::table(&cases));
    if details {
        say(&report::differences(&cases));
        say(&report::unsaid(&cases));
    }
    exceptions::judge(&cases)
}

fn cases(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let mut verdicts = verdicts(folder)?;
    let host = host(folder)?;
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    let case = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let theirs = verdicts.remove(&path);
        let host = host.clone();
        let ours = within(&name, PATIENCE, move || look::look(&path, host));
        Case { name, theirs, ours }
    };
    let cases = paths.into_iter().map(case).collect();
    let absent: Vec<_> = verdicts.keys().map(|path| path.display().to_string()).collect();
    anyhow::ensure!(absent.is_empty(), "in index.tsv, but not there: {}", absent.join(", "));
    Ok(cases)
}

/// All `.conf` files below a folder, in order.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut entries: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "conf") {
            paths.push(path);
        }
    }
    Ok(())
}

/// keepalived's verdict on each file; none where the folder has no index.
fn verdicts(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Theirs>> {
    let index = folder.join("index.tsv");
    if !index.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(&index)?;
    let mut rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column = |name: &str| {
        let at = header.iter().position(|column| *column == name);
        at.with_context(|| format!("index.tsv has no column {name}"))
    };
    let (file, bare) = (column("file")?, column("exit_2.4.3")?);
    let present = column("exit_2.4.3_scripts_present")?;
    let mut verdicts = BTreeMap::new();
    for row in rows {
        let cell = |at: usize| row.get(at).copied().unwrap_or_default();
        let name = cell(file);
        let code =
            |at: usize| cell(at).parse().with_context(|| format!("index.tsv: {name}: exit code"));
        let messages = folder.join("messages").join(format!("{name}.txt"));
        let messages = fs::read(messages).unwrap_or_default();
        let messages = String::from_utf8_lossy(&messages);
        let theirs = Theirs {
            bare: code(bare)?,
            present: code(present)?,
            messages: messages.lines().map(str::to_owned).collect(),
        };
        verdicts.insert(folder.join("files").join(format!("{name}.conf")), theirs);
    }
    Ok(verdicts)
}

/// The machine on which keepalived ran: its interfaces, so far as the folder tells.
fn host(folder: &Path) -> anyhow::Result<Option<Host>> {
    let list = folder.join("interfaces.txt");
    if !list.exists() {
        return Ok(None);
    }
    let interface = |name: &str| HostInterface {
        name: name.to_owned(),
        up: true,
        multicast: true,
        loopback: false,
        addresses: Vec::new(),
    };
    let interfaces = fs::read_to_string(list)?.lines().map(interface).collect();
    Ok(Some(Host { interfaces, has_user: |_| true, has_group: |_| true }))
}

/// Does something in a thread, for so long. The thread carries the file's name: it is what Rust
/// prints when it panics or runs out of stack.
fn within<T: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Kind> {
    let (send, receive) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let spawned = thread.spawn(move || send.send(work()));
    match (spawned, receive.recv_timeout(patience)) {
        (Ok(_), Ok(done)) => Ok(done),
        (Ok(_), Err(RecvTimeoutError::Timeout)) => Err(Kind::Hang),
        (Ok(_), Err(RecvTimeoutError::Disconnected)) | (Err(_), _) => Err(Kind::Crash),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_crash_and_what_does_not_end_is_a_hang() {
        let (_open, never) = mpsc::channel::<()>();
        let short = Duration::from_millis(20);
        assert_eq!(within("ends", PATIENCE, || 7), Ok(7));
        assert_eq!(within::<()>("panics", PATIENCE, || panic!("on purpose")), Err(Kind::Crash));
        assert_eq!(within("waits", short, move || never.recv().is_ok()), Err(Kind::Hang));
    }

    #[test]
    fn a_file_fails_where_we_refuse_what_keepalived_runs_or_miss_what_it_says() {
        let ours = |refused, complains| Ours {
            refused,
            complains,
            round_trip: true,
            formats: true,
            ..Ours::default()
        };
        let failures = |ours, present| {
            let theirs = Theirs { bare: 0, present, messages: Vec::new() };
            Case { name: String::new(), theirs: Some(theirs), ours }.failures()
        };
        assert_eq!(failures(Ok(ours(true, true)), 6), [Kind::Refused]);
        assert_eq!(failures(Ok(ours(true, true)), 2), []);
        assert_eq!(failures(Ok(ours(false, false)), 5), [Kind::Silent]);
        assert_eq!(failures(Ok(ours(false, false)), 0), []);
        assert_eq!(failures(Ok(Ours::default()), 0), [Kind::Tokens, Kind::Format]);
        assert_eq!(failures(Err(Kind::Hang), 0), [Kind::Hang]);
    }
}
