//! How late the loop is: from the moment that it asked to be woken at, to the moment when it looks at its
//! timers. A false election has its reason here more often than in the network.

use std::time::Duration;

use standfast_types::Instant;

/// What is forgotten at once.
const SLICE: Duration = Duration::from_secs(10);
/// So many of them are a minute.
const SLICES: usize = 6;

/// The worst lateness of the last minute.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// The newest slice's end.
    until: Instant,
    /// The worst of each slice, the newest first.
    worst: [Duration; SLICES],
}

impl Lateness {
    /// The loop looks at its timers at `now`, the first of which was due at `due`.
    pub(super) fn note(&mut self, now: Instant, due: Option<Instant>) {
        self.forget(now);
        let [newest, ..] = &mut self.worst;
        if let Some(due) = due {
            *newest = now.saturating_since(due).max(*newest);
        }
    }

    /// The worst of the last minute, give or take a slice.
    pub(super) fn worst(&mut self, now: Instant) -> Duration {
        self.forget(now);
        self.worst.into_iter().max().unwrap_or_default()
    }

    fn forget(&mut self, now: Instant) {
        if self.until > now {
            return;
        }
        let slices = now.saturating_since(self.until).as_nanos() / SLICE.as_nanos() + 1;
        for _ in 0..slices.min(6) {
            self.worst.rotate_right(1);
            let [newest, ..] = &mut self.worst;
            *newest = Duration::ZERO;
        }
        self.until = now.next_multiple(SLICE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_worst_of_the_last_minute_is_remembered_and_then_forgotten() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.worst(at(1000)), Duration::ZERO);
        lateness.note(at(1003), Some(at(1000)));
        lateness.note(at(1009), Some(at(1008)));
        lateness.note(at(1010), Some(at(1020)));
        lateness.note(at(1010), None);
        assert_eq!(lateness.worst(at(1010)), Duration::from_secs(3));
        assert_eq!(lateness.worst(at(1059)), Duration::from_secs(3));
        assert_eq!(lateness.worst(at(1060)), Duration::ZERO);
        lateness.note(at(1062), Some(at(1061)));
        assert_eq!(lateness.worst(at(1062)), Duration::from_secs(1));
        assert_eq!(lateness.worst(at(9000)), Duration::ZERO, "it was idle for long");
    }
}
