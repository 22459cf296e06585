//! ARP on one interface: sends any, hears only what claims an address.

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

/// Length of an ARP packet for IPv4 over Ethernet, without the Ethernet header.
pub const ARP_PACKET: usize = 28;
/// Goes to every station.
pub const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE: u16 = 0x0806;
const HEADER: usize = 14;

/// One interface's socket for ARP.
#[derive(Debug)]
pub struct ArpSocket(OwnedFd);

/// A gratuitous ARP packet or the answer to a probe: its sender says that an address is at its door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedArp {
    /// The sender, as the Ethernet header says.
    pub source: [u8; 6],
    /// The ARP packet.
    pub packet: [u8; ARP_PACKET],
}

impl ArpSocket {
    /// Opens a socket on one interface. It hears what others send, not what we send.
    ///
    /// # Errors
    /// `Gone` when there is no such interface, `Refused` without `CAP_NET_RAW`.
    pub fn open(index: IfIndex) -> Result<Self, Error> {
        let socket = packet_socket::open(index, ETHERTYPE, &packet_filter::arp_claims())
            .during("open a socket for ARP")?;
        Ok(Self(socket))
    }

    /// Sends one ARP packet from `source` to `destination`, often [`BROADCAST`].
    ///
    /// # Errors
    /// `Retry` while the interface is down or its queue full, `Gone` when it is gone.
    pub fn send(
        &self,
        source: [u8; 6],
        destination: [u8; 6],
        packet: &[u8; ARP_PACKET],
    ) -> Result<(), Error> {
        let ethertype = ETHERTYPE.to_be_bytes();
        let frame = [&destination[..], &source[..], &ethertype[..], &packet[..]].concat();
        send(&self.0, &frame, SendFlags::NOSIGNAL).during("send an ARP packet").map(drop)
    }

    /// The next claim of somebody else; `None` when there is none now.
    ///
    /// # Errors
    /// `Retry` while the interface is down, once after it went down.
    pub fn receive(&self) -> Result<Option<ReceivedArp>, Error> {
        let mut frame = [0_u8; HEADER + ARP_PACKET];
        loop {
            match recv(&self.0, &mut frame, RecvFlags::empty()) {
                Ok((_, length)) if length == frame.len() => return Ok(parse(&frame)),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(Error::new("receive an ARP packet", error)),
            }
        }
    }
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn parse(frame: &[u8]) -> Option<ReceivedArp> {
    let (_, rest) = frame.split_first_chunk::<6>()?;
    let (source, rest) = rest.split_first_chunk::<6>()?;
    let packet = rest.get(2..)?.first_chunk()?;
    Some(ReceivedArp { source: *source, packet: *packet })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{namespace::test::cable, sys::readable_within};

    fn arp(sender: [u8; 4], target: [u8; 4]) -> [u8; ARP_PACKET] {
        let head = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
        let bytes = [&head[..], &sender[..], &[0; 6][..], &target[..]].concat();
        bytes.try_into().expect("28 bytes")
    }

    #[test]
    fn only_claims_of_others_are_heard() {
        let Some(cable) = cable() else { return };
        let near = cable.near.run(|| ArpSocket::open(cable.near_index));
        let far = cable.far.run(|| ArpSocket::open(cable.far_index));
        let near = near.expect("enter").expect("open");
        let far = far.expect("enter").expect("open");
        let source = [2, 0, 0, 0, 0, 1];
        let question = arp([10, 0, 0, 1], [10, 0, 0, 2]);
        let announcement = arp([10, 0, 0, 9], [10, 0, 0, 9]);
        near.send(source, BROADCAST, &question).expect("send");
        near.send(source, BROADCAST, &announcement).expect("send");
        assert!(readable_within(&far, Duration::from_secs(2)));
        let heard = far.receive().expect("receive").expect("one packet");
        assert_eq!(heard, ReceivedArp { source, packet: announcement });
        assert_eq!(far.receive().expect("receive"), None);
        assert_eq!(near.receive().expect("receive"), None);
    }
}
