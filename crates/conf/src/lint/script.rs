//! Who runs a command, where its program is found, and how long its script sleeps.

use std::{collections::BTreeSet, path::Path, time::Duration};

use standfast_types::{Command, ScriptName};

use super::{
    command::INTERPRETERS,
    timing,
    view::{View, also_at},
};
use crate::{
    Code, Diagnostic, Files, Host, Sources, Span, Word,
    diagnostic::Class,
    lower::{
        command::{split, unescape},
        value::micros,
    },
    model::{Deleted, Script},
};

/// Where programs lie when nobody changed PATH.
const PATH: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Whom scripts run as by default, where it exists.
const SCRIPT_USER: &str = "keepalived_script";

/// Words of the shell that stand before a command.
const BEFORE_COMMANDS: &[&str] = &["do", "then", "else", "if", "while", "!", "exec", "time"];

pub(super) fn lint(
    view: View<'_>,
    host: Option<&Host>,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    user(view, host, diagnostics);
    paths(view, files, diagnostics);
    let blocks = timing::blocks(view);
    for script in &view.model.scripts {
        let command = blocks.get(&script.name).and(view.origins.scripts.get(&script.name));
        let Some(span) = command.and_then(|origin| origin.command) else { continue };
        sleeps(script, span, files, sources, diagnostics);
    }
}

/// Without `enable_script_security` that finding names `script_user` too.
fn user(view: View<'_>, host: Option<&Host>, diagnostics: &mut Vec<Diagnostic>) {
    let notify = view.model.notify.values().flat_map(|notify| {
        let deleted = match &notify.deleted {
            Deleted::AsDeleted(command) => command.as_ref(),
            Deleted::AsFault => None,
        };
        let states = [&notify.master, &notify.backup, &notify.fault, &notify.stop, &notify.any];
        let states = states.into_iter().chain([&notify.master_rx_lower_pri]);
        states.filter_map(Option::as_ref).chain(deleted)
    });
    let scripts = view.model.scripts.iter().map(|script| &script.command);
    let without = |command: &Command| command.user.is_none();
    if !view.model.global.script_security || !notify.chain(scripts).any(without) {
        return;
    }
    if host.is_some_and(|host| (host.has_user)(SCRIPT_USER)) {
        return;
    }
    let Some(span) = view
        .globals("enable_script_security")
        .filter_map(|statement| statement.keyword())
        .map(|word| word.span)
        .last()
    else {
        return;
    };
    let hint = "write `script_user USER` in global_defs, above the scripts";
    diagnostics.push(match host {
        Some(_) => {
            let message = "scripts run as root: there is no `script_user`, and this machine has no user `keepalived_script`";
            Diagnostic::warning(Code::ScriptAsRoot, span, message)
                .label("keepalived would not run them at all")
                .hint(hint)
                .class(Class::Error)
        }
        None => {
            let message = "without `script_user`, scripts run as root where there is no user `keepalived_script`";
            Diagnostic::note(Code::ScriptAsRoot, span, message).hint(hint)
        }
    });
}

/// Programs without an absolute path.
fn paths(view: View<'_>, files: &dyn Files, diagnostics: &mut Vec<Diagnostic>) {
    let mut absent: Vec<(String, &Word, Vec<Span>)> = Vec::new();
    let tracked: BTreeSet<&ScriptName> = view.model.scripts.iter().map(|s| &s.name).collect();
    let scripts = view.origins.scripts.iter().filter(|(name, _)| !tracked.contains(name));
    let unused: BTreeSet<Span> = scripts.filter_map(|(_, origin)| origin.command).collect();
    let runs = |word: &&Word| !word.text.starts_with('<') && !unused.contains(&word.span);
    for word in view.commands.iter().filter(runs) {
        let Some(program) =
            split(&unescape(&word.text)).ok().and_then(|argv| argv.into_iter().next())
        else {
            continue;
        };
        let there = |folder: &&str| files.script(&Path::new(folder).join(&program)).executable;
        if program.is_empty() || program.starts_with('/') || PATH.iter().any(there) {
            continue;
        }
        match absent.iter_mut().find(|(known, _, _)| *known == program) {
            Some((_, _, others)) => others.push(word.span),
            None => absent.push((program, word, Vec::new())),
        }
    }
    for (program, word, others) in &absent {
        let message = if program.contains('/') {
            format!("where `{program}` is depends on where the daemon was started")
        } else {
            format!("`{program}` is in none of the folders of PATH")
        };
        let found = Diagnostic::warning(Code::ScriptPath, *word, message)
            .hint("write the whole path, from `/` on")
            .class(Class::Error);
        diagnostics.push(also_at(found, others));
    }
}

