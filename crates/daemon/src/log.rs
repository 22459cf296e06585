//! Log lines: to the console with the time in front, to syslog without.

use std::io::{self, Write};

use standfast_kernel::syslog::{Severity, Syslog};

use crate::{
    calendar::{stamp, wall_clock},
    message::Level,
};

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
