//! The demo: a pair, a client, and everything that can happen to them.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    time::Duration,
};

use serde::Serialize;
use standfast_kernel::{clock, process::signal};
use standfast_types::Instant;

use crate::{
    probe::Notice,
    stage::{CLIENT, Stage, pause},
    topology::{Cable, InterfacePlan, NodePlan, Plan, Topology},
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const ADDRESS_TEXT: &str = "10.83.0.100/24";
const SWITCH: &str = "switch";
/// How often the client asks.
const INTERVAL: Duration = Duration::from_millis(4);

/// The advert interval of the pair, in milliseconds.
const ADVERT_MS: u64 = 200;
/// Adverts that may be missed, and the skew of priority 100: 156/256 of an interval.
const HOLD_MS: u64 = 3 * ADVERT_MS + ADVERT_MS * 156 / 256 + 1;
const SKEW_MS: u64 = ADVERT_MS * 156 / 256 + 1;
/// For processes to be scheduled and packets to pass, on a machine that builds something beside.
const SLACK_MS: u64 = 30;
/// The check runs every so often, and may take this long.
const CHECK_MS: u64 = 200 + 100;
/// A lease is at least 2 s, and the kernel looks once a second.
const LEASE_MS: u64 = 3000;

/// One thing that happened, and what the client noticed.
#[derive(Clone, Debug, Serialize)]
struct Act {
    title: &'static str,
    /// What the protocol allows; `None`: not a single request may be lost.
    gap_bound_ms: Option<u64>,
    gap_ms: u64,
    requests: usize,
    lost: usize,
    pages: Vec<String>,
    holder: String,
    expected_holder: &'static str,
    remark: String,
    kept: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Verdict {
    acts: Vec<Act>,
    seconds: f64,
    kept: bool,
}

struct Demo {
    stage: Stage,
    began: Instant,
    acts: Vec<Act>,
    quiet: bool,
}

/// Runs the demo. Exit code 0 only when every bound was kept.
pub(crate) fn run(program: &std::path::Path, json: bool) -> anyhow::Result<u8> {
    let topology = Topology::build(&plan(program))?;
    let stage = Stage::new(topology, program);
    let mut demo = Demo { stage, began: clock::now(), acts: Vec::new(), quiet: json };
    demo.play()?;
    demo.finish(json)
}

fn plan(program: &std::path::Path) -> Plan {
    Plan {
        nodes: vec![
            machine("n1", "10.83.0.1/24"),
            machine("n2", "10.83.0.2/24"),
            machine(CLIENT, "10.83.0.3/24"),
        ],
        programs: vec![program.to_owned()],
    }
}

/// A machine with one interface, `eth0`, on the one switch.
pub(crate) fn machine(name: &str, address: &str) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        interfaces: vec![InterfacePlan {
            name: "eth0".to_owned(),
            switch: SWITCH.to_owned(),
            addresses: address.parse().into_iter().collect(),
        }],
    }
}

fn configuration(program: &str, priority: u8) -> String {
    format!(
        "global_defs {{
    vrrp_version 3
    script_user root
}}
vrrp_script web {{
    script \"{program} {helper} fetch 127.0.0.1:80\"
    interval 0.2
    timeout 1
}}
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.2
    virtual_ipaddress {{
        {ADDRESS_TEXT}
    }}
    track_script {{
        web
    }}
}}
",
        helper = crate::HELPER_ARGUMENT,
    )
}

impl Demo {
    fn play(&mut self) -> anyhow::Result<()> {
        self.say("n1 (priority 200) and n2 (priority 100), VRRPv3, an advert every 200 ms,");
        self.say(&format!("hold {ADDRESS} between them; a client asks it for a page every 4 ms."));
        self.start()?;
        self.service_dies()?;
        self.service_returns()?;
        self.stop_in_order()?;
        self.node_returns()?;
        self.pull_the_cable()?;
        self.plug_it_in()?;
        self.kill_pulse()?;
        self.kill_everything()?;
        self.return_again()?;
        self.partition()
    }

    fn start(&mut self) -> anyhow::Result<()> {
        self.act("both nodes start");
        for node in ["n1", "n2"] {
            self.stage.start_web(node)?;
        }
        // The checks find their service from the first run on.
        pause(Duration::from_millis(200));
        let from = clock::now();
        self.daemon("n1", 200)?;
        self.daemon("n2", 100)?;
        self.stage.start_probe(ADDRESS, INTERVAL)?;
        let wait = 3 * ADVERT_MS + ADVERT_MS * 56 / 256 + 1;
        // The first check result comes before the first election.
        self.settle(from, "n1", Some(wait + 100 + SLACK_MS), "both nodes start", 3000)
    }

