//! Every failure of the first promise, measured side by side with Debian's keepalived in one run.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use standfast_kernel::{clock, process::signal};
use standfast_types::Instant;

use crate::{
    demo::machine,
    stage::{CLIENT, Stage, pause},
    topology::{Cable, Plan, Topology},
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 84, 0, 100);
const OURS: &str = "standfast";
const KEEPALIVED: &str = "/usr/sbin/keepalived";

/// It did not happen in twice the time that it may take.
const NEVER: u64 = u64::MAX;

/// Who runs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// Ours.
    Standfast,
    /// Debian's.
    Keepalived,
}

/// Version and interval of a pair, and how long it waits.
#[derive(Clone, Copy, Debug)]
struct Timing {
    version: u8,
    advert: &'static str,
    advert_ms: u64,
    /// Adverts that may be missed, and the skew of priority 100, in microseconds.
    hold_micros: u64,
    /// How often the client asks.
    ask: Duration,
}

const SLOW: Timing = Timing {
    version: 2,
    advert: "1",
    advert_ms: 1000,
    hold_micros: 3_609_375,
    ask: Duration::from_millis(4),
};
const FAST: Timing = Timing {
    version: 3,
    advert: "0.1",
    advert_ms: 100,
    hold_micros: 360_938,
    ask: Duration::from_millis(1),
};
const FASTEST: Timing = Timing {
    version: 3,
    advert: "0.01",
    advert_ms: 10,
    hold_micros: 36_094,
    ask: Duration::from_millis(1),
};

/// Two nodes, their programs and timing.
#[derive(Clone, Copy, Debug)]
struct Pair {
    holder: Daemon,
    other: Daemon,
    timing: Timing,
}

/// One row of the table.
struct Row {
    event: String,
    who: &'static str,
    unit: &'static str,
    /// Microseconds, or requests.
    rounds: Vec<u64>,
    bound: Option<u64>,
}

/// Runs every event whose name contains `only`, `rounds` times with both programs, and prints the table. 1
/// when one of our bounds broke.
pub(crate) fn run(program: &Path, rounds: usize, only: &str) -> anyhow::Result<u8> {
    let both = programs();
    let mut bench = Bench { program, rounds, only, rows: Vec::new() };
    for &daemon in both {
        for timing in [SLOW, FAST, FASTEST] {
            bench.cable_pulled(Pair { holder: daemon, other: daemon, timing })?;
        }
        for timing in [SLOW, FAST] {
            bench.pulse_killed(Pair { holder: daemon, other: daemon, timing })?;
        }
        for timing in [SLOW, FAST] {
            bench.everything_killed(Pair { holder: daemon, other: daemon, timing })?;
        }
        bench.started_alone(daemon)?;
        for &other in both {
            bench.stopped(Pair { holder: daemon, other, timing: SLOW })?;
        }
    }
    let text = bench.table();
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(u8::from(bench.rows.iter().any(|row| row.who == OURS && row.is_broken())))
}

/// Those that there are here.
pub(crate) fn programs() -> &'static [Daemon] {
    if Path::new(KEEPALIVED).exists() {
        return &[Daemon::Standfast, Daemon::Keepalived];
    }
    say("SKIPPED: keepalived's figures: it is not installed");
    &[Daemon::Standfast]
}

struct Bench<'a> {
    program: &'a Path,
    rounds: usize,
    only: &'a str,
    rows: Vec<Row>,
}

