//! How long it takes until a dead server gets no more traffic.

use std::time::Duration;

use crate::{
    Code, Diagnostic, Statement, Word,
    lint::tree::{Tally, name, number, seconds, value},
};

/// Checks that need longer than this to find a dead server are pointed out.
const PATIENCE: Duration = Duration::from_secs(600);

/// The times of a check, each with the word that sets it. `None`: left to the default.
#[derive(Clone, Copy, Default)]
pub(super) struct Times<'s> {
    loops: Option<(Duration, &'s Word)>,
    connect: Option<(Duration, &'s Word)>,
    between: Option<(Duration, &'s Word)>,
    retry: Option<(u64, &'s Word)>,
}

impl<'s> Times<'s> {
    /// With what a block inside says.
    pub(super) fn inherit(mut self, lines: impl IntoIterator<Item = &'s Statement>) -> Self {
        for line in lines {
            let Some(word) = value(line) else { continue };
            let time = || seconds(word).map(|time| (time, word));
            match name(line) {
                "delay_loop" => self.loops = time().filter(|(time, _)| !time.is_zero()),
                "connect_timeout" => self.connect = time().filter(|(time, _)| !time.is_zero()),
                "delay_before_retry" => self.between = time(),
                "retry" | "nb_get_retry" => self.retry = number(word).map(|count| (count, word)),
                _ => {}
            }
        }
        self
    }

    fn delay_loop(&self) -> Duration {
        self.loops.map_or(Duration::from_secs(60), |(time, _)| time)
    }
}

/// A check that connects or asks, and waits for an answer.
pub(super) fn network<'s>(times: Times<'s>, check: &'s Word, tally: &mut Tally<'s>) {
    if let Some((connect, word)) = times.connect.filter(|(time, _)| *time > times.delay_loop()) {
        outlasts(times, connect, word, tally);
    }
    let (retries, between) = match check.text.as_str() {
        "DNS_CHECK" => (3, times.delay_loop()),
        "HTTP_GET" | "SSL_GET" => (1, Duration::from_secs(3)),
        _ => (1, Duration::from_secs(1)),
    };
    let retries = times.retry.map_or(retries, |(count, _)| count);
    let retries = u32::try_from(retries).unwrap_or(u32::MAX);
    let connect = times.connect.map_or(Duration::from_secs(5), |(time, _)| time);
    let between = times.between.map_or(between, |(time, _)| time);
    let trying = connect
        .saturating_mul(retries.saturating_add(1))
        .saturating_add(between.saturating_mul(retries));
    let whole = times.delay_loop().saturating_add(trying);
    if whole <= PATIENCE {
        return;
    }
    tally.add(Code::SlowDetection, "", || {
        let minutes = whole.as_secs().div_ceil(60);
        let message = format!(
            "a dead server gets traffic for up to {minutes} minutes: {} s until the check, \
             {} tries of {} s, {retries} waits of {} s",
            times.delay_loop().as_secs_f64(),
            retries.saturating_add(1),
            connect.as_secs_f64(),
            between.as_secs_f64()
        );
        let mut found = Diagnostic::warning(Code::SlowDetection, check, message).hint(
            "write smaller values, like `delay_loop 5`, `retry 2` and `delay_before_retry 1`",
        );
        let parts = [times.loops, times.connect, times.between].into_iter().flatten();
        for word in parts.map(|(_, word)| word).chain(times.retry.map(|(_, word)| word)) {
            found = found.also(word.span, "");
        }
        Some(found)
    });
}

/// A check that runs a command.
pub(super) fn command<'s>(times: Times<'s>, timeout: Option<&'s Word>, tally: &mut Tally<'s>) {
    let Some((time, word)) = timeout.and_then(|word| Some((seconds(word)?, word))) else { return };
    if time > times.delay_loop() {
        outlasts(times, time, word, tally);
    }
}

fn outlasts<'s>(times: Times<'s>, time: Duration, word: &'s Word, tally: &mut Tally<'s>) {
    tally.add(Code::CheckOutlastsLoop, "", || {
        let message = format!(
            "the check may take {} s, longer than the {} s between two checks",
            time.as_secs_f64(),
            times.delay_loop().as_secs_f64()
        );
        let found = Diagnostic::note(Code::CheckOutlastsLoop, word, message)
            .hint("write a shorter timeout, or a longer `delay_loop`");
        Some(match times.loops {
            Some((_, word)) => found.also(word.span, "the time between two checks"),
            None => found,
        })
    });
}
