//! The words behind a keyword, against what the table says that it takes.

use std::{net::IpAddr, time::Duration};

use smallvec::SmallVec;

use super::{
    Lowering, command,
    misfit::{misfit, missing_value},
};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Quoting, Statement, Word},
    table::{self, Block, Item, Keyword, Kind, Problem, Status, Value},
};

/// A word that fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched<'s> {
    /// What it means.
    pub(crate) value: Value<'s>,
    /// The word itself.
    pub(crate) word: &'s Word,
    /// The option that it is, or the value of.
    pub(crate) option: Option<&'static Keyword>,
    /// The path of the block whose options were being read.
    pub(crate) within: &'static str,
}

/// What the words behind a keyword came to.
#[derive(Debug, std::default::Default)]
pub(crate) struct Read<'s> {
    /// The words that fit, in order.
    pub(crate) matched: SmallVec<[Matched<'s>; 2]>,
    /// Some word is missing or does not fit.
    pub(crate) failed: bool,
}

impl<'s> Read<'s> {
    fn first(&self) -> Option<&Matched<'s>> {
        self.matched.first().filter(|_| !self.failed)
    }

    /// Its one whole number.
    pub(crate) fn number(&self) -> Option<(i64, Span)> {
        match self.first()? {
            Matched { value: Value::Number(number), word, .. } => Some((*number, word.span)),
            _ => None,
        }
    }

    /// Its number, as the smaller type that holds it.
    pub(crate) fn small<T: TryFrom<i64>>(&self) -> Option<(T, Span)> {
        let (number, span) = self.number()?;
        T::try_from(number).ok().map(|number| (number, span))
    }

    /// Its one time.
    pub(crate) fn time(&self) -> Option<(Duration, Span)> {
        match self.first()? {
            Matched { value: Value::Time(time), word, .. } => Some((*time, word.span)),
            _ => None,
        }
    }

    /// Its one address.
    pub(crate) fn address(&self) -> Option<(IpAddr, Span)> {
        match self.first()? {
            Matched { value: Value::Address(address), word, .. } => Some((*address, word.span)),
            _ => None,
        }
    }

    /// A flag that may be followed by a boolean; `None` when that is no boolean.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.matched.first() {
            _ if self.failed => None,
            Some(Matched { value: Value::Bool(flag), .. }) => Some(*flag),
            Some(_) | None => Some(true),
        }
    }

    /// Its first word.
    pub(crate) fn word(&self) -> Option<&'s Word> {
        self.first().map(|matched| matched.word)
    }

    /// Its options in order: each one's name, with its value if it takes one.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, &Matched<'s>)> {
        self.matched.iter().filter_map(|matched| Some((matched.option?.name, matched)))
    }
}

impl Lowering<'_> {
    /// Reads the words behind a statement's keyword and reports what does not fit.
    pub(crate) fn read<'s>(
        &mut self,
        keyword: &'static Keyword,
        statement: &'s Statement,
    ) -> Read<'s> {
        let read = matched(keyword, statement, self.diagnostics);
        if keyword.status == Status::Active {
            self.inactive_options(keyword, &read);
        }
        if keyword.arguments.takes_command() {
            self.commands.extend(read.word().cloned());
        }
        self.users.extend(user_words(keyword, &read));
        read
    }

    /// Announces options without effect on a line that has one.
    fn inactive_options(&mut self, keyword: &'static Keyword, read: &Read<'_>) {
        for (_, matched) in read.options() {
            let Some(option) = matched.option else { continue };
            if option.status != Status::Active {
                let path = keyword.child().unwrap_or_default();
                self.note(path, option, || option.name.to_owned(), matched.word.span);
            }
        }
    }
}

/// The words for whom the keyword lets something run as: all, or those behind its command or path.
fn user_words(keyword: &Keyword, read: &Read<'_>) -> Option<Vec<Word>> {
    let first = keyword.arguments.first()?;
    let runs = matches!(first, Kind::Command | Kind::Path) && read.matched.len() > 1;
    if *first != Kind::User && !runs {
        return None;
    }
    let skipped = usize::from(runs);
    let words = read.matched.iter().skip(skipped).filter(|matched| matched.option.is_none());
    Some(words.map(|matched| matched.word.clone()).collect())
}

