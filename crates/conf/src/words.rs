//! The table of all keywords, from `keywords.txt`.

use std::{collections::BTreeMap, sync::LazyLock};

/// What becomes of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    /// Accepted and announced as not active.
    Announced,
    /// Accepted, never an effect.
    NoEffect,
    /// In keepalived's manual only.
    ManualOnly,
}

/// One keyword of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keyword {
    pub(crate) status: Status,
    pub(crate) opens_block: bool,
}

/// The keywords of one block.
#[derive(Debug, Default)]
pub(crate) struct BlockWords {
    /// Lines that start with no keyword are entries: addresses, names.
    pub(crate) entries: bool,
    pub(crate) keywords: BTreeMap<&'static str, Keyword>,
}

static TABLE: LazyLock<BTreeMap<&'static str, BlockWords>> =
    LazyLock::new(|| parse(include_str!("keywords.txt")));

fn parse(table: &'static str) -> BTreeMap<&'static str, BlockWords> {
    let mut blocks: BTreeMap<&'static str, BlockWords> = BTreeMap::new();
    let mut path = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            path = header;
            continue;
        }
        let block = blocks.entry(path).or_default();
        for word in line.split_whitespace() {
            if word == "<>" {
                block.entries = true;
                continue;
            }
            let (status, word) = match word.split_at(1) {
                ("+", word) => (Status::Active, word),
                ("=", word) => (Status::NoEffect, word),
                ("-", word) => (Status::ManualOnly, word),
                (_, _) => (Status::Announced, word),
            };
            let (name, opens_block) =
                word.strip_suffix('{').map_or((word, false), |name| (name, true));
            block.keywords.insert(name, Keyword { status, opens_block });
        }
    }
    blocks
}

/// The block at a path like `vrrp_instance.authentication`; `""` is the top level.
pub(crate) fn block(path: &str) -> Option<&'static BlockWords> {
    TABLE.get(path)
}

/// The keyword `name` in the block at `path`.
pub(crate) fn lookup(path: &str, name: &str) -> Option<Keyword> {
    block(path)?.keywords.get(name).copied()
}

/// The path of the block that `name` opens in the block at `path`.
pub(crate) fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The blocks that know `name`, the likeliest first.
pub(crate) fn homes(name: &str) -> Vec<&'static str> {
    let mut homes: Vec<&str> = TABLE
        .iter()
        .filter(|(_, block)| block.keywords.contains_key(name))
        .map(|(path, _)| *path)
        .collect();
    homes.sort_by_key(|path| {
        (lookup(path, name).is_none_or(|k| k.status != Status::Active), path.len())
    });
    homes
}

/// The keyword of the block that `name` was probably meant to be.
pub(crate) fn suggest(path: &str, name: &str) -> Option<&'static str> {
    let block = block(path)?;
    best(name, block.keywords.keys().copied())
}

/// The candidate that is most like `name`, if any is like it enough.
pub(crate) fn best<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names beyond any keyword's length are pasted text, not misspellings.
    if name.len() > 64 {
        return None;
    }
    let folded = name.replace('-', "_").to_lowercase();
    candidates
        .map(|candidate| {
            (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_keyword() {
        assert_eq!(suggest("vrrp_instance", "virtual_router_idd"), Some("virtual_router_id"));
        assert_eq!(suggest("vrrp_script", "weigth"), Some("weight"));
        assert_eq!(suggest("virtual_server", "lb-kind"), Some("lb_kind"));
        assert_eq!(suggest("virtual_server", "real_servers"), Some("real_server"));
        assert_eq!(suggest("vrrp_script", "systemctl"), None);
    }

    #[test]
    fn a_keyword_knows_its_blocks() {
        assert_eq!(homes("auth_pass"), ["vrrp_instance.authentication"]);
        assert_eq!(homes("track_script"), ["vrrp_instance", "vrrp_sync_group"]);
        assert!(lookup("", "vrrp_instance").is_some_and(|keyword| keyword.opens_block));
    }

    #[test]
    fn every_block_that_a_keyword_opens_is_in_the_table() {
        for (path, block) in TABLE.iter() {
            for (name, keyword) in &block.keywords {
                let child = child(path, name);
                assert_eq!(keyword.opens_block, TABLE.contains_key(child.as_str()), "{child}");
            }
        }
    }
}
