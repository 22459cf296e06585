//! HTTP/2 (RFC 9113): one request on one connection, and gRPC's health service on top of it.
//!
//! Memory: 16 KiB for a frame, 16 KiB for a header (64 KiB for a moment, unpacked), 4 KiB for HPACK's
//! table, and what the page's pattern needs.

mod exchange;
mod hpack;
mod huffman;

pub(super) use self::exchange::{Exchange, Grpc, Page};
use self::hpack::{Decoder, Field};
use super::{
    Step, Talk,
    frames::{Frame, Frames},
};
use crate::{Failure, printable};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame's longest payload that a client must take, and this one takes.
const FRAME: usize = 16_384;
/// A header may be so long.
const HEADER: usize = 16_384;
/// Frames besides those with data that a server may send.
const FRAMES: u32 = 1000;
/// After so much data the server is told that it may send more; half of what it may at first.
const CREDIT: u32 = 32_768;
/// The one request.
const STREAM: u32 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// `SETTINGS_ENABLE_PUSH`: 0.
const NO_PUSH: [u8; 6] = [0, 2, 0, 0, 0, 0];

/// A connection with one request on it.
#[derive(Debug)]
pub(super) struct Http2<E> {
    exchange: E,
    frames: Frames<9>,
    decoder: Decoder,
    /// A header whose end has not come, and whether the stream ends with it.
    header: Option<(Vec<u8>, bool)>,
    settled: bool,
    control: u32,
    /// Data for which no credit was given back.
    owed: u32,
}

