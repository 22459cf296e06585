//! The internet checksum (RFC 1071).

/// A running one's complement sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u32);

impl Sum {
    /// Adds bytes; an odd last byte counts as the high half of a word.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        let tail = rest.first().map(|&byte| u16::from_be_bytes([byte, 0]));
        let words = words.iter().map(|&word| u16::from_be_bytes(word));
        Self(words.chain(tail).fold(self.0, |sum, word| {
            let sum = sum.wrapping_add(u32::from(word));
            (sum & 0xffff).wrapping_add(sum >> 16)
        }))
    }

    /// The checksum of everything added: the complement of the folded sum.
    #[must_use]
    pub fn finish(self) -> u16 {
        let folded = (self.0 & 0xffff).wrapping_add(self.0 >> 16);
        !u16::try_from(folded & 0xffff).unwrap_or(0)
    }

    /// Whether bytes that contain their own checksum are intact.
    #[must_use]
    pub fn is_intact(self) -> bool {
        self.finish() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let sum = Sum::default().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn an_odd_byte_is_padded_on_the_right() {
        assert_eq!(Sum::default().with(&[0x12]).finish(), !0x1200);
    }
}
