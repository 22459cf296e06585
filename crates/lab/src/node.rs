//! One machine of the lab: its own network, its own `/run`, `/tmp` and `/etc/keepalived`.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::ExitStatus,
};

use standfast_kernel::{
    Error,
    namespace::{Room, bind, mount_empty},
    netlink::{Address, Link, Netlink},
    process::{Pid, Spawn, kill, kill_group, reap_child, signal, spawn, wait_child},
};

use crate::LabError;

/// Where a node finds the programs that the lab brings along, whatever is hidden from it.
pub const PROGRAMS: &str = "/run/lab";
/// What a node keeps to itself. `/run` comes first: it holds [`PROGRAMS`].
const PRIVATE: [&str; 4] = ["/run", "/var/run", "/etc/keepalived", "/tmp"];

/// A machine of the lab.
#[derive(Debug)]
pub struct Node {
    name: String,
    room: Room,
    netlink: Netlink,
}

impl Node {
    /// An empty machine whose `programs` lie in [`PROGRAMS`] under their own file names.
    pub(crate) fn new(name: &str, programs: &[PathBuf]) -> Result<Self, LabError> {
        let room = Room::new(|| furnish(programs))?;
        let netlink = room.run(Netlink::open)??;
        Ok(Self { name: name.to_owned(), room, netlink })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespaces.
    #[must_use]
    pub const fn room(&self) -> &Room {
        &self.room
    }

    /// Its netlink socket, to look at and change its interfaces and addresses.
    pub const fn netlink(&mut self) -> &mut Netlink {
        &mut self.netlink
    }

    /// The addresses that it has now.
    ///
    /// # Errors
    /// The kernel did not answer.
    pub fn addresses(&mut self) -> Result<Vec<Address>, LabError> {
        Ok(self.netlink.addresses()?)
    }

    /// The interfaces that it has now.
    ///
    /// # Errors
    /// The kernel did not answer.
    pub fn links(&mut self) -> Result<Vec<Link>, LabError> {
        Ok(self.netlink.links()?)
    }

    /// Starts a program on this machine; its file names are the machine's. The program dies
    /// with the calling thread, at the latest.
    ///
    /// # Errors
    /// There is no such program, or it may not be run.
    pub fn spawn(&self, what: Spawn<'_>) -> Result<Process, LabError> {
        let namespaces = self.room.namespaces();
        let processes = Some(self.room.processes());
        let death_signal = Some(signal::SIGKILL);
        let pid = spawn(Spawn { namespaces, processes, death_signal, ..what })?;
        Ok(Process { pid, ended: None })
    }

    /// Does something on this machine, on a thread of its own. A socket opened there stays
    /// on this machine's network.
    ///
    /// # Errors
    /// The machine could not be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        Ok(self.room.run(work)?)
    }

