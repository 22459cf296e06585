//! Characters that a word processor or an input method put where the shell needs plain ones.

/// One such character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    /// Byte offset in the line.
    pub(super) start: usize,
    /// Length in bytes.
    pub(super) len: usize,
    pub(super) found: char,
    /// What the shell would understand.
    pub(super) plain: char,
    /// The word with it.
    pub(super) instead: String,
}

/// The slips of a line of shell: outside of quotes and comments, and where they have the look
/// of syntax. A dash inside a word or an echoed sentence is left alone.
pub(super) fn slips(line: &str) -> Vec<Slip> {
    let mut slips = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    for (start, char) in line.char_indices() {
        let at_word = before.is_whitespace() || matches!(before, '=' | '(' | '`' | '|' | ';');
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if matches!(char, '"' | '\'') && before != '\\' => quote = Some(char),
            None if char == '#' && at_word => break,
            None => {
                if let Some(plain) = plain(char, at_word) {
                    let rest = line.get(start + char.len_utf8()..).unwrap_or_default();
                    let instead = instead(plain, rest);
                    let len = char.len_utf8();
                    slips.push(Slip { start, len, found: char, plain, instead });
                }
            }
        }
        before = char;
    }
    slips
}

fn plain(char: char, at_word: bool) -> Option<char> {
    match char {
        '\u{2010}'..='\u{2015}' | '\u{2212}' if at_word => Some('-'),
        '\u{201c}' | '\u{201d}' | '\u{201e}' => Some('"'),
        '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{a0}' | '\u{3000}' => Some(' '),
        // Full-width forms of ASCII stand in the same order as ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xff01 + 0x21),
        _ => None,
    }
}

/// The word with plain characters; a dash before a long option is two.
fn instead(plain: char, rest: &str) -> String {
    let ends =
        |char: char| char.is_whitespace() || matches!(char, '|' | '`' | ';' | ')' | '"' | '\'');
    let word: String = rest.split(ends).next().unwrap_or_default().chars().take(40).collect();
    let letters = word.chars().take_while(char::is_ascii_alphabetic).count();
    match plain {
        '-' if letters > 1 => format!("--{word}"),
        '-' => format!("-{}", word.trim_start_matches('-')),
        _ => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_en_dash_before_a_long_option_is_two_hyphens() {
        let found = slips("A=`ps -C nginx \u{2013}no-header |wc -l`");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].instead.as_str()), (15, "--no-header"));
        assert_eq!(slips("kill \u{2013}0 1")[0].instead, "-0");
    }

    #[test]
    fn typography_in_comments_and_quoted_text_is_fine() {
        assert_eq!(slips("# \u{2013} dash"), []);
        assert_eq!(slips("echo \"a \u{2013} b\u{ff0c}c\""), []);
        assert_eq!(slips("echo a\u{2013}b"), []);
        assert_eq!(slips("grep \u{201c}x\u{201d}")[0].plain, '"');
        assert_eq!(slips("a\u{ff5c}b")[0].plain, '|');
    }
}
