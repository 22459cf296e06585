//! `MYSQL_CHECK`: the server's greeting, and where a user is configured, a login without password.

use super::{
    Step, Talk,
    frames::{Frame, Frames, KEPT},
};
use crate::{Failure, Mysql};

/// A packet of a login may be so long.
const PACKET: usize = 4096;
/// `CLIENT_LONG_PASSWORD`, `CLIENT_PROTOCOL_41`, `CLIENT_SECURE_CONNECTION`, `CLIENT_PLUGIN_AUTH`.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x8000 | 0x8_0000;
/// UTF-8.
const CHARSET: u8 = 33;
/// `COM_QUIT`
const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

/// First bytes of packets.
const OK: u8 = 0x00;
const MORE_DATA: u8 = 0x01;
const SWITCH: u8 = 0xfe;
const ERROR: u8 = 0xff;
/// What `MORE_DATA` says when a password is not needed any more.
const FAST_AUTH_SUCCESS: u8 = 3;

/// The client's side.
#[derive(Debug)]
pub(super) struct Login {
    username: Option<String>,
    greeted: bool,
    frames: Frames<4>,
}

impl Login {
    pub(super) fn new(mysql: &Mysql) -> Self {
        let username = mysql.username.as_ref().map(|name| name.replace('\0', ""));
        Self { username, greeted: false, frames: Frames::new(length_of, KEPT) }
    }

    fn packet(&mut self, number: u8, packet: &[u8]) -> Step {
        let reply = number.wrapping_add(1);
        match packet.split_first() {
            Some((&ERROR, rest)) => error(rest),
            Some((&10, rest)) if !self.greeted => match &self.username {
                None => Step::good(),
                Some(username) => {
                    self.greeted = true;
                    let plugin = plugin_of_greeting(rest).unwrap_or(b"mysql_native_password");
                    Step::Say(login(reply, username, plugin))
                }
            },
            Some((&OK, _)) if self.greeted => {
                Step::Done { outcome: Ok(()), farewell: QUIT.to_vec(), reusable: false }
            }
            Some((&SWITCH, rest)) if self.greeted => {
                let plugin = rest.split(|&byte| byte == 0).next().unwrap_or_default();
                match no_password(plugin) {
                    Some(answer) => Step::Say(framed(reply, answer)),
                    None => Step::failed(Failure::said("the user is to log in by", plugin)),
                }
            }
            Some((&MORE_DATA, [FAST_AUTH_SUCCESS, ..])) if self.greeted => Step::Wait,
            Some((&MORE_DATA, _)) if self.greeted => {
                Step::failed(Failure::Malformed("the user has a password"))
            }
            Some(_) | None => Step::failed(Failure::Malformed("the answer is not MySQL")),
        }
    }
}

impl Talk for Login {
    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        let mut said = Step::Wait;
        while let Some(packet) = self.frames.next(&mut bytes) {
            let step = match packet {
                Ok(Frame { header: [_, _, _, number], body }) => self.packet(number, &body),
                Err(_) => Step::failed(Failure::Malformed("the answer is not MySQL")),
            };
            match step {
                Step::Wait => {}
                Step::Say(more) => said = said.and_say(more),
                over @ Step::Done { .. } => return over,
            }
        }
        said
    }
}

/// What follows a header: a length, and the packet's number.
fn length_of(&[a, b, c, _]: &[u8; 4]) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
    (1..=PACKET).contains(&length).then_some(length)
}

/// `Too many connections`: a number, a state, and words.
fn error(rest: &[u8]) -> Step {
    let words = match rest.get(2..) {
        Some([b'#', _, _, _, _, _, words @ ..]) => words,
        Some(words) => words,
        None => b"",
    };
    Step::failed(Failure::said("the server answered", words))
}

/// The last field of a greeting, behind its protocol's number: how users log in by default.
fn plugin_of_greeting(greeting: &[u8]) -> Option<&[u8]> {
    let version = greeting.iter().position(|&byte| byte == 0)?;
    // Connection, 8 random bytes, 0, capabilities, character set, status, capabilities, length, 10 zeros.
    let rest = greeting.get(version.checked_add(1)?..)?.get(4 + 8 + 1 + 2 + 1 + 2 + 2..)?;
    let (length, rest) = rest.split_first()?;
    let random = usize::from(*length).saturating_sub(8).max(13);
    let name = rest.get(10..)?.get(random..)?.split(|&byte| byte == 0).next()?;
    (!name.is_empty()).then_some(name)
}

/// What a user without password answers; `None` for ways that are not known.
fn no_password(plugin: &[u8]) -> Option<&'static [u8]> {
    match plugin {
        b"mysql_native_password" | b"mysql_old_password" => Some(b""),
        b"caching_sha2_password" | b"sha256_password" => Some(b"\0"),
        _ => None,
    }
}

