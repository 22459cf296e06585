//! The Huffman code of HPACK (RFC 7541, appendix B).

/// Symbols by the length of their code in bits. The code is canonical: within a length, and from one
/// length to the next, codes count up in this order.
const CODE: [(u32, &[u8]); 21] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (
        22,
        b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\
          \xe4\xe8\xe9",
    ),
    (
        23,
        b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\
          \xb7\xbc\xbf\xc5\xe7\xef",
    ),
    (24, b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (
        28,
        b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\
          \x1d\x1e\x1f\x7f\xdc\xf9",
    ),
    // The fourth one of these is the end of a string, which must not be sent.
    (30, b"\n\r\x16"),
];

/// The text; `None` when it is no such code.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    let (mut code, mut length) = (0_u32, 0_u32);
    for byte in bytes {
        for bit in (0..8).rev() {
            code = (code << 1) | u32::from((byte >> bit) & 1);
            length += 1;
            if let Some(symbol) = symbol(code, length) {
                text.push(symbol);
                (code, length) = (0, 0);
            } else if length >= 30 {
                return None;
            }
        }
    }
    // What fills the last byte are ones, and fewer than eight.
    let ones = 1_u32.checked_shl(length).and_then(|end| end.checked_sub(1));
    (length < 8 && ones == Some(code)).then_some(text)
}

fn symbol(code: u32, length: u32) -> Option<u8> {
    let (mut first, mut before) = (0_u32, 0_u32);
    for (bits, symbols) in CODE {
        first <<= bits.saturating_sub(before);
        before = bits;
        if bits == length {
            let index = usize::try_from(code.checked_sub(first)?).ok()?;
            return symbols.get(index).copied();
        }
        if bits > length {
            return None;
        }
        first = first.saturating_add(u32::try_from(symbols.len()).unwrap_or(0));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_complete() {
        // The end of a string included.
        let used: u64 = CODE
            .iter()
            .map(|(bits, symbols)| u64::try_from(symbols.len()).expect("few") << (30 - bits))
            .sum();
        assert_eq!(used + 1, 1 << 30);
        let mut all: Vec<u8> =
            CODE.iter().flat_map(|(_, symbols)| symbols.iter().copied()).collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..=255));
    }

    /// RFC 7541, appendix C.4 and C.6.
    #[test]
    fn the_rfcs_examples_are_read() {
        let www = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&www).as_deref(), Some(&b"www.example.com"[..]));
        assert_eq!(decode(&[0x64, 0x02]).as_deref(), Some(&b"302"[..]));
        let date = [
            0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b,
            0x81, 0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
        ];
        assert_eq!(decode(&date).as_deref(), Some(&b"Mon, 21 Oct 2013 20:13:21 GMT"[..]));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        assert_eq!(decode(&[0xff; 4]), None);
        assert_eq!(decode(&[0xff]), None);
        assert_eq!(decode(&[0x00, 0x00]), None);
        assert_eq!(decode(&[]), Some(Vec::new()));
    }
}
