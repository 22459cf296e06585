use std::net::IpAddr;
use std::time::Duration;

use standfast_failover::{Config, ScriptConfig, TrackScript, Weight};
use standfast_types::{AdvertInterval, Rng};
use standfast_vrrp::{Preempt, Version};

use crate::{Cluster, node, play};

const SECOND: Duration = Duration::from_secs(1);
/// VRRPv2, one second, priority 100: 3 s and 156/256 s; one frame's way on top.
const BOUND: Duration = Duration::from_micros(3_609_375 + 200);

type Node = (IpAddr, Config);

fn pair() -> Vec<Node> {
    vec![node(1, 200), node(2, 100)]
}

fn each(nodes: Vec<Node>, change: impl Fn(&mut standfast_vrrp::Config)) -> Vec<Node> {
    let change = |(own, mut config): Node| {
        config.instances.iter_mut().for_each(|instance| change(&mut instance.router));
        (own, config)
    };
    nodes.into_iter().map(change).collect()
}

fn settled(nodes: Vec<Node>) -> Cluster {
    let mut cluster = Cluster::new(nodes, 1);
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.holders(), [0]);
    cluster.reset_times();
    cluster
}

#[test]
fn the_highest_priority_of_three_holds_the_address() {
    let cluster = settled(vec![node(3, 200), node(2, 150), node(1, 100)]);
    assert_eq!(cluster.client_sends_to(), Some(0));
}

#[test]
fn a_crashed_master_is_replaced_within_the_bound_and_its_lease_ends() {
    let mut cluster = settled(pair());
    cluster.crash(0);
    cluster.run_for(BOUND);
    assert_eq!(cluster.client_sends_to(), Some(1));
    cluster.run_for(SECOND);
    assert_eq!(cluster.holders(), [1]);
    assert!(cluster.times().shared <= SECOND);
}

#[test]
fn a_pulled_cable_costs_at_most_the_bound_and_the_return_costs_nothing() {
    let mut cluster = settled(pair());
    cluster.set_carrier(0, false);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.holders(), [1]);
    assert!(cluster.times().unanswered <= BOUND);
    cluster.reset_times();
    cluster.set_carrier(0, true);
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.holders(), [0]);
    assert!(cluster.times().unanswered <= Duration::from_millis(1));
}

#[test]
fn fast_v3_timers_keep_their_bounds_too() {
    for (centis, bound_micros) in [(10, 360_938), (1, 36_094)] {
        let interval = AdvertInterval::from_centis(centis).expect("in range");
        let nodes = each(pair(), |router| {
            router.version = Version::V3;
            router.advert_interval = interval;
        });
        let mut cluster = settled(nodes);
        cluster.set_carrier(0, false);
        cluster.run_for(SECOND);
        let unanswered = cluster.times().unanswered;
        assert!(unanswered <= Duration::from_micros(bound_micros + 200), "{unanswered:?}");
    }
}

#[test]
fn an_orderly_stop_leaves_no_moment_without_an_answer() {
    let mut cluster = settled(pair());
    cluster.release(0);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.holders(), [1]);
    assert_eq!(cluster.times().unanswered, Duration::ZERO);
}

#[test]
fn a_killed_pulse_is_adopted_without_a_gap_or_a_role_change() {
    let mut cluster = settled(pair());
    let before = cluster.transitions(1);
    cluster.restart(0);
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.holders(), [0]);
    assert_eq!(cluster.times().unanswered, Duration::ZERO);
    assert_eq!(cluster.transitions(1), before);
}

#[test]
fn a_healed_partition_leaves_one_master_that_the_clients_find() {
    let mut cluster = settled(pair());
    cluster.block(0, 1);
    cluster.block(1, 0);
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.holders(), [0, 1]);
    assert_eq!(cluster.client_sends_to(), Some(1));
    cluster.heal();
    cluster.run_for(Duration::from_millis(1_100));
    assert_eq!(cluster.holders(), [0]);
    assert_eq!(cluster.client_sends_to(), Some(0), "the winner announced the address again");
}

#[test]
fn a_one_way_partition_heals_too() {
    let mut cluster = settled(pair());
    cluster.block(0, 1);
    cluster.run_for(10 * SECOND);
    cluster.heal();
    cluster.run_for(2 * SECOND);
    assert_eq!(cluster.holders(), [0]);
    assert_eq!(cluster.client_sends_to(), Some(0));
}