    /// Writes a file on this machine; its directory is made when it is missing.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write_file(&self, path: &Path, contents: &[u8]) -> Result<(), LabError> {
        self.run(|| {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, contents)
        })?
        .map_err(in_file(path))
    }

    /// Writes a program on this machine.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write_program(&self, path: &Path, contents: &[u8]) -> Result<(), LabError> {
        self.write_file(path, contents)?;
        let executable = fs::Permissions::from_mode(0o755);
        self.run(|| fs::set_permissions(path, executable))?.map_err(in_file(path))
    }

    /// Makes an empty directory that only this machine sees, wherever it lies.
    ///
    /// # Errors
    /// It could not be made.
    pub fn make_directory(&self, path: &Path) -> Result<(), LabError> {
        self.run(|| {
            let missing = path.ancestors().filter(|path| !path.exists()).last();
            let Some(missing) = missing else { return Ok(mount_empty(path)?) };
            make_room_for(missing)?;
            fs::create_dir_all(path).map_err(in_file(path))
        })?
    }

    /// Makes a symbolic link on this machine.
    ///
    /// # Errors
    /// It could not be made.
    pub fn link(&self, target: &Path, path: &Path) -> Result<(), LabError> {
        self.run(|| symlink(target, path))?.map_err(in_file(path))
    }

    /// The process that this machine knows by a number: its pid files and its `ps` count otherwise
    /// than the lab.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is none.
    pub fn process(&self, number: i32) -> Result<Pid, LabError> {
        let here = fs::File::from(
            self.room.processes().try_clone_to_owned().map_err(in_file("/proc".as_ref()))?,
        );
        let here = here.metadata().map_err(in_file("/proc".as_ref()))?.ino();
        let entries = fs::read_dir("/proc").map_err(in_file("/proc".as_ref()))?;
        let found = entries.filter_map(Result::ok).find_map(|entry| {
            let path = entry.path();
            if fs::metadata(path.join("ns/pid")).ok()?.ino() != here {
                return None;
            }
            let status = fs::read_to_string(path.join("status")).ok()?;
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
            let numbers: Vec<i32> =
                numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            match numbers[..] {
                [.., ours, theirs] if theirs == number => Pid::from_raw(ours),
                _ => None,
            }
        });
        found.ok_or_else(|| LabError::Unknown(format!("process {number} of node {}", self.name)))
    }

    /// Reads a file of this machine.
    ///
    /// # Errors
    /// It could not be read.
    pub fn read_file(&self, path: &Path) -> Result<Vec<u8>, LabError> {
        self.run(|| fs::read(path))?.map_err(in_file(path))
    }
}

