use std::{net::SocketAddr, sync::Arc, time::Duration};

use md5::{Digest, Md5};

use crate::{Dialogue, End, Failure, Good, Http, HttpProtocol, Kind, Prepared, Run, Target, Url};

pub(super) fn url() -> Url {
    Url {
        path: "/a?b=c".into(),
        host: None,
        status: vec![(200, 299)],
        digest: None,
        pattern: None,
        strict_end: false,
    }
}

pub(super) fn http(protocol: HttpProtocol, url: Url) -> Kind {
    Kind::Http(Box::new(Http {
        target: Target::default(),
        tls: None,
        protocol,
        fast_recovery: false,
        urls: vec![url],
    }))
}

fn dialogue(kind: &Kind, keep: bool) -> Dialogue {
    let server: SocketAddr = "192.0.2.1:8080".parse().expect("an address");
    let run = Run { server, page: 0, random: 0, keep, timeout: Duration::from_secs(5) };
    Dialogue::new(&Arc::new(Prepared::new(kind).expect("a dialogue")), &run)
}

fn request(kind: &Kind, keep: bool) -> String {
    String::from_utf8(dialogue(kind, keep).poll_transmit().expect("a request")).expect("text")
}

/// The outcome when the server sends this and closes; the same whole and byte by byte.
fn outcome(kind: &Kind, answer: &[u8]) -> Result<Good, Failure> {
    let [whole, bytewise] = [answer.len().max(1), 1].map(|size| {
        let mut dialogue = dialogue(kind, false);
        answer.chunks(size).for_each(|piece| dialogue.handle_bytes(piece));
        dialogue.handle_end(End::Closed);
        dialogue.poll_outcome().expect("an outcome")
    });
    assert_eq!(whole, bytewise);
    whole
}

fn reason(kind: &Kind, answer: &[u8]) -> String {
    outcome(kind, answer).expect_err("a failure").to_string()
}

#[test]
fn requests_are_keepaliveds_to_the_byte() {
    let plain = "User-Agent: KeepAliveClient\r\nHost: 192.0.2.1:8080\r\n\r\n";
    assert_eq!(
        request(&http(HttpProtocol::Http10, url()), true),
        format!("GET /a?b=c HTTP/1.0\r\n{plain}")
    );
    let named = Url { host: Some("www.example:99".into()), ..url() };
    let close = "User-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example:99\r\n\r\n";
    assert_eq!(
        request(&http(HttpProtocol::Http10Close, named.clone()), true),
        format!("GET /a?b=c HTTP/1.0\r\n{close}")
    );
    assert_eq!(
        request(&http(HttpProtocol::Http11, named), false),
        format!("GET /a?b=c HTTP/1.1\r\n{close}")
    );
    assert_eq!(
        request(&http(HttpProtocol::Http11, url()), true),
        format!("GET /a?b=c HTTP/1.1\r\n{plain}")
    );
}

#[test]
fn the_status_is_the_number_after_the_first_space() {
    let kind = http(HttpProtocol::Http10, url());
    for good in ["HTTP/1.0 200 OK", "ICY 204", "x 299nonsense", "HTTP/9  200"] {
        assert_eq!(
            outcome(&kind, format!("{good}\r\n\r\n").as_bytes()),
            Ok(Good::default()),
            "{good}"
        );
        assert_eq!(
            outcome(&kind, format!("{good}\n\nx").as_bytes()),
            Ok(Good::default()),
            "{good}"
        );
    }
    assert_eq!(reason(&kind, b"HTTP/1.1 503 No\r\n\r\n"), "status 503, wanted 200-299");
    let two = Url { status: vec![(200, 200), (300, 302)], ..url() };
    let two = http(HttpProtocol::Http10, two);
    assert_eq!(reason(&two, b"HTTP/1.1 404 No\r\n\r\n"), "status 404, wanted 200, 300-302");
    for nonsense in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1\r\n\r\n", "a b\r\n", "\r\n\r\n"] {
        assert_eq!(reason(&kind, nonsense.as_bytes()), "the answer is not HTTP");
    }
}

#[test]
fn an_answer_that_breaks_off_in_its_header_is_none() {
    let kind = http(HttpProtocol::Http10, url());
    assert_eq!(reason(&kind, b""), "closed without an answer");
    assert_eq!(reason(&kind, b"HTTP/1.0 200 OK\r\nA: b\r\n"), "closed in the middle of its answer");
}

