//! Log lines: to the console with the time in front, to syslog without.

use std::{
    io::{self, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use standfast_kernel::syslog::{Severity, Syslog};

use crate::message::Level;

/// Where log lines go.
#[derive(Debug)]
pub(crate) struct Log {
    console: bool,
    syslog: Option<Syslog>,
    detail: bool,
}

impl Log {
    pub(crate) const fn new(console: bool, syslog: Option<Syslog>, detail: bool) -> Self {
        Self { console, syslog, detail }
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.line(Level::Error, text);
    }

    pub(crate) fn warning(&mut self, text: &str) {
        self.line(Level::Warning, text);
    }

    pub(crate) fn info(&mut self, text: &str) {
        self.line(Level::Info, text);
    }

    pub(crate) fn detail(&mut self, text: &str) {
        self.line(Level::Detail, text);
    }

    pub(crate) fn line(&mut self, level: Level, text: &str) {
        if level == Level::Detail && !self.detail {
            return;
        }
        let mark = match level {
            Level::Error => "error: ",
            Level::Warning => "warning: ",
            Level::Info | Level::Detail => "",
        };
        if self.console {
            let stamp = stamp(wall_clock());
            // A console that is gone must not end the daemon.
            let _ = writeln!(io::stderr().lock(), "{stamp} {mark}{text}");
        }
        if let Some(syslog) = &mut self.syslog {
            let severity = match level {
                Level::Error => Severity::Error,
                Level::Warning => Severity::Warning,
                Level::Info => Severity::Info,
                Level::Detail => Severity::Debug,
            };
            syslog.write(severity, &format!("{mark}{text}"));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one clock for people: it stamps log lines")]
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `2026-11-21T13:19:00.123Z`.
fn stamp(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
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
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_267_145, "2026-11-21T13:19:05.000Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(stamp(Duration::from_secs(seconds)), text);
        }
    }
}
