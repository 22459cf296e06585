//! Character classes: what stands between brackets.

use std::fmt::Write;

use super::{PatternError, reader::Reader};

/// Writes the class whose bracket has been read.
pub(super) fn class(
    reader: &mut Reader<'_>,
    out: &mut String,
    empty: bool,
    utf: bool,
    ucp: bool,
) -> Result<(), PatternError> {
    let begin = reader.at();
    let negated = reader.eat('^');
    if empty && reader.eat(']') {
        out.push_str(if negated { "(?s:.)" } else { "(?!)" });
        return Ok(());
    }
    out.push_str(if negated { "[^" } else { "[" });
    let (mut first, mut begins_range) = (true, false);
    loop {
        let Some(char) = reader.next() else {
            return Err(PatternError::Syntax { what: "`[` is not closed", at: begin });
        };
        begins_range = match char {
            ']' if !first => break,
            '[' if reader.starts_with(":") && posix(reader, out) => false,
            '\\' => escape(reader, out, utf, ucp)?,
            '-' if begins_range && ends_range(reader) => {
                // Both ends are written as numbers, so that neither can be an operator.
                out.push('-');
                match reader.next() {
                    Some('\\') => drop(escape(reader, out, utf, ucp)?),
                    Some(char) => literal(out, char, utf),
                    None => {}
                }
                false
            }
            char => {
                literal(out, char, utf);
                true
            }
        };
        first = false;
    }
    out.push(']');
    Ok(())
}

/// Whether what follows is one character.
fn ends_range(reader: &Reader<'_>) -> bool {
    const NONE: [&str; 14] = [
        "]", "[:", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\h", r"\H", r"\v", r"\V", r"\p",
        r"\P",
    ];
    !NONE.iter().any(|begin| reader.starts_with(begin))
}

/// `[:alpha:]`, whose first bracket has been read. Whether it was one.
fn posix(reader: &mut Reader<'_>, out: &mut String) -> bool {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    for name in NAMES {
        for not in ["", "^"] {
            if reader.eat_word(&format!(":{not}{name}:]")) {
                let _ = write!(out, "[:{not}{name}:]");
                return true;
            }
        }
    }
    false
}

/// Writes what an escape stands for; whether it is one character.
fn escape(
    reader: &mut Reader<'_>,
    out: &mut String,
    utf: bool,
    ucp: bool,
) -> Result<bool, PatternError> {
    let at = reader.at();
    match reader.next() {
        // A backspace, here.
        Some('b') => out.push_str(r"\x08"),
        Some('E') => return Ok(false),
        Some('Q') => reader.quoted().chars().for_each(|char| literal(out, char, utf)),
        Some(kind @ ('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'H' | 'v' | 'V')) => {
            out.push_str(kind_of(kind, utf, ucp));
            return Ok(false);
        }
        Some(kind @ ('p' | 'P')) => {
            reader.property(kind, out)?;
            return Ok(false);
        }
        Some(char @ '1'..='7') => {
            let code = reader.octal_if(char, 0).unwrap_or_default();
            number(out, code, utf);
        }
        Some(char) => match reader.code(char)? {
            Some(code) => number(out, code, utf),
            None if char.is_ascii_alphanumeric() => {
                let what = "this escape has no meaning in a class";
                return Err(PatternError::Syntax { what, at });
            }
            None => literal(out, char, utf),
        },
        None => return Err(PatternError::Syntax { what: "`\\` at the end", at }),
    }
    Ok(true)
}

/// A kind of characters, as a class that may stand alone or in another one.
pub(super) const fn kind_of(kind: char, utf: bool, ucp: bool) -> &'static str {
    match (kind, utf && !ucp, utf) {
        ('d', false, _) => r"\d",
        ('D', false, _) => r"\D",
        ('w', false, _) => r"\w",
        ('W', false, _) => r"\W",
        ('s', false, _) => r"\s",
        ('S', false, _) => r"\S",
        ('d', true, _) => "[0-9]",
        ('D', true, _) => "[^0-9]",
        ('w', true, _) => "[0-9A-Za-z_]",
        ('W', true, _) => "[^0-9A-Za-z_]",
        ('s', true, _) => r"[\t-\r\x20]",
        ('S', true, _) => r"[^\t-\r\x20]",
        ('h', _, false) => r"[\t\x20\xA0]",
        ('H', _, false) => r"[^\t\x20\xA0]",
        ('h', _, true) => r"[\t\p{Zs}\x{180E}]",
        ('H', _, true) => r"[^\t\p{Zs}\x{180E}]",
        ('v', _, false) => r"[\n-\r\x85]",
        ('V', _, false) => r"[^\n-\r\x85]",
        ('v', _, true) => r"[\n-\r\x{85}\x{2028}\x{2029}]",
        _ => r"[^\n-\r\x{85}\x{2028}\x{2029}]",
    }
}

/// A character that means itself, in a class or not.
pub(super) fn literal(out: &mut String, char: char, utf: bool) {
    if char.is_ascii_alphanumeric() || (utf && !char.is_ascii()) {
        out.push(char);
    } else {
        let mut bytes = [0; 4];
        for byte in char.encode_utf8(&mut bytes).bytes() {
            let _ = write!(out, r"\x{byte:02X}");
        }
    }
}

/// A character by its number.
pub(super) fn number(out: &mut String, code: u32, utf: bool) {
    let _ = match code {
        0..=0x7f => write!(out, r"\x{code:02X}"),
        _ if utf => write!(out, r"\x{{{code:X}}}"),
        _ => write!(out, r"\x{:02X}", code & 0xff),
    };
}
