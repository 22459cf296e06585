//! Two routers that both claim to own the address (priority 255), as only a mistake in a file brings about.
//!
//! The one with the lower address gives way, as in any tie. One that heeds no adverts does not; then the
//! other, which is we, advertises with 254 as long as it lasts, so that all others see one owner.

use std::time::Duration;

use standfast_types::{Instant, Priority};

use super::Router;
use crate::state::State;

/// Another owner that does not give way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    since: Instant,
    last: Instant,
}

impl Router {
    /// As a master, heard an advert of this priority that loses against ours.
    pub(super) fn note_owner(&mut self, now: Instant, priority: u8) {
        if priority != Priority::OWNER.get() {
            return;
        }
        let patience = self.patience();
        if let State::Master(master) = &mut self.state {
            let known = master.rival.filter(|rival| now.saturating_since(rival.last) <= patience);
            let since = known.map_or(now, |rival| rival.since);
            master.rival = Some(Rival { since, last: now });
        }
    }

    /// The priority that our adverts carry.
    pub(super) fn voice(&self, now: Instant) -> u8 {
        let contested = match &self.state {
            State::Master(master) => master.rival.is_some_and(|rival| {
                let patience = self.patience();
                now.saturating_since(rival.last) <= patience
                    && rival.last.saturating_since(rival.since) >= patience
            }),
            State::Init
            | State::Backup(_)
            | State::Fault
            | State::Releasing(_)
            | State::Stopped => false,
        };
        if contested { self.priority.min(Priority::HIGHEST) } else { self.priority }.get()
    }

    /// Two adverts and 1.2 intervals: a rival that heeds ours is gone by then.
    fn patience(&self) -> Duration {
        self.config.advert_interval.duration() * 32 / 10
    }
}
