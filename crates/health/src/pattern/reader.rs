//! A pattern, read from left to right.

use super::PatternError;

/// The pattern as it is read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    /// Characters so far.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text, at: 0 }
    }

    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.skip(char.len_utf8());
        Some(char)
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn starts_with(&self, word: &str) -> bool {
        self.rest.starts_with(word)
    }

    pub(super) fn eat(&mut self, char: char) -> bool {
        self.eat_word(char.encode_utf8(&mut [0; 4]))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.rest.starts_with(word);
        if found {
            self.skip(word.len());
        }
        found
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.at = self.at.saturating_add(skipped.chars().count());
        skipped
    }

    /// What comes before this character, which is read too.
    pub(super) fn until(&mut self, end: char) -> &'a str {
        let text = self.skip(self.rest.find(end).unwrap_or(self.rest.len()));
        self.eat(end);
        text
    }

    pub(super) fn digits(&mut self) -> &'a str {
        let other = self.rest.find(|char: char| !char.is_ascii_digit());
        self.skip(other.unwrap_or(self.rest.len()))
    }

    /// What stands behind `\Q`.
    pub(super) fn quoted(&mut self) -> &'a str {
        let text = self.skip(self.rest.find(r"\E").unwrap_or(self.rest.len()));
        self.eat_word(r"\E");
        text
    }

    /// What stands between `{` and `}`, if it makes a count.
    pub(super) fn count(&mut self) -> Result<Option<&'a str>, PatternError> {
        let Some((count, _)) = self.rest.split_once('}') else { return Ok(None) };
        let number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (low, high) = count.split_once(',').unwrap_or((count, ""));
        if !number(low) || !(high.is_empty() || number(high)) {
            return Ok(None);
        }
        let down =
            high.parse::<u32>().is_ok_and(|high| low.parse().is_ok_and(|low: u32| low > high));
        if down {
            return Err(PatternError::Syntax { what: "a count that goes down", at: self.at });
        }
        Ok(Some(self.until('}')))
    }

    /// The name or number behind `\k` or `\g`.
    pub(super) fn name(&mut self) -> Option<String> {
        for (begin, end) in [('{', '}'), ('<', '>'), ('\'', '\'')] {
            if self.eat(begin) {
                return Some(self.until(end).to_owned());
            }
        }
        let sign = if self.eat('-') { "-" } else { "" };
        let digits = self.digits();
        (!digits.is_empty()).then(|| format!("{sign}{digits}"))
    }

    /// `\p{Name}` or `\pL`.
    pub(super) fn property(&mut self, kind: char, out: &mut String) -> Result<(), PatternError> {
        let name = if self.eat('{') {
            self.until('}').to_owned()
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        if name.is_empty() {
            return Err(PatternError::Syntax { what: "`\\p` without a property", at: self.at });
        }
        out.push_str(&format!(r"\{kind}{{{name}}}"));
        Ok(())
    }

    /// The character that an escape such as `\n`, `\x41` or `\033` stands for.
    pub(super) fn code(&mut self, char: char) -> Result<Option<u32>, PatternError> {
        let at = self.at;
        let wrong = || PatternError::Syntax { what: "not the number of a character", at };
        let number = |text: &str, radix| u32::from_str_radix(text, radix).map_err(|_| wrong());
        Ok(Some(match char {
            'a' => 7,
            'e' => 0x1b,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'c' => match self.next().filter(char::is_ascii) {
                Some(char) => u32::from(char.to_ascii_uppercase()) ^ 0x40,
                None => return Err(wrong()),
            },
            'x' if self.eat('{') => number(self.until('}'), 16)?,
            'o' if self.eat('{') => number(self.until('}'), 8)?,
            'x' => {
                let digits = self.short(2, |char| char.is_ascii_hexdigit());
                if digits.is_empty() { 0 } else { number(digits, 16)? }
            }
            '0' => {
                let digits = self.short(2, |char| matches!(char, '0'..='7'));
                if digits.is_empty() { 0 } else { number(digits, 8)? }
            }
            _ => return Ok(None),
        }))
    }

    /// A character by its octal number, when there are not so many groups: `\\103`, not `\\1`.
    pub(super) fn octal_if(&mut self, first: char, groups: usize) -> Option<u32> {
        let digits = self.rest.chars().take_while(char::is_ascii_digit).count();
        let whole = self.rest.get(..digits).unwrap_or_default();
        let refers = format!("{first}{whole}")
            .parse()
            .is_ok_and(|number: usize| number < 10 || number <= groups);
        if refers && groups > 0 || !matches!(first, '1'..='7') {
            return None;
        }
        let more = self.short(2, |char| matches!(char, '0'..='7'));
        u32::from_str_radix(&format!("{first}{more}"), 8).ok()
    }

    /// At most so many characters of a kind.
    fn short(&mut self, most: usize, kind: impl Fn(char) -> bool) -> &'a str {
        let count = self.rest.chars().take(most).take_while(|&char| kind(char)).count();
        self.skip(count)
    }
}
