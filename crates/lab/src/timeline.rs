//! What happened on a stage, act by act, and what its client noticed: told as it goes, summed up at the end.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    time::Duration,
};

use serde::Serialize;
use standfast_conf::JsonDiagnostic;
use standfast_kernel::clock;
use standfast_types::Instant;

use crate::{
    probe::{Notice, notice},
    stage::{Stage, pause},
};

/// For processes to be scheduled and packets to pass, on a machine that builds something beside.
pub(crate) const SLACK_MS: u64 = 30;

/// What an act may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// This long without an answer, in milliseconds: what the protocol allows.
    Gap(u64),
    /// Not a single request.
    NothingLost,
    /// Everything: nobody is left to answer.
    Outage,
}

/// One thing that happened, and what the client noticed.
#[derive(Clone, Debug, Serialize)]
struct Act {
    title: String,
    address: Ipv4Addr,
    /// What the protocol allows; `None`: requests are counted, not time.
    gap_bound_ms: Option<u64>,
    gap_ms: u64,
    requests: usize,
    lost: usize,
    /// Cut in the middle by the switch to another machine, and answered on the second try.
    cut: usize,
    pages: Vec<String>,
    holder: String,
    expected_holder: String,
    remark: String,
    kept: bool,
    #[serde(skip)]
    bound: Bound,
}

#[derive(Clone, Debug, Serialize)]
struct Verdict {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<JsonDiagnostic>,
    acts: Vec<Act>,
    seconds: f64,
    kept: bool,
}

/// A stage and the story of what happens on it.
pub(crate) struct Timeline {
    pub(crate) stage: Stage,
    /// What `check` says about the files that are played, for the verdict.
    pub(crate) findings: Vec<JsonDiagnostic>,
    /// The nodes whose daemons are quoted.
    nodes: Vec<String>,
    began: Instant,
    acts: Vec<Act>,
    quiet: bool,
}

impl Timeline {
    /// `json`: nothing is told before the end.
    pub(crate) fn new(stage: Stage, nodes: Vec<String>, json: bool) -> Self {
        let (findings, acts) = (Vec::new(), Vec::new());
        Self { stage, findings, nodes, began: clock::now(), acts, quiet: json }
    }

    /// Announces what is about to happen; from when it counts.
    pub(crate) fn act(&mut self, title: &str) -> Instant {
        self.daemons_said();
        let since = clock::now().saturating_since(self.began);
        self.say(&format!("{:6}.{:03}  {title}", since.as_secs(), since.subsec_millis()));
        clock::now()
    }

    /// Waits until a node holds the address and a little longer, then takes down what the client saw.
    pub(crate) fn settle(
        &mut self,
        address: Ipv4Addr,
        from: Instant,
        expected: &str,
        bound: Bound,
        title: &str,
        limit_ms: u64,
    ) -> anyhow::Result<()> {
        let limit = Duration::from_millis(limit_ms);
        self.stage.wait_until(limit, |stage| {
            let holders = stage.holders(address)?;
            if bound == Bound::Outage {
                return Ok(holders.is_empty());
            }
            let pages = notice(stage.samples(address)?, from, clock::now()).pages;
            let served = pages.last().is_some_and(|page| page == expected);
            Ok(served && holders == [expected])
        })?;
        pause(Duration::from_millis(300));
        let notice = self.stage.notice(address, from)?;
        let holder = self.stage.holders(address)?.join(", ");
        let in_time = match bound {
            Bound::Gap(bound) => millis(notice.gap) <= bound,
            Bound::NothingLost => notice.lost == 0,
            Bound::Outage => true,
        };
        let kept = in_time && holder == expected;
        self.record(address, title, bound, notice, holder, expected, kept);
        Ok(())
    }

