//! The kernel's process connector: what happens to processes, as it happens. The kernel tells only the
//! network and process namespaces that the machine began with, and silently nobody else.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType, bind,
        netlink::{CONNECTOR, SocketAddrNetlink},
        send, socket_with,
        sockopt::set_socket_recv_buffer_size_force,
    },
};

use crate::{
    error::{During, Error},
    netlink::{
        DATAGRAM,
        message::{Message, messages, u32_at},
        receive,
    },
};

const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const PROC_CN_MCAST_IGNORE: u32 = 2;
const PROC_EVENT_NONE: u32 = 0;
const PROC_EVENT_FORK: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;
const PROC_EVENT_COMM: u32 = 0x200;
const NLMSG_DONE: u16 = 3;
/// Of a `cn_msg`'s header.
const HEADER: usize = 20;
/// Of what all events begin with.
const EVENT: usize = 16;
/// Room for what a storm of new processes makes while nobody reads.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Something that happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It made a copy of itself.
    Forked {
        /// The one that did.
        parent: u32,
        /// The copy.
        child: u32,
    },
    /// It runs another program, or has another name.
    Changed {
        /// Which.
        pid: u32,
    },
}

/// Events were lost: everything may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun;

/// A nonblocking socket that tells of processes.
#[derive(Debug)]
pub struct Connector {
    socket: OwnedFd,
    buffer: Vec<u8>,
    queue: VecDeque<ProcessEvent>,
}

impl Connector {
    /// Subscribes; `None` where the kernel tells nothing. Open it before looking for processes, so that none
    /// falls in between.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`, or no descriptor left.
    pub fn open() -> Result<Option<Self>, Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let opened = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(CONNECTOR));
        let socket = match opened {
            Err(Errno::PROTONOSUPPORT) => return Ok(None),
            opened => opened.during("ask for processes")?,
        };
        // Whatever room it has; what is lost is noticed.
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        bind(&socket, &SocketAddrNetlink::new(0, CN_IDX_PROC)).during("ask for processes")?;
        let mut connector = Self { socket, buffer: vec![0; DATAGRAM], queue: VecDeque::new() };
        match connector.say(PROC_CN_MCAST_LISTEN) {
            // In another network namespace nobody listens.
            Err(Errno::CONNREFUSED) => return Ok(None),
            said => said.during("ask for processes")?,
        }
        Ok(connector.is_granted().then_some(connector))
    }

    fn say(&self, operation: u32) -> Result<(), Errno> {
        send(&self.socket, &request(process::id(), operation), SendFlags::empty()).map(drop)
    }

    /// The kernel has answered by the time that the request is sent, or never does.
    fn is_granted(&mut self) -> bool {
        while let Ok(datagram) = receive(&self.socket, &mut self.buffer) {
            for message in messages(datagram) {
                if let Some(code) = answer(message.payload, process::id()) {
                    return code == 0;
                }
            }
        }
        false
    }

    /// What happened next; `None` when there is nothing now.
    ///
    /// # Errors
    /// Events were lost; it goes on working.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and `None` is not the end")]
    pub fn next(&mut self) -> Result<Option<ProcessEvent>, Overrun> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            let datagram = match receive(&self.socket, &mut self.buffer) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Overrun),
            };
            self.queue.extend(messages(datagram).filter_map(|message| event(message.payload)));
        }
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // Else older kernels go on making events that nobody reads.
        let _ = self.say(PROC_CN_MCAST_IGNORE);
    }
}

impl AsFd for Connector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn request(sequence: u32, operation: u32) -> Vec<u8> {
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    let head = words(&[CN_IDX_PROC, CN_VAL_PROC, sequence, 0]);
    // Its length, and flags, of which there are none.
    let length = [4_u16.to_ne_bytes(), [0; 2]].concat();
    let bytes = [head, length, words(&[operation])].concat();
    Message::new(NLMSG_DONE, 0).raw(&bytes).finish(0)
}

/// What happened, and to whom.
fn body(payload: &[u8]) -> Option<(u32, &[u8])> {
    let ours = u32_at(payload, 0)? == CN_IDX_PROC && u32_at(payload, 4)? == CN_VAL_PROC;
    let event = payload.get(HEADER..).filter(|_| ours)?;
    Some((u32_at(event, 0)?, event.get(EVENT..)?))
}

