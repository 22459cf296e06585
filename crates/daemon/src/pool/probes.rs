//! Every probe: when it runs, its connection, and the checks that it speaks for. Checks that are alike share
//! one.

mod probe;

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use standfast_balance::{CheckId, Verdict};
use standfast_conf::Command;
use standfast_health::{Change, Check, Failure, Good, Kind, Prepared, Prober};
use standfast_kernel::poll::{Ready, Registry};
use standfast_types::{Instant, Rng};

use self::probe::{Activity, Probe, Step};
use super::{
    line::PART,
    message::{CommandEnd, Papers, RunId},
    punctuality::Punctuality,
    schedule::Schedule,
    tls::Outfitter,
};

/// A run that this machine has no means for (descriptors, ports) is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Thousands of checks a second begin together, as often as this: to wake up for each would cost more than
/// most checks do.
const GRID: Duration = Duration::from_millis(8);
/// Probes begin at this token; those below are the pool's own.
pub(super) const FIRST_TOKEN: u64 = 1 << 32;

/// All probes.
#[derive(Debug)]
pub(super) struct Probes {
    registry: Registry,
    outfitter: Outfitter,
    rng: Rng,
    slots: Vec<Option<Probe>>,
    free: Vec<u32>,
    generation: u32,
    by_check: FxHashMap<CheckId, u32>,
    alike: FxHashMap<Likeness, u32>,
    prepared: FxHashMap<Kind, Arc<Prepared>>,
    schedule: Schedule,
    pub(super) punctuality: Punctuality,
    /// Connections that are open, and how many may be.
    open: usize,
    limit: usize,
    /// Due, but there are too many connections already.
    waiting: VecDeque<u32>,
    /// There may be more to read of them.
    unread: VecDeque<u32>,
    news: VecDeque<News>,
    room: Vec<u8>,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A check has come to a verdict.
    Verdict(CheckId, Verdict),
    /// A run failed that changes nothing, of a check that wants it logged.
    Failed(CheckId, String),
    /// This machine lacks something, so that no check can be made as it should.
    Short(String),
    /// A command is to run.
    Run(RunId, Command, Duration),
}

/// What checks that are alike have in common.
#[derive(Clone, Debug)]
struct Likeness {
    check: Arc<Check>,
    target: Option<SocketAddr>,
}

impl PartialEq for Likeness {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |a: &Check, b: &Check| a.timing == b.timing && a.alpha == b.alpha && a.kind == b.kind;
        self.target == other.target && same(&self.check, &other.check)
    }
}

impl Eq for Likeness {}

impl std::hash::Hash for Likeness {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Of checks with one target there are few kinds; commands have none.
        self.target.hash(state);
        if self.target.is_none() {
            self.check.kind.hash(state);
        }
    }
}

impl Probes {
    /// Of which so many may have a connection at once.
    pub(super) fn new(registry: Registry, outfitter: Outfitter, seed: u64, limit: usize) -> Self {
        Self {
            registry,
            outfitter,
            rng: Rng::from_seed(seed),
            slots: Vec::new(),
            free: Vec::new(),
            generation: 0,
            by_check: FxHashMap::default(),
            alike: FxHashMap::default(),
            prepared: FxHashMap::default(),
            schedule: Schedule::default(),
            punctuality: Punctuality::default(),
            open: 0,
            limit,
            waiting: VecDeque::new(),
            unread: VecDeque::new(),
            news: VecDeque::new(),
            room: vec![0; PART],
        }
    }

    /// From now on, connections are made with these papers.
    pub(super) fn outfit(&mut self, papers: Papers) {
        if !self.outfitter.has(&papers) {
            self.refit(Outfitter::new(papers));
        }
    }

    fn refit(&mut self, outfitter: Outfitter) {
        self.outfitter = outfitter;
        for probe in self.slots.iter_mut().flatten() {
            probe.tls = None;
        }
    }

