use super::*;
use crate::{
    Good, Grpc as GrpcCheck, Http, HttpProtocol, Kind, Target, Tls, Url, dialogue::script::Script,
};

fn url() -> Url {
    Url {
        path: "/page".into(),
        host: Some("www.example".into()),
        status: vec![(200, 299)],
        digest: None,
        pattern: None,
        strict_end: false,
    }
}

fn page(url: Url) -> Script {
    Script::new(&Kind::Http(Box::new(Http {
        target: Target::default(),
        tls: None,
        protocol: HttpProtocol::Http2,
        fast_recovery: false,
        urls: vec![url],
    })))
}

fn grpc(service: &str) -> Script {
    Script::new(&Kind::Grpc(Box::new(GrpcCheck {
        target: Target::default(),
        tls: Some(Tls::default()),
        service: service.into(),
        host: None,
    })))
}

/// The settings, the status and so many bytes, perhaps with an end.
fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

fn status(code: &str, flags: u8) -> Vec<u8> {
    let mut block = Vec::new();
    hpack::indexed_name(&mut block, 8, code);
    frame(HEADERS, END_HEADERS | flags, STREAM, &block)
}

fn trailers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    fields.iter().for_each(|(name, value)| hpack::named(&mut block, name, value));
    frame(HEADERS, END_HEADERS | END_STREAM, STREAM, &block)
}

#[test]
fn a_page_is_asked_for_and_judged() {
    let mut script = page(url());
    let header = b"\x82\x86\x04\x05/page\x01\x0bwww.example\x0f\x2b\x0fKeepAliveClient";
    let first = [PREFACE, &frame(SETTINGS, 0, 0, &NO_PUSH), &frame(HEADERS, 5, 1, header)].concat();
    script.says(&first).hear(&settings()).says(&frame(SETTINGS, ACK, 0, b""));
    script.hear(&frame(SETTINGS, ACK, 0, b"")).hear(&frame(PING, 0, 0, b"12345678"));
    script.says(&frame(PING, ACK, 0, b"12345678"));
    script.hear(&status("103", 0)).hear(&status("200", 0)).hear(&frame(DATA, END_STREAM, 1, b"hi"));
    script.ends(Ok(Good::default()));
    assert_eq!(script.0.poll_transmit(), Some(frame(GOAWAY, 0, 0, &[0; 8])));
    assert!(!script.0.may_reuse());
}

#[test]
fn status_and_digest_are_compared() {
    let reason = page(url()).hear(&settings()).hear(&status("503", END_STREAM)).fails();
    assert_eq!(reason, "status 503, wanted 200-299");
    let mut other = page(Url { digest: Some([0xab; 16]), ..url() });
    other.hear(&settings()).hear(&status("200", 0));
    let padded = frame(DATA, END_STREAM | PADDED, 1, b"\x03hi\0\0\0");
    let reason = other.hear(&padded).fails();
    assert!(
        reason.starts_with("digest is 49f68a5c8493ec2c0bf489821c21fc3b, wanted abab"),
        "{reason}"
    );
}

#[test]
fn a_long_page_is_given_credit() {
    let mut script = page(url());
    script.0.poll_transmit();
    script.hear(&settings()).says(&frame(SETTINGS, ACK, 0, b"")).hear(&status("200", 0));
    let piece = frame(DATA, 0, 1, &[b'x'; 16_000]);
    script.hear(&piece).hear(&piece).says(b"").hear(&piece);
    let owed = 48_000_u32.to_be_bytes();
    script.says(&[frame(WINDOW_UPDATE, 0, 0, &owed), frame(WINDOW_UPDATE, 0, 1, &owed)].concat());
    script.hear(&frame(DATA, END_STREAM, 1, b"")).ends(Ok(Good::default()));
}

