//! Keywords with one value: present, of the right kind, in range.

use std::{net::Ipv4Addr, time::Duration};

use super::{
    Lowering,
    value::{self, NumberError},
};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Statement, Word},
};

impl Lowering<'_> {
    /// The one value of a keyword.
    pub(crate) fn value<'s>(&mut self, statement: &'s Statement) -> Option<&'s Word> {
        let Some((word, surplus)) = statement.parameters().split_first() else {
            self.missing_parameter(statement);
            return None;
        };
        self.surplus(surplus);
        if word.text.len() > 2 && word.text.starts_with('<') && word.text.ends_with('>') {
            let message =
                format!("`{}` looks like a placeholder that was never filled in", word.text);
            self.diagnostics.push(Diagnostic::note(Code::Placeholder, word.span, message));
        }
        Some(word)
    }

    /// Words that nothing reads.
    pub(crate) fn surplus(&mut self, words: &[Word]) {
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            self.diagnostics.push(
                Diagnostic::note(
                    Code::SurplusWords,
                    first.span.to(last.span),
                    "nothing reads the rest of the line",
                )
                .hint("write one keyword with its value on each line"),
            );
        }
    }

    /// A whole number in a range; `fallback` says what happens else.
    pub(crate) fn number(
        &mut self,
        statement: &Statement,
        low: i64,
        high: i64,
        fallback: &str,
    ) -> Option<(i64, Span)> {
        let word = self.value(statement)?;
        match value::number(&word.text, low, high) {
            Ok(number) => Some((number, word.span)),
            Err(error) => {
                self.bad_number(statement, word, error, &format!("{low} to {high}"), fallback);
                None
            }
        }
    }

    /// A whole number in a range, as the smaller type that holds it.
    pub(crate) fn small<T: TryFrom<i64>>(
        &mut self,
        statement: &Statement,
        low: i64,
        high: i64,
        fallback: &str,
    ) -> Option<(T, Span)> {
        let (number, span) = self.number(statement, low, high, fallback)?;
        T::try_from(number).ok().map(|number| (number, span))
    }

    /// Seconds with decimals in a range.
    pub(crate) fn seconds(
        &mut self,
        statement: &Statement,
        low: Duration,
        high: Duration,
        fallback: &str,
    ) -> Option<(Duration, Span)> {
        let word = self.value(statement)?;
        match value::seconds(&word.text, low, high) {
            Ok(duration) => Some((duration, word.span)),
            Err(error) => {
                let range = format!("{} to {} seconds", low.as_secs_f64(), high.as_secs_f64());
                self.bad_number(statement, word, error, &range, fallback);
                None
            }
        }
    }

    fn bad_number(
        &mut self,
        statement: &Statement,
        word: &Word,
        error: NumberError,
        range: &str,
        fallback: &str,
    ) {
        let keyword = statement.keyword().map_or("", |word| &word.text);
        let (code, message) = match error {
            NumberError::Malformed => {
                (Code::BadValue, format!("`{}` is no number; {fallback}", word.text))
            }
            NumberError::OutOfRange => {
                (Code::OutOfRange, format!("{} is out of range; {fallback}", word.text))
            }
        };
        self.diagnostics.push(
            Diagnostic::warning(code, word.span, message)
                .hint(format!("`{keyword}` takes {range}"))
                .class(Class::Error),
        );
    }

    /// A flag that may be followed by a boolean; `None` when that is no boolean.
    pub(crate) fn flag(&mut self, statement: &Statement) -> Option<bool> {
        let Some((word, surplus)) = statement.parameters().split_first() else {
            return Some(true);
        };
        self.surplus(surplus);
        let flag = value::boolean(&word.text);
        if flag.is_none() {
            let message = format!("`{}` is no boolean; the keyword is ignored", word.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::BadValue, word.span, message)
                    .hint(
                        "write true, on, yes, false, off or no in lower case, or nothing for true",
                    )
                    .class(Class::Error),
            );
        }
        flag
    }

    /// A flag without value.
    pub(crate) fn bare_flag(&mut self, statement: &Statement) -> Option<Span> {
        self.surplus(statement.parameters());
        statement.keyword().map(|word| word.span)
    }

    /// An IPv4 multicast group.
    pub(crate) fn group(&mut self, statement: &Statement) -> Option<(Ipv4Addr, Span)> {
        let word = self.value(statement)?;
        match value::ipv4(&word.text) {
            Some(group) if group.is_multicast() => Some((group, word.span)),
            Some(_) | None => {
                let message = format!("`{}` is no IPv4 multicast group; it is ignored", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::GroupNotMulticast, word.span, message)
                        .label("adverts go to the default group")
                        .hint("write a group of 224.0.0.0/4, or delete the line for 224.0.0.18")
                        .class(Class::Error),
                );
                None
            }
        }
    }
}
