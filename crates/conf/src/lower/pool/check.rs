//! A check: what all kinds have in common.

use std::sync::Arc;

use standfast_health::{Check, Target};

use super::{Texts, inherit::Inherited, kind};
use crate::{
    lower::{Lowering, arguments::Read},
    syntax::Statement,
    table::Keyword,
};

/// Where checks stand.
pub(super) struct Site<'a> {
    pub(super) inherited: &'a Inherited,
    /// The port that they go to which name none; `None`: the server's.
    pub(super) port: Option<u16>,
}

/// What a check says that others could say too.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) inherited: Inherited,
    pub(super) target: Target,
}

impl Lines {
    /// Takes a line; false when it is about something else.
    fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) -> bool {
        let target = &mut self.target;
        let address = |old| read.address().map(|(address, _)| address).or(old);
        let port = |old| read.small().map(|(port, _)| port).or(old);
        match name {
            "connect_ip" => target.address = address(target.address),
            "connect_port" => target.port = port(target.port),
            "bindto" => target.source = address(target.source),
            "bind_port" => target.source_port = port(target.source_port),
            "bind_if" => {
                let named = read.word().map(|word| word.text.as_str().into());
                target.interface = named.or(target.interface.take());
            }
            "fwmark" => target.mark = read.small().map_or(target.mark, |(mark, _)| mark),
            _ => return self.inherited.take(name, read, texts),
        }
        true
    }
}

impl Lowering<'_> {
    /// Reads a check; an old `SMTP_CHECK` may be several.
    pub(super) fn server_check(
        &mut self,
        site: &Site<'_>,
        keyword: &'static Keyword,
        statement: &Statement,
        checks: &mut Vec<Arc<Check>>,
    ) {
        let (Some(block), Some(mut kind)) = (keyword.block(), kind::Draft::new(keyword.name))
        else {
            return;
        };
        let target = Target { port: site.port, ..Target::default() };
        let mut lines = Lines { inherited: site.inherited.clone(), target };
        let mut hosts = Vec::new();
        for inner in statement.statements() {
            let Some((keyword, read)) = self.line(block, inner) else { continue };
            if keyword.name == "host" {
                hosts.push((keyword, inner));
            } else if !lines.take(keyword.name, &read, &mut self.pools.texts) {
                self.kind_line(&mut kind, keyword, inner, &read);
            }
        }
        if hosts.is_empty() {
            checks.extend(self.finish_check(kind, lines));
            return;
        }
        for (keyword, host) in hosts {
            let mut lines = lines.clone();
            let Some(block) = keyword.block() else { continue };
            for inner in host.statements() {
                if let Some((keyword, read)) = self.line(block, inner) {
                    lines.take(keyword.name, &read, &mut self.pools.texts);
                }
            }
            checks.extend(self.finish_check(kind.clone(), lines));
        }
    }

    fn finish_check(&mut self, draft: kind::Draft, lines: Lines) -> Option<Arc<Check>> {
        let timing = draft.timing(&lines.inherited);
        let (alpha, shared) = (lines.inherited.alpha(), lines.inherited.shared());
        let log_all_failures = lines.inherited.log_all_failures;
        let kind = self.finish_kind(draft, lines)?;
        Some(self.pools.shared(Check { kind, timing, alpha, log_all_failures, shared }))
    }
}
