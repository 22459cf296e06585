//! UDP sockets for BFD: one per local address and port that hears all neighbours, one per session that speaks.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{io::Errno, rand::GetRandomFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    ancillary::{self, Arrival},
    error::{During, Error},
    packet_filter,
    sys::set_int_option,
};

/// Room for one received packet; longer ones are cut off.
pub const PACKET: usize = 128;
/// Source ports (RFC 5881, section 4).
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;
/// Source ports that are tried until one is free.
const TRIES: u16 = 256;
/// Network control, as for routing protocols.
const TOS: u32 = 0xc0;
/// The same on our own queues (6 is interactive and needs no privilege).
const QUEUE_PRIORITY: u32 = 6;
const RECEIVE_BUFFER: usize = 512 * 1024;

/// Hears the packets of all neighbours on one port, on one local address or on all.
#[derive(Debug)]
pub struct BfdListener(Socket);

/// Sends the packets of one session, from a port of its own.
#[derive(Debug)]
pub struct BfdSender {
    socket: Socket,
    to: SocketAddr,
}

/// A packet that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedBfd {
    /// The sender.
    pub source: IpAddr,
    /// TTL or hop limit; 255 proves that no router forwarded it.
    pub ttl: u8,
    /// Bytes of the packet in the buffer.
    pub length: usize,
}

impl BfdListener {
    /// Opens a socket on a local address (unspecified: on all of its family), which need not exist yet.
    ///
    /// # Errors
    /// Another program has the port (`Refused`).
    pub fn open(local: IpAddr, port: u16) -> Result<Self, Error> {
        let listener = udp(local).and_then(|socket| {
            match local {
                IpAddr::V4(_) => set_int_option(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?,
                IpAddr::V6(_) => socket.set_recv_hoplimit_v6(true)?,
            }
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            socket.bind(&SocketAddr::new(local, port).into())?;
            Ok(Self(socket))
        });
        listener.during("open a socket to hear BFD")
    }

    /// The next packet into `buffer` ([`PACKET`] bytes); `None` when there is none now.
    ///
    /// # Errors
    /// `Retry` when memory is short.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<ReceivedBfd>, Error> {
        loop {
            match ancillary::receive(&self.0, buffer) {
                Ok(Arrival { source, hops: Some(ttl), length, .. }) => {
                    return Ok(Some(ReceivedBfd { source: source.ip(), ttl, length }));
                }
                // It can't be judged.
                Ok(Arrival { hops: None, .. }) => {}
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return Ok(None),
                    Some(Errno::INTR) => {}
                    Some(_) | None => return Err(Error::new("receive a BFD packet", error)),
                },
            }
        }
    }
}

