//! What changes while we run.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{io::Errno, net::SocketFlags};
use socket2::SockRef;
use standfast_types::{IfIndex, Rule};

use super::{
    address::{self, Address, IFA_PROTO, OUR_PROTO, RTM_DELADDR, RTM_NEWADDR},
    link::{self, Link, RTM_DELLINK, RTM_NEWLINK},
    message::{Received, messages},
    route::{self, OUR_ROUTES, RTM_DELROUTE, RTM_NEWROUTE, RouteReport},
    rule::{self, RTM_DELRULE},
    socket::{DATAGRAM, netlink_socket, receive, widen},
};
use crate::{
    error::{During, Error},
    packet_filter,
};

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV4_RULE: u32 = 0x80;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;
const RTMGRP_IPV6_RULE: u32 = 0x4_0000;

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
    /// An address is new or was changed. Those with our tag are not reported: whoever installs them
    /// knows, and their renewals would be most of all changes.
    Address(Address),
    /// An address is gone: deleted, or its lease ran out.
    AddressGone(Address),
    /// A route of ours is gone.
    RouteGone(RouteReport),
    /// A rule is gone.
    RuleGone(Rule),
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
    /// Makes room for at least so many received bytes; with `force`, beyond the system's limit.
    ///
    /// # Errors
    /// `Refused` to be forced without `CAP_NET_ADMIN`.
    pub fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        widen(&self.socket, bytes, force)
    }

    /// Subscribes in the calling thread's network namespace. Open it before listing links
    /// and addresses, so that no change falls in between.
    ///
    /// # Errors
    /// No descriptor left, or no netlink in this kernel.
    pub fn open() -> Result<Self, Error> {
        let addresses = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let routes = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
        let rules = RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE;
        let groups = RTMGRP_LINK | addresses | routes | rules;
        let socket = netlink_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None, groups)?;
        // A routing daemon's million routes must not drown what we follow.
        let filter = packet_filter::changes(
            (OUR_ROUTES, [RTM_NEWROUTE, RTM_DELROUTE]),
            (OUR_PROTO, RTM_NEWADDR, IFA_PROTO),
        );
        SockRef::from(&socket)
            .attach_filter(&filter)
            .during("attach a filter to a netlink socket")?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM], queue: VecDeque::new() })
    }

    /// As [`Self::open`], for changes of addresses alone; those with our tag are reported too, with every
    /// renewal.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_addresses() -> Result<Self, Error> {
        let groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let socket = netlink_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None, groups)?;
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
        RTM_DELROUTE => route::decode(message.payload).map(Change::RouteGone),
        RTM_DELRULE => rule::decode(message.payload).map(Change::RuleGone),
        _ => None,
    }
}