#[test]
fn the_digest_is_of_the_bytes_as_they_were_sent() {
    let body = b"5;x=y\r\nhello\r\n0\r\nTrailer: z\r\n\r\n";
    let with = |wanted: [u8; 16]| http(HttpProtocol::Http11, Url { digest: Some(wanted), ..url() });
    let good = with(Md5::digest(body).into());
    for header in ["", "Transfer-Encoding: chunked\r\n", "Content-Length: 31\r\n"] {
        let mut answer = format!("HTTP/1.1 200 OK\r\n{header}\r\n").into_bytes();
        answer.extend(body);
        assert_eq!(outcome(&good, &answer), Ok(Good::default()), "{header}");
    }
    let other = reason(&with([0xab; 16]), b"HTTP/1.0 200 OK\r\n\r\nhi");
    let md5 = "digest is 49f68a5c8493ec2c0bf489821c21fc3b, wanted abababababababababababababababab";
    assert_eq!(other, md5);
}

#[test]
fn a_page_whose_end_is_known_needs_no_end_of_the_connection() {
    let kind = http(HttpProtocol::Http11, url());
    let pages = [
        ("Content-Length: 2\r\n\r\nhi", true),
        ("content-length :2\r\nContent-Length: 2\r\n\r\nhi", true),
        ("Content-Length: 0\r\n\r\n", true),
        ("Transfer-Encoding: gzip, Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true),
        ("Content-Length: 2\r\n\r\nhimore", false),
        ("Content-Length: 2\r\nConnection: x, Close\r\n\r\nhi", false),
    ];
    for (answer, reusable) in pages {
        let mut dialogue = dialogue(&kind, true);
        dialogue.handle_bytes(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 99\r\n\r\n");
        dialogue.handle_bytes(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
        assert_eq!(dialogue.poll_outcome(), Some(Ok(Good::default())), "{answer}");
        assert_eq!(dialogue.may_reuse(), reusable, "{answer}");
    }
    for answer in
        ["Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "\r\nhi", "Content-Length: -1\r\n\r\n"]
    {
        let mut dialogue = dialogue(&kind, true);
        dialogue.handle_bytes(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
        assert_eq!(dialogue.poll_outcome(), None, "{answer}");
        dialogue.handle_end(End::Closed);
        assert_eq!(dialogue.poll_outcome(), Some(Ok(Good::default())), "{answer}");
        assert!(!dialogue.may_reuse());
    }
}

#[test]
fn an_old_server_keeps_nothing() {
    let mut dialogue = dialogue(&http(HttpProtocol::Http11, url()), true);
    dialogue.handle_bytes(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(dialogue.poll_outcome(), Some(Ok(Good::default())));
    assert!(!dialogue.may_reuse());
}

#[test]
fn tls_that_ends_without_saying_so_matters_where_it_is_wanted() {
    for (strict_end, expected) in [(false, Ok(Good::default())), (true, Err(Failure::Truncated))] {
        let kind = http(HttpProtocol::Http10, Url { strict_end, ..url() });
        let mut dialogue = dialogue(&kind, false);
        dialogue.handle_bytes(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        dialogue.handle_end(End::Truncated);
        assert_eq!(dialogue.poll_outcome(), Some(expected));
    }
}

#[test]
fn what_follows_a_complete_page_is_no_part_of_it() {
    let digest = Some(Md5::digest(b"0\r\n\r\n").into());
    let kind = http(HttpProtocol::Http11, Url { digest, strict_end: true, ..url() });
    let page = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore";
    assert_eq!(outcome(&kind, page), Ok(Good::default()));
}

#[test]
fn a_header_without_end_is_refused() {
    let kind = http(HttpProtocol::Http10, url());
    let mut answer = b"HTTP/1.0 200 OK\r\n".to_vec();
    answer.extend(b"X: y\r\n".repeat(50_000));
    assert_eq!(reason(&kind, &answer), "the header has no end");
    assert_eq!(reason(&kind, &[b'x'; 5000]), "the answer is not HTTP");
}

#[test]
fn silence_is_a_failure_that_says_how_long() {
    let kind = http(HttpProtocol::Http10, url());
    let mut dialogue = dialogue(&kind, false);
    dialogue.handle_bytes(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nh");
    dialogue.handle_silence();
    let failure = dialogue.poll_outcome().expect("an outcome").expect_err("a failure");
    assert_eq!(failure.to_string(), "no complete answer within 5 s");
}
