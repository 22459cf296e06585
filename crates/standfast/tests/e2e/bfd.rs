//! FRR's bfdd, BIRD and Debian's keepalived as BFD neighbours, over one hop and across a router.

use std::{path::Path, time::Duration};

use anyhow::Context;
use standfast_kernel::{clock, process::signal};
use standfast_lab::{
    stage::{Stage, pause},
    topology::{Cable, InterfacePlan, NodePlan, Plan, Topology},
};

use crate::common::{KEEPALIVED, STANDFAST, in_sandbox, run, seconds, wait_for};

const BFDD: &str = "/usr/lib/frr/bfdd";
const ZEBRA: &str = "/usr/lib/frr/zebra";
const BIRD: &str = "/usr/sbin/bird";
const VTYSH: &str = "/usr/bin/vtysh --vty_socket /tmp/frr -c";
const BIRDC: &str = "/usr/sbin/birdc -s /tmp/bird.ctl";

/// `a` is ours, `b` the foreign neighbour on the same switch, and `far` is behind the router.
fn neighbours() -> anyhow::Result<Stage> {
    let node = |name: &str, interfaces: &[(&str, &str, &[&str])]| NodePlan {
        name: name.to_owned(),
        interfaces: interfaces
            .iter()
            .map(|(name, switch, addresses)| InterfacePlan {
                name: (*name).to_owned(),
                switch: (*switch).to_owned(),
                addresses: addresses.iter().filter_map(|address| address.parse().ok()).collect(),
            })
            .collect(),
    };
    let plan = Plan {
        nodes: vec![
            node("a", &[("eth0", "near", &["10.83.0.1/24", "2001:db8:83::1/64"])]),
            node("b", &[("eth0", "near", &["10.83.0.2/24", "2001:db8:83::2/64"])]),
            node(
                "router",
                &[
                    ("eth0", "near", &["10.83.0.9/24", "2001:db8:83::9/64"]),
                    ("eth1", "away", &["10.84.0.9/24", "2001:db8:84::9/64"]),
                ],
            ),
            node("far", &[("eth0", "away", &["10.84.0.2/24", "2001:db8:84::2/64"])]),
        ],
        programs: vec![STANDFAST.into()],
    };
    let mut stage = Stage::new(Topology::build(&plan)?, Path::new(STANDFAST));
    let forward =
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
    run(&mut stage, "router", forward)?;
    for (node, there, four, six) in
        [("a", "84", "10.83.0.9", "2001:db8:83::9"), ("far", "83", "10.84.0.9", "2001:db8:84::9")]
    {
        run(&mut stage, node, &format!("ip route add 10.{there}.0.0/24 via {four}"))?;
        run(&mut stage, node, &format!("ip -6 route add 2001:db8:{there}::/64 via {six}"))?;
    }
    Ok(stage)
}

/// Sessions of 50 ms x 3 with these neighbours; and more lines in each.
fn sessions(neighbours: &[(&str, &str)], lines: &str) -> String {
    let session = |(name, neighbour): &(&str, &str)| {
        format!(
            "bfd_instance {name} {{\n neighbor_ip {neighbour}\n min_tx 50\n min_rx 50\n \
             multiplier 3\n{lines}\n}}\n"
        )
    };
    neighbours.iter().map(session).collect()
}

/// The neighbours, and what our daemon has written.
struct Scene {
    stage: Stage,
    log: Vec<String>,
    /// Lines before this are of earlier acts.
    act: usize,
}

impl Scene {
    fn log(&mut self) -> anyhow::Result<&[String]> {
        self.log.extend(self.stage.log("a", "daemon")?);
        Ok(&self.log)
    }

    /// What is waited for from here on happens from here on.
    fn new_act(&mut self) -> anyhow::Result<()> {
        self.act = self.log()?.len();
        Ok(())
    }

