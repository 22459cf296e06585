//! VRRP over IPv4: the raw socket reads and writes whole packets, IP header and all.

use std::{
    io::IoSlice,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg_addr, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};
use standfast_types::{IfIndex, Vrid};

use super::{AH, PROTOCOL, Received, TRAFFIC_CLASS, deafen, settle};
use crate::{
    error::{During, Error},
    packet_filter,
};

const HEADER: usize = 20;

#[derive(Debug)]
pub(super) struct Socket4 {
    socket: Socket,
    index: IfIndex,
    carries: Carries,
}

/// What follows the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// VRRP.
    Vrrp,
    /// An authentication header, then VRRP.
    Ah,
}

impl Carries {
    const fn protocol(self) -> u8 {
        match self {
            Self::Vrrp => PROTOCOL,
            Self::Ah => AH,
        }
    }
}

impl Socket4 {
    pub(super) fn open(index: IfIndex, name: &str, carries: Carries) -> Result<Self, Error> {
        let protocol = Protocol::from(i32::from(carries.protocol()));
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))
            .during("open a socket for VRRP")?;
        let this = Self { socket, index, carries };
        this.prepare(name).during("prepare a socket for VRRP")?;
        Ok(this)
    }

    fn prepare(&self, name: &str) -> std::io::Result<()> {
        let socket = &self.socket;
        deafen(socket, name)?;
        socket.set_header_included_v4(true)?;
        socket.set_freebind_v4(true)?;
        socket.set_multicast_loop_v4(false)?;
        // Only the groups that this socket joined, not those of every program here.
        socket.set_multicast_all_v4(false)?;
        let index = self.index.get();
        let any = Ipv4Addr::UNSPECIFIED;
        sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?;
        settle(socket)
    }

    pub(super) fn join(&self, group: Ipv4Addr) -> Result<(), Error> {
        let index = self.index.get();
        let any = Ipv4Addr::UNSPECIFIED;
        let joined = sockopt::set_ip_add_membership_with_ifindex(&self.socket, &group, &any, index);
        match joined {
            Err(Errno::ADDRINUSE) => Ok(()),
            other => other.during("join a multicast group"),
        }
    }

    pub(super) fn set_filter(&self, vrids: &[Vrid]) -> Result<(), Error> {
        let filter = match self.carries {
            Carries::Vrrp => packet_filter::adverts_of(vrids),
            Carries::Ah => packet_filter::protected_adverts_of(vrids),
        };
        self.socket.attach_filter(&filter).during("filter a socket for VRRP")
    }

    /// The kernel fills in the checksum, and an identification that is 0.
    pub(super) fn send(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        ttl: u8,
        identification: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        let length = HEADER.saturating_add(payload.len());
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let [id_high, id_low] = identification.to_be_bytes();
        let protocol = self.carries.protocol();
        let head = [0x45, TRAFFIC_CLASS, high, low, id_high, id_low, 0, 0, ttl, protocol, 0, 0];
        let (source, group) = (source.octets(), destination.octets());
        let parts = [&head[..], &source[..], &group[..], payload].map(IoSlice::new);
        let to = SocketAddrV4::new(destination, 0);
        let control = &mut SendAncillaryBuffer::default();
        sendmsg_addr(&self.socket, &to, &parts, control, SendFlags::NOSIGNAL)
            .during("send an advert")
            .map(drop)
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Received>, Error> {
        loop {
            let length = match recv(&self.socket, &mut *buffer, RecvFlags::TRUNC) {
                Ok((_, length)) => length,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(Error::new("receive an advert", error)),
            };
            if let Some(received) =
                buffer.get(..length).and_then(|packet| parse(self.carries, packet))
            {
                return Ok(Some(received));
            }
        }
    }
}

impl AsFd for Socket4 {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads the IPv4 header. Options are skipped; a total length beyond the packet is refused.
fn parse(carries: Carries, packet: &[u8]) -> Option<Received> {
    let header = packet.first_chunk::<HEADER>()?;
    let [first, _, high, low, id_high, id_low, _, _, ttl, protocol, _, _, addresses @ ..] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let start = usize::from(first & 0x0f) * 4;
    let end = usize::from(u16::from_be_bytes([high, low]));
    if first >> 4 != 4 || protocol != carries.protocol() || start < HEADER {
        return None;
    }
    packet.get(start..end)?;
    Some(Received {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        ttl,
        protected: match carries {
            Carries::Vrrp => None,
            Carries::Ah => Some(u16::from_be_bytes([id_high, id_low])),
        },
        payload: start..end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_lies_is_passed_over() {
        let mut packet = [0_u8; 24];
        packet[0] = 0x45;
        packet[3] = 24;
        packet[9] = PROTOCOL;
        assert_eq!(parse(Carries::Vrrp, &packet).map(|received| received.payload), Some(20..24));
        packet[3] = 22;
        assert_eq!(parse(Carries::Vrrp, &packet).map(|received| received.payload), Some(20..22));
        packet[0] = 0x46;
        assert_eq!(parse(Carries::Vrrp, &packet), None, "options beyond the total length");
        packet[3] = 24;
        assert_eq!(parse(Carries::Vrrp, &packet).map(|received| received.payload), Some(24..24));
        packet[0] = 0x44;
        assert_eq!(parse(Carries::Vrrp, &packet), None, "header too short");
        packet[0] = 0x45;
        packet[3] = 25;
        assert_eq!(parse(Carries::Vrrp, &packet), None, "longer than the packet");
        for end in 0..20 {
            assert_eq!(parse(Carries::Vrrp, &packet[..end]), None);
        }
    }
}
