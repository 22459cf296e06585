//! Status line and header fields.

use super::body::Body;
use crate::{Failure, dialogue::lines::Lines};

/// A header may be so long.
const HEADER: u64 = 256 * 1024;
/// The status line may be so long.
const FIRST: u64 = 1024;

/// The header, line by line.
#[derive(Debug, Default)]
pub(super) struct Head {
    lines: Lines,
    status: Option<u16>,
    /// Whether the server keeps connections open unless it says otherwise.
    keeps: bool,
    close: bool,
    length: Length,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Unsaid,
    Said(u64),
    /// Said twice in two ways, or no number.
    Confused,
}

impl Head {
    /// What follows the header once it is complete.
    pub(super) fn feed<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Failure> {
        let mut rest = bytes;
        while let Some(line) = self.lines.next(&mut rest) {
            self.bounded()?;
            if self.line(&line)? {
                return Ok(Some(rest));
            }
        }
        self.bounded()?;
        Ok(None)
    }

    fn bounded(&self) -> Result<(), Failure> {
        match self.lines.bytes() {
            bytes if bytes > HEADER => Err(Failure::Malformed("the header has no end")),
            bytes if bytes > FIRST && self.status.is_none() => {
                Err(Failure::Malformed("the answer is not HTTP"))
            }
            _ => Ok(()),
        }
    }

    /// The number after the first space.
    pub(super) const fn status(&self) -> u16 {
        match self.status {
            Some(status) => status,
            None => 0,
        }
    }

    /// Whether another header follows this one (RFC 9110, section 15.2).
    pub(super) const fn is_interim(&self) -> bool {
        matches!(self.status(), 100 | 102..=199)
    }

    /// Whether the server will take another request.
    pub(super) const fn is_persistent(&self) -> bool {
        self.keeps && !self.close
    }

    /// How the body ends (RFC 9112, section 6.3).
    pub(super) const fn body(&self) -> Body {
        match (self.status(), self.length) {
            (204 | 304, _) => Body::of_length(0),
            _ if self.chunked => Body::chunked(),
            (_, Length::Said(length)) => Body::of_length(length),
            (_, Length::Unsaid | Length::Confused) => Body::UntilEnd,
        }
    }

    /// Whether the line is the empty one that ends the header.
    fn line(&mut self, line: &[u8]) -> Result<bool, Failure> {
        if self.status.is_none() {
            self.status = Some(status(line).ok_or(Failure::Malformed("the answer is not HTTP"))?);
            self.keeps = line.starts_with(b"HTTP/1.") && !line.starts_with(b"HTTP/1.0");
        } else if line.is_empty() {
            return Ok(true);
        } else {
            self.field(line);
        }
        Ok(false)
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.length = match (self.length, number) {
                (Length::Unsaid, Some(number)) => Length::Said(number),
                (Length::Said(before), Some(number)) if before == number => self.length,
                _ => Length::Confused,
            };
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = last_word(value).eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            let mut words = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            self.close |= words.any(|word| word.eq_ignore_ascii_case(b"close"));
        }
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let blank = line.iter().position(|&byte| byte == b' ')?;
    let rest = line.get(blank..)?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

fn last_word(value: &[u8]) -> &[u8] {
    value.rsplit(|&byte| byte == b',').next().unwrap_or_default().trim_ascii()
}
