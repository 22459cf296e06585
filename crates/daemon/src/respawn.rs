//! When a pulse that died is started again.

use std::{collections::VecDeque, time::Duration};

use standfast_types::Instant;

const WINDOW: Duration = Duration::from_secs(60);
/// Deaths within the window after which each further start waits, as keepalived waits: 1, 2, 4 .. 60 s.
const AT_ONCE: usize = 3;

/// The deaths that count.
#[derive(Debug, Default)]
pub(crate) struct Respawn {
    deaths: VecDeque<Instant>,
}

impl Respawn {
    /// Notes a death; how long to wait before the next start. Zero means that nobody has noticed yet, so
    /// the new pulse may adopt what the dead one held.
    pub(crate) fn delay(&mut self, now: Instant) -> Duration {
        self.deaths.retain(|death| now.saturating_since(*death) < WINDOW);
        self.deaths.push_back(now);
        match u32::try_from(self.deaths.len().saturating_sub(AT_ONCE + 1)) {
            _ if self.deaths.len() <= AT_ONCE => Duration::ZERO,
            Ok(doublings) if doublings < 6 => Duration::from_secs(1 << doublings),
            Ok(_) | Err(_) => WINDOW,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deaths_are_answered_at_once_and_a_crash_loop_slows_down() {
        let mut respawn = Respawn::default();
        let delays: Vec<_> = (0..10).map(|_| respawn.delay(Instant::ZERO).as_secs()).collect();
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60]);
        assert_eq!(respawn.delay(Instant::ZERO + WINDOW), Duration::ZERO);
    }
}
