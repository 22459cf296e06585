//! The client's side of SMTP (RFC 5321): replies from bytes, lines and letters to bytes.

/// The longest line of a reply, its end included; RFC 5321 section 4.5.3.1.5 allows 512.
pub const LINE: usize = 2048;
/// The most lines of one reply.
const LINES: usize = 128;

/// Bytes of a server that become replies.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
    /// Of the reply that is being read.
    code: Option<u16>,
    lines: usize,
    text: String,
}

/// One reply, of one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Its text, several lines joined by blanks, without control characters.
    pub text: String,
}

/// What a server said is no reply; the dialogue can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonsense {
    /// A line without a code of three digits, or with another code than the lines before it.
    Malformed,
    /// A line or a reply without end.
    TooLong,
}

impl Reply {
    /// Whether the command was done, or is to be continued (2xx, 3xx).
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }
}

impl Replies {
    /// Takes bytes; [`Self::poll`] says what they came to.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole reply.
    ///
    /// # Errors
    /// The bytes are no replies.
    pub fn poll(&mut self) -> Result<Option<Reply>, Nonsense> {
        loop {
            let Some(end) = self.bytes.iter().take(LINE).position(|&byte| byte == b'\n') else {
                let endless = self.bytes.len() >= LINE;
                return if endless { Err(Nonsense::TooLong) } else { Ok(None) };
            };
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            if let Some(reply) = self.line(&line)? {
                return Ok(Some(reply));
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Nonsense> {
        let (code, rest) = line.split_first_chunk::<3>().ok_or(Nonsense::Malformed)?;
        let code = code.iter().try_fold(0_u16, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
            digit.map(|digit| sum * 10 + digit)
        });
        let code = code.filter(|code| (200..600).contains(code)).ok_or(Nonsense::Malformed)?;
        if self.code.is_some_and(|first| first != code) {
            return Err(Nonsense::Malformed);
        }
        self.lines += 1;
        if self.lines > LINES {
            return Err(Nonsense::TooLong);
        }
        let (more, text) = match rest.split_first() {
            Some((b'-', text)) => (true, text),
            Some((b' ' | b'\r' | b'\n', text)) => (false, text),
            Some(_) | None => return Err(Nonsense::Malformed),
        };
        let text = String::from_utf8_lossy(text);
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.extend(text.trim_end().chars().filter(|char| !char.is_control()));
        if more {
            self.code = Some(code);
            return Ok(None);
        }
        let text = std::mem::take(&mut self.text);
        (self.code, self.lines) = (None, 0);
        Ok(Some(Reply { code, text }))
    }
}

/// One line to the server. What could end it early is left out.
#[must_use]
pub fn command(text: &str) -> Vec<u8> {
    let mut line: Vec<u8> =
        text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect();
    line.extend(b"\r\n");
    line
}

/// What follows DATA: the lines of a letter, and the dot that ends it. A line that begins with a dot
/// gets a second one (RFC 5321, section 4.5.2).
#[must_use]
pub fn data(letter: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in letter.lines() {
        if line.starts_with('.') {
            bytes.push(b'.');
        }
        bytes.extend(command(line));
    }
    bytes.extend(b".\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(bytes: &[u8]) -> Vec<Result<Reply, Nonsense>> {
        let mut replies = Replies::default();
        replies.push(bytes);
        let mut all = Vec::new();
        while let Some(reply) = replies.poll().transpose() {
            let failed = reply.is_err();
            all.push(reply);
            if failed {
                break;
            }
        }
        all
    }

    fn reply(code: u16, text: &str) -> Result<Reply, Nonsense> {
        Ok(Reply { code, text: text.to_owned() })
    }

    #[test]
    fn replies_of_one_line_and_of_several_are_read_whole() {
        let bytes = b"220 mail ready\r\n250-mail\r\n250-SIZE 1\r\n250 HELP\r\n354\r\n";
        let expected = [reply(220, "mail ready"), reply(250, "mail SIZE 1 HELP"), reply(354, "")];
        assert_eq!(replies(bytes), expected);
    }

    #[test]
    fn bytes_may_come_one_at_a_time() {
        let mut replies = Replies::default();
        let mut found = Vec::new();
        for byte in b"250-a\r\n250 b\r\n" {
            replies.push(&[*byte]);
            found.extend(replies.poll().expect("sound"));
        }
        assert_eq!(found, [reply(250, "a b").expect("sound")]);
    }

    #[test]
    fn what_is_no_reply_ends_the_dialogue() {
        for bytes in
            [&b"hello\r\n"[..], b"25\r\n", b"250x\r\n", b"199 a\r\n", b"250-a\r\n251 b\r\n"]
        {
            assert_eq!(replies(bytes), [Err(Nonsense::Malformed)], "{bytes:?}");
        }
        assert_eq!(replies(&[b'2'; LINE]), [Err(Nonsense::TooLong)]);
        assert_eq!(replies(&b"250-\r\n".repeat(LINES + 1)), [Err(Nonsense::TooLong)]);
        assert_eq!(replies(&[b'2'; LINE - 1]), []);
    }

    #[test]
    fn nothing_in_a_letter_ends_it_early() {
        assert_eq!(data("a\n.\n..b\r\nc\rd"), b"a\r\n..\r\n...b\r\ncd\r\n.\r\n");
        assert_eq!(command("MAIL FROM:<a>\r\nDATA"), b"MAIL FROM:<a>DATA\r\n");
    }
}
