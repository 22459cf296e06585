//! What each kind of check asks for, besides HTTP.

use std::{sync::Arc, time::Duration};

use standfast_health::{
    Dns, File, Grpc, Kind, Misc, Mysql, Postgres, Redis, RedisRole, Reply, Smtp, Timing, Udp,
};
use standfast_types::{Command, FileName, User};

use super::{
    Texts,
    check::Lines,
    inherit::{Inherited, Usual},
    web,
};
use crate::{
    lower::{Lowering, arguments::Read, command},
    syntax::Statement,
    table::Keyword,
};

/// What keepalived does not know of HTTP.
const HTTP2: &str = "http_protocol 2";
/// What greets mail servers (`helo_name`).
const HELO: &str = "smtpchecker.keepalived.org";
/// Who asks a PostgreSQL server (`username`).
const POSTGRES: &str = "postgres";
/// The most bytes of an answer (`max_reply_length`).
const REPLY_MAX: u16 = 255;

/// What a check's own lines say.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Tcp,
    Ping,
    Web(web::Draft),
    Smtp { helo: Option<Arc<str>> },
    Dns { record: u16, name: Option<Arc<str>> },
    Udp(Box<UdpDraft>),
    Misc(Box<MiscDraft>),
    Bfd(Option<String>),
    File { name: Option<String>, weight: Option<i32> },
    Grpc(GrpcDraft),
    Redis { user: Option<Arc<str>>, password: Option<Arc<str>>, role: Option<RedisRole> },
    Mysql { user: Option<Arc<str>> },
    Postgres { user: Option<Arc<str>>, database: Option<Arc<str>> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct UdpDraft {
    payload: Vec<u8>,
    /// `require_reply`, with what it has to begin with.
    reply: Option<Vec<(u8, u8)>>,
    min: u16,
    max: Option<u16>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct MiscDraft {
    argv: Option<Vec<String>>,
    user: Option<User>,
    timeout: Option<Duration>,
    dynamic: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct GrpcDraft {
    service: Option<Arc<str>>,
    tls: bool,
    names: web::Names,
}

impl Draft {
    /// That of a keyword; `None` when it is no check.
    pub(super) fn new(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "TCP_CHECK" => Self::Tcp,
            "PING_CHECK" => Self::Ping,
            "HTTP_GET" => Self::Web(web::Draft::default()),
            "SSL_GET" => Self::Web(web::Draft::with_tls()),
            "SMTP_CHECK" => Self::Smtp { helo: None },
            "DNS_CHECK" => Self::Dns { record: SOA, name: None },
            "UDP_CHECK" => Self::Udp(Box::default()),
            "MISC_CHECK" => Self::Misc(Box::default()),
            "BFD_CHECK" => Self::Bfd(None),
            "FILE_CHECK" => Self::File { name: None, weight: None },
            "GRPC_CHECK" => Self::Grpc(GrpcDraft::default()),
            "REDIS_CHECK" => Self::Redis { user: None, password: None, role: None },
            "MYSQL_CHECK" => Self::Mysql { user: None },
            "PGSQL_CHECK" => Self::Postgres { user: None, database: None },
            _ => return None,
        })
    }

    pub(super) fn timing(&self, inherited: &Inherited) -> Timing {
        let second = Some(Duration::from_secs(1));
        let usual = match self {
            Self::Web(_) => Usual { retry: 1, delay_before_retry: Some(Duration::from_secs(3)) },
            Self::Dns { .. } => Usual { retry: 3, delay_before_retry: None },
            Self::Misc(_) => Usual { retry: 0, delay_before_retry: second },
            Self::Tcp
            | Self::Ping
            | Self::Smtp { .. }
            | Self::Udp(_)
            | Self::Bfd(_)
            | Self::File { .. }
            | Self::Grpc(_)
            | Self::Redis { .. }
            | Self::Mysql { .. }
            | Self::Postgres { .. } => Usual { retry: 1, delay_before_retry: second },
        };
        let mut timing = inherited.timing(usual);
        if let Self::Misc(misc) = self {
            timing.timeout = misc.timeout.unwrap_or(inherited.command_timeout);
        }
        timing
    }

    fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) {
        let mut text = |old: &mut Option<Arc<str>>| {
            if let Some(word) = read.word() {
                *old = Some(texts.get(&word.text));
            }
        };
        match (self, name) {
            (Self::Smtp { helo }, "helo_name") => text(helo),
            (Self::Dns { name, .. }, "name") => text(name),
            (Self::Dns { record, .. }, "type") => *record = record_type(read).unwrap_or(*record),
            (Self::Udp(udp), name) => udp.take(name, read),
            (Self::Bfd(session), "name") => {
                *session = read.word().map(|word| word.text.to_string());
            }
            (Self::File { name, .. }, "track_file") => {
                *name = read.word().map(|word| word.text.to_string());
            }
            (Self::File { weight, .. }, "weight") => {
                let reverse = read.matched.iter().any(|word| word.word.text == "reverse");
                let signed = |value: i32| if reverse { value.saturating_neg() } else { value };
                *weight = read.small().map(|(value, _)| signed(value)).or(*weight);
            }
            (Self::Grpc(grpc), "service") => text(&mut grpc.service),
            (Self::Grpc(grpc), "tls") => grpc.tls = read.flag().unwrap_or(grpc.tls),
            (Self::Grpc(grpc), name) => grpc.names.take(name, read, texts),
            (
                Self::Redis { user, .. } | Self::Mysql { user } | Self::Postgres { user, .. },
                "username",
            ) => text(user),
            (Self::Redis { password, .. }, "password") => text(password),
            (Self::Redis { role, .. }, "role") => {
                let master = |text: &str| match text {
                    "master" => RedisRole::Master,
                    _ => RedisRole::Replica,
                };
                *role = read.word().map(|word| master(&word.text)).or(*role);
            }
            (Self::Postgres { database, .. }, "database") => text(database),
            (_, _) => {}
        }
    }
}

