//! Two nodes, their configurations, and what their daemons cost.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use rustix::fs::{Mode, OFlags};
use standfast_kernel::{
    clock,
    process::{Pid, Spawn, kill, signal, spawn, wait_child},
};
use standfast_types::Instant;

use crate::{
    HELPER_ARGUMENT,
    bench::{Daemon, launch},
    stage::{Stage, pause},
    topology::{InterfacePlan, NodePlan, Plan, Topology},
};

/// The nodes that run a daemon: the master, and its backup.
pub(super) const NODES: [&str; 2] = ["n1", "n2"];
/// Without a change for this long it has settled.
const QUIET: Duration = Duration::from_secs(4);
/// Ticks of `/proc` a second.
const TICKS: u64 = 100;

/// Machines with interfaces `eth0` .. on as many switches; `10.100.0.N/16` and so on are their own.
pub(super) fn build(
    program: &Path,
    nodes: &[&str],
    interfaces: u8,
) -> Result<Stage, anyhow::Error> {
    let interface = |node: u8, number: u8| InterfacePlan {
        name: format!("eth{number}"),
        switch: format!("lan{number}"),
        addresses: format!("10.{}.0.{node}/16", 100 + number).parse().into_iter().collect(),
    };
    let nodes = (1..).zip(nodes).map(|(node, name)| NodePlan {
        name: (*name).to_owned(),
        interfaces: (0..interfaces).map(|number| interface(node, number)).collect(),
    });
    let plan = Plan { nodes: nodes.collect(), programs: vec![program.to_owned()] };
    Ok(Stage::new(Topology::build(&plan)?, program))
}

/// So many instances, spread evenly over interfaces from `eth{first}` on, with an address each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) instances: u16,
    pub(super) first: u8,
    pub(super) interfaces: u8,
    /// `advert_int`
    pub(super) advert: &'static str,
}

impl Crowd {
    pub(super) fn text(self, priority: u8) -> String {
        let mut text = String::new();
        for number in 0..self.instances {
            let interface = u16::from(self.first) + number % u16::from(self.interfaces);
            let vrid = number / u16::from(self.interfaces) + 1;
            let net = 100 + interface;
            // Writing to a string can't fail.
            let _ = write!(
                text,
                "vrrp_instance V{number} {{\n state BACKUP\n interface eth{interface}\n \
                 virtual_router_id {vrid}\n priority {priority}\n advert_int {}\n \
                 virtual_ipaddress {{\n  10.{net}.1.{vrid}/32\n }}\n}}\n",
                self.advert
            );
        }
        text
    }
}

/// `global_defs` for VRRPv3, with these lines.
pub(super) fn global(lines: &str) -> String {
    format!("global_defs {{\n vrrp_version 3\n{lines}}}\n")
}

/// Starts a daemon on a node.
pub(super) fn start(
    stage: &mut Stage,
    node: &str,
    who: Daemon,
    configuration: &str,
) -> anyhow::Result<()> {
    launch(stage, node, who, configuration)
}

/// Who is what, as the daemons' logs tell.
#[derive(Debug, Default)]
pub(super) struct Roles {
    masters: BTreeMap<(&'static str, String), bool>,
    changes: u64,
    last: Option<Instant>,
}

impl Roles {
    /// Reads what is new in the logs. The changes so far.
    pub(super) fn follow(&mut self, stage: &mut Stage) -> anyhow::Result<u64> {
        for node in NODES {
            for line in stage.log(node, "daemon")? {
                if let Some((name, master)) = role(&line) {
                    self.masters.insert((node, name.to_owned()), master);
                    self.changes += 1;
                    self.last = Some(clock::now());
                }
            }
        }
        Ok(self.changes)
    }

    fn masters(&self, node: &str) -> usize {
        self.masters.iter().filter(|((on, _), master)| *on == node && **master).count()
    }

    /// How long after `from` it took until the first node was master of all, and nothing changed any
    /// more; `None` when it did not come to that within `limit`.
    pub(super) fn settle(
        &mut self,
        stage: &mut Stage,
        instances: u16,
        from: Instant,
        limit: Duration,
    ) -> anyhow::Result<Option<Duration>> {
        while clock::now().saturating_since(from) < limit + QUIET {
            self.follow(stage)?;
            let right = self.masters("n1") == usize::from(instances) && self.masters("n2") == 0;
            if let Some(last) = self.last.filter(|_| right)
                && clock::now().saturating_since(last) >= QUIET
            {
                return Ok(Some(last.saturating_since(from)));
            }
            pause(Duration::from_millis(20));
        }
        Ok(None)
    }