    /// Waits until something is so.
    fn wait(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let until = clock::now() + seconds(20);
        while !done(self)? {
            anyhow::ensure!(clock::now() < until, "it did not come to: {what}");
            pause(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until our log has a line with this text.
    fn logged(&mut self, text: &str) -> anyhow::Result<()> {
        self.wait(text, |scene| {
            let act = scene.act;
            Ok(scene.log()?.iter().skip(act).any(|line| line.contains(text)))
        })
    }

    /// Waits until the newest line of our log about a session's state says this.
    fn session(&mut self, name: &str, up: bool) -> anyhow::Result<()> {
        let (up_text, down_text) = (format!("bfd {name}: up"), format!("bfd {name}: down"));
        self.wait(&format!("{name} is up: {up}"), |scene| {
            let mut lines = scene.log()?.iter().rev();
            let last = lines.find(|line| line.contains(&up_text) || line.contains(&down_text));
            Ok(last.is_some_and(|line| line.contains(&up_text) == up))
        })
    }

    /// How often a session of ours went down.
    fn downs(&mut self, name: &str) -> anyhow::Result<usize> {
        let text = format!("bfd {name}: down");
        Ok(self.log()?.iter().filter(|line| line.contains(&text)).count())
    }

    fn reload(&mut self, configuration: &str) -> anyhow::Result<()> {
        self.new_act()?;
        let path = Path::new("/etc/keepalived/keepalived.conf");
        self.stage.topology.node("a")?.write_file(path, configuration.as_bytes())?;
        self.stage.signal("a", "daemon", signal::SIGHUP)
    }
}

/// Runs the test among neighbours; when it fails, our log says more.
fn among_neighbours(
    name: &str,
    needs: &[&str],
    work: impl FnOnce(&mut Scene) -> anyhow::Result<()>,
) {
    in_sandbox(name, needs, || {
        let mut scene = Scene { stage: neighbours()?, log: Vec::new(), act: 0 };
        work(&mut scene).with_context(|| scene.log().unwrap_or_default().join("\n"))
    });
}

fn start_frr(stage: &mut Stage, node: &str, peers: &str) -> anyhow::Result<()> {
    // It insists on its own user.
    run(stage, node, "mkdir /tmp/frr && : > /tmp/frr/zebra.conf && chown -R frr:frr /tmp/frr")?;
    let files = stage.topology.node(node)?;
    files.write_file(Path::new("/tmp/frr/bfdd.conf"), format!("bfd\n{peers}").as_bytes())?;
    let common = ["-z", "/tmp/frr/zserv.api", "--vty_socket", "/tmp/frr"];
    let zebra = ["-f", "/tmp/frr/zebra.conf", "-i", "/tmp/frr/zebra.pid"];
    stage.start(node, "zebra", &[&[ZEBRA][..], &zebra, &common].concat())?;
    wait_for(stage, "zebra runs", seconds(5), |stage| {
        Ok(stage.run(node, &["/usr/bin/test", "-S", "/tmp/frr/zserv.api"])?.0 == 0)
    })?;
    let bfdd = ["-f", "/tmp/frr/bfdd.conf", "-i", "/tmp/frr/bfdd.pid", "--bfdctl", "/tmp/frr/bfdd"];
    stage.start(node, "bfdd", &[&[BFDD][..], &bfdd, &common].concat())
}

fn frr(stage: &mut Stage, node: &str, commands: &[&str]) -> anyhow::Result<String> {
    let commands: Vec<_> = commands.iter().map(|command| format!("'{command}'")).collect();
    Ok(run(stage, node, &format!("{VTYSH} {}", commands.join(" -c ")))?.join("\n"))
}

/// Waits until FRR says this of all its sessions (or of the one with this peer).
fn frr_says(stage: &mut Stage, node: &str, peer: &str, text: &str) -> anyhow::Result<()> {
    wait_for(stage, &format!("FRR says {text:?} of {peer}"), seconds(6), |stage| {
        let command = format!("{VTYSH} 'show bfd peer {peer}' 2>&1");
        let (_, lines) = stage.run(node, &["/bin/sh", "-c", &command])?;
        Ok(lines.join("\n").contains(text))
    })
}

#[test]
fn frr_and_we_agree_on_up_down_and_the_pace() {
    let name = "bfd::frr_and_we_agree_on_up_down_and_the_pace";
    among_neighbours(name, &[BFDD, ZEBRA], |scene| {
        let timers = "  transmit-interval 50\n  receive-interval 50\n  detect-multiplier 3\n";
        let (four, six) = ("10.83.0.1", "2001:db8:83::1 local-address 2001:db8:83::2");
        start_frr(&mut scene.stage, "b", &format!(" peer {four}\n{timers} peer {six}\n{timers}"))?;
        let ours = [("four", "10.83.0.2"), ("six", "2001:db8:83::2")];
        scene.stage.start_standfast("a", &sessions(&ours, ""))?;
        for session in ["four", "six"] {
            scene.session(session, true)?;
        }
        for peer in [four, six] {
            frr_says(&mut scene.stage, "b", peer, "Status: up")?;
        }
        scene.logged("bfd four: sends every 50 ms; 10.83.0.2 may be silent for 150 ms")?;
        // It becomes slower, then we do: a poll each, and no session goes down.
        let peer = format!("peer {four}");
        frr(&mut scene.stage, "b", &["configure", "bfd", &peer, "transmit-interval 200"])?;
        scene.logged("10.83.0.2 may be silent for 600 ms")?;
        scene.reload(&sessions(&ours, "").replace("min_tx 50", "min_tx 300"))?;
        frr_says(&mut scene.stage, "b", four, "Transmission interval: 300ms")?;
        scene.logged("sends every 300 ms; 10.83.0.2 may")?;
        anyhow::ensure!(scene.downs("four")? == 0, "a change of pace took it down");
        // Its operator holds it down, and lets it up again.
        frr(&mut scene.stage, "b", &["configure", "bfd", &peer, "shutdown"])?;
        scene.logged("10.83.0.2 is administratively down")?;
        frr(&mut scene.stage, "b", &["configure", "bfd", &peer, "no shutdown"])?;
        scene.session("four", true)?;
        // The cable is cut behind the switch: silence alone tells.
        scene.stage.topology.set_cable("b", "eth0", Cable::Silent)?;
        scene.logged("bfd six: down after")?;
        scene.logged("2001:db8:83::2 has been silent for 150 ms")?;
        frr_says(&mut scene.stage, "b", four, "Diagnostics: control detection time expired")?;
        scene.stage.topology.set_cable("b", "eth0", Cable::Plugged)?;
        scene.session("six", true)?;
        scene.session("four", true)?;
        // Pulse dies, and the one that is started in its place goes on.
        let falls = |scene: &mut Scene| {
            let counters = frr(&mut scene.stage, "b", &["show bfd peers counters"])?;
            let falls = counters.lines().filter(|line| line.contains("Session down events"));
            anyhow::Ok(falls.map(str::to_owned).collect::<Vec<_>>())
        };
        let before = falls(scene)?;
        anyhow::ensure!(before.len() == 2, "{before:?}");
        scene.new_act()?;
        scene.stage.kill_pulse("a")?;
        scene.logged("bfd four: sends every")?;
        scene.logged("bfd six: sends every")?;
        pause(seconds(1));
        anyhow::ensure!(falls(scene)? == before, "FRR noticed: {before:?}");
        scene.stage.signal("a", "daemon", signal::SIGTERM)?;
        for peer in [four, six] {
            frr_says(&mut scene.stage, "b", peer, "Remote diagnostics: administratively down")?;
        }
        Ok(())
    });
}

#[test]
fn frr_behind_a_router_is_a_neighbour_of_as_many_hops_as_are_allowed() {
    let name = "bfd::frr_behind_a_router_is_a_neighbour_of_as_many_hops_as_are_allowed";
    among_neighbours(name, &[BFDD, ZEBRA], |scene| {
        let timers = "  transmit-interval 50\n  receive-interval 50\n  detect-multiplier 3\n";
        let peer = |own: &str, other: &str| {
            format!(" peer {other} multihop local-address {own}\n  minimum-ttl 200\n{timers}")
        };
        let four = peer("10.84.0.2", "10.83.0.1");
        let six = peer("2001:db8:84::2", "2001:db8:83::1");
        start_frr(&mut scene.stage, "far", &format!("{four}{six}"))?;
        let ours = [("four", "10.84.0.2"), ("six", "2001:db8:84::2")];
        let lines = " multihop\n ttl 255\n max_hops 1";
        scene.stage.start_standfast("a", &sessions(&ours, lines))?;
        for session in ["four", "six"] {
            scene.session(session, true)?;
        }
        scene.reload(&sessions(&ours, lines).replace("max_hops 1", "max_hops 0"))?;
        for session in ["four", "six"] {
            scene.session(session, false)?;
        }
        scene.logged("it crossed too many routers")
    });
}

#[test]
fn bird_and_we_agree_on_up_and_down_over_one_hop_and_across_a_router() {
    let name = "bfd::bird_and_we_agree_on_up_and_down_over_one_hop_and_across_a_router";
    among_neighbours(name, &[BIRD], |scene| {
        let bird = |id: &str, neighbours: &str| {
            let timers = "interval 50 ms; multiplier 3;";
            format!(
                "router id {id};\nprotocol device {{}}\nprotocol bfd {{\n interface \"*\" {{ {timers} }};\n \
                 multihop {{ {timers} }};\n{neighbours}}}\n"
            )
        };
        let near = "neighbor 10.83.0.1 dev \"eth0\";\nneighbor 2001:db8:83::1 dev \"eth0\";\n";
        let far = "neighbor 10.83.0.1 local 10.84.0.2 multihop on;\n\
                   neighbor 2001:db8:83::1 local 2001:db8:84::2 multihop on;\n";
        for (node, id, neighbours) in [("b", "10.83.0.2", near), ("far", "10.84.0.2", far)] {
            let files = scene.stage.topology.node(node)?;
            files.write_file(Path::new("/tmp/bird.conf"), bird(id, neighbours).as_bytes())?;
            let argv = [BIRD, "-f", "-c", "/tmp/bird.conf", "-s", "/tmp/bird.ctl"];
            scene.stage.start(node, "bird", &argv)?;
        }
        let near = [("four", "10.83.0.2"), ("six", "2001:db8:83::2")];
        let far = [("four_far", "10.84.0.2"), ("six_far", "2001:db8:84::2")];
        // Its packets across routers start with the kernel's TTL.
        let lines = " multihop\n ttl 64\n max_hops 1";
        let ours = format!("{}{}", sessions(&near, ""), sessions(&far, lines));
        scene.stage.start_standfast("a", &ours)?;
        let all = ["four", "six", "four_far", "six_far"];
        for session in all {
            scene.session(session, true)?;
        }
        for node in ["b", "far"] {
            scene.wait("BIRD has both sessions up", |scene| {
                let command = format!("{BIRDC} show bfd sessions | grep -c Up");
                Ok(scene.stage.run(node, &["/bin/sh", "-c", &command])?.1 == ["2"])
            })?;
        }
        // A slower pace on our side, agreed by a poll.
        scene.reload(&ours.replace("min_rx 50", "min_rx 100"))?;
        scene.logged("10.83.0.2 may be silent for 300 ms")?;
        for session in all {
            anyhow::ensure!(scene.downs(session)? == 0, "{session} went down");
        }
        scene.stage.kill("b", "bird");
        scene.stage.kill("far", "bird");
        for session in all {
            scene.session(session, false)?;
        }
        Ok(())
    });
}

#[test]
fn keepalived_and_we_are_neighbours_with_its_own_defaults() {
    let name = "bfd::keepalived_and_we_are_neighbours_with_its_own_defaults";
    among_neighbours(name, &[KEEPALIVED], |scene| {
        let theirs = "bfd_instance four {\n neighbor_ip 10.83.0.1\n source_ip 10.83.0.2\n}\n\
                      bfd_instance six {\n neighbor_ip 2001:db8:83::1\n source_ip 2001:db8:83::2\n passive\n}\n";
        let path = Path::new("/etc/keepalived/keepalived.conf");
        scene.stage.topology.node("b")?.write_file(path, theirs.as_bytes())?;
        scene.stage.start("b", "daemon", &[KEEPALIVED, "-n", "-l", "-D", "-G"])?;
        let ours = theirs
            .replace(".1\n", ".x\n")
            .replace("::1\n", "::x\n")
            .replace(".2\n", ".1\n")
            .replace("::2\n", "::1\n")
            .replace(".x\n", ".2\n")
            .replace("::x\n", "::2\n")
            .replace(" passive\n", "");
        scene.stage.start_keepalived("a", &ours, &[])?;
        for session in ["four", "six"] {
            scene.session(session, true)?;
        }
        scene.logged("bfd four: sends every 10 ms; 10.83.0.2 may be silent for 50 ms")?;
        scene.stage.signal("b", "daemon", signal::SIGTERM)?;
        for session in ["four", "six"] {
            scene.session(session, false)?;
        }
        scene.stage.kill("b", "daemon");
        scene.stage.start("b", "daemon", &[KEEPALIVED, "-n", "-l", "-D", "-G"])?;
        for session in ["four", "six"] {
            scene.session(session, true)?;
        }
        Ok(())
    });
}
