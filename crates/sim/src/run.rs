//! One seed from its beginning to its end: faults and safety, then healing and liveness, some rounds of it.

use std::{collections::BTreeSet, time::Duration};

use standfast_failover::Config;
use standfast_types::Rng;
use standfast_vrrp::{Preempt, Version};

use crate::{
    check::Violation,
    cluster::Cluster,
    draw::{self, Scenario},
    fault::{self, Fault},
    node,
    oracle::{self, Seen},
    trace::{Entry, Place},
};

/// What became of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// The time that the cluster lived through.
    pub simulated: Duration,
    /// Inputs, timers and frames.
    pub happenings: u64,
    /// Faults that were let happen.
    pub faults: u64,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// What happened, if that was asked for.
    pub trace: Vec<Entry>,
}

/// How a machine stays after healing.
#[derive(Clone, Copy, Debug)]
struct Rest {
    running: bool,
    carriers: [bool; 2],
    scripts: [bool; 2],
}

/// Plays what a seed stands for. With `trace` everything that happens is kept.
#[must_use]
pub fn play(seed: u64, trace: bool) -> Outcome {
    let mut rng = Rng::from_seed(seed);
    let scenario = Scenario::from(&mut rng);
    let cluster = Cluster::stopped(scenario.nodes, scenario.links, rng.next_u64());
    let mut run = Run { rng, cluster, pace: scenario.pace, faults: 0 };
    if trace {
        run.cluster.record();
    }
    run.cluster.start_all();
    for _ in 0..scenario.rounds {
        run.safety(scenario.faults);
        run.liveness();
        if run.broken() {
            break;
        }
    }
    let Run { mut cluster, faults, .. } = run;
    Outcome {
        simulated: cluster.now().saturating_since(standfast_types::Instant::ZERO),
        happenings: cluster.happenings(),
        faults,
        violation: cluster.violation().cloned(),
        trace: cluster.take_trace(),
    }
}

struct Run {
    rng: Rng,
    cluster: Cluster,
    pace: Duration,
    faults: u64,
}

impl Run {
    fn size(&self) -> usize {
        self.cluster.machines().len()
    }

    fn broken(&self) -> bool {
        self.cluster.violation().is_some()
    }

    /// Faults come one by one, in bursts, or with time to react between them.
    fn safety(&mut self, faults: u64) {
        for _ in 0..faults {
            let longest = match self.rng.below(4) {
                0 => 10,
                1 => 1000,
                _ => 6000,
            };
            let gap = draw::share(&mut self.rng, self.pace, longest);
            self.cluster.run_for(gap);
            if self.broken() {
                return;
            }
            let on = draw::index(self.rng.below(draw::count(self.size())));
            let fault = fault::draw(&mut self.rng, &self.cluster, on, self.pace);
            fault::apply(&mut self.cluster, &mut self.rng, on, fault);
            self.faults += 1;
        }
    }

    fn liveness(&mut self) {
        if self.broken() {
            return;
        }
        let rests = self.heal();
        let Bounds { converge, quiet } = self.bounds();
        // A claim under way may outlive its sender, and unseat who would have stayed.
        let way = self.cluster.reach();
        self.cluster.run_for(2 * way);
        let expected = self.expected(&rests);
        self.cluster.let_clients_ask();
        self.cluster.run_for(converge);
        let masters: Vec<_> = (0..expected.len()).map(|at| self.judge(at, &expected)).collect();
        let before: usize = (0..self.size()).map(|at| self.cluster.transitions(at)).sum();
        self.cluster.run_for(quiet);
        let after: usize = (0..self.size()).map(|at| self.cluster.transitions(at)).sum();
        if after != before {
            self.fail(0, "a state changed though nothing happened".into());
        }
        for (instance, master) in (0..).zip(masters) {
            self.judge(instance, &expected);
            if let Some(master) = master {
                self.served(instance, master);
            }
        }
    }

    /// Ends every fault but those that shall last, and gives each machine its last word.
    fn heal(&mut self) -> Vec<Rest> {
        self.cluster.heal();
        let releasing = (0..self.size())
            .filter(|at| self.cluster.machines().get(*at).is_some_and(|m| m.is_releasing()));
        for at in releasing.collect::<Vec<_>>() {
            self.cluster.with(at, |m, now| m.wake(now));
        }
        let stop = self.pace + Duration::from_millis(1_200);
        self.cluster.run_for(stop);
        (0..self.size()).map(|at| self.rest(at)).collect()
    }

