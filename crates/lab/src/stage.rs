//! Machines with daemons and web servers on them, a client that watches, and a record of it all.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, poll},
    fs::{MemfdFlags, memfd_create},
};
use standfast_kernel::{
    clock,
    process::{Output, Pid, Spawn, signal},
};
use standfast_types::Instant;

use crate::{
    HELPER_ARGUMENT, LabError,
    node::{PROGRAMS, Process},
    probe::{Notice, Sample, notice},
    topology::Topology,
};

/// The client's node.
pub const CLIENT: &str = "client";

/// A running cluster.
#[derive(Debug)]
pub struct Stage {
    /// The machines and their cables.
    pub topology: Topology,
    program: OsString,
    processes: BTreeMap<(String, String), Running>,
    probes: BTreeMap<Ipv4Addr, Probe>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    log: Record,
}

#[derive(Debug)]
struct Probe {
    _process: Process,
    record: Record,
    samples: Vec<Sample>,
}

/// What a process writes, kept in memory, and how far it was read.
#[derive(Debug)]
struct Record {
    file: File,
    read: u64,
    rest: Vec<u8>,
}

impl Stage {
    /// Takes a network whose nodes have this program in [`PROGRAMS`].
    #[must_use]
    pub fn new(topology: Topology, program: &Path) -> Self {
        let name = program.file_name().unwrap_or_default();
        let program = Path::new(PROGRAMS).join(name).into_os_string();
        Self { topology, program, processes: BTreeMap::new(), probes: BTreeMap::new() }
    }

