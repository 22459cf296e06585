//! Failures that only a tracker notices: a process dies, a neighbour falls silent.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use standfast_kernel::clock;

use super::{
    Scale,
    bed::{self, NODES},
    capture::micros,
    table::{Bound, Figure},
};
use crate::{
    bench::Daemon,
    stage::{CLIENT, Stage, pause},
    topology::Cable,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 101, 9, 1);
const ROUNDS: usize = 5;
const LIMIT: Duration = Duration::from_secs(8);

/// An instance over `eth0` with an address on `eth1`, which serves only while a tracker is content.
fn instance(priority: u8, advert: &str, tracker: &str) -> String {
    format!(
        "vrrp_instance V {{\n state BACKUP\n interface eth0\n virtual_router_id 9\n \
         priority {priority}\n advert_int {advert}\n {tracker}\n \
         virtual_ipaddress {{\n  {ADDRESS}/16 dev eth1\n }}\n}}\n"
    )
}

fn session(name: &str, neighbour: u8, own: u8) -> String {
    format!(
        "bfd_instance {name} {{\n neighbor_ip 10.101.0.{neighbour}\n source_ip 10.101.0.{own}\n \
         min_rx 10\n min_tx 10\n multiplier 3\n}}\n"
    )
}

impl Scale<'_> {
    /// A tracked process dies on the master.
    pub(super) fn process_dies(&mut self, who: Daemon) -> anyhow::Result<()> {
        let name = "process dies, `track_process`, priorities 254/251";
        for (advert, skew, bound) in
            [("1", "19.5 ms of skew", Bound::None), ("0.1", "1.95 ms of skew", Bound::Most(15_000))]
        {
            let what = format!("until the peer serves, advert_int {advert} ({skew})");
            let mut worst = Figure::Micros(0);
            for _ in 0..ROUNDS {
                let figure = self.process_round(who, advert)?;
                worst = worse(worst, figure);
                if matches!(figure, Figure::Skipped(_) | Figure::Never(_)) {
                    break;
                }
            }
            self.table.add(name, &what, who, worst, bound);
        }
        Ok(())
    }

    fn process_round(&self, who: Daemon, advert: &str) -> anyhow::Result<Figure> {
        let mut stage = self.scene()?;
        let tracked = "vrrp_track_process victim {\n process sleep\n}\n";
        let tracker = "track_process {\n  victim\n }";
        for (node, priority) in NODES.into_iter().zip([254, 251]) {
            stage.start(node, "victim", &["/bin/sleep", "1000"])?;
            let text = bed::global("") + tracked + &instance(priority, advert, tracker);
            bed::start(&mut stage, node, who, &text)?;
        }
        if who == Daemon::Standfast && announces(&mut stage)? {
            return Ok(Figure::Skipped("track_process is not active in this version"));
        }
        if !serves(&mut stage, "n1")? {
            return Ok(Figure::Skipped("follows no processes in a network namespace"));
        }
        let from = clock::now();
        stage.kill("n1", "victim");
        if !serves(&mut stage, "n2")? {
            return Ok(Figure::Never(LIMIT.as_secs()));
        }
        let mut pages = stage.samples(ADDRESS)?.iter().filter(|sample| sample.ended > from);
        let first = pages.find(|sample| sample.page.as_deref() == Some("n2"));
        let took = first.map(|sample| sample.ended.saturating_since(from));
        Ok(took.map_or(Figure::Never(LIMIT.as_secs()), |took| Figure::Micros(micros(took))))
    }

    /// The master loses its clients' network behind the next switch; VRRP goes over another.
    pub(super) fn neighbour_falls_silent(&mut self, who: Daemon) -> anyhow::Result<()> {
        let name = "cable pulled behind the switch, BFD 10 ms x 3";
        let mut worst = Figure::Micros(0);
        for _ in 0..ROUNDS {
            worst = worse(worst, self.silent_round(who)?);
        }
        let what = format!("time without an answer, worst of {ROUNDS}");
        self.table.add(name, &what, who, worst, Bound::Most(40_000));
        Ok(())
    }

    fn silent_round(&self, who: Daemon) -> anyhow::Result<Figure> {
        let mut stage = self.scene()?;
        let neighbour = bed::global("") + &session("one", 1, 3) + &session("two", 2, 3);
        bed::start(&mut stage, CLIENT, who, &neighbour)?;
        for ((node, priority), own) in NODES.into_iter().zip([254, 251]).zip([1, 2]) {
            let tracker = "track_bfd {\n  up\n }";
            let text = bed::global("") + &session("up", 3, own);
            bed::start(&mut stage, node, who, &(text + &instance(priority, "0.1", tracker)))?;
        }
        if !serves(&mut stage, "n1")? {
            return Ok(Figure::Never(LIMIT.as_secs()));
        }
        let from = clock::now();
        stage.topology.set_cable("n1", "eth1", Cable::Silent)?;
        if !serves(&mut stage, "n2")? {
            return Ok(Figure::Never(LIMIT.as_secs()));
        }
        Ok(Figure::Micros(micros(stage.notice(ADDRESS, from)?.gap)))
    }

    /// Two nodes with web servers, and a client that asks every millisecond.
    fn scene(&self) -> anyhow::Result<Stage> {
        let mut stage = bed::build(self.program, &[NODES[0], NODES[1], CLIENT], 2)?;
        for node in NODES {
            stage.start_web(node)?;
        }
        stage.start_probe(ADDRESS, Duration::from_millis(1))?;
        Ok(stage)
    }
}

/// Whether our daemon only announces a keyword of its file.
fn announces(stage: &mut Stage) -> anyhow::Result<bool> {
    let program = stage.program();
    let program = program.to_string_lossy();
    let path = Path::new("/etc/keepalived/keepalived.conf").display().to_string();
    let (_, lines) = stage.run("n1", &[&program, "check", "-f", &path])?;
    Ok(lines.iter().any(|line| line.contains("not active")))
}

/// Waits until a node serves for half a second without a break.
fn serves(stage: &mut Stage, node: &str) -> anyhow::Result<bool> {
    let from = clock::now();
    let time = Duration::from_millis(500);
    stage.wait_until(LIMIT, |stage| {
        pause(Duration::from_millis(20));
        let since = clock::now();
        let mut pages = stage.samples(ADDRESS)?.iter().rev().take_while(|sample| {
            sample.sent >= from && since.saturating_since(sample.sent) <= time
        });
        let enough = pages.clone().count() >= 100;
        Ok(enough && pages.all(|sample| sample.page.as_deref() == Some(node)))
    })
}

/// The worse of two, and one that is no time at all is the worst.
const fn worse(one: Figure, other: Figure) -> Figure {
    match (one, other) {
        (Figure::Micros(one), Figure::Micros(other)) => {
            Figure::Micros(if one > other { one } else { other })
        }
        (Figure::Micros(_), other) => other,
        (
            Figure::Count(_)
            | Figure::Cpu(_)
            | Figure::KiB(_)
            | Figure::Never(_)
            | Figure::Skipped(_),
            _,
        ) => one,
    }
}
