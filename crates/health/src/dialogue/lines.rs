//! Lines of text from bytes.

/// So much of a line is kept.
const LINE: usize = 1024;

/// Bytes that become lines. What is behind the first kilobyte of a line is dropped.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    bytes: u64,
}

impl Lines {
    /// The next line, without its end, which may be LF or CRLF; what is behind it stays in `bytes`.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(line.get(..room).unwrap_or(line));
        let taken =
            bytes.len().saturating_sub(rest.len()).saturating_add(usize::from(end.is_some()));
        self.bytes = self.bytes.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        *bytes = rest.get(1..).unwrap_or_default();
        end?;
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }

    /// How many bytes have come in all.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_in_any_pieces_and_long_ones_are_cut() {
        let text = [&b"a\r\n\nb"[..], &[b'x'; 5000], b"\nrest"].concat();
        for size in [1, 3, 10_000] {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for mut piece in text.chunks(size) {
                while let Some(line) = lines.next(&mut piece) {
                    found.push(line);
                }
            }
            assert_eq!(found.len(), 3);
            assert_eq!((&found[0][..], &found[1][..]), (&b"a"[..], &b""[..]));
            assert_eq!(found[2].len(), LINE);
            assert_eq!(lines.bytes(), 5010);
        }
    }
}
