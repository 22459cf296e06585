//! What may be shown: no control character reaches a terminal or a log, and no secret either.

use std::ops::Range;

use memchr::memmem;

use crate::{Diagnostic, Sources, Span, Statement};

/// The character itself, or a visible one that stands for it: terminals obey control
/// characters, and bidirectional and invisible ones make a line look like another.
pub(crate) fn visible(char: char) -> char {
    match char {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(char)).unwrap_or(' '),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        plain => plain,
    }
}

/// A text of one line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The ranges of a file that hold secrets, as far as its lines tell: what follows a word like
/// `auth_pass` or `$PASSWORD=`. It works where the file is broken, too.
pub(crate) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut done = 0;
    let find = |word: &'static str| memmem::find_iter(text.as_bytes(), word);
    let mut telltales: Vec<usize> = find("pas").chain(find("PAS")).collect();
    telltales.sort_unstable();
    for found in telltales {
        if found < done {
            continue;
        }
        let start = text.get(..found).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
        let line = text.get(start..).and_then(|rest| rest.split_inclusive('\n').next());
        let Some(line) = line else { continue };
        if let Some(at) = secret_start(line) {
            let tail = line.get(at..).unwrap_or_default();
            ranges.extend(words(tail).map(|word| start + at + word.start..start + at + word.end));
        }
        done = start + line.len();
    }
    ranges
}

/// Where the value of a telltale word begins.
fn secret_start(line: &str) -> Option<usize> {
    let telltales = line.match_indices("pas").chain(line.match_indices("PAS"));
    telltales.filter_map(|(at, _)| value_behind(line, at)).min()
}

fn value_behind(line: &str, at: usize) -> Option<usize> {
    let in_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let (head, tail) = line.split_at_checked(at)?;
    let before = head.trim_end_matches(in_name);
    let end = at + tail.find(|char| !in_name(char)).unwrap_or(tail.len());
    let name = line.get(before.len()..end)?;
    let next = line.get(end..)?.chars().next()?;
    // `passive` is a keyword, `PASS` a value, a directory's name is neither.
    let named = match before.chars().next_back() {
        Some('$') => next == '=',
        None | Some(' ' | '\t' | '{' | '}' | '"' | '\'') => {
            name.contains("pas") && name != "passive" && !matches!(next, '.' | '/')
        }
        Some(_) => false,
    };
    named.then_some(end + usize::from(next == '='))
}

/// The words of a value. Placeholders, references and braces give nothing away.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive(char::is_whitespace).filter_map(move |word| {
        let start = at;
        at += word.len();
        let word = word.trim_end();
        let reference = |name: &str| {
            !name.is_empty() && name.chars().all(|char| char.is_ascii_uppercase() || char == '_')
        };
        let known = word.trim_matches(['{', '}']).is_empty()
            || (word.starts_with('<') && word.ends_with('>'))
            || word.strip_prefix('$').is_some_and(|name| reference(name.trim_matches(['{', '}'])));
        (!known).then_some(start..start + word.len())
    })
}

/// Hides the secrets that only the tree shows: keys, and definitions behind a reference. Virtual
/// servers, of which there may be very many, have none.
pub(crate) fn hide(tree: &[Statement], sources: &mut Sources) {
    let mut secrets = Vec::new();
    collect(tree, sources, &mut secrets);
    sources.hide(secrets);
}

fn collect(tree: &[Statement], sources: &Sources, secrets: &mut Vec<Span>) {
    let is = |statement: &&Statement, name: &str| {
        statement.keyword().is_some_and(|word| word.text == name)
    };
    for statement in tree {
        if is(&statement, "auth_pass") {
            values(statement, sources, secrets);
        } else if is(&statement, "auth_hmac") {
            let keys = statement.statements().iter().filter(|inner| is(inner, "key"));
            keys.for_each(|key| values(key, sources, secrets));
        } else if !is(&statement, "virtual_server") {
            collect(statement.statements(), sources, secrets);
        }
    }
}

fn values(statement: &Statement, sources: &Sources, secrets: &mut Vec<Span>) {
    for word in statement.parameters() {
        match word.definition() {
            Some(definition) => secrets.push(sources.rest_of_line(definition)),
            None if word.text.starts_with(['<', '$']) => {}
            None => secrets.push(word.span),
        }
    }
}

/// Makes the texts of diagnostics fit to be shown.
pub(crate) fn clean<'a>(
    diagnostics: impl IntoIterator<Item = &'a mut Diagnostic>,
    sources: &Sources,
) {
    for found in diagnostics {
        let mut secrets = Vec::new();
        for label in std::iter::once(&found.primary).chain(&found.secondary) {
            secrets.extend(secrets_at(sources, label.span));
        }
        let labels = found.secondary.iter_mut().map(|label| &mut label.text);
        let texts = [&mut found.message, &mut found.primary.text].into_iter();
        for text in texts.chain(labels).chain(&mut found.hint) {
            *text = plain(&masked(text, &secrets));
        }
    }
}

fn secrets_at(sources: &Sources, span: Span) -> Vec<&str> {
    sources.source(span.file).map_or_else(Vec::new, |source| source.secrets_in(span))
}

/// Hides what a text quotes of secrets.
fn masked(text: &str, secrets: &[&str]) -> String {
    if secrets.is_empty() {
        return text.to_owned();
    }
    let quoted = |(at, piece): (usize, &str)| {
        let of_secret =
            piece.starts_with('$') || secrets.iter().any(|secret| secret.contains(piece));
        if at % 2 == 1 && of_secret { "*".repeat(piece.chars().count()) } else { piece.to_owned() }
    };
    text.split('`').enumerate().map(quoted).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked_line(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        secrets(line).into_iter().for_each(|range| bytes[range].fill(b'*'));
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_secret_is_what_follows_its_keyword() {
        for (line, expected) in [
            (" auth_pass 1111\n", " auth_pass ****\n"),
            ("authentication { auth_pass abc }", "authentication { auth_pass *** }"),
            (" auth_pass a#b \"c\"\r\n", " auth_pass *** ***\r\n"),
            ("auth_pas secret", "auth_pas ******"),
            ("auth_passwd secret", "auth_passwd ******"),
            ("auth_pass\"secret\"", "auth_pass********"),
            ("$AUTH_PASS=secret", "$AUTH_PASS=******"),
            ("SSL { password x", "SSL { password *"),
            (" script \"/c --pass x\"", " script \"/c --pass **"),
        ] {
            assert_eq!(masked_line(line), expected);
        }
    }

    #[test]
    fn what_gives_nothing_away_stays() {
        for line in [
            "auth_type PASS\n",
            "auth_pass <PASSWORD>",
            "auth_pass $PASSWORD",
            "passive yes",
            "script /etc/pass/check x",
        ] {
            assert_eq!(masked_line(line), line);
        }
    }

    #[test]
    fn control_characters_become_pictures() {
        assert_eq!(
            plain("a\x1b[2J\r\n\x7f\u{9b}\u{202e}"),
            "a\u{241b}[2J\u{240d}\u{240a}\u{2421}\u{fffd}\u{fffd}"
        );
        assert_eq!(plain("\u{6c49}\u{e9}"), "\u{6c49}\u{e9}");
    }
}
