//! What the words of a line mean, by the keyword table.

use standfast_conf::table::{Block, Item, Keyword, Kind};

use crate::{
    cursor::{Cursor, Word},
    names::{Thing, thing},
};

/// A word that may stand at a place: of this kind, because this keyword or option takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) keyword: &'static Keyword,
    pub(crate) kind: &'static Kind,
}

/// What may stand at a place behind the beginning of a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) wanted: Vec<Wanted>,
    /// The block whose options may follow.
    pub(crate) options: Option<&'static Block>,
}

/// What may stand at the cursor as the value of a keyword, or as an entry of a list.
pub(crate) fn expected(cursor: &Cursor) -> Expected {
    let mut expected = Expected::default();
    let Some(block) = cursor.block else { return expected };
    let Some(first) = cursor.before.first() else {
        let kinds = block
            .entries
            .iter()
            .filter_map(|keyword| Some(Wanted { keyword, kind: keyword.arguments.first()? }));
        expected.wanted = kinds.collect();
        return expected;
    };
    let Some(keyword) = block.line(&first.text) else { return expected };
    let entry = keyword.name.starts_with('<');
    let rest = if entry { &cursor.before } else { cursor.before.get(1..).unwrap_or_default() };
    let mut line = Line { words: rest, expected };
    line.items(keyword, &keyword.arguments.items);
    line.expected
}

/// What the thing at the cursor is called that it refers to.
pub(crate) fn referred(cursor: &Cursor) -> Option<Thing> {
    let path = cursor.block?.path;
    expected(cursor).wanted.iter().find_map(|wanted| thing(path, wanted, &cursor.before))
}

/// The keyword or option that the word at the cursor is, or else belongs to, in its block.
pub(crate) fn keyword(cursor: &Cursor) -> Option<(&'static Block, &'static Keyword)> {
    let word = &cursor.word.as_ref()?.text;
    let block = cursor.block?;
    let Some(first) = cursor.before.first() else { return Some((block, block.line(word)?)) };
    let keyword = block.line(&first.text)?;
    let options = keyword.block().filter(|_| keyword.arguments.has_options());
    let option = |word: &str| options.and_then(|options| Some((options, options.option(word)?)));
    option(word)
        .or_else(|| cursor.before.iter().rev().find_map(|word| option(&word.text)))
        .or(Some((block, keyword)))
}

/// The words of a line that are still to be matched.
struct Line<'w> {
    words: &'w [Word],
    expected: Expected,
}

impl Line<'_> {
    /// Matches items with words. Whether the words ended, so that what would come next is known.
    fn items(&mut self, keyword: &'static Keyword, items: &'static [Item]) -> bool {
        for item in items {
            let ended = match item {
                Item::One(kind) => self.one(keyword, kind),
                Item::Several(kind) => {
                    self.words = &[];
                    self.one(keyword, kind)
                }
                Item::Optional(inner) => self.optional(keyword, inner),
                Item::Options => self.options(keyword),
            };
            if ended {
                return true;
            }
        }
        false
    }

    fn one(&mut self, keyword: &'static Keyword, kind: &'static Kind) -> bool {
        match self.words.split_first() {
            // The two words `group NAME`, of which the second is to come.
            Some((_, [])) if *kind == Kind::Service => {
                self.expected.wanted.push(Wanted { keyword, kind });
                true
            }
            Some((_, rest)) => {
                self.words = rest;
                false
            }
            None => {
                self.expected.wanted.push(Wanted { keyword, kind });
                true
            }
        }
    }

    /// Words that may be left out. They end the line's words only if some of them are there.
    fn optional(&mut self, keyword: &'static Keyword, items: &'static [Item]) -> bool {
        let Some(kind) = items.first().and_then(Item::first) else {
            return self.items(keyword, items);
        };
        let Some(word) = self.words.first() else {
            self.items(keyword, items);
            return false;
        };
        let option = keyword.block().and_then(|block| block.option(&word.text));
        option.is_none() && kind.read(&word.text).is_ok() && self.items(keyword, items)
    }

    fn options(&mut self, keyword: &'static Keyword) -> bool {
        let Some(block) = keyword.block() else { return false };
        while let Some((word, rest)) = self.words.split_first() {
            self.words = rest;
            if let Some(option) = block.option(&word.text)
                && self.items(option, &option.arguments.items)
            {
                // The option still needs a value; until then no other can follow.
                return true;
            }
        }
        self.expected.options = Some(block);
        true
    }
}

#[cfg(test)]
mod tests {
    use standfast_conf::table;

    use super::*;

    /// What is expected at the `|` in a text: kinds of words, and whether options.
    fn at(marked: &str) -> (Vec<String>, bool) {
        let offset = marked.find('|').unwrap();
        let cursor = Cursor::at(&marked.replace('|', ""), table::top(), offset);
        let expected = expected(&cursor);
        let kinds = expected.wanted.iter().map(|wanted| wanted.kind.to_string());
        (kinds.collect(), expected.options.is_some())
    }

    #[test]
    fn the_words_before_decide_what_may_follow() {
        let in_instance = |line: &str| at(&format!("vrrp_instance V {{\n{line}"));
        assert_eq!(in_instance("state |"), (vec!["one of MASTER, BACKUP".into()], false));
        assert_eq!(in_instance("state MASTER |"), (vec![], false));
        let in_list = |line: &str| in_instance(&format!("track_script {{\n{line}"));
        assert_eq!(in_list("|"), (vec!["a name".into()], false));
        assert_eq!(in_list("web |"), (vec![], true));
        assert_eq!(in_list("web weight |"), (vec!["a number from -253 to 253".into()], false));
        assert_eq!(in_list("web weight 5 |"), (vec![], true));
    }
}
