//! What a check is made of.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{BfdName, Command, DestinationKey, FileName, InterfaceName};

/// A check of a real server, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Check {
    /// What is done.
    pub kind: Kind,
    /// When.
    pub timing: Timing,
    /// `alpha`: it counts as failed until it has succeeded for the first time.
    pub alpha: bool,
    /// `log_all_failures`: not only those that change the server's state.
    pub log_all_failures: bool,
    /// Whether one probe may serve all checks that are alike.
    pub shared: bool,
}

/// What a check does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `TCP_CHECK`: opens a connection.
    Tcp(Target),
    /// `HTTP_GET` and `SSL_GET`.
    Http(Box<Http>),
    /// `SMTP_CHECK`
    Smtp(Box<Smtp>),
    /// `DNS_CHECK`
    Dns(Box<Dns>),
    /// `UDP_CHECK`
    Udp(Box<Udp>),
    /// `PING_CHECK`
    Ping(Target),
    /// `MISC_CHECK`
    Misc(Box<Misc>),
    /// `BFD_CHECK`: good while the session is up.
    Bfd(BfdName),
    /// `FILE_CHECK`
    File(File),
    /// `GRPC_CHECK`: the health service of gRPC.
    Grpc(Box<Grpc>),
    /// `REDIS_CHECK`
    Redis(Box<Redis>),
    /// `MYSQL_CHECK`: the server's greeting.
    Mysql(Box<Mysql>),
    /// `PGSQL_CHECK`: the answer to a startup message.
    Postgres(Box<Postgres>),
}

impl Kind {
    /// Where it goes; `None` when nothing is sent anywhere.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Tcp(target) | Self::Ping(target) => Some(target),
            Self::Http(http) => Some(&http.target),
            Self::Smtp(smtp) => Some(&smtp.target),
            Self::Dns(dns) => Some(&dns.target),
            Self::Udp(udp) => Some(&udp.target),
            Self::Grpc(grpc) => Some(&grpc.target),
            Self::Redis(redis) => Some(&redis.target),
            Self::Mysql(mysql) => Some(&mysql.target),
            Self::Postgres(postgres) => Some(&postgres.target),
            Self::Misc(_) | Self::Bfd(_) | Self::File(_) => None,
        }
    }

    /// The keyword of its block.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP_CHECK",
            Self::Http(http) if http.tls.is_some() => "SSL_GET",
            Self::Http(_) => "HTTP_GET",
            Self::Smtp(_) => "SMTP_CHECK",
            Self::Dns(_) => "DNS_CHECK",
            Self::Udp(_) => "UDP_CHECK",
            Self::Ping(_) => "PING_CHECK",
            Self::Misc(_) => "MISC_CHECK",
            Self::Bfd(_) => "BFD_CHECK",
            Self::File(_) => "FILE_CHECK",
            Self::Grpc(_) => "GRPC_CHECK",
            Self::Redis(_) => "REDIS_CHECK",
            Self::Mysql(_) => "MYSQL_CHECK",
            Self::Postgres(_) => "PGSQL_CHECK",
        }
    }
}

/// When a check runs, and how patient it is. All defaults are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// `delay_loop`: from the end of one run to the start of the next; never zero.
    pub delay_loop: Duration,
    /// `retry`: so many failures more are tolerated before a server that was good counts as failed.
    pub retry: u32,
    /// `delay_before_retry`: from a failure that is tolerated to the next run.
    pub delay_before_retry: Duration,
    /// `warmup`: the first run starts after a random part of it.
    pub warmup: Duration,
    /// `connect_timeout` (`misc_timeout`): for the connection, and then for the whole answer; never zero.
    pub timeout: Duration,
}

/// Where a check goes, and from where. What is `None` is the real server's, or the kernel's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// `connect_ip`
    pub address: Option<IpAddr>,
    /// `connect_port`
    pub port: Option<u16>,
    /// `bindto`
    pub source: Option<IpAddr>,
    /// `bind_port`
    pub source_port: Option<u16>,
    /// `bind_if`
    pub interface: Option<InterfaceName>,
    /// `fwmark`; 0 sets none.
    pub mark: u32,
}

impl Target {
    /// Where a check of this server goes.
    #[must_use]
    pub fn of(&self, server: DestinationKey) -> SocketAddr {
        let address = self.address.unwrap_or(server.address);
        SocketAddr::new(address, self.port.unwrap_or(server.port))
    }
}

