//! Somebody's own node files, played: who serves, what happens when that one goes, and when it returns.

mod cast;

use std::{io::IsTerminal, net::Ipv4Addr, path::Path, time::Duration};

use standfast_conf::{cross_node, json, render};
use standfast_kernel::{clock, process::signal};
use standfast_types::Instant;

use crate::{
    stage::{Stage, pause},
    timeline::{Bound, SLACK_MS, Timeline, millis},
    topology::Topology,
    web,
};
use cast::{Cast, Member};

/// How often the client asks each address.
const INTERVAL: Duration = Duration::from_millis(10);
/// From the daemon's start to the first result of a script.
const FIRST_RESULT_MS: u64 = 600;
/// A shell script or two run beside each takeover.
const SLACK: u64 = 2 * SLACK_MS;

/// Plays the node files of a folder. 0 only when every bound was kept.
pub(crate) fn run(program: &Path, directory: &Path, as_json: bool) -> anyhow::Result<u8> {
    let cast = Cast::read(directory)?;
    let topology = Topology::build(&cast.plan(program))?;
    let stage = Stage::new(topology, program);
    let nodes = cast.nodes.iter().map(|node| node.name.clone()).collect();
    let mut play =
        Play { timeline: Timeline::new(stage, nodes, as_json), cast, nginx: web::has_nginx() };
    play.check();
    anyhow::ensure!(
        play.cast.nodes.iter().all(|node| node.loaded.model.is_some()),
        "a file can't run; mend the errors above (`standfast check` repeats them)"
    );
    play.play()?;
    play.timeline.finish()
}

struct Play {
    timeline: Timeline,
    cast: Cast,
    nginx: bool,
}

impl Play {
    /// What `standfast check` says about the files.
    fn check(&mut self) {
        let loaded: Vec<_> = self.cast.nodes.iter().map(|node| node.loaded.clone()).collect();
        let own = loaded.iter().flat_map(|node| node.diagnostics.iter().map(move |d| (node, d)));
        let between = if loaded.len() > 1 { cross_node(&loaded) } else { Vec::new() };
        let between = between.iter().filter_map(|(at, d)| Some((loaded.get(*at)?, d)));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = !plain && std::io::stdout().is_terminal();
        for (node, diagnostic) in own.chain(between) {
            self.timeline.say(&render(diagnostic, &node.sources, color));
            self.timeline.say("");
            self.timeline.findings.push(json(diagnostic, &node.sources));
        }
    }

    fn play(&mut self) -> anyhow::Result<()> {
        for node in &self.cast.nodes {
            self.timeline.say(&format!("{}: {}", node.name, node.summary()));
        }
        if !self.nginx {
            self.timeline.say("no nginx here: the lab's own web server serves, and checks of nginx fail as they would");
        }
        self.start()?;
        let mut stopped: Vec<String> = Vec::new();
        for address in self.cast.addresses() {
            // Whoever holds it now: with `nopreempt` that need not be the one it started with.
            let Some(holder) = self.timeline.stage.holders(address)?.pop() else { continue };
            if !stopped.contains(&holder) {
                self.stop(&holder)?;
                self.start_again(&holder)?;
                stopped.push(holder);
            }
        }
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let title = if self.cast.nodes.len() == 1 { "the node starts" } else { "all nodes start" };
        self.timeline.act(title);
        for node in &self.cast.nodes {
            let stage = &mut self.timeline.stage;
            for (path, text) in &self.cast.scripts {
                stage.topology.node(&node.name)?.write_program(path, text)?;
            }
            if self.nginx {
                stage.install_nginx(&node.name)?;
                stage.start_nginx(&node.name)?;
            } else {
                stage.start_web(&node.name)?;
            }
        }
        // The checks find their service from the first run on.
        pause(Duration::from_millis(200));
        let from = clock::now();
        for node in self.cast.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>() {
            self.daemon(&node)?;
        }
        let addresses = self.cast.addresses();
        for address in &addresses {
            self.timeline.stage.start_probe(*address, INTERVAL)?;
        }
        for address in addresses {
            let Some(best) = self.cast.members(address).into_iter().next() else { continue };
            let bound = millis(best.hold()) + FIRST_RESULT_MS + SLACK;
            self.settle(from, address, Some(&best.node), Bound::Gap(bound), title)?;
        }
        Ok(())
    }

    fn stop(&mut self, node: &str) -> anyhow::Result<()> {
        let title = format!("{node} is stopped (SIGTERM)");
        let before = self.holders()?;
        let from = self.timeline.act(&title);
        self.timeline.stage.signal(node, "daemon", signal::SIGTERM)?;
        for (address, holder) in before {
            let members = self.cast.members(address);
            let next = if holder.as_deref() == Some(node) {
                members.iter().find(|member| member.node != node).map(|member| &member.node)
            } else {
                holder.as_ref()
            };
            let bound = if next.is_some() { Bound::NothingLost } else { Bound::Outage };
            self.settle(from, address, next.map(String::as_str), bound, &title)?;
        }
        Ok(())
    }

    fn start_again(&mut self, node: &str) -> anyhow::Result<()> {
        let title = format!("{node} comes back");
        let before = self.holders()?;
        let from = self.timeline.act(&title);
        self.daemon(node)?;
        for (address, holder) in before {
            let members = self.cast.members(address);
            let returns = members.first().filter(|best| best.node == node && best.preempts());
            let alone = holder.is_none();
            let expected = match (returns, holder) {
                (Some(best), _) => Some(best.node.clone()),
                (None, Some(holder)) => Some(holder),
                (None, None) => Some(node.to_owned()),
            };
            let hold = members.iter().map(Member::hold).max().map(millis).unwrap_or_default();
            let outage = hold + FIRST_RESULT_MS + SLACK;
            let bound = Bound::Gap(if alone { outage } else { SLACK });
            self.settle(from, address, expected.as_deref(), bound, &title)?;
        }
        Ok(())
    }

    fn holders(&mut self) -> anyhow::Result<Vec<(Ipv4Addr, Option<String>)>> {
        let mut holders = Vec::new();
        for address in self.cast.addresses() {
            holders.push((address, self.timeline.stage.holders(address)?.pop()));
        }
        Ok(holders)
    }

    fn settle(
        &mut self,
        from: Instant,
        address: Ipv4Addr,
        expected: Option<&str>,
        bound: Bound,
        title: &str,
    ) -> anyhow::Result<()> {
        let members = self.cast.members(address);
        let hold = members.iter().map(Member::patience).max().map(millis).unwrap_or_default();
        let title = format!("{title}: {address}");
        let limit = hold + 4000;
        self.timeline.settle(address, from, expected.unwrap_or_default(), bound, &title, limit)
    }

    fn daemon(&mut self, name: &str) -> anyhow::Result<()> {
        let node = self.cast.nodes.iter().find(|node| node.name == name);
        let text = node.map(|node| node.text.clone()).unwrap_or_default();
        self.timeline.stage.start_keepalived(name, &text, &[])
    }
}
