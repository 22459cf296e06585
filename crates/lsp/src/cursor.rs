//! Where in the language a place is: in which block, behind which words. Read from the tokens of
//! the text alone, so that it works in the middle of a line that is being written.

use std::ops::Range as Bytes;

use standfast_conf::{
    Source, Sources, SyntaxToken, TokenKind,
    table::{self, Block},
};

/// A word of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without quotes.
    pub(crate) text: String,
    /// With quotes.
    pub(crate) bytes: Bytes<usize>,
}

/// What surrounds a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// The block it is in; `None` when no keyword opened it, and in definitions.
    pub(crate) block: Option<&'static Block>,
    /// The words before it on its line.
    pub(crate) before: Vec<Word>,
    /// The word that it is in or at the end of.
    pub(crate) word: Option<Word>,
    /// It is in a comment.
    pub(crate) comment: bool,
}

impl Cursor {
    /// The surroundings of a byte of a text whose top level is `base`.
    pub(crate) fn at(text: &str, base: &'static Block, offset: usize) -> Self {
        let mut sources = Sources::default();
        let file = sources.add("".into(), text.as_bytes().to_vec());
        let Some(source) = sources.source(file) else { return Self::default() };
        let tokens = standfast_conf::tokens(file, source);
        let mut walk = Walk::new(base, missing(source, &tokens));
        for line in lines(&tokens) {
            walk.begin_line(source, line);
            for token in line {
                if let Some(cursor) = walk.stop(source, token, offset) {
                    return cursor;
                }
                walk.token(source, token);
            }
        }
        walk.here(None)
    }
}

fn lines(tokens: &[SyntaxToken]) -> impl Iterator<Item = &[SyntaxToken]> {
    tokens.split_inclusive(|token| token.kind.is_none())
}

/// How many blocks are never closed.
fn missing(source: &Source, tokens: &[SyntaxToken]) -> usize {
    let mut walk = Walk::new(table::top(), 0);
    let (mut opens, mut closes) = (0_usize, 0_usize);
    for line in lines(tokens) {
        walk.begin_line(source, line);
        if walk.kind == LineKind::Statement {
            opens += line.iter().filter(|token| token.kind == Some(TokenKind::Open)).count();
            closes += line.iter().filter(|token| token.kind == Some(TokenKind::Close)).count();
        }
    }
    opens.saturating_sub(closes)
}

/// What a line is. Braces open and close blocks in statements only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    Statement,
    Include,
    /// `$NAME=`; `goes_on` when the next line belongs to it.
    Definition {
        goes_on: bool,
    },
}

struct Walk {
    base: &'static Block,
    /// The blocks that are open; `None` where no keyword opens one.
    blocks: Vec<Option<&'static Block>>,
    kind: LineKind,
    words: Vec<Word>,
    /// The keyword of the line above, whose brace may follow on this one.
    above: Option<String>,
    /// Inside the parentheses of a `~SEQ(` or `~LST(`.
    in_loop: bool,
    missing: usize,
}

impl Walk {
    fn new(base: &'static Block, missing: usize) -> Self {
        Self {
            base,
            blocks: Vec::new(),
            kind: LineKind::Statement,
            words: Vec::new(),
            above: None,
            in_loop: false,
            missing,
        }
    }

    fn begin_line(&mut self, source: &Source, line: &[SyntaxToken]) {
        let bare = |token: &&SyntaxToken| {
            !matches!(token.kind, None | Some(TokenKind::Blank | TokenKind::Comment))
        };
        let words = line.iter().filter(bare).map(|token| text(source, token));
        let mut words = words.skip_while(|word| word.starts_with('@'));
        let first = words.next().unwrap_or_default();
        let goes_on = words.last().unwrap_or(first.clone()).ends_with('\\');
        let inside = self.kind == LineKind::Definition { goes_on: true };
        let defines = first.starts_with('$') && first.contains('=');
        self.kind = match (inside || defines, is_include(&first)) {
            (true, _) => LineKind::Definition { goes_on },
            (false, true) => LineKind::Include,
            (false, false) => LineKind::Statement,
        };
    }

    /// The surroundings of `offset`, if it lies in or before this token.
    fn stop(&self, source: &Source, token: &SyntaxToken, offset: usize) -> Option<Cursor> {
        let Bytes { start, end } = token.span.range();
        match token.kind {
            Some(TokenKind::Bare | TokenKind::Double | TokenKind::Single)
                if (start..=end).contains(&offset) =>
            {
                Some(self.here(Some(word(source, token))))
            }
            Some(TokenKind::Comment) if start < offset && offset <= end => {
                Some(Cursor { comment: true, ..self.here(None) })
            }
            // A word may begin where a blank ends.
            Some(TokenKind::Blank) if offset < end => Some(self.here(None)),
            Some(_) | None if offset <= start => Some(self.here(None)),
            Some(_) | None => None,
        }
    }

    fn here(&self, word: Option<Word>) -> Cursor {
        let definition = matches!(self.kind, LineKind::Definition { .. });
        let block = if definition { None } else { self.block() };
        Cursor { block, before: self.words.clone(), word, comment: false }
    }

