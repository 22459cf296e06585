//! From PCRE2's syntax to the engine's.
//!
//! Where both write the same and mean something else: `$` also matches before a last line feed, `{` that
//! counts nothing is a brace, `[` in a class is a bracket, `\<` is a character, and without `utf` a character
//! is a byte.

use super::{
    Options, PatternError,
    class::{class, kind_of, literal, number},
    reader::Reader,
};

/// The pattern in the engine's words.
pub(super) fn translate(text: &str, options: Options) -> Result<String, PatternError> {
    let flags = Flags { multiline: options.multiline, extended: options.extended };
    let mut translator = Translator {
        reader: Reader::new(text),
        out: if options.ungreedy { "(?U)".to_owned() } else { String::new() },
        options,
        flags,
        brackets: text.matches('(').count(),
        groups: Vec::new(),
    };
    while let Some(char) = translator.reader.next() {
        translator.one(char)?;
    }
    if translator.groups.is_empty() {
        Ok(translator.out)
    } else {
        Err(PatternError::Syntax { what: "`(` is not closed", at: text.chars().count() })
    }
}

/// Where a word of ASCII begins or ends.
const ASCII_EDGE: &str = "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))";

/// What inline options such as `(?mx)` change.
#[derive(Clone, Copy, Debug)]
struct Flags {
    multiline: bool,
    extended: bool,
}

struct Translator<'a> {
    reader: Reader<'a>,
    out: String,
    options: Options,
    flags: Flags,
    /// Groups that there are at most.
    brackets: usize,
    /// What was valid outside the groups that are open.
    groups: Vec<Flags>,
}

