//! The table of all keywords: what each block knows, what each keyword takes and does.
//!
//! One line in one of the `.txt` files beside this module defines a keyword. The checker, the
//! reference, the manual pages, the compatibility table, the editor's completion and the
//! property tests all read it from here. `global.txt` begins with a description of the format.

pub mod entry;
mod form;
mod grammar;
mod kind;
mod read;

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use rustc_hash::{FxHashMap, FxHashSet};

pub use form::Form;
pub use grammar::{Arguments, Item};
pub use kind::{Family, Kind, Problem, Value};

/// The files of the table: a title and their text.
const FILES: &[(&str, &str)] = &[
    ("Global settings", include_str!("global.txt")),
    ("VRRP instances and groups", include_str!("vrrp.txt")),
    ("Trackers", include_str!("track.txt")),
    ("Addresses", include_str!("address.txt")),
    ("Routes", include_str!("route.txt")),
    ("Rules", include_str!("rule.txt")),
    ("Virtual servers", include_str!("pool.txt")),
    ("Health checks", include_str!("check.txt")),
];

static TABLE: LazyLock<Table> = LazyLock::new(|| read::read(FILES));

/// What becomes of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works.
    Active,
    /// Accepted and announced as not active.
    Announced,
    /// Accepted, never an effect, in keepalived neither.
    NoEffect,
    /// In keepalived's manual only: the parser of no version knows it.
    ManualOnly,
}

/// Whether a newer spelling replaces a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is current.
    Current,
    /// It is outdated, and nothing takes its place.
    Outdated,
    /// It is an older spelling of this keyword.
    OldNameOf(&'static str),
}

/// What holds when the keyword is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing, or off.
    Unset,
    /// This value, as one would write it.
    Value(&'static str),
    /// The value of another keyword, as `block.keyword`.
    Inherited(&'static str),
    /// What the words say.
    Derived(&'static str),
}

/// One keyword of a block, one option of a line, or one kind of entry of a list.
#[derive(Clone, Debug)]
pub struct Keyword {
    /// As it is written; `<address>` for lines of a list that start with no keyword.
    pub name: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// Whether a newer spelling replaces it.
    pub age: Age,
    /// keepalived goes on when its value is missing; else it gives up on the whole file.
    pub lenient: bool,
    /// What follows it on its line.
    pub arguments: &'static Arguments,
    /// The block that it opens, or whose options follow it: its place in the table.
    child: Option<usize>,
    /// What holds without it.
    pub default: Default,
    /// keepalived's version that brought it, where that is known.
    pub since: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub effect: &'static str,
}

/// What one block knows.
#[derive(Debug, std::default::Default)]
pub struct Block {
    /// Its path, like `vrrp_instance.track_script`; empty for the top level.
    pub path: &'static str,
    /// The title of the part of the table that it stands in.
    pub part: &'static str,
    /// Keywords in the order of the table.
    pub keywords: Vec<Keyword>,
    /// Options of its lines, in the order of the table.
    pub options: Vec<Keyword>,
    /// Lines that start with no keyword, and words among options that are none: addresses, names.
    pub entries: Vec<Keyword>,
    by_name: FxHashMap<&'static str, usize>,
    options_by_name: FxHashMap<&'static str, usize>,
}

impl Block {
    /// The keyword of that name.
    #[must_use]
    pub fn keyword(&self, name: &str) -> Option<&Keyword> {
        self.by_name.get(name).and_then(|&at| self.keywords.get(at))
    }

    /// The option of that name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&Keyword> {
        self.options_by_name.get(name).and_then(|&at| self.options.get(at))
    }

    /// What a line of the block that starts with `word` is: a keyword, else an entry.
    #[must_use]
    pub fn line(&self, word: &str) -> Option<&Keyword> {
        self.keyword(word).or_else(|| self.entry(word)).or(self.entries.first())
    }

    /// The entry that a word fits.
    #[must_use]
    pub fn entry(&self, word: &str) -> Option<&Keyword> {
        self.entries.iter().find(|entry| {
            entry
                .arguments
                .items
                .iter()
                .find_map(Item::first)
                .is_some_and(|kind| kind.read(word).is_ok())
        })
    }
}

impl Keyword {
    /// Whether it opens a block.
    #[must_use]
    pub fn opens_block(&self) -> bool {
        self.arguments.block
    }

    /// The path of that block.
    #[must_use]
    pub fn child(&self) -> Option<&'static str> {
        self.block().map(|block| block.path)
    }

    /// The block that it opens, or whose options follow it.
    #[must_use]
    pub fn block(&self) -> Option<&'static Block> {
        self.child.and_then(|at| TABLE.blocks.get(at)).map(Lines::block)
    }
}

