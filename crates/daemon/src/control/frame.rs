//! Messages on the control socket: JSON, each with a zero byte behind it.

/// The longest message that a client may send, in bytes.
pub const LONGEST: usize = 64 << 10;

/// Cuts what arrives into messages.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// So many of them hold no zero byte.
    searched: usize,
}

/// A message is longer than [`LONGEST`], or so much waits behind one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Frames {
    /// Takes what has arrived.
    ///
    /// # Errors
    /// It is too much. There is nothing more to be had from this client.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.bytes.len().saturating_add(bytes.len()) > LONGEST {
            self.bytes = Vec::new();
            self.searched = 0;
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole message, without its zero byte.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == 0) else {
            self.searched = self.bytes.len();
            return None;
        };
        let mut message: Vec<u8> = self.bytes.drain(..=self.searched + length).collect();
        message.pop();
        self.searched = 0;
        Some(message)
    }

    /// Whether [`Self::poll`] has one.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.bytes.get(self.searched..).unwrap_or_default().contains(&0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: impl Iterator<Item = Vec<u8>>) -> (Vec<Vec<u8>>, bool) {
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        for piece in pieces {
            if frames.push(&piece).is_err() {
                return (all, true);
            }
            all.extend(std::iter::from_fn(|| frames.poll()));
        }
        (all, false)
    }

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let bytes = b"{\"a\":1}\0\0\xff\xfe\0unfinished".to_vec();
        let whole = read(std::iter::once(bytes.clone()));
        assert_eq!(whole.0, [b"{\"a\":1}".to_vec(), Vec::new(), b"\xff\xfe".to_vec()]);
        for size in 1..bytes.len() {
            assert_eq!(read(bytes.chunks(size).map(<[u8]>::to_vec)), whole, "{size}");
        }
    }

    #[test]
    fn a_message_without_an_end_is_given_up() {
        let (all, too_long) = read(std::iter::repeat_n(vec![b'x'; 4096], 17));
        assert_eq!((all.len(), too_long), (0, true));
        let (all, too_long) = read(std::iter::repeat_n([vec![b'x'; 4095], vec![0]].concat(), 100));
        assert_eq!((all.len(), too_long), (100, false));
    }
}
