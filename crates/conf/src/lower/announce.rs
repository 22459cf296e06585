//! Keywords that are known and not active, or not known to keepalived: said once each, with what is
//! inside them checked.

use super::Lowering;
use crate::{
    Code, Diagnostic,
    diagnostic::{Class, Severity},
    source::Span,
    syntax::Statement,
    table::{Block, Keyword, Status},
};

/// A keyword without effect, and how often the file has it.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    keyword: &'static Keyword,
    /// As the file has it the first time.
    name: String,
    first: Span,
    count: usize,
}

impl Lowering<'_> {
    /// Says that the statement has no effect, and checks it and its block all the same.
    pub(crate) fn announce(
        &mut self,
        block: &'static Block,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        let Some(word) = statement.keyword() else { return };
        let name = || match keyword.opens_block() {
            true => {
                let words = statement.words.iter().take(3).map(|word| word.text.as_str());
                words.collect::<Vec<_>>().join(" ")
            }
            false => word.text.to_string(),
        };
        self.note(block.path, keyword, name, word.span);
        self.check(keyword, statement);
    }

    /// Counts one more place of a keyword that has no effect.
    pub(super) fn note(
        &mut self,
        path: &'static str,
        keyword: &'static Keyword,
        name: impl Fn() -> String,
        span: Span,
    ) {
        let announced = self.announced.entry((path, keyword.name)).or_insert_with(|| Announced {
            keyword,
            name: name(),
            first: span,
            count: 0,
        });
        announced.count += 1;
    }

    /// Reports what is wrong with a statement and in its block, and takes nothing from it.
    fn check(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let read = self.read(keyword, statement);
        if keyword.arguments.takes_command() {
            read.word().and_then(|word| super::command::argv(word, self.diagnostics));
        }
        let Some(block) = keyword.block().filter(|_| keyword.opens_block()) else { return };
        for inner in statement.statements() {
            if let Some(known) = self.known(block, inner) {
                self.check(known, inner);
            }
        }
    }

    /// One finding for each keyword without effect.
    pub(super) fn announcements(&mut self) {
        for announced in std::mem::take(&mut self.announced).into_values() {
            self.diagnostics.push(announced.diagnostic());
        }
    }
}

impl Announced {
    fn diagnostic(self) -> Diagnostic {
        let Self { keyword, name, first, count } = self;
        let (code, severity, what) = match keyword.status {
            Status::NoEffect => (Code::NoEffect, Severity::Note, "never has an effect"),
            Status::Active => (Code::OwnWord, Severity::Note, "is not known to keepalived"),
            Status::Announced | Status::ManualOnly => {
                (Code::NotActive, Severity::Note, "is accepted, not active in this version")
            }
        };
        let opens = if keyword.opens_block() { " block" } else { "" };
        let more = match count {
            0 | 1 => String::new(),
            _ => format!(" ({count} of them)"),
        };
        let found = Diagnostic::new(code, severity, first, format!("`{name}`{opens} {what}{more}"));
        if code == Code::OwnWord {
            return found
                .hint("delete it from a file that keepalived has to read too")
                .class(Class::Error);
        }
        match keyword.name {
            "vrrp_iptables" | "vrrp_ipsets" | "lvs_sync_daemon_interface" => found
                .hint("newer versions want `nftables` or `lvs_sync_daemon`")
                .class(Class::Error),
            _ => found,
        }
    }
}