    fn service_dies(&mut self) -> anyhow::Result<()> {
        let from = self.act("the web server on n1 dies");
        self.stage.kill("n1", "web");
        let bound = CHECK_MS + SKEW_MS + SLACK_MS;
        self.settle(from, "n2", Some(bound), "the web server on n1 dies", 2500)
    }

    fn service_returns(&mut self) -> anyhow::Result<()> {
        let from = self.act("the web server on n1 comes back");
        self.stage.start_web("n1")?;
        self.settle(from, "n1", Some(SLACK_MS), "the web server on n1 comes back", 3000)
    }

    fn stop_in_order(&mut self) -> anyhow::Result<()> {
        let from = self.act("n1's daemon is stopped in good order (SIGTERM)");
        self.stage.signal("n1", "daemon", signal::SIGTERM)?;
        self.settle(from, "n2", None, "n1 is stopped in good order", 2000)
    }

    fn node_returns(&mut self) -> anyhow::Result<()> {
        let from = self.act("n1's daemon is started again");
        self.daemon("n1", 200)?;
        self.settle(from, "n1", Some(SLACK_MS), "n1 is started again", 3000)
    }

    fn pull_the_cable(&mut self) -> anyhow::Result<()> {
        let from = self.act("n1's cable is pulled");
        self.stage.topology.set_cable("n1", "eth0", Cable::Pulled)?;
        self.settle(from, "n2", Some(HOLD_MS + SLACK_MS), "n1's cable is pulled", 2500)
    }

    fn plug_it_in(&mut self) -> anyhow::Result<()> {
        let from = self.act("n1's cable is plugged in again");
        self.stage.topology.set_cable("n1", "eth0", Cable::Plugged)?;
        self.settle(from, "n1", Some(SLACK_MS), "n1's cable is plugged in", 3000)
    }

    fn kill_pulse(&mut self) -> anyhow::Result<()> {
        let from = self.act("pulse on n1 is killed (kill -9)");
        self.stage.kill_pulse("n1")?;
        self.settle(from, "n1", None, "pulse on n1 is killed", 1500)
    }

    fn kill_everything(&mut self) -> anyhow::Result<()> {
        let from = self.act("everything on n1 is killed at once (kill -9)");
        self.stage.kill_everything("n1")?;
        let bound = Some(HOLD_MS + SLACK_MS);
        self.stage
            .wait_until(Duration::from_secs(5), |stage| Ok(stage.holders(ADDRESS)? == ["n2"]))?;
        let alone = millis(clock::now().saturating_since(from));
        self.settle(from, "n2", bound, "everything on n1 is killed at once", 0)?;
        let kept = alone <= LEASE_MS;
        self.remark(
            kept,
            format!("n1 lost the address by itself after {alone} ms (bound {LEASE_MS} ms)"),
        );
        Ok(())
    }

    fn return_again(&mut self) -> anyhow::Result<()> {
        let from = self.act("n1's daemon is started again");
        self.daemon("n1", 200)?;
        self.settle(from, "n1", Some(SLACK_MS), "n1 is started again", 3000)
    }

    /// The network splits between the nodes, with the client on n2's side, and heals.
    fn partition(&mut self) -> anyhow::Result<()> {
        let from = self.act("the network splits: n1 on one side, n2 and the client on the other");
        self.stage.topology.move_cable("n1", "eth0", "island")?;
        self.stage
            .wait_until(Duration::from_secs(3), |stage| Ok(stage.holders(ADDRESS)?.len() == 2))?;
        let notice = self.stage.notice(ADDRESS, from)?;
        let kept = millis(notice.gap) <= HOLD_MS + SLACK_MS;
        let both = self.stage.holders(ADDRESS)?.join(", ");
        self.record("the network splits", Some(HOLD_MS + SLACK_MS), notice, both, "n1, n2", kept);

        let from = self.act("the network heals");
        self.stage.topology.move_cable("n1", "eth0", SWITCH)?;
        self.stage
            .wait_until(Duration::from_secs(3), |stage| Ok(stage.holders(ADDRESS)? == ["n1"]))?;
        let alone = millis(clock::now().saturating_since(from));
        let bound = ADVERT_MS + SLACK_MS;
        self.settle(from, "n1", Some(SLACK_MS), "the network heals", 500)?;
        let kept = alone <= bound;
        self.remark(kept, format!("one holder again after {alone} ms (bound {bound} ms)"));
        Ok(())
    }

