//! What is asked, and what the answer must be.

use std::{fmt, net::SocketAddr, sync::Arc};

use super::{
    hpack::{Field, indexed_name, named},
    number, value,
};
use crate::{
    Compiled, Failure, Http, Url,
    dialogue::http::{AGENT, Page as Body, ranges},
};

/// Numbers of names in HPACK's static table.
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CONTENT_TYPE: u8 = 31;
const USER_AGENT: u8 = 58;
/// `:method` `GET` and `POST`, `:scheme` `http` and `https`.
const GET: u8 = 0x82;
const POST: u8 = 0x83;
const HTTP: u8 = 0x86;
const HTTPS: u8 = 0x87;

/// One request and its answer.
pub(in crate::dialogue) trait Exchange: fmt::Debug + Send {
    /// Header, packed, and body.
    fn request(&self) -> (Vec<u8>, Vec<u8>);

    /// A header came: interim ones, the header, at the end perhaps another one.
    fn header(&mut self, fields: &[Field]) -> Result<(), Failure>;

    /// The body's next bytes.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// That was all.
    fn finish(&mut self) -> Result<(), Failure>;
}

fn header(method: u8, tls: bool, path: &str, host: &str) -> Vec<u8> {
    let mut block = vec![method, if tls { HTTPS } else { HTTP }];
    indexed_name(&mut block, PATH, path);
    indexed_name(&mut block, AUTHORITY, host);
    indexed_name(&mut block, USER_AGENT, AGENT);
    block
}

fn host(configured: Option<&Arc<str>>, server: SocketAddr) -> String {
    configured.map_or_else(|| server.to_string(), ToString::to_string)
}

/// A page.
#[derive(Debug)]
pub(in crate::dialogue) struct Page {
    header: Vec<u8>,
    wanted: Vec<(u16, u16)>,
    body: Body,
    answered: bool,
}

impl Page {
    pub(in crate::dialogue) fn new(
        http: &Http,
        url: &Url,
        pattern: Option<Arc<Compiled>>,
        server: SocketAddr,
    ) -> Self {
        Self {
            header: header(GET, http.tls.is_some(), &url.path, &host(url.host.as_ref(), server)),
            wanted: url.status.clone(),
            body: Body::new(url.digest, pattern),
            answered: false,
        }
    }
}

impl Exchange for Page {
    fn request(&self) -> (Vec<u8>, Vec<u8>) {
        (self.header.clone(), Vec::new())
    }

    fn header(&mut self, fields: &[Field]) -> Result<(), Failure> {
        if self.answered {
            return Ok(());
        }
        let got = status(fields)?;
        if self.wanted.iter().any(|&(low, high)| (low..=high).contains(&got)) {
            self.answered = true;
            return Ok(());
        }
        match got {
            100..=199 => Ok(()),
            _ => Err(Failure::Status { got, wanted: ranges(&self.wanted) }),
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.body.raw(bytes);
        self.body.text(bytes)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.answered { self.body.judge() } else { Err(super::NONSENSE) }
    }
}

/// `grpc.health.v1.Health/Check`.
#[derive(Debug)]
pub(in crate::dialogue) struct Grpc {
    header: Vec<u8>,
    message: Vec<u8>,
    answered: bool,
    /// The answer, as far as it is looked at.
    answer: Vec<u8>,
    /// `grpc-status` and `grpc-message`.
    verdict: Option<(u32, Vec<u8>)>,
}

/// So much of an answer is looked at; it is a number.
const ANSWER: usize = 64;
/// A message's flag and length.
const PREFIX: usize = 5;

impl Grpc {
    pub(in crate::dialogue) fn new(grpc: &crate::Grpc, server: SocketAddr) -> Self {
        let host = host(grpc.host.as_ref(), server);
        let mut header = header(POST, grpc.tls.is_some(), "/grpc.health.v1.Health/Check", &host);
        indexed_name(&mut header, CONTENT_TYPE, "application/grpc");
        named(&mut header, "te", "trailers");
        let mut request = Vec::new();
        if !grpc.service.is_empty() {
            // Field 1, a string; configurations have names of 127 bytes at most.
            request.push(0x0a);
            request.extend(varint(grpc.service.len()));
            request.extend(grpc.service.as_bytes());
        }
        let length = u32::try_from(request.len()).unwrap_or(0).to_be_bytes();
        let message = [&[0][..], &length, &request].concat();
        Self { header, message, answered: false, answer: Vec::new(), verdict: None }
    }
}

impl Exchange for Grpc {
    fn request(&self) -> (Vec<u8>, Vec<u8>) {
        (self.header.clone(), self.message.clone())
    }

    fn header(&mut self, fields: &[Field]) -> Result<(), Failure> {
        if !self.answered {
            match status(fields)? {
                200 => self.answered = true,
                100..=199 => return Ok(()),
                got => return Err(Failure::Status { got, wanted: "200".into() }),
            }
        }
        if let Some(code) = value(fields, "grpc-status") {
            let code = number(code).ok_or(super::NONSENSE)?;
            let words = value(fields, "grpc-message").unwrap_or_default();
            self.verdict = Some((code, words.to_vec()));
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let room = ANSWER.saturating_sub(self.answer.len());
        self.answer.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self.verdict.take() {
            Some((0, _)) => {}
            Some((code, words)) => {
                return Err(Failure::said(format!("gRPC status {code}{}", name(code)), &words));
            }
            None => return Err(Failure::Malformed("the answer is not gRPC")),
        }
        match self.answer.get(PREFIX..).map(serving) {
            Some(Some(1)) => Ok(()),
            Some(Some(2)) => Err(Failure::said("the server answered NOT_SERVING", b"")),
            Some(Some(3)) => Err(Failure::said("the server answered SERVICE_UNKNOWN", b"")),
            Some(Some(_)) => Err(Failure::said("the server answered UNKNOWN", b"")),
            Some(None) | None => Err(Failure::Malformed("the answer is not the health service's")),
        }
    }
}

/// What `HealthCheckResponse` says; a field that is not there is zero.
fn serving(message: &[u8]) -> Option<u8> {
    match message {
        [] => Some(0),
        [0x08, status, ..] => Some(*status),
        _ => None,
    }
}

fn varint(number: usize) -> Vec<u8> {
    let mut rest = number;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.extend(u8::try_from(rest & 0x7f | 0x80));
        rest >>= 7;
    }
    bytes.extend(u8::try_from(rest));
    bytes
}

fn status(fields: &[Field]) -> Result<u16, Failure> {
    value(fields, ":status").and_then(number).ok_or(super::NONSENSE)
}

/// The codes that a health service is likely to answer.
const fn name(code: u32) -> &'static str {
    match code {
        1 => " (cancelled)",
        2 => " (unknown)",
        4 => " (deadline exceeded)",
        5 => " (not found)",
        7 => " (permission denied)",
        8 => " (resource exhausted)",
        12 => " (unimplemented)",
        13 => " (internal)",
        14 => " (unavailable)",
        16 => " (unauthenticated)",
        _ => "",
    }
}
