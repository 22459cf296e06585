//! The raw socket that carries an interface's VRRP adverts over IPv4.

use std::{
    io::IoSlice,
    net::{Ipv4Addr, SocketAddrV4},
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg_addr, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};
use standfast_types::{IfIndex, Vrid};

use crate::{
    error::{During, Error},
    packet_filter,
};

/// VRRP's number among the IP protocols.
pub const PROTOCOL: u8 = 112;
/// Room for one received packet: any advert, and its IP header with all options.
pub const PACKET: usize = 2048;
/// Network control, as RFC 9568 wants routing protocols to be marked.
const TOS: u8 = 0xc0;
/// The same on our own queues (`TC_PRIO_CONTROL` is 7, 6 is interactive and needs no privilege).
const QUEUE_PRIORITY: u32 = 6;
const HEADER: usize = 20;
const RECEIVE_BUFFER: usize = 256 * 1024;

/// One interface's socket for VRRP over IPv4. It works before the interface has an address.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
    index: IfIndex,
}

/// A packet that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender, as its IP header says.
    pub source: Ipv4Addr,
    /// The group or address that it was sent to.
    pub destination: Ipv4Addr,
    /// Time to live; 255 proves that no router forwarded it.
    pub ttl: u8,
    /// Where in the buffer the VRRP message lies; Ethernet's padding is cut off.
    pub payload: Range<usize>,
}

impl VrrpSocket {
    /// Opens a socket on one interface. It receives nothing until [`Self::set_filter`].
    ///
    /// # Errors
    /// `Gone` when there is no such interface, `Refused` without `CAP_NET_RAW`.
    pub fn open(index: IfIndex, name: &str) -> Result<Self, Error> {
        let protocol = Protocol::from(i32::from(PROTOCOL));
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))
            .during("open a socket for VRRP")?;
        let this = Self { socket, index };
        this.prepare(name).during("prepare a socket for VRRP")?;
        Ok(this)
    }

    fn prepare(&self, name: &str) -> std::io::Result<()> {
        let socket = &self.socket;
        socket.attach_filter(&packet_filter::nothing())?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(name.as_bytes()))?;
        socket.set_header_included_v4(true)?;
        socket.set_freebind_v4(true)?;
        socket.set_multicast_loop_v4(false)?;
        // Only the groups that this socket joined, not those of every program here.
        socket.set_multicast_all_v4(false)?;
        let index = self.index.get();
        let any = Ipv4Addr::UNSPECIFIED;
        sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?;
        socket.set_priority(QUEUE_PRIORITY)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        // What came in before the filter and the interface were set is none of ours.
        let mut scratch = [0_u8; PACKET];
        while recv(socket, &mut scratch, RecvFlags::empty()).is_ok() {}
        Ok(())
    }

    /// Joins a multicast group on this interface. Joining twice is no error.
    ///
    /// # Errors
    /// `Gone` when the interface is.
    pub fn join(&self, group: Ipv4Addr) -> Result<(), Error> {
        let index = self.index.get();
        let any = Ipv4Addr::UNSPECIFIED;
        let joined = sockopt::set_ip_add_membership_with_ifindex(&self.socket, &group, &any, index);
        match joined {
            Err(Errno::ADDRINUSE) => Ok(()),
            other => other.during("join a multicast group"),
        }
    }

    /// Lets in the adverts of these virtual routers, and nothing else: adverts that nobody
    /// here reads never fill the socket's buffer. At most 255, each once.
    ///
    /// # Errors
    /// `Retry` when memory is short.
    pub fn set_filter(&self, vrids: &[Vrid]) -> Result<(), Error> {
        self.socket
            .attach_filter(&packet_filter::adverts_of(vrids))
            .during("filter a socket for VRRP")
    }

    /// Sends one advert. The sender's address need not be one of ours; the kernel fills in
    /// checksum and identification.
    ///
    /// # Errors
    /// `Retry` while the interface is down or its queue full, `Gone` when it is gone.
    pub fn send(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        ttl: u8,
        payload: &[u8],
    ) -> Result<(), Error> {
        let length = HEADER.saturating_add(payload.len());
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let head = [0x45, TOS, high, low, 0, 0, 0, 0, ttl, PROTOCOL, 0, 0];
        let (source, group) = (source.octets(), destination.octets());
        let parts = [&head[..], &source[..], &group[..], payload].map(IoSlice::new);
        let to = SocketAddrV4::new(destination, 0);
        let control = &mut SendAncillaryBuffer::default();
        sendmsg_addr(&self.socket, &to, &parts, control, SendFlags::NOSIGNAL)
            .during("send an advert")
            .map(drop)
    }

    /// The next packet into `buffer` ([`PACKET`] bytes hold any); `None` when there is none
    /// now. A packet that is too large or no sound IPv4 is passed over.
    ///
    /// # Errors
    /// `Retry` while the interface is down.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<Received>, Error> {
        loop {
            let length = match recv(&self.socket, &mut *buffer, RecvFlags::TRUNC) {
                Ok((_, length)) => length,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(Error::new("receive an advert", error)),
            };
            if let Some(received) = buffer.get(..length).and_then(parse) {
                return Ok(Some(received));
            }
        }
    }
}

