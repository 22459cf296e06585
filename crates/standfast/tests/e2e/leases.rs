//! Addresses that somebody deletes, and processes that somebody kills.

use std::{net::Ipv4Addr, time::Duration};

use standfast_kernel::{clock, process};
use standfast_lab::stage::{CLIENT, Stage, pause};

use crate::common::{
    ASK_EVERY, TCPDUMP, capture, describe, in_sandbox, instance, logged, pair, run, say, seconds,
    served_by, wait_for,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);

fn start(stage: &mut Stage) -> anyhow::Result<()> {
    for node in ["a", "b"] {
        stage.start_web(node)?;
    }
    stage.start_standfast("a", &instance(200, ADDRESS, ""))?;
    stage.start_standfast("b", &instance(100, ADDRESS, ""))?;
    stage.start_probe(ADDRESS, ASK_EVERY)?;
    served_by(stage, ADDRESS, "a", seconds(3))
}

#[test]
fn an_address_that_somebody_deletes_is_back_at_once_and_announced() {
    let name = "leases::an_address_that_somebody_deletes_is_back_at_once_and_announced";
    in_sandbox(name, &["/usr/sbin/ip"], || {
        let mut stage = pair()?;
        start(&mut stage)?;
        let mut worst = Duration::ZERO;
        for round in 0..10 {
            // The neighbour forgets: only an announcement makes it know the address again by itself.
            run(&mut stage, CLIENT, "ip neigh flush dev eth0")?;
            stage.log("a", "daemon")?;
            let from = clock::now();
            let node = stage.topology.node("a")?;
            let links = node.netlink().links()?;
            let index =
                links.iter().find(|link| link.name.as_str() == "eth0").map(|link| link.index);
            let index = index.ok_or_else(|| anyhow::anyhow!("no eth0"))?;
            let prefix = "10.83.0.100/24".parse().map_err(|_| anyhow::anyhow!("a prefix"))?;
            node.netlink()
                .delete_addresses(&[(index, prefix)])
                .into_iter()
                .collect::<Result<(), _>>()?;
            wait_for(&mut stage, "the address is back", seconds(2), |stage| {
                Ok(stage.holders(ADDRESS)? == ["a"])
            })?;
            let took = clock::now().saturating_since(from);
            worst = worst.max(took);
            // Said once; somebody who deletes it again and again is counted.
            if round == 0 {
                logged(&mut stage, "a", "put back and announced", seconds(2))?;
            }
            let lines = stage.log("a", "daemon")?;
            let moved = lines.iter().any(|line| line.contains("->"));
            anyhow::ensure!(!moved, "round {round}: {lines:?}");
        }
        say(format_args!("a deleted address is back after {worst:?} at worst"));
        anyhow::ensure!(worst <= Duration::from_millis(50), "{worst:?}");
        anyhow::ensure!(!stage.log("b", "daemon")?.iter().any(|line| line.contains("-> MASTER")));
        Ok(())
    });
}

#[test]
fn a_deleted_address_is_announced_by_arp() {
    let name = "leases::a_deleted_address_is_announced_by_arp";
    in_sandbox(name, &[TCPDUMP, "/usr/sbin/ip"], || {
        let mut stage = pair()?;
        start(&mut stage)?;
        // The announcements of the start come in two bursts, 5 s apart.
        pause(seconds(6));
        let filter = "arp and ether dst ff:ff:ff:ff:ff:ff";
        capture(&mut stage, CLIENT, &["-l", "-n", filter])?;
        run(&mut stage, "a", "ip addr del 10.83.0.100/24 dev eth0")?;
        wait_for(&mut stage, "an announcement", seconds(1), |stage| {
            let told = stage.log(CLIENT, "capture")?;
            Ok(told.iter().any(|line| {
                line.contains("who-has 10.83.0.100") && line.contains("tell 10.83.0.100")
            }))
        })
    });
}

#[test]
fn when_the_supervisor_is_killed_pulse_lets_go_and_no_request_is_lost() {
    let name = "leases::when_the_supervisor_is_killed_pulse_lets_go_and_no_request_is_lost";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        start(&mut stage)?;
        let from = clock::now();
        stage.signal("a", "daemon", process::signal::SIGKILL)?;
        served_by(&mut stage, ADDRESS, "b", seconds(3))?;
        let notice = stage.notice(ADDRESS, from)?;
        describe("supervisor killed", &notice);
        anyhow::ensure!(notice.lost == 0, "{notice:?}");
        logged(&mut stage, "b", "10.83.0.1 let go", seconds(1))
    });
}

/// A request that is under way when the address changes hands: TCP knows nothing of the other
/// machine. More than one in a handover, or one that got no answer at all, would be our fault.
#[test]
fn ten_handovers_in_good_order_cut_no_more_than_what_is_under_way() {
    let name = "leases::ten_handovers_in_good_order_cut_no_more_than_what_is_under_way";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        start(&mut stage)?;
        let mut cut = 0;
        let rounds = std::env::var("HANDOVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
        for _ in 0..rounds {
            let from = clock::now();
            stage.signal("a", "daemon", process::signal::SIGTERM)?;
            served_by(&mut stage, ADDRESS, "b", seconds(3))?;
            wait_for(&mut stage, "a ends", seconds(3), |stage| {
                Ok(stage.exit_code("a", "daemon")?.is_some())
            })?;
            stage.start_standfast("a", &instance(200, ADDRESS, ""))?;
            served_by(&mut stage, ADDRESS, "a", seconds(3))?;
            let notice = stage.notice(ADDRESS, from)?;
            let samples = stage.samples(ADDRESS)?.iter();
            let lost = samples.filter(|s| from <= s.sent && s.page.is_none());
            let took: Vec<_> = lost.map(|s| s.ended.saturating_since(s.sent)).collect();
            if !took.is_empty() {
                say(format_args!("lost after {took:?}, {notice:?}"));
            }
            cut += took.len();
            anyhow::ensure!(
                took.len() <= 2 && notice.gap < Duration::from_millis(100),
                "{took:?} {notice:?}"
            );
        }
        say(format_args!("{rounds} handovers and returns cut {cut} requests"));
        Ok(())
    });
}

#[test]
fn when_everything_is_killed_the_address_goes_with_its_lease() {
    let name = "leases::when_everything_is_killed_the_address_goes_with_its_lease";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        start(&mut stage)?;
        let from = clock::now();
        stage.kill_everything("a")?;
        wait_for(&mut stage, "b alone holds it", seconds(5), |stage| {
            Ok(stage.holders(ADDRESS)? == ["b"])
        })?;
        let took = clock::now().saturating_since(from);
        let notice = stage.notice(ADDRESS, from)?;
        describe(&format!("everything killed (address gone after {took:?})"), &notice);
        // A lease of 2 s, and up to 1.3 s until the kernel looks.
        anyhow::ensure!(took <= Duration::from_millis(3300), "{took:?}");
        anyhow::ensure!(notice.gap <= Duration::from_millis(500), "{notice:?}");
        Ok(())
    });
}
