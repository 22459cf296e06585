//! The legal clocks, a timer on the one that decides, and the one legal source of chance.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use standfast_types::{Instant, WallClock};

use crate::error::{During, Error};

/// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`): a machine that slept has
/// really been away, and its peers know.
#[must_use]
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::Boottime);
    let whole = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    let part = Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0));
    Instant::ZERO + whole + part
}

/// Randomness from the kernel.
///
/// # Errors
/// Interrupted before the kernel had any, soon after boot.
pub fn seed() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).during("get random numbers")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// What the machine's clock says now, for what other machines must agree on. It may be set at any time.
#[must_use]
pub fn wall() -> WallClock {
    let time = clock_gettime(ClockId::Realtime);
    let whole = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    let part = Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0));
    WallClock::new(now(), whole + part)
}

/// A timerfd: readable from the set instant on, until set again or cleared.
#[derive(Debug)]
pub struct Timer(OwnedFd);

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn new() -> Result<Self, Error> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        timerfd_create(TimerfdClockId::Boottime, flags).during("make a timer").map(Self)
    }

    /// Fires at `deadline`, at once when it is past; `None` never fires.
    ///
    /// # Errors
    /// Only those of a wrong descriptor, which cannot happen here.
    pub fn set(&self, deadline: Option<Instant>) -> Result<(), Error> {
        // Zero would disarm the timer, and the epoch lies in the past anyway.
        let nanos = deadline.map_or(0, |deadline| deadline.as_nanos().max(1));
        let value = Duration::from_nanos(nanos);
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(value.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(value.subsec_nanos()),
            },
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &spec).during("set a timer").map(drop)
    }

    /// Takes note of an expiry, so that the descriptor is no longer readable.
    pub fn clear(&self) {
        // Nothing to read means that it has not fired: nothing to do.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::readable_within;

    #[test]
    fn a_timer_is_readable_from_its_deadline_on_until_cleared() {
        let timer = Timer::new().expect("a timer");
        assert!(!readable_within(&timer, Duration::ZERO));
        let deadline = now() + Duration::from_millis(20);
        timer.set(Some(deadline)).expect("set");
        assert!(!readable_within(&timer, Duration::ZERO));
        assert!(readable_within(&timer, Duration::from_secs(5)));
        assert!(now() >= deadline);
        timer.clear();
        assert!(!readable_within(&timer, Duration::ZERO));
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once_and_none_never() {
        let timer = Timer::new().expect("a timer");
        timer.set(Some(Instant::ZERO)).expect("set");
        assert!(readable_within(&timer, Duration::from_secs(5)));
        timer.set(None).expect("set");
        assert!(!readable_within(&timer, Duration::from_millis(5)));
    }
}
