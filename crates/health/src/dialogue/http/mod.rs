//! HTTP/1.0 and HTTP/1.1.
//!
//! As tolerant as keepalived: of the status line only the number after the first space counts, a page
//! that ends before its length says so is judged as it came, and digests are of the bytes as they were sent.
//!
//! Memory: a kilobyte for the header's current line, and what the page's pattern needs.

mod body;
mod head;
mod page;

use std::sync::Arc;

pub(super) use self::page::Page;
use self::{
    body::{Body, Progress},
    head::Head,
};
use super::{Run, Step, Talk};
use crate::{Compiled, Failure, HttpProtocol, Url};

/// What keepalived calls itself, which access logs and filters know.
pub(super) const AGENT: &str = "KeepAliveClient";

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Http1 {
    expected: Expected,
    state: State,
}

#[derive(Debug)]
struct Expected {
    status: Vec<(u16, u16)>,
    strict_end: bool,
    keep: bool,
    page: Page,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body {
        body: Body,
        persistent: bool,
    },
    /// Nothing is missing but the end of the connection.
    Complete,
}

impl Http1 {
    /// The state, and the request.
    pub(super) fn new(
        protocol: HttpProtocol,
        url: &Url,
        pattern: Option<Arc<Compiled>>,
        run: &Run,
    ) -> (Self, Vec<u8>) {
        let keep = run.keep && protocol == HttpProtocol::Http11;
        let expected = Expected {
            status: url.status.clone(),
            strict_end: url.strict_end,
            keep,
            page: Page::new(url.digest, pattern),
        };
        (Self { expected, state: State::Head(Head::default()) }, request(protocol, url, run, keep))
    }
}

impl Talk for Http1 {
    fn strict_end(&self) -> bool {
        self.expected.strict_end
    }

    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        loop {
            match &mut self.state {
                State::Head(head) => {
                    let rest = match head.feed(bytes) {
                        Ok(Some(rest)) => rest,
                        Ok(None) => return Step::Wait,
                        Err(failure) => return Step::failed(failure),
                    };
                    bytes = rest;
                    let status = head.status();
                    let good = self
                        .expected
                        .status
                        .iter()
                        .any(|&(low, high)| (low..=high).contains(&status));
                    if !good && head.is_interim() {
                        self.state = State::Head(Head::default());
                        continue;
                    }
                    if !good {
                        let wanted = ranges(&self.expected.status);
                        return Step::failed(Failure::Status { got: status, wanted });
                    }
                    let persistent = head.is_persistent();
                    self.state = State::Body { body: head.body(), persistent };
                }
                State::Body { body, persistent } => {
                    let persistent = *persistent && self.expected.keep;
                    return match body.feed(bytes, &mut self.expected.page) {
                        Ok(Progress::More) => Step::Wait,
                        // Where the end of TLS must be said, it is waited for.
                        Ok(Progress::Complete { .. })
                            if self.expected.strict_end && !persistent =>
                        {
                            self.state = State::Complete;
                            Step::Wait
                        }
                        Ok(Progress::Complete { extra }) => Step::Done {
                            outcome: self.expected.page.judge(),
                            farewell: Vec::new(),
                            reusable: persistent && !extra,
                        },
                        Err(failure) => Step::failed(failure),
                    };
                }
                State::Complete => return Step::Wait,
            }
        }
    }

    /// The connection has ended, and with it the page.
    fn end(&mut self) -> Step {
        match &self.state {
            State::Head(_) => Step::Wait,
            State::Body { .. } | State::Complete => match self.expected.page.judge() {
                Ok(()) => Step::good(),
                Err(failure) => Step::failed(failure),
            },
        }
    }
}

fn request(protocol: HttpProtocol, url: &Url, run: &Run, keep: bool) -> Vec<u8> {
    let (version, close) = match protocol {
        HttpProtocol::Http10 => ("1.0", ""),
        HttpProtocol::Http10Close => ("1.0", "Connection: close\r\n"),
        HttpProtocol::Http11 | HttpProtocol::Http2 if keep => ("1.1", ""),
        HttpProtocol::Http11 | HttpProtocol::Http2 => ("1.1", "Connection: close\r\n"),
    };
    let host = match &url.host {
        Some(host) => host.to_string(),
        None => run.server.to_string(),
    };
    let path = &url.path;
    format!("GET {path} HTTP/{version}\r\nUser-Agent: {AGENT}\r\n{close}Host: {host}\r\n\r\n")
        .into_bytes()
}

/// As they are written: `200-299, 404`.
pub(super) fn ranges(ranges: &[(u16, u16)]) -> Arc<str> {
    let words = ranges.iter().map(|&(low, high)| match low == high {
        true => low.to_string(),
        false => format!("{low}-{high}"),
    });
    words.collect::<Vec<_>>().join(", ").into()
}

#[cfg(test)]
mod tests;
