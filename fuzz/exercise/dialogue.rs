//! What the fuzzer and the replay of its seeds do with what a server says: nothing makes a dialogue panic,
//! say or keep more than it should, or come to what depends on how the bytes were cut.

use std::{sync::Arc, time::Duration};

use standfast_health::{
    Dialogue, Dns, End, Failure, Good, Grpc, Http, HttpProtocol, Kind, Mysql, Pattern, Postgres,
    Prepared, Redis, RedisRole, Reply, Run, Smtp, Target, Udp, Url,
};

/// A server's bytes are told to the dialogue that the first byte chooses of these; the second says how
/// they are cut, and how the connection ends.
pub(crate) fn exercise(kinds: &[Arc<Prepared>], input: &[u8]) {
    let [which, cut, bytes @ ..] = input else { return };
    let Some(prepared) = kinds.get(usize::from(*which) % kinds.len()) else { return };
    let whole = outcome(prepared, std::iter::once(bytes), *cut);
    let pieces = outcome(prepared, bytes.chunks(usize::from(cut % 16) + 1), *cut);
    if datagrams(prepared.kind()) {
        return;
    }
    assert_eq!(whole, pieces, "the same however it was cut");
}

fn outcome<'a>(
    prepared: &Arc<Prepared>,
    pieces: impl Iterator<Item = &'a [u8]>,
    cut: u8,
) -> Result<Good, Failure> {
    let run = Run {
        server: ([192, 0, 2, 1], 80).into(),
        page: 0,
        random: 0,
        keep: cut & 0x10 != 0,
        timeout: Duration::from_secs(5),
    };
    let mut dialogue = Dialogue::new(prepared, &run);
    let (mut said, mut heard) = (0, 0);
    for piece in pieces {
        heard += piece.len();
        if datagrams(prepared.kind()) {
            dialogue.handle_datagram(piece);
        } else {
            dialogue.handle_bytes(piece);
        }
        said += dialogue.poll_transmit().map_or(0, |bytes| bytes.len());
        assert!(said <= 1000 + 16 * heard, "{said} bytes said to {heard}");
    }
    // A byte that is kept is six characters here at most.
    let kept = format!("{dialogue:?}").len();
    assert!(kept < 20_000 + 20 * heard, "{kept} characters kept of {heard} bytes");
    match cut >> 6 {
        0 => dialogue.handle_end(End::Closed),
        1 => dialogue.handle_end(End::Truncated),
        2 => dialogue.handle_end(End::Reset),
        _ => dialogue.handle_silence(),
    }
    let outcome = dialogue.poll_outcome().expect("an outcome");
    if let Err(failure) = &outcome {
        let text = failure.to_string();
        assert!(!text.is_empty() && text.chars().count() <= 250, "{text}");
        assert!(!text.chars().any(char::is_control), "{text}");
    }
    outcome
}

fn datagrams(kind: &Kind) -> bool {
    matches!(kind, Kind::Dns(_) | Kind::Udp(_) | Kind::Ping(_))
}

fn page(protocol: HttpProtocol, url: Url) -> Kind {
    let target = Target::default();
    Kind::Http(Box::new(Http {
        target,
        tls: None,
        protocol,
        fast_recovery: false,
        urls: vec![url],
    }))
}

fn pattern(text: &str, absent: bool) -> Option<Pattern> {
    let (options, text) = (Vec::new(), text.into());
    Some(Pattern { text, options, absent, min_offset: 3, max_offset: None })
}

fn url() -> Url {
    Url {
        path: "/".into(),
        host: None,
        status: vec![(200, 299)],
        digest: None,
        pattern: None,
        strict_end: false,
    }
}

fn prepared(kinds: impl IntoIterator<Item = Kind>) -> Vec<Arc<Prepared>> {
    let prepared = kinds.into_iter().map(|kind| Prepared::new(&kind).map(Arc::new));
    prepared.map(|prepared| prepared.expect("a dialogue")).collect()
}

/// Pages by one protocol.
fn pages(protocol: HttpProtocol) -> Vec<Kind> {
    let urls = [
        url(),
        Url { digest: Some([0; 16]), strict_end: true, ..url() },
        Url { pattern: pattern(r"(?m)^ok\b|up$", false), ..url() },
        Url { pattern: pattern(r"(\w)\1(?=!)", true), status: vec![(100, 599)], ..url() },
    ];
    urls.map(|url| page(protocol, url)).into()
}

/// HTTP/1.
pub(crate) fn http() -> Vec<Arc<Prepared>> {
    prepared([pages(HttpProtocol::Http10), pages(HttpProtocol::Http11)].concat())
}

/// HTTP/2 and gRPC.
pub(crate) fn http2() -> Vec<Arc<Prepared>> {
    let (target, service) = (Target::default(), "shop".into());
    let grpc = Kind::Grpc(Box::new(Grpc { target, tls: None, service, host: None }));
    prepared([pages(HttpProtocol::Http2), vec![grpc]].concat())
}

/// All that is short.
pub(crate) fn handshakes() -> Vec<Arc<Prepared>> {
    let target = Target::default;
    let redis = |password: Option<&str>, role| {
        let password = password.map(Into::into);
        Kind::Redis(Box::new(Redis { target: target(), password, username: None, role }))
    };
    let mysql = |username: Option<&str>| {
        Kind::Mysql(Box::new(Mysql { target: target(), username: username.map(Into::into) }))
    };
    let udp = |reply| Kind::Udp(Box::new(Udp { target: target(), payload: Vec::new(), reply }));
    prepared([
        Kind::Smtp(Box::new(Smtp { target: target(), helo: "a.example".into() })),
        redis(None, None),
        redis(Some("secret"), Some(RedisRole::Master)),
        redis(None, Some(RedisRole::Replica)),
        mysql(None),
        mysql(Some("check")),
        Kind::Postgres(Box::new(Postgres {
            target: target(),
            username: "check".into(),
            database: None,
        })),
        Kind::Dns(Box::new(Dns { target: target(), record: 6, name: "a.example".into() })),
        udp(None),
        udp(Some(Reply { start: vec![(1, 0xff), (0x20, 0xf0)], min: 1, max: 100 })),
        Kind::Ping(target()),
    ])
}