    fn rest(&mut self, on: usize) -> Rest {
        let rng = &mut self.rng;
        let rest = Rest {
            running: !rng.chance(70),
            carriers: [!rng.chance(50), !rng.chance(150)],
            scripts: [!rng.chance(200), !rng.chance(200)],
        };
        let mut apply = |fault| fault::apply(&mut self.cluster, rng, on, fault);
        for (interface, up) in (0..).zip(rest.carriers) {
            apply(Fault::Carrier(interface, up));
        }
        apply(if rest.running { Fault::Start } else { Fault::Crash });
        for (script, up) in (0..).zip(rest.scripts) {
            // Scripts rise and fall after two results at most.
            apply(Fault::Script(script, up));
            apply(Fault::Script(script, up));
        }
        self.cluster.with(on, |m, now| m.wake(now));
        rest
    }

    /// From healing until exactly one is master:
    ///
    /// - a machine that was just started waits for its startup delay, one that was late listens again for
    ///   an interval and its skew; then a backup waits for the adverts that may be missed and its skew,
    ///   by the interval of its last master;
    /// - then, or as soon as it has heard the lower master (an interval and the way), the highest one that
    ///   may preempt does so, after its `preempt_delay`;
    /// - all others yield to its first advert; members of a sync group whose lead is elsewhere withstand
    ///   a better master for an interval and a half.
    ///
    /// Then nothing changes any more. The quiet time covers second bursts of announcements and leases of
    /// machines that stay dead.
    fn bounds(&self) -> Bounds {
        let mut longest = Duration::ZERO;
        let (mut hold, mut skew, mut delay, mut startup) = Default::default();
        for machine in self.cluster.machines() {
            startup = machine.config.startup_delay.max(startup);
            for instance in &machine.config.instances {
                let router = &instance.router;
                let interval = router.advert_interval.duration();
                longest = longest.max(interval);
                let second = Duration::from_secs(1);
                skew = interval.max(skew);
                if router.version == Version::V2 {
                    skew = second.max(skew);
                }
                // Of the interval of any other machine, too.
                hold = (self.pace * u32::from(router.down_timer_adverts)).max(hold);
                if let Preempt::After(wait) = router.preempt {
                    delay = wait.max(delay);
                }
            }
        }
        let way = 2 * self.cluster.reach();
        let again = longest + skew;
        let contest = 2 * longest;
        let converge = startup + hold + skew + again + longest + delay + longest + contest + way;
        let leases = 3 * longest + Duration::from_secs(1) + crate::machine::LEASE_LATENESS;
        Bounds { converge, quiet: leases.max(Duration::from_secs(6)) + longest }
    }

    /// Who may be master, of each instance.
    fn expected(&self, rests: &[Rest]) -> Vec<BTreeSet<usize>> {
        let machines = self.cluster.machines();
        let instances = machines.iter().map(|m| m.config.instances.len()).max().unwrap_or(0);
        let expect = |instance: usize| {
            let claims = self.cluster.masters(instance);
            let see = |(at, rest): (usize, &Rest)| {
                let Config { instances, .. } = &machines.get(at)?.config;
                let leads = node::leads(&machines.get(at)?.config);
                let lead = leads.get(instance).copied();
                let members = instances.iter().zip(&leads).filter(|(_, of)| Some(**of) == lead);
                Some(Seen {
                    config: lead.and_then(|lead| instances.get(lead)).filter(|_| rest.running),
                    members: members.map(|(member, _)| member).collect(),
                    carriers: rest.carriers,
                    scripts: rest.scripts.map(Some),
                    claims: claims.contains(&at),
                })
            };
            let seen: Vec<_> = (0..).zip(rests).filter_map(see).collect();
            oracle::masters(&seen)
        };
        (0..instances).map(expect).collect()
    }

    /// The one master of an instance; breaks a rule if there is none or the wrong one.
    fn judge(&mut self, instance: usize, expected: &[BTreeSet<usize>]) -> Option<usize> {
        let expected = expected.get(instance)?;
        let masters = self.cluster.masters(instance);
        let right = match masters.as_slice() {
            [] => expected.is_empty(),
            [one] => expected.contains(one),
            [_, _, ..] => false,
        };
        if !right {
            let text = format!("V{instance}: {masters:?} are master, {expected:?} should be");
            self.fail(masters.first().copied().unwrap_or(0), text);
        }
        masters.first().copied()
    }

    /// The master alone holds the address, and clients that were told of another master know it.
    fn served(&mut self, instance: usize, master: usize) {
        let place = Place { instance, address: 0 };
        let machines = (0..).zip(self.cluster.machines());
        let holders: Vec<usize> =
            machines.filter(|(_, machine)| machine.holds(place)).map(|(at, _)| at).collect();
        if holders != [master] {
            self.fail(master, format!("V{instance}: {holders:?} hold the address"));
        }
        let client = self.cluster.clients_send_to(instance);
        if client.is_some_and(|client| client != master) {
            self.fail(master, format!("V{instance}: clients send to {client:?}"));
        }
    }

    fn fail(&mut self, machine: usize, text: String) {
        self.cluster.fail(machine, text);
    }
}

struct Bounds {
    converge: Duration,
    quiet: Duration,
}
