//! What changes while we run.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{io::Errno, net::SocketFlags};
use standfast_types::IfIndex;

use super::{
    address::{self, Address, RTM_DELADDR, RTM_NEWADDR},
    link::{self, Link, RTM_DELLINK, RTM_NEWLINK},
    message::{Received, messages},
    socket::{DATAGRAM, netlink_socket, receive},
};
use crate::error::Error;

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An interface is new or different.
    Link(Link),
    /// An interface is gone.
    LinkGone {
        /// The number it had.
        index: IfIndex,
        /// The name it had.
        name: String,
    },
    /// An address is new, or was changed, or its lease was renewed. Every renewal reports
    /// itself, with [`Address::ours`] set.
    Address(Address),
    /// An address is gone: deleted, or its lease ran out.
    AddressGone(Address),
}

/// Why there is no next change.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// Changes were lost. List links and addresses afresh, then go on.
    #[error("changes came faster than they were read")]
    Overrun,
    /// The socket failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A nonblocking socket that reports changes of links and addresses.
#[derive(Debug)]
pub struct Monitor {
    socket: OwnedFd,
    buffer: Vec<u8>,
    queue: VecDeque<Change>,
}

impl Monitor {
    /// Subscribes in the calling thread's network namespace. Open it before listing links
    /// and addresses, so that no change falls in between.
    ///
    /// # Errors
    /// No descriptor left, or no netlink in this kernel.
    pub fn open() -> Result<Self, Error> {
        let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let socket = netlink_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, groups)?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM], queue: VecDeque::new() })
    }

    /// The next change; `None` when there is none now.
    ///
    /// # Errors
    /// [`MonitorError::Overrun`] when changes were lost; the monitor goes on working.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and `None` is not the end")]
    pub fn next(&mut self) -> Result<Option<Change>, MonitorError> {
        loop {
            if let Some(change) = self.queue.pop_front() {
                return Ok(Some(change));
            }
            let datagram = match receive(&self.socket, &mut self.buffer) {
                Ok(datagram) => datagram,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return Ok(None),
                    // Too slow, or a datagram larger than the kernel ever builds.
                    Some(Errno::NOBUFS) | None => return Err(MonitorError::Overrun),
                    Some(_) => return Err(Error::new("read changes", error).into()),
                },
            };
            self.queue.extend(messages(datagram).filter_map(change));
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn change(message: Received<'_>) -> Option<Change> {
    match message.kind {
        RTM_NEWLINK => link::decode(message.payload).map(Change::Link),
        RTM_DELLINK => {
            let Link { index, name, .. } = link::decode(message.payload)?;
            Some(Change::LinkGone { index, name })
        }
        RTM_NEWADDR => address::decode(message.payload).map(Change::Address),
        RTM_DELADDR => address::decode(message.payload).map(Change::AddressGone),
        _ => None,
    }
}
