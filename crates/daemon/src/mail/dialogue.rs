//! One letter's dialogue with a mail server (RFC 5321): bytes in, bytes out.

use std::collections::VecDeque;

use standfast_wire::smtp::{Nonsense, Replies, Reply, command, data};

/// Who greets, who sends, who receives, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) helo: String,
    /// Bare addresses, without angle brackets.
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    /// Headers, an empty line, and the text.
    pub(crate) text: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has it, but not for these recipients.
    Delivered { refused: Vec<String> },
    /// The server does not want it, as it says.
    Refused(Reply),
    /// What answers is no mail server.
    Nonsense(Nonsense),
}

/// What the next reply is an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Greeting,
    Helo,
    Sender,
    Recipient(usize),
    Data,
    Text,
    Done,
}

/// The dialogue.
#[derive(Debug)]
pub(crate) struct Dialogue {
    letter: Letter,
    step: Step,
    replies: Replies,
    refused: Vec<String>,
    last_refusal: Option<Reply>,
    outputs: VecDeque<Vec<u8>>,
    outcome: Option<Outcome>,
}

impl Dialogue {
    /// A dialogue that waits for the server's greeting.
    pub(crate) fn new(letter: Letter) -> Self {
        Self {
            letter,
            step: Step::Greeting,
            replies: Replies::default(),
            refused: Vec::new(),
            last_refusal: None,
            outputs: VecDeque::new(),
            outcome: None,
        }
    }

    /// Takes what the server says. Drain [`Self::poll_output`] afterwards.
    pub(crate) fn handle_input(&mut self, bytes: &[u8]) {
        self.replies.push(bytes);
        while self.step != Step::Done {
            match self.replies.poll() {
                Ok(Some(reply)) => self.handle_reply(reply),
                Ok(None) => return,
                Err(nonsense) => self.end(Outcome::Nonsense(nonsense)),
            }
        }
    }

    /// What to send; `None` when the server has to speak.
    pub(crate) fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    /// How it ended, once it has.
    pub(crate) const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    fn handle_reply(&mut self, reply: Reply) {
        if let Step::Recipient(at) = self.step {
            return self.recipient_answered(at, reply);
        }
        // Only DATA is answered with "go on".
        let expected = if self.step == Step::Data { 300..400 } else { 200..300 };
        if !expected.contains(&reply.code) {
            return self.end(Outcome::Refused(reply));
        }
        match self.step {
            Step::Greeting => self.say(Step::Helo, &format!("HELO {}", self.letter.helo)),
            Step::Helo => {
                self.say(Step::Sender, &format!("MAIL FROM:<{}>", self.letter.sender));
            }
            Step::Sender => self.name_recipient(0),
            Step::Data => {
                self.step = Step::Text;
                self.outputs.push_back(data(&self.letter.text));
            }
            Step::Text => {
                let refused = std::mem::take(&mut self.refused);
                self.end(Outcome::Delivered { refused });
            }
            Step::Recipient(_) | Step::Done => {}
        }
    }

    fn recipient_answered(&mut self, at: usize, reply: Reply) {
        if !reply.is_positive() {
            self.refused.extend(self.letter.recipients.get(at).cloned());
            self.last_refusal = Some(reply);
        }
        self.name_recipient(at.saturating_add(1));
    }

    fn name_recipient(&mut self, at: usize) {
        match self.letter.recipients.get(at) {
            Some(recipient) => {
                let text = format!("RCPT TO:<{recipient}>");
                self.say(Step::Recipient(at), &text);
            }
            None if self.refused.len() < self.letter.recipients.len() => {
                self.say(Step::Data, "DATA");
            }
            None => match self.last_refusal.take() {
                Some(reply) => self.end(Outcome::Refused(reply)),
                None => self.end(Outcome::Delivered { refused: Vec::new() }),
            },
        }
    }

    fn say(&mut self, step: Step, text: &str) {
        self.step = step;
        self.outputs.push_back(command(text));
    }

    /// Whatever happened, a server is told good-bye; its answer interests nobody.
    fn end(&mut self, outcome: Outcome) {
        self.say(Step::Done, "QUIT");
        self.outcome = Some(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(recipients: &[&str]) -> Dialogue {
        Dialogue::new(Letter {
            helo: "node".to_owned(),
            sender: "k@example.net".to_owned(),
            recipients: recipients.iter().map(|&recipient| recipient.to_owned()).collect(),
            text: "Subject: s\n\n.dot\n".to_owned(),
        })
    }

    /// What it says to each reply.
    fn talk(dialogue: &mut Dialogue, replies: &[&str]) -> Vec<String> {
        let mut said = Vec::new();
        for reply in replies {
            dialogue.handle_input(reply.as_bytes());
            while let Some(bytes) = dialogue.poll_output() {
                said.push(String::from_utf8(bytes).expect("text"));
            }
        }
        said
    }

    #[test]
    fn a_letter_goes_to_every_recipient_that_the_server_accepts() {
        let mut dialogue = dialogue(&["a@b.c", "nobody@b.c"]);
        let replies = [
            "220-hello\r\n",
            "220 there\r\n",
            "250 node\r\n",
            "250 ok\r\n",
            "250 ok\r\n",
            "550 who?\r\n",
            "354 go on\r\n",
            "250 taken\r\n",
        ];
        let said = talk(&mut dialogue, &replies);
        let expected = [
            "HELO node\r\n",
            "MAIL FROM:<k@example.net>\r\n",
            "RCPT TO:<a@b.c>\r\n",
            "RCPT TO:<nobody@b.c>\r\n",
            "DATA\r\n",
            "Subject: s\r\n\r\n..dot\r\n.\r\n",
            "QUIT\r\n",
        ];
        assert_eq!(said, expected);
        let refused = vec!["nobody@b.c".to_owned()];
        assert_eq!(dialogue.outcome(), Some(&Outcome::Delivered { refused }));
    }

    #[test]
    fn a_server_that_refuses_is_told_good_bye_at_every_step() {
        let good = ["220 a\r\n", "250 b\r\n", "250 c\r\n", "250 d\r\n", "354 e\r\n"];
        for step in 0..=good.len() {
            let mut dialogue = dialogue(&["a@b.c"]);
            let mut replies = good.iter().take(step).copied().collect::<Vec<_>>();
            replies.push("421 busy\r\n");
            let said = talk(&mut dialogue, &replies);
            assert_eq!(said.last().map(String::as_str), Some("QUIT\r\n"), "step {step}");
            let reply = Reply { code: 421, text: "busy".to_owned() };
            assert_eq!(dialogue.outcome(), Some(&Outcome::Refused(reply)), "step {step}");
        }
    }

    #[test]
    fn what_is_no_mail_server_is_left_alone() {
        let mut dialogue = dialogue(&["a@b.c"]);
        talk(&mut dialogue, &["HTTP/1.1 400 Bad Request\r\n"]);
        assert_eq!(dialogue.outcome(), Some(&Outcome::Nonsense(Nonsense::Malformed)));
    }

    #[test]
    fn a_data_command_that_is_answered_as_if_it_were_done_sends_no_letter() {
        let mut dialogue = dialogue(&["a@b.c"]);
        let replies = ["220 a\r\n", "250 b\r\n", "250 c\r\n", "250 d\r\n", "250 e\r\n"];
        assert_eq!(talk(&mut dialogue, &replies).last().map(String::as_str), Some("QUIT\r\n"));
        assert!(matches!(dialogue.outcome(), Some(Outcome::Refused(_))));
    }
}