impl UdpDraft {
    fn take(&mut self, name: &str, read: &Read<'_>) {
        let bytes = |old| read.small().map_or(old, |(bytes, _)| bytes);
        match name {
            "payload" => {
                let digits = read.word().map_or("", |word| word.text.as_str());
                self.payload = masked(digits).into_iter().map(|(byte, _)| byte).collect();
            }
            "require_reply" if !read.failed => {
                self.reply = Some(read.word().map_or(Vec::new(), |word| masked(&word.text)));
            }
            "min_reply_length" => self.min = bytes(self.min),
            "max_reply_length" => self.max = read.small().map(|(bytes, _)| bytes).or(self.max),
            _ => {}
        }
    }
}

impl Lowering<'_> {
    /// Takes a line that only this kind of check has.
    pub(super) fn kind_line(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
        read: &Read<'_>,
    ) {
        if let Draft::Misc(misc) = draft {
            self.misc_line(misc, keyword.name, read);
        } else if let Draft::Web(web) = draft {
            match keyword.name {
                "url" => self.url(web, keyword, statement),
                name => {
                    let two =
                        read.word().filter(|word| name == "http_protocol" && word.text == "2");
                    if let Some(word) = two {
                        self.note(HTTP2, keyword, || "http_protocol 2".to_owned(), word.span);
                    }
                    web.take(name, read, &mut self.pools.texts);
                }
            }
        } else {
            draft.take(keyword.name, read, &mut self.pools.texts);
        }
    }

    fn misc_line(&mut self, misc: &mut MiscDraft, name: &str, read: &Read<'_>) {
        match name {
            "misc_path" => {
                let word = read.word();
                misc.argv = word.and_then(|word| command::argv(word, self.diagnostics));
            }
            "misc_timeout" => {
                let seconds = read.small::<u32>().filter(|(seconds, _)| *seconds != 0);
                misc.timeout = seconds.map(|(seconds, _)| Duration::from_secs(seconds.into()));
            }
            "misc_dynamic" => misc.dynamic = true,
            "user" => misc.user = command::user_of(read).or(misc.user.take()),
            _ => {}
        }
    }

    /// `None` when something is missing without which it is no check; a lint says so.
    pub(super) fn finish_kind(&mut self, draft: Draft, lines: Lines) -> Option<Kind> {
        let Lines { inherited, target } = lines;
        let texts = &mut self.pools.texts;
        Some(match draft {
            Draft::Tcp => Kind::Tcp(target),
            Draft::Ping => Kind::Ping(target),
            Draft::Web(web) => Kind::Http(Box::new(web.finish(target, inherited.host)?)),
            Draft::Smtp { helo } => {
                let helo = helo.unwrap_or_else(|| texts.get(HELO));
                Kind::Smtp(Box::new(Smtp { target, helo }))
            }
            Draft::Dns { record, name } => {
                let name = name.unwrap_or_else(|| texts.get("."));
                Kind::Dns(Box::new(Dns { target, record, name }))
            }
            Draft::Udp(udp) => {
                let UdpDraft { payload, reply, min, max } = *udp;
                let max = max.unwrap_or(REPLY_MAX);
                let reply = reply.map(|start| Reply { start, min, max });
                Kind::Udp(Box::new(Udp { target, payload, reply }))
            }
            Draft::Misc(misc) => {
                let MiscDraft { argv, user, dynamic, .. } = *misc;
                let user = user.or(self.defaults.script_user.clone());
                let command = Command { argv: argv?, user };
                Kind::Misc(Box::new(Misc { command, dynamic }))
            }
            Draft::Bfd(session) => {
                let session = session?;
                let known = self.sessions.iter().find(|known| known.name.as_str() == session)?;
                Kind::Bfd(known.name.clone())
            }
            Draft::File { name, weight } => {
                let name = FileName::from(name?.as_str());
                Kind::File(File { weight: self.file_of_check(&name, weight)?, name })
            }
            Draft::Grpc(grpc) => {
                let GrpcDraft { service, tls, names } = grpc;
                let service = service.unwrap_or_else(|| texts.get(""));
                let tls = tls.then(|| names.tls(inherited.host.as_ref()));
                Kind::Grpc(Box::new(Grpc { target, tls, service, host: inherited.host }))
            }
            Draft::Redis { user, password, role } => {
                Kind::Redis(Box::new(Redis { target, password, username: user, role }))
            }
            Draft::Mysql { user } => Kind::Mysql(Box::new(Mysql { target, username: user })),
            Draft::Postgres { user, database } => {
                let username = user.unwrap_or_else(|| texts.get(POSTGRES));
                Kind::Postgres(Box::new(Postgres { target, username, database }))
            }
        })
    }

    /// The weight of a `track_file` in a check, whose own counts first.
    fn file_of_check(&mut self, name: &FileName, own: Option<i32>) -> Option<i32> {
        let mut files = self.tracked_files.iter_mut();
        let file = files.find(|known| known.file.name == *name)?;
        file.used = true;
        let weight = i32::from(file.weight.value);
        Some(own.unwrap_or(if file.weight.reverse { -weight } else { weight }))
    }
}

