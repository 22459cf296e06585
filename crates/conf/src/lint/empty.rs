//! Lines and blocks that lack what they are for.

use super::{
    tree::{last, seconds, value},
    view::View,
};
use crate::{Code, Diagnostic, Statement, diagnostic::Class};

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let timeouts = view.globals("lvs_timeouts").filter(|line| line.parameters().is_empty());
    for word in timeouts.filter_map(Statement::keyword) {
        diagnostics.push(
            Diagnostic::warning(Code::NoEffect, word.span, "`lvs_timeouts` sets no timeout")
                .hint("write `tcp`, `tcpfin` or `udp` behind it, each with its seconds")
                .class(Class::Error),
        );
    }
    for group in view.blocks("garp_group").filter(|group| group.block.is_some()) {
        let delay = |keyword| last(group.statements(), &[keyword]).and_then(value);
        let is_set = |keyword| delay(keyword).and_then(seconds).is_some_and(|time| !time.is_zero());
        let Some(word) = group.keyword() else { continue };
        if !is_set("garp_interval") && !is_set("gna_interval") {
            diagnostics.push(
                Diagnostic::warning(Code::NoEffect, word.span, "`garp_group` sets no interval")
                    .label("keepalived removes the group")
                    .hint("write `garp_interval` or `gna_interval` into it")
                    .class(Class::Error),
            );
        }
    }
}