impl Translator<'_> {
    fn one(&mut self, char: char) -> Result<(), PatternError> {
        let Options { utf, ucp, allow_empty_class, .. } = self.options;
        match char {
            '\\' => return self.escape(),
            '[' => return class(&mut self.reader, &mut self.out, allow_empty_class, utf, ucp),
            '(' => return self.group(),
            ')' => {
                self.flags = self.groups.pop().ok_or(PatternError::Syntax {
                    what: "`)` closes nothing",
                    at: self.reader.at(),
                })?;
                self.out.push(')');
            }
            '^' => self.out.push_str(if self.flags.multiline { "(?m:^)" } else { r"\A" }),
            '$' => self.dollar(),
            '{' => match self.reader.count()? {
                Some(count) => self.out.push_str(&format!("{{{count}}}")),
                None => self.out.push_str(r"\{"),
            },
            '.' | '|' | '*' | '+' | '?' => self.out.push(char),
            char if self.flags.extended && char.is_ascii_whitespace() => {}
            '#' if self.flags.extended => {
                while self.reader.next().is_some_and(|char| char != '\n') {}
            }
            char => literal(&mut self.out, char, utf),
        }
        Ok(())
    }

    /// Before a last line feed, unless `dollar_endonly` says otherwise.
    fn dollar(&mut self) {
        let rest = self.reader.rest();
        let last = rest.is_empty() || rest.starts_with(')') || rest.starts_with('|');
        self.out.push_str(match (self.flags.multiline, self.options.dollar_endonly) {
            (true, _) => "(?m:$)",
            (false, true) => r"\z",
            // Taking the line feed along is quicker than looking at it, where nothing follows.
            (false, false) if last => r"(?:\n?\z)",
            (false, false) => r"(?=\n?\z)",
        });
    }

    fn group(&mut self) -> Result<(), PatternError> {
        let at = self.reader.at();
        if self.reader.starts_with("*") {
            let what = "verbs such as `(*UTF)` are not possible here";
            return Err(PatternError::Syntax { what, at });
        }
        let outside = self.flags;
        if !self.reader.eat('?') {
            self.groups.push(outside);
            self.out.push('(');
            return Ok(());
        }
        if self.reader.eat('#') {
            while self.reader.next().is_some_and(|char| char != ')') {}
            return Ok(());
        }
        for begin in
            ["<=", "<!", "=", "!", ":", ">", "P<", "P=", "P>", "<", "'", "(", "R", "&", "|", "C"]
        {
            if self.reader.eat_word(begin) {
                self.groups.push(outside);
                return self.special(begin, at);
            }
        }
        self.inline(outside)
    }

    /// A group that is more than brackets.
    fn special(&mut self, begin: &str, at: usize) -> Result<(), PatternError> {
        let until = |reader: &mut Reader<'_>, end| reader.until(end).to_owned();
        match begin {
            "P<" | "<" => {
                let name = until(&mut self.reader, '>');
                self.out.push_str(&format!("(?<{name}>"));
            }
            "'" => {
                let name = until(&mut self.reader, '\'');
                self.out.push_str(&format!("(?<{name}>"));
            }
            "P=" => {
                let name = until(&mut self.reader, ')');
                self.groups.pop();
                self.reference(&name)?;
            }
            "(" if self.reader.rest().starts_with(['R', 'D', '?']) => {
                let what = "this condition is not possible here";
                return Err(PatternError::Syntax { what, at });
            }
            "(" => {
                let name = until(&mut self.reader, ')');
                self.out.push_str(&format!("(?({name})"));
            }
            "R" | "&" | "P>" => {
                return Err(PatternError::Syntax { what: "recursion is not possible here", at });
            }
            "|" | "C" => {
                let what = "this kind of group is not possible here";
                return Err(PatternError::Syntax { what, at });
            }
            begin => self.out.push_str(&format!("(?{begin}")),
        }
        Ok(())
    }

    /// `(?i)`, `(?m-s:`.
    fn inline(&mut self, outside: Flags) -> Result<(), PatternError> {
        let (mut on, mut engine) = (true, [String::new(), String::new()]);
        loop {
            let at = self.reader.at();
            match self.reader.next() {
                Some('-') => on = false,
                Some('m') => self.flags.multiline = on,
                Some('x') => self.flags.extended = on,
                // How groups are numbered and named.
                Some('J' | 'n') => {}
                Some(flag @ ('i' | 's' | 'U')) => {
                    let [yes, no] = &mut engine;
                    if on { yes } else { no }.push(flag);
                }
                Some(end @ (')' | ':')) => {
                    let [yes, no] = engine;
                    let no = if no.is_empty() { no } else { format!("-{no}") };
                    if end == ':' {
                        self.groups.push(outside);
                        self.out.push_str(&format!("(?{yes}{no}:"));
                    } else if !(yes.is_empty() && no.is_empty()) {
                        self.out.push_str(&format!("(?{yes}{no})"));
                    }
                    return Ok(());
                }
                Some(_) | None => {
                    let what = "not an option that can be set in a pattern";
                    return Err(PatternError::Syntax { what, at });
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let Options { utf, ucp, alt_bsux, .. } = self.options;
        let at = self.reader.at();
        let Some(char) = self.reader.next() else {
            return Err(PatternError::Syntax { what: "`\\` at the end", at });
        };
        if alt_bsux && matches!(char, 'u' | 'U' | 'x') {
            let why = "is not possible here with `\\u`, `\\U` or `\\x` in the pattern";
            return Err(PatternError::Option { option: "alt_bsux", why });
        }
        match char {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'H' | 'v' | 'V' => {
                self.out.push_str(kind_of(char, utf, ucp));
            }
            'b' if utf && !ucp => self.out.push_str(ASCII_EDGE),
            'B' if utf && !ucp => self.out.push_str(&format!("(?!{ASCII_EDGE})")),
            'A' | 'z' | 'b' | 'B' | 'K' => self.out.extend(['\\', char]),
            'Z' => self.out.push_str(r"(?=\n?\z)"),
            'N' => self.out.push_str(r"[^\n]"),
            'C' => self.out.push_str("(?s:.)"),
            'R' => {
                self.out.push_str(r"(?:\r\n|");
                self.out.push_str(kind_of('v', utf, ucp));
                self.out.push(')');
            }
            'Q' => {
                let quoted = self.reader.quoted();
                quoted.chars().for_each(|char| literal(&mut self.out, char, utf));
            }
            'E' => {}
            'p' | 'P' if utf => self.reader.property(char, &mut self.out)?,
            'k' | 'g' => {
                let name = self.reader.name().ok_or(PatternError::Syntax {
                    what: "this reference is not possible here",
                    at,
                })?;
                self.reference(&name)?;
            }
            '1'..='9' => match self.reader.octal_if(char, self.brackets.max(1)) {
                Some(code) => number(&mut self.out, code, utf),
                None => {
                    let digits = self.reader.digits();
                    self.reference(&format!("{char}{digits}"))?;
                }
            },
            char => match self.reader.code(char)? {
                Some(code) => number(&mut self.out, code, utf),
                None if char.is_ascii_alphanumeric() => {
                    let what = "this escape is not possible here";
                    return Err(PatternError::Syntax { what, at });
                }
                None => literal(&mut self.out, char, utf),
            },
        }
        Ok(())
    }

    fn reference(&mut self, name: &str) -> Result<(), PatternError> {
        if self.options.match_unset_backref {
            let why = "is not possible here with references such as `\\1` in the pattern";
            return Err(PatternError::Option { option: "match_unset_backref", why });
        }
        self.out.push_str(&format!(r"\k<{name}>"));
        Ok(())
    }
}
