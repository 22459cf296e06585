//! `REDIS_CHECK`: AUTH, then PING or ROLE, in RESP.

use super::{Step, Talk, lines::Lines};
use crate::{Failure, Redis, RedisRole};

/// Answers may be so long.
const BYTES: u64 = 16 * 1024;

/// The client's side.
#[derive(Debug)]
pub(super) struct Resp {
    waits: Waits,
    lines: Lines,
}

#[derive(Clone, Copy, Debug)]
enum Waits {
    Auth {
        role: Option<RedisRole>,
    },
    Pong,
    /// The answer's line that comes next: its length, the length of the role, the role, and for a
    /// replica the lengths and values of the master's host, port and link.
    Role {
        wanted: RedisRole,
        line: u8,
    },
}

/// Where in the answer to ROLE the role is.
const ROLE_LINE: u8 = 2;
/// Where the state of a replica's link is.
const LINK_LINE: u8 = 7;

impl Resp {
    /// The state, and what it says first.
    pub(super) fn new(redis: &Redis) -> (Self, Vec<u8>) {
        let Redis { password, username, role, target: _ } = redis;
        let (waits, first) = match (password, username) {
            (Some(password), Some(name)) => {
                (Waits::Auth { role: *role }, command(&["AUTH", name, password]))
            }
            (Some(password), None) => (Waits::Auth { role: *role }, command(&["AUTH", password])),
            (None, _) => ask(*role),
        };
        (Self { waits, lines: Lines::default() }, first)
    }

    fn line(&mut self, line: &[u8]) -> Step {
        match (self.waits, line.split_first()) {
            (_, Some((b'-', words))) => Step::failed(Failure::said("the server answered", words)),
            (Waits::Auth { role }, Some((b'+', _))) => {
                let (waits, request) = ask(role);
                self.waits = waits;
                Step::Say(request)
            }
            (Waits::Pong, Some((b'+', b"PONG"))) => {
                Step::Done { outcome: Ok(()), farewell: Vec::new(), reusable: true }
            }
            (Waits::Role { wanted, line: number }, Some((first, _))) => {
                self.waits = Waits::Role { wanted, line: number.saturating_add(1) };
                Self::role(wanted, number, *first, line)
            }
            (Waits::Auth { .. } | Waits::Pong | Waits::Role { .. }, _) => {
                Step::failed(Failure::said("the answer is not Redis", line))
            }
        }
    }

    fn role(wanted: RedisRole, number: u8, first: u8, line: &[u8]) -> Step {
        match (number, wanted, line) {
            (0, _, _) if first != b'*' => {
                Step::failed(Failure::said("the answer is not Redis", line))
            }
            (ROLE_LINE, RedisRole::Master, b"master") | (LINK_LINE, _, b"connected") => {
                Step::good()
            }
            (ROLE_LINE, RedisRole::Replica, b"slave") => Step::Wait,
            (ROLE_LINE, RedisRole::Master, other) => {
                Step::failed(Failure::said("wanted a master, the role is", other))
            }
            (ROLE_LINE, RedisRole::Replica, other) => {
                Step::failed(Failure::said("wanted a replica, the role is", other))
            }
            (LINK_LINE.., _, state) => {
                Step::failed(Failure::said("the replica's link to its master is", state))
            }
            _ => Step::Wait,
        }
    }
}

impl Talk for Resp {
    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        let mut said = Step::Wait;
        while let Some(line) = self.lines.next(&mut bytes) {
            match self.line(&line) {
                Step::Wait => {}
                Step::Say(more) => said = said.and_say(more),
                Step::Done { outcome, farewell, reusable } => {
                    return Step::Done {
                        outcome,
                        farewell,
                        reusable: reusable && bytes.is_empty(),
                    };
                }
            }
        }
        if self.lines.bytes() > BYTES {
            return Step::failed(Failure::Malformed("the answer has no end"));
        }
        said
    }
}

fn ask(role: Option<RedisRole>) -> (Waits, Vec<u8>) {
    match role {
        None => (Waits::Pong, command(&["PING"])),
        Some(wanted) => (Waits::Role { wanted, line: 0 }, command(&["ROLE"])),
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    bytes.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script(login: Option<(&str, Option<&str>)>, role: Option<RedisRole>) -> Script {
        let (password, username) = login.unzip();
        Script::new(&Kind::Redis(Box::new(Redis {
            target: Target::default(),
            password: password.map(Into::into),
            username: username.flatten().map(Into::into),
            role,
        })))
    }

    #[test]
    fn a_server_that_answers_a_ping_is_good() {
        let mut script = script(None, None);
        script.says(b"*1\r\n$4\r\nPING\r\n").hear(b"+PONG\r\n").ends(Ok(Good::default()));
        assert!(script.0.may_reuse());
    }

    #[test]
    fn a_password_comes_first() {
        let mut one = script(Some(("s\u{e9}cret", None)), None);
        one.says("*2\r\n$4\r\nAUTH\r\n$7\r\ns\u{e9}cret\r\n".as_bytes());
        one.hear(b"+OK\r\n").says(b"*1\r\n$4\r\nPING\r\n");
        let mut two = script(Some(("pw", Some("me"))), None);
        two.says(b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n");
        let reason = two.hear(b"-WRONGPASS invalid\r\n").fails();
        assert_eq!(reason, "the server answered: WRONGPASS invalid");
    }

    #[test]
    fn the_role_must_be_the_wanted_one() {
        let master = b"*3\r\n$6\r\nmaster\r\n:312\r\n*0\r\n";
        let replica = |state: &str| {
            format!(
                "*5\r\n$5\r\nslave\r\n$9\r\n192.0.2.9\r\n:6379\r\n${}\r\n{state}\r\n:3\r\n",
                state.len()
            )
        };
        script(None, Some(RedisRole::Master))
            .says(b"*1\r\n$4\r\nROLE\r\n")
            .hear(master)
            .ends(Ok(Good::default()));
        script(None, Some(RedisRole::Replica))
            .hear(replica("connected").as_bytes())
            .ends(Ok(Good::default()));
        let fails = |role, answer: &[u8]| script(None, Some(role)).hear(answer).fails();
        let reason = fails(RedisRole::Replica, master);
        assert_eq!(reason, "wanted a replica, the role is: master");
        let reason = fails(RedisRole::Master, replica("connected").as_bytes());
        assert_eq!(reason, "wanted a master, the role is: slave");
        let reason = fails(RedisRole::Replica, replica("sync").as_bytes());
        assert_eq!(reason, "the replica's link to its master is: sync");
    }

    #[test]
    fn what_is_not_redis_is_said() {
        let mut other = script(None, None);
        assert_eq!(
            other.hear(b"HTTP/1.1 400 Bad\r\n").fails(),
            "the answer is not Redis: HTTP/1.1 400 Bad"
        );
        let mut loading = script(None, None);
        let reason = loading.hear(b"-LOADING Redis is loading the dataset in memory\r\n").fails();
        assert_eq!(reason, "the server answered: LOADING Redis is loading the dataset in memory");
        let mut endless = script(None, None);
        assert_eq!(endless.hear(&[b'x'; 20_000]).fails(), "the answer has no end");
    }
}