impl Bench<'_> {
    fn cable_pulled(&mut self, pair: Pair) -> anyhow::Result<()> {
        let margin = if pair.timing.advert_ms < 1000 { 5_000 } else { 10_000 };
        let bound = pair.timing.hold_micros + margin;
        let event = format!("cable pulled, v{} {} s", pair.timing.version, pair.timing.advert);
        self.measure(event, pair, "us", Some(bound), |stage, timing| {
            let from = clock::now();
            stage.topology.set_cable("n1", "eth0", Cable::Pulled)?;
            served_by(stage, "n2", from, timing)?;
            let gap = stage.notice(ADDRESS, from)?.gap;
            Ok(micros(gap))
        })
    }

    fn pulse_killed(&mut self, pair: Pair) -> anyhow::Result<()> {
        let event = format!("pulse killed (-9), v{} {} s", pair.timing.version, pair.timing.advert);
        self.measure(event, pair, "lost", Some(0), |stage, timing| {
            let from = clock::now();
            stage.kill_pulse("n1")?;
            pause(Duration::from_micros(timing.hold_micros) + Duration::from_millis(600));
            let notice = stage.notice(ADDRESS, from)?;
            // A role change is a loss as well: somebody noticed.
            let moved = notice.pages.iter().any(|page| page != "n1");
            Ok(lost(&notice) + u64::from(moved))
        })
    }

    fn everything_killed(&mut self, pair: Pair) -> anyhow::Result<()> {
        let bound = (3 * pair.timing.advert_ms).max(2000) + 1000;
        let event =
            format!("everything killed (-9), v{} {} s", pair.timing.version, pair.timing.advert);
        self.measure(event, pair, "us", Some(bound * 1000), |stage, _| {
            let from = clock::now();
            stage.kill_everything("n1")?;
            let limit = Duration::from_millis(bound * 2);
            let alone = stage.wait_until(limit, |stage| Ok(stage.holders(ADDRESS)? == ["n2"]))?;
            Ok(if alone { micros(clock::now().saturating_since(from)) } else { NEVER })
        })
    }

    fn stopped(&mut self, pair: Pair) -> anyhow::Result<()> {
        let event = format!("stopped in good order, peer {}", name(pair.other));
        let mut cut = Vec::new();
        self.measure(event.clone(), pair, "lost", Some(0), |stage, timing| {
            let from = clock::now();
            stage.signal("n1", "daemon", signal::SIGTERM)?;
            served_by(stage, "n2", from, timing)?;
            pause(Duration::from_millis(500));
            let notice = stage.notice(ADDRESS, from)?;
            cut.push(u64::try_from(notice.cut).unwrap_or(u64::MAX));
            Ok(lost(&notice))
        })?;
        if cut.is_empty() {
            return Ok(());
        }
        let event = format!("{event}: cut by the switch, answered on the second try");
        let who = name(pair.holder);
        self.rows.push(Row { event, who, unit: "cut", rounds: cut, bound: None });
        Ok(())
    }

    /// From the start of the program to the address, without another node.
    fn started_alone(&mut self, daemon: Daemon) -> anyhow::Result<()> {
        let event = "start to address up, alone, v2 1 s".to_owned();
        if !event.contains(self.only) {
            return Ok(());
        }
        say(&format!("{} {event}", name(daemon)));
        let mut stage = Stage::new(Topology::build(&plan(self.program))?, self.program);
        let mut figures = Vec::new();
        for _ in 0..self.rounds {
            let from = clock::now();
            start(&mut stage, "n1", daemon, SLOW, 200)?;
            let limit = Duration::from_secs(10);
            let up = stage.wait_until(limit, |stage| Ok(stage.holders(ADDRESS)? == ["n1"]))?;
            anyhow::ensure!(up, "the address never came up");
            figures.push(micros(clock::now().saturating_since(from)));
            stage.signal("n1", "daemon", signal::SIGTERM)?;
            stage.wait_until(limit, |stage| Ok(stage.exit_code("n1", "daemon")?.is_some()))?;
        }
        // 3 s and 56/256 s of skew, and 50 ms.
        let bound = Some(3_218_750 + 50_000);
        self.rows.push(Row { event, who: name(daemon), unit: "us", rounds: figures, bound });
        Ok(())
    }

    fn measure(
        &mut self,
        event: String,
        pair: Pair,
        unit: &'static str,
        bound: Option<u64>,
        mut round: impl FnMut(&mut Stage, Timing) -> anyhow::Result<u64>,
    ) -> anyhow::Result<()> {
        if !event.contains(self.only) {
            return Ok(());
        }
        let who = name(pair.holder);
        say(&format!("{who} {event}"));
        let timing = pair.timing;
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            // Machines of their own for every round: keepalived leaves addresses and pid files behind.
            let mut stage = self.pair(pair)?;
            stage.wait_for_holder(ADDRESS, "n1", Duration::from_secs(15))?;
            served_by(&mut stage, "n1", clock::now(), timing)?;
            // Not always at the same phase of the adverts.
            let phase = clock::now().as_nanos() % (timing.advert_ms * 1_000_000);
            pause(Duration::from_millis(1200) + Duration::from_nanos(phase));
            rounds.push(round(&mut stage, timing)?);
        }
        self.rows.push(Row { event, who, unit, rounds, bound });
        Ok(())
    }

    fn pair(&self, pair: Pair) -> anyhow::Result<Stage> {
        let mut stage = Stage::new(Topology::build(&plan(self.program))?, self.program);
        for node in ["n1", "n2"] {
            stage.start_web(node)?;
        }
        start(&mut stage, "n1", pair.holder, pair.timing, 200)?;
        start(&mut stage, "n2", pair.other, pair.timing, 100)?;
        stage.start_probe(ADDRESS, pair.timing.ask)?;
        Ok(stage)
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "\n| event | program | median | worst | rounds | bound | |\n|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let mut sorted = row.rounds.clone();
            sorted.sort_unstable();
            let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
            let worst = sorted.last().copied().unwrap_or(0);
            let verdict = match (row.who, row.is_broken()) {
                (_, false) => "kept",
                (OURS, true) => "BROKEN",
                (_, true) => "exceeds it",
            };
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {verdict} |",
                row.event,
                row.who,
                row.show(median),
                row.show(worst),
                row.rounds.len(),
                row.bound.map_or_else(String::new, |bound| row.show(bound)),
            );
        }
        text
    }
}

