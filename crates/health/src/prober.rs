//! When one probe runs, and what its runs come to.

use std::time::Duration;

use standfast_types::{Instant, Rng};

use crate::{Check, Failure, Good, Kind, Timing};

/// The schedule of one probe, and its verdict.
///
/// [`Self::handle_timeout`] says when a run starts, [`Self::handle_result`] is told how it ended. Between
/// the two there is no deadline: that a run ends in time is its owner's affair.
///
/// Until its first verdict a probe has no patience: one failure is enough. A server that was good is
/// allowed `retry` failures more. One that is bad is good again when every page of its check was good,
/// one after the other.
#[derive(Clone, Debug)]
pub struct Prober {
    timing: Timing,
    pages: usize,
    fast_recovery: bool,
    alpha: bool,
    standing: Standing,
    /// The page of the next run, or of the one that is on.
    page: usize,
    next: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No run has ended. Pages that were good so far count only with `alpha`.
    Unknown {
        good: usize,
    },
    Good {
        weight: Option<u32>,
        failures: u32,
    },
    Bad {
        good: usize,
    },
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The server is good from now on, or its weight is another one.
    Good(Good),
    /// It is bad from now on.
    Bad(Failure),
    /// The run failed and changes nothing: the server is bad already, or more failures are tolerated.
    /// `log_all_failures` wants to know.
    Failed {
        /// Why.
        failure: Failure,
        /// How many more are tolerated; `None` when the server is bad already.
        left: Option<u32>,
    },
}

impl Prober {
    /// Its first run starts after a part of `warmup` that the seed chooses.
    #[must_use]
    pub fn new(check: &Check, seed: u64, now: Instant) -> Self {
        let timing = check.timing;
        let bound = u64::try_from(timing.warmup.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(Rng::from_seed(seed).below(bound));
        let (pages, fast_recovery) = match &check.kind {
            Kind::Http(http) => (http.urls.len().max(1), http.fast_recovery),
            Kind::Tcp(_)
            | Kind::Smtp(_)
            | Kind::Dns(_)
            | Kind::Udp(_)
            | Kind::Ping(_)
            | Kind::Misc(_)
            | Kind::Bfd(_)
            | Kind::File(_)
            | Kind::Grpc(_)
            | Kind::Redis(_)
            | Kind::Mysql(_)
            | Kind::Postgres(_) => (1, false),
        };
        Self {
            timing,
            pages,
            fast_recovery,
            alpha: check.alpha,
            standing: Standing::Unknown { good: 0 },
            page: 0,
            next: Some(now + delay),
        }
    }

    /// With the verdict of an earlier probe that was the same: a good server keeps its patience.
    #[must_use]
    pub const fn with_verdict(mut self, verdict: Option<Good>) -> Self {
        self.standing = match verdict {
            Some(Good { weight }) => Standing::Good { weight, failures: 0 },
            None => Standing::Bad { good: 0 },
        };
        self
    }

    /// What it says of the server; `None`: nothing yet.
    #[must_use]
    pub const fn verdict(&self) -> Option<bool> {
        match self.standing {
            Standing::Unknown { .. } => None,
            Standing::Good { .. } => Some(true),
            Standing::Bad { .. } => Some(false),
        }
    }

    /// Which page the run asks for that is on, or the next one.
    #[must_use]
    pub const fn page(&self) -> usize {
        self.page
    }

    /// When the next run starts; `None` while one is on.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Whether a run starts now.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = None;
        }
        due
    }

    /// A run has ended. `None` when it was good and changes nothing.
    pub fn handle_result(&mut self, now: Instant, result: Result<Good, Failure>) -> Option<Change> {
        let (change, delay) = match result {
            Ok(good) => self.good(good),
            Err(failure) => self.failed(failure),
        };
        self.next = Some(now + delay);
        change
    }

    fn good(&mut self, good: Good) -> (Option<Change>, Duration) {
        self.page = self.page.saturating_add(1).checked_rem(self.pages).unwrap_or(0);
        let Good { weight } = good;
        let before = match self.standing {
            Standing::Good { weight, .. } => Some(weight),
            Standing::Unknown { good } if self.alpha && good.saturating_add(1) < self.pages => {
                self.standing = Standing::Unknown { good: good.saturating_add(1) };
                return (None, self.recovering());
            }
            Standing::Bad { good } if good.saturating_add(1) < self.pages => {
                self.standing = Standing::Bad { good: good.saturating_add(1) };
                return (None, self.recovering());
            }
            Standing::Unknown { .. } | Standing::Bad { .. } => None,
        };
        self.standing = Standing::Good { weight, failures: 0 };
        let change = (before != Some(weight)).then_some(Change::Good(good));
        (change, self.timing.delay_loop)
    }

    fn failed(&mut self, failure: Failure) -> (Option<Change>, Duration) {
        let Timing { retry, delay_before_retry, delay_loop, .. } = self.timing;
        let (standing, change, delay) = match self.standing {
            Standing::Good { weight, failures } if failures < retry => {
                let failures = failures.saturating_add(1);
                let left = Some(retry.saturating_sub(failures));
                let standing = Standing::Good { weight, failures };
                (standing, Change::Failed { failure, left }, delay_before_retry)
            }
            Standing::Good { .. } | Standing::Unknown { .. } => {
                (Standing::Bad { good: 0 }, Change::Bad(failure), delay_loop)
            }
            Standing::Bad { .. } => {
                let change = Change::Failed { failure, left: None };
                (Standing::Bad { good: 0 }, change, delay_loop)
            }
        };
        self.standing = standing;
        (Some(change), delay)
    }

    /// From one good page to the next, while the server is not good yet.
    const fn recovering(&self) -> Duration {
        if self.fast_recovery { Duration::ZERO } else { self.timing.delay_loop }
    }
}

#[cfg(test)]
mod tests;