impl BfdSender {
    /// Opens a socket to a neighbour's `port`, from a local address or from the kernel's choice.
    ///
    /// # Errors
    /// No port is free (`Refused`), or the family is not there.
    pub fn open(
        local: Option<IpAddr>,
        neighbor: IpAddr,
        port: u16,
        ttl: u8,
    ) -> Result<Self, Error> {
        let to = SocketAddr::new(neighbor, port);
        let any = match neighbor {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let sender = udp(neighbor).and_then(|socket| {
            // Nobody has a reason to write to it.
            socket.attach_filter(&packet_filter::nothing())?;
            match neighbor {
                IpAddr::V4(_) => {
                    socket.set_ttl_v4(ttl.into())?;
                    socket.set_tos_v4(TOS)?;
                }
                IpAddr::V6(_) => {
                    socket.set_unicast_hops_v6(ttl.into())?;
                    socket.set_tclass_v6(TOS)?;
                }
            }
            socket.set_priority(QUEUE_PRIORITY)?;
            bind_anywhere(&socket, local.unwrap_or(any))?;
            Ok(Self { socket, to })
        });
        sender.during("open a socket to send BFD")
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// `Retry` while there is no way to the neighbour or the queue is full.
    pub fn send(&self, packet: &[u8]) -> Result<(), Error> {
        self.socket.send_to(packet, &self.to.into()).during("send a BFD packet").map(drop)
    }
}

impl AsFd for BfdListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A socket of the address's family that may be bound to an address that comes later.
fn udp(local: IpAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(local, 0));
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    match local {
        IpAddr::V4(_) => socket.set_freebind_v4(true)?,
        IpAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    Ok(socket)
}

/// Binds to a free port of the range, beginning anywhere in it.
fn bind_anywhere(socket: &Socket, local: IpAddr) -> io::Result<()> {
    let mut random = [0; 2];
    rustix::rand::getrandom(&mut random, GetRandomFlags::empty())?;
    let (first, count) = (*PORTS.start(), PORTS.end() - PORTS.start());
    let start = u16::from_ne_bytes(random) & count;
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for offset in 0..TRIES {
        let port = first | (start.wrapping_add(offset) & count);
        result = socket.bind(&SocketAddr::new(local, port).into());
        let busy = result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        if !busy {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;
    use crate::{
        namespace::test::{Cable, cable},
        netlink::AddressRequest,
        netlink::Netlink,
        sys::readable_within,
    };

    const NEAR: [&str; 2] = ["10.0.0.1", "2001:db8::1"];
    const FAR: [&str; 2] = ["10.0.0.2", "2001:db8::2"];

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn addresses(cable: &Cable) {
        let ends = [(&cable.near, cable.near_index, NEAR), (&cable.far, cable.far_index, FAR)];
        for (room, index, [four, six]) in ends {
            let mut netlink = room.run(Netlink::open).expect("enter").expect("netlink");
            for prefix in [format!("{four}/24"), format!("{six}/64")] {
                let request = AddressRequest::new(index, prefix.parse().expect("a prefix"));
                netlink.add_addresses(&[request]).pop().expect("an answer").expect("added");
            }
        }
    }

    #[test]
    fn packets_of_both_families_arrive_with_their_sender_and_hop_count() {
        let Some(cable) = cable() else { return };
        addresses(&cable);
        for (near, far) in NEAR.into_iter().zip(FAR) {
            let (near, far) = (ip(near), ip(far));
            let listener = cable.far.run(|| BfdListener::open(far, 3784)).expect("enter");
            let listener = listener.expect("listen");
            for (ttl, local) in [(255, Some(near)), (3, None)] {
                let sender = cable.near.run(|| BfdSender::open(local, far, 3784, ttl));
                sender.expect("enter").expect("open").send(&[7; 24]).expect("send");
                assert!(readable_within(&listener, Duration::from_secs(5)));
                let mut buffer = [0; PACKET];
                let received = listener.receive(&mut buffer).expect("receive").expect("a packet");
                assert_eq!(received, ReceivedBfd { source: near, ttl, length: 24 });
                assert_eq!(buffer[..24], [7; 24]);
                assert_eq!(listener.receive(&mut buffer).expect("receive"), None);
            }
        }
    }

    #[test]
    fn a_source_port_is_of_the_range_that_the_rfc_gives_and_each_session_has_its_own() {
        let senders: Vec<_> = (0..100)
            .map(|_| BfdSender::open(None, ip("127.0.0.1"), 3784, 255).expect("open"))
            .collect();
        let mut ports: Vec<_> = senders
            .iter()
            .filter_map(|sender| sender.socket.local_addr().ok()?.as_socket())
            .map(|address| address.port())
            .collect();
        assert!(ports.iter().all(|port| PORTS.contains(port)));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 100);
    }

    #[test]
    fn an_address_that_is_not_here_yet_can_be_listened_on_and_a_taken_port_is_refused() {
        let Some(cable) = cable() else { return };
        let opened = cable.near.run(|| {
            let absent = BfdListener::open(ip("192.0.2.77"), 3784);
            let _other = UdpSocket::bind("192.0.2.78:3784");
            let _taken = UdpSocket::bind("0.0.0.0:4784").expect("bind");
            (absent.is_ok(), BfdListener::open(ip("0.0.0.0"), 4784).map(drop))
        });
        let (absent, taken) = opened.expect("enter");
        assert!(absent);
        assert_eq!(taken.expect_err("the port is taken").class, crate::Class::Refused);
    }
}
