//! Messages with a header of fixed size that says their length.

/// So much of a message is enough for most.
pub(super) const KEPT: usize = 2048;

/// Bytes that become messages. What is behind the first bytes of a long one is dropped.
#[derive(Debug)]
pub(super) struct Frames<const HEADER: usize> {
    /// How many bytes follow a header; `None` when it is no header.
    measure: fn(&[u8; HEADER]) -> Option<usize>,
    /// So much of a message is kept.
    kept: usize,
    frame: Vec<u8>,
    /// Bytes of the last message that are still to come.
    dropped: usize,
}

/// One message.
pub(super) struct Frame<const HEADER: usize> {
    pub(super) header: [u8; HEADER],
    pub(super) body: Vec<u8>,
}

/// What came is no message.
pub(super) struct Nonsense;

impl<const HEADER: usize> Frames<HEADER> {
    pub(super) const fn new(measure: fn(&[u8; HEADER]) -> Option<usize>, kept: usize) -> Self {
        Self { measure, kept, frame: Vec::new(), dropped: 0 }
    }

    /// The next message; the rest stays in `bytes`.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Result<Frame<HEADER>, Nonsense>> {
        loop {
            let (dropped, rest) = bytes.split_at(self.dropped.min(bytes.len()));
            self.dropped = self.dropped.saturating_sub(dropped.len());
            *bytes = rest;
            let kept = match self.frame.split_first_chunk::<HEADER>() {
                None => HEADER,
                Some((header, body)) => {
                    let Some(length) = (self.measure)(header) else { return Some(Err(Nonsense)) };
                    let kept = length.min(self.kept);
                    if body.len() >= kept {
                        let whole = Frame { header: *header, body: body.to_vec() };
                        self.dropped = length.saturating_sub(kept);
                        self.frame.clear();
                        return Some(Ok(whole));
                    }
                    HEADER.saturating_add(kept)
                }
            };
            if bytes.is_empty() {
                return None;
            }
            let missing = kept.saturating_sub(self.frame.len()).min(bytes.len());
            let (mine, rest) = bytes.split_at(missing);
            self.frame.extend_from_slice(mine);
            *bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_any_pieces_and_long_ones_are_cut() {
        let message = |length: u16| {
            let mut message = length.to_be_bytes().to_vec();
            message.resize(usize::from(length) + 2, b'x');
            message
        };
        let all = [message(3), message(0), message(60_000), message(1)].concat();
        for size in [1, 7, 100_000] {
            let mut frames =
                Frames::<2>::new(|header| Some(u16::from_be_bytes(*header).into()), KEPT);
            let mut found = Vec::new();
            for mut piece in all.chunks(size) {
                while let Some(Ok(Frame { body, .. })) = frames.next(&mut piece) {
                    found.push(body.len());
                }
                assert!(piece.is_empty());
            }
            assert_eq!(found, [3, 0, KEPT, 1]);
        }
        let mut frames = Frames::<1>::new(|_| None, KEPT);
        assert!(matches!(frames.next(&mut &b"x"[..]), Some(Err(Nonsense))));
    }
}
