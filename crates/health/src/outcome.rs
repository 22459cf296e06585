//! How a run of a check comes out.

use std::{fmt, io, sync::Arc, time::Duration};

/// Most characters that are quoted of what a server says.
const QUOTE: usize = 80;

/// The server is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Good {
    /// What `MISC_CHECK` with `misc_dynamic` says that it can take.
    pub weight: Option<u32>,
}

/// Why a run failed. Its text is a plain fragment that reads after "failed: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What the kernel or TLS say of the connection: `connection refused`.
    Connection(Arc<str>),
    /// The time was over.
    Silence {
        /// How long was waited.
        after: Duration,
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// The server ended the connection too early.
    Closed {
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// TLS ended without saying so, where `tls_compliant` wants it said.
    Truncated,
    /// HTTP's status is none of those that are good.
    Status {
        /// What came.
        got: u16,
        /// The good ones, as in `200-299, 404`.
        wanted: Arc<str>,
    },
    /// A page has another MD5.
    Digest {
        /// What came.
        got: [u8; 16],
        /// The configured one.
        wanted: [u8; 16],
    },
    /// `regex` was not found.
    PatternMissing {
        /// Length of the page.
        bytes: u64,
    },
    /// `regex` was found, with `regex_no_match`.
    PatternPresent {
        /// At which byte.
        at: u64,
    },
    /// The answer is none of its protocol, and what is wrong: `the answer is not HTTP`.
    Malformed(&'static str),
    /// The server's own words, and what they are: `the server answered 421: too busy`.
    Said {
        /// What they are, as `the server answered`.
        what: Arc<str>,
        /// Printable, and no longer than 80 characters. May be empty.
        words: Arc<str>,
    },
    /// A command failed.
    Command(Arc<str>),
}

impl Failure {
    /// A failure with words of the server in it, made printable and cut.
    #[must_use]
    pub fn said(what: impl Into<Arc<str>>, words: &[u8]) -> Self {
        Self::Said { what: what.into(), words: printable(words).into() }
    }
}

impl From<&io::Error> for Failure {
    /// In plain words, without numbers.
    fn from(error: &io::Error) -> Self {
        let known = WORDS.iter().find(|(kind, _)| *kind == error.kind());
        let words = known.map_or_else(
            || {
                let text = error.to_string();
                text.split(" (os error").next().unwrap_or_default().to_lowercase().into()
            },
            |&(_, words)| words.into(),
        );
        Self::Connection(words)
    }
}

/// What errors of sockets are called.
const WORDS: [(io::ErrorKind, &str); 11] = [
    (io::ErrorKind::ConnectionRefused, "connection refused"),
    (io::ErrorKind::ConnectionReset, "connection reset"),
    (io::ErrorKind::ConnectionAborted, "connection aborted"),
    (io::ErrorKind::HostUnreachable, "host unreachable"),
    (io::ErrorKind::NetworkUnreachable, "network unreachable"),
    (io::ErrorKind::NetworkDown, "network down"),
    (io::ErrorKind::BrokenPipe, "closed while it was asked"),
    (io::ErrorKind::AddrNotAvailable, "source address not available"),
    (io::ErrorKind::AddrInUse, "source address in use"),
    (io::ErrorKind::PermissionDenied, "not permitted"),
    (io::ErrorKind::TimedOut, "connection timed out"),
];

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(words) | Self::Command(words) => f.write_str(words),
            Self::Silence { after, begun: false } => {
                write!(f, "no answer within {} s", Seconds(*after))
            }
            Self::Silence { after, begun: true } => {
                write!(f, "no complete answer within {} s", Seconds(*after))
            }
            Self::Closed { begun: false } => f.write_str("closed without an answer"),
            Self::Closed { begun: true } => f.write_str("closed in the middle of its answer"),
            Self::Truncated => f.write_str("TLS ended without a close notification"),
            Self::Status { got, wanted } => write!(f, "status {got}, wanted {wanted}"),
            Self::Digest { got, wanted } => {
                write!(f, "digest is {}, wanted {}", Hex(got), Hex(wanted))
            }
            Self::PatternMissing { bytes } => write!(f, "pattern not found in {bytes} bytes"),
            Self::PatternPresent { at } => write!(f, "pattern found at byte {at}"),
            Self::Malformed(what) => f.write_str(what),
            Self::Said { what, words } if words.is_empty() => f.write_str(what),
            Self::Said { what, words } => write!(f, "{what}: {words}"),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order: TCP's FIN, under TLS after a close notification.
    Closed,
    /// TLS without a close notification.
    Truncated,
    /// TCP's RST, or any other error of the socket.
    Reset,
}

/// What a server says, fit for a log: control characters become blanks, and it is cut.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    // A character has at most four bytes; what can't be quoted is not looked at.
    let text = String::from_utf8_lossy(bytes.get(..QUOTE * 4).unwrap_or(bytes));
    let plain = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut quote: String = plain.take(QUOTE + 1).collect();
    if quote.chars().count() > QUOTE {
        quote = quote.chars().take(QUOTE - 3).chain("...".chars()).collect();
    }
    quote
}

/// Bytes as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A duration as a decimal number of seconds, without needless zeros.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0.subsec_micros());
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0.as_secs()),
            fraction => write!(f, "{}.{fraction}", self.0.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_plain_fragments() {
        let status = Failure::Status { got: 503, wanted: "200".into() };
        assert_eq!(status.to_string(), "status 503, wanted 200");
        let silence =
            |millis, begun| Failure::Silence { after: Duration::from_millis(millis), begun };
        assert_eq!(silence(5000, false).to_string(), "no answer within 5 s");
        assert_eq!(silence(250, true).to_string(), "no complete answer within 0.25 s");
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(Failure::from(&refused).to_string(), "connection refused");
        let odd = io::Error::from_raw_os_error(71);
        assert_eq!(Failure::from(&odd).to_string(), "protocol error");
    }

    #[test]
    fn what_a_server_says_is_printable_and_short() {
        assert_eq!(printable(b" too\r\nbusy\x1b[31m "), "too  busy [31m");
        let long = printable(&[b'x'; 10_000]);
        assert_eq!(long.len(), QUOTE);
        assert!(long.ends_with("x..."));
        assert_eq!(printable(&[0xff; 3]), "\u{fffd}\u{fffd}\u{fffd}");
    }
}
