//! A cluster and its timers, all drawn from one seed.

use std::{net::IpAddr, time::Duration};

use standfast_failover::{
    Config, InstanceConfig, ScriptConfig, TrackInterface, TrackScript, Weight,
};
use standfast_types::{AdvertInterval, Family, Priority, Rng};
use standfast_vrrp::{Preempt, Transport, UnicastPeer, Version};

use crate::{fault::SCRIPTS, link::Link, node};

/// A cluster that a seed stands for.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) nodes: Vec<(IpAddr, Config)>,
    pub(crate) links: Vec<Link>,
    /// Its longest advert interval.
    pub(crate) pace: Duration,
    /// Each has a safety phase and a liveness phase.
    pub(crate) rounds: u64,
    /// Of a safety phase.
    pub(crate) faults: u64,
}

/// What the machines of a cluster have in common, of one instance.
struct Common {
    version: Version,
    base: u64,
    interval: AdvertInterval,
    family: Family,
    down_timer_adverts: u8,
    unicast: bool,
    addresses: usize,
    preempt: Option<Preempt>,
    ties: bool,
    owner: Option<usize>,
    mixed: bool,
}

pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Up to so many thousandths of a duration.
pub(crate) fn share(rng: &mut Rng, whole: Duration, permille: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(nanos / 1000 * rng.below(permille + 1))
}

impl Scenario {
    pub(crate) fn from(rng: &mut Rng) -> Self {
        let machines = index(match rng.below(100) {
            0..40 => 2,
            40..70 => 3,
            70..90 => 4 + rng.below(2),
            90..97 => 6 + rng.below(3),
            _ => 9 + rng.below(8),
        });
        let instances = index(match rng.below(100) {
            0..65 => 1,
            65..90 => 2,
            _ => 3,
        });
        let group = if instances > 1 && rng.chance(500) { 2 + index(rng.below(2)) } else { 0 };
        let base = base(rng);
        let mut common: Vec<_> =
            (0..instances).map(|_| Common::draw(rng, machines, base)).collect();
        // The owner of an address that others keep it from holding is a contradiction.
        common.iter_mut().take(group).for_each(|common| common.owner = None);
        let mut nodes: Vec<_> =
            (0..machines).map(|at| machine(rng, at, machines, &common)).collect();
        if group > 0 {
            nodes.iter_mut().for_each(|(_, config)| node::group(config, group));
        }
        let intervals = nodes.iter().flat_map(|(_, config)| &config.instances);
        let intervals = intervals.map(|instance| instance.router.advert_interval.duration());
        let (shortest, pace) = (intervals.clone().min(), intervals.max());
        let links = links(rng, machines, shortest.unwrap_or_default());
        let rounds = 1 + rng.below(4);
        Self { nodes, links, pace: pace.unwrap_or_default(), rounds, faults: 4 + rng.below(20) }
    }
}

impl Common {
    fn draw(rng: &mut Rng, machines: usize, base: u64) -> Self {
        // Version 2 knows whole seconds only.
        let second = base > 50 && rng.chance(500);
        let version = if second { Version::V2 } else { Version::V3 };
        Self {
            version,
            base,
            interval: interval(rng, version, base),
            family: if rng.chance(250) { Family::V6 } else { Family::V4 },
            down_timer_adverts: if rng.chance(800) { 3 } else { 2 + small(rng, 4) },
            unicast: rng.chance(300),
            addresses: 1 + index(rng.below(3)),
            preempt: rng.chance(700).then(|| preempt(rng, AdvertInterval::DEFAULT)),
            ties: rng.chance(200),
            owner: rng.chance(100).then(|| index(rng.below(count(machines)))),
            mixed: version == Version::V3 && rng.chance(200),
        }
    }
}

fn small(rng: &mut Rng, bound: u64) -> u8 {
    u8::try_from(rng.below(bound)).unwrap_or(0)
}

/// The quickest interval of a cluster, in centiseconds: most adverts come from the quick ones, most hours
/// from the slow ones.
fn base(rng: &mut Rng) -> u64 {
    match rng.below(10) {
        0 | 1 => 1 + rng.below(10),
        2 | 3 => 10 + rng.below(90),
        4..8 => 100 + rng.below(900),
        _ => 1000 + rng.below(3000),
    }
}

/// Up to sixteen times the base: what is further apart costs time without telling more.
fn interval(rng: &mut Rng, version: Version, base: u64) -> AdvertInterval {
    let centis = if rng.chance(500) { base } else { base << rng.below(5) };
    let interval = match version {
        Version::V2 => {
            let seconds = u8::try_from(centis.div_ceil(100)).unwrap_or(u8::MAX);
            AdvertInterval::from_seconds(seconds)
        }
        Version::V3 => AdvertInterval::from_centis(u16::try_from(centis.min(4095)).unwrap_or(4095)),
    };
    interval.unwrap_or(AdvertInterval::DEFAULT)
}

