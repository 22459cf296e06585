//! `DNS_CHECK` (RFC 1035): one question by UDP, good when the answer's code is 0.

use super::{Step, Talk};
use crate::{Dns, Failure};

/// The length of a header.
const HEADER: usize = 12;
/// The bit that makes a message an answer.
const ANSWER: u8 = 0x80;

/// The client's side.
#[derive(Debug)]
pub(super) struct Query {
    id: [u8; 2],
}

impl Query {
    /// The state, and the question.
    pub(super) fn new(dns: &Dns, random: u64) -> (Self, Vec<u8>) {
        let [high, low, ..] = random.to_be_bytes();
        let id = [high, low];
        // Recursion is desired; one question.
        let mut question = vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in dns.name.split('.').filter(|label| !label.is_empty()) {
            let label = label.as_bytes().get(..63).unwrap_or(label.as_bytes());
            question.extend(u8::try_from(label.len()));
            question.extend(label);
        }
        question.push(0);
        question.extend(dns.record.to_be_bytes());
        question.extend(1_u16.to_be_bytes());
        (Self { id }, question)
    }
}

impl Talk for Query {
    fn bytes(&mut self, bytes: &[u8]) -> Step {
        let Some([a, b, flags, code, ..]) = bytes.get(..HEADER) else { return Step::Wait };
        // What is no answer to this question may be somebody's who tries to make it one.
        if self.id != [*a, *b] || flags & ANSWER == 0 {
            return Step::Wait;
        }
        match code & 0x0f {
            0 => Step::good(),
            code => Step::failed(Failure::said(format!("the server answered {}", name(code)), b"")),
        }
    }
}

/// What an answer's code is called (RFC 1035, section 4.1.1; RFC 2136).
fn name(code: u8) -> String {
    let known = match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        _ => return format!("code {code}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script(name: &str) -> Script {
        let target = Target::default();
        Script::new(&Kind::Dns(Box::new(Dns { target, record: 6, name: name.into() })))
    }

    #[test]
    fn a_question_is_asked_by_a_random_id() {
        script(".").says(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01");
        let www = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x06\0\x01";
        script("www.example.").says(www);
        script("www.example").says(www);
    }

    #[test]
    fn the_code_of_the_answer_decides() {
        let answer = |code: u8| [0x12, 0x34, 0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0];
        script(".").datagram(&answer(0)).ends(Ok(Good::default()));
        assert_eq!(script(".").datagram(&answer(2)).fails(), "the server answered SERVFAIL");
        assert_eq!(script(".").datagram(&answer(15)).fails(), "the server answered code 15");
    }

    #[test]
    fn what_answers_another_question_is_not_heard() {
        let mut script = script(".");
        script.datagram(b"\x12\x35\x81\x80\0\x01\0\0\0\0\0\0");
        script.datagram(b"\x12\x34\x01\x80\0\x01\0\0\0\0\0\0");
        script.datagram(b"\x12\x34\x81\x80").datagram(b"");
        assert_eq!(script.falls_silent().fails(), "no complete answer within 5 s");
    }
}