    /// Our own program as nodes find it.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.program.clone().into()
    }

    /// Starts a program on a node under a role (`daemon`, `web`), in place of one that had it.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(&mut self, node: &str, role: &str, argv: &[&str]) -> anyhow::Result<()> {
        // First, for a second copy may refuse to run beside it.
        self.kill(node, role);
        let record = Record::new()?;
        let mut what = Spawn::new(argv);
        what.stdout = Output::File(record.writer()?);
        what.stderr = Output::File(record.writer()?);
        let process = self.topology.node(node)?.spawn(what)?;
        let running = Running { process, log: record };
        self.processes.insert((node.to_owned(), role.to_owned()), running);
        Ok(())
    }

    /// Starts our daemon on a node with this configuration.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_standfast(&mut self, node: &str, configuration: &str) -> anyhow::Result<()> {
        let path = Path::new("/etc/keepalived/keepalived.conf");
        self.topology.node(node)?.write_file(path, configuration.as_bytes())?;
        let program = self.program.to_string_lossy().into_owned();
        self.start(node, "daemon", &[&program, "run"])
    }

    /// As [`Self::start_standfast`], called by the name `keepalived` with these further options:
    /// scripts that say `killall keepalived` find it.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_keepalived(
        &mut self,
        node: &str,
        configuration: &str,
        options: &[&str],
    ) -> anyhow::Result<()> {
        let path = Path::new("/etc/keepalived/keepalived.conf");
        self.topology.node(node)?.write_file(path, configuration.as_bytes())?;
        let name = self.keepalived(node)?;
        let argv = [&[name.as_str(), "-n", "-l", "-D", "-G"], options].concat();
        self.start(node, "daemon", &argv)
    }

    /// Our own program by the name `keepalived` on a node.
    ///
    /// # Errors
    /// The link can't be made.
    pub fn keepalived(&mut self, node: &str) -> anyhow::Result<String> {
        let link = Path::new(PROGRAMS).join("keepalived");
        let node = self.topology.node(node)?;
        if !node.run(|| link.is_symlink())? {
            node.link(Path::new(&self.program), &link)?;
        }
        Ok(link.display().to_string())
    }

    /// Runs a program on a node to its end: its exit code (-1 when a signal ended it), and what it wrote.
    ///
    /// # Errors
    /// It can't be started, or goes on for more than 20 s.
    pub fn run(&mut self, node: &str, argv: &[&str]) -> anyhow::Result<(i32, Vec<String>)> {
        const ROLE: &str = "command";
        self.start(node, ROLE, argv)?;
        let limit = Duration::from_secs(20);
        let ended = self.wait_until(limit, |stage| Ok(stage.exit_code(node, ROLE)?.is_some()))?;
        anyhow::ensure!(ended, "{argv:?} on {node} does not end");
        let lines = self.log(node, ROLE)?;
        let code = self.exit_code(node, ROLE)?.unwrap_or(-1);
        self.kill(node, ROLE);
        Ok((code, lines))
    }

    /// Starts the lab's own web server on a node; its page is the node's name.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_web(&mut self, node: &str) -> anyhow::Result<()> {
        let program = self.program.to_string_lossy().into_owned();
        self.start(node, "web", &[&program, HELPER_ARGUMENT, "serve", "0.0.0.0:80", node])
    }

    /// Starts a client that asks an address for a page every `interval`.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_probe(&mut self, address: Ipv4Addr, interval: Duration) -> anyhow::Result<()> {
        let record = Record::new()?;
        let target = format!("{address}:80");
        let micros = interval.as_micros().to_string();
        let mut what = Spawn::new([
            self.program.clone(),
            HELPER_ARGUMENT.into(),
            "probe".into(),
            target.into(),
            micros.into(),
        ]);
        what.stdout = Output::File(record.writer()?);
        what.stderr = Output::Inherited;
        let process = self.topology.node(CLIENT)?.spawn(what)?;
        let probe = Probe { _process: process, record, samples: Vec::new() };
        self.probes.insert(address, probe);
        Ok(())
    }

    /// The number of a process, as the lab counts.
    ///
    /// # Errors
    /// There is none in that role.
    pub fn pid(&self, node: &str, role: &str) -> anyhow::Result<Pid> {
        Ok(self.running(node, role)?.process.pid())
    }

    /// Signals a process.
    ///
    /// # Errors
    /// There is none in that role.
    pub fn signal(&mut self, node: &str, role: &str, signal: i32) -> anyhow::Result<()> {
        Ok(self.running(node, role)?.process.signal(signal)?)
    }

    /// Ends a process without a word; false when it had ended already.
    pub fn kill(&mut self, node: &str, role: &str) -> bool {
        self.processes.remove(&(node.to_owned(), role.to_owned())).is_some()
    }

    /// How a process ended; `None` while it runs.
    ///
    /// # Errors
    /// There is none in that role.
    pub fn exit_code(&mut self, node: &str, role: &str) -> anyhow::Result<Option<i32>> {
        let status = self.running_mut(node, role)?.process.status()?;
        Ok(status.map(|status| status.code().unwrap_or(-1)))
    }

    /// Kills pulse, and pulse alone, on a node.
    ///
    /// # Errors
    /// There is none.
    pub fn kill_pulse(&mut self, node: &str) -> anyhow::Result<()> {
        let pid = self.pulse(node)?;
        Ok(standfast_kernel::process::kill(pid, signal::SIGKILL)?)
    }

    /// Kills supervisor and pulse of a node at one moment.
    ///
    /// # Errors
    /// There are none.
    pub fn kill_everything(&mut self, node: &str) -> anyhow::Result<()> {
        let pulse = self.pulse(node)?;
        let daemon = &self.running(node, "daemon")?.process;
        // Stopped first: neither sees the other die.
        let _ = standfast_kernel::process::kill(pulse, signal::SIGSTOP);
        daemon.signal(signal::SIGSTOP)?;
        standfast_kernel::process::kill(pulse, signal::SIGKILL)?;
        daemon.signal(signal::SIGKILL)?;
        self.kill(node, "daemon");
        Ok(())
    }

    /// The lines that a process has written since the last call.
    ///
    /// # Errors
    /// There is none in that role.
    pub fn log(&mut self, node: &str, role: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.running_mut(node, role)?.log.lines()?)
    }

    /// The nodes that have an address now.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn holders(&mut self, address: Ipv4Addr) -> Result<Vec<String>, LabError> {
        self.topology.holders(IpAddr::V4(address))
    }

    /// Waits until `done`, looking every few milliseconds; whether it came to that in time.
    ///
    /// # Errors
    /// Those of `done`.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let until = clock::now() + limit;
        loop {
            if done(self)? {
                return Ok(true);
            }
            if until <= clock::now() {
                return Ok(false);
            }
            pause(Duration::from_millis(5));
        }
    }

    /// Waits until exactly this node holds an address.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub fn wait_for_holder(
        &mut self,
        address: Ipv4Addr,
        node: &str,
        limit: Duration,
    ) -> anyhow::Result<()> {
        let reached = self.wait_until(limit, |stage| Ok(stage.holders(address)? == [node]))?;
        let holders = self.holders(address)?;
        anyhow::ensure!(reached, "{address} is held by {holders:?} and not by {node} alone");
        Ok(())
    }

    /// What the client noticed of an address from `from` until now. Waits until the fate of every
    /// request is known.
    ///
    /// # Errors
    /// Nobody asks that address.
    pub fn notice(&mut self, address: Ipv4Addr, from: Instant) -> anyhow::Result<Notice> {
        let until = clock::now();
        pause(crate::probe::PATIENCE + Duration::from_millis(20));
        let samples = self.samples(address)?;
        Ok(notice(samples, from, until))
    }

    /// Every request so far.
    ///
    /// # Errors
    /// Nobody asks that address.
    pub fn samples(&mut self, address: Ipv4Addr) -> anyhow::Result<&[Sample]> {
        let probe = self
            .probes
            .get_mut(&address)
            .ok_or_else(|| anyhow::anyhow!("nobody asks {address}"))?;
        for line in probe.record.lines()? {
            probe.samples.push(serde_json::from_str(&line)?);
        }
        Ok(&probe.samples)
    }

    fn pulse(&mut self, node: &str) -> anyhow::Result<Pid> {
        let node = self.topology.node(node)?;
        let standfast = node.read_file(Path::new("/run/standfast-pulse.pid"));
        let text = standfast.or_else(|_| node.read_file(Path::new("/run/vrrp.pid")))?;
        let number = String::from_utf8(text)?.trim().parse()?;
        Ok(node.process(number)?)
    }

    fn running(&self, node: &str, role: &str) -> anyhow::Result<&Running> {
        self.processes
            .get(&(node.to_owned(), role.to_owned()))
            .ok_or_else(|| anyhow::anyhow!("no {role} runs on {node}"))
    }

    fn running_mut(&mut self, node: &str, role: &str) -> anyhow::Result<&mut Running> {
        self.processes
            .get_mut(&(node.to_owned(), role.to_owned()))
            .ok_or_else(|| anyhow::anyhow!("no {role} runs on {node}"))
    }
}

impl Record {
    fn new() -> anyhow::Result<Self> {
        let file = memfd_create("lab-record", MemfdFlags::CLOEXEC)?;
        Ok(Self { file: file.into(), read: 0, rest: Vec::new() })
    }

    /// Where the process writes: its own position, always at the end.
    fn writer(&self) -> anyhow::Result<File> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(std::fs::OpenOptions::new().append(true).open(path)?)
    }

    /// The complete lines since the last call.
    fn lines(&mut self) -> io::Result<Vec<String>> {
        self.file.seek(SeekFrom::Start(self.read))?;
        let read = self.file.read_to_end(&mut self.rest)?;
        self.read += u64::try_from(read).unwrap_or(0);
        let complete = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..complete).collect();
        let text = String::from_utf8_lossy(&lines);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Waits; the lab runs in real time.
pub fn pause(time: Duration) {
    if let Ok(time) = time.try_into() {
        // Nothing to wait for but the time itself.
        let nobody: &mut [PollFd<'_>] = &mut [];
        let _ = poll(nobody, Some(&time));
    }
}
