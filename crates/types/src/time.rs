//! Integer time. Seconds and centiseconds exist only at the edges.

use std::{fmt, ops::Add, time::Duration};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since an epoch that only the driver knows.
///
/// The daemon counts from boot (`CLOCK_BOOTTIME` keeps counting while a machine
/// is suspended), tests count from zero. Arithmetic saturates: an instant is
/// never before the epoch and never wraps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Instant(u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(0);

    /// The instant `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The first instant after this one that is a multiple of `period` after the epoch; this one when
    /// the period is zero.
    #[must_use]
    pub fn next_multiple(self, period: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        match self.0.checked_div(period) {
            Some(multiples) => Self(multiples.saturating_add(1).saturating_mul(period)),
            None => self,
        }
    }

    /// How long after `earlier` this is; zero when it is not later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// What the machine's clock says, as a function of time: engines are told, they don't look.
///
/// The default is a clock that was at the start of 1970 when `Instant` was at its epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    read_at: Instant,
    unix: Duration,
}

impl WallClock {
    /// A clock that says `unix`, the time since 1970 UTC, at `read_at`.
    #[must_use]
    pub const fn new(read_at: Instant, unix: Duration) -> Self {
        Self { read_at, unix }
    }

    /// The time since 1970 UTC at `now`; never before what was read.
    #[must_use]
    pub const fn unix(self, now: Instant) -> Duration {
        self.unix.saturating_add(now.saturating_since(self.read_at))
    }
}

/// The period of a VRRP master's adverts, in whole centiseconds.
///
/// VRRPv3 carries 1 to 4095 centiseconds in 12 bits (RFC 9568, section 5.2.7);
/// VRRPv2 carries 1 to 255 whole seconds (RFC 3768, section 5.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AdvertInterval(u16);

/// Why a number is no advert interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalError;

impl fmt::Display for IntervalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("advert interval out of range")
    }
}

impl AdvertInterval {
    /// One second, keepalived's default.
    pub const DEFAULT: Self = Self(100);

    /// From centiseconds, 1 to 4095 (VRRPv3).
    ///
    /// # Errors
    /// The number is 0 or does not fit 12 bits.
    pub const fn from_centis(centis: u16) -> Result<Self, IntervalError> {
        if centis == 0 || centis > 4095 { Err(IntervalError) } else { Ok(Self(centis)) }
    }

    /// From whole seconds, 1 to 255 (VRRPv2).
    ///
    /// # Errors
    /// The number is 0.
    pub fn from_seconds(seconds: u8) -> Result<Self, IntervalError> {
        if seconds == 0 { Err(IntervalError) } else { Ok(Self(u16::from(seconds) * 100)) }
    }

    /// In centiseconds, 1 to 25500.
    #[must_use]
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// In whole seconds when it is a number that VRRPv2 can carry.
    #[must_use]
    pub fn whole_seconds(self) -> Option<u8> {
        if self.0.is_multiple_of(100) { u8::try_from(self.0 / 100).ok() } else { None }
    }

    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0) * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        let end = Instant::from_nanos(u64::MAX) + Duration::from_secs(1);
        assert_eq!(end.as_nanos(), u64::MAX);
        assert_eq!(Instant::ZERO.saturating_since(end), Duration::ZERO);
    }

    #[test]
    fn the_next_multiple_is_always_later() {
        let second = Duration::from_secs(1);
        assert_eq!(Instant::from_nanos(1).next_multiple(second).as_nanos(), 1_000_000_000);
        assert_eq!(
            Instant::from_nanos(1_000_000_000).next_multiple(second).as_nanos(),
            2_000_000_000
        );
        assert_eq!(Instant::from_nanos(7).next_multiple(Duration::ZERO).as_nanos(), 7);
    }

    #[test]
    fn an_interval_keeps_to_what_its_version_can_carry() {
        assert!(AdvertInterval::from_centis(0).is_err());
        assert!(AdvertInterval::from_centis(4096).is_err());
        assert!(AdvertInterval::from_seconds(0).is_err());
        let slow = AdvertInterval::from_seconds(255).expect("255 s is the longest v2 interval");
        assert_eq!(slow.centis(), 25_500);
        assert_eq!(slow.whole_seconds(), Some(255));
        let fast = AdvertInterval::from_centis(1).expect("10 ms is the shortest v3 interval");
        assert_eq!(fast.duration(), Duration::from_millis(10));
        assert_eq!(fast.whole_seconds(), None);
    }
}
