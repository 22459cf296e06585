//! How soon a script is noticed: its interval, timeout, fall and rise together.

use std::{collections::BTreeMap, time::Duration};

use standfast_types::ScriptName;

use super::view::{View, last};
use crate::{Code, Diagnostic, Statement, lower::value::micros, model::Script};

/// Nobody waits longer than this for a failover on purpose.
const PATIENCE: Duration = Duration::from_mins(10);
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// The block of each script that is tracked; a second one of the same name is skipped.
pub(super) fn blocks<'a>(view: View<'a>) -> BTreeMap<&'a ScriptName, &'a Statement> {
    let block = |block: &'a Statement| {
        let name = block.parameters().first()?;
        let (known, origin) = view.origins.scripts.get_key_value(name.text.as_str())?;
        (origin.name == name.span).then_some((known, block))
    };
    view.blocks("vrrp_script").filter_map(block).collect()
}

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let blocks = blocks(view);
    for script in &view.model.scripts {
        let Some(block) = blocks.get(&script.name) else { continue };
        timeout(script, block, diagnostics);
        let counts = view.model.failover.scripts.iter().find(|counts| counts.name == script.name);
        let Some(counts) = counts else { continue };
        slow(script, block, "fall", counts.fall, diagnostics);
        slow(script, block, "rise", counts.rise, diagnostics);
    }
}

fn timeout(script: &Script, block: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let Some(word) = last(block, "timeout") else { return };
    let interval = script.interval.as_secs_f64();
    if micros(&word.text) == Ok(0) {
        let message = format!("timeout 0 means the interval, {interval} s");
        diagnostics.push(
            Diagnostic::note(Code::TimeoutZero, word, message)
                .hint("delete the line, or write the seconds that a run may take"),
        );
    } else if script.timeout > script.interval {
        let timeout = script.timeout.as_secs_f64();
        let message =
            format!("a run that hangs counts as failed only after {timeout} s, not {interval} s");
        let mut found = Diagnostic::note(Code::TimeoutBeyondInterval, word, message)
            .label("runs that would start meanwhile are skipped")
            .hint(format!("write `timeout {interval}` or less, or a longer interval"));
        if let Some(interval) = last(block, "interval") {
            found = found.also(interval.span, "the interval");
        }
        diagnostics.push(found);
    }
}

fn slow(
    script: &Script,
    block: &Statement,
    keyword: &'static str,
    count: u32,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let time = script.interval.saturating_mul(count);
    let interval = last(block, "interval");
    let Some(word) = last(block, keyword).or(interval) else { return };
    // A long interval alone is said once.
    if time <= PATIENCE || (keyword == "rise" && time == script.interval) {
        return;
    }
    let what = if keyword == "fall" { "a failure" } else { "a recovery" };
    let message = format!("`{}` notices {what} only after {}", script.name, human(time));
    let mut found = Diagnostic::warning(Code::SlowScript, word, message)
        .label(format!("{count} runs in a row, one every {} s", script.interval.as_secs_f64()))
        .hint("both numbers are: `interval` in seconds, `fall` and `rise` in runs");
    if let Some(interval) = interval.filter(|interval| interval.span != word.span) {
        found = found.also(interval.span, "the interval");
    }
    diagnostics.push(found);
}

/// A long time, rounded down.
fn human(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 2 * 60 * MINUTE => format!("{} minutes", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{} hours", seconds / (60 * MINUTE)),
        seconds => format!("{} days", seconds / DAY),
    }
}
