//! The clock on the wall, for people and for other programs: nothing here decides anything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Since 1970, UTC.
#[expect(clippy::disallowed_methods, reason = "the one clock for people: it stamps what they read")]
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A point of time in its parts, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    year: u64,
    /// 1..=12
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    /// Days since a Thursday.
    days: u64,
}

impl Parts {
    fn of(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs();
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Self { year, month, day, hour, minute, second, days }
    }

    fn weekday(self) -> &'static str {
        usize::try_from(self.days % 7).ok().and_then(|at| DAYS.get(at)).copied().unwrap_or("")
    }

    fn month_name(self) -> &'static str {
        let at = usize::try_from(self.month.saturating_sub(1)).ok();
        at.and_then(|at| MONTHS.get(at)).copied().unwrap_or("")
    }
}

/// `2026-11-21T13:19:00.123Z`.
pub(crate) fn stamp(since_epoch: Duration) -> String {
    let Parts { year, month, day, hour, minute, second, .. } = Parts::of(since_epoch);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `Sat, 21 Nov 2026 13:19:05 +0000`, as mails have it (RFC 5322, section 3.3).
pub(crate) fn mail_date(since_epoch: Duration) -> String {
    let parts = Parts::of(since_epoch);
    let Parts { year, day, hour, minute, second, .. } = parts;
    let (weekday, month) = (parts.weekday(), parts.month_name());
    format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day since 1970, by counting in 400-year eras that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_name_the_day_in_leap_years_too() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_267_145, "2026-11-21T13:19:05.000Z", "Sat, 21 Nov 2026 13:19:05 +0000"),
        ];
        for (seconds, text, mail) in table {
            assert_eq!(stamp(Duration::from_secs(seconds)), text);
            assert_eq!(mail_date(Duration::from_secs(seconds)), mail);
        }
    }
}
