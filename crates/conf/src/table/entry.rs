//! What documents and the editor say of a keyword: how it is written, its limits, its state.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Age, Block, Default, Item, Keyword, Kind, Status};

/// Longer lists of words are named in the text instead of the syntax line.
const WORDS_MAX: usize = 4;

/// What becomes of a keyword, with that of the blocks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It does what it says.
    Works,
    /// Accepted and announced.
    NotActive,
    /// Accepted, never an effect.
    NoEffect,
    /// No version of keepalived knows it.
    Unknown,
}

impl State {
    /// Of a keyword in its block.
    #[must_use]
    pub fn of(block: &Block, keyword: &Keyword) -> Self {
        let own = match keyword.status {
            Status::Active => Self::Works,
            Status::Announced => Self::NotActive,
            Status::NoEffect => Self::NoEffect,
            Status::ManualOnly => Self::Unknown,
        };
        if own == Self::Works { Self::around(block) } else { own }
    }

    /// Of whatever stands in the block.
    #[must_use]
    pub fn around(block: &Block) -> Self {
        match opener(block) {
            Some((outer, keyword)) => Self::of(outer, keyword),
            None => Self::Works,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::NotActive => "accepted, not active",
            Self::NoEffect => "never has an effect",
            Self::Unknown => "refused, as by keepalived",
        }
    }
}

/// The keyword that opens the block or takes its options from there, and where that stands.
#[must_use]
pub fn opener(block: &Block) -> Option<(&'static Block, &'static Keyword)> {
    static OPENERS: LazyLock<BTreeMap<&str, (&Block, &Keyword)>> = LazyLock::new(|| {
        let all = super::blocks().flat_map(|block| {
            let openers = lines(block).filter(|keyword| keyword.child() != Some(block.path));
            openers.filter_map(move |keyword| Some((keyword.child()?, (block, keyword))))
        });
        all.collect()
    });
    OPENERS.get(block.path).copied()
}

