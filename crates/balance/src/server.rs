//! A real server at one address: what its checks say, and how much it gets.

use std::sync::Arc;

use standfast_health::{Check, Kind};
use standfast_types::{Destination, Instant};

use crate::{Order, RealServer, ServerId, ServerSnapshot, Verdict, facts::Facts};

/// Weights beyond it are no weights to the kernel. A number in a file that takes more than this away takes
/// the server down (`FILE_CHECK`).
const LIMIT: i64 = 0x7fff_ffff;

/// A real server of a service.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) real: Arc<RealServer>,
    /// Of its SRV record.
    srv: Option<u16>,
    checks: Vec<CheckState>,
    /// As it counts in its service's sums, and as it was told.
    pub(crate) standing: Standing,
    /// It waits for the first success of an `alpha` check: its first failure is news too.
    pub(crate) waits: bool,
}

#[derive(Clone, Debug, Default)]
struct CheckState {
    verdict: Option<Verdict>,
    /// What a good `MISC_CHECK` said last.
    weight: Option<u32>,
    /// What a `FILE_CHECK` adds.
    shift: i64,
}

/// How a server counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) up: bool,
    pub(crate) weight: u32,
    /// Whether new connections may come to it, by its operator's word.
    pub(crate) open: bool,
}

impl Standing {
    /// What it adds to the weight of the servers that are good.
    pub(crate) fn live(self) -> u64 {
        if self.up && self.open { u64::from(self.weight) } else { 0 }
    }
}

/// What an operator wants of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) weight: Option<u32>,
    pub(crate) hold: Option<Hold>,
}

/// How an operator keeps a server from serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// No new connections.
    Draining {
        /// As ordered.
        limit: Option<u64>,
        /// When it is over at the latest.
        ends: Option<Instant>,
        /// Connections when they were counted last.
        left: u32,
    },
    /// It was drained.
    Drained,
    /// It counts as failed.
    Disabled,
    /// It is not there.
    Removed,
}

impl Wish {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn drains(&self) -> bool {
        matches!(self.hold, Some(Hold::Draining { .. }))
    }

    pub(crate) fn removed(&self) -> bool {
        self.hold == Some(Hold::Removed)
    }

    /// The orders that lead to it.
    pub(crate) fn orders(&self, server: &ServerId) -> Vec<Order> {
        let hold = self.hold.as_ref().map(|hold| match hold {
            Hold::Draining { limit, .. } => Order::Drain { server: server.clone(), limit: *limit },
            Hold::Drained => Order::Drain { server: server.clone(), limit: Some(0) },
            Hold::Disabled => Order::Disable(server.clone()),
            Hold::Removed => Order::Remove(server.clone()),
        });
        let weight = self.weight.map(|weight| Order::Weight(server.clone(), Some(weight)));
        weight.into_iter().chain(hold).collect()
    }
}

impl Server {
    pub(crate) fn new(real: Arc<RealServer>, srv: Option<u16>, facts: &Facts) -> Self {
        let checks = real.checks.iter().map(|_| CheckState::default()).collect();
        let mut server = Self { real, srv, checks, standing: Standing::default(), waits: false };
        server.look(facts);
        server
    }

    /// Another configuration for the same server. Returns which checks are not run any more, by their old
    /// places, and which are from now on.
    pub(crate) fn reconfigure(
        &mut self,
        real: Arc<RealServer>,
        srv: Option<u16>,
        facts: &Facts,
    ) -> (Vec<usize>, Vec<usize>) {
        self.srv = srv;
        let before = std::mem::replace(&mut self.real, real);
        if before.checks == self.real.checks {
            return (Vec::new(), Vec::new());
        }
        let real = Arc::clone(&self.real);
        let stays = |index: usize| before.checks.get(index) == real.checks.get(index);
        let mut states: Vec<_> = std::mem::take(&mut self.checks).into_iter().map(Some).collect();
        let mut take = |index: usize, check: &Arc<Check>| {
            if stays(index) {
                return states.get_mut(index).and_then(Option::take);
            }
            let mut moved = (0..before.checks.len())
                .filter(|&old| !stays(old) && before.checks.get(old) == Some(check));
            moved.find_map(|old| states.get_mut(old).and_then(Option::take))
        };
        let now = self.real.checks.iter().enumerate();
        self.checks = now.map(|(index, check)| take(index, check).unwrap_or_default()).collect();
        self.look(facts);
        let changed =
            |checks: &[Arc<Check>]| run_by_others(checks).filter(|&index| !stays(index)).collect();
        (changed(&before.checks), changed(&self.real.checks))
    }

    /// Whether it is configured so.
    pub(crate) fn is(&self, real: &Arc<RealServer>, srv: Option<u16>) -> bool {
        self.srv == srv && self.real == *real
    }

    /// Takes a verdict. Returns whether it is news; `None` when there is no such check, or when it says
    /// what it said before.
    pub(crate) fn judge(&mut self, index: usize, verdict: &Verdict) -> Option<bool> {
        let check = self.real.checks.get(index).filter(|check| is_run(&check.kind))?;
        let state = self.checks.get_mut(index)?;
        if state.verdict.as_ref() == Some(verdict) {
            return None;
        }
        let news = is_news(check, state.verdict.as_ref(), verdict);
        state.verdict = Some(verdict.clone());
        if let Verdict::Good { weight } = verdict {
            state.weight = *weight;
        }
        Some(news)
    }

