//! Many instances, and few that must be punctual.

use std::time::Duration;

use standfast_kernel::clock;

use super::{
    Scale,
    bed::{self, Crowd, Load, NODES, Roles, Usage},
    capture::{Capture, micros, percentile, stamp},
    table::{Bound, Figure},
};
use crate::bench::Daemon;

/// Who has not settled until then never does.
const LIMIT: Duration = Duration::from_secs(60);
const TENTH: Duration = Duration::from_millis(100);

/// A crowd, and what is asked of it.
pub(super) struct Work {
    pub(super) name: String,
    pub(super) crowd: Crowd,
    pub(super) loaded: bool,
    pub(super) window: Duration,
    /// Of the sender, and of the receiver.
    pub(super) cpu: Bound,
    /// Within which it must settle.
    pub(super) wait: Duration,
}

impl Scale<'_> {
    /// Two nodes: when they settle, what changes after that, what they cost.
    pub(super) fn crowd(&mut self, work: &Work, who: Daemon) -> anyhow::Result<()> {
        let Work { name, crowd, loaded, window, cpu, wait } = work;
        let mut stage = bed::build(self.program, &NODES, crowd.interfaces)?;
        let _load = loaded.then(|| Load::start(self.program, false)).transpose()?;
        let began = clock::now();
        for (node, priority) in NODES.into_iter().zip([200, 100]) {
            bed::start(&mut stage, node, who, &(bed::global("") + &crowd.text(priority)))?;
        }
        let mut roles = Roles::default();
        let settled = roles.settle(&mut stage, crowd.instances, began, LIMIT)?;
        let settled = settled.map_or(Figure::Never(LIMIT.as_secs()), |t| Figure::Micros(micros(t)));
        self.table.add(name, "settled after", who, settled, Bound::Most(micros(*wait)));

        let usage = |stage: &_| NODES.map(|node| Usage::of(stage, node));
        let ([sender, receiver], from) = (usage(&stage), clock::now());
        let before = [sender?, receiver?];
        let changes = roles.watch(&mut stage, *window)?;
        let time = clock::now().saturating_since(from);
        let [sender, receiver] = usage(&stage);
        let after = [sender?, receiver?];
        let text = format!("role changes in the next {} s", window.as_secs());
        self.table.add(name, &text, who, Figure::Count(changes), Bound::Most(0));
        let sides = before.into_iter().zip(after).zip(["sending", "receiving"]);
        for ((before, after), side) in sides {
            let figure = Figure::Cpu(after.cpu_since(before, time));
            self.table.add(name, &format!("CPU {side}"), who, figure, *cpu);
        }
        let kib = after.map(|usage| usage.kib).into_iter().max().unwrap_or(0);
        self.table.add(name, "memory of a node", who, Figure::KiB(kib), Bound::Percent(100));
        Ok(())
    }

    /// Ten instances at 100 ms with real-time priority, while processors and disk are busy.
    pub(super) fn punctual(&mut self, who: Daemon) -> anyhow::Result<()> {
        let name = "lateness of adverts at 100 ms, processors and disk loaded";
        let crowd = Crowd { instances: 10, first: 0, interfaces: 1, advert: "0.1" };
        let mut stage = bed::build(self.program, &NODES, 1)?;
        for (node, priority) in NODES.into_iter().zip([200, 100]) {
            let global = bed::global(" vrrp_rt_priority 50\n");
            bed::start(&mut stage, node, who, &(global + &crowd.text(priority)))?;
        }
        let mut roles = Roles::default();
        let settled = roles.settle(&mut stage, crowd.instances, clock::now(), LIMIT)?;
        anyhow::ensure!(settled.is_some(), "ten instances do not settle");
        let mut capture = Capture::start(&mut stage, "n2", "eth0")?;
        let load = Load::start(self.program, true)?;
        let from = clock::now();
        let changes = roles.watch(&mut stage, self.window)?;
        let between = (stamp(from), stamp(clock::now()));
        drop(load);
        capture.read(&mut stage)?;
        let late = capture.lateness(&mut stage, TENTH, between)?;
        let figures = [(5000, "p50", Bound::None), (9990, "p99.9", Bound::Most(5000))];
        for (part, what, bound) in figures.into_iter().chain([(10_000, "worst", Bound::None)]) {
            let figure = Figure::Micros(percentile(&late, part));
            self.table.add(name, what, who, figure, bound);
        }
        let text = format!("false elections in {} s", self.window.as_secs());
        self.table.add(name, &text, who, Figure::Count(changes), Bound::Most(0));
        Ok(())
    }
}