/// `HTTP_GET` and `SSL_GET`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Http {
    /// Where.
    pub target: Target,
    /// `None` for `HTTP_GET`.
    pub tls: Option<Tls>,
    /// `http_protocol`
    pub protocol: HttpProtocol,
    /// `fast_recovery`: while the server is down, the next page is asked for as soon as one was good.
    pub fast_recovery: bool,
    /// `url`: asked for one after the other, one a run; never empty.
    pub urls: Vec<Url>,
}

/// What HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HttpProtocol {
    /// `1.0`
    Http10,
    /// `1.0C`: asks to close the connection.
    Http10Close,
    /// `1.1`
    Http11,
    /// `2`: HTTP/2 from the first byte (with TLS, by ALPN).
    Http2,
}

/// How TLS begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tls {
    /// `enable_sni`, `sni_name`: the name that the server is told; `None` tells none.
    pub name: Option<Arc<str>>,
    /// Whether the server's certificate must be valid for the name. keepalived never looks.
    pub verify: bool,
}

/// One page and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Url {
    /// Path with query.
    pub path: Arc<str>,
    /// `virtualhost`, inherited ones applied; else the address is asked for.
    pub host: Option<Arc<str>>,
    /// `status_code`: good ones as ranges, both ends included; never empty.
    pub status: Vec<(u16, u16)>,
    /// `digest`: MD5 of the undecoded body.
    pub digest: Option<[u8; 16]>,
    /// `regex`
    pub pattern: Option<Pattern>,
    /// `tls_compliant`: TLS that ends without saying so is a failure.
    pub strict_end: bool,
}

/// What must, or must not, be found in a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pattern {
    /// As written; it compiles (see `Pattern::compile`).
    pub text: Arc<str>,
    /// `regex_options`, by keepalived's names.
    pub options: Vec<Arc<str>>,
    /// `regex_no_match`: it must not be found.
    pub absent: bool,
    /// `regex_min_offset`: byte of the page at which a match begins at the earliest.
    pub min_offset: u32,
    /// `regex_max_offset`, with `use_offset_limit`: byte at which it begins at the latest.
    pub max_offset: Option<u32>,
}

/// `SMTP_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Smtp {
    /// Where.
    pub target: Target,
    /// `helo_name`
    pub helo: Arc<str>,
}

/// `DNS_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dns {
    /// Where.
    pub target: Target,
    /// `type`: its number (RFC 1035, section 3.2.2).
    pub record: u16,
    /// `name`; the root is ".".
    pub name: Arc<str>,
}

/// `UDP_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Udp {
    /// Where.
    pub target: Target,
    /// `payload`
    pub payload: Vec<u8>,
    /// `require_reply`; `None`: silence is good.
    pub reply: Option<Reply>,
}

/// An answer to a datagram.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reply {
    /// How it begins: bytes, each with the bits that matter.
    pub start: Vec<(u8, u8)>,
    /// `min_reply_length`
    pub min: u16,
    /// `max_reply_length`
    pub max: u16,
}

/// `MISC_CHECK`. The supervisor runs it; its time limit is [`Timing::timeout`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Misc {
    /// `misc_path`
    pub command: Command,
    /// `misc_dynamic`: an exit code of 2 to 255 is good, and sets the weight to the code less 2.
    pub dynamic: bool,
}

/// `FILE_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct File {
    /// Which.
    pub name: FileName,
    /// Its number times this is added to the server's weight, `reverse` applied.
    pub weight: i32,
}

/// `GRPC_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grpc {
    /// Where.
    pub target: Target,
    /// With TLS.
    pub tls: Option<Tls>,
    /// The service that is asked about; empty for the server as a whole.
    pub service: Arc<str>,
    /// The `:authority`; else the address.
    pub host: Option<Arc<str>>,
}

/// `REDIS_CHECK`: `PING`, or what role it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Redis {
    /// Where.
    pub target: Target,
    /// `password`: `AUTH` comes first.
    pub password: Option<Arc<str>>,
    /// `username` for `AUTH`.
    pub username: Option<Arc<str>>,
    /// `role`: only a server of this role is good.
    pub role: Option<RedisRole>,
}

/// What a Redis server is to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RedisRole {
    /// It takes writes.
    Master,
    /// It follows one, with an open link to it.
    Replica,
}

/// `MYSQL_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mysql {
    /// Where.
    pub target: Target,
    /// `username`: logs in without password, which must succeed; `None` reads the greeting only.
    pub username: Option<Arc<str>>,
}

/// `PGSQL_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Postgres {
    /// Where.
    pub target: Target,
    /// `username` of the startup message. Whatever authentication the server then asks for is good.
    pub username: Arc<str>,
    /// `database`; else named as the user.
    pub database: Option<Arc<str>>,
}
