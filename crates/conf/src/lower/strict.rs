//! Strict mode: what the standard does not have is taken back, as keepalived takes it back. The lint of the
//! same name says so for each keyword.

use std::time::Duration;

use standfast_types::{Family, Priority};
use standfast_vrrp::Version;

use super::instance::{Draft, State};

impl Draft {
    /// Whether the instance takes what is sent to its addresses, once strict mode has had its way.
    pub(super) fn obey_strictness(&mut self, version: Version, priority: Priority) -> bool {
        if !self.strict {
            return self.accept.unwrap_or(true);
        }
        self.preempt_delay = None;
        self.down_timer_adverts = 3;
        self.announcements.lower_prio_repeat = 0;
        self.announcements.lower_prio_delay = Duration::ZERO;
        self.lower_prio_no_advert = true;
        self.owner_ignore_adverts.get_or_insert(true);
        self.own.obey_strictness();
        self.authentication.obey_strictness();
        if self.family() == Family::V6 {
            self.version = self.version.map(|(_, span)| (Version::V3, span));
        }
        if !priority.is_owner() {
            self.state = self.state.map(|(_, span)| (State::Backup, span));
        }
        if version == Version::V2 && self.accept == Some(true) {
            self.accept = None;
        }
        self.accept.unwrap_or(priority.is_owner())
    }
}
