//! Where a body ends, and what it is without the sizes of its chunks.

use super::page::Page;
use crate::Failure;

/// How a body is framed.
#[derive(Debug)]
pub(super) enum Body {
    /// It ends with the connection.
    UntilEnd,
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunks),
}

/// Where in a chunked body (RFC 9112, section 7.1) the reader is.
#[derive(Debug)]
pub(super) enum Chunks {
    Size {
        size: u64,
        digits: u8,
    },
    /// The rest of a size's line.
    Extension {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// The line's end behind the data.
    DataEnd,
    /// Fields behind the last chunk; how long the current line is.
    Trailer {
        length: u64,
    },
    /// It makes no sense: the rest is taken as it is, to the end of the connection.
    Nonsense,
}

/// Whether there is more of a body.
pub(super) enum Progress {
    More,
    Complete {
        /// Bytes came that nobody asked for.
        extra: bool,
    },
}

impl Body {
    pub(super) const fn of_length(length: u64) -> Self {
        Self::Length(length)
    }

    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunks::Size { size: 0, digits: 0 })
    }

    pub(super) fn feed(&mut self, bytes: &[u8], page: &mut Page) -> Result<Progress, Failure> {
        let (mine, complete) = match self {
            Self::UntilEnd => (bytes.len(), false),
            Self::Length(left) => {
                let mine = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left = left.saturating_sub(u64::try_from(mine).unwrap_or(u64::MAX));
                (mine, *left == 0)
            }
            Self::Chunked(chunks) => {
                let (mine, complete) = chunks.feed(bytes, page)?;
                page.raw(bytes.get(..mine).unwrap_or_default());
                return Ok(progress(bytes, mine, complete));
            }
        };
        let bytes_of_page = bytes.get(..mine).unwrap_or_default();
        page.raw(bytes_of_page);
        page.text(bytes_of_page)?;
        Ok(progress(bytes, mine, complete))
    }
}

const fn progress(bytes: &[u8], mine: usize, complete: bool) -> Progress {
    if complete { Progress::Complete { extra: mine < bytes.len() } } else { Progress::More }
}

impl Chunks {
    /// How many of the bytes belong to the body, and whether it is complete.
    fn feed(&mut self, bytes: &[u8], page: &mut Page) -> Result<(usize, bool), Failure> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut taken = 1;
            *self = match *self {
                Self::Size { size, digits } => Self::size(size, digits, byte),
                Self::Extension { size } if byte == b'\n' => Self::after_size(size),
                Self::Extension { size } => Self::Extension { size },
                Self::Data { left } => {
                    taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    page.text(rest.get(..taken).unwrap_or_default())?;
                    match left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX)) {
                        0 => Self::DataEnd,
                        left => Self::Data { left },
                    }
                }
                Self::DataEnd => match byte {
                    b'\r' => Self::DataEnd,
                    b'\n' => Self::Size { size: 0, digits: 0 },
                    _ => Self::Nonsense,
                },
                Self::Trailer { length: 0 } if byte == b'\n' => {
                    return Ok((at.saturating_add(1), true));
                }
                Self::Trailer { length } => match byte {
                    b'\n' => Self::Trailer { length: 0 },
                    b'\r' => Self::Trailer { length },
                    _ => Self::Trailer { length: length.saturating_add(1) },
                },
                Self::Nonsense => {
                    taken = rest.len();
                    page.text(rest)?;
                    Self::Nonsense
                }
            };
            at = at.saturating_add(taken);
        }
        Ok((at, false))
    }

    fn size(size: u64, digits: u8, byte: u8) -> Self {
        match char::from(byte).to_digit(16) {
            Some(digit) if digits < 15 => Self::Size {
                size: size.saturating_mul(16).saturating_add(u64::from(digit)),
                digits: digits.saturating_add(1),
            },
            Some(_) => Self::Nonsense,
            None if digits == 0 => Self::Nonsense,
            None if byte == b'\n' => Self::after_size(size),
            None if matches!(byte, b';' | b' ' | b'\t' | b'\r') => Self::Extension { size },
            None => Self::Nonsense,
        }
    }

    const fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailer { length: 0 } } else { Self::Data { left: size } }
    }
}
