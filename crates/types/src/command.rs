//! Programs that the configuration names.

use serde::{Deserialize, Serialize};

/// A command, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Who runs it, `script_user` applied; `None`: `keepalived_script` if that user exists, else
    /// the daemon's own.
    pub user: Option<User>,
}

/// A user by name, or by number as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// A group other than the user's own.
    pub group: Option<String>,
}