#[test]
fn a_header_may_come_in_parts_and_has_an_end() {
    let mut script = page(url());
    script.hear(&settings()).hear(&frame(HEADERS, END_STREAM | PRIORITY, 1, b"\0\0\0\0\0"));
    script.hear(&frame(CONTINUATION, 0, 1, b"\x08\x03")).hear(&frame(
        CONTINUATION,
        END_HEADERS,
        1,
        b"200",
    ));
    script.ends(Ok(Good::default()));
    let mut endless = page(url());
    endless.hear(&settings()).hear(&frame(HEADERS, 0, 1, b""));
    let reason = endless.hear(&frame(CONTINUATION, 0, 1, &[0; 10_000]).repeat(2)).fails();
    assert_eq!(reason, "the header has no end");
}

#[test]
fn a_server_that_gives_up_says_why() {
    let refused = frame(RST_STREAM, 0, 1, &7_u32.to_be_bytes());
    let reason = page(url()).hear(&settings()).hear(&refused).fails();
    assert_eq!(reason, "the server gave the request up, REFUSED_STREAM");
    let calm = [&[0; 4][..], &11_u32.to_be_bytes(), b"too many"].concat();
    let reason = page(url()).hear(&settings()).hear(&frame(GOAWAY, 0, 0, &calm)).fails();
    assert_eq!(reason, "the server gave the connection up, ENHANCE_YOUR_CALM: too many");
    let mut going = page(url());
    going.hear(&settings()).hear(&frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
    going.hear(&status("200", END_STREAM)).ends(Ok(Good::default()));
}

#[test]
fn what_breaks_the_rules_is_said() {
    assert_eq!(page(url()).hear(b"HTTP/1.1 400 Bad\r\n").fails(), "the answer is not HTTP/2");
    assert_eq!(page(url()).hear(&status("200", 1)).fails(), "the answer is not HTTP/2");
    let wrong = [
        frame(DATA, 0, 3, b""),
        frame(PUSH_PROMISE, 0, 1, b""),
        frame(CONTINUATION, 0, 1, b""),
        frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        frame(HEADERS, PADDED, 1, b"\x09"),
        frame(GOAWAY, 0, 0, b""),
        trailers(&[]),
    ];
    for bytes in wrong {
        let reason = page(url()).hear(&settings()).hear(&bytes).fails();
        assert_eq!(reason, "the answer breaks the rules of HTTP/2", "{bytes:?}");
    }
    let pings = frame(PING, 0, 0, b"12345678").repeat(1001);
    assert_eq!(page(url()).hear(&settings()).hear(&pings).fails(), "the answer has no end");
}

#[test]
fn a_grpc_server_that_serves_is_good() {
    let mut script = grpc("shop");
    let first = script.0.poll_transmit().expect("a request");
    let message = frame(DATA, END_STREAM, 1, b"\0\0\0\0\x06\x0a\x04shop");
    assert!(first.ends_with(&message));
    script.hear(&settings()).hear(&status("200", 0));
    script.hear(&frame(DATA, 0, 1, b"\0\0\0\0\x02\x08\x01"));
    script.hear(&trailers(&[("grpc-status", "0")])).ends(Ok(Good::default()));
}

#[test]
fn a_grpc_server_that_does_not_serve_is_bad() {
    let answer = |data: &[u8], fields: &[(&str, &str)]| {
        let mut script = grpc("");
        script.hear(&settings()).hear(&status("200", 0)).hear(&frame(DATA, 0, 1, data));
        script.hear(&trailers(fields)).fails()
    };
    let ok = [("grpc-status", "0")];
    assert_eq!(answer(b"\0\0\0\0\x02\x08\x02", &ok), "the server answered NOT_SERVING");
    assert_eq!(answer(b"\0\0\0\0\0", &ok), "the server answered UNKNOWN");
    assert_eq!(answer(b"\0\0\0\0\x01x", &ok), "the answer is not the health service's");
    assert_eq!(answer(b"", &ok), "the answer is not the health service's");
    assert_eq!(answer(b"", &[("x", "y")]), "the answer is not gRPC");
    let unknown = [("grpc-status", "12"), ("grpc-message", "unknown service")];
    assert_eq!(answer(b"", &unknown), "gRPC status 12 (unimplemented): unknown service");
    let mut none = grpc("");
    let reason = none.hear(&settings()).hear(&status("502", END_STREAM)).fails();
    assert_eq!(reason, "status 502, wanted 200");
}
