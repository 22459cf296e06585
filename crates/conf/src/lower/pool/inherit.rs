//! What a service hands down to its servers, and a server to its checks.

use std::{sync::Arc, time::Duration};

use standfast_health::Timing;

use super::Texts;
use crate::lower::arguments::Read;

/// `delay_loop` of a service that sets none.
const DELAY_LOOP: Duration = Duration::from_secs(60);
/// `connect_timeout` of a service that sets none.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What was said so far, from the service inwards.
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    delay_loop: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    retry: Option<u32>,
    delay_before_retry: Option<Duration>,
    warmup: Option<Duration>,
    alpha: Option<bool>,
    shared: Option<bool>,
    pub(super) log_all_failures: bool,
    /// `virtualhost`
    pub(super) host: Option<Arc<str>>,
    /// `misc_timeout` of a check that sets none: the service's `delay_loop`.
    pub(super) command_timeout: Duration,
}

/// What a kind of check does when nobody says anything.
#[derive(Clone, Copy)]
pub(super) struct Usual {
    pub(super) retry: u32,
    /// `None`: its `delay_loop`.
    pub(super) delay_before_retry: Option<Duration>,
}

impl Inherited {
    /// Takes what a line says; false when it is about something else.
    pub(super) fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) -> bool {
        let time = |old| read.time().map(|(time, _)| time).or(old);
        match name {
            "delay_loop" => self.delay_loop = time(self.delay_loop),
            "connect_timeout" => self.timeout = time(self.timeout),
            "delay_before_retry" => self.delay_before_retry = time(self.delay_before_retry),
            "warmup" => self.warmup = time(self.warmup),
            "retry" | "nb_get_retry" => {
                self.retry = read.small().map(|(count, _)| count).or(self.retry);
            }
            "alpha" => self.alpha = read.flag().or(self.alpha),
            "share_checks" => self.shared = read.flag().or(self.shared),
            "log_all_failures" => {
                self.log_all_failures = read.flag().unwrap_or(self.log_all_failures);
            }
            "virtualhost" => {
                self.host = read.word().map(|word| texts.get(&word.text)).or(self.host.take());
            }
            _ => return false,
        }
        true
    }

    /// Once all of a service is read: what its own `delay_loop` decides for those inside.
    pub(super) fn settle(&mut self) {
        let delay_loop = self.delay_loop.unwrap_or(DELAY_LOOP);
        self.warmup.get_or_insert(delay_loop);
        self.command_timeout = delay_loop;
    }

    pub(super) fn alpha(&self) -> bool {
        self.alpha.unwrap_or(false)
    }

    pub(super) fn shared(&self) -> bool {
        self.shared.unwrap_or(true)
    }

    pub(super) fn timing(&self, usual: Usual) -> Timing {
        let delay_loop = self.delay_loop.unwrap_or(DELAY_LOOP);
        let between = self.delay_before_retry.or(usual.delay_before_retry);
        Timing {
            delay_loop,
            retry: self.retry.unwrap_or(usual.retry),
            delay_before_retry: between.unwrap_or(delay_loop),
            warmup: self.warmup.unwrap_or(delay_loop),
            timeout: self.timeout.unwrap_or(TIMEOUT),
        }
    }
}
