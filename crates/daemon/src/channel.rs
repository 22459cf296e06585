//! Messages over a stream between two of our own processes, without ever blocking on the send side.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, fd::BorrowedFd, unix::net::UnixStream},
};

use serde::{Serialize, de::DeserializeOwned};

/// More than this waiting means that the other side is stuck; further messages are dropped.
const BACKLOG_LIMIT: usize = 16 << 20;

/// One end. Messages are JSON, one a line.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: Vec::new(), outgoing: Vec::new() })
    }

    /// Sends, or keeps for [`Self::flush`] what the other side has no room for.
    pub(crate) fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        if self.outgoing.len() > BACKLOG_LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        serde_json::to_writer(&mut self.outgoing, message)?;
        self.outgoing.push(b'\n');
        self.flush()
    }

    /// Sends what is kept, as far as there is room.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something waits for room.
    pub(crate) const fn has_backlog(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Every message that has arrived; `Closed` after the last one when the other side is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Received<T>> {
        let mut closed = false;
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    closed = true;
                    break;
                }
                Ok(read) => self.incoming.extend(chunk.get(..read).unwrap_or_default()),
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
        let complete = self.incoming.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.incoming.drain(..complete).collect();
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            messages.push(serde_json::from_slice(line)?);
        }
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
