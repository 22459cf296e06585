//! `$NAME` and `${NAME}`: where one is written, and where it is defined.

use std::ops::Range as Bytes;

/// The names that are always defined, and what they stand for.
pub(crate) const BUILT_IN: &[(&str, &str)] = &[
    ("_PWD", "The directory of the file that it stands in."),
    ("_INSTANCE", "The id that `@ID` conditions are compared with; the host's name by default."),
    ("_HASH", "A `#` that begins no comment."),
    ("_BANG", "A `!` that begins no comment."),
    ("_ENV", "`${_ENV NAME}` is the environment variable of that name."),
    ("_RANDOM", "`${_RANDOM LOW HIGH}` is a random number, of 0 to 32767 unless limits are given."),
];

/// A reference in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: String,
    /// The name's bytes in the line.
    pub(crate) name_bytes: Bytes<usize>,
    /// All of its bytes in the line.
    pub(crate) bytes: Bytes<usize>,
}

/// The reference that a byte of a line is in or at the end of.
pub(crate) fn reference(line: &str, offset: usize) -> Option<Reference> {
    let at = line.match_indices('$').map(|(at, _)| at).take_while(|&at| at <= offset).last()?;
    let rest = line.get(at + 1..)?;
    let open = usize::from(rest.starts_with('{'));
    let inside = rest.get(open..)?;
    let len = inside.find(|char| !is_name(char)).unwrap_or(inside.len());
    let start = at + 1 + open;
    let closed = inside.get(len..).and_then(|tail| tail.find('}')).filter(|_| open == 1);
    let end = closed.map_or(start + len, |close| start + len + close + 1);
    let name = inside.get(..len)?.to_owned();
    (offset <= end).then_some(Reference { name, name_bytes: start..start + len, bytes: at..end })
}

/// A definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition<'t> {
    pub(crate) name: &'t str,
    /// Its lines, joined by line breaks.
    pub(crate) value: String,
    /// The bytes of `$NAME`.
    pub(crate) bytes: Bytes<usize>,
}

/// All definitions of a text, in order.
pub(crate) fn definitions(text: &str) -> Vec<Definition<'_>> {
    let mut definitions: Vec<Definition<'_>> = Vec::new();
    let mut goes_on = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let value = match (definition(line), definitions.last_mut()) {
            (_, Some(open)) if goes_on => {
                open.value.push('\n');
                open.value.push_str(line.trim().trim_end_matches('\\').trim());
                Some(line)
            }
            (Some((name, at, value)), _) => {
                let bytes = start + at..start + at + 1 + name.len();
                let first = value.trim_end_matches('\\').trim().to_owned();
                definitions.push(Definition { name, value: first, bytes });
                Some(value)
            }
            (None, _) => None,
        };
        goes_on = value.is_some_and(|value| value.trim_end().ends_with('\\'));
        start += line.len();
    }
    definitions
}

/// A line's `$NAME=VALUE`, which may stand behind conditions: the name, where the `$` is, the value.
fn definition(line: &str) -> Option<(&str, usize, &str)> {
    let mut rest = line.trim_start();
    while rest.starts_with('@') {
        rest = rest.get(rest.find([' ', '\t'])?..)?.trim_start();
    }
    let at = line.len() - rest.len();
    let (name, value) = rest.strip_prefix('$')?.split_once('=')?;
    let named = !name.is_empty() && name.chars().all(is_name);
    named.then(|| (name, at, value.trim()))
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_from_any_of_its_bytes() {
        let name = |offset| reference("a $X_1 ${_ENV HOME} b", offset).map(|found| found.name);
        for offset in [2, 3, 6] {
            assert_eq!(name(offset).as_deref(), Some("X_1"));
        }
        for offset in [7, 10, 19] {
            assert_eq!(name(offset).as_deref(), Some("_ENV"));
        }
        assert_eq!(name(1), None);
        assert_eq!(name(20), None);
        assert_eq!(reference("$", 1).map(|found| found.name).as_deref(), Some(""));
    }

    #[test]
    fn a_definition_has_all_its_lines() {
        let text = "$A=1\n@node  $B= x \\\n  y\\\n z\n$C=\nw $D=2\n";
        let found = definitions(text);
        let values: Vec<_> = found.iter().map(|found| (found.name, found.value.as_str())).collect();
        assert_eq!(values, [("A", "1"), ("B", "x\ny\nz"), ("C", "")]);
        assert_eq!(&text[found[1].bytes.clone()], "$B");
    }
}
