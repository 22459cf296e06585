//! The mailer against small servers of every kind.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    thread::JoinHandle,
};

use super::*;

/// A server that answers each line with the next of its replies, and says what it heard.
fn server(replies: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let work = move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let lines = BufReader::new(stream.try_clone().expect("a copy"));
        let mut replies = replies.iter();
        let mut heard = Vec::new();
        let mut letter = false;
        let mut answer = |stream: &mut TcpStream, letter: &mut bool| {
            let Some(reply) = replies.next() else { return false };
            *letter = reply.starts_with("354");
            stream.write_all(reply.as_bytes()).is_ok()
        };
        if !answer(&mut stream, &mut letter) {
            return heard;
        }
        for line in lines.lines().map_while(Result::ok) {
            let more = letter && line != ".";
            heard.push(line);
            if !more && !answer(&mut stream, &mut letter) {
                break;
            }
        }
        heard
    };
    (port, thread::spawn(work))
}

fn order(port: u16, timeout: Duration) -> Order {
    let letter = Letter {
        helo: "node".to_owned(),
        sender: "k@example.net".to_owned(),
        recipients: vec!["a@example.net".to_owned(), "b@example.net".to_owned()],
        text: "Subject: s\n\n.hello\n".to_owned(),
    };
    Order { server: "localhost".to_owned(), port, timeout, letter }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_letter_reaches_a_server_that_says_more_than_it_must() {
    let (port, heard) = server(&[
        "220-welcome\r\n220 here\r\n",
        "250-node\r\n250 pleased\r\n",
        "250 ok\r\n",
        "250 ok\r\n",
        "251 forwarded\r\n",
        "354 go on\r\n",
        "250 queued\r\n",
        "221 bye\r\n",
    ]);
    let outcome = deliver(order(port, LONG)).expect("delivered");
    assert_eq!(outcome, Outcome::Delivered { refused: Vec::new() });
    let expected = [
        "HELO node",
        "MAIL FROM:<k@example.net>",
        "RCPT TO:<a@example.net>",
        "RCPT TO:<b@example.net>",
        "DATA",
        "Subject: s",
        "",
        "..hello",
        ".",
        "QUIT",
    ];
    assert_eq!(heard.join().expect("the server"), expected);
}

#[test]
fn a_server_that_says_nothing_costs_its_time_and_no_more() {
    let (port, heard) = server(&["", "", ""]);
    let error = deliver(order(port, SHORT)).expect_err("nothing was said").to_string();
    assert!(error.starts_with("no answer"), "{error}");
    drop(heard);
}

#[test]
fn a_server_that_talks_without_end_is_left() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let talker = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        while stream.write_all(b"220-more\r\n").is_ok() {}
    });
    let outcome = deliver(order(port, LONG)).expect("an outcome");
    assert!(matches!(outcome, Outcome::Nonsense(_)));
    talker.join().expect("the server");
}

#[test]
fn a_server_that_is_not_there_or_hangs_up_is_an_error() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    drop(listener);
    assert!(deliver(order(port, LONG)).is_err());
    let (port, heard) = server(&["220 hello\r\n"]);
    assert!(deliver(order(port, LONG)).is_err());
    heard.join().expect("the server");
}

#[test]
fn the_mailer_reports_every_letter_and_never_makes_its_caller_wait() {
    let (port, _heard) = server(&["554 go away\r\n"]);
    let config = Config {
        recipients: Vec::new(),
        from: None,
        server: "localhost".to_owned(),
        port,
        helo: None,
        timeout: LONG,
        router_id: None,
        no_faults: false,
    };
    let mut mailer = Mailer::default();
    assert!(mailer.is_idle());
    assert_eq!(mailer.send(&config, order(port, LONG).letter), None);
    assert!(!mailer.is_idle());
    let mut reports = Vec::new();
    while !mailer.is_idle() {
        let fd = mailer.fd().expect("it runs");
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).expect("poll");
        reports.extend(mailer.reports());
    }
    assert_eq!(reports, [(Level::Warning, "localhost refused a mail: 554 go away".to_owned())]);
}
