//! `standfast digest`: what `digest` in a `url` block wants of a page.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use standfast_daemon::run_once;
use standfast_health::{Failure, Http, HttpProtocol, Kind, Target, Tls, Url};

use crate::{print, say};

/// The page could not be had.
const FAILED: u8 = 1;
/// As a check's `connect_timeout`.
const SECONDS: u64 = 5;

/// What `digest` is asked.
#[derive(Debug, Args)]
pub(crate) struct Digest {
    /// The page, as `http://192.0.2.1:8080/path` or `https://www.example/`.
    url: String,
    /// The server that is asked, instead of the one in URL, as `ADDRESS` or `ADDRESS:PORT`.
    #[arg(long, value_name = "SERVER")]
    connect: Option<String>,
    /// What the server is told to be called (`virtualhost`), instead of the name in URL.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// `http_protocol` of the check. Pages in chunks have another digest with 1.1 than with 1.0.
    #[arg(long, value_enum, default_value = "1.0")]
    protocol: Protocol,
    /// Take a page with any status, not only 200 to 299.
    #[arg(long)]
    any_status: bool,
    /// Seconds that are waited.
    #[arg(long, value_name = "SECONDS", default_value_t = SECONDS)]
    timeout: u64,
}

/// HTTP's versions, as a configuration names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    #[value(name = "1.0")]
    Http10,
    #[value(name = "1.0C")]
    Http10Close,
    #[value(name = "1.1")]
    Http11,
    #[value(name = "2")]
    Http2,
}

/// One page to ask for.
pub(crate) struct Ask {
    pub(crate) server: SocketAddr,
    pub(crate) tls: Option<Tls>,
    pub(crate) protocol: HttpProtocol,
    pub(crate) path: String,
    pub(crate) host: Option<String>,
    pub(crate) status: (u16, u16),
    pub(crate) mark: u32,
    pub(crate) timeout: Duration,
}

impl Ask {
    /// Asks, and returns the MD5 of what came; `heard` is given what arrives.
    pub(crate) fn digest(&self, heard: &mut dyn FnMut(&[u8])) -> Result<[u8; 16], Failure> {
        // A check that wants a digest nobody has says which one it got.
        let nobodys = [0; 16];
        let url = Url {
            path: self.path.as_str().into(),
            host: self.host.as_deref().map(Into::into),
            status: vec![self.status],
            digest: Some(nobodys),
            pattern: None,
            strict_end: false,
        };
        let kind = Kind::Http(Box::new(Http {
            target: Target { mark: self.mark, ..Target::default() },
            tls: self.tls.clone(),
            protocol: self.protocol,
            fast_recovery: false,
            urls: vec![url],
        }));
        match run_once(&kind, self.server, self.timeout, heard) {
            Err(Failure::Digest { got, .. }) => Ok(got),
            Ok(_) => Ok(nobodys),
            Err(failure) => Err(failure),
        }
    }
}

pub(crate) fn main(digest: &Digest) -> anyhow::Result<u8> {
    let ask = ask(digest)?;
    match ask.digest(&mut |_| {}) {
        Ok(md5) => print(&format!("{}\n", hexadecimal(&md5))).map(|()| 0),
        Err(failure @ Failure::Status { .. }) => {
            say(&format!(
                "standfast: {failure}; with --any-status its digest is shown all the same"
            ));
            Ok(FAILED)
        }
        Err(failure) => {
            say(&format!("standfast: {}: {failure}", ask.server));
            Ok(FAILED)
        }
    }
}

/// Digits as `digest` wants them.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn ask(digest: &Digest) -> anyhow::Result<Ask> {
    let place = Place::parse(&digest.url)?;
    let server = match &digest.connect {
        Some(server) => resolve(server, place.port)?,
        None => resolve(place.name, place.port)?,
    };
    let named = place.name.trim_matches(['[', ']']).parse::<IpAddr>().is_err();
    // With a name the name is told, with an address that address and port, as a check does.
    let host = digest.host.clone().or_else(|| named.then(|| place.authority.to_owned()));
    let sni = host.as_deref().map(without_port);
    Ok(Ask {
        server,
        tls: place.tls.then(|| Tls { name: sni.map(Into::into), verify: false }),
        protocol: match digest.protocol {
            Protocol::Http10 => HttpProtocol::Http10,
            Protocol::Http10Close => HttpProtocol::Http10Close,
            Protocol::Http11 => HttpProtocol::Http11,
            Protocol::Http2 => HttpProtocol::Http2,
        },
        path: place.path,
        host,
        status: if digest.any_status { (0, 999) } else { (200, 299) },
        mark: 0,
        timeout: Duration::from_secs(digest.timeout.max(1)),
    })
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    tls: bool,
    /// Name or address, with the port if there is one.
    authority: &'a str,
    name: &'a str,
    port: u16,
    path: String,
}

impl<'a> Place<'a> {
    fn parse(url: &'a str) -> anyhow::Result<Self> {
        let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => anyhow::bail!("a URL begins with http:// or https://, not as {url}"),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        anyhow::ensure!(!authority.contains('@'), "names and passwords in URLs are not sent");
        let name = without_port(authority);
        let port = authority.get(name.len()..).unwrap_or_default();
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().with_context(|| format!("no port: {port}"))?,
            None if tls => 443,
            None => 80,
        };
        anyhow::ensure!(!name.is_empty(), "no server in {url}");
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, authority, name, port, path })
    }
}

/// `name:80` and `[2001:db8::1]:80` without what is behind the name.
fn without_port(authority: &str) -> &str {
    let name = match authority.rfind(']') {
        Some(end) => authority.get(..=end),
        None => authority.split(':').next(),
    };
    name.unwrap_or(authority)
}

fn resolve(server: &str, port: u16) -> anyhow::Result<SocketAddr> {
    if let Ok(address) = server.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let with_port = server.to_socket_addrs().or_else(|_| (server, port).to_socket_addrs());
    let mut found = with_port.with_context(|| format!("cannot find {server}"))?;
    found.next().with_context(|| format!("{server} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let place = |url| Place::parse(url).expect("a URL");
        let plain = place("http://192.0.2.1/a?b=c#d");
        assert_eq!((plain.name, plain.port, plain.path.as_str()), ("192.0.2.1", 80, "/a?b=c"));
        let six = place("https://[2001:db8::1]:8443?x");
        assert_eq!((six.tls, six.name, six.port), (true, "[2001:db8::1]", 8443));
        assert_eq!(six.path, "/?x");
        let named = place("https://www.example");
        assert_eq!((named.name, named.port, named.path.as_str()), ("www.example", 443, "/"));
        for wrong in ["www.example", "ftp://a/", "http:///", "http://a:x/", "http://u:p@a/"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_named_server_is_told_its_name() {
        let digest = Digest {
            url: "https://www.example:8443/x".into(),
            connect: Some("192.0.2.1:443".into()),
            host: None,
            protocol: Protocol::Http11,
            any_status: false,
            timeout: 5,
        };
        let ask = ask(&digest).expect("a page");
        assert_eq!(ask.server, "192.0.2.1:443".parse().expect("an address"));
        assert_eq!(ask.host.as_deref(), Some("www.example:8443"));
        assert_eq!(ask.tls.and_then(|tls| tls.name).as_deref(), Some("www.example"));
    }
}
