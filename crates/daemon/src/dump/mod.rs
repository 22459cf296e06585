//! What the signals write: the state in words, the counters, and all of it for other programs, in
//! keepalived's own words and shapes, because exporters read them.

mod file;
mod json;
mod servers;
mod stats;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use standfast_conf::{Model, Notify};
use standfast_failover::{InstanceConfig, InstanceSnapshot};
use standfast_types::{Broadcast, Instant, VirtualAddress};

use crate::status::Board;
pub(crate) use file::{Names, write};
pub(crate) use servers::servers;

/// Which dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dump {
    /// `SIGUSR1`
    Text,
    /// `SIGUSR2`; and with `SIGRTMAX - 1` the counters begin again.
    Stats,
    /// `SIGRTMIN + 2`
    Json,
}

/// All that a dump tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a Model,
    pub(crate) board: &'a Board,
    pub(crate) instances: &'a [InstanceSnapshot],
    /// How late pulse was, at worst, in the last minute.
    pub(crate) late: Duration,
    pub(crate) now: Instant,
    /// The same moment on the wall's clock.
    pub(crate) wall: Duration,
}

impl Subject<'_> {
    /// The text of a dump.
    pub(crate) fn write(&self, dump: Dump) -> String {
        match dump {
            Dump::Text => self.text(),
            Dump::Stats => self.stats(),
            Dump::Json => self.json(),
        }
    }

    /// Every instance that runs, in the order of the file, with how it reports.
    fn each(&self) -> impl Iterator<Item = Each<'_>> {
        let plain = Notify::default();
        self.model.failover.instances.iter().filter_map(move |config| {
            let state = self.instances.iter().find(|instance| instance.name == config.name)?;
            let notify = self.model.notify.get(&config.name).cloned();
            Some(Each { config, state, notify: notify.unwrap_or_else(|| plain.clone()) })
        })
    }

    /// When its state last changed, on the wall's clock.
    fn since(&self, instance: &Each<'_>) -> Duration {
        let ago = self.now.saturating_since(instance.state.router.since);
        self.wall.saturating_sub(ago)
    }
}

/// One instance.
struct Each<'a> {
    config: &'a InstanceConfig,
    state: &'a InstanceSnapshot,
    notify: Notify,
}

/// `10.0.0.1/24 dev eth0 scope global label eth0:1 set`.
fn address(address: &VirtualAddress, set: bool) -> String {
    let mut text = match (address.prefix.address(), address.prefix.length()) {
        (ip, 32) if ip.is_ipv4() => ip.to_string(),
        (ip, 128) => ip.to_string(),
        (ip, length) => format!("{ip}/{length}"),
    };
    match address.broadcast {
        Broadcast::None => {}
        Broadcast::Derived | Broadcast::Fixed(_) => {
            if let Some(broadcast) = address.broadcast_address() {
                text.push_str(&format!(" brd {broadcast}"));
            }
        }
    }
    let scope = match address.scope.0 {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        other => other.to_string(),
    };
    text.push_str(&format!(" dev {} scope {scope}", address.interface));
    if let Some(label) = &address.label {
        text.push_str(&format!(" label {label}"));
    }
    if set {
        text.push_str(" set");
    }
    text
}

/// `'/usr/bin/test' '-e' '/x'`.
fn command(command: &standfast_conf::Command) -> String {
    let words: Vec<_> = command.argv.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}

/// `1795289083.647864`.
fn seconds(duration: Duration) -> String {
    format!("{}.{:06}", duration.as_secs(), duration.subsec_micros())
}

#[cfg(test)]
mod tests;
