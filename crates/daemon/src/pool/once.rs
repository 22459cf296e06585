//! One run of a check over TCP, outside the pool: somebody waits for it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::StreamOwned;
use standfast_health::{Dialogue, End, Failure, Good, Kind, Prepared, Run};
use standfast_kernel::{
    clock,
    probe_socket::{self, Origin, Transport},
};
use standfast_types::Instant;

use super::{
    message::Papers,
    tls::{self, Outfitter},
};

/// Room for a part of an answer.
const PART: usize = 16 << 10;

/// Runs the check once and waits for how it comes out, not longer than `timeout`. `heard` is given what
/// arrives, as it arrives.
///
/// # Errors
/// What the check came to, if it is not good; a kind of check that does not go over TCP can't be run.
pub fn run_once(
    kind: &Kind,
    server: SocketAddr,
    timeout: Duration,
    heard: &mut dyn FnMut(&[u8]),
) -> Result<Good, Failure> {
    let prepared = Prepared::new(kind).ok_or(Failure::Malformed("not a check by a dialogue"))?;
    let deadline = clock::now() + timeout;
    let silence = |begun| Failure::Silence { after: timeout, begun };
    let mark = kind.target().map_or(0, |target| target.mark);
    let socket = connect(server, mark, deadline)?.ok_or(silence(false))?;
    let clock = socket.try_clone().map_err(|error| Failure::from(&error))?;
    let mut stream: Box<dyn Stream> =
        match Outfitter::new(Papers::default()).outfit(kind, server.ip()) {
            None => Box::new(socket),
            Some(Ok(outfit)) => Box::new(StreamOwned::new(outfit.connect()?, socket)),
            Some(Err(words)) => return Err(Failure::Connection(words)),
        };
    let run = Run { server, page: 0, random: 0, keep: false, timeout };
    let mut dialogue = Dialogue::new(&Arc::new(prepared), &run);
    let mut part = vec![0; PART];
    let mut begun = false;
    loop {
        if let Some(bytes) = dialogue.poll_transmit() {
            set_timeouts(&clock, deadline).ok_or(silence(begun))?;
            stream.write_all(&bytes).map_err(|error| failure(&error).unwrap_or(silence(begun)))?;
        }
        if let Some(outcome) = dialogue.poll_outcome() {
            return outcome;
        }
        set_timeouts(&clock, deadline).ok_or(silence(begun))?;
        match stream.read(&mut part) {
            Ok(0) => dialogue.handle_end(End::Closed),
            Ok(length) => {
                begun = true;
                let bytes = part.get(..length).unwrap_or_default();
                heard(bytes);
                dialogue.handle_bytes(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                dialogue.handle_end(End::Truncated);
            }
            Err(error) => return Err(failure(&error).unwrap_or(silence(begun))),
        }
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A blocking connection; `None` when the time is over.
fn connect(server: SocketAddr, mark: u32, deadline: Instant) -> Result<Option<TcpStream>, Failure> {
    let origin = Origin { mark, ..Origin::default() };
    let open = probe_socket::open(Transport::Tcp, server, &origin);
    let socket = open.map_err(|error| Failure::from(&error))?;
    let left = deadline.saturating_since(clock::now());
    let left = Timespec::try_from(left).ok();
    let ready = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], left.as_ref());
    match (ready, probe_socket::failure(&socket)) {
        (_, Some(error)) => Err(Failure::from(&error)),
        (Ok(0) | Err(_), None) => Ok(None),
        (Ok(_), None) => {
            let stream = TcpStream::from(socket);
            stream.set_nonblocking(false).map_err(|error| Failure::from(&error))?;
            Ok(Some(stream))
        }
    }
}

/// Whether there is time left.
fn set_timeouts(socket: &TcpStream, deadline: Instant) -> Option<()> {
    let left = Some(deadline.saturating_since(clock::now()));
    socket.set_read_timeout(left).ok()?;
    socket.set_write_timeout(left).ok()
}

/// `None` when the time is over.
fn failure(error: &io::Error) -> Option<Failure> {
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        return None;
    }
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    Some(tls.map_or_else(|| Failure::from(error), tls::failure))
}
