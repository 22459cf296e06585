//! What went by, counted since the router exists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Discard, Event, Output, StateName};

/// Counts of one virtual router (RFC 6527 has most of them).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages that arrived for it, refused ones included; our own that came back are none.
    pub received: u64,
    /// Adverts that it sent; one to several peers is one.
    pub sent: u64,
    /// Adverts of priority 0 that it heard.
    pub zero_received: u64,
    /// Adverts of priority 0 that it sent.
    pub zero_sent: u64,
    /// How often it became master.
    pub became_master: u64,
    /// How often it was no longer master.
    pub released_master: u64,
    /// Adverts with other addresses than its own.
    pub other_addresses: u64,
    /// Refused messages.
    pub discarded: BTreeMap<Discard, u64>,
}

impl Counters {
    /// Messages that were refused for any of these reasons.
    #[must_use]
    pub fn discarded_for(&self, reasons: &[Discard]) -> u64 {
        reasons.iter().filter_map(|reason| self.discarded.get(reason)).sum()
    }

    pub(crate) fn see(&mut self, output: &Output) {
        match output {
            Output::Advertise { priority } => {
                self.sent += 1;
                self.zero_sent += u64::from(*priority == 0);
            }
            Output::Event(event) => self.see_event(event),
            Output::Hold | Output::LetGo | Output::Announce { .. } => {}
        }
    }

    fn see_event(&mut self, event: &Event) {
        match event {
            Event::Transition { from, to, .. } => {
                self.became_master += u64::from(*to == StateName::Master);
                self.released_master += u64::from(*from == StateName::Master);
            }
            Event::Discarded { reason: Discard::Own, .. } => {}
            Event::Discarded { reason, .. } => *self.discarded.entry(*reason).or_default() += 1,
            Event::Adopted { .. }
            | Event::LowerPriorityHeard { .. }
            | Event::AddressListDiffers { .. }
            | Event::IntervalLearned { .. }
            | Event::OldChecksumPeer { .. }
            | Event::ClockDiffers { .. } => {}
        }
    }
}
