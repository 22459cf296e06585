//! When which probe is to be looked at.

use std::collections::BTreeSet;

use standfast_types::Instant;

/// One time for each slot at most.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    queue: BTreeSet<(Instant, u32)>,
    /// By slot, what stands in the queue.
    times: Vec<Option<Instant>>,
}

impl Schedule {
    /// Looks at a slot then, and at no other time.
    pub(super) fn set(&mut self, slot: u32, at: Option<Instant>) {
        let Ok(place) = usize::try_from(slot) else { return };
        if place >= self.times.len() {
            self.times.resize(place + 1, None);
        }
        let Some(time) = self.times.get_mut(place) else { return };
        if *time == at {
            return;
        }
        if let Some(old) = std::mem::replace(time, at) {
            self.queue.remove(&(old, slot));
        }
        if let Some(at) = at {
            self.queue.insert((at, slot));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The next slot that is due, and since when; it has no time any more.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, u32)> {
        let &(at, slot) = self.queue.first().filter(|(at, _)| *at <= now)?;
        self.set(slot, None);
        Some((at, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_slot_has_one_time_and_the_earliest_comes_first() {
        let mut schedule = Schedule::default();
        schedule.set(7, Some(at(30)));
        schedule.set(3, Some(at(20)));
        schedule.set(7, Some(at(10)));
        schedule.set(9, Some(at(5)));
        schedule.set(9, None);
        assert_eq!(schedule.next_deadline(), Some(at(10)));
        assert_eq!(schedule.pop(at(9)), None);
        assert_eq!(schedule.pop(at(25)), Some((at(10), 7)));
        assert_eq!(schedule.pop(at(25)), Some((at(20), 3)));
        assert_eq!(schedule.pop(at(25)), None);
        assert_eq!(schedule.next_deadline(), None);
    }
}