    fn daemon(&mut self, node: &str, priority: u8) -> anyhow::Result<()> {
        let program = self.stage.program().display().to_string();
        self.stage.start_standfast(node, &configuration(&program, priority))
    }

    /// Waits until a node holds the address and a little longer, then takes down what the client saw.
    fn settle(
        &mut self,
        from: Instant,
        expected: &'static str,
        bound: Option<u64>,
        title: &'static str,
        limit_ms: u64,
    ) -> anyhow::Result<()> {
        let limit = Duration::from_millis(limit_ms);
        self.stage.wait_until(limit, |stage| {
            let pages = crate::probe::notice(stage.samples(ADDRESS)?, from, clock::now()).pages;
            let served = pages.last().is_some_and(|page| page == expected);
            Ok(served && stage.holders(ADDRESS)? == [expected])
        })?;
        pause(Duration::from_millis(300));
        let notice = self.stage.notice(ADDRESS, from)?;
        let holder = self.stage.holders(ADDRESS)?.join(", ");
        let in_time = match bound {
            Some(bound) => millis(notice.gap) <= bound,
            None => notice.lost == 0,
        };
        let kept = in_time && holder == expected;
        self.record(title, bound, notice, holder, expected, kept);
        Ok(())
    }

    fn record(
        &mut self,
        title: &'static str,
        gap_bound_ms: Option<u64>,
        notice: Notice,
        holder: String,
        expected_holder: &'static str,
        kept: bool,
    ) {
        self.daemons_said();
        let Notice { requests, lost, gap, pages } = notice;
        let act = Act {
            title,
            gap_bound_ms,
            gap_ms: millis(gap),
            requests,
            lost,
            pages,
            holder,
            expected_holder,
            remark: String::new(),
            kept,
        };
        let bound = match gap_bound_ms {
            Some(bound) => format!("bound {bound} ms"),
            None => "none may be lost".to_owned(),
        };
        self.say(&format!(
            "          {} of {} requests lost, longest gap {} ms ({bound}); pages {}; held by {}: {}",
            act.lost,
            act.requests,
            act.gap_ms,
            act.pages.join(" -> "),
            act.holder,
            if act.kept { "kept" } else { "BROKEN" },
        ));
        self.acts.push(act);
    }

    fn remark(&mut self, kept: bool, remark: String) {
        self.say(&format!("          {remark}: {}", if kept { "kept" } else { "BROKEN" }));
        if let Some(act) = self.acts.last_mut() {
            act.kept &= kept;
            act.remark = remark;
        }
    }

    fn act(&mut self, title: &str) -> Instant {
        self.daemons_said();
        let since = clock::now().saturating_since(self.began);
        self.say(&format!("{:6}.{:03}  {title}", since.as_secs(), since.subsec_millis()));
        clock::now()
    }

    /// Shows what the daemons wrote into their logs.
    fn daemons_said(&mut self) {
        for node in ["n1", "n2"] {
            for line in self.stage.log(node, "daemon").unwrap_or_default() {
                // Their stamps are the time of day; the order is what matters here.
                let text = line.split_once(' ').map_or(line.as_str(), |(_, text)| text);
                self.say(&format!("          {node}: {text}"));
            }
        }
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    fn finish(self, json: bool) -> anyhow::Result<u8> {
        let kept = self.acts.iter().all(|act| act.kept);
        let seconds = clock::now().saturating_since(self.began).as_secs_f64();
        if json {
            let verdict = Verdict { acts: self.acts, seconds, kept };
            let _ = writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&verdict)?);
        } else {
            let text = self.table(seconds, kept);
            let _ = io::stdout().write_all(text.as_bytes());
        }
        Ok(u8::from(!kept))
    }

    fn table(&self, seconds: f64, kept: bool) -> String {
        let mut text = format!(
            "\n{:<36} {:>6} {:>9} {:>9}  {}\n",
            "what happened", "lost", "gap", "bound", "held by"
        );
        for act in &self.acts {
            let bound =
                act.gap_bound_ms.map_or_else(|| "0 lost".to_owned(), |ms| format!("{ms} ms"));
            text.push_str(&format!(
                "{:<36} {:>6} {:>6} ms {:>9}  {}{}\n",
                act.title,
                act.lost,
                act.gap_ms,
                bound,
                act.holder,
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
