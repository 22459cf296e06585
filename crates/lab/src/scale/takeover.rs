//! Taking over thousands of addresses, beside the kernel's own floor.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv4Addr, path::Path, time::Duration};

use super::{
    Scale,
    bed::{self, Crowd},
    capture::{Capture, installed, stamp},
    table::{Bound, Figure},
};
use crate::{
    bench::Daemon,
    stage::{CLIENT, Stage, pause},
};

const ADDRESSES: u32 = 5000;
/// The first of them, which is asked for a page.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 100, 9, 1);
const DAY: u64 = 86_400_000_000;
const LIMIT: Duration = Duration::from_secs(30);
const MONITOR: &str = "monitor";

/// When each address was first reported, in microseconds since midnight UTC.
type Reports = BTreeMap<String, u64>;

fn addresses() -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(10, 50, 0, 0));
    (0..ADDRESSES).map(move |number| Ipv4Addr::from(first + number))
}

fn batch(command: &str) -> String {
    addresses().fold(String::new(), |mut text, address| {
        let _ = writeln!(text, "addr {command} {address}/32 dev eth0");
        text
    })
}

impl Scale<'_> {
    /// From the first address to the last, and how other instances fare meanwhile.
    pub(super) fn take_over(&mut self, who: Daemon) -> anyhow::Result<()> {
        let name = "take-over of 5,000 addresses on one interface";
        let mut stage = bed::build(self.program, &["n1", "n2", CLIENT], 2)?;
        stage.start_web("n1")?;
        let monitor = ["/usr/bin/env", "TZ=UTC", "ip", "-ts", "monitor", "address"];
        stage.start("n1", MONITOR, &monitor)?;
        pause(Duration::from_millis(500));
        let mut floors = Vec::new();
        for _ in 0..3 {
            floors.push(floor(&mut stage)?);
        }
        floors.sort_unstable();
        let floor = floors.get(1).copied().unwrap_or(0);

        let crowd = Crowd { instances: 100, first: 1, interfaces: 1, advert: "0.1" };
        bed::start(&mut stage, "n1", who, &(bed::global("") + &crowd.text(100) + &instance()))?;
        let capture = Capture::start(&mut stage, "n2", "eth1")?;
        stage.start_probe(FIRST, Duration::from_millis(1))?;
        let reports = reports(&mut stage, |address| address.starts_with("10.50."))?;
        let (Some(first), Some(last)) = span(&reports) else {
            anyhow::bail!("{name}: it came to {} addresses", reports.len())
        };
        pause(Duration::from_millis(500));
        let midnight = { stamp(standfast_kernel::clock::now()) / DAY * DAY };
        let between = (midnight + first, midnight + last);
        let late = capture.lateness(&mut stage, Duration::from_millis(100), between)?;
        let answered = stage.samples(FIRST)?.iter().find(|sample| sample.page.is_some());
        let answered = answered.map(|sample| stamp(sample.ended).saturating_sub(midnight));

        let most = Bound::Most(floor + floor / 10);
        self.table.add(name, "first to last installed", who, Figure::Micros(last - first), most);
        let text = "the floor of the same run, `ip -batch`";
        self.table.add(name, text, who, Figure::Micros(floor), Bound::None);
        let there = reports.get(&FIRST.to_string()).copied();
        let answer = answered.zip(there).map(|(answered, there)| answered.saturating_sub(there));
        let answer = answer.map_or(Figure::Never(LIMIT.as_secs()), Figure::Micros);
        let text = "its first address: from installed to answering";
        self.table.add(name, text, who, answer, Bound::None);
        let worst = late.last().copied().map_or(Figure::Skipped("no advert"), Figure::Micros);
        let text = "worst lateness of adverts of 100 other instances at 100 ms meanwhile";
        self.table.add(name, text, who, worst, Bound::Most(5000));
        Ok(())
    }
}

fn instance() -> String {
    let all = addresses().fold(String::new(), |mut text, address| {
        let _ = writeln!(text, "  {address}/32");
        text
    });
    format!(
        "vrrp_instance MANY {{\n state BACKUP\n interface eth0\n virtual_router_id 9\n priority 100\n \
         advert_int 1\n virtual_ipaddress {{\n  {FIRST}/32\n }}\n \
         virtual_ipaddress_excluded {{\n{all} }}\n}}\n"
    )
}

/// How long the kernel takes when nobody does anything else.
fn floor(stage: &mut Stage) -> anyhow::Result<u64> {
    let path = Path::new("/tmp/addresses");
    let run = |stage: &mut Stage, command: &str| {
        stage.topology.node("n1")?.write_file(path, batch(command).as_bytes())?;
        let (code, lines) = stage.run("n1", &["ip", "-batch", "/tmp/addresses"])?;
        anyhow::ensure!(code == 0, "ip -batch: {lines:?}");
        anyhow::Ok(())
    };
    run(stage, "add")?;
    let (first, last) = span(&reports(stage, |_| true)?);
    run(stage, "del")?;
    pause(Duration::from_millis(500));
    stage.log("n1", MONITOR)?;
    last.zip(first).map(|(last, first)| last - first).ok_or_else(|| anyhow::anyhow!("no report"))
}

/// Waits until all addresses that `counts` were reported.
fn reports(stage: &mut Stage, counts: impl Fn(&str) -> bool) -> anyhow::Result<Reports> {
    let mut reports = Reports::new();
    stage.wait_until(LIMIT, |stage| {
        for line in stage.log("n1", MONITOR)? {
            if let Some((address, at)) = installed(&line) {
                reports.entry(address.to_owned()).or_insert(at);
            }
        }
        let there = reports.keys().filter(|address| counts(address)).count();
        Ok(u32::try_from(there)? >= ADDRESSES)
    })?;
    Ok(reports)
}

/// The first and the last of the thousands.
fn span(reports: &Reports) -> (Option<u64>, Option<u64>) {
    let times = || reports.iter().filter(|(name, _)| name.starts_with("10.50.")).map(|(_, at)| *at);
    (times().min(), times().max())
}