/// Reads words without anybody to report to.
pub(crate) fn read_silently<'s>(keyword: &'static Keyword, statement: &'s Statement) -> Read<'s> {
    matched(keyword, statement, &mut Vec::new())
}

/// Matches a statement's words: of an entry all, else those behind the keyword.
fn matched<'s>(
    keyword: &'static Keyword,
    statement: &'s Statement,
    diagnostics: &mut Vec<Diagnostic>,
) -> Read<'s> {
    let rest = match keyword.name.starts_with('<') {
        true => statement.words.as_ref(),
        false => statement.parameters(),
    };
    let (at, later) = (statement.keyword(), Vec::new());
    let mut read = Read::default();
    Matcher { keyword, at, rest, later, within: "", read: &mut read, diagnostics }.run();
    read
}

struct Matcher<'a, 's> {
    keyword: &'static Keyword,
    at: Option<&'s Word>,
    rest: &'s [Word],
    /// What may follow the optional groups that are being read, outermost first.
    later: Vec<&'static [Item]>,
    /// The path of the block whose options are being read.
    within: &'static str,
    read: &'a mut Read<'s>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'s> Matcher<'_, 's> {
    fn run(&mut self) {
        if self.keyword.arguments.takes_command()
            && let Some(found) = command::nested_quotes(self.rest)
        {
            self.diagnostics.push(found);
            self.rest = self.rest.get(..1).unwrap_or_default();
        }
        self.items(&self.keyword.arguments.items, None);
        if let (Some(first), Some(last)) = (self.rest.first(), self.rest.last()) {
            let span = first.span.to(last.span);
            self.diagnostics.push(self.surplus(span, first));
        }
    }

    /// Reads items: those of the keyword, or of one of its options.
    fn items(&mut self, items: &'static [Item], option: Option<&'static Keyword>) {
        for (at, item) in items.iter().enumerate() {
            match item {
                Item::One(kind) => self.one(kind, option),
                Item::Several(kind) => {
                    self.one(kind, option);
                    while self.goes_on(kind, option) {
                        self.one(kind, option);
                    }
                }
                Item::Optional(inner) => {
                    self.later.push(items.get(at + 1..).unwrap_or_default());
                    if self.enters(inner, option) {
                        self.items(inner, option);
                    }
                    self.later.pop();
                }
                Item::Options => {
                    if let Some(block) = option.unwrap_or(self.keyword).block() {
                        let outer = std::mem::replace(&mut self.within, block.path);
                        self.options(block, option);
                        self.within = outer;
                    }
                }
            }
        }
    }

    /// Whether one more word belongs to a row of them. What does not fit behind an option is
    /// the next option.
    fn goes_on(&self, kind: &Kind, option: Option<&'static Keyword>) -> bool {
        let fits = |word: &Word| option.is_none() || kind.read(&word.text).is_ok();
        self.rest.first().is_some_and(fits)
    }

    /// Whether the next word belongs to an optional group: it fits there, or nowhere else. A word
    /// that is an option of the line is never anything else.
    fn enters(&self, group: &[Item], option: Option<&'static Keyword>) -> bool {
        let Some(word) = self.rest.first() else { return false };
        let takes = |item: &Item| match (item.is_options(), item.first()) {
            (true, _) => true,
            (false, kind) => kind.is_some_and(|kind| kind.read(&word.text).is_ok()),
        };
        let mut later = self.later.iter().copied().flatten();
        let options = later.clone().any(Item::is_options) && !group.iter().any(Item::is_options);
        let block = option.unwrap_or(self.keyword).block().filter(|_| options);
        if block.is_some_and(|block| block.option(&word.text).is_some()) {
            return false;
        }
        group.first().is_some_and(takes) || (option.is_none() && !later.any(takes))
    }

