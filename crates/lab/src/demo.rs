//! The demo: a pair, a client, and everything that can happen to them.

use std::{net::Ipv4Addr, time::Duration};

use standfast_kernel::{clock, process::signal};
use standfast_types::Instant;

use crate::{
    stage::{CLIENT, Stage, pause},
    timeline::{Bound, SLACK_MS, Timeline, millis},
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
/// The check runs every so often, and may take this long.
const CHECK_MS: u64 = 200 + 100;
/// A lease is at least 2 s, and the kernel looks once a second.
const LEASE_MS: u64 = 3000;

struct Demo(Timeline);

/// Runs the demo. Exit code 0 only when every bound was kept.
pub(crate) fn run(program: &std::path::Path, json: bool) -> anyhow::Result<u8> {
    let topology = Topology::build(&plan(program))?;
    let stage = Stage::new(topology, program);
    let nodes = ["n1", "n2"].map(str::to_owned).to_vec();
    let mut demo = Demo(Timeline::new(stage, nodes, json));
    demo.play()?;
    demo.0.finish()
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
        self.0.say("n1 (priority 200) and n2 (priority 100), VRRPv3, an advert every 200 ms,");
        self.0
            .say(&format!("hold {ADDRESS} between them; a client asks it for a page every 4 ms."));
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
        self.0.act("both nodes start");
        for node in ["n1", "n2"] {
            self.0.stage.start_web(node)?;
        }
        // The checks find their service from the first run on.
        pause(Duration::from_millis(200));
        let from = clock::now();
        self.daemon("n1", 200)?;
        self.daemon("n2", 100)?;
        self.0.stage.start_probe(ADDRESS, INTERVAL)?;
        let wait = 3 * ADVERT_MS + ADVERT_MS * 56 / 256 + 1;
        // The first check result comes before the first election.
        self.settle(from, "n1", Bound::Gap(wait + 100 + SLACK_MS), "both nodes start", 3000)
    }

    fn service_dies(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("the web server on n1 dies");
        self.0.stage.kill("n1", "web");
        let bound = CHECK_MS + SKEW_MS + SLACK_MS;
        self.settle(from, "n2", Bound::Gap(bound), "the web server on n1 dies", 2500)
    }

    fn service_returns(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("the web server on n1 comes back");
        self.0.stage.start_web("n1")?;
        self.settle(from, "n1", Bound::Gap(SLACK_MS), "the web server on n1 comes back", 3000)
    }

    fn stop_in_order(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("n1's daemon is stopped in good order (SIGTERM)");
        self.0.stage.signal("n1", "daemon", signal::SIGTERM)?;
        self.settle(from, "n2", Bound::NothingLost, "n1 is stopped in good order", 2000)
    }

    fn node_returns(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("n1's daemon is started again");
        self.daemon("n1", 200)?;
        self.settle(from, "n1", Bound::Gap(SLACK_MS), "n1 is started again", 3000)
    }

    fn pull_the_cable(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("n1's cable is pulled");
        self.0.stage.topology.set_cable("n1", "eth0", Cable::Pulled)?;
        self.settle(from, "n2", Bound::Gap(HOLD_MS + SLACK_MS), "n1's cable is pulled", 2500)
    }

    fn plug_it_in(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("n1's cable is plugged in again");
        self.0.stage.topology.set_cable("n1", "eth0", Cable::Plugged)?;
        self.settle(from, "n1", Bound::Gap(SLACK_MS), "n1's cable is plugged in", 3000)
    }

    fn kill_pulse(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("pulse on n1 is killed (kill -9)");
        self.0.stage.kill_pulse("n1")?;
        self.settle(from, "n1", Bound::NothingLost, "pulse on n1 is killed", 1500)
    }

    fn kill_everything(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("everything on n1 is killed at once (kill -9)");
        self.0.stage.kill_everything("n1")?;
        let bound = Bound::Gap(HOLD_MS + SLACK_MS);
        self.0
            .stage
            .wait_until(Duration::from_secs(5), |stage| Ok(stage.holders(ADDRESS)? == ["n2"]))?;
        let alone = millis(clock::now().saturating_since(from));
        self.settle(from, "n2", bound, "everything on n1 is killed at once", 0)?;
        let kept = alone <= LEASE_MS;
        self.0.remark(
            kept,
            format!("n1 lost the address by itself after {alone} ms (bound {LEASE_MS} ms)"),
        );
        Ok(())
    }

    fn return_again(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("n1's daemon is started again");
        self.daemon("n1", 200)?;
        self.settle(from, "n1", Bound::Gap(SLACK_MS), "n1 is started again", 3000)
    }

    /// The network splits between the nodes, with the client on n2's side, and heals.
    fn partition(&mut self) -> anyhow::Result<()> {
        let from = self.0.act("the network splits: n1 on one side, n2 and the client on the other");
        self.0.stage.topology.move_cable("n1", "eth0", "island")?;
        self.0
            .stage
            .wait_until(Duration::from_secs(3), |stage| Ok(stage.holders(ADDRESS)?.len() == 2))?;
        let notice = self.0.stage.notice(ADDRESS, from)?;
        let kept = millis(notice.gap) <= HOLD_MS + SLACK_MS;
        let both = self.0.stage.holders(ADDRESS)?.join(", ");
        let bound = Bound::Gap(HOLD_MS + SLACK_MS);
        let title = "the network splits";
        self.0.record(ADDRESS, title, bound, notice, both, "n1, n2", kept);

        let from = self.0.act("the network heals");
        self.0.stage.topology.move_cable("n1", "eth0", SWITCH)?;
        self.0
            .stage
            .wait_until(Duration::from_secs(3), |stage| Ok(stage.holders(ADDRESS)? == ["n1"]))?;
        let alone = millis(clock::now().saturating_since(from));
        let bound = ADVERT_MS + SLACK_MS;
        self.settle(from, "n1", Bound::Gap(SLACK_MS), "the network heals", 500)?;
        let kept = alone <= bound;
        self.0.remark(kept, format!("one holder again after {alone} ms (bound {bound} ms)"));
        Ok(())
    }

    fn daemon(&mut self, node: &str, priority: u8) -> anyhow::Result<()> {
        let program = self.0.stage.program().display().to_string();
        self.0.stage.start_standfast(node, &configuration(&program, priority))
    }

    fn settle(
        &mut self,
        from: Instant,
        expected: &str,
        bound: Bound,
        title: &str,
        limit_ms: u64,
    ) -> anyhow::Result<()> {
        self.0.settle(ADDRESS, from, expected, bound, title, limit_ms)
    }
}
