//! The outline of a file.

use standfast_conf::{FileId, Statement};

use crate::{findings::Places, protocol::Symbol};

const STRUCT: u8 = 23;

/// The blocks of a file at the top level, and the real servers below them.
pub(crate) fn symbols(tree: &[Statement], file: FileId, places: &mut Places<'_>) -> Vec<Symbol> {
    tree.iter().filter_map(|statement| symbol(statement, file, places)).collect()
}

fn symbol(statement: &Statement, file: FileId, places: &mut Places<'_>) -> Option<Symbol> {
    let keyword = statement.keyword().filter(|word| word.span.file == file)?;
    let block = statement.block.as_ref()?;
    let last = statement.words.last().unwrap_or(keyword);
    let end = block.close.unwrap_or_else(|| {
        let inside = block.statements.last().and_then(|inner| inner.words.last());
        inside.map_or(block.open, |word| word.span)
    });
    let heading = keyword.span.to(last.span);
    let names: Vec<_> = statement.parameters().iter().map(|word| word.text.as_str()).collect();
    let name = Some(names.join(" ")).filter(|name| !name.is_empty());
    let servers = block
        .statements
        .iter()
        .filter(|inner| inner.keyword().is_some_and(|word| word.text == "real_server"));
    Some(Symbol {
        name: name.unwrap_or_else(|| keyword.text.to_string()),
        detail: keyword.text.to_string(),
        kind: STRUCT,
        range: places.range(heading.to(end)),
        selection_range: places.range(heading),
        children: servers.filter_map(|inner| symbol(inner, file, places)).collect(),
    })
}