impl<E: Exchange> Http2<E> {
    /// The state, and what it says first.
    pub(super) fn new(exchange: E) -> (Self, Vec<u8>) {
        let (header, body) = exchange.request();
        let mut first = PREFACE.to_vec();
        first.extend(frame(SETTINGS, 0, 0, &NO_PUSH));
        let end = if body.is_empty() { END_STREAM } else { 0 };
        first.extend(frame(HEADERS, END_HEADERS | end, STREAM, &header));
        if !body.is_empty() {
            first.extend(frame(DATA, END_STREAM, STREAM, &body));
        }
        let state = Self {
            exchange,
            frames: Frames::new(length, FRAME),
            decoder: Decoder::default(),
            header: None,
            settled: false,
            control: 0,
            owed: 0,
        };
        (state, first)
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<Step, Failure> {
        if !self.settled && kind != SETTINGS {
            return Err(NOT_HTTP2);
        }
        if self.header.is_some() && (kind != CONTINUATION || stream != STREAM) {
            return Err(NONSENSE);
        }
        if kind != DATA {
            self.control = self.control.saturating_add(1);
            if self.control > FRAMES {
                return Err(Failure::Malformed("the answer has no end"));
            }
        }
        match (kind, stream) {
            (DATA, STREAM) => self.data(flags, payload),
            (HEADERS, STREAM) => {
                let block = unpadded(flags, payload)?;
                let skip = if flags & PRIORITY == 0 { 0 } else { 5 };
                self.header = Some((Vec::new(), flags & END_STREAM != 0));
                self.continuation(flags, block.get(skip..).ok_or(NONSENSE)?)
            }
            (CONTINUATION, STREAM) => self.continuation(flags, payload),
            (RST_STREAM, STREAM) => {
                let what = format!("the server gave the request up, {}", error(payload));
                Err(Failure::said(what, b""))
            }
            (SETTINGS, 0) => {
                self.settled = true;
                let answer = flags & ACK == 0;
                Ok(if answer { Step::Say(frame(SETTINGS, ACK, 0, b"")) } else { Step::Wait })
            }
            (PING, 0) if flags & ACK == 0 => Ok(Step::Say(frame(PING, ACK, 0, payload))),
            (GOAWAY, 0) => match payload.split_first_chunk::<4>() {
                // The request is still answered.
                Some((last, _)) if u32::from_be_bytes(*last) >= STREAM => Ok(Step::Wait),
                Some((_, rest)) => {
                    let what = format!("the server gave the connection up, {}", error(rest));
                    Err(Failure::said(what, rest.get(4..).unwrap_or_default()))
                }
                None => Err(NONSENSE),
            },
            (PUSH_PROMISE | DATA | HEADERS | CONTINUATION, _) => Err(NONSENSE),
            // Credit for what is not sent, priorities, and what is not known.
            _ => Ok(Step::Wait),
        }
    }

    fn data(&mut self, flags: u8, payload: &[u8]) -> Result<Step, Failure> {
        self.exchange.data(unpadded(flags, payload)?)?;
        if flags & END_STREAM != 0 {
            return self.finish();
        }
        self.owed = self.owed.saturating_add(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        if payload.is_empty() {
            self.control = self.control.saturating_add(1);
        }
        if self.owed < CREDIT {
            return Ok(Step::Wait);
        }
        let owed = std::mem::take(&mut self.owed).to_be_bytes();
        let mut credit = frame(WINDOW_UPDATE, 0, 0, &owed);
        credit.extend(frame(WINDOW_UPDATE, 0, STREAM, &owed));
        Ok(Step::Say(credit))
    }

    fn continuation(&mut self, flags: u8, block: &[u8]) -> Result<Step, Failure> {
        let Some((header, end)) = &mut self.header else { return Err(NONSENSE) };
        header.extend_from_slice(block);
        if header.len() > HEADER {
            return Err(Failure::Malformed("the header has no end"));
        }
        if flags & END_HEADERS == 0 {
            return Ok(Step::Wait);
        }
        let fields = self.decoder.decode(header).ok_or(NONSENSE)?;
        let end = *end;
        self.header = None;
        self.exchange.header(&fields)?;
        if end { self.finish() } else { Ok(Step::Wait) }
    }

    fn finish(&mut self) -> Result<Step, Failure> {
        self.exchange.finish()?;
        // No error, and nothing of the server's was looked at.
        let farewell = frame(GOAWAY, 0, 0, &[0; 8]);
        Ok(Step::Done { outcome: Ok(()), farewell, reusable: false })
    }
}

impl<E: Exchange> Talk for Http2<E> {
    fn bytes(&mut self, mut bytes: &[u8]) -> Step {
        let mut said = Step::Wait;
        while let Some(next) = self.frames.next(&mut bytes) {
            let step = match next {
                Ok(Frame { header: [_, _, _, kind, flags, a, b, c, d], body }) => {
                    let stream = u32::from_be_bytes([a & 0x7f, b, c, d]);
                    self.frame(kind, flags, stream, &body)
                }
                Err(_) if self.settled => Err(NONSENSE),
                Err(_) => Err(NOT_HTTP2),
            };
            match step {
                Ok(Step::Wait) => {}
                Ok(Step::Say(more)) => said = said.and_say(more),
                Ok(over @ Step::Done { .. }) => return over,
                Err(failure) => return Step::failed(failure),
            }
        }
        said
    }
}

const NOT_HTTP2: Failure = Failure::Malformed("the answer is not HTTP/2");
const NONSENSE: Failure = Failure::Malformed("the answer breaks the rules of HTTP/2");

/// What follows a frame's header.
fn length(&[a, b, c, ..]: &[u8; 9]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    (length <= FRAME).then_some(length)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn unpadded(flags: u8, payload: &[u8]) -> Result<&[u8], Failure> {
    if flags & PADDED == 0 {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(NONSENSE)?;
    let length = rest.len().checked_sub(usize::from(*padding)).ok_or(NONSENSE)?;
    Ok(rest.get(..length).unwrap_or_default())
}

/// The name of an error (RFC 9113, section 7).
fn error(code: &[u8]) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let code = code.first_chunk::<4>().map_or(u32::MAX, |code| u32::from_be_bytes(*code));
    match usize::try_from(code).ok().and_then(|index| NAMES.get(index)) {
        Some(name) => (*name).to_owned(),
        None => format!("error {code}"),
    }
}

/// The value of a field.
fn value<'a>(fields: &'a [Field], name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|field| field.name == name.as_bytes()).map(|field| &field.value[..])
}

/// A number in a field.
fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    printable(value).parse().ok()
}

#[cfg(test)]
mod tests;
