//! Policy rules that do nothing, or stand where nobody wants them.

use super::{
    tree::{Tally, is, span},
    view::inside,
};
use crate::{Code, Diagnostic, Statement, diagnostic::Class};

/// Words that say what happens to the packets.
const ACTIONS: &[&str] =
    &["table", "lookup", "goto", "l3mdev", "nop", "blackhole", "unreachable", "prohibit", "type"];

/// Words that say where the rule stands.
const PLACES: &[&str] = &["preference", "order", "priority"];

/// Lints one statement of the top level.
pub(super) fn lint(block: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let mut tally = Tally::default();
    if is(block, "static_rules") {
        block.statements().iter().for_each(|line| rule(line, &mut tally));
    } else if is(block, "vrrp_instance") {
        let rules = inside(block, "virtual_rules").flat_map(Statement::statements);
        rules.for_each(|line| rule(line, &mut tally));
    }
    tally.finish("block", diagnostics);
}

fn rule<'s>(line: &'s Statement, tally: &mut Tally<'s>) {
    let says = |words: &[&str]| line.words.iter().any(|word| words.contains(&word.text.as_str()));
    if !says(ACTIONS) {
        tally.add(Code::RuleIncomplete, "action", || {
            let message = "the rule does not say what happens to the packets, and is ignored";
            let found = Diagnostic::warning(Code::RuleIncomplete, span(line)?, message)
                .hint("write `table TABLE`, or another action like `unreachable`")
                .class(Class::Error);
            Some(found)
        });
    } else if !says(PLACES) {
        tally.add(Code::RuleIncomplete, "place", || {
            let message = "the rule has no preference; it gets one from 16384 downwards";
            let found = Diagnostic::warning(Code::RuleIncomplete, span(line)?, message)
                .hint("write `preference NUMBER`; lower runs earlier, and the main table is 32766")
                .class(Class::Error);
            Some(found)
        });
    }
}
