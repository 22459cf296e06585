//! Messages over a stream between two of our own processes, without ever blocking on the send side.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, fd::BorrowedFd, unix::net::UnixStream},
};

use serde::{Serialize, de::DeserializeOwned};

/// More than this waiting means that the other side is stuck; further messages are dropped. A configuration
/// of 40,000 servers is a message of some 30 MB.
const BACKLOG_LIMIT: usize = 128 << 20;
/// What is read in one go.
const CHUNK: usize = 64 << 10;
/// Buffers keep so much for the next message; what a configuration needed is given back.
const KEPT: usize = 1 << 20;

/// One end. Messages are JSON, one a line.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// So much of `outgoing` is sent.
    sent: usize,
}

impl Channel {
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: Vec::new(), outgoing: Vec::new(), sent: 0 })
    }

    /// Sends, or keeps for [`Self::flush`] what the other side has no room for.
    pub(crate) fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.keep(message)?;
        self.flush()
    }

    /// Keeps it for [`Self::flush`]: many messages then cost one write.
    pub(crate) fn keep<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        if self.outgoing.len() - self.sent > BACKLOG_LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // Seldom enough that what is moved costs less than what is written.
        if self.sent > KEPT && self.sent > self.outgoing.len() / 2 {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
        serde_json::to_writer(&mut self.outgoing, message)?;
        self.outgoing.push(b'\n');
        Ok(())
    }

    /// Sends what is kept, as far as there is room.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.outgoing.shrink_to(KEPT);
        self.sent = 0;
        Ok(())
    }

    /// Whether something waits for room.
    pub(crate) const fn has_backlog(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// Every message that has arrived; `Closed` after the last one when the other side is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Received<T>> {
        let mut closed = false;
        let mut chunk = [0; CHUNK];
        // A long message arrives in many parts: only what is new is searched for its end.
        let mut complete = 0;
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    closed = true;
                    break;
                }
                Ok(read) => {
                    let part = chunk.get(..read).unwrap_or_default();
                    if let Some(end) = part.iter().rposition(|&byte| byte == b'\n') {
                        complete = self.incoming.len() + end + 1;
                    }
                    self.incoming.extend(part);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    closed = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let mut messages = Vec::new();
        let lines = self.incoming.get(..complete).unwrap_or_default();
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            messages.push(serde_json::from_slice(line)?);
        }
        self.incoming.drain(..complete);
        self.incoming.shrink_to(KEPT);
        Ok(Received { messages, closed })
    }
}

/// What [`Channel::receive`] found.
#[derive(Debug)]
pub(crate) struct Received<T> {
    pub(crate) messages: Vec<T>,
    pub(crate) closed: bool,
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Channel, Channel) {
        let (left, right) = UnixStream::pair().expect("a socket pair");
        (Channel::new(left).expect("a channel"), Channel::new(right).expect("a channel"))
    }

    #[test]
    fn messages_arrive_whole_and_in_order_and_the_end_is_seen() {
        let (mut left, mut right) = pair();
        for number in 0..100_u32 {
            left.send(&number).expect("there is room");
        }
        assert!(!left.has_backlog());
        drop(left);
        let received = right.receive::<u32>().expect("readable");
        assert!(received.messages.into_iter().eq(0..100));
        assert!(received.closed);
    }

    #[test]
    fn a_side_that_does_not_read_never_blocks_the_other() {
        let (mut left, mut right) = pair();
        let text = "x".repeat(1 << 20);
        for _ in 0..10 {
            left.send(&text).expect("kept");
        }
        assert!(left.has_backlog());
        let mut count = 0;
        while count < 10 {
            count += right.receive::<String>().expect("readable").messages.len();
            left.flush().expect("writable");
        }
        assert!(!left.has_backlog());
    }
}
