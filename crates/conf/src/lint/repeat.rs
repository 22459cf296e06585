//! One value, written twice.

use super::tree::{Tally, name, span, value};
use crate::{
    Code, Diagnostic, Statement,
    diagnostic::Class,
    table::{self, Block, Item, Keyword, Kind},
};

/// A block of the tree, within the blocks around it.
struct Path<'a> {
    outer: Option<&'a Self>,
    keyword: &'a str,
}

impl Path<'_> {
    /// What the table knows of the block. Found only when it is asked for: few blocks have
    /// anything twice.
    fn block(&self) -> Option<&'static Block> {
        let outer = match self.outer {
            Some(outer) => outer.block()?,
            None => table::top(),
        };
        outer.keyword(self.keyword)?.block()
    }
}

/// Lints one statement of the top level.
pub(super) fn lint(statement: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let mut tally = Tally::default();
    walk(statement, None, &mut Vec::new(), &mut tally);
    tally.finish(name(statement), diagnostics);
}

fn walk<'s>(
    statement: &'s Statement,
    outer: Option<&Path<'_>>,
    lines: &mut Vec<(&'s str, usize, &'s Statement)>,
    tally: &mut Tally<'s>,
) {
    let path = Path { outer, keyword: name(statement) };
    let inner = statement.statements();
    lines.clear();
    let flat = inner.iter().enumerate().filter(|(_, line)| line.block.is_none());
    lines.extend(flat.map(|(at, line)| (name(line), at, line)));
    lines.sort_unstable_by_key(|(keyword, at, _)| (*keyword, *at));
    for pair in lines.windows(2) {
        if let [(keyword, _, first), (again, _, second)] = pair
            && keyword == again
            && let Some(known) = path.block().and_then(|block| block.keyword(keyword))
            && differ(first, second)
            && is_scalar(&path, known)
        {
            tally.add(Code::SetTwice, keyword, || set_twice(known, first, second));
        }
    }
    for line in inner.iter().filter(|line| line.block.is_some()) {
        walk(line, Some(&path), lines, tally);
    }
}

fn differ(first: &Statement, second: &Statement) -> bool {
    let texts = |statement| Statement::parameters(statement).iter().map(|word| &word.text);
    texts(first).next().is_some()
        && texts(second).next().is_some()
        && !texts(first).eq(texts(second))
}

/// Whether the keyword sets one value. Flags say the same twice; some keywords define one more
/// thing on each line.
fn is_scalar(path: &Path<'_>, keyword: &Keyword) -> bool {
    let repeats = matches!(
        (path.keyword, keyword.name),
        ("global_defs", "notification_email" | "vrrp_garp_extra_if" | "include_check")
            | ("auth_hmac", "key")
            | ("virtual_server_group", _)
            | ("garp_group", "interface")
            | ("url", "status_code" | "regex_options")
    );
    let sets = match keyword.arguments.items.as_slice() {
        [Item::One(Kind::Bool) | Item::Several(_) | Item::Options, ..] | [] => false,
        [Item::Optional(inner), ..] => {
            matches!(inner.first(), Some(Item::One(Kind::Number { .. })))
        }
        [Item::One(_), ..] => true,
    };
    sets && !repeats && !keyword.opens_block()
}

fn set_twice(keyword: &Keyword, first: &Statement, second: &Statement) -> Option<Diagnostic> {
    // keepalived says so, and keeps what it has.
    let first_counts = match keyword.name {
        "state" => value(first).is_some_and(|word| word.text == "MASTER"),
        name => name == "digest",
    };
    let (kept, lost) = if first_counts { (first, second) } else { (second, first) };
    let message = format!(
        "`{}` stands twice: `{}` counts and `{}` is lost",
        keyword.name,
        words(kept),
        words(lost)
    );
    let found = Diagnostic::warning(Code::SetTwice, span(lost)?, message)
        .also(span(kept)?, "this one counts")
        .hint("delete one of them");
    Some(if first_counts { found.class(Class::Error) } else { found })
}

fn words(statement: &Statement) -> String {
    let words: Vec<_> = statement.parameters().iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}