pub(crate) fn preempt(rng: &mut Rng, interval: AdvertInterval) -> Preempt {
    match rng.below(10) {
        0..6 => Preempt::Always,
        6..8 => Preempt::After(share(rng, interval.duration(), 8000)),
        _ => Preempt::Never,
    }
}

fn machine(rng: &mut Rng, at: usize, machines: usize, common: &[Common]) -> (IpAddr, Config) {
    let host = |at: usize| u8::try_from(at + 1).unwrap_or(1);
    let scripts = if rng.chance(400) { index(rng.below(3)) } else { 0 };
    let script = |name: &&str, rng: &mut Rng| ScriptConfig {
        name: (*name).into(),
        rise: 1 + u32::from(small(rng, 2)),
        fall: 1 + u32::from(small(rng, 2)),
        init_fail: rng.chance(200),
    };
    let scripts: Vec<_> = SCRIPTS.iter().take(scripts).map(|name| script(name, rng)).collect();
    let peers: Vec<_> =
        (0..machines).filter(|other| *other != at).map(|at| node::own(host(at))).collect();
    let instance = |(number, common): (u8, &Common), rng: &mut Rng| {
        let mut priority = if common.ties { 100 + small(rng, 2) } else { 1 + small(rng, 254) };
        if common.owner == Some(at) {
            priority = 255;
        }
        let priority = Priority::new(priority).unwrap_or(Priority::LOWEST);
        let mut config = node::instance(number, common.family, common.addresses, priority);
        router(rng, &mut config, common, &peers);
        track(rng, &mut config, &scripts);
        config
    };
    let instances = (0..).zip(common).map(|one| instance(one, rng)).collect();
    let startup_delay =
        if rng.chance(100) { share(rng, Duration::from_secs(10), 1000) } else { Duration::ZERO };
    let config = Config { instances, scripts, startup_delay, ..Config::default() };
    (node::own(host(at)), config)
}

fn router(rng: &mut Rng, config: &mut InstanceConfig, common: &Common, peers: &[IpAddr]) {
    let router = &mut config.router;
    router.version = common.version;
    router.advert_interval = common.interval;
    if common.mixed {
        router.advert_interval = interval(rng, common.version, common.base);
    }
    router.down_timer_adverts = common.down_timer_adverts;
    router.preempt = common.preempt.unwrap_or_else(|| preempt(rng, common.interval));
    if let Preempt::After(_) = router.preempt {
        router.preempt = Preempt::After(share(rng, common.interval.duration(), 8000));
    }
    if common.unicast && !peers.is_empty() {
        let of_family = |own: IpAddr| match common.family {
            Family::V4 => own,
            Family::V6 => node::link_local(own),
        };
        let peer =
            |own: &IpAddr| UnicastPeer { address: of_family(*own), min_ttl: 0, max_ttl: 255 };
        let peers = peers.iter().map(peer).collect();
        router.transport = Transport::Unicast { peers, check_source: rng.chance(500), ttl: 255 };
    }
}

fn track(rng: &mut Rng, config: &mut InstanceConfig, scripts: &[ScriptConfig]) {
    let mut weight = || {
        let value = if rng.chance(300) { 0 } else { i16::from(small(rng, 254)) };
        let value = if rng.chance(500) { value } else { -value };
        Weight { value, reverse: rng.chance(100) }
    };
    config.trackers.scripts = scripts
        .iter()
        .map(|script| TrackScript { script: script.name.clone(), weight: weight() })
        .collect();
    let tracked = weight();
    if rng.chance(250) {
        let interface = node::TRACKED.into();
        config.trackers.interfaces = vec![TrackInterface { interface, weight: tracked }];
    }
}

/// Ways take up to a quarter of the shortest interval, so that a backup never mistakes delay for silence.
fn links(rng: &mut Rng, machines: usize, shortest: Duration) -> Vec<Link> {
    let slow = rng.chance(200);
    let longest = if slow { shortest / 4 } else { Duration::from_micros(500) };
    let longest = longest.min(Duration::from_millis(300));
    let link = |rng: &mut Rng| {
        let delay = Duration::from_micros(20) + share(rng, longest, 500);
        let mut link = Link::clean(delay);
        link.jitter = share(rng, longest, 500);
        link
    };
    (0..machines * machines).map(|_| link(rng)).collect()
}
