//! A client that asks for a page every few milliseconds, whether or not earlier requests were answered, and
//! writes down what became of each.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, SocketAddrV4},
    os::fd::AsFd,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use standfast_kernel::clock;
use standfast_types::Instant;

/// A request without an answer after this long is lost. Less than the second after which TCP sends
/// its SYN again: what was lost shall not look like a late answer.
pub const PATIENCE: Duration = Duration::from_millis(400);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was sent.
    pub sent: Instant,
    /// When its fate was known.
    pub ended: Instant,
    /// The first line of the page; `None` when there was none.
    pub page: Option<String>,
    /// Its connection was cut after it was made, and the request sent once more, as browsers and
    /// proxies do with a GET: the neighbours switched to another machine in the middle of it.
    #[serde(default)]
    pub cut: bool,
}

struct Request {
    sent: Instant,
    stream: Socket,
    asked: bool,
    answer: Vec<u8>,
    cut: bool,
}

/// Asks `address` every `interval` and prints a [`Sample`] a line, until it is killed.
pub(crate) fn probe(address: SocketAddrV4, interval: Duration) -> anyhow::Result<u8> {
    let mut out = io::stdout().lock();
    let mut requests: Vec<Request> = Vec::new();
    let mut next = clock::now();
    loop {
        let now = clock::now();
        if next <= now {
            match Request::send(address, now) {
                Ok(request) => requests.push(request),
                Err(_) => report(&mut out, now, None, false)?,
            }
            next = if now.saturating_since(next) > interval { now } else { next } + interval;
        }
        wait(&requests, next.saturating_since(clock::now()))?;
        let mut open = Vec::with_capacity(requests.len());
        for mut request in requests {
            match request.advance() {
                Progress::Waits if clock::now().saturating_since(request.sent) < PATIENCE => {
                    open.push(request);
                }
                Progress::Failed if request.asked && !request.cut => {
                    match Request::send(address, request.sent) {
                        Ok(again) => open.push(Request { cut: true, ..again }),
                        Err(_) => report(&mut out, request.sent, None, true)?,
                    }
                }
                Progress::Waits | Progress::Failed => {
                    report(&mut out, request.sent, None, request.cut)?;
                }
                Progress::Answered(page) => {
                    report(&mut out, request.sent, Some(page), request.cut)?;
                }
            }
        }
        requests = open;
    }
}

fn report(
    out: &mut impl Write,
    sent: Instant,
    page: Option<String>,
    cut: bool,
) -> anyhow::Result<()> {
    let sample = Sample { sent, ended: clock::now(), page, cut };
    let mut line = serde_json::to_vec(&sample)?;
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}

fn wait(requests: &[Request], limit: Duration) -> anyhow::Result<()> {
    let interest = |request: &Request| if request.asked { PollFlags::IN } else { PollFlags::OUT };
    let mut fds: Vec<_> = requests
        .iter()
        .map(|request| PollFd::from_borrowed_fd(request.stream.as_fd(), interest(request)))
        .collect();
    match poll(&mut fds, Some(&limit.try_into()?)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

enum Progress {
    Waits,
    Failed,
    Answered(String),
}

impl Request {
    fn send(address: SocketAddrV4, now: Instant) -> io::Result<Self> {
        let stream = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        stream.set_nonblocking(true)?;
        // Closed with a reset: neither side keeps the port for a minute.
        stream.set_linger(Some(Duration::ZERO))?;
        match stream.connect(&SocketAddr::from(address).into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { sent: now, stream, asked: false, answer: Vec::new(), cut: false })
    }

    fn advance(&mut self) -> Progress {
        match self.exchange() {
            Ok(Some(page)) => Progress::Answered(page),
            Ok(None) => Progress::Waits,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Waits,
            Err(error) if error.kind() == io::ErrorKind::NotConnected && !self.asked => {
                Progress::Waits
            }
            Err(_) => Progress::Failed,
        }
    }

    fn exchange(&mut self) -> io::Result<Option<String>> {
        if !self.asked {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.stream.write_all(REQUEST)?;
            self.asked = true;
        }
        let mut chunk = [0; 4096];
        loop {
            let read = self.stream.read(&mut chunk)?;
            self.answer.extend(chunk.get(..read).unwrap_or_default());
            if let Some(page) = page(&self.answer, read == 0) {
                return Ok(Some(page));
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The first line of the body, once it is complete.
fn page(answer: &[u8], complete: bool) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    match body.split_once('\n') {
        Some((line, _)) => Some(line.trim().to_owned()),
        None if complete => Some(body.trim().to_owned()),
        None => None,
    }
}

/// `EINPROGRESS`: the connection is being made.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// What a client noticed in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Requests sent.
    pub requests: usize,
    /// Requests that were not answered.
    pub lost: usize,
    /// Requests that were answered after their connection had been cut.
    pub cut: usize,
    /// The longest time without an answer.
    pub gap: Duration,
    /// The pages, in the order in which they were first seen after another.
    pub pages: Vec<String>,
}

/// Sums up the requests that were sent from `from` until `until`.
#[must_use]
pub fn notice(samples: &[Sample], from: Instant, until: Instant) -> Notice {
    let window = samples.iter().filter(|sample| from <= sample.sent && sample.sent < until);
    let mut answers: Vec<_> = Vec::new();
    let mut notice = Notice::default();
    for sample in window {
        notice.requests += 1;
        match &sample.page {
            Some(page) => {
                notice.cut += usize::from(sample.cut);
                answers.push((sample.ended, page));
            }
            None => notice.lost += 1,
        }
    }
    answers.sort();
    let mut last = from;
    for (at, page) in answers {
        notice.gap = notice.gap.max(at.saturating_since(last));
        last = at;
        if notice.pages.last() != Some(page) {
            notice.pages.push(page.clone());
        }
    }
    notice.gap = notice.gap.max(until.saturating_since(last));
    notice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn sample(millis: u64, page: Option<&str>) -> Sample {
        let page = page.map(str::to_owned);
        Sample { sent: at(millis), ended: at(millis + 1), page, cut: false }
    }

    #[test]
    fn a_gap_is_the_longest_time_between_two_answers() {
        let samples = [
            sample(0, Some("a")),
            sample(10, None),
            sample(20, None),
            sample(30, Some("b")),
            sample(40, Some("b")),
        ];
        let notice = notice(&samples, at(0), at(50));
        assert_eq!((notice.requests, notice.lost), (5, 2));
        assert_eq!(notice.gap, Duration::from_millis(30));
        assert_eq!(notice.pages, ["a", "b"]);
    }

    #[test]
    fn an_outage_that_does_not_end_counts_to_the_end() {
        let notice = notice(&[sample(10, None)], at(0), at(100));
        assert_eq!(notice.gap, Duration::from_millis(100));
    }

    #[test]
    fn a_page_is_known_when_its_first_line_is_complete() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(page(format!("{head}n1").as_bytes(), false), None);
        assert_eq!(page(format!("{head}n1\n").as_bytes(), false).as_deref(), Some("n1"));
        assert_eq!(page(format!("{head}n1").as_bytes(), true).as_deref(), Some("n1"));
        assert_eq!(page(b"HTTP/1.1 503 No\r\n\r\nn1\n", true), None);
    }
}
