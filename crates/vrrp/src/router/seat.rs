//! A router as a member of a sync group: what the group asks it, and when it waits for the others.

use std::time::Duration;

use standfast_types::Instant;

use super::Router;
use crate::{
    Cause, Output,
    state::{Contest, DownTimer, State},
};

/// Why a backup would take over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// The master is silent.
    Silence,
    /// The master has let go.
    Released,
    /// The living master has a lower priority.
    Preempts,
}

impl Router {
    /// Whether it would take over, were it alone.
    #[must_use]
    pub fn takeover(&self, now: Instant) -> Option<Takeover> {
        let State::Backup(backup) = &self.state else { return None };
        let released = backup.timer.adverts == 0;
        let cause = self.takeover_cause(backup, now)?;
        let preempts = matches!(cause, Cause::Preempted { .. });
        Some(match (preempts, released) {
            (true, _) => Takeover::Preempts,
            (false, true) => Takeover::Released,
            (false, false) => Takeover::Silence,
        })
    }

    /// Until when the master that it accepts counts as alive, as far as its adverts tell. The last one
    /// that may be missed is not waited for: when a machine dies, all members find out together.
    #[must_use]
    pub fn master_alive_until(&self) -> Option<Instant> {
        let State::Backup(backup) = &self.state else { return None };
        let accepted = backup.master.is_some() && backup.outranked.is_none();
        let adverts = u32::from(backup.timer.adverts);
        if !accepted || adverts == 0 {
            return None;
        }
        // Nor is it given up at the moment when the next one is due.
        let halves = (2 * (adverts - 1)).max(3);
        let patience = backup.timer.interval.duration() * halves / 2;
        Some(backup.timer.since + patience)
    }

    /// When a master that heard the same good-bye has answered it, on links whose way takes no longer than
    /// a quarter of the interval.
    #[must_use]
    pub fn answered_by(&self) -> Option<Instant> {
        let State::Backup(backup) = &self.state else { return None };
        let DownTimer { since, adverts, interval } = backup.timer;
        (adverts == 0).then(|| since + interval.duration() / 2)
    }

    /// As a backup, waits at least until then, however long its master is silent.
    pub fn defer(&mut self, until: Instant) {
        if let State::Backup(backup) = &mut self.state {
            backup.not_before = until;
        }
    }

    /// Whether it waits for other members.
    #[must_use]
    pub fn is_deferred(&self, now: Instant) -> bool {
        matches!(&self.state, State::Backup(backup) if backup.not_before > now)
    }

    pub(super) fn take_over(&mut self, now: Instant) {
        let State::Backup(backup) = &self.state else { return };
        let cause = self.takeover_cause(backup, now).unwrap_or(Cause::Group);
        let known = backup.outranked.or(backup.master).map(|heard| heard.source);
        self.become_master(now, cause);
        if let State::Master(master) = &mut self.state {
            master.taken_from = known;
        }
    }

    pub(super) fn step_down(&mut self, now: Instant) {
        if matches!(self.state, State::Master(_)) {
            // Whoever takes over need not wait for our silence.
            self.outputs.push_back(Output::Advertise { priority: 0 });
            self.outputs.push_back(Output::LetGo);
            self.become_backup(now, Cause::Group, self.config.down_timer_adverts);
        }
    }

    /// Whether it does not yield yet to a better master. That one's group may be about to lose the lead's
    /// election to ours; if both sides yielded at the first contradiction, they could do so for ever.
    pub(super) fn withstands(&mut self, now: Instant) -> bool {
        let grace = self.contest_grace();
        let State::Master(master) = &mut self.state else { return false };
        if self.seat.is_none_or(|seat| seat.lead) {
            return false;
        }
        let fresh = |contest: &Contest| now.saturating_since(contest.last) <= grace;
        let since = master.contest.filter(fresh).map_or(now, |contest| contest.since);
        master.contest = Some(Contest { since, last: now });
        now.saturating_since(since) < grace
    }

    /// The better master is gone.
    pub(super) fn end_contest(&mut self) {
        if let State::Master(master) = &mut self.state {
            master.contest = None;
        }
    }

    /// Long enough for the other side to hear our lead's advert.
    fn contest_grace(&self) -> Duration {
        self.config.advert_interval.duration() * 3 / 2
    }
}