/// The error number in the kernel's answer to the request of this number.
fn answer(payload: &[u8], sequence: u32) -> Option<u32> {
    let (what, rest) = body(payload)?;
    (what == PROC_EVENT_NONE && u32_at(payload, 8)? == sequence).then(|| u32_at(rest, 0))?
}

fn event(payload: &[u8]) -> Option<ProcessEvent> {
    let (what, rest) = body(payload)?;
    // Each is named as a thread and as a process; what threads do is of no interest.
    let named = |at| Some((u32_at(rest, at)?, u32_at(rest, at + 4)?));
    match what {
        PROC_EVENT_FORK => {
            let (_, parent) = named(0)?;
            let (thread, child) = named(8)?;
            (thread == child).then_some(ProcessEvent::Forked { parent, child })
        }
        PROC_EVENT_EXEC => named(0).map(|(_, pid)| ProcessEvent::Changed { pid }),
        PROC_EVENT_COMM => {
            let (thread, pid) = named(0)?;
            (thread == pid).then_some(ProcessEvent::Changed { pid })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn message(what: u32, ids: &[u32]) -> Vec<u8> {
        let head = [CN_IDX_PROC, CN_VAL_PROC, 7, 0, 40, what, 0, 0, 0];
        head.iter().chain(ids).flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn processes_are_told_from_threads() {
        let fork = |child, process| event(&message(PROC_EVENT_FORK, &[11, 10, child, process]));
        assert_eq!(fork(20, 20), Some(ProcessEvent::Forked { parent: 10, child: 20 }));
        assert_eq!(fork(21, 10), None, "a thread");
        let exec = event(&message(PROC_EVENT_EXEC, &[20, 20]));
        assert_eq!(exec, Some(ProcessEvent::Changed { pid: 20 }));
        let named = |thread| event(&message(PROC_EVENT_COMM, &[thread, 20, 0, 0, 0, 0]));
        assert_eq!(named(20), Some(ProcessEvent::Changed { pid: 20 }));
        assert_eq!(named(21), None, "a thread has another name");
        assert_eq!(
            event(&message(0x8000_0000, &[20, 20, 9, 17])),
            None,
            "its descriptor says that"
        );
    }

    #[test]
    fn only_an_answer_to_our_own_request_counts() {
        assert_eq!(answer(&message(PROC_EVENT_NONE, &[0]), 7), Some(0));
        assert_eq!(answer(&message(PROC_EVENT_NONE, &[1]), 7), Some(1));
        assert_eq!(answer(&message(PROC_EVENT_NONE, &[0]), 8), None);
        assert_eq!(answer(&message(PROC_EVENT_EXEC, &[0, 0]), 7), None);
    }

    #[test]
    fn messages_that_are_cut_short_say_nothing() {
        for (what, ids) in [(PROC_EVENT_FORK, 4), (PROC_EVENT_EXEC, 2), (PROC_EVENT_COMM, 2)] {
            let whole = message(what, &[20, 20, 20, 20][..ids]);
            assert!(event(&whole).is_some());
            for length in 0..whole.len() {
                assert_eq!(event(&whole[..length]), None, "{what} {length}");
                assert_eq!(answer(&whole[..length], 7), None);
            }
        }
        assert_eq!(event(&[255; 60]), None);
    }

    #[test]
    fn the_request_is_as_long_as_it_says() {
        let bytes = request(7, PROC_CN_MCAST_LISTEN);
        let message = messages(&bytes).next().expect("a message");
        assert_eq!((message.kind, message.payload.len()), (NLMSG_DONE, HEADER + 4));
        assert_eq!(message.payload[16..], [4_u16.to_ne_bytes(), [0; 2], [1, 0], [0; 2]].concat());
    }

    #[test]
    fn where_the_kernel_grants_it_a_new_process_is_told() {
        let Ok(Some(mut connector)) = Connector::open() else { return };
        let mut child = Command::new("true").spawn().expect("start");
        child.wait().expect("wait");
        let events: Vec<_> = std::iter::from_fn(|| connector.next().expect("room")).collect();
        assert!(events.contains(&ProcessEvent::Changed { pid: child.id() }), "{events:?}");
    }
}
