//! What went wrong in the kernel, sorted by what the caller can do about it.

use std::{fmt, io};

use rustix::io::Errno;

/// What the caller can do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The same call may succeed later: out of memory, busy, interrupted, link down.
    Retry,
    /// The object is not there (any more): interface, address, process.
    Gone,
    /// The kernel will not do it here: permission, missing feature, conflict.
    Refused,
    /// We asked for nonsense. Report it.
    Bug,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Bug => "bug",
        })
    }
}

/// A failed operation. The text reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {source}{}", Detail(.detail.as_deref()))]
pub struct Error {
    /// What the caller can do about it.
    pub class: Class,
    /// What was tried, as in `add an address`.
    pub operation: &'static str,
    /// The kernel's own words beside the number, when it gave any (extended ack).
    pub detail: Option<Box<str>>,
    /// The system's error.
    pub source: io::Error,
}

impl Error {
    pub(crate) fn new(operation: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self { class: classify(&source), operation, detail: None, source }
    }

    /// Whether something of this name is there already.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EEXIST)
    }

    /// From the negative number in a netlink acknowledgement, already made positive.
    pub(crate) fn from_errno(operation: &'static str, errno: i32, detail: Option<&str>) -> Self {
        let error = Self::new(operation, io::Error::from_raw_os_error(errno));
        Self { detail: detail.map(Into::into), ..error }
    }

    /// Whether the object exists already.
    pub(crate) fn is_there_already(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// An answer that cannot be understood.
    pub(crate) fn malformed(operation: &'static str) -> Self {
        Self::new(operation, io::ErrorKind::InvalidData)
    }
}

/// Turns a system error into ours: `socket(..).during("open a socket")?`.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error::new(operation, error))
    }
}

struct Detail<'a>(Option<&'a str>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

fn classify(error: &io::Error) -> Class {
    let Some(errno) = Errno::from_io_error(error) else {
        // Not from the system: an answer that we could not read.
        return Class::Bug;
    };
    match errno {
        Errno::AGAIN
        | Errno::INTR
        | Errno::NOBUFS
        | Errno::NOMEM
        | Errno::BUSY
        | Errno::TIMEDOUT
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::HOSTUNREACH
        | Errno::MFILE
        | Errno::NFILE => Class::Retry,
        Errno::NODEV
        | Errno::NXIO
        | Errno::ADDRNOTAVAIL
        | Errno::NOENT
        | Errno::SRCH
        | Errno::CHILD => Class::Gone,
        Errno::PERM
        | Errno::ACCESS
        | Errno::EXIST
        | Errno::ADDRINUSE
        | Errno::OPNOTSUPP
        | Errno::PROTONOSUPPORT
        | Errno::AFNOSUPPORT
        | Errno::NOSYS
        | Errno::ROFS
        | Errno::NOSPC
        | Errno::USERS => Class::Refused,
        _ => Class::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_can_be_done_about_it() {
        let class = |errno: Errno| Error::new("test", errno).class;
        assert_eq!(class(Errno::NOBUFS), Class::Retry);
        assert_eq!(class(Errno::ADDRNOTAVAIL), Class::Gone);
        assert_eq!(class(Errno::PERM), Class::Refused);
        assert_eq!(class(Errno::INVAL), Class::Bug);
    }

    #[test]
    fn the_kernels_own_words_follow_the_number() {
        let error = Error::from_errno("add an address", libc::EPERM, Some("not here"));
        let text = error.to_string();
        assert!(text.starts_with("add an address: Operation not permitted"), "{text}");
        assert!(text.ends_with("(not here)"), "{text}");
    }
}
