//! Fields of a header, packed (HPACK, RFC 7541).

use std::collections::VecDeque;

use super::huffman;

/// Bytes that a table of both sides may take, as the RFC counts them; what HTTP/2 begins with.
const TABLE: usize = 4096;
/// What a block may unpack to: a byte of it can stand for an entry of 4 KiB.
const UNPACKED: usize = 64 * 1024;
/// What an entry counts besides its name and value.
const ENTRY: usize = 32;

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dialogue) struct Field {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Reads header blocks of one connection, in order. Holds 4 KiB from one to the next.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The newest first.
    table: VecDeque<Field>,
    size: usize,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, limit: TABLE }
    }
}

impl Decoder {
    /// The fields of a whole block; `None` when it is none.
    pub(super) fn decode(&mut self, block: &[u8]) -> Option<Vec<Field>> {
        let mut rest = block;
        let mut fields = Vec::new();
        let mut unpacked = 0_usize;
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                let index = integer(&mut rest, 7)?;
                fields.push(self.entry(index)?);
            } else if first & 0x40 != 0 {
                let field = self.literal(&mut rest, 6)?;
                self.insert(field.clone());
                fields.push(field);
            } else if first & 0x20 != 0 {
                self.limit = integer(&mut rest, 5).filter(|&limit| limit <= TABLE)?;
                self.evict(0);
            } else {
                fields.push(self.literal(&mut rest, 4)?);
            }
            unpacked = unpacked.saturating_add(fields.last().map_or(0, size));
            if unpacked > UNPACKED {
                return None;
            }
        }
        Some(fields)
    }

    fn literal(&self, rest: &mut &[u8], prefix: u32) -> Option<Field> {
        let name = match integer(rest, prefix)? {
            0 => string(rest)?,
            index => self.entry(index)?.name,
        };
        Some(Field { name, value: string(rest)? })
    }

    fn entry(&self, index: usize) -> Option<Field> {
        let index = index.checked_sub(1)?;
        match STATIC.get(index) {
            Some((name, value)) => {
                Some(Field { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() })
            }
            None => self.table.get(index.checked_sub(STATIC.len())?).cloned(),
        }
    }

    fn insert(&mut self, field: Field) {
        let size = size(&field);
        self.evict(size);
        if size <= self.limit {
            self.size = self.size.saturating_add(size);
            self.table.push_front(field);
        }
    }

    /// Makes room for so much.
    fn evict(&mut self, room: usize) {
        while self.size.saturating_add(room) > self.limit {
            let Some(field) = self.table.pop_back() else { return };
            self.size = self.size.saturating_sub(size(&field));
        }
    }
}

const fn size(field: &Field) -> usize {
    field.name.len().saturating_add(field.value.len()).saturating_add(ENTRY)
}

/// A number whose first bits share a byte with something else (section 5.1).
fn integer(rest: &mut &[u8], prefix: u32) -> Option<usize> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let mask = 0xff_u8 >> 8_u32.saturating_sub(prefix);
    let mut number = u32::from(first & mask);
    if first & mask == mask {
        // Three bytes more count further than any block is long.
        for shift in [0, 7, 14, 21] {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            number = number.checked_add(u32::from(byte & 0x7f) << shift)?;
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        return None;
    }
    usize::try_from(number).ok()
}

fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let packed = rest.first()? & 0x80 != 0;
    let length = integer(rest, 7)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    if packed { huffman::decode(text) } else { Some(text.to_vec()) }
}

/// Appends a field that no table remembers, by the number of its name in the static table.
pub(super) fn indexed_name(block: &mut Vec<u8>, index: u8, value: &str) {
    match index {
        0..15 => block.push(index),
        _ => block.extend([0x0f, index.saturating_sub(15)]),
    }
    plain(block, value);
}

/// Appends a field with its name.
pub(super) fn named(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    plain(block, name);
    plain(block, value);
}

fn plain(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 0x7f {
        block.extend(u8::try_from(rest));
    } else {
        block.push(0x7f);
        rest -= 0x7f;
        while rest >= 0x80 {
            block.extend(u8::try_from(rest & 0x7f | 0x80));
            rest >>= 7;
        }
        block.extend(u8::try_from(rest));
    }
    block.extend(text.as_bytes());
}

/// RFC 7541, appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(decoder: &mut Decoder, block: &[u8]) -> Vec<(String, String)> {
        let fields = decoder.decode(block).expect("a block");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        fields.into_iter().map(|field| (text(field.name), text(field.value))).collect()
    }

    /// RFC 7541, appendix C.6: three responses with Huffman code and a table of 256 bytes.
    #[test]
    fn the_rfcs_responses_are_read() {
        let mut decoder = Decoder { limit: 256, ..Decoder::default() };
        let first = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\x54\xd4\x44\
            \xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\x29\xad\x17\x18\x63\xc7\x8f\
            \x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3";
        let read = fields(&mut decoder, first);
        assert_eq!(read[0], (":status".into(), "302".into()));
        assert_eq!(read[3], ("location".into(), "https://www.example.com".into()));
        assert_eq!(decoder.size, 222);
        let second = fields(&mut decoder, b"\x48\x83\x64\x0e\xff\xc1\xc0\xbf");
        assert_eq!(second[0], (":status".into(), "307".into()));
        assert_eq!(second[1..], read[1..]);
        assert_eq!(decoder.size, 222);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let blocks: [&[u8]; 7] = [
            b"\x80",
            b"\xbe",
            b"\xff\xff\xff\xff\xff\xff",
            b"\x00\x05ab",
            b"\x3f\xff\xff\x03",
            b"\x00",
            b"\x00\x81\xff\x00",
        ];
        for block in blocks {
            assert_eq!(Decoder::default().decode(block), None, "{block:?}");
        }
    }

    #[test]
    fn a_table_is_never_larger_than_it_may_be() {
        let mut decoder = Decoder::default();
        let mut block = Vec::new();
        for _ in 0..100 {
            block.push(0x40);
            plain(&mut block, "name");
            plain(&mut block, &"v".repeat(300));
        }
        assert_eq!(decoder.decode(&block).map(|fields| fields.len()), Some(100));
        assert!(decoder.size <= TABLE && decoder.table.len() == 12);
        assert_eq!(decoder.decode(&[0xbe; 1000]), None, "it would unpack to 336 kB");
        decoder.decode(b"\x20").expect("a size");
        assert!(decoder.table.is_empty());
    }

    #[test]
    fn long_strings_are_written_with_long_lengths() {
        let mut block = Vec::new();
        named(&mut block, "te", &"x".repeat(500));
        indexed_name(&mut block, 58, "agent");
        let read = fields(&mut Decoder::default(), &block);
        assert_eq!(read[0], ("te".into(), "x".repeat(500)));
        assert_eq!(read[1], ("user-agent".into(), "agent".into()));
    }
}