/// The type of record that a check asks for which names none.
const SOA: u16 = 6;

/// Numbers of types of records (RFC 1035, section 3.2.2; RFC 3596; RFC 4034).
fn record_type(read: &Read<'_>) -> Option<u16> {
    let name = read.word()?.text.to_ascii_uppercase();
    Some(match name.as_str() {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "SOA" => SOA,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "RRSIG" => 46,
        "DNSKEY" => 48,
        _ => return None,
    })
}

/// Bytes, each with the bits of it that matter: `x` stands for any digit. A digit that is left over has no
/// second one.
fn masked(digits: &str) -> Vec<(u8, u8)> {
    let digit = |byte: u8| match char::from(byte).to_digit(16) {
        Some(value) => (u8::try_from(value).unwrap_or(0), 0xf),
        None => (0, 0),
    };
    let bytes = digits.as_bytes().chunks_exact(2);
    let pairs = bytes.filter_map(|pair| {
        let [high, low] = *pair else { return None };
        let ((high, high_mask), (low, low_mask)) = (digit(high), digit(low));
        Some((high << 4 | low, high_mask << 4 | low_mask))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_x_stands_for_any_digit() {
        assert_eq!(masked("0aFx"), [(0x0a, 0xff), (0xf0, 0xf0)]);
        assert_eq!(masked("xx1"), [(0, 0)], "half a byte is none");
    }
}
