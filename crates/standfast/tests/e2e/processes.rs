//! Processes that are followed: one that is killed moves the address.

use std::{net::Ipv4Addr, time::Duration};

use standfast_kernel::{clock, process::signal::SIGKILL};
use standfast_lab::stage::{Stage, pause};

use crate::common::{in_sandbox, instance, pair, say, seconds, served_by, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const FOLLOW: &str = " track_process {\n app\n }";
/// How often the failover is measured.
const ROUNDS: usize = 5;

fn tracker(more: &str) -> String {
    format!("vrrp_track_process app {{\n process /bin/sleep 1000\n{more}\n}}\n")
}

fn start(stage: &mut Stage, role: &str) -> anyhow::Result<()> {
    stage.start("a", role, &["/bin/sleep", "1000"])
}

fn held_by(stage: &mut Stage, node: &str, what: &str) -> anyhow::Result<Duration> {
    let from = clock::now();
    wait_for(stage, &format!("{what}: {node} holds it"), seconds(3), |stage| {
        Ok(stage.holders(ADDRESS)? == [node])
    })?;
    let after = clock::now().saturating_since(from);
    say(format_args!("{what}: {node} after {} ms", after.as_millis()));
    Ok(after)
}

/// A is preferred and follows its processes; B is there.
fn stage(more: &str, programs: &[&str]) -> anyhow::Result<Stage> {
    let mut stage = pair()?;
    for role in programs {
        start(&mut stage, role)?;
    }
    let configuration = tracker(more) + &instance(200, ADDRESS, FOLLOW);
    stage.start_standfast("a", &configuration)?;
    stage.start_standfast("b", &instance(100, ADDRESS, ""))?;
    held_by(&mut stage, "a", "at start")?;
    Ok(stage)
}

#[test]
fn a_process_that_is_killed_moves_the_address_and_another_brings_it_back() {
    let name = "processes::a_process_that_is_killed_moves_the_address_and_another_brings_it_back";
    in_sandbox(name, &["/bin/sleep"], || {
        let mut stage = stage("", &["app"])?;
        stage.signal("a", "app", SIGKILL)?;
        held_by(&mut stage, "b", "killed")?;
        stage.start("a", "stranger", &["/bin/sleep", "100000"])?;
        pause(seconds(1));
        held_by(&mut stage, "b", "another program")?;
        start(&mut stage, "app")?;
        held_by(&mut stage, "a", "started again")?;
        // What pulse knew is told to the next one.
        stage.kill_pulse("a")?;
        held_by(&mut stage, "a", "pulse killed")?;
        stage.signal("a", "app", SIGKILL)?;
        held_by(&mut stage, "b", "killed again")?;
        Ok(())
    });
}

#[test]
fn a_quorum_of_two_is_lost_with_one_and_regained_with_another() {
    let name = "processes::a_quorum_of_two_is_lost_with_one_and_regained_with_another";
    in_sandbox(name, &["/bin/sleep"], || {
        let mut stage = stage(" quorum 2", &["one", "two", "three"])?;
        stage.signal("a", "one", SIGKILL)?;
        pause(seconds(1));
        held_by(&mut stage, "a", "one of three killed")?;
        stage.signal("a", "two", SIGKILL)?;
        held_by(&mut stage, "b", "two of three killed")?;
        start(&mut stage, "two")?;
        held_by(&mut stage, "a", "one started again")?;
        Ok(())
    });
}

#[test]
fn an_end_counts_once_it_has_lasted() {
    let name = "processes::an_end_counts_once_it_has_lasted";
    in_sandbox(name, &["/bin/sleep"], || {
        let mut stage = stage(" terminate_delay 2", &["app"])?;
        stage.signal("a", "app", SIGKILL)?;
        pause(seconds(1));
        start(&mut stage, "app")?;
        pause(seconds(2));
        held_by(&mut stage, "a", "started again in time")?;
        stage.signal("a", "app", SIGKILL)?;
        let after = held_by(&mut stage, "b", "killed")?;
        anyhow::ensure!(after >= Duration::from_millis(1900), "{after:?}");
        Ok(())
    });
}

/// Prints how long the client is without an answer from B; how long is right depends on the machine.
#[test]
fn the_peer_answers_soon_after_the_kill() {
    let name = "processes::the_peer_answers_soon_after_the_kill";
    in_sandbox(name, &["/bin/sleep"], || {
        let mut stage = pair()?;
        stage.start_web("a")?;
        stage.start_web("b")?;
        start(&mut stage, "app")?;
        let node = |priority, more| {
            instance(priority, ADDRESS, more).replace("advert_int 0.1", "advert_int 1")
        };
        stage.start_standfast("a", &(tracker("") + &node(254, FOLLOW)))?;
        stage.start_standfast("b", &node(251, ""))?;
        stage.start_probe(ADDRESS, Duration::from_millis(1))?;
        for _ in 0..ROUNDS {
            served_by(&mut stage, ADDRESS, "a", seconds(20))?;
            // B shall have heard some adverts.
            pause(seconds(2));
            let killed = clock::now();
            stage.signal("a", "app", SIGKILL)?;
            served_by(&mut stage, ADDRESS, "b", seconds(5))?;
            let from_b = |sample: &&standfast_lab::probe::Sample| {
                sample.sent >= killed && sample.page.as_deref() == Some("b")
            };
            let first = stage.samples(ADDRESS)?.iter().filter(from_b).map(|sample| sample.ended);
            let after = first.min().map(|at| at.saturating_since(killed)).unwrap_or_default();
            say(format_args!("B answers {} us after the kill", after.as_micros()));
            start(&mut stage, "app")?;
        }
        Ok(())
    });
}
