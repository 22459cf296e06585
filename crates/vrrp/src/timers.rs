//! The two formulas of the election, in integer nanoseconds.

use std::time::Duration;

use standfast_types::{AdvertInterval, Priority};

use crate::Version;

/// How long a backup of this priority waits beyond the missed adverts, so that the highest
/// priority goes first.
///
/// VRRPv2: (256 - priority) / 256 seconds (RFC 3768, section 6.1). VRRPv3: (256 - priority) *
/// interval / 256 (RFC 9568, section 6.1), where the interval is the master's.
#[must_use]
pub fn skew(version: Version, priority: Priority, interval: AdvertInterval) -> Duration {
    let base = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval.duration(),
    };
    base * (256 - u32::from(priority.get())) / 256
}

/// How long after the last advert a backup takes over: the missed adverts plus the skew.
#[must_use]
pub fn master_down(
    version: Version,
    priority: Priority,
    interval: AdvertInterval,
    down_timer_adverts: u8,
) -> Duration {
    interval.duration() * u32::from(down_timer_adverts) + skew(version, priority, interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(priority: u8) -> Priority {
        Priority::new(priority).expect("not zero")
    }

    fn centis(centis: u16) -> AdvertInterval {
        AdvertInterval::from_centis(centis).expect("in range")
    }

    #[test]
    fn the_table_of_the_rfc_formula_holds() {
        let table = [
            (Version::V2, 100, 100, 3_609_375_000),
            (Version::V2, 255, 100, 3_003_906_250),
            (Version::V2, 1, 200, 6_996_093_750),
            (Version::V3, 100, 100, 3_609_375_000),
            (Version::V3, 100, 10, 360_937_500),
            (Version::V3, 100, 1, 36_093_750),
            (Version::V3, 254, 1, 30_078_125),
        ];
        for (version, own, interval, nanos) in table {
            let wait = master_down(version, priority(own), centis(interval), 3);
            assert_eq!(wait, Duration::from_nanos(nanos), "{version:?} {own} {interval}");
        }
    }

    #[test]
    fn a_higher_priority_always_waits_less_and_nobody_waits_nothing() {
        for version in [Version::V2, Version::V3] {
            for interval in [1, 10, 100, 4095] {
                let waits: Vec<_> =
                    (1..=255).map(|own| skew(version, priority(own), centis(interval))).collect();
                assert!(waits.is_sorted_by(|lower, higher| lower > higher));
                assert!(waits.iter().all(|wait| !wait.is_zero()));
            }
        }
    }
}
