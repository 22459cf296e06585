//! The raw socket that carries an interface's VRRP adverts over one protocol.

mod v4;
mod v6;

use std::{
    io,
    net::IpAddr,
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::net::{RecvFlags, recv, sockopt};
use socket2::Socket;
use standfast_types::{Family, IfIndex, Vrid};

use self::{v4::Socket4, v6::Socket6};
use crate::{
    error::{During as _, Error},
    packet_filter,
};

/// VRRP's number among the IP protocols.
pub const PROTOCOL: u8 = 112;
/// That of the IPsec authentication header.
const AH: u8 = 51;
/// Room for one received packet: any advert, and its IP header with all options.
pub const PACKET: usize = 4608;
/// Network control, as RFC 9568 wants routing protocols to be marked.
const TRAFFIC_CLASS: u8 = 0xc0;
/// The same on our own queues (`TC_PRIO_CONTROL` is 7, 6 is interactive and needs no privilege).
const QUEUE_PRIORITY: u32 = 6;
const RECEIVE_BUFFER: usize = 256 * 1024;

/// One interface's socket for VRRP over one protocol. It works before the interface has an address.
#[derive(Debug)]
pub struct VrrpSocket(Inner);

#[derive(Debug)]
enum Inner {
    V4(Socket4),
    V6(Socket6),
}

/// A packet that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender, as its IP header says.
    pub source: IpAddr,
    /// The group or address that it was sent to.
    pub destination: IpAddr,
    /// Time to live or hop limit; 255 proves that no router forwarded it.
    pub ttl: u8,
    /// Identification of the IP header when an IPsec authentication header follows it, which covers
    /// it; `None` when VRRP follows.
    pub protected: Option<u16>,
    /// Where in the buffer that lies which follows the IP header; Ethernet's padding is cut off.
    pub payload: Range<usize>,
}

impl VrrpSocket {
    /// Opens a socket on one interface. It receives nothing until [`Self::set_filter`].
    ///
    /// # Errors
    /// `Gone` when there is no such interface, `Refused` without `CAP_NET_RAW`.
    pub fn open(index: IfIndex, name: &str, family: Family) -> Result<Self, Error> {
        Ok(Self(match family {
            Family::V4 => Inner::V4(Socket4::open(index, name, v4::Carries::Vrrp)?),
            Family::V6 => Inner::V6(Socket6::open(index, name)?),
        }))
    }

    /// Opens a socket for VRRP behind IPsec authentication headers, over IPv4. What it sends must begin
    /// with one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_protected(index: IfIndex, name: &str) -> Result<Self, Error> {
        Ok(Self(Inner::V4(Socket4::open(index, name, v4::Carries::Ah)?)))
    }

    /// Hears these virtual routers in these groups, with room for so many bytes.
    ///
    /// # Errors
    /// As [`Self::widen`], [`Self::join`] and [`Self::set_filter`].
    pub fn hear(&self, vrids: &[Vrid], groups: &[IpAddr], bytes: usize) -> Result<(), Error> {
        self.widen(bytes)?;
        for group in groups {
            self.join(*group)?;
        }
        self.set_filter(vrids)
    }

    /// Makes room for at least so many received bytes; never less than every such socket has.
    ///
    /// # Errors
    /// `Retry` when memory is short.
    pub fn widen(&self, bytes: usize) -> Result<(), Error> {
        if bytes <= RECEIVE_BUFFER {
            return Ok(());
        }
        // Beyond the system's limit where that is permitted.
        sockopt::set_socket_recv_buffer_size_force(self, bytes)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(self, bytes))
            .during("make room for adverts")
    }

    /// Joins a multicast group on this interface. Joining twice is no error; a group of the other
    /// family is none of this socket's.
    ///
    /// # Errors
    /// `Gone` when the interface is.
    pub fn join(&self, group: IpAddr) -> Result<(), Error> {
        match (&self.0, group) {
            (Inner::V4(socket), IpAddr::V4(group)) => socket.join(group),
            (Inner::V6(socket), IpAddr::V6(group)) => socket.join(group),
            (Inner::V4(_), IpAddr::V6(_)) | (Inner::V6(_), IpAddr::V4(_)) => Ok(()),
        }
    }

    /// Lets in the adverts of these virtual routers, and nothing else: adverts that nobody
    /// here reads never fill the socket's buffer. At most 255, each once.
    ///
    /// # Errors
    /// `Retry` when memory is short.
    pub fn set_filter(&self, vrids: &[Vrid]) -> Result<(), Error> {
        match &self.0 {
            Inner::V4(socket) => socket.set_filter(vrids),
            Inner::V6(socket) => socket.set_filter(vrids),
        }
    }

    /// Sends one advert. The sender's address need not be one of ours. Over IPv4 the kernel chooses an
    /// identification in place of 0. Addresses of the other family
    /// are none of this socket's, and nothing is sent.
    ///
    /// # Errors
    /// `Retry` while the interface is down or its queue full, `Gone` when it is gone.
    pub fn send(
        &self,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
        identification: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        match (&self.0, source, destination) {
            (Inner::V4(socket), IpAddr::V4(source), IpAddr::V4(destination)) => {
                socket.send(source, destination, ttl, identification, payload)
            }
            (Inner::V6(socket), IpAddr::V6(source), IpAddr::V6(destination)) => {
                socket.send(source, destination, ttl, payload)
            }
            (Inner::V4(_) | Inner::V6(_), _, _) => Ok(()),
        }
    }

    /// The next packet into `buffer` ([`PACKET`] bytes hold any); `None` when there is none
    /// now. A packet that is too large or not sound is passed over.
    ///
    /// # Errors
    /// `Retry` while the interface is down.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<Received>, Error> {
        match &self.0 {
            Inner::V4(socket) => socket.receive(buffer),
            Inner::V6(socket) => socket.receive(buffer),
        }
    }
}

impl AsFd for VrrpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Inner::V4(socket) => socket.as_fd(),
            Inner::V6(socket) => socket.as_fd(),
        }
    }
}

/// Keeps a new socket from hearing anything, and ties it to an interface.
fn deafen(socket: &Socket, name: &str) -> io::Result<()> {
    socket.attach_filter(&packet_filter::nothing())?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(name.as_bytes()))
}

/// What every socket gets in the end, whatever the protocol.
fn settle(socket: &Socket) -> io::Result<()> {
    socket.set_priority(QUEUE_PRIORITY)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    // What came in before the filter and the interface were set is none of ours.
    let mut scratch = [0_u8; PACKET];
    while recv(socket, &mut scratch, RecvFlags::empty()).is_ok() {}
    Ok(())
}

#[cfg(test)]
mod tests;