    /// Looks at what is known of files and BFD sessions. Returns the checks for which that is different,
    /// and whether it is news.
    pub(crate) fn look(&mut self, facts: &Facts) -> Vec<(usize, bool)> {
        let mut changed = Vec::new();
        let checks = self.real.checks.iter().zip(&mut self.checks).enumerate();
        for (index, (check, state)) in checks {
            let shift = state.shift;
            let verdict = match &check.kind {
                Kind::Bfd(name) => facts.bfd(name).map(|up| match up {
                    true => Verdict::Good { weight: None },
                    false => Verdict::Bad("session down".into()),
                }),
                Kind::File(file) => facts.file(&file.name).map(|number| {
                    let (verdict, shift) = weigh(number, file.weight);
                    state.shift = shift;
                    verdict
                }),
                Kind::Tcp(_)
                | Kind::Http(_)
                | Kind::Smtp(_)
                | Kind::Dns(_)
                | Kind::Udp(_)
                | Kind::Ping(_)
                | Kind::Misc(_)
                | Kind::Grpc(_)
                | Kind::Redis(_)
                | Kind::Mysql(_)
                | Kind::Postgres(_) => continue,
            };
            let Some(verdict) = verdict else { continue };
            if state.verdict.as_ref() != Some(&verdict) || shift != state.shift {
                changed.push((index, is_news(check, state.verdict.as_ref(), &verdict)));
                state.verdict = Some(verdict);
            }
        }
        changed
    }

    /// The checks that somebody has to run.
    pub(crate) fn probes(&self) -> Vec<usize> {
        run_by_others(&self.real.checks).collect()
    }

    /// The keyword of a check, and what it says.
    pub(crate) fn check(&self, index: usize) -> Option<(&'static str, &Verdict)> {
        let keyword = self.real.checks.get(index)?.kind.keyword();
        Some((keyword, self.checks.get(index)?.verdict.as_ref()?))
    }

    fn is_good(&self) -> bool {
        self.real.checks.iter().zip(&self.checks).all(|(check, state)| match &state.verdict {
            None => !check.alpha,
            Some(Verdict::Good { .. }) => true,
            Some(Verdict::Bad(_)) => false,
        })
    }

    /// Its weight without checks and operators.
    pub(crate) fn base(&self) -> u32 {
        let scale = self.srv.map_or(1, |weight| u64::from(weight.max(1)));
        clamp(i64::try_from(u64::from(self.real.weight) * scale).unwrap_or(LIMIT))
    }

    fn weight(&self) -> u32 {
        let base = i64::from(self.base());
        let shifts = self.checks.iter().map(|check| {
            let said = check.weight.map_or(0, |weight| i64::from(weight) - base);
            said.saturating_add(check.shift)
        });
        clamp(shifts.fold(base, i64::saturating_add))
    }

    /// How it counts, with what an operator wants.
    pub(crate) fn assess(&self, wish: &Wish) -> Standing {
        let held = match wish.hold {
            None | Some(Hold::Draining { .. }) => false,
            Some(Hold::Drained | Hold::Disabled | Hold::Removed) => true,
        };
        let weight = wish.weight.map_or_else(|| self.weight(), |weight| clamp(i64::from(weight)));
        Standing { up: self.is_good() && !held, weight, open: !wish.drains() }
    }

    /// What the kernel gets of it. With `relieved` another server serves in its place.
    pub(crate) fn destination(&self, wish: &Wish, relieved: bool) -> Option<Destination> {
        let Standing { up, weight, open } = self.standing;
        if matches!(wish.hold, Some(Hold::Drained | Hold::Removed)) {
            return None;
        }
        let weight = match (up, open, relieved) {
            (true, false, _) => 0,
            (true, true, false) => weight,
            (true, true, true) | (false, ..) if self.real.inhibit => 0,
            (true, true, true) | (false, ..) => return None,
        };
        Some(Destination {
            weight,
            forwarding: self.real.forwarding,
            upper_threshold: self.real.upper_threshold,
            lower_threshold: self.real.lower_threshold,
        })
    }

    pub(crate) fn snapshot(&self, server: ServerId, wish: &Wish) -> ServerSnapshot {
        let Standing { up, weight, open } = self.standing;
        let checks = self.real.checks.iter().zip(&self.checks);
        let checks =
            checks.map(|(check, state)| (check.kind.keyword().to_owned(), state.verdict.clone()));
        ServerSnapshot {
            key: server.key,
            endpoint: self.real.endpoint.clone(),
            up,
            weight: if open { weight } else { 0 },
            checks: checks.collect(),
            orders: wish.orders(&server),
        }
    }
}

fn run_by_others(checks: &[Arc<Check>]) -> impl Iterator<Item = usize> {
    let checks = checks.iter().enumerate().filter(|(_, check)| is_run(&check.kind));
    checks.map(|(index, _)| index)
}

/// Whether it is worth telling that a check says this.
fn is_news(check: &Check, before: Option<&Verdict>, verdict: &Verdict) -> bool {
    let was_good = match before {
        None => !check.alpha,
        Some(Verdict::Good { .. }) => true,
        Some(Verdict::Bad(_)) => false,
    };
    before != Some(verdict) && !(was_good && matches!(verdict, Verdict::Good { .. }))
}

/// Whether a check has to be run; others follow from what is known anyway.
fn is_run(kind: &Kind) -> bool {
    !matches!(kind, Kind::Bfd(_) | Kind::File(_))
}

fn clamp(weight: i64) -> u32 {
    u32::try_from(weight.clamp(0, LIMIT)).unwrap_or_default()
}

/// What a number in a file says about a server, and what it adds to its weight.
fn weigh(number: i64, weight: i32) -> (Verdict, i64) {
    let effect = number.saturating_mul(i64::from(weight));
    if effect <= -LIMIT || (weight == 0 && number != 0) {
        return (Verdict::Bad(format!("the file says {number}").into()), 0);
    }
    (Verdict::Good { weight: None }, effect.min(LIMIT - 1))
}
