//! Unsolicited neighbour advertisements on one interface: what [`crate::arp_socket`] is to IPv4.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use standfast_types::IfIndex;

use crate::{
    error::{During, Error},
    packet_filter, packet_socket,
};

/// Room for an advertisement with its IPv6 header and any options that we care for.
pub const ADVERTISEMENT: usize = 256;
const ETHERTYPE: u16 = 0x86dd;
const HEADER: usize = 14;

/// One interface's socket for neighbour advertisements.
#[derive(Debug)]
pub struct NeighbourSocket(OwnedFd);

impl NeighbourSocket {
    /// Opens a socket on one interface. It hears what others send, not what we send.
    ///
    /// # Errors
    /// `Gone` when there is no such interface, `Refused` without `CAP_NET_RAW`.
    pub fn open(index: IfIndex) -> Result<Self, Error> {
        let filter = packet_filter::unsolicited_advertisements();
        let socket = packet_socket::open(index, ETHERTYPE, &filter)
            .during("open a socket for neighbour advertisements")?;
        Ok(Self(socket))
    }

    /// Sends one packet, that begins with its IPv6 header, from `source` to `destination`.
    ///
    /// # Errors
    /// `Retry` while the interface is down or its queue full, `Gone` when it is gone.
    pub fn send(&self, source: [u8; 6], destination: [u8; 6], packet: &[u8]) -> Result<(), Error> {
        let ethertype = ETHERTYPE.to_be_bytes();
        let frame = [&destination[..], &source[..], &ethertype[..], packet].concat();
        send(&self.0, &frame, SendFlags::NOSIGNAL)
            .during("send a neighbour advertisement")
            .map(drop)
    }

    /// The next packet of somebody else into `buffer` ([`ADVERTISEMENT`] bytes), from its IPv6 header
    /// on; `None` when there is none now.
    ///
    /// # Errors
    /// `Retry` while the interface is down, once after it went down.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Error> {
        loop {
            match recv(&self.0, &mut *buffer, RecvFlags::empty()) {
                Ok((_, length)) => return Ok(buffer.get(HEADER..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(Error::new("receive a neighbour advertisement", error)),
            }
        }
    }
}

impl AsFd for NeighbourSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{namespace::test::cable, sys::readable_within};

    /// An ICMPv6 message of this type and these flags to all nodes.
    fn message(kind: u8, flags: u8) -> Vec<u8> {
        let head = [0x60, 0, 0, 0, 0, 32, 58, 255];
        let mut all_nodes = [0; 16];
        (all_nodes[0], all_nodes[1], all_nodes[15]) = (0xff, 2, 1);
        let body = [kind, 0, 0, 0, flags, 0, 0, 0];
        [&head[..], &[0xfe; 16], &all_nodes[..], &body[..], &[0xfe; 16], &[2, 1, 2, 0, 0, 0, 0, 1]]
            .concat()
    }

    #[test]
    fn only_unsolicited_advertisements_of_others_are_heard() {
        let Some(cable) = cable() else { return };
        let near = cable.near.run(|| NeighbourSocket::open(cable.near_index));
        let far = cable.far.run(|| NeighbourSocket::open(cable.far_index));
        let near = near.expect("enter").expect("open");
        let far = far.expect("enter").expect("open");
        let (source, all_nodes) = ([2, 0, 0, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1]);
        near.send(source, all_nodes, &message(135, 0)).expect("a solicitation");
        near.send(source, all_nodes, &message(136, 0x40)).expect("a solicited one");
        let announcement = message(136, 0xa0);
        near.send(source, all_nodes, &announcement).expect("an unsolicited one");
        let mut buffer = [0; ADVERTISEMENT];
        assert!(readable_within(&far, Duration::from_millis(500)));
        let heard = far.receive(&mut buffer).expect("receive").map(<[u8]>::to_vec);
        assert_eq!(heard, Some(announcement));
        assert_eq!(far.receive(&mut buffer).expect("receive"), None);
        assert_eq!(near.receive(&mut buffer).expect("receive"), None, "not our own");
    }
}
