//! How services and their servers are, as it is told over the socket.

use serde::{Deserialize, Serialize};
use standfast_balance::{Config, ServerId, ServerSnapshot, ServiceSnapshot, Verdict};

use super::{directory::called, orders::Orders, written};

/// The answer to `Pools`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools {
    /// Every service that was asked for, in the order of the file.
    pub services: Vec<ServiceRow>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// What it is called.
    pub service: String,
    /// Whether its quorum is reached.
    pub quorum_up: bool,
    /// The weight of the servers that are good.
    pub weight: u64,
    /// Whether the sorry server serves.
    pub sorry: bool,
    /// Its servers.
    pub servers: Vec<ServerRow>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRow {
    /// Where.
    pub server: String,
    /// How it is.
    pub state: State,
    /// Its weight now.
    pub weight: u32,
    /// Why it is like this: what its first bad check says. Empty when there is nothing to say.
    pub reason: String,
    /// What operators did to it. Empty when nothing.
    pub overridden: String,
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is good.
    Up,
    /// It is not.
    Down,
    /// An operator drains it.
    Drained,
    /// An operator disabled it.
    Disabled,
    /// An operator removed it.
    Removed,
}

impl State {
    /// As a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drained => "drained",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

impl Pools {
    /// From what the pool process says, and what operators ordered.
    pub(crate) fn new(snapshots: &[ServiceSnapshot], config: &Config, orders: &Orders) -> Self {
        let row = |snapshot: &ServiceSnapshot| {
            let name = &snapshot.name;
            let id = |key| ServerId { service: name.clone(), key };
            let mut servers: Vec<_> = snapshot
                .servers
                .iter()
                .map(|server| server_row(server, &id(server.key), orders))
                .collect();
            // Those that were removed are not there any more, but somebody may look for them.
            let removed = orders.of(name).filter(|key| {
                let there = snapshot.servers.iter().any(|server| server.key == *key);
                !there && orders.is_removed(&id(*key))
            });
            servers.extend(removed.map(|key| ServerRow {
                server: written::server(&key),
                state: State::Removed,
                weight: 0,
                reason: String::new(),
                overridden: orders.words(&id(key)),
            }));
            let service = config.services.iter().find(|service| service.name == *name);
            ServiceRow {
                service: service.map_or_else(|| name.to_string(), called),
                quorum_up: snapshot.quorum_up,
                weight: snapshot.weight,
                sorry: snapshot.sorry,
                servers,
            }
        };
        Self { services: snapshots.iter().map(row).collect() }
    }
}

fn server_row(server: &ServerSnapshot, id: &ServerId, orders: &Orders) -> ServerRow {
    let state = orders.state(id).unwrap_or(if server.up { State::Up } else { State::Down });
    // One that is drained keeps its weight for later.
    let weight = if state == State::Drained { 0 } else { server.weight };
    ServerRow {
        server: written::server(&server.key),
        state,
        weight,
        reason: reason(server),
        overridden: orders.words(id),
    }
}

/// What the first bad check says, else that one has said nothing yet.
fn reason(server: &ServerSnapshot) -> String {
    let bad = server.checks.iter().find_map(|(keyword, verdict)| match verdict {
        Some(Verdict::Bad(why)) => Some(format!("{keyword}: {why}")),
        Some(Verdict::Good { .. }) | None => None,
    });
    let silent = server.checks.iter().find(|(_, verdict)| verdict.is_none());
    let silent = || silent.map(|(keyword, _)| format!("{keyword}: not checked yet"));
    bad.or_else(silent).unwrap_or_default()
}
