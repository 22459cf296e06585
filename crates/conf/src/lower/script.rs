//! `vrrp_script`.

use std::time::Duration;

use standfast_failover::{ScriptConfig, Weight};
use standfast_types::ScriptName;

use super::{Lowering, command, global::COUNT_MAX};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::{Command, Script, User},
    origins::ScriptOrigin,
    source::Span,
    syntax::{Quoting, Statement, Word},
    words::Status,
};

/// The longest interval or timeout.
const LONGEST: Duration = Duration::from_secs(1_000_000);

/// A `vrrp_script` that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: ScriptName,
    pub(crate) name_span: Span,
    pub(crate) weight: Weight,
    pub(crate) weight_span: Option<Span>,
    /// Some instance tracks it.
    pub(crate) used: bool,
    argv: Option<Vec<String>>,
    command_span: Option<Span>,
    user: Option<User>,
    interval: Duration,
    timeout: Option<Duration>,
    rise: u32,
    fall: u32,
    init_fail: bool,
}

impl Lowering<'_> {
    pub(super) fn vrrp_script(&mut self, block: &Statement) {
        let Some(name) = self.block_name(block) else { return };
        if let Some(first) = self.scripts.iter().find(|script| script.name.as_str() == name.text) {
            let span = first.name_span;
            return self.duplicate(name, span);
        }
        let mut draft = Draft {
            name: name.text.as_str().into(),
            name_span: name.span,
            weight: Weight::default(),
            weight_span: None,
            used: false,
            argv: None,
            command_span: None,
            user: self.defaults.script_user.clone(),
            interval: Duration::from_secs(1),
            timeout: None,
            rise: 1,
            fall: 1,
            init_fail: false,
        };
        for statement in block.statements() {
            let Some(keyword) = self.known("vrrp_script", statement) else { continue };
            if keyword.status == Status::Active {
                self.script_keyword(&mut draft, statement);
            } else {
                self.announce("vrrp_script", statement);
            }
        }
        if draft.argv.is_none() {
            let message = format!("vrrp_script `{}` has no command and is left out", name.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::CommandMissing, name.span, message)
                    .hint("write `script \"/path/to/check arguments\"` in it")
                    .class(Class::Error),
            );
            return;
        }
        self.origins.scripts.insert(
            draft.name.clone(),
            ScriptOrigin {
                name: draft.name_span,
                command: draft.command_span,
                argv: draft.argv.clone().unwrap_or_default(),
            },
        );
        self.scripts.push(draft);
    }

    fn script_keyword(&mut self, draft: &mut Draft, statement: &Statement) {
        match statement.keyword().map_or("", |word| word.text.as_str()) {
            "script" => self.script_command(draft, statement),
            "interval" => draft.interval = self.interval(statement),
            "timeout" => {
                let parsed =
                    self.seconds(statement, Duration::ZERO, LONGEST, "the interval is used");
                draft.timeout = parsed.map(|(timeout, _)| timeout);
            }
            "weight" => {
                if let Some((weight, span)) = self.script_weight(statement) {
                    draft.weight = weight;
                    draft.weight_span = Some(span);
                }
            }
            "rise" => draft.rise = self.threshold(statement),
            "fall" => draft.fall = self.threshold(statement),
            "user" => draft.user = self.user(statement).or(draft.user.take()),
            "init_fail" => draft.init_fail = self.bare_flag(statement).is_some(),
            _ => {}
        }
    }

    fn script_command(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some((first, rest)) = statement.parameters().split_first() else {
            return self.missing_parameter(statement);
        };
        if let (Some(next), Some(last)) = (rest.first(), rest.last()) {
            let found = match first.quoting {
                Quoting::Bare => {
                    command::unquoted(first, next.span.to(last.span), "is never passed to it")
                }
                Quoting::Double | Quoting::Single => Diagnostic::warning(
                    Code::UnquotedArguments,
                    next.span.to(last.span),
                    "the command ends at its closing quote; what follows is never passed to it",
                )
                .hint("put the closing quote at the end of the line"),
            };
            self.diagnostics.push(found);
        }
        draft.command_span = Some(first.span);
        draft.argv = match first.text.strip_prefix('<') {
            // The form that only asks whether a file can be opened.
            Some(path) if !path.trim().is_empty() => {
                Some(["test", "-r", path.trim()].map(str::to_owned).to_vec())
            }
            Some(_) | None => command::argv(first, self.diagnostics),
        };
    }

    fn interval(&mut self, statement: &Statement) -> Duration {
        let low = Duration::from_millis(1);
        let parsed = self.seconds(statement, low, LONGEST, "1 second is used");
        parsed.map_or(Duration::from_secs(1), |(interval, _)| interval)
    }

    fn threshold(&mut self, statement: &Statement) -> u32 {
        self.small(statement, 1, COUNT_MAX, "1 is used").map_or(1, |(count, _)| count)
    }

    fn script_weight(&mut self, statement: &Statement) -> Option<(Weight, Span)> {
        let (word, rest) = statement.parameters().split_first().or_else(|| {
            self.missing_parameter(statement);
            None
        })?;
        let value = self.weight_value(word, "0 stays in use: FAULT while it fails")?;
        let reverse = self.reverse(rest).unwrap_or(false);
        Some((Weight { value, reverse }, word.span))
    }

    /// `reverse` or `noreverse` behind a weight.
    pub(super) fn reverse(&mut self, words: &[Word]) -> Option<bool> {
        let (word, rest) = words.split_first()?;
        let reverse = match word.text.as_str() {
            "reverse" => Some(true),
            "noreverse" => Some(false),
            _ => {
                self.surplus(words);
                return None;
            }
        };
        self.surplus(rest);
        reverse
    }

    /// The name behind `vrrp_script` and its like.
    pub(super) fn block_name<'s>(&mut self, block: &'s Statement) -> Option<&'s Word> {
        block.block.as_ref()?;
        let Some((name, surplus)) = block.parameters().split_first() else {
            if let Some(keyword) = block.keyword() {
                let message = format!("`{}` has no name and is left out", keyword.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::MissingBlock, keyword.span, message)
                        .hint(format!("write `{} NAME {{`", keyword.text))
                        .class(Class::Error),
                );
            }
            return None;
        };
        self.surplus(surplus);
        Some(name)
    }

    /// A second block of the same name.
    pub(super) fn duplicate(&mut self, name: &Word, first: Span) {
        let message = format!("`{}` is defined already; this one is skipped", name.text);
        self.diagnostics.push(
            Diagnostic::warning(Code::DuplicateName, name.span, message)
                .also(first, "first defined here")
                .class(Class::Error),
        );
    }

    /// The scripts that are tracked go into the model; the others are reported.
    pub(super) fn lower_scripts(&mut self) {
        for draft in std::mem::take(&mut self.scripts) {
            if !draft.used {
                let message = format!("no instance tracks script `{}`; it never runs", draft.name);
                self.diagnostics.push(
                    Diagnostic::warning(Code::ScriptUnused, draft.name_span, message)
                        .hint(format!("add `track_script {{ {} }}` to an instance", draft.name)),
                );
                continue;
            }
            let Draft { name, argv, user, interval, timeout, rise, fall, init_fail, .. } = draft;
            let command = Command { argv: argv.unwrap_or_default(), user };
            let timeout = timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(interval);
            self.model.failover.scripts.push(ScriptConfig {
                name: name.clone(),
                rise,
                fall,
                init_fail,
            });
            self.model.scripts.push(Script { name, command, interval, timeout });
        }
    }
}
