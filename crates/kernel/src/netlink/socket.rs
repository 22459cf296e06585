//! A request socket: one message and its answer, a batch with one answer each, or a dump.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::SocketAddrNetlink,
    recv, send, socket_with,
    sockopt::{
        Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force,
        set_socket_timeout, socket_send_buffer_size,
    },
};

use super::message::{Message, attributes, messages, text, u32_at};
use crate::{
    error::{During, Error},
    sys::set_int_option,
};

/// Room for the largest datagram that the kernel builds for a dump (32 KiB), twice.
pub(crate) const DATAGRAM: usize = 65_536;
pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLM_F_APPEND: u16 = 0x800;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOL_SOCKET: i32 = 1;
const SO_SNDBUFFORCE: i32 = 32;
const SOL_NETLINK: i32 = 270;
const NETLINK_CAP_ACK: i32 = 10;
const NETLINK_EXT_ACK: i32 = 11;
const NETLINK_GET_STRICT_CHK: i32 = 12;
const NLMSGERR_ATTR_MSG: u16 = 1;
/// So many messages are in flight at most: their answers must fit the receive buffer.
const BATCH: usize = 100;
/// How often a dump is started again when the table changed under it.
const DUMP_TRIES: usize = 5;
/// The kernel answers at once; a second without an answer is a fault.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const RECEIVE_BUFFER: usize = 1 << 20;

/// A socket to the kernel's routing tables, for requests. It blocks until the kernel has
/// answered, one second at most.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// A socket's room, never below what every one of them has.
pub(super) fn widen(socket: &OwnedFd, bytes: usize, force: bool) -> Result<(), Error> {
    if bytes <= RECEIVE_BUFFER {
        return Ok(());
    }
    let done = if force {
        set_socket_recv_buffer_size_force(socket, bytes)
    } else {
        set_socket_recv_buffer_size(socket, bytes)
    };
    done.during("make room for what netlink says")
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace, where it stays.
    ///
    /// # Errors
    /// No descriptor left, or no netlink in this kernel.
    pub fn open() -> Result<Self, Error> {
        Self::open_to(None)
    }

    /// Opens a socket to another part of the kernel than its routing tables.
    pub(crate) fn open_to(protocol: Option<Protocol>) -> Result<Self, Error> {
        let socket = netlink_socket(SocketFlags::CLOEXEC, protocol, 0)?;
        // Kernels before 4.20 lack the last of these; each only makes answers better.
        for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK] {
            let _ = set_int_option(&socket, SOL_NETLINK, option, 1);
        }
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))
            .during("limit the wait for netlink's answer")?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; DATAGRAM] })
    }

    /// Makes room for at least so many received bytes; with `force`, beyond the system's limit.
    ///
    /// # Errors
    /// `Refused` to be forced without `CAP_NET_ADMIN`.
    pub fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        widen(&self.socket, bytes, force)
    }

    /// Sends one request and waits for its acknowledgement.
    pub(crate) fn request(
        &mut self,
        operation: &'static str,
        message: Message,
    ) -> Result<(), Error> {
        let answers = self.request_all(operation, vec![message]);
        answers.into_iter().next().unwrap_or_else(|| Err(Error::malformed(operation)))
    }

    /// Sends many requests, about a hundred per system call; one answer each, in order.
    pub(crate) fn request_all(
        &mut self,
        operation: &'static str,
        requests: Vec<Message>,
    ) -> Vec<Result<(), Error>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter();
        loop {
            let batch: Vec<_> = requests.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return answers;
            }
            answers.extend(self.request_batch(operation, batch));
        }
    }

    fn request_batch(
        &mut self,
        operation: &'static str,
        batch: Vec<Message>,
    ) -> Vec<Result<(), Error>> {
        let mut answers: Vec<Option<Result<(), Error>>> = Vec::new();
        answers.resize_with(batch.len(), || None);
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in batch {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend(message.finish(self.sequence));
        }
        let failure = match self.send(operation, &bytes) {
            Ok(()) => self.collect(operation, first, &mut answers).err(),
            Err(error) => Some(error),
        };
        // A failure of the socket itself is the answer to all that were not yet answered.
        let errno = failure.as_ref().and_then(|error| error.source.raw_os_error());
        let unanswered = || match errno {
            Some(errno) => Error::from_errno(operation, errno, None),
            None => Error::malformed(operation),
        };
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
    }

    /// Receives until every place in `answers` is filled.
    fn collect(
        &mut self,
        operation: &'static str,
        first: u32,
        answers: &mut [Option<Result<(), Error>>],
    ) -> Result<(), Error> {
        while answers.iter().any(Option::is_none) {
            let datagram = receive(&self.socket, &mut self.buffer).during(operation)?;
            for message in messages(datagram) {
                // Late answers to requests that timed out lie outside the range.
                let place = usize::try_from(message.sequence.wrapping_sub(first)).ok();
                let place = place.and_then(|place| answers.get_mut(place));
                if let (NLMSG_ERROR, Some(place)) = (message.kind, place) {
                    *place = Some(acknowledgement(operation, message.flags, message.payload));
                }
            }
        }
        Ok(())
    }

    /// Sends one request whose acknowledgement nobody waits for.
    pub(crate) fn tell(&mut self, operation: &'static str, message: Message) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(operation, &message.finish(self.sequence))
    }

    /// Sends messages as one, of which the kernel does all or nothing (as nfnetlink does between the two
    /// that begin and end a batch). The first failure of one of them is the answer to all.
    pub(crate) fn batch(
        &mut self,
        operation: &'static str,
        messages_of_it: Vec<Message>,
    ) -> Result<(), Error> {
        let first = self.sequence.wrapping_add(1);
        let count = u32::try_from(messages_of_it.len()).unwrap_or(u32::MAX);
        // The last but one asks to be told of success: the last one only ends the batch.
        let asking = messages_of_it.len().saturating_sub(2);
        let mut bytes = Vec::with_capacity(messages_of_it.iter().map(Message::length).sum());
        for (place, message) in messages_of_it.into_iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let message = if place == asking { message.asking() } else { message };
            bytes.extend(message.finish(self.sequence));
        }
        self.send(operation, &bytes)?;
        loop {
            let datagram = receive(&self.socket, &mut self.buffer).during(operation)?;
            for message in messages(datagram).filter(|message| message.kind == NLMSG_ERROR) {
                let place = message.sequence.wrapping_sub(first);
                if place < count {
                    acknowledgement(operation, message.flags, message.payload)?;
                    if usize::try_from(place) == Ok(asking) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Bytes that one batch may have; asks for at least so many.
    pub(crate) fn room_to_send(&self, wanted: usize) -> usize {
        let bytes = i32::try_from(wanted).unwrap_or(i32::MAX);
        // Only long batches need it, and in a container it may be refused.
        let _ = set_int_option(&self.socket, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
        socket_send_buffer_size(&self.socket).unwrap_or_default().saturating_sub(64)
    }

    /// Asks for one object: a request with `NLM_F_ACK`, so that a refusal and the end are told.
    pub(crate) fn get<T>(
        &mut self,
        operation: &'static str,
        request: Message,
        decode: impl Fn(u16, &[u8]) -> Option<T>,
    ) -> Result<T, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(operation, &request.finish(self.sequence))?;
        let mut found = None;
        loop {
            let datagram = receive(&self.socket, &mut self.buffer).during(operation)?;
            for message in messages(datagram).filter(|found| found.sequence == self.sequence) {
                if message.kind == NLMSG_ERROR {
                    acknowledgement(operation, message.flags, message.payload)?;
                    return found.ok_or_else(|| Error::malformed(operation));
                }
                found = found.or_else(|| decode(message.kind, message.payload));
            }
        }
    }

    /// Asks for a whole table. `decode` gets type and payload of each entry.
    pub(crate) fn dump<T>(
        &mut self,
        operation: &'static str,
        request: &Message,
        mut decode: impl FnMut(u16, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..DUMP_TRIES {
            if let Some(entries) = self.dump_once(operation, request.clone(), &mut decode)? {
                return Ok(entries);
            }
        }
        Err(Error::from_errno(operation, libc::EAGAIN, Some("the table kept changing")))
    }

    /// `None` when the table changed while it was read.
    fn dump_once<T>(
        &mut self,
        operation: &'static str,
        request: Message,
        decode: &mut impl FnMut(u16, &[u8]) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(operation, &request.finish(self.sequence))?;
        let mut entries = Vec::new();
        let mut interrupted = false;
        loop {
            let datagram = receive(&self.socket, &mut self.buffer).during(operation)?;
            for message in messages(datagram).filter(|found| found.sequence == self.sequence) {
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_DONE => return Ok((!interrupted).then_some(entries)),
                    NLMSG_ERROR => {
                        acknowledgement(operation, message.flags, message.payload)?;
                        return Err(Error::malformed(operation));
                    }
                    kind => entries.extend(decode(kind, message.payload)),
                }
            }
        }
    }

    fn send(&self, operation: &'static str, bytes: &[u8]) -> Result<(), Error> {
        send(&self.socket, bytes, SendFlags::empty()).during(operation).map(drop)
    }
}

/// An open and bound netlink socket with a large receive buffer.
pub(super) fn netlink_socket(
    flags: SocketFlags,
    protocol: Option<Protocol>,
    groups: u32,
) -> Result<OwnedFd, Error> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
        .during("open a netlink socket")?;
    // Beyond the system's limit if we may, else up to it.
    if set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).during("size a netlink socket")?;
    }
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))
        .during("bind a netlink socket")?;
    Ok(socket)
}

