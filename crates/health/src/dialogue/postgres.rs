//! `PGSQL_CHECK`: a startup message, and what the server answers to it.

use super::{
    Step, Talk,
    frames::{Frame, Frames, KEPT},
};
use crate::{Failure, Postgres};

/// A message may be so long.
const MESSAGE: usize = 64 * 1024;
/// So many may come.
const MESSAGES: u32 = 1000;
/// Protocol 3.0.
const PROTOCOL: u32 = 3 << 16;
/// `Terminate`
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// The client's side.
#[derive(Debug)]
pub(super) struct Startup {
    frames: Frames<5>,
    messages: u32,
}

impl Startup {
    /// The state, and the message.
    pub(super) fn new(postgres: &Postgres) -> (Self, Vec<u8>) {
        let user = postgres.username.replace('\0', "");
        let database = postgres.database.as_deref().map(|name| name.replace('\0', ""));
        let database = database.as_deref().unwrap_or(&user);
        let mut body = PROTOCOL.to_be_bytes().to_vec();
        for word in ["user", &user, "database", database, "application_name", "standfast", ""] {
            body.extend(word.as_bytes());
            body.push(0);
        }
        let length = u32::try_from(body.len().saturating_add(4)).unwrap_or(0);
        let first = [&length.to_be_bytes()[..], &body].concat();
        (Self { frames: Frames::new(length_of, KEPT), messages: 0 }, first)
    }
}

impl Talk for Startup {
    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        while let Some(frame) = self.frames.next(&mut bytes) {
            self.messages = self.messages.saturating_add(1);
            let step = match frame {
                Ok(Frame { header: [kind, ..], body }) if self.messages <= MESSAGES => {
                    message(kind, &body)
                }
                Ok(_) => Step::failed(Failure::Malformed("the answer has no end")),
                Err(_) => Step::failed(Failure::Malformed("the answer is not PostgreSQL")),
            };
            if matches!(step, Step::Done { .. }) {
                return step;
            }
        }
        Step::Wait
    }
}

/// What follows a header: a letter, and a length that counts itself.
fn length_of(&[kind, a, b, c, d]: &[u8; 5]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let sound = b"RZESKNv".contains(&kind) && length < MESSAGE;
    sound.then(|| length.checked_sub(4))?
}

fn message(kind: u8, body: &[u8]) -> Step {
    match kind {
        // Without authentication the database itself comes next, and may not be there.
        b'R' if body.starts_with(&[0; 4]) => Step::Wait,
        b'R' | b'Z' => {
            Step::Done { outcome: Ok(()), farewell: TERMINATE.to_vec(), reusable: false }
        }
        b'E' => Step::failed(Failure::said("the server answered", words(body))),
        // Parameters, the key to cancel by, notices, the protocol's version.
        _ => Step::Wait,
    }
}

/// The message of an `ErrorResponse`: fields, each with a letter before and a zero behind it.
fn words(body: &[u8]) -> &[u8] {
    let mut fields = body.split(|&byte| byte == 0);
    fields.find_map(|field| field.strip_prefix(b"M")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script(database: Option<&str>) -> Script {
        let target = Target::default();
        let database = database.map(Into::into);
        let postgres = Postgres { target, username: "check".into(), database };
        Script::new(&Kind::Postgres(Box::new(postgres)))
    }

    fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short");
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn whatever_authentication_is_asked_for_is_good() {
        let first =
            b"\0\0\0\x3c\0\x03\0\0user\0check\0database\0app\0application_name\0standfast\0\0";
        for kind in [3_u32, 5, 10] {
            let mut script = script(Some("app"));
            script.says(first).hear(&framed(b'R', &kind.to_be_bytes())).ends(Ok(Good::default()));
            assert_eq!(script.0.poll_transmit().as_deref(), Some(&TERMINATE[..]));
        }
    }

    #[test]
    fn without_authentication_the_database_must_be_there() {
        let mut script = script(None);
        script.hear(&framed(b'R', &[0; 4])).hear(&framed(b'S', &[b'x'; 5000]));
        script.hear(&framed(b'K', &[0; 8])).hear(&framed(b'Z', b"I")).ends(Ok(Good::default()));
        let mut missing = self::script(None);
        missing.hear(&framed(b'R', &[0; 4]));
        let error = b"SFATAL\0C3D000\0Mdatabase \"check\" does not exist\0Fx\0\0";
        let reason = missing.hear(&framed(b'E', error)).fails();
        assert_eq!(reason, "the server answered: database \"check\" does not exist");
    }

    #[test]
    fn a_server_that_starts_up_is_bad() {
        let error = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let reason = script(None).hear(&framed(b'E', error)).fails();
        assert_eq!(reason, "the server answered: the database system is starting up");
    }

    #[test]
    fn what_is_not_postgres_is_said() {
        for bytes in [&b"HTTP/1.1 400"[..], b"R\0\0\0\x03", b"R\xff\xff\xff\xff"] {
            assert_eq!(script(None).hear(bytes).fails(), "the answer is not PostgreSQL");
        }
        let endless = framed(b'N', b"x").repeat(1001);
        assert_eq!(script(None).hear(&endless).fails(), "the answer has no end");
    }
}
