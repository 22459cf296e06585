//! Messages on the wire: `Content-Length: N`, an empty line, N bytes of JSON.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

/// A message that is longer is refused: no configuration is.
const LENGTH_MAX: usize = 64 << 20;
/// A header's line that is longer is none.
const HEADER_MAX: u64 = 4096;

/// The next message's bytes; `None` when the editor hung up between two messages.
///
/// # Errors
/// The pipe broke, also in the middle of a message, or the length is absurd.
pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(HEADER_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
        // Without a length the lines up to here are noise, and the next header is looked for.
        if line.is_empty()
            && let Some(length) = length
        {
            return body(input, length).map(Some);
        }
    }
}

fn body(input: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    if length > LENGTH_MAX {
        let message = format!("a message of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(body)
}

/// Writes one message.
///
/// # Errors
/// The pipe broke.
pub(crate) fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_before_a_header_is_skipped() {
        let bytes = b"garbage\r\n\r\ncontent-length: 2\r\nContent-Type: x\r\n\r\n{}rest";
        let mut input = bytes.as_slice();
        assert_eq!(read(&mut input).unwrap().unwrap(), b"{}");
        assert_eq!(input, b"rest");
    }

    #[test]
    fn the_end_between_messages_is_no_error_and_within_one_it_is() {
        assert!(read(&mut b"".as_slice()).unwrap().is_none());
        assert!(read(&mut b"Content-Length: 9\r\n\r\n{}".as_slice()).is_err());
        assert!(read(&mut b"Content-Length: 99999999999\r\n\r\n{}".as_slice()).is_err());
    }
}
