//! One direction between two machines: delay, loss, bursts of loss, doubles, and cuts.

use std::time::Duration;

use standfast_types::Rng;

/// How frames travel in one direction.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Shortest time on the way.
    pub delay: Duration,
    /// At most so much more; frames overtake each other when it is longer than the gap between them.
    pub jitter: Duration,
    /// Frames lost, in thousandths.
    pub loss_permille: u64,
    /// Chance of a frame to begin a burst in which all are lost, in thousandths.
    pub burst_permille: u64,
    /// Chance of each further frame to be in the burst too, in thousandths.
    pub burst_goes_on_permille: u64,
    /// Frames that arrive twice, in thousandths.
    pub double_permille: u64,
    /// Nothing passes.
    pub cut: bool,
    in_burst: bool,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Lost,
    After(Duration),
    Twice(Duration, Duration),
}

impl Link {
    /// A link with this delay and nothing wrong.
    #[must_use]
    pub fn clean(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Stops to lose and to double; the delays stay.
    pub fn heal(&mut self) {
        *self = Self { jitter: self.jitter, ..Self::clean(self.delay) };
    }

    /// The longest time on the way.
    pub(crate) fn reach(&self) -> Duration {
        self.delay + self.jitter
    }

    pub(crate) fn pass(&mut self, rng: &mut Rng) -> Passage {
        if self.cut || self.loses(rng) {
            return Passage::Lost;
        }
        let first = self.time(rng);
        if self.double_permille > 0 && rng.chance(self.double_permille) {
            return Passage::Twice(first, self.time(rng));
        }
        Passage::After(first)
    }

    fn loses(&mut self, rng: &mut Rng) -> bool {
        let burst = if self.in_burst { self.burst_goes_on_permille } else { self.burst_permille };
        self.in_burst = burst > 0 && rng.chance(burst);
        self.in_burst || (self.loss_permille > 0 && rng.chance(self.loss_permille))
    }

    fn time(&self, rng: &mut Rng) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        self.delay + Duration::from_nanos(rng.below(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn lost(link: &mut Link) -> Vec<bool> {
        let mut rng = Rng::from_seed(1);
        (0..10_000).map(|_| link.pass(&mut rng) == Passage::Lost).collect()
    }

    #[test]
    fn a_clean_link_delivers_once_and_in_time() {
        let mut link = Link::clean(MILLISECOND);
        assert_eq!(link.pass(&mut Rng::from_seed(1)), Passage::After(MILLISECOND));
    }

    #[test]
    fn losses_come_alone_or_in_rows() {
        let rows = |lost: &[bool]| lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        let mut alone = Link { loss_permille: 100, ..Link::clean(MILLISECOND) };
        let alone = lost(&mut alone);
        assert!((800..1200).contains(&alone.iter().filter(|lost| **lost).count()));
        let burst = Link { burst_permille: 20, burst_goes_on_permille: 800, ..Link::default() };
        let burst = lost(&mut burst.clone());
        assert!((700..1200).contains(&burst.iter().filter(|lost| **lost).count()));
        assert!(rows(&burst) > 4 * rows(&alone));
    }

    #[test]
    fn a_cut_link_loses_everything_until_it_heals() {
        let mut link = Link { cut: true, ..Link::clean(MILLISECOND) };
        assert!(lost(&mut link).into_iter().all(|lost| lost));
        link.heal();
        assert!(!lost(&mut link).into_iter().any(|lost| lost));
    }

    #[test]
    fn jitter_lets_frames_overtake_each_other() {
        let mut link = Link { jitter: MILLISECOND, ..Link::clean(MILLISECOND) };
        let mut rng = Rng::from_seed(1);
        let times: Vec<_> = (0..100).map(|_| link.time(&mut rng)).collect();
        assert!(!times.is_sorted());
        assert!(times.iter().all(|time| (MILLISECOND..2 * MILLISECOND).contains(time)));
        link.double_permille = 1000;
        assert!(matches!(link.pass(&mut rng), Passage::Twice(..)));
    }
}
