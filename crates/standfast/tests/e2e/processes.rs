//! Processes that are followed: one that is killed moves the address.

use std::{net::Ipv4Addr, time::Duration};

use standfast_kernel::{clock, process::signal::SIGKILL};
use standfast_lab::{
    probe::Sample,
    stage::{Stage, pause},
};

use crate::{
    common::{KEEPALIVED, in_sandbox, instance, pair, say, seconds, served_by, wait_for},
    peers::start_theirs,
};

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

/// A measured wait: until the client is answered by B after A's process was killed. `start_b` gets B's
/// configuration, of this priority.
fn measure(
    priority: u8,
    start_b: impl Fn(&mut Stage, &str) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    let mut stage = pair()?;
    stage.start_web("a")?;
    stage.start_web("b")?;
    start(&mut stage, "app")?;
    let node = |priority, more| {
        instance(priority, ADDRESS, more).replace("advert_int 0.1", "advert_int 1")
    };
    stage.start_standfast("a", &(tracker("") + &node(254, FOLLOW)))?;
    start_b(&mut stage, &node(priority, ""))?;
    stage.start_probe(ADDRESS, Duration::from_millis(1))?;
    let mut waits = Vec::new();
    for _ in 0..ROUNDS {
        served_by(&mut stage, ADDRESS, "a", seconds(20))?;
        // B shall have heard some adverts.
        pause(seconds(2));
        let killed = clock::now();
        stage.signal("a", "app", SIGKILL)?;
        served_by(&mut stage, ADDRESS, "b", seconds(5))?;
        let from_b =
            |sample: &&Sample| sample.sent >= killed && sample.page.as_deref() == Some("b");
        let first = stage.samples(ADDRESS)?.iter().filter(from_b).map(|sample| sample.ended).min();
        waits.extend(first.map(|at| at.saturating_since(killed)));
        start(&mut stage, "app")?;
    }
    waits.sort_unstable();
    say(format_args!("priority {priority}: B answers after {waits:?}"));
    Ok(waits)
}

/// How long exactly depends on the machine, and is printed.
#[test]
fn the_peer_answers_soon_after_the_kill() {
    let name = "processes::the_peer_answers_soon_after_the_kill";
    in_sandbox(name, &["/bin/sleep"], || {
        measure(251, |stage, configuration| stage.start_standfast("b", configuration)).map(drop)
    });
}

/// Without the farewell it would wait for 156/256 of a second at least.
#[test]
fn keepalived_takes_over_sooner_by_what_the_leaving_master_says_of_its_interval() {
    let name =
        "processes::keepalived_takes_over_sooner_by_what_the_leaving_master_says_of_its_interval";
    in_sandbox(name, &["/bin/sleep", KEEPALIVED], || {
        let waits = measure(100, |stage, configuration| start_theirs(stage, "b", configuration))?;
        anyhow::ensure!(waits.first().is_some_and(|wait| wait.as_millis() < 609), "{waits:?}");
        Ok(())
    });
}
