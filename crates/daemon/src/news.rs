//! What is told of an event to notify commands and FIFOs, in keepalived's words.

use std::fmt;

use standfast_types::{GroupName, InstanceName};

/// Whose changes are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// An instance's.
    Instance(InstanceName),
    /// A sync group's.
    Group(GroupName),
}

impl Subject {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Instance(_) => "INSTANCE",
            Self::Group(_) => "GROUP",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => name.fmt(f),
            Self::Group(name) => name.fmt(f),
        }
    }
}

/// One line: `INSTANCE "VI_1" MASTER 150`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) subject: Subject,
    /// A state, or what happened instead of a change of state.
    pub(crate) word: &'static str,
    /// 0 for a group.
    pub(crate) priority: u8,
}

impl News {
    /// What a FIFO gets.
    pub(crate) fn line(&self) -> String {
        let Self { subject, word, priority } = self;
        format!("{} \"{subject}\" {word} {priority}\n", subject.kind())
    }

    /// The four arguments of a generic notify command.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let Self { subject, word, priority } = self;
        let (kind, name) = (subject.kind().to_owned(), subject.to_string());
        [kind, name, (*word).to_owned(), priority.to_string()]
    }
}
