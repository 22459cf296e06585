//! `global_defs` once more: what concerns the daemon as a whole and no instance.

use super::{Lowering, arguments::Read, command};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::{Command, User},
    settings::Fifo,
    source::Span,
    syntax::{Statement, Word},
};

/// The FIFOs of a file while it is read: `*_script` may stand above its FIFO.
#[derive(Debug, Default)]
pub(crate) struct FifoDrafts {
    all: FifoDraft,
    vrrp: FifoDraft,
}

#[derive(Debug, Default)]
struct FifoDraft {
    path: Option<Word>,
    user: Option<User>,
    reader: Option<(Command, Span)>,
}

impl Lowering<'_> {
    /// Takes a keyword of this room; false when it is of another.
    pub(super) fn daemon_setting(
        &mut self,
        name: &str,
        statement: &Statement,
        read: &Read<'_>,
    ) -> bool {
        match name {
            "notify_fifo" => fifo_path(&mut self.fifos.all, read),
            "vrrp_notify_fifo" => fifo_path(&mut self.fifos.vrrp, read),
            "notify_fifo_script" => self.fifos.all.reader = self.reader(statement),
            "vrrp_notify_fifo_script" => self.fifos.vrrp.reader = self.reader(statement),
            "fifo_write_vrrp_states_on_reload" => {
                self.model.global.fifos.states_on_reload = true;
            }
            "vrrp_notify_priority_changes" => {
                if let Some(flag) = read.flag() {
                    self.defaults.notify.priority_changes = flag;
                }
            }
            _ => return false,
        }
        true
    }

    fn reader(&mut self, statement: &Statement) -> Option<(Command, Span)> {
        let user = self.defaults.script_user.as_ref();
        let words = statement.parameters();
        let command = command::notify(words, user, self.diagnostics)?;
        Some((command, words.first()?.span))
    }

    /// The FIFOs into the model, once all of the file is read.
    pub(super) fn lower_fifos(&mut self) {
        let FifoDrafts { all, vrrp } = std::mem::take(&mut self.fifos);
        let default = self.defaults.script_user.clone();
        let one = |path: &Option<Word>| path.as_ref().map(|word| word.text.to_string());
        if let (Some(first), Some(second)) = (&all.path, &vrrp.path)
            && first.text == second.text
        {
            let message = format!("`{}` is used twice; every line would come twice", first.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::FifoTwice, second, message)
                    .also(first.span, "first used here")
                    .hint("give each FIFO a path of its own")
                    .class(Class::Error),
            );
        }
        for (draft, place, keyword) in [
            (all, &mut self.model.global.fifos.all, "notify_fifo"),
            (vrrp, &mut self.model.global.fifos.vrrp, "vrrp_notify_fifo"),
        ] {
            match (one(&draft.path), draft.reader) {
                (Some(path), reader) => {
                    let reader = reader.map(|(command, _)| command);
                    *place = Some(Fifo { path, user: draft.user.or(default.clone()), reader });
                }
                (None, Some((_, span))) => {
                    let message = format!("there is no `{keyword}` for it to read; it never runs");
                    self.diagnostics.push(
                        Diagnostic::warning(Code::FifoMissing, span, message)
                            .hint(format!("write `{keyword} /run/NAME` too")),
                    );
                }
                (None, None) => {}
            }
        }
    }
}

fn fifo_path(draft: &mut FifoDraft, read: &Read<'_>) {
    draft.path = read.word().cloned().or(draft.path.take());
    let words: Vec<Word> =
        read.matched.iter().skip(1).map(|matched| matched.word.clone()).collect();
    draft.user = command::user(&words);
}
