//! What is told of an event to notify commands and FIFOs, in keepalived's words.

use standfast_types::InstanceName;

/// One line: `INSTANCE "VI_1" MASTER 150`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) name: InstanceName,
    /// A state, or what happened instead of a change of state.
    pub(crate) word: &'static str,
    pub(crate) priority: u8,
}

impl News {
    /// What a FIFO gets.
    pub(crate) fn line(&self) -> String {
        let Self { name, word, priority } = self;
        format!("INSTANCE \"{name}\" {word} {priority}\n")
    }

    /// The four arguments of a generic notify command.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let Self { name, word, priority } = self;
        ["INSTANCE".to_owned(), name.to_string(), (*word).to_owned(), priority.to_string()]
    }
}
