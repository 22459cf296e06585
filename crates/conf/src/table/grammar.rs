//! What may follow a keyword on its line.

use super::Kind;

/// What follows a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Words, in order.
    pub items: Vec<Item>,
    /// Then a block.
    pub block: bool,
}

/// One or more words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// One word; of some kinds more.
    One(Kind),
    /// May be left out.
    Optional(Vec<Self>),
    /// Several words of a kind; at least one.
    Several(Kind),
    /// Options by name: those of the keyword's own block.
    Options,
}

/// Parses the arguments column of the table; `None` when it is malformed.
pub(super) fn parse(text: &'static str) -> Option<Arguments> {
    let (text, block) = match text.strip_suffix("{}") {
        Some(text) => (text.trim_end(), true),
        None => (text, false),
    };
    if text == "-" || text.is_empty() {
        return Some(Arguments { items: Vec::new(), block });
    }
    let mut rest = text;
    let items = sequence(&mut rest)?;
    rest.is_empty().then_some(Arguments { items, block })
}

/// Items up to the end or a closing bracket.
fn sequence(rest: &mut &'static str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(']') {
            return Some(items);
        }
        if let Some(inner) = rest.strip_prefix('[') {
            *rest = inner;
            let optional = sequence(rest)?;
            *rest = rest.strip_prefix(']')?;
            items.push(Item::Optional(optional));
            continue;
        }
        let end = rest.find([' ', ']', '(']).unwrap_or(rest.len());
        let end = match rest.get(end..)?.starts_with('(') {
            true => end + rest.get(end..)?.find(')')? + 1,
            false => end,
        };
        let (word, tail) = rest.split_at(end);
        *rest = tail;
        let (word, several) = match (word.strip_suffix("..."), tail.strip_prefix("...")) {
            (Some(word), _) => (word, true),
            (None, Some(tail)) => {
                *rest = tail;
                (word, true)
            }
            (None, None) => (word, false),
        };
        items.push(match (word, several) {
            ("options", false) => Item::Options,
            (word, true) => Item::Several(Kind::parse(word)?),
            (word, false) => Item::One(Kind::parse(word)?),
        });
    }
}

impl Arguments {
    /// The kind of the first word, if there may be one.
    #[must_use]
    pub fn first(&self) -> Option<&Kind> {
        self.items.first().and_then(Item::first)
    }

    /// Whether a command stands first.
    #[must_use]
    pub fn takes_command(&self) -> bool {
        self.first() == Some(&Kind::Command)
    }

    /// Whether options may follow.
    #[must_use]
    pub fn has_options(&self) -> bool {
        fn any(items: &[Item]) -> bool {
            items.iter().any(|item| match item {
                Item::Options => true,
                Item::Optional(inner) => any(inner),
                Item::One(_) | Item::Several(_) => false,
            })
        }
        any(&self.items)
    }

    /// Whether nothing has to follow.
    #[must_use]
    pub fn may_be_empty(&self) -> bool {
        self.items.iter().all(|item| matches!(item, Item::Optional(_) | Item::Options))
    }
}

impl Item {
    /// Whether it begins with options by name.
    #[must_use]
    pub fn is_options(&self) -> bool {
        match self {
            Self::Options => true,
            Self::Optional(items) => items.first().is_some_and(Self::is_options),
            Self::One(_) | Self::Several(_) => false,
        }
    }

    /// The kind of its first word.
    #[must_use]
    pub fn first(&self) -> Option<&Kind> {
        match self {
            Self::One(kind) | Self::Several(kind) => Some(kind),
            Self::Optional(items) => items.first().and_then(Self::first),
            Self::Options => None,
        }
    }
}