    /// Begins with a check, which has this verdict already.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        id: CheckId,
        check: Arc<Check>,
        known: Option<&Verdict>,
    ) {
        self.end(&id);
        let target = check.kind.target().map(|target| target.of(id.server.key));
        let likeness = Likeness { check, target };
        let shared = likeness.check.shared;
        if shared && let Some(&slot) = self.alike.get(&likeness) {
            if let Some(probe) = self.probe(slot) {
                probe.checks.push(id.clone());
                let verdict = probe.verdict.clone();
                self.news.extend(verdict.map(|verdict| News::Verdict(id.clone(), verdict)));
                self.by_check.insert(id, slot);
            }
            return;
        }
        let Likeness { check, target } = likeness.clone();
        let mut prober = Prober::new(&check, self.rng.next_u64(), now);
        match known {
            Some(Verdict::Good { weight }) => {
                prober = prober.with_verdict(Some(Good { weight: *weight }));
            }
            Some(Verdict::Bad(_)) => prober = prober.with_verdict(None),
            None => {}
        }
        let deadline = prober.next_deadline();
        self.generation = self.generation.wrapping_add(1);
        let probe = Probe {
            prepared: self.prepare(&check.kind),
            check,
            target,
            prober,
            checks: vec![id.clone()],
            verdict: known.cloned(),
            generation: self.generation,
            tls: None,
            activity: Activity::Idle,
            deadline: now,
        };
        let slot = self.place(probe);
        self.schedule.set(slot, deadline);
        if shared {
            self.alike.insert(likeness, slot);
        }
        self.by_check.insert(id, slot);
    }

    fn prepare(&mut self, kind: &Kind) -> Option<Arc<Prepared>> {
        // A connection that is open is all that TCP_CHECK wants.
        if matches!(kind, Kind::Tcp(_)) {
            return None;
        }
        if let Some(prepared) = self.prepared.get(kind) {
            return Some(Arc::clone(prepared));
        }
        let prepared = Arc::new(Prepared::new(kind)?);
        self.prepared.insert(kind.clone(), Arc::clone(&prepared));
        Some(prepared)
    }

    fn place(&mut self, probe: Probe) -> u32 {
        if let Some(slot) = self.free.pop()
            && let Some(place) = slot_of(&mut self.slots, slot)
        {
            *place = Some(probe);
            return slot;
        }
        self.slots.push(Some(probe));
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    /// Ends with a check.
    pub(super) fn end(&mut self, id: &CheckId) {
        let Some(slot) = self.by_check.remove(id) else { return };
        let Some(probe) = self.probe(slot) else { return };
        probe.checks.retain(|check| check != id);
        if !probe.checks.is_empty() {
            return;
        }
        let Some(probe) = slot_of(&mut self.slots, slot).and_then(Option::take) else { return };
        self.open -= usize::from(probe.activity.is_open());
        self.free.push(slot);
        self.schedule.set(slot, None);
        let likeness = Likeness { check: probe.check, target: probe.target };
        if self.alike.get(&likeness) == Some(&slot) {
            self.alike.remove(&likeness);
        }
        if let Some(prepared) = &probe.prepared
            && Arc::strong_count(prepared) == 2
        {
            self.prepared.remove(&likeness.check.kind);
        }
    }

    /// How many probes there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.unread.is_empty() {
            true => self.schedule.next_deadline().map(|at| at.next_multiple(GRID)),
            false => Some(Instant::ZERO),
        }
    }

    /// What is to be told next.
    pub(super) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Starts runs that are due, ends those whose time is over, and reads on where much arrives.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..self.unread.len() {
            let Some(slot) = self.unread.pop_front() else { break };
            self.step(now, slot, |probe, surroundings| probe.go_on(surroundings));
        }
        while let Some((due, slot)) = self.schedule.pop(now) {
            let Some(probe) = self.probe(slot) else { continue };
            if probe.activity.is_running() {
                self.step(now, slot, |probe, _| probe.handle_silence());
            } else if probe.prober.handle_timeout(now) || probe.prober.next_deadline().is_none() {
                self.punctuality.note(now.saturating_since(due));
                self.start(now, slot);
            }
        }
    }

    /// A descriptor is ready.
    pub(super) fn handle_ready(&mut self, now: Instant, ready: Ready) {
        let (slot, generation) = (ready.token / FIRST_TOKEN - 1, ready.token % FIRST_TOKEN);
        let Ok(slot) = u32::try_from(slot) else { return };
        // The probe before it had another generation.
        if self.probe(slot).is_some_and(|probe| u64::from(probe.generation) == generation) {
            self.step(now, slot, |probe, surroundings| probe.handle_ready(surroundings, ready));
        }
    }

    /// A command has ended.
    pub(super) fn handle_command(&mut self, now: Instant, run: RunId, end: CommandEnd) {
        let known = self.probe(run.probe).is_some_and(|probe| probe.generation == run.generation);
        if known {
            self.step(now, run.probe, |probe, _| probe.handle_command(end));
        }
    }

    fn start(&mut self, now: Instant, slot: u32) {
        let limit = self.limit;
        let open = self.open;
        let Some(probe) = self.probe(slot) else { return };
        if open >= limit && !probe.activity.is_open() && probe.target.is_some() {
            self.waiting.push_back(slot);
            if self.waiting.len() == 1 {
                let text = format!("{limit} checks are under way, and others wait for their end");
                self.news.push_back(News::Short(text));
            }
            return;
        }
        let token = (u64::from(slot) + 1) * FIRST_TOKEN;
        if let Some(probe) = slot_of(&mut self.slots, slot).and_then(Option::as_mut)
            && probe.tls.is_none()
            && let Some(target) = probe.target
            && let Some(outfit) = self.outfitter.outfit(&probe.check.kind, target.ip())
        {
            probe.tls = Some(outfit);
        }
        let registry = self.registry.clone();
        self.step(now, slot, |probe, surroundings| {
            let token = token + u64::from(probe.generation);
            probe.start(surroundings, &registry, token)
        });
    }

    /// Does something with a probe, and what follows from it.
    fn step(
        &mut self,
        now: Instant,
        slot: u32,
        work: impl FnOnce(&mut Probe, &mut probe::Surroundings<'_>) -> Step,
    ) {
        let Some(probe) = slot_of(&mut self.slots, slot).and_then(Option::as_mut) else { return };
        let was_open = probe.activity.is_open();
        let random = self.rng.next_u64();
        let step = work(probe, &mut probe::Surroundings { now, room: &mut self.room, random });
        self.open = self.open + usize::from(probe.activity.is_open()) - usize::from(was_open);
        if probe.activity.is_timed() {
            self.schedule.set(slot, Some(probe.deadline));
        }
        match step {
            Step::None => {}
            Step::Unread => self.unread.push_back(slot),
            Step::Run(command, limit) => {
                let run = RunId { probe: slot, generation: probe.generation };
                self.news.push_back(News::Run(run, command, limit));
            }
            Step::Short(error) => {
                self.news.push_back(News::Short(short(&error)));
                self.schedule.set(slot, Some(now + AGAIN));
            }
            Step::Restart => self.start(now, slot),
            Step::Over(result) => self.finish(now, slot, result),
        }
        while self.open < self.limit
            && let Some(slot) = self.waiting.pop_front()
        {
            // It may have been ended meanwhile.
            if self.probe(slot).is_some_and(|probe| probe.prober.next_deadline().is_none()) {
                self.start(now, slot);
            }
        }
    }

    fn finish(&mut self, now: Instant, slot: u32, result: Result<Good, Failure>) {
        let Some(probe) = slot_of(&mut self.slots, slot).and_then(Option::as_mut) else { return };
        let change = probe.prober.handle_result(now, result);
        let deadline = probe.prober.next_deadline();
        let verdict = match change {
            None => None,
            Some(Change::Good(Good { weight })) => Some(Verdict::Good { weight }),
            Some(Change::Bad(failure)) => Some(Verdict::Bad(failure.to_string().into())),
            Some(Change::Failed { failure, left }) => {
                let text = match left {
                    Some(left) => format!("{failure} ({left} more are tolerated)"),
                    None => failure.to_string(),
                };
                if probe.check.log_all_failures {
                    let told = probe.checks.iter().cloned();
                    self.news.extend(told.map(|id| News::Failed(id, text.clone())));
                }
                None
            }
        };
        if let Some(verdict) = verdict {
            let told = probe.checks.iter().cloned();
            self.news.extend(told.map(|id| News::Verdict(id, verdict.clone())));
            probe.verdict = Some(verdict);
        }
        self.schedule.set(slot, deadline);
    }

    fn probe(&mut self, slot: u32) -> Option<&mut Probe> {
        slot_of(&mut self.slots, slot).and_then(Option::as_mut)
    }
}

fn slot_of(slots: &mut [Option<Probe>], slot: u32) -> Option<&mut Option<Probe>> {
    usize::try_from(slot).ok().and_then(|slot| slots.get_mut(slot))
}

/// What this machine lacks.
fn short(error: &io::Error) -> String {
    format!("checks wait: this machine can't open more connections ({})", Failure::from(error))
}