/// A program that runs on a node. Killed, with its process group, when dropped.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Its process id, as the lab counts.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal, and to no child of it.
    ///
    /// # Errors
    /// `Gone` when it has ended.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        kill(self.pid, signal)
    }

    /// Sends a signal to it and to its children that did not leave its process group.
    ///
    /// # Errors
    /// `Gone` when all of them have ended.
    pub fn signal_group(&self, signal: i32) -> Result<(), Error> {
        kill_group(self.pid, signal)
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// None that are known.
    pub fn status(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.ended.is_none() {
            self.ended = reap_child(self.pid)?;
        }
        Ok(self.ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After its end has been noted, its number may be somebody else's.
        if matches!(self.status(), Ok(None)) {
            let _ = self.signal_group(signal::SIGKILL);
            let _ = self.signal(signal::SIGKILL);
            let _ = wait_child(self.pid);
        }
    }
}

/// Makes the private directories and brings the programs in.
fn furnish(programs: &[PathBuf]) -> Result<(), LabError> {
    for directory in PRIVATE.map(Path::new) {
        // Often a link to a directory that has been made private already.
        if directory.is_symlink() {
            continue;
        }
        if !directory.exists() {
            make_room_for(directory)?;
        }
        if directory == Path::new("/tmp") {
            bring(programs)?;
        }
        mount_empty(directory)?;
        if directory == Path::new("/tmp") {
            let everybody = fs::Permissions::from_mode(0o1777);
            fs::set_permissions(directory, everybody).map_err(in_file(directory))?;
        }
    }
    Ok(())
}

/// They may lie below `/tmp`, so this comes before `/tmp` is hidden.
fn bring(programs: &[PathBuf]) -> Result<(), LabError> {
    let place = Path::new(PROGRAMS);
    fs::create_dir_all(place).map_err(in_file(place))?;
    for program in programs {
        let name = program.file_name().unwrap_or(OsStr::new("program"));
        bind(program, &place.join(name))?;
    }
    Ok(())
}

/// Makes a directory without touching the disk: its parent is replaced by a copy in memory
/// that leads, entry by entry, to the original.
fn make_room_for(directory: &Path) -> Result<(), LabError> {
    let parent = directory.parent().unwrap_or(Path::new("/"));
    let below = Path::new(PROGRAMS).join("below").join(parent.strip_prefix("/").unwrap_or(parent));
    fs::create_dir_all(&below).map_err(in_file(&below))?;
    bind(parent, &below)?;
    mount_empty(parent)?;
    let link_all = || {
        for entry in fs::read_dir(&below)? {
            let name = entry?.file_name();
            symlink(below.join(&name), parent.join(&name))?;
        }
        fs::create_dir(directory)
    };
    link_all().map_err(in_file(directory))
}

fn in_file(path: &Path) -> impl FnOnce(std::io::Error) -> LabError {
    let path = path.to_owned();
    |source| LabError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::test::in_sandbox;

    #[test]
    fn what_a_node_writes_no_other_node_sees() {
        in_sandbox("node::tests::what_a_node_writes_no_other_node_sees", || {
            let (a, b) = (Node::new("a", &[]).expect("a"), Node::new("b", &[]).expect("b"));
            for directory in PRIVATE {
                let path = Path::new(directory).join("standfast-lab-test");
                a.write_file(&path, b"mine").expect("write");
                assert_eq!(a.read_file(&path).expect("read"), b"mine");
                assert!(b.read_file(&path).is_err(), "{directory}");
                assert!(!path.exists(), "{directory} outside");
            }
        });
    }

    #[test]
    fn a_directory_that_does_not_exist_is_made_without_touching_the_disk() {
        let name = "a_directory_that_does_not_exist_is_made_without_touching_the_disk";
        in_sandbox(&format!("node::tests::{name}"), || {
            let node = Node::new("a", &[]).expect("a");
            let directory = Path::new("/etc/standfast-lab-test");
            node.run(|| make_room_for(directory)).expect("enter").expect("make");
            node.run(|| assert!(directory.is_dir())).expect("enter");
            assert!(node.read_file(Path::new("/etc/passwd")).expect("read").starts_with(b"root"));
            assert!(!directory.exists());
        });
    }

    #[test]
    fn a_program_runs_on_its_node_and_is_killed_when_dropped() {
        in_sandbox("node::tests::a_program_runs_on_its_node_and_is_killed_when_dropped", || {
            let shell = fs::canonicalize("/bin/sh").expect("a shell");
            let node = Node::new("a", std::slice::from_ref(&shell)).expect("a");
            let program = Path::new(PROGRAMS).join(shell.file_name().expect("a name"));
            let script = "echo started > /tmp/out; sleep 100";
            let argv = [program.as_os_str(), OsStr::new("-c"), OsStr::new(script)];
            let mut process = node.spawn(Spawn::new(argv)).expect("spawn");
            let out = Path::new("/tmp/out");
            while node.read_file(out).ok().as_deref() != Some(b"started\n") {
                assert_eq!(process.status().expect("status"), None);
            }
            let pid = process.pid();
            drop(process);
            assert!(kill(pid, signal::SIGTERM).is_err(), "it is gone");
        });
    }

    #[test]
    fn a_node_sees_no_process_of_another() {
        in_sandbox("node::tests::a_node_sees_no_process_of_another", || {
            let (a, b) = (Node::new("a", &[]).expect("a"), Node::new("b", &[]).expect("b"));
            let script = "echo $$ > /tmp/pid; exec sleep 100";
            let sleeper = a.spawn(Spawn::new(["/bin/sh", "-c", script])).expect("spawn");
            let number = loop {
                let text = a.read_file(Path::new("/tmp/pid")).unwrap_or_default();
                if let Ok(number) = String::from_utf8_lossy(&text).trim().parse() {
                    break number;
                }
            };
            assert_eq!(a.process(number).expect("it runs"), sleeper.pid());
            assert!(b.process(number).is_err());
            let script = "for p in /proc/[0-9]*; do echo $p; done > /tmp/all; echo > /tmp/done";
            let _looks = b.spawn(Spawn::new(["/bin/sh", "-c", script])).expect("spawn");
            while b.read_file(Path::new("/tmp/done")).is_err() {}
            let all = b.read_file(Path::new("/tmp/all")).expect("read");
            let all = String::from_utf8_lossy(&all).lines().count();
            assert!(all <= 2, "process 1 and the shell, where /proc may be mounted: {all}");
        });
    }
}