/// Everything that a block knows: keywords, entries, options.
pub fn lines(block: &'static Block) -> impl Iterator<Item = &'static Keyword> {
    block.keywords.iter().chain(&block.entries).chain(&block.options)
}

/// `priority NUMBER`, `weight NUMBER [reverse]`, `track_script { ... }`.
#[must_use]
pub fn syntax(keyword: &Keyword) -> String {
    let mut words = Vec::new();
    if !keyword.name.starts_with('<') {
        words.push(keyword.name.to_owned());
    }
    words.extend(keyword.arguments.items.iter().map(item));
    if keyword.arguments.block {
        words.push("{ ... }".to_owned());
    }
    words.join(" ")
}

fn item(item: &Item) -> String {
    match item {
        Item::One(kind) => placeholder(kind),
        Item::Several(kind) => format!("{}...", placeholder(kind)),
        Item::Options => "[OPTION...]".to_owned(),
        // They may be left out anyway.
        Item::Optional(inner) if inner.as_slice() == [Item::Options] => self::item(&Item::Options),
        Item::Optional(inner) => {
            format!("[{}]", inner.iter().map(self::item).collect::<Vec<_>>().join(" "))
        }
    }
}

fn placeholder(kind: &Kind) -> String {
    let word = match kind {
        Kind::Bool => "true|false",
        Kind::Number { .. } => "NUMBER",
        Kind::Time { unit, .. } if unit.as_secs() == 1 => "SECONDS",
        Kind::Time { .. } => "MILLISECONDS",
        Kind::OneOf { words, .. } if words.len() <= WORDS_MAX => return words.join("|"),
        Kind::OneOf { .. } => "WORD",
        Kind::Name => "NAME",
        Kind::Text { .. } => "TEXT",
        Kind::Path => "PATH",
        Kind::Interface => "INTERFACE",
        Kind::Address => "ADDRESS",
        Kind::Group(_) => "GROUP",
        Kind::Prefix => "ADDRESS[/LENGTH]",
        Kind::Hex { .. } => "HEX",
        Kind::Command => "COMMAND",
        Kind::User => "USER [GROUP]",
        Kind::Service => "ADDRESS PORT|fwmark NUMBER|group NAME",
        Kind::Form(form) => return form.name.to_uppercase(),
    };
    word.to_owned()
}

/// What the words may be, where their names do not tell: `1 to 255`.
#[must_use]
pub fn limits(keyword: &Keyword) -> Option<String> {
    let mut kinds = Vec::new();
    collect(&keyword.arguments.items, &mut kinds);
    let mut told: Vec<String> = Vec::new();
    let several = kinds.len() > 1;
    for kind in kinds {
        let Some(limit) = limit(kind) else { continue };
        let text = if several { format!("{}: {limit}", placeholder(kind)) } else { limit };
        if !told.contains(&text) {
            told.push(text);
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

fn collect<'a>(items: &'a [Item], kinds: &mut Vec<&'a Kind>) {
    for item in items {
        match item {
            Item::One(kind) | Item::Several(kind) => kinds.push(kind),
            Item::Optional(inner) => collect(inner, kinds),
            Item::Options => {}
        }
    }
}

fn limit(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Number { low, high, clamped: false } => format!("{low} to {high}"),
        Kind::Number { low, high, clamped: true } => {
            format!("{low} to {high}, the nearest of them for any other")
        }
        Kind::Time { .. } => {
            let text = kind.to_string();
            text.trim_end_matches(" seconds").trim_end_matches(" milliseconds").to_owned()
        }
        Kind::OneOf { words, .. } if words.len() > WORDS_MAX => words.join(", "),
        Kind::Text { high: usize::MAX, .. } | Kind::Hex { high: usize::MAX, .. } => return None,
        Kind::Text { low, high } => format!("{low} to {high} bytes"),
        Kind::Hex { .. } | Kind::Group(Some(_)) => kind.to_string(),
        Kind::Form(form) => form.describe.to_owned(),
        Kind::Bool
        | Kind::OneOf { .. }
        | Kind::Name
        | Kind::Path
        | Kind::Interface
        | Kind::Address
        | Kind::Group(None)
        | Kind::Prefix
        | Kind::Command
        | Kind::User
        | Kind::Service => return None,
    })
}

/// `default 1`, `default: that of global_defs.vrrp_version`.
#[must_use]
pub fn default(keyword: &Keyword) -> Option<String> {
    match keyword.default {
        Default::Unset => None,
        Default::Value(value) => Some(format!("default {value}")),
        Default::Inherited(path) => Some(format!("inherited from {path}")),
        Default::Derived(words) => Some(format!("default: {words}")),
    }
}

/// Limits, default, first version and age, in this order.
#[must_use]
pub fn facts(block: &Block, keyword: &Keyword) -> Vec<String> {
    let mut facts: Vec<String> = limits(keyword).into_iter().chain(default(keyword)).collect();
    facts.extend(keyword.since.map(|version| format!("since {version}")));
    match keyword.age {
        Age::Current => {}
        Age::Outdated => facts.push("outdated".to_owned()),
        Age::OldNameOf(name) => facts.push(format!("old name of {name}")),
    }
    let old: Vec<_> = (block.keywords.iter().chain(&block.options))
        .filter(|other| other.age == Age::OldNameOf(keyword.name))
        .map(|other| other.name)
        .collect();
    if !old.is_empty() {
        facts.push(format!("old name: {}", old.join(", ")));
    }
    facts
}

/// Blocks of a part, those with the same contents together.
#[must_use]
pub fn sections(part: &str) -> Vec<Vec<&'static Block>> {
    let mut sections: Vec<Vec<&'static Block>> = Vec::new();
    for block in super::blocks().filter(|block| block.part == part) {
        let same = |other: &&mut Vec<&'static Block>| {
            let first = other.first().copied();
            first.is_some_and(|first| {
                State::around(first) == State::around(block) && same_lines(first, block)
            })
        };
        match sections.iter_mut().find(same) {
            Some(section) => section.push(block),
            None => sections.push(vec![block]),
        }
    }
    sections
}

fn same_lines(one: &'static Block, other: &'static Block) -> bool {
    let facts = |keyword: &'static Keyword| {
        (
            keyword.name,
            &keyword.arguments,
            keyword.status,
            keyword.age,
            keyword.default,
            keyword.effect,
        )
    };
    lines(one).map(facts).eq(lines(other).map(facts))
}

/// The parts of the table in its order.
#[must_use]
pub fn parts() -> Vec<&'static str> {
    let mut parts: Vec<&str> = super::blocks().map(|block| block.part).collect();
    parts.dedup();
    let mut seen = Vec::new();
    parts.retain(|part| {
        !seen.contains(part) && {
            seen.push(*part);
            true
        }
    });
    parts
}