/// One datagram. Only the kernel can send to a route socket, so the sender is not looked at.
pub(crate) fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let flags = RecvFlags::TRUNC;
    let ((), length) = loop {
        match recv(socket, &mut *buffer, flags) {
            Err(rustix::io::Errno::INTR) => {}
            Ok((_, length)) => break ((), length),
            Err(error) => return Err(error.into()),
        }
    };
    buffer.get(..length).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reads `nlmsgerr`: the error number, the header of the request, perhaps the request
/// itself, and the attributes in which the kernel says more.
pub(crate) fn acknowledgement(
    operation: &'static str,
    flags: u16,
    payload: &[u8],
) -> Result<(), Error> {
    let Some(code) = payload.first_chunk().copied().map(i32::from_ne_bytes) else {
        return Err(Error::malformed(operation));
    };
    if code == 0 {
        return Ok(());
    }
    let request = u32_at(payload, 4).and_then(|length| usize::try_from(length).ok());
    let skipped = if flags & NLM_F_CAPPED == 0 { request.unwrap_or(16) } else { 16 };
    let start = skipped.next_multiple_of(4).saturating_add(4);
    let said = payload.get(start..).filter(|_| flags & NLM_F_ACK_TLVS != 0).unwrap_or_default();
    let detail = attributes(said)
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
        .and_then(|(_, value)| text(value));
    Err(Error::from_errno(operation, code.saturating_neg(), detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_of_zero_is_success_and_a_short_one_is_not() {
        assert!(acknowledgement("test", 0, &[0; 20]).is_ok());
        assert!(acknowledgement("test", 0, &[0; 3]).is_err());
        let refused = [(-libc::EPERM).to_ne_bytes(), [0; 4]].concat();
        let error = acknowledgement("test", 0, &refused).expect_err("refused");
        assert_eq!(error.source.raw_os_error(), Some(libc::EPERM));
    }
}
