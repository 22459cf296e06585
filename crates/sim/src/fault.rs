//! What can go wrong on a machine, and how much of it at once.

use std::time::Duration;

use standfast_failover::Config;
use standfast_types::{AdvertInterval, Priority, Rng};
use standfast_vrrp::Version;

use crate::{
    cluster::Cluster,
    draw, node,
    trace::{Happening, Place},
};

/// One thing that goes wrong, or is put right, on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of everything.
    Crash,
    /// The service is started (again).
    Start,
    /// `kill -9` of pulse; the supervisor's next one starts so much later.
    Die(Duration),
    /// SIGTERM: make before break.
    Release,
    /// SIGSTOP for so long; adverts wait in the socket meanwhile, or its buffer is full.
    Pause(Duration, bool),
    /// Cable of interface 0 or 1.
    Carrier(usize, bool),
    /// A result of a script, by its number.
    Script(usize, bool),
    /// Nothing passes to a machine any more, or from it.
    Cut(usize, usize),
    /// Nothing passes between it and all others.
    Isolated,
    /// Links towards a machine lose and double.
    Noise(usize),
    /// Every link is as new.
    Mended,
    /// Somebody removes an address.
    Stolen(Place),
    /// Another configuration is loaded.
    Reload(Box<Config>),
}

/// Scripts that a machine may have.
pub(crate) const SCRIPTS: [&str; 2] = ["check0", "check1"];

/// Draws what befalls a machine; durations go by the cluster's pace, its longest advert interval.
pub(crate) fn draw(rng: &mut Rng, cluster: &Cluster, on: usize, pace: Duration) -> Fault {
    let count = draw::count(cluster.machines().len());
    let any = draw::index(rng.below(count));
    let yes = rng.chance(500);
    match rng.below(24) {
        0 => Fault::Crash,
        1..=4 => Fault::Start,
        5 => Fault::Die(draw::share(rng, Duration::from_millis(20), 1000)),
        6 => Fault::Die(draw::share(rng, pace, 5000)),
        7 => Fault::Release,
        8 => Fault::Pause(draw::share(rng, pace, 1000), yes),
        9 => Fault::Pause(draw::share(rng, pace, 12_000), yes),
        10 => Fault::Carrier(0, false),
        11 | 12 => Fault::Carrier(0, true),
        13 => Fault::Carrier(1, yes),
        14 => Fault::Script(draw::index(rng.below(2)), yes),
        15 => Fault::Cut(on, any),
        16 => Fault::Cut(any, on),
        17 => Fault::Isolated,
        18 => Fault::Noise(any),
        19 | 20 => Fault::Mended,
        21 => Fault::Stolen(Place { instance: draw::index(rng.below(3)), address: 0 }),
        _ => reload(rng, cluster, on),
    }
}

/// A change that an operator may make on one machine while the others run on.
fn reload(rng: &mut Rng, cluster: &Cluster, on: usize) -> Fault {
    let Some(machine) = cluster.machines().get(on) else { return Fault::Start };
    let mut config = machine.config.clone();
    let chosen = draw::index(rng.below(draw::count(config.instances.len())));
    if let Some(instance) = config.instances.get_mut(chosen) {
        match rng.below(4) {
            0 => node::set_addresses(instance, 1 + draw::index(rng.below(3))),
            1 => instance.router.preempt = draw::preempt(rng, instance.router.advert_interval),
            2 if instance.router.version == Version::V3 => {
                let centis = instance.router.advert_interval.centis();
                let centis = if rng.chance(500) { centis.div_ceil(2) } else { centis };
                if let Ok(interval) = AdvertInterval::from_centis(centis) {
                    instance.router.advert_interval = interval;
                }
            }
            _ if !instance.router.priority.is_owner() => {
                let priority = u8::try_from(1 + rng.below(254)).ok().and_then(Priority::new);
                instance.router.priority = priority.unwrap_or(Priority::LOWEST);
            }
            _ => {}
        }
    }
    Fault::Reload(Box::new(config))
}

/// Lets it happen.
pub(crate) fn apply(cluster: &mut Cluster, rng: &mut Rng, on: usize, fault: Fault) {
    cluster.note(on, Happening::Befell(fault.clone()));
    match fault {
        Fault::Crash => cluster.crash(on),
        Fault::Start => {
            if !cluster.is_running(on) {
                cluster.start(on);
            }
        }
        Fault::Die(respawn) => cluster.with(on, |m, now| m.die(now, respawn)),
        Fault::Release => cluster.release(on),
        Fault::Pause(duration, buffers) => {
            cluster.with(on, |m, now| m.pause(now, duration, buffers));
        }
        Fault::Carrier(interface, up) => {
            cluster.with(on, |m, now| m.set_carrier(now, interface, up));
        }
        Fault::Script(script, success) => {
            if let Some(name) = SCRIPTS.get(script) {
                cluster.script(on, name, success);
            }
        }
        Fault::Cut(from, to) => cluster.block(from, to),
        Fault::Isolated => {
            for other in 0..cluster.machines().len() {
                cluster.block(on, other);
                cluster.block(other, on);
            }
        }
        Fault::Noise(to) => {
            if let Some(link) = cluster.link(on, to) {
                link.loss_permille = rng.below(600);
                link.burst_permille = rng.below(200);
                link.burst_goes_on_permille = rng.below(900);
                link.double_permille = rng.below(200);
            }
        }
        Fault::Mended => cluster.heal(),
        Fault::Stolen(place) => cluster.with(on, |m, now| m.steal(now, place)),
        Fault::Reload(config) => cluster.with(on, |m, now| m.reload(now, *config)),
    }
}
