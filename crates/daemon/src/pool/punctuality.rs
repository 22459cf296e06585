//! How punctual checks begin: from the moment when one is due to the moment when it starts.

use std::time::Duration;

/// How many checks were late by how much: less than 2, 4, 8 .. microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Punctuality {
    counts: [u64; 32],
}

impl Punctuality {
    /// One started so late.
    pub(super) fn note(&mut self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let class = usize::try_from(micros.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(class.min(last)) {
            *count += 1;
        }
    }

    /// How many have started, and the time within which 99 of 100 did.
    pub(super) fn summary(&self) -> (u64, Duration) {
        (self.counts.iter().sum(), self.permille(990))
    }

    /// So many in a thousand were not later than this.
    fn permille(&self, part: u64) -> Duration {
        let total: u64 = self.counts.iter().sum();
        let wanted = total.saturating_mul(part).div_ceil(1000);
        let mut seen = 0;
        for (class, count) in (1_u32..).zip(self.counts) {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(1 << class);
            }
        }
        Duration::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_that_are_late_are_seen_in_the_highest_part_alone() {
        let mut punctuality = Punctuality::default();
        for _ in 0..990 {
            punctuality.note(Duration::from_micros(50));
        }
        for _ in 0..10 {
            punctuality.note(Duration::from_millis(60));
        }
        assert_eq!(punctuality.permille(500), Duration::from_micros(64));
        assert_eq!(punctuality.permille(990), Duration::from_micros(64));
        assert_eq!(punctuality.permille(999), Duration::from_micros(65536));
    }
}