impl AsFd for VrrpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads the IPv4 header. Options are skipped; a total length beyond the packet is refused.
fn parse(packet: &[u8]) -> Option<Received> {
    let header = packet.first_chunk::<HEADER>()?;
    let [first, _, high, low, _, _, _, _, ttl, protocol, _, _, addresses @ ..] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let start = usize::from(first & 0x0f) * 4;
    let end = usize::from(u16::from_be_bytes([high, low]));
    if first >> 4 != 4 || protocol != PROTOCOL || start < HEADER {
        return None;
    }
    packet.get(start..end)?;
    Some(Received {
        source: Ipv4Addr::new(s0, s1, s2, s3),
        destination: Ipv4Addr::new(d0, d1, d2, d3),
        ttl,
        payload: start..end,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{namespace::test::cable, sys::readable_within};

    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    fn vrid(id: u8) -> Vrid {
        Vrid::new(id).expect("a vrid")
    }

    fn next(socket: &VrrpSocket) -> Option<(Received, Vec<u8>)> {
        readable_within(socket, Duration::from_millis(200));
        let mut buffer = [0; PACKET];
        let received = socket.receive(&mut buffer).expect("receive")?;
        let payload = buffer[received.payload.clone()].to_vec();
        Some((received, payload))
    }

    #[test]
    fn an_advert_crosses_a_cable_between_interfaces_without_addresses() {
        let Some(cable) = cable() else { return };
        let near = cable.near.run(|| VrrpSocket::open(cable.near_index, "eth0"));
        let far = cable.far.run(|| VrrpSocket::open(cable.far_index, "eth0"));
        let near = near.expect("enter").expect("open");
        let far = far.expect("enter").expect("open");
        far.join(GROUP).expect("join");
        far.join(GROUP).expect("joining again is no error");
        far.set_filter(&[vrid(7), vrid(255)]).expect("filter");
        let source = Ipv4Addr::new(192, 0, 2, 1);
        // Of these, only the second and the last are adverts of a wanted virtual router.
        let messages: [&[u8]; 5] =
            [&[0x21, 8, 1], &[0x31, 7, 2], &[0x41, 7, 3], &[0x22, 7, 4], &[0x21, 255, 5]];
        for message in messages {
            near.send(source, GROUP, 255, message).expect("send");
        }
        let (received, payload) = next(&far).expect("the second");
        assert_eq!((received.source, received.destination), (source, GROUP));
        assert_eq!(received.ttl, 255);
        // Short frames travel padded to 60 bytes; the payload does not.
        assert_eq!(payload, messages[1]);
        assert_eq!(next(&far).expect("the last").1, messages[4]);
        assert_eq!(next(&far), None);
        assert_eq!(next(&near), None, "our own adverts do not come back");
    }

    #[test]
    fn an_interface_that_is_gone_is_reported_as_gone() {
        let Some(cable) = cable() else { return };
        let opened = cable.near.run(|| VrrpSocket::open(IfIndex::new(999), "none0"));
        let error = opened.expect("enter").expect_err("there is no none0");
        assert_eq!(error.class, crate::Class::Gone);
    }

    #[test]
    fn a_header_that_lies_is_passed_over() {
        let mut packet = [0_u8; 24];
        packet[0] = 0x45;
        packet[3] = 24;
        packet[9] = PROTOCOL;
        assert_eq!(parse(&packet).map(|received| received.payload), Some(20..24));
        packet[3] = 22;
        assert_eq!(parse(&packet).map(|received| received.payload), Some(20..22));
        packet[0] = 0x46;
        assert_eq!(parse(&packet), None, "options beyond the total length");
        packet[3] = 24;
        assert_eq!(parse(&packet).map(|received| received.payload), Some(24..24));
        packet[0] = 0x44;
        assert_eq!(parse(&packet), None, "header too short");
        packet[0] = 0x45;
        packet[3] = 25;
        assert_eq!(parse(&packet), None, "longer than the packet");
        for end in 0..20 {
            assert_eq!(parse(&packet[..end]), None);
        }
    }
}
