//! `docs/compatibility.md`: the differences are written by hand, the list of keywords below them is not.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use standfast_conf::table::{
    Block,
    entry::{State, lines, parts, sections},
};

use super::File;
use crate::root;

const PATH: &str = "docs/compatibility.md";
/// What stands above it is kept.
const MARK: &str = "<!-- generated below by `cargo xtask gen` -->\n";

pub(super) fn files() -> anyhow::Result<Vec<File>> {
    let path = PathBuf::from(PATH);
    let text = fs::read_to_string(root().join(Path::new(PATH))).context(PATH)?;
    let (by_hand, _) = text.split_once(MARK).with_context(|| format!("{PATH}: no {MARK}"))?;
    Ok(vec![(path, format!("{by_hand}{MARK}{}", keywords()))])
}

fn keywords() -> String {
    let sections: Vec<_> = parts().into_iter().flat_map(sections).collect();
    let mut text =
        String::from("\n| block | works | accepted, not active | else |\n|---|---|---|---|\n");
    for blocks in sections {
        let Some(first) = blocks.first().copied() else { continue };
        let works = named(first, State::Works);
        let others: Vec<_> = [State::NoEffect, State::Unknown]
            .map(|state| (state, named(first, state)))
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(state, names)| format!("{}: {}", state.text(), names.join(", ")))
            .collect();
        let inactive = match works.as_slice() {
            [] => "everything else".to_owned(),
            _ => named(first, State::NotActive).join(", "),
        };
        let names: Vec<_> = blocks.into_iter().map(name).collect();
        let (names, works, others) = (names.join(", "), works.join(", "), others.join("; "));
        let _ = writeln!(text, "| {names} | {works} | {inactive} | {others} |");
    }
    text
}

fn name(block: &Block) -> String {
    if block.path.is_empty() { "top level".to_owned() } else { format!("`{}`", block.path) }
}

/// Keywords, entries and options of the block that have a state.
fn named(block: &'static Block, state: State) -> Vec<String> {
    lines(block)
        .filter(|keyword| State::of(block, keyword) == state)
        .map(|keyword| format!("`{}`", keyword.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(block: &str) -> Vec<String> {
        let table = keywords();
        let row = table.lines().find(|line| line.starts_with(&format!("| `{block}`")));
        row.expect("a row").split(" | ").map(str::to_owned).collect()
    }

    #[test]
    fn a_keyword_stands_under_what_becomes_of_it() {
        let row = row("vrrp_instance");
        assert!(row[1].contains("`priority`"), "{row:?}");
        assert!(row[2].contains("`lvs_sync_daemon_interface`"), "{row:?}");
        assert!(row[3].contains("never has an effect: "), "{row:?}");
    }
}