impl Row {
    fn show(&self, figure: u64) -> String {
        if figure == NEVER {
            "never".to_owned()
        } else if self.unit == "us" {
            format!("{}.{} ms", figure / 1000, figure % 1000 / 100)
        } else {
            format!("{figure} {}", self.unit)
        }
    }

    fn is_broken(&self) -> bool {
        self.bound.is_some_and(|bound| self.rounds.iter().any(|figure| *figure > bound))
    }
}

pub(crate) fn name(daemon: Daemon) -> &'static str {
    match daemon {
        Daemon::Standfast => OURS,
        Daemon::Keepalived => "keepalived",
    }
}

fn plan(program: &Path) -> Plan {
    Plan {
        nodes: vec![
            machine("n1", "10.84.0.1/24"),
            machine("n2", "10.84.0.2/24"),
            machine(CLIENT, "10.84.0.3/24"),
        ],
        programs: vec![program.to_owned()],
    }
}

fn start(
    stage: &mut Stage,
    node: &str,
    daemon: Daemon,
    timing: Timing,
    priority: u8,
) -> anyhow::Result<()> {
    let configuration = format!(
        "global_defs {{
    vrrp_version {version}
}}
vrrp_instance V {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {advert}
    virtual_ipaddress {{
        {ADDRESS}/24
    }}
}}
",
        version = timing.version,
        advert = timing.advert,
    );
    launch(stage, node, daemon, &configuration)
}

/// Starts a daemon on a node with this configuration.
pub(crate) fn launch(
    stage: &mut Stage,
    node: &str,
    daemon: Daemon,
    configuration: &str,
) -> anyhow::Result<()> {
    match daemon {
        Daemon::Standfast => stage.start_standfast(node, configuration),
        Daemon::Keepalived => {
            let path = "/etc/keepalived/keepalived.conf";
            let node_files = stage.topology.node(node)?;
            node_files.write_file(Path::new(path), configuration.as_bytes())?;
            stage.start(node, "daemon", &[KEEPALIVED, "-n", "-l", "-f", path])
        }
    }
}

/// Waits until the client's newest page comes from a node.
fn served_by(stage: &mut Stage, node: &str, from: Instant, timing: Timing) -> anyhow::Result<()> {
    let limit = Duration::from_micros(timing.hold_micros * 4) + Duration::from_secs(10);
    let served = stage.wait_until(limit, |stage| {
        let samples = stage.samples(ADDRESS)?.iter().rev();
        let page = samples.filter(|sample| sample.sent >= from).find_map(|s| s.page.as_ref());
        Ok(page.is_some_and(|page| page == node))
    })?;
    anyhow::ensure!(served, "{node} never serves");
    Ok(())
}

fn lost(notice: &crate::probe::Notice) -> u64 {
    u64::try_from(notice.lost).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
