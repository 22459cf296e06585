//! Lines for the system's log.

use std::{fmt::Write, os::unix::net::UnixDatagram, path::PathBuf};

/// Where the system's log listens.
const DEVICE: &str = "/dev/log";

/// How grave a line is, as RFC 3164 numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work: 3.
    Error,
    /// Something will not work, or not as asked: 4.
    Warning,
    /// Normal but worth notice: 5.
    Notice,
    /// For information: 6.
    Info,
    /// For debugging: 7.
    Debug,
}

impl Severity {
    const fn number(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

/// A line to the system's log. It never blocks: a line for which there is no room, or no
/// listener, is lost.
#[derive(Debug)]
pub struct Syslog {
    device: PathBuf,
    socket: Option<UnixDatagram>,
    identity: String,
    facility: u8,
    line: String,
}

impl Syslog {
    /// Writes as `identity[pid]`, under a facility of 0 to 23 (3 is daemon, 16 is local0).
    /// Connects at the first line, and again when the listener was restarted.
    #[must_use]
    pub fn new(identity: &str, facility: u8) -> Self {
        let identity = identity.to_owned();
        let facility = facility.min(23);
        Self { device: DEVICE.into(), socket: None, identity, facility, line: String::new() }
    }

    /// Writes one line; line breaks in it become spaces.
    pub fn write(&mut self, severity: Severity, text: &str) {
        let priority = u16::from(self.facility) * 8 + u16::from(severity.number());
        self.line.clear();
        let pid = std::process::id();
        // Writing into a `String` cannot fail.
        let _ = write!(self.line, "<{priority}>{}[{pid}]: ", self.identity);
        self.line.extend(text.trim_end().chars().map(|c| if c == '\n' { ' ' } else { c }));
        if !self.send() {
            self.socket = self.connect();
            self.send();
        }
    }

    /// Whether the line went out, or there was merely no room for it.
    fn send(&self) -> bool {
        match &self.socket {
            Some(socket) => match socket.send(self.line.as_bytes()) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            },
            None => false,
        }
    }

    fn connect(&self) -> Option<UnixDatagram> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(&self.device).ok()?;
        Some(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 200];
        let length = listener.recv(&mut buffer).expect("a line");
        String::from_utf8(buffer[..length].to_vec()).expect("text")
    }

    #[test]
    fn lines_arrive_and_arrive_again_after_the_listener_was_restarted() {
        let directory = tempfile::tempdir().expect("a directory");
        let device = directory.path().join("log");
        let mut log = Syslog { device: device.clone(), ..Syslog::new("standfast", 3) };
        log.write(Severity::Info, "nobody listens, and nobody minds");
        let listener = UnixDatagram::bind(&device).expect("bind");
        log.write(Severity::Warning, "two\nlines\n");
        let pid = std::process::id();
        assert_eq!(next(&listener), format!("<28>standfast[{pid}]: two lines"));
        drop(listener);
        std::fs::remove_file(&device).expect("remove");
        let listener = UnixDatagram::bind(&device).expect("bind");
        log.write(Severity::Error, "again");
        assert_eq!(next(&listener), format!("<27>standfast[{pid}]: again"));
    }

    #[test]
    fn a_listener_that_does_not_read_blocks_nobody() {
        let directory = tempfile::tempdir().expect("a directory");
        let device = directory.path().join("log");
        let _listener = UnixDatagram::bind(&device).expect("bind");
        let mut log = Syslog { device, ..Syslog::new("standfast", 3) };
        for _ in 0..1000 {
            log.write(Severity::Debug, "never read");
        }
    }
}
