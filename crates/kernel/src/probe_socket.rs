//! Sockets of health checks: opened, bound and connected in as few system calls as that takes.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt},
};
use socket2::SockRef;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// TCP of which nobody wants more than to see it opened. Our kernel holds back the last word of the
    /// handshake until [`abort`] takes all of it back: the server's kernel has answered, and its program
    /// is not even woken.
    Knock,
    /// UDP.
    Udp,
    /// ICMP echo, by a socket that needs no right (`net.ipv4.ping_group_range`): the kernel puts an
    /// identifier of its own into what is sent, and hands out only what answers it.
    Ping,
    /// ICMP echo by a raw socket, which is handed all ICMP of its target; with IPv4, behind the IP header.
    RawPing,
}

/// Where a check comes from; what is `None` is the kernel's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Source address.
    pub address: Option<IpAddr>,
    /// Source port.
    pub port: Option<u16>,
    /// Interface.
    pub interface: Option<&'a str>,
    /// Firewall mark; 0 sets none.
    pub mark: u32,
}

impl Origin<'_> {
    fn bound(&self, target: SocketAddr) -> Option<SocketAddr> {
        if self.address.is_none() && self.port.is_none() {
            return None;
        }
        let any = match target {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Some(SocketAddr::new(self.address.unwrap_or(any), self.port.unwrap_or(0)))
    }
}

/// Opens a nonblocking socket and begins to connect it. TCP is connected when it can be written to; others
/// are at once.
///
/// # Errors
/// The kernel's: no descriptor or port left, no route, no such interface or source address.
pub fn open(transport: Transport, target: SocketAddr, origin: &Origin<'_>) -> io::Result<OwnedFd> {
    let family = match target {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let icmp = if target.is_ipv4() { ipproto::ICMP } else { ipproto::ICMPV6 };
    let (kind, protocol) = match transport {
        Transport::Tcp | Transport::Knock => (SocketType::STREAM, None),
        Transport::Udp => (SocketType::DGRAM, None),
        Transport::Ping => (SocketType::DGRAM, Some(icmp)),
        Transport::RawPing => (SocketType::RAW, Some(icmp)),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, kind, flags, protocol)?;
    if transport == Transport::Knock {
        // Without it the handshake is ended, which harms nobody.
        let _ = sockopt::set_tcp_quickack(&socket, false);
    }
    if let Some(interface) = origin.interface {
        SockRef::from(&socket).bind_device(Some(interface.as_bytes()))?;
    }
    if origin.mark != 0 {
        SockRef::from(&socket).set_mark(origin.mark)?;
    }
    if let Some(source) = origin.bound(target) {
        if origin.port.is_some() {
            // The run before may have left its connection in TIME_WAIT.
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        bind(&socket, &source)?;
    }
    match connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Closes a TCP connection by a reset, as keepalived closes those of `TCP_CHECK`: neither side keeps a
/// closed connection in memory, and no port stays taken.
pub fn abort(socket: OwnedFd) {
    // A connection that has failed already needs none.
    let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}

/// Why a connection failed; `None` while it has not.
#[must_use]
pub fn failure(socket: &OwnedFd) -> Option<io::Error> {
    match sockopt::socket_error(socket) {
        Ok(Ok(())) => None,
        Ok(Err(error)) | Err(error) => Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, UdpSocket},
        os::fd::AsFd,
    };

    use super::*;
    use crate::{poll::Poll, sys::readable_within};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    fn outcome(socket: &OwnedFd) -> Option<io::Error> {
        let mut poll = Poll::new().expect("an epoll descriptor");
        poll.registry().add_edges(socket, 0).expect("add");
        assert_eq!(poll.wait(Some(PATIENCE)).expect("wait").count(), 1);
        failure(socket)
    }

    #[test]
    fn a_listener_takes_the_connection_and_a_closed_port_refuses_it() {
        let listener = TcpListener::bind(loopback(0)).expect("a listener");
        let target = listener.local_addr().expect("its address");
        let open = || open(Transport::Tcp, target, &Origin::default()).expect("on its way");
        assert!(outcome(&open()).is_none());
        drop(listener);
        let error = outcome(&open()).expect("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_program_that_listens_does_not_notice_a_knock() {
        let listener = TcpListener::bind(loopback(0)).expect("a listener");
        listener.set_nonblocking(true).expect("nonblocking");
        let target = listener.local_addr().expect("its address");
        let socket = open(Transport::Knock, target, &Origin::default()).expect("on its way");
        assert!(outcome(&socket).is_none());
        abort(socket);
        assert_eq!(listener.accept().expect_err("nobody").kind(), io::ErrorKind::WouldBlock);
        drop(listener);
        let socket = open(Transport::Knock, target, &Origin::default()).expect("on its way");
        let error = outcome(&socket).expect("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_aborted_connection_is_reset() {
        let listener = TcpListener::bind(loopback(0)).expect("a listener");
        let target = listener.local_addr().expect("its address");
        let socket = open(Transport::Tcp, target, &Origin::default()).expect("on its way");
        let (mut accepted, _) = listener.accept().expect("a connection");
        abort(socket);
        let error = accepted.read(&mut [0; 1]).expect_err("no end, but a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_check_comes_from_where_it_is_told_to() {
        let server = UdpSocket::bind(loopback(0)).expect("a socket");
        let address = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)));
        let origin = Origin { address, ..Origin::default() };
        let target = server.local_addr().expect("its address");
        let socket = open(Transport::Udp, target, &origin).expect("open");
        rustix::io::write(&socket, b"x").expect("sent");
        let (_, from) = server.recv_from(&mut [0; 8]).expect("received");
        assert_eq!(Some(from.ip()), address);
        let nowhere = Origin { interface: Some("no-such-link"), ..Origin::default() };
        assert!(open(Transport::Udp, target, &nowhere).is_err());
    }

    #[test]
    fn an_echo_is_answered() {
        let socket = open(Transport::Ping, loopback(0), &Origin::default())
            .or_else(|_| open(Transport::RawPing, loopback(0), &Origin::default()));
        // Neither is allowed to everybody.
        let Ok(socket) = socket else { return };
        // Type 8, code 0, checksum, identifier and number 0.
        rustix::io::write(&socket, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]).expect("sent");
        assert!(readable_within(socket.as_fd(), PATIENCE));
    }
}