    /// Takes down what the client saw.
    #[expect(clippy::too_many_arguments, reason = "an act has that many sides")]
    pub(crate) fn record(
        &mut self,
        address: Ipv4Addr,
        title: &str,
        bound: Bound,
        notice: Notice,
        holder: String,
        expected: &str,
        kept: bool,
    ) {
        self.daemons_said();
        let Notice { requests, lost, cut, gap, pages } = notice;
        let act = Act {
            title: title.to_owned(),
            address,
            gap_bound_ms: match bound {
                Bound::Gap(bound) => Some(bound),
                Bound::NothingLost | Bound::Outage => None,
            },
            gap_ms: millis(gap),
            requests,
            lost,
            cut,
            pages,
            holder,
            expected_holder: expected.to_owned(),
            remark: String::new(),
            kept,
            bound,
        };
        let bound = match bound {
            Bound::Gap(bound) => format!("bound {bound} ms"),
            Bound::NothingLost => "none may be lost".to_owned(),
            Bound::Outage => "nobody is left".to_owned(),
        };
        let again = match act.cut {
            0 => String::new(),
            cut => format!(", {cut} cut by the switch and asked again"),
        };
        self.say(&format!(
            "          {} of {} requests lost{again}, longest gap {} ms ({bound}); pages {}; held by {}: {}",
            act.lost,
            act.requests,
            act.gap_ms,
            if act.pages.is_empty() { "none".to_owned() } else { act.pages.join(" -> ") },
            if act.holder.is_empty() { "nobody" } else { &act.holder },
            if act.kept { "kept" } else { "BROKEN" },
        ));
        self.acts.push(act);
    }

    /// Something else that the last act had to keep.
    pub(crate) fn remark(&mut self, kept: bool, remark: String) {
        self.say(&format!("          {remark}: {}", if kept { "kept" } else { "BROKEN" }));
        if let Some(act) = self.acts.last_mut() {
            act.kept &= kept;
            act.remark = remark;
        }
    }

    /// Shows what the daemons wrote into their logs.
    fn daemons_said(&mut self) {
        for node in &self.nodes {
            for line in self.stage.log(node, "daemon").unwrap_or_default() {
                // Their stamps are the time of day; the order is what matters here.
                let text = line.split_once(' ').map_or(line.as_str(), |(_, text)| text);
                self.say(&format!("          {node}: {text}"));
            }
        }
    }

    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// The table, or the same for programs. 0 only when every bound was kept.
    pub(crate) fn finish(self) -> anyhow::Result<u8> {
        let kept = self.acts.iter().all(|act| act.kept);
        let seconds = clock::now().saturating_since(self.began).as_secs_f64();
        if self.quiet {
            let verdict = Verdict { findings: self.findings, acts: self.acts, seconds, kept };
            let _ = writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&verdict)?);
        } else {
            let text = self.table(seconds, kept);
            let _ = io::stdout().write_all(text.as_bytes());
        }
        Ok(u8::from(!kept))
    }

    fn table(&self, seconds: f64, kept: bool) -> String {
        let width = self.acts.iter().map(|act| act.title.chars().count()).max().unwrap_or(0) + 1;
        let head = ["what happened", "lost", "gap", "bound"];
        let [what, lost, gap, bound] = head;
        let mut text = format!("\n{what:<width$} {lost:>6} {gap:>9} {bound:>9}  held by\n");
        for act in &self.acts {
            let bound = match act.bound {
                Bound::Gap(ms) => format!("{ms} ms"),
                Bound::NothingLost => "0 lost".to_owned(),
                Bound::Outage => "-".to_owned(),
            };
            text.push_str(&format!(
                "{:<width$} {:>6} {:>6} ms {:>9}  {}{}\n",
                act.title,
                act.lost,
                act.gap_ms,
                bound,
                if act.holder.is_empty() { "nobody" } else { &act.holder },
                if act.kept { "" } else { "   <- BROKEN" },
            ));
        }
        let verdict = if kept { "every bound was kept" } else { "a bound was BROKEN" };
        text.push_str(&format!("\n{verdict} ({seconds:.0} s)\n"));
        text
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
