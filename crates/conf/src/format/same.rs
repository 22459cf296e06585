//! Whether two texts of one file mean the same.

use std::collections::BTreeSet;

use crate::{
    Memory, Options, Sources, Statement,
    syntax::{read, tokens},
};

/// Hosts that a file is compared for, at most.
const IDS_MAX: usize = 32;

/// Whether both texts come to the same words and blocks, with no other file around: on a host that
/// no `@ID` names, and on each that one names.
#[must_use]
pub fn same_meaning(a: &[u8], b: &[u8]) -> bool {
    let mut ids: BTreeSet<String> = ids(a);
    ids.extend(self::ids(b));
    let named = ids.into_iter().take(IDS_MAX);
    std::iter::once(String::new()).chain(named).all(|config_id| {
        let options = Options { config_id, ..Options::default() };
        same_trees(&tree(a, &options), &tree(b, &options))
    })
}

/// The ids of the conditions that lines begin with.
fn ids(text: &[u8]) -> BTreeSet<String> {
    let mut sources = Sources::default();
    let file = sources.add("".into(), text.to_vec());
    let Some(source) = sources.source(file) else { return BTreeSet::new() };
    let words = tokens(file, source).into_iter().filter_map(|token| {
        let word = text.get(token.span.range())?.strip_prefix(b"@")?;
        let id = word.strip_prefix(b"^").unwrap_or(word);
        String::from_utf8(id.to_vec()).ok()
    });
    words.collect()
}

fn tree(text: &[u8], options: &Options) -> Vec<Statement> {
    let path = "/keepalived.conf";
    let files = Memory::default().with(path, text);
    read(path.as_ref(), options, &files).tree
}

fn same_trees(a: &[Statement], b: &[Statement]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_statement(a, b))
}

fn same_statement(a: &Statement, b: &Statement) -> bool {
    let words = |statement: &Statement| {
        let words = statement.words.iter();
        words.map(|word| (word.text.clone(), word.quoting)).collect::<Vec<_>>()
    };
    let closed = |statement: &Statement| statement.block.as_ref().map(|it| it.close.is_some());
    words(a) == words(b) && closed(a) == closed(b) && same_trees(a.statements(), b.statements())
}