/// All blocks: where the lines of each stand. Most files need few of them, so a block's lines are
/// read when it is first asked for.
#[derive(Debug)]
struct Table {
    blocks: Vec<Lines>,
    by_path: BTreeMap<&'static str, usize>,
}

/// The lines of a block.
#[derive(Debug)]
struct Lines {
    path: &'static str,
    part: &'static str,
    lines: Vec<&'static str>,
    block: OnceLock<Block>,
}

impl Lines {
    fn block(&'static self) -> &'static Block {
        self.block.get_or_init(|| read::block(self))
    }
}

/// All blocks in the order of the table.
pub fn blocks() -> impl Iterator<Item = &'static Block> {
    TABLE.blocks.iter().map(Lines::block)
}

/// The block at a path like `vrrp_instance.authentication`; `""` is the top level.
#[must_use]
pub fn block(path: &str) -> Option<&'static Block> {
    TABLE.by_path.get(path).and_then(|&at| TABLE.blocks.get(at)).map(Lines::block)
}

/// The block of the top level.
#[must_use]
pub fn top() -> &'static Block {
    static NONE: LazyLock<Block> = LazyLock::new(Block::default);
    block("").unwrap_or(&NONE)
}

/// The keyword `name` in the block at `path`.
#[must_use]
pub fn lookup(path: &str, name: &str) -> Option<&'static Keyword> {
    block(path)?.keyword(name)
}

/// Whether a keyword of that name takes a command, in any block.
#[must_use]
pub fn takes_command(name: &str) -> bool {
    static NAMES: LazyLock<FxHashSet<&str>> = LazyLock::new(|| {
        let keywords = blocks().flat_map(|block| &block.keywords);
        let commands = keywords.filter(|keyword| keyword.arguments.takes_command());
        commands.map(|keyword| keyword.name).collect()
    });
    NAMES.contains(name)
}

/// The path of the block that `name` opens in the block at `path`.
#[must_use]
pub fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The blocks that know the keyword `name`, the likeliest first.
#[must_use]
pub fn homes(name: &str) -> Vec<&'static Block> {
    let mut homes: Vec<&Block> = blocks().filter(|block| block.keyword(name).is_some()).collect();
    homes.sort_by_key(|block| {
        let active = block.keyword(name).is_some_and(|known| known.status == Status::Active);
        (!active, block.path.len(), block.path)
    });
    homes
}

/// The keyword of the block that `name` was probably meant to be.
#[must_use]
pub fn suggest(block: &Block, name: &str) -> Option<&'static str> {
    best(name, block.keywords.iter().map(|keyword| keyword.name))
}

/// The candidate that is most like `name`, if any is like it enough.
#[must_use]
pub fn best<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names beyond any keyword's length are pasted text, not misspellings.
    if name.len() > 64 {
        return None;
    }
    let folded = name.replace('-', "_").to_lowercase();
    let near = |distance: usize, candidate: &str| distance * 3 <= candidate.len().max(3);
    candidates
        // Words of very different length need no closer look.
        .filter(|candidate| near(candidate.len().abs_diff(folded.len()), candidate))
        .map(|candidate| {
            (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| near(*distance, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