#[test]
fn equal_priorities_settle_on_the_higher_address() {
    let mut cluster = Cluster::new(vec![node(1, 100), node(2, 100), node(3, 100)], 3);
    cluster.run_for(10 * SECOND);
    assert_eq!(cluster.holders(), [2]);
}

#[test]
fn nopreempt_keeps_the_address_where_it_is() {
    let nodes = each(pair(), |router| router.preempt = Preempt::Never);
    let mut cluster = Cluster::new(nodes, 1);
    cluster.run_for(5 * SECOND);
    cluster.crash(0);
    cluster.run_for(5 * SECOND);
    cluster.start(0);
    cluster.run_for(20 * SECOND);
    assert_eq!(cluster.holders(), [1]);
}

#[test]
fn a_failing_script_moves_the_address_only_when_its_weight_outweighs_the_gap() {
    for (weight, holder) in [(-20, 0), (-120, 1)] {
        let mut nodes = pair();
        nodes[0].1.scripts =
            vec![ScriptConfig { name: "check".into(), rise: 1, fall: 1, init_fail: false }];
        let weight = Weight { value: weight, reverse: false };
        nodes[0].1.instances[0].trackers.scripts =
            vec![TrackScript { script: "check".into(), weight }];
        let mut cluster = settled(nodes);
        cluster.script(0, "check", false);
        cluster.run_for(10 * SECOND);
        assert_eq!(cluster.holders(), [holder]);
        cluster.script(0, "check", true);
        cluster.run_for(10 * SECOND);
        assert_eq!(cluster.holders(), [0]);
    }
}

#[test]
fn a_frozen_master_loses_the_address_and_never_speaks_before_it_has_listened() {
    let mut cluster = settled(pair());
    cluster.pause(0, 20 * SECOND);
    cluster.run_for(19 * SECOND);
    assert_eq!(cluster.holders(), [1]);
    cluster.run_for(20 * SECOND);
    assert_eq!(cluster.holders(), [0], "it preempts, as configured, after it has listened");
    assert!(cluster.times().shared < SECOND);
}

/// Whatever happened before: once the network is whole, one machine holds the address, the best one.
#[test]
fn random_faults_always_end_with_the_best_machine_alone() {
    for seed in 0..100 {
        let mut rng = Rng::from_seed(seed);
        let mut cluster = Cluster::new(vec![node(1, 200), node(2, 150), node(3, 100)], seed);
        cluster.set_loss(rng.below(200));
        for _ in 0..20 {
            let machine = usize::try_from(rng.below(3)).expect("small");
            let other = usize::try_from(rng.below(3)).expect("small");
            match rng.below(8) {
                0 => cluster.crash(machine),
                1 => cluster.start(machine),
                2 => cluster.set_carrier(machine, false),
                3 => cluster.set_carrier(machine, true),
                4 => cluster.block(machine, other),
                5 => cluster.pause(machine, Duration::from_millis(rng.below(10_000))),
                6 => cluster.restart(machine),
                _ => cluster.heal(),
            }
            cluster.run_for(Duration::from_millis(rng.below(4_000)));
        }
        cluster.heal();
        cluster.run_for(11 * SECOND);
        for machine in 0..3 {
            cluster.set_carrier(machine, true);
            if !cluster.is_running(machine) {
                cluster.start(machine);
            }
        }
        cluster.run_for(12 * SECOND);
        assert_eq!(cluster.holders(), [0], "seed {seed}");
        assert_eq!(cluster.client_sends_to(), Some(0), "seed {seed}");
    }
}

#[test]
fn seeds_that_broke_a_rule_once_do_not_any_more() {
    for line in include_str!("../seeds/broken.txt").lines() {
        let (seed, story) = line.split_once(' ').expect("a seed and its story");
        let seed = seed.parse().expect("a seed");
        assert_eq!(play(seed, false).violation, None, "seed {seed}: {story}");
    }
}

#[test]
fn the_same_seed_plays_the_same_way() {
    let (one, other) = (play(3, true), play(3, true));
    assert_eq!((one.happenings, one.simulated), (other.happenings, other.simulated));
    assert!(one.trace == other.trace && !one.trace.is_empty());
}

#[test]
fn a_dozen_seeds_break_no_rule() {
    for seed in 1_000_000..1_000_012 {
        assert_eq!(play(seed, false).violation, None, "cargo xtask sim --seed {seed}");
    }
}