/// `HandshakeResponse41`.
fn login(number: u8, username: &str, plugin: &[u8]) -> Vec<u8> {
    let (plugin, answer) = match no_password(plugin) {
        Some(answer) => (plugin, answer),
        None => (&b"mysql_native_password"[..], &b""[..]),
    };
    let mut body = CAPABILITIES.to_le_bytes().to_vec();
    body.extend(0x00ff_ffff_u32.to_le_bytes());
    body.push(CHARSET);
    body.extend([0; 23]);
    body.extend(username.as_bytes());
    body.push(0);
    body.extend(u8::try_from(answer.len()));
    body.extend(answer);
    body.extend(plugin);
    body.push(0);
    framed(number, &body)
}

fn framed(number: u8, body: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    let mut packet = vec![a, b, c, number];
    packet.extend(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script(username: Option<&str>) -> Script {
        let username = username.map(Into::into);
        Script::new(&Kind::Mysql(Box::new(Mysql { target: Target::default(), username })))
    }

    fn greeting(plugin: &str) -> Vec<u8> {
        let mut body = b"\x0a8.0.36\0\x09\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\x81\x15".to_vec();
        body.extend([0; 10]);
        body.extend(b"ijklmnopqrst\0");
        body.extend(plugin.as_bytes());
        body.push(0);
        framed(0, &body)
    }

    #[test]
    fn a_greeting_is_enough_without_a_user() {
        script(None).hear(&greeting("caching_sha2_password")).ends(Ok(Good::default()));
    }

    #[test]
    fn a_user_logs_in_without_password_and_quits() {
        for (plugin, answer) in
            [("caching_sha2_password", &b"\x01\0"[..]), ("mysql_native_password", b"\0")]
        {
            let mut script = script(Some("check"));
            script.hear(&greeting(plugin));
            let login = script.0.poll_transmit().expect("a login");
            assert_eq!(usize::from(login[0]), login.len() - 4);
            assert_eq!((login[3], &login[4..8]), (1, &[0x01, 0x82, 0x08, 0][..]));
            let tail = [&b"check\0"[..], answer, plugin.as_bytes(), b"\0"].concat();
            assert_eq!(&login[36..], tail);
            script.hear(&framed(2, b"\0\0\0\x02\0\0\0")).ends(Ok(Good::default()));
            assert_eq!(script.0.poll_transmit().as_deref(), Some(&QUIT[..]));
        }
    }

    #[test]
    fn another_way_to_log_in_is_followed_when_it_needs_no_password() {
        let mut native = script(Some("check"));
        native.hear(&greeting("unix_socket"));
        assert!(native.0.poll_transmit().is_some());
        native
            .hear(&framed(2, b"\xfemysql_native_password\0abcdefghijklmnopqrst\0"))
            .says(b"\0\0\0\x03");
        native.hear(&framed(4, b"\0\0\0\x02\0\0\0")).ends(Ok(Good::default()));

        let mut sha2 = script(Some("check"));
        sha2.hear(&greeting("mysql_native_password"));
        assert!(sha2.0.poll_transmit().is_some());
        sha2.hear(&framed(2, b"\xfecaching_sha2_password\0abc\0")).says(b"\x01\0\0\x03\0");
        sha2.hear(&framed(4, b"\x01\x03")).hear(&framed(5, b"\0")).ends(Ok(Good::default()));

        let mut other = script(Some("check"));
        let reason = other.hear(&greeting("x")).hear(&framed(2, b"\xfedialog\0")).fails();
        assert_eq!(reason, "the user is to log in by: dialog");
        let mut full = script(Some("check"));
        let reason = full.hear(&greeting("x")).hear(&framed(2, b"\x01\x04")).fails();
        assert_eq!(reason, "the user has a password");
    }

    #[test]
    fn the_servers_error_is_the_reason() {
        let busy = framed(0, b"\xff\x10\x04Too many connections");
        assert_eq!(script(None).hear(&busy).fails(), "the server answered: Too many connections");
        let denied = framed(2, b"\xff\x15\x04#28000Access denied for user 'check'");
        let mut script = script(Some("check"));
        let reason = script.hear(&greeting("mysql_native_password")).hear(&denied).fails();
        assert_eq!(reason, "the server answered: Access denied for user 'check'");
    }

    #[test]
    fn what_is_not_mysql_is_said() {
        for bytes in [&b"HTTP/1.1 400\r\n"[..], b"\0\0\0\0", b"\x01\0\0\0\x09", b"\x01\0\0\0\0"] {
            assert_eq!(script(None).hear(bytes).fails(), "the answer is not MySQL");
        }
    }
}