/// The longest `sleep` of a script, when a run cannot end in time because of it.
fn sleeps(
    script: &Script,
    span: Span,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let argv = script.command.argv.as_slice();
    let path = match argv {
        [program, script, ..] if is_interpreter(program) => script,
        [program, ..] => program,
        [] => return,
    };
    if !path.starts_with('/') {
        return;
    }
    let text = files.script(Path::new(path)).head;
    let Some((time, start, end)) = longest_sleep(&text) else { return };
    let seconds = time.as_secs_f64();
    let found = if time >= script.timeout {
        let timeout = script.timeout.as_secs_f64();
        let message =
            format!("`{path}` sleeps {seconds} s, but a run counts as failed after {timeout} s");
        let hint = format!("write a `timeout` beyond {seconds}, or let the script not wait");
        Diagnostic::warning(Code::ScriptSleeps, span, message)
            .label("keepalived stops it then, in the middle of its work")
            .hint(hint)
    } else if time > script.interval {
        let interval = script.interval.as_secs_f64();
        let message =
            format!("`{path}` sleeps {seconds} s, longer than its interval of {interval} s");
        Diagnostic::note(Code::ScriptSleeps, span, message)
            .label("runs that would start meanwhile are skipped")
    } else {
        return;
    };
    let known = sources
        .iter()
        .find(|(_, source)| source.path() == Path::new(path) && source.bytes() == text.as_slice());
    let file = known.map(|(file, _)| file);
    let file = file.unwrap_or_else(|| sources.add(path.into(), text));
    diagnostics.push(found.also(Span::new(file, start..end), "here"));
}

fn is_interpreter(program: &str) -> bool {
    INTERPRETERS.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// The longest `sleep` in a shell script, and where it stands.
fn longest_sleep(text: &[u8]) -> Option<(Duration, usize, usize)> {
    let mut longest: Option<(Duration, usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        for (time, start, end) in str::from_utf8(line).map(sleeps_of_line).unwrap_or_default() {
            if longest.is_none_or(|(known, _, _)| known < time) {
                longest = Some((time, at + start, at + end));
            }
        }
        at += line.len();
    }
    longest
}

fn sleeps_of_line(line: &str) -> Vec<(Duration, usize, usize)> {
    let code = match line.find(" #") {
        _ if line.trim_start().starts_with('#') => "",
        Some(comment) => line.get(..comment).unwrap_or_default(),
        None => line,
    };
    let mut found = Vec::new();
    let mut start = 0;
    for part in code.split_inclusive([';', '|', '&', '(', ')', '{', '}', '`']) {
        let command = part.trim_end_matches([';', '|', '&', '(', ')', '{', '}', '`']);
        let behind = code.get(start + part.len()..).unwrap_or_default();
        // In the background nobody waits for it.
        let waits = !part.ends_with('&') || behind.starts_with('&');
        if let Some((time, words)) = sleep(command).filter(|_| waits) {
            let end = start + command.trim_end().len();
            found.push((time, end.saturating_sub(words.len()), end));
        }
        start += part.len();
    }
    found
}

/// The time of a `sleep` command, and its words.
fn sleep(command: &str) -> Option<(Duration, &str)> {
    let mut command = command.trim();
    while let Some((first, rest)) = command.split_once(char::is_whitespace)
        && BEFORE_COMMANDS.contains(&first)
    {
        command = rest.trim_start();
    }
    let mut words = command.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    let (time, None) = (words.next().filter(|_| program == "sleep")?, words.next()) else {
        return None;
    };
    let unit = |unit: char| time.strip_suffix(unit);
    let (number, scale) = match (unit('s'), unit('m'), unit('h')) {
        (Some(number), _, _) => (number, 1),
        (None, Some(number), _) => (number, 60),
        (None, None, Some(number)) => (number, 3600),
        (None, None, None) => (time, 1),
    };
    let time = micros(number).ok()?.checked_mul(scale)?;
    Some((Duration::from_micros(time), command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        longest_sleep(text.as_bytes()).map(|(time, _, _)| time.as_secs_f64())
    }

    #[test]
    fn the_longest_sleep_that_is_waited_for_is_found() {
        assert_eq!(seconds("#!/bin/sh\nsleep 1\nif x; then sleep 3; fi\n"), Some(3.0));
        assert_eq!(seconds("  /bin/sleep 0.5m && exit 0"), Some(30.0));
        assert_eq!(seconds("for i in 1 2; do sleep 2s; done # sleep 9"), Some(2.0));
        assert_eq!(seconds("x || sleep 4"), Some(4.0));
        let text = "a\n  sleep 12 ;b";
        let (_, start, end) = longest_sleep(text.as_bytes()).expect("a sleep");
        assert_eq!(&text[start..end], "sleep 12");
    }

    #[test]
    fn what_only_looks_like_a_sleep_is_none() {
        for text in ["# sleep 5", "echo sleep 5", "sleep 5 &", "sleep $N", "asleep 5", "sleep"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
