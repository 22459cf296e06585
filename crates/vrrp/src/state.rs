//! The states, each with only what is valid in it.

use std::net::IpAddr;

use standfast_types::{AdvertInterval, Instant};

use crate::{Config, StateName, router::Rival};

#[derive(Clone, Debug)]
pub(crate) enum State {
    Init,
    Backup(Backup),
    Master(Master),
    Fault,
    Releasing(Releasing),
    Stopped,
}

#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) timer: DownTimer,
    /// The last master that we accepted.
    pub(crate) master: Option<Heard>,
    /// The living master that we are about to take over from.
    pub(crate) outranked: Option<Heard>,
    pub(crate) preempt_at: Option<Instant>,
    /// Its sync group does not take over before this.
    pub(crate) not_before: Instant,
}

/// The master-down timer. Its end also depends on our priority, which may change meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DownTimer {
    pub(crate) since: Instant,
    /// Adverts that may be missed; 0 after a master let go: only the skew is left.
    pub(crate) adverts: u8,
    /// The master's interval (RFC 9568: `Active_Adver_Interval`).
    pub(crate) interval: AdvertInterval,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) source: IpAddr,
    pub(crate) priority: u8,
    pub(crate) interval: AdvertInterval,
}

#[derive(Clone, Debug)]
pub(crate) struct Master {
    pub(crate) advert_at: Instant,
    /// When, and how many for each address.
    pub(crate) second_burst: Option<(Instant, u32)>,
    pub(crate) refresh_at: Option<Instant>,
    /// No burst against a lower priority before this: one packet must not cost hundreds.
    pub(crate) quiet_until: Instant,
    /// When the burst follows that the quiet time held back.
    pub(crate) held_back: Option<Instant>,
    /// The master that it took over from while that one was alive, until its last advert.
    pub(crate) taken_from: Option<IpAddr>,
    /// A better master that a member of a sync group does not yield to yet.
    pub(crate) contest: Option<Contest>,
    /// Another owner that does not give way.
    pub(crate) rival: Option<Rival>,
}

/// Adverts of a better master that its own sync group may call back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contest {
    pub(crate) since: Instant,
    pub(crate) last: Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Releasing {
    pub(crate) until: Instant,
}

impl State {
    pub(crate) const fn name(&self) -> StateName {
        match self {
            Self::Init => StateName::Init,
            Self::Backup(_) => StateName::Backup,
            // While it lets go it still holds the addresses.
            Self::Master(_) | Self::Releasing(_) => StateName::Master,
            Self::Fault => StateName::Fault,
            Self::Stopped => StateName::Stop,
        }
    }
}

impl Backup {
    pub(crate) const fn new(timer: DownTimer) -> Self {
        Self { not_before: timer.since, timer, master: None, outranked: None, preempt_at: None }
    }
}

impl Master {
    pub(crate) fn new(now: Instant, config: &Config) -> Self {
        let announcements = config.announcements;
        let delay = announcements.master_delay;
        let refresh = announcements.refresh;
        Self {
            advert_at: now + config.advert_interval.duration(),
            second_burst: (!delay.is_zero()).then(|| (now + delay, announcements.master_repeat)),
            refresh_at: (!refresh.is_zero()).then(|| now + refresh),
            quiet_until: now,
            held_back: None,
            taken_from: None,
            contest: None,
            rival: None,
        }
    }
}