    fn block(&self) -> Option<&'static Block> {
        self.blocks.last().copied().unwrap_or(Some(self.base))
    }

    fn token(&mut self, source: &Source, token: &SyntaxToken) {
        match token.kind {
            Some(TokenKind::Blank | TokenKind::Comment) => {}
            None => {
                let keyword = self.words.first().map(|word| word.text.clone());
                self.above = keyword.or(self.above.take());
                self.words.clear();
                self.in_loop = false;
                if self.kind != (LineKind::Definition { goes_on: true }) {
                    self.kind = LineKind::Statement;
                }
            }
            Some(_) if self.in_loop => self.in_loop = !text(source, token).contains(')'),
            Some(TokenKind::Open) if self.kind == LineKind::Statement => self.open(),
            Some(TokenKind::Close) if self.kind == LineKind::Statement => {
                self.blocks.pop();
                self.words.clear();
                self.above = None;
            }
            Some(TokenKind::Open | TokenKind::Close) => {}
            Some(TokenKind::Bare | TokenKind::Double | TokenKind::Single) => {
                self.word(word(source, token));
            }
        }
    }

    fn word(&mut self, word: Word) {
        if self.words.is_empty() {
            self.above = None;
            if ["~SEQ", "~LST"].iter().any(|head| word.text.starts_with(head)) {
                self.in_loop = !word.text.contains(')');
                return;
            }
            if word.text.starts_with('@') {
                return;
            }
            self.recover(&word.text);
        }
        self.words.push(word);
    }

    fn open(&mut self) {
        let keyword = self.words.first().map(|word| word.text.clone()).or(self.above.take());
        let known = keyword.and_then(|keyword| self.block()?.line(&keyword));
        let opened = known.filter(|known| known.opens_block()).and_then(table::Keyword::block);
        self.blocks.push(opened);
        self.words.clear();
    }

    /// When braces are missing and the word is a keyword of a block around this one, the blocks
    /// in between are those that were never closed: the checker's own rule.
    fn recover(&mut self, word: &str) {
        let knows = |block: Option<&'static Block>| {
            block.is_some_and(|block| block.keyword(word).is_some())
        };
        if self.missing == 0 || knows(self.block()) {
            return;
        }
        let around = |depth: usize| match depth.checked_sub(1) {
            Some(at) => self.blocks.get(at).copied().flatten(),
            None => Some(self.base),
        };
        let home = (0..self.blocks.len()).rev().find(|&depth| knows(around(depth)));
        if let Some(home) = home
            && self.blocks.len() - home <= self.missing
        {
            self.missing -= self.blocks.len() - home;
            self.blocks.truncate(home);
        }
    }
}

/// Whether the word begins an include.
pub(crate) fn is_include(word: &str) -> bool {
    matches!(word, "include" | "includer" | "includem" | "includew" | "includeb" | "includea")
}

fn text(source: &Source, token: &SyntaxToken) -> String {
    let bytes = source.bytes().get(token.span.range()).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn word(source: &Source, token: &SyntaxToken) -> Word {
    let text = text(source, token);
    let quoted = token.kind != Some(TokenKind::Bare);
    let inside = if quoted { text.trim_matches(['"', '\'']).to_owned() } else { text };
    Word { text: inside, bytes: token.span.range() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The surroundings of the `|` in a text.
    fn at(marked: &str) -> Cursor {
        let offset = marked.find('|').unwrap();
        Cursor::at(&marked.replace('|', ""), table::top(), offset)
    }

    fn path(marked: &str) -> Option<&'static str> {
        at(marked).block.map(|block| block.path)
    }

    fn before(marked: &str) -> Vec<String> {
        at(marked).before.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_place_is_in_the_innermost_block_that_is_open() {
        assert_eq!(path("|"), Some(""));
        assert_eq!(path("vrrp_instance A {\n  |\n}"), Some("vrrp_instance"));
        assert_eq!(path("vrrp_instance A\n{\n|"), Some("vrrp_instance"));
        assert_eq!(path("vrrp_instance A {|}"), Some("vrrp_instance"));
        assert_eq!(path("vrrp_instance A { } |"), Some(""));
        assert_eq!(
            path("vrrp_instance A {\n track_script {\n  |"),
            Some("vrrp_instance.track_script")
        );
        assert_eq!(path("nonsense {\n |"), None);
    }

    #[test]
    fn what_never_was_closed_ends_where_its_neighbour_begins() {
        let text = "vrrp_instance A {\n track_script {\n  x\n\nvrrp_instance B {\n state |\n}\n";
        assert_eq!(path(text), Some("vrrp_instance"));
        assert_eq!(before(text), ["state"]);
    }

    #[test]
    fn braces_of_definitions_includes_and_loops_open_nothing() {
        assert_eq!(path("$X=a {\n|"), Some(""));
        assert_eq!(path("$X=\\\n a {\\\n b\n|"), Some(""));
        assert_eq!(path("$X=\\\n a {\\\n |b\n"), None);
        assert_eq!(path("@node $X=a {\n|"), Some(""));
        assert_eq!(path("include a{b,c\n|"), Some(""));
        assert_eq!(path("~LST({i, j}, {1, 2}) vrrp_instance V$i {\n|"), Some("vrrp_instance"));
    }

    #[test]
    fn a_condition_is_no_word_of_its_line() {
        assert_eq!(before("@node-a vrrp_instance |"), ["vrrp_instance"]);
    }

    #[test]
    fn the_word_is_the_one_around_the_place_or_right_before_it() {
        let word = |marked| at(marked).word.map(|word| word.text);
        assert_eq!(word("vrrp_inst|ance A").as_deref(), Some("vrrp_instance"));
        assert_eq!(word("vrrp_inst|").as_deref(), Some("vrrp_inst"));
        assert_eq!(word("a | b"), None);
        assert_eq!(word("a |b").as_deref(), Some("b"));
        assert_eq!(word("script \"x| y\"").as_deref(), Some("x y"));
        assert!(at("state # MA|").comment);
        assert_eq!(at("state # MA|").word, None);
    }
}
