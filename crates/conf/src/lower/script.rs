//! `vrrp_script`.

use std::time::Duration;

use standfast_failover::{ScriptConfig, Weight};
use standfast_types::{Command, ScriptName, User};

use super::{Lowering, arguments::Read, command, misfit::missing_value};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::Script,
    origins::ScriptOrigin,
    source::Span,
    syntax::{Statement, Word},
    table::{Keyword, Status},
};

/// The interval of a script that sets none.
const INTERVAL: Duration = Duration::from_secs(1);

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
    pub(super) fn vrrp_script(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
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
            interval: INTERVAL,
            timeout: None,
            rise: 1,
            fall: 1,
            init_fail: false,
        };
        let Some(block) = keyword.block() else { return };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            if keyword.status == Status::Active {
                let read = self.read(keyword, inner);
                self.script_keyword(&mut draft, keyword.name, &read);
            } else {
                self.announce(block, keyword, inner);
            }
        }
        if draft.argv.is_none() {
            let message = format!("vrrp_script `{}` has no command and is left out", name.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::CommandMissing, name, message)
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

    fn script_keyword(&mut self, draft: &mut Draft, name: &str, read: &Read<'_>) {
        let count = |default: u32| read.small().map_or(default, |(count, _)| count);
        match name {
            "script" => self.script_command(draft, read),
            "interval" => {
                draft.interval = read.time().map_or(draft.interval, |(interval, _)| interval);
            }
            "timeout" => draft.timeout = read.time().map(|(timeout, _)| timeout),
            "weight" => {
                if let Some((value, span)) = read.small() {
                    let reverse = read.matched.iter().any(|word| word.word.text == "reverse");
                    draft.weight = Weight { value, reverse };
                    draft.weight_span = Some(span);
                }
            }
            "rise" => draft.rise = count(draft.rise),
            "fall" => draft.fall = count(draft.fall),
            "user" => draft.user = command::user_of(read).or(draft.user.take()),
            "init_fail" => draft.init_fail = true,
            _ => {}
        }
    }

    fn script_command(&mut self, draft: &mut Draft, read: &Read<'_>) {
        let Some(first) = read.word() else { return };
        draft.command_span = Some(first.span);
        draft.argv = match first.text.strip_prefix('<') {
            // The form that only asks whether a file can be opened.
            Some(path) if !path.trim().is_empty() => {
                Some(["test", "-r", path.trim()].map(str::to_owned).to_vec())
            }
            Some(_) | None => command::argv(first, self.diagnostics),
        };
    }

    /// The name behind `vrrp_script` and its like.
    pub(super) fn block_name<'s>(
        &mut self,
        keyword: &'static Keyword,
        statement: &'s Statement,
    ) -> Option<&'s Word> {
        statement.block.as_ref()?;
        if statement.parameters().is_empty() {
            let word = statement.keyword()?;
            let found = if keyword.lenient {
                let message = format!("`{}` has no name and is left out", keyword.name);
                Diagnostic::warning(Code::MissingBlock, word.span, message).class(Class::Error)
            } else {
                missing_value(keyword, word)
            };
            self.diagnostics.push(found.hint(format!("write `{} NAME {{`", keyword.name)));
            return None;
        }
        self.read(keyword, statement).word()
    }

    /// A second block of the same name.
    pub(super) fn duplicate(&mut self, name: &Word, first: Span) {
        let message = format!("`{}` is defined already; this one is skipped", name.text);
        self.diagnostics.push(
            Diagnostic::warning(Code::DuplicateName, name, message)
                .also(first, "first defined here")
                .hint("give it a name of its own, or delete it")
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
