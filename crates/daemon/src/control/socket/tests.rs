use std::os::unix::net::UnixStream as Stream;

use serde_json::json;

use super::*;

const RELOAD: &[u8] = b"{\"method\":\"standfast.control.Reload\"}\0";

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// A socket of this test's own, below the system's directory for such things.
fn with(name: &str, work: impl FnOnce(&mut Socket, &Path)) {
    let name = format!("standfast-control-{name}-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut socket = Socket::open(&path).expect("a socket");
    work(&mut socket, &path);
    drop(socket);
    assert!(!path.exists(), "it is tidied up");
}

fn connect(path: &Path) -> Stream {
    let stream = Stream::connect(path).expect("connected");
    stream.set_nonblocking(true).expect("set");
    stream
}

/// What has arrived at a client; `None` when it was dropped.
fn arrived(stream: &mut Stream) -> Option<String> {
    let mut bytes = vec![0; 4096];
    match stream.read(&mut bytes) {
        Ok(0) => None,
        Ok(read) => Some(String::from_utf8_lossy(&bytes[..read]).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(String::new()),
        Err(_) => None,
    }
}

#[test]
fn one_request_at_a_time_is_handed_out_and_answered() {
    with("one", |socket, path| {
        let mut client = connect(path);
        client.write_all(&[RELOAD, RELOAD].concat()).expect("room");
        let requests = socket.receive(at(0));
        let [(id, Request::Reload {})] = requests[..] else { panic!("{requests:?}") };
        assert_eq!(socket.receive(at(1)), []);
        let more = socket.answer(at(2), id, &Ok(json!({ "a": 1 })));
        assert_eq!(more, [(id, Request::Reload {})]);
        assert_eq!(arrived(&mut client).as_deref(), Some("{\"parameters\":{\"a\":1}}\0"));
        socket.answer(at(3), id, &Err(Refusal::Unavailable("not now".to_owned())));
        let text = "{\"error\":\"standfast.control.Unavailable\",\"parameters\":{\"message\":\"not now\"}}\0";
        assert_eq!(arrived(&mut client).as_deref(), Some(text));
    });
}

#[test]
fn rubbish_is_answered_and_too_much_of_it_ends_the_client() {
    with("rubbish", |socket, path| {
        let (mut rude, mut flood) = (connect(path), connect(path));
        rude.write_all(b"GET / HTTP/1.1\r\n\r\n\0\xff\xff\0").expect("room");
        assert_eq!(socket.receive(at(0)), []);
        let answer = arrived(&mut rude).expect("it stays");
        assert_eq!(answer.matches("org.varlink.service.InvalidParameter").count(), 2, "{answer}");
        for _ in 0..40 {
            let _ = flood.write(&[b'x'; 4096]);
            socket.receive(at(1));
        }
        assert_eq!(arrived(&mut flood), None);
        assert_eq!(arrived(&mut rude).as_deref(), Some(""));
    });
}

#[test]
fn whoever_is_silent_is_dropped_and_whoever_waits_for_us_is_not() {
    with("silent", |socket, path| {
        let (mut silent, mut half, mut waits) = (connect(path), connect(path), connect(path));
        half.write_all(b"{\"method\":").expect("room");
        waits.write_all(RELOAD).expect("room");
        assert_eq!(socket.receive(at(0)).len(), 1);
        assert_eq!(socket.next_deadline(), Some(at(0) + PATIENCE));
        socket.receive(at(9_999));
        assert_eq!(arrived(&mut silent).as_deref(), Some(""));
        socket.receive(at(10_000));
        assert_eq!((arrived(&mut silent), arrived(&mut half)), (None, None));
        assert_eq!(arrived(&mut waits).as_deref(), Some(""));
        assert_eq!(socket.next_deadline(), None);
    });
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    with("crowd", |socket, path| {
        let crowd: Vec<_> = (0..100)
            .map(|number| {
                let stream = connect(path);
                socket.receive(at(number));
                stream
            })
            .collect();
        assert_eq!(socket.clients.len(), CLIENTS);
        let mut client = connect(path);
        client.write_all(RELOAD).expect("room");
        assert_eq!(socket.receive(at(200)).len(), 1);
        drop(crowd);
        socket.receive(at(201));
        assert_eq!(socket.clients.len(), 1);
    });
}

#[test]
fn one_that_does_not_read_is_dropped_with_its_long_answer() {
    with("deaf", |socket, path| {
        let mut client = connect(path);
        client.write_all(RELOAD).expect("room");
        let requests = socket.receive(at(0));
        let long = json!({ "text": "x".repeat(4 << 20) });
        socket.answer(at(0), requests[0].0, &Ok(long));
        assert_eq!(socket.clients.len(), 1);
        socket.receive(at(10_000));
        assert_eq!(socket.clients.len(), 0);
    });
}

#[test]
fn one_that_closes_its_side_after_asking_is_answered_all_the_same() {
    with("half-closed", |socket, path| {
        let mut client = connect(path);
        client.write_all(RELOAD).expect("room");
        client.shutdown(std::net::Shutdown::Write).expect("shut");
        let requests = socket.receive(at(0));
        socket.answer(at(1), requests[0].0, &Ok(json!({})));
        assert_eq!(arrived(&mut client).as_deref(), Some("{\"parameters\":{}}\0"));
        assert_eq!(arrived(&mut client), None);
        assert_eq!(socket.clients.len(), 0);
    });
}

#[test]
fn a_socket_that_is_served_is_left_alone_and_one_that_is_not_is_taken_over() {
    with("taken", |_, path| {
        let error = Socket::open(path).expect_err("it is served");
        assert_eq!(error.to_string(), "another daemon listens there");
    });
    let name = format!("standfast-control-left-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    drop(Socket::open(&path).expect("taken over"));
}
