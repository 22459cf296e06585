//! A command's words into program and arguments.

use standfast_types::{Command, User};

use super::arguments::Read;
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Quoting, Word},
};

/// A `\` sequence of a command: `\n`, `\101`, `\x41`, `\cA`; any other character stands for
/// itself.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        let Some(escaped) = chars.next() else {
            plain.push('\\');
            break;
        };
        let mut digits = |first: u32, radix: u32, most: usize| {
            let mut value = first;
            for _ in 0..most {
                let Some(digit) = chars.peek().and_then(|char| char.to_digit(radix)) else { break };
                chars.next();
                value = value * radix + digit;
            }
            char::from(u8::try_from(value & 0xff).unwrap_or(0))
        };
        plain.push(match escaped {
            'a' => '\x07',
            'b' => '\x08',
            'E' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => digits(0, 16, 2),
            'c' => match chars.next() {
                Some(control) => char::from(u8::try_from(u32::from(control) & 0x1f).unwrap_or(0)),
                None => 'c',
            },
            octal @ '0'..='7' => digits(octal.to_digit(8).unwrap_or(0), 8, 2),
            other => other,
        });
    }
    plain
}

/// Splits at blanks; quotes of both kinds group and vanish. `Err` is the quote that is not
/// closed.
pub(crate) fn split(text: &str) -> Result<Vec<String>, char> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in text.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => word.get_or_insert_default().push(char),
            None if matches!(char, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            None if char.is_ascii_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(char),
        }
    }
    match quote {
        Some(open) => Err(open),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// The command in a word; `None`, with a diagnostic, when there is none to run.
pub(crate) fn argv(word: &Word, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    let text = match word.quoting {
        Quoting::Bare | Quoting::Double | Quoting::Single => unescape(&word.text),
    };
    match split(&text) {
        Ok(words) if words.first().is_some_and(|program| !program.is_empty()) => Some(words),
        Ok(_) => {
            diagnostics.push(
                Diagnostic::warning(Code::BadValue, word, "the command is empty")
                    .class(Class::Error),
            );
            None
        }
        Err(quote) => {
            let message = format!("a {quote} inside the command has no partner; it is not run");
            diagnostics.push(
                Diagnostic::warning(Code::UnbalancedQuote, word, message).class(Class::Error),
            );
            None
        }
    }
}

/// `user [group]` or `user:group`.
pub(crate) fn user(words: &[Word]) -> Option<User> {
    let first = &words.first()?.text;
    let second = words.get(1).map(|word| word.text.trim_start_matches(':').to_owned());
    Some(match first.split_once(':') {
        Some((name, group)) if !group.is_empty() => {
            User { name: name.to_owned(), group: Some(group.to_owned()) }
        }
        Some((name, _)) => User { name: name.to_owned(), group: second },
        None => User { name: first.to_string(), group: second },
    })
}

/// The user that a keyword's words name.
pub(crate) fn user_of(read: &Read<'_>) -> Option<User> {
    let words: Vec<Word> = read.matched.iter().map(|matched| matched.word.clone()).collect();
    user(&words)
}

/// The value of a notify keyword: `"command" [user [group]]`.
pub(crate) fn notify(
    parameters: &[Word],
    default_user: Option<&User>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Command> {
    let (first, rest) = parameters.split_first()?;
    if inner_quote(parameters).is_some() {
        return None;
    }
    if first.quoting == Quoting::Bare
        && let [next, ..] = rest
        && looks_like_argument(&next.text)
    {
        let span = rest.last().map_or(next.span, |last| next.span.to(last.span));
        diagnostics.push(unquoted(first, span, "is taken for the user to run it as"));
        return None;
    }
    let user = user(rest).or_else(|| default_user.cloned());
    argv(first, diagnostics).map(|argv| Command { argv, user })
}

/// A double quote inside a command in double quotes ends it: the next word follows without blank.
fn inner_quote(words: &[Word]) -> Option<(&Word, &Word)> {
    let [first, next, ..] = words else { return None };
    let touches = first.span.file == next.span.file && first.span.end == next.span.start;
    (first.quoting == Quoting::Double && touches).then_some((first, next))
}

/// What to say of a command whose double quotes hold double quotes.
pub(crate) fn nested_quotes(words: &[Word]) -> Option<Diagnostic> {
    let (_, next) = inner_quote(words)?;
    let last = words.last()?;
    let message = format!("the quote ends before `{}`; what follows is not part of it", next.text);
    let found = Diagnostic::warning(Code::UnquotedArguments, next.span.to(last.span), message);
    Some(match singly_quoted(words) {
        Some(command) => found.hint(format!("write `{command}`")),
        None => found.hint("write single quotes inside the double ones"),
    })
}

/// The command with single quotes inside; `None` when it has single quotes already.
fn singly_quoted(words: &[Word]) -> Option<String> {
    let mut command = String::from("\"");
    let mut inside = false;
    for word in words {
        if word.text.contains('\'') {
            return None;
        }
        let double = word.quoting == Quoting::Double;
        command.push_str(match (inside, double) {
            (false, false) | (true, true) => "'",
            (true, false) => " ",
            (false, true) => "",
        });
        inside = !double;
        command.push_str(&word.text);
    }
    command.push_str(if inside { "'\"" } else { "\"" });
    Some(command)
}

/// Arguments of a command without quotes.
pub(crate) fn unquoted(first: &Word, rest: Span, what: &str) -> Diagnostic {
    let message = format!("only `{}` is the command; what follows {what}", first.text);
    Diagnostic::warning(Code::UnquotedArguments, rest, message)
        .hint("put the command and its arguments in double quotes")
}

/// Whether a word that stands for a user name is rather an argument.
pub(crate) fn looks_like_argument(text: &str) -> bool {
    text.starts_with(['-', '/', '$']) || text.contains(['/', '=', '|', '>', '<', ';', '&'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_before_quotes_group() {
        let text = unescape(r#"/a a1 'b c' d\ e \x41 f\"g h\"i"#);
        let words = split(&text).expect("balanced quotes");
        assert_eq!(words, ["/a", "a1", "b c", "d", "e", "A", "fg hi"]);
    }

    #[test]
    fn octal_control_and_plain_escapes_are_known() {
        assert_eq!(unescape(r"\101\n\cA\q\"), "A\n\x01q\\");
        assert_eq!(split("a 'b"), Err('\''));
        assert_eq!(split("a ''"), Ok(vec!["a".to_owned(), String::new()]));
    }
}