    fn one(&mut self, kind: &'static Kind, option: Option<&'static Keyword>) {
        let Some((word, rest)) = self.rest.split_first() else { return self.missing(option) };
        self.rest = rest;
        self.placeholder(word);
        match kind.read(&word.text) {
            Ok(value) => self.read.matched.push(self.matched(value, word, option)),
            // An address is not lost to the length behind it.
            Err(Problem::OutOfRange) if *kind == Kind::Prefix => {
                self.read.matched.push(self.matched(Value::Text(&word.text), word, option));
                self.misfit(kind, word, Problem::OutOfRange, option);
            }
            Err(Problem::Clamped(number)) => {
                let value = Value::Number(number);
                self.read.matched.push(self.matched(value, word, option));
                self.misfit(kind, word, Problem::Clamped(number), option);
            }
            Err(problem) => {
                self.read.failed |= option.is_none();
                self.misfit(kind, word, problem, option);
            }
        }
        if *kind == Kind::User {
            // The group behind a user.
            self.take_word(option);
        } else if *kind == Kind::Service {
            // The second word of a service: a port, a mark, a name.
            self.service(word, option);
        }
    }

    const fn matched(
        &self,
        value: Value<'s>,
        word: &'s Word,
        option: Option<&'static Keyword>,
    ) -> Matched<'s> {
        Matched { value, word, option, within: self.within }
    }

    fn placeholder(&mut self, word: &Word) {
        if word.text.len() > 2 && word.text.starts_with('<') && word.text.ends_with('>') {
            let message =
                format!("`{}` looks like a placeholder that was never filled in", word.text);
            self.diagnostics.push(Diagnostic::note(Code::Placeholder, word, message));
        }
    }

    fn take_word(&mut self, option: Option<&'static Keyword>) {
        if let Some((word, rest)) = self.rest.split_first() {
            self.rest = rest;
            self.read.matched.push(self.matched(Value::Text(&word.text), word, option));
        }
    }

    fn service(&mut self, first: &'s Word, option: Option<&'static Keyword>) {
        static PORT: Kind = Kind::Number { low: 0, high: 65535, clamped: false };
        static MARK: Kind = Kind::Number { low: 0, high: 4_294_967_295, clamped: false };
        static ADDRESS: Kind = Kind::Address;
        match first.text.as_str() {
            "fwmark" => self.one(&MARK, option),
            "group" => self.one(&Kind::Name, option),
            text => {
                if let Err(problem) = ADDRESS.read(text) {
                    self.read.failed = true;
                    self.misfit(&Kind::Service, first, problem, option);
                } else if !self.rest.is_empty() {
                    self.one(&PORT, option);
                }
            }
        }
    }

    /// Options by name, up to the end; inside another option, up to a word that is none.
    fn options(&mut self, block: &'static Block, outer: Option<&'static Keyword>) {
        while let Some((word, rest)) = self.rest.split_first() {
            let Some(option) = block.option(&word.text) else {
                if let Some(entry) = block.entry(&word.text).filter(|_| !self.is_list()) {
                    self.items(&entry.arguments.items, Some(entry));
                    continue;
                }
                if outer.is_some() {
                    return;
                }
                if let Some(kind) = self.optional(word) {
                    self.one(kind, None);
                    continue;
                }
                self.rest = rest;
                if self
                    .unknown_option(block, word)
                    .is_some_and(|likely| !likely.arguments.items.is_empty())
                {
                    // The value goes with its option.
                    let value = self
                        .rest
                        .split_first()
                        .filter(|(word, _)| block.option(&word.text).is_none());
                    self.rest = value.map_or(self.rest, |(_, rest)| rest);
                }
                continue;
            };
            self.rest = rest;
            if option.status == Status::ManualOnly {
                self.unknown_option(block, word);
                continue;
            }
            self.diagnostics.extend(super::keyword::outdated(block, word, option));
            // One that only has options of its own, like `nexthop`, stands for itself.
            if option.arguments.items.first().is_none_or(Item::is_options) {
                let flag = self.matched(Value::Bool(true), word, Some(option));
                self.read.matched.push(flag);
            }
            self.items(&option.arguments.items, Some(option));
        }
    }

    /// What a word among the options of a list's line is when it is one of those that may also
    /// stand before them: a route's destination.
    fn optional(&self, word: &Word) -> Option<&'static Kind> {
        let items = self.keyword.arguments.items.iter().filter(|_| self.is_list());
        let optional = items.filter(|item| matches!(item, Item::Optional(_)));
        optional.filter_map(Item::first).find(|kind| kind.read(&word.text).is_ok())
    }

    /// Whether the keyword is a line of a list, whose block's entries are other lines.
    fn is_list(&self) -> bool {
        self.keyword.name.starts_with('<')
    }

    fn missing(&mut self, option: Option<&'static Keyword>) {
        self.read.failed = true;
        let Some(word) = self.at else { return };
        let found = match option {
            Some(option) => {
                let message = format!("`{}` has no value; it is ignored", option.name);
                let span = self.read.matched.last().map_or(word.span, |last| last.word.span);
                Diagnostic::warning(Code::BadValue, span, message).class(Class::Error)
            }
            None => missing_value(self.keyword, word),
        };
        let found = match option.unwrap_or(self.keyword).arguments.first() {
            Some(kind) => {
                found.hint(format!("`{}` takes {kind}", option.unwrap_or(self.keyword).name))
            }
            None => found,
        };
        self.diagnostics.push(found);
    }

    /// Reports an option that does not exist; the one that was probably meant.
    fn unknown_option(&mut self, block: &'static Block, word: &Word) -> Option<&'static Keyword> {
        let what = match self.is_list() {
            true => "this line".to_owned(),
            false => format!("`{}`", self.keyword.name),
        };
        let message = format!("`{}` is no option of {what}; it is ignored", word.text);
        let found = Diagnostic::warning(Code::UnknownOption, word, message).class(Class::Error);
        let likely = table::best(&word.text, block.options.iter().map(|option| option.name));
        let found =
            match likely {
                Some(likely) => found.hint(format!("did you mean `{likely}`?")),
                None if self.is_list()
                    && self.keyword.arguments.first().is_some_and(|kind| {
                        kind.read(&word.text).is_ok() && *kind == Kind::Prefix
                    }) =>
                {
                    found.hint("write one address on each line")
                }
                None => found,
            };
        self.diagnostics.push(found);
        likely.and_then(|likely| block.option(likely))
    }

    /// Words that nothing reads.
    fn surplus(&self, span: Span, first: &Word) -> Diagnostic {
        let command = self.keyword.arguments.items.last() == Some(&Item::One(Kind::Command));
        match self.read.matched.last() {
            Some(Matched { word, .. }) if command && word.quoting == Quoting::Bare => {
                command::unquoted(word, span, "is never passed to it")
            }
            Some(_) if command => Diagnostic::warning(
                Code::UnquotedArguments,
                span,
                "the command ends at its closing quote; what follows is never passed to it",
            )
            .hint("put the closing quote at the end of the line"),
            Some(_) | None => {
                let found = Diagnostic::note(
                    Code::SurplusWords,
                    span,
                    "nothing reads the rest of the line",
                );
                match self.keyword.arguments.items.is_empty() && first.text.parse::<bool>().is_ok()
                {
                    true => found.hint(format!(
                        "`{}` takes no value; delete the line to turn it off",
                        self.keyword.name
                    )),
                    false => found.hint("write one keyword with its value on each line"),
                }
            }
        }
    }

    fn misfit(
        &mut self,
        kind: &Kind,
        word: &Word,
        problem: Problem,
        option: Option<&'static Keyword>,
    ) {
        // A reference that nothing defines is reported already.
        if word.text.contains("${") {
            return;
        }
        let keyword = option.unwrap_or(self.keyword);
        self.diagnostics.push(misfit(keyword, kind, word, problem));
    }
}