    /// Goes on for so long. How many changes there were.
    pub(super) fn watch(&mut self, stage: &mut Stage, time: Duration) -> anyhow::Result<u64> {
        let before = self.follow(stage)?;
        let until = clock::now() + time;
        while clock::now() < until {
            pause(until.saturating_since(clock::now()).min(Duration::from_secs(1)));
            self.follow(stage)?;
        }
        Ok(self.changes - before)
    }
}

/// An instance and whether it is master now, in a line of either daemon's log.
fn role(line: &str) -> Option<(&str, bool)> {
    const ROLES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];
    if let Some((before, after)) = line.split_once(") Entering ") {
        let (_, name) = before.rsplit_once('(')?;
        return Some((name, after.starts_with("MASTER")));
    }
    let (before, after) = line.split_once(" -> ")?;
    let (name, from) = before.rsplit_once(": ")?;
    let is_role = ROLES.contains(&from) && ROLES.iter().any(|role| after.starts_with(role));
    let name = name.rsplit(' ').next()?;
    is_role.then_some((name, after.starts_with("MASTER")))
}

/// What a node's daemon has used: ticks of processor time so far, and KiB of memory now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) ticks: u64,
    pub(super) kib: u64,
}

impl Usage {
    /// Of all its processes.
    pub(super) fn of(stage: &Stage, node: &str) -> anyhow::Result<Self> {
        let mut usage = Self::default();
        usage.count(stage.pid(node, "daemon")?);
        Ok(usage)
    }

    fn count(&mut self, pid: Pid) {
        let process = format!("/proc/{}", pid.as_raw_nonzero());
        let read = |file: &str| fs::read_to_string(format!("{process}/{file}")).unwrap_or_default();
        let stat = read("stat");
        // Behind the name, which may have spaces: the state is field 3, utime 14, stime 15.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        self.ticks += fields.skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum::<u64>();
        let status = read("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        self.kib += kib.unwrap_or(0);
        let tasks = fs::read_dir(format!("{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.filter_map(Pid::from_raw).for_each(|child| self.count(child));
        }
    }

    /// Hundredths of a percent of one processor since `before`.
    pub(super) fn cpu_since(self, before: Self, time: Duration) -> u64 {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let ticks = self.ticks.saturating_sub(before.ticks);
        ticks.saturating_mul(1000 * 10_000 / TICKS) / millis
    }
}

/// Processes that keep the machine busy, until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Load(Vec<Pid>);

impl Load {
    /// One for each processor, and one for the disk.
    pub(super) fn start(program: &Path, disk: bool) -> anyhow::Result<Self> {
        let mut load = Self::default();
        let processors = std::thread::available_parallelism()?.get();
        for _ in 0..processors {
            load.add(program, &["burn"])?;
        }
        if disk {
            load.add(program, &["scribble", "/var/tmp"])?;
        }
        Ok(load)
    }

    fn add(&mut self, program: &Path, what: &[&str]) -> anyhow::Result<()> {
        let argv = [program.as_os_str(), HELPER_ARGUMENT.as_ref()];
        let argv = argv.into_iter().chain(what.iter().map(|word| word.as_ref()));
        let death_signal = Some(signal::SIGKILL);
        self.0.push(spawn(Spawn { death_signal, ..Spawn::new(argv) })?);
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for pid in self.0.drain(..) {
            let _ = kill(pid, signal::SIGKILL);
            let _ = wait_child(pid);
        }
    }
}

/// Keeps a processor busy until it is killed.
pub(crate) fn burn() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Keeps a disk busy until it is killed: writes, and waits until it is there.
pub(crate) fn scribble(directory: &Path) -> anyhow::Result<u8> {
    use std::os::unix::fs::FileExt;
    // Without a name: nothing is left of it, however this ends.
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR)?);
    let block = vec![0x5a; 1 << 20];
    loop {
        for at in 0..64 {
            file.write_all_at(&block, at << 20)?;
        }
        file.sync_all()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_both_daemons_logs() {
        let lines = [
            ("Sat Nov 21 20:00:00 2026: (V7) Entering MASTER STATE", Some(("V7", true))),
            ("(V7) Entering BACKUP STATE (init)", Some(("V7", false))),
            ("V7: BACKUP -> MASTER (priority 254): no advert for 3.609 s", Some(("V7", true))),
            ("info: V7: MASTER -> BACKUP (priority 9): 10.0.0.1", Some(("V7", false))),
            ("V7: priority 100 -> 90", None),
            ("(V7) received lower priority advert", None),
        ];
        for (line, expected) in lines {
            assert_eq!(role(line), expected, "{line}");
        }
    }
}
