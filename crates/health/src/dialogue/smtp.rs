//! `SMTP_CHECK` (RFC 5321): a greeting, HELO, QUIT.

use super::{Step, Talk, lines::Lines};
use crate::{Failure, Smtp};

/// A dialogue may be so long.
const BYTES: u64 = 64 * 1024;

/// The client's side.
#[derive(Debug)]
pub(super) struct Mail {
    helo: String,
    waits: Waits,
    lines: Lines,
}

/// What the next reply answers.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Greeting,
    Helo,
    Quit,
}

impl Mail {
    pub(super) fn new(smtp: &Smtp) -> Self {
        let helo = smtp.helo.chars().filter(|char| !char.is_control()).collect();
        Self { helo, waits: Waits::Greeting, lines: Lines::default() }
    }

    fn reply(&mut self, line: &[u8]) -> Step {
        let Some((code, last, text)) = parse(line) else {
            return Step::failed(Failure::said("the answer is not SMTP", line));
        };
        if !last {
            return Step::Wait;
        }
        let (wanted, asked) = match self.waits {
            Waits::Greeting => (220, "the server greeted with"),
            Waits::Helo => (250, "the server answered HELO with"),
            Waits::Quit => (221, "the server answered QUIT with"),
        };
        if code != wanted {
            return Step::failed(Failure::said(format!("{asked} {code}"), text));
        }
        match self.waits {
            Waits::Greeting => {
                self.waits = Waits::Helo;
                Step::Say(format!("HELO {}\r\n", self.helo).into_bytes())
            }
            Waits::Helo => {
                self.waits = Waits::Quit;
                Step::Say(b"QUIT\r\n".to_vec())
            }
            Waits::Quit => Step::good(),
        }
    }
}

impl Talk for Mail {
    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        let mut said = Step::Wait;
        while let Some(line) = self.lines.next(&mut bytes) {
            match self.reply(&line) {
                Step::Wait => {}
                // A server that answers what it was not asked yet answers it all the same.
                Step::Say(more) => said = said.and_say(more),
                over @ Step::Done { .. } => return over,
            }
        }
        if self.lines.bytes() > BYTES {
            return Step::failed(Failure::Malformed("the replies have no end"));
        }
        said
    }

    fn end(&mut self) -> Step {
        match self.waits {
            Waits::Quit => Step::good(),
            Waits::Greeting | Waits::Helo => Step::Wait,
        }
    }
}

/// The code, whether it is the reply's last line, and its text.
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = code.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(code).ok())??;
    let (last, text) = match rest.split_first() {
        Some((b'-', text)) => (false, text),
        Some((b' ', text)) => (true, text),
        None => (true, rest),
        Some(_) => return None,
    };
    Some((code.parse().ok()?, last, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script() -> Script {
        let smtp = Smtp { target: Target::default(), helo: "director.example".into() };
        Script::new(&Kind::Smtp(Box::new(smtp)))
    }

    #[test]
    fn a_mail_server_is_greeted_and_left() {
        let mut script = script();
        script.hear(b"220-mail\r\n220 ready\r\n").says(b"HELO director.example\r\n");
        script.hear(b"250 mail\r\n").says(b"QUIT\r\n");
        script.hear(b"221 bye\r\n").ends(Ok(Good::default()));
    }

    #[test]
    fn a_server_that_closes_instead_of_a_farewell_is_good() {
        let mut script = script();
        script.hear(b"220 a\r\n250 b\r\n").says(b"HELO director.example\r\nQUIT\r\n");
        script.closes().ends(Ok(Good::default()));
    }

    #[test]
    fn what_the_server_says_is_the_reason() {
        let said = |text: &[u8]| script().hear(text).fails();
        assert_eq!(said(b"421 too busy\r\n"), "the server greeted with 421: too busy");
        assert_eq!(said(b"220 a\r\n501-x\r\n501 no\r\n"), "the server answered HELO with 501: no");
        assert_eq!(said(b"SSH-2.0\r\n"), "the answer is not SMTP: SSH-2.0");
        assert_eq!(said(&b"220-more\r\n".repeat(7000)), "the replies have no end");
        assert_eq!(script().hear(b"220").closes().fails(), "closed in the middle of its answer");
    }
}
