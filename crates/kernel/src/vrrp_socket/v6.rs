//! VRRP over IPv6: the raw socket writes whole packets, but what it reads begins behind the IPv6
//! header, whose facts come as control messages.

use std::{
    io::{ErrorKind, IoSlice},
    net::{Ipv6Addr, SocketAddrV6},
    os::fd::{AsFd, BorrowedFd},
};

use socket2::{Domain, MsgHdr, Protocol, SockAddr, Socket, Type};
use standfast_types::{IfIndex, Vrid};

use super::{PROTOCOL, Received, TRAFFIC_CLASS, deafen, settle};
use crate::{
    ancillary::{self, Arrival},
    error::{During, Error},
    packet_filter,
    sys::set_int_option,
};

const IPV6_MULTICAST_ALL: i32 = 29;
const IPV6_HDRINCL: i32 = 36;
const IPV6_FREEBIND: i32 = 78;

#[derive(Debug)]
pub(super) struct Socket6 {
    socket: Socket,
    index: IfIndex,
}

impl Socket6 {
    pub(super) fn open(index: IfIndex, name: &str) -> Result<Self, Error> {
        let protocol = Protocol::from(i32::from(PROTOCOL));
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(protocol))
            .during("open a socket for VRRP over IPv6")?;
        let this = Self { socket, index };
        this.prepare(name).during("prepare a socket for VRRP over IPv6")?;
        Ok(this)
    }

    fn prepare(&self, name: &str) -> std::io::Result<()> {
        let socket = &self.socket;
        deafen(socket, name)?;
        socket.set_multicast_loop_v6(false)?;
        socket.set_multicast_if_v6(self.index.get())?;
        for (option, value) in [
            (IPV6_HDRINCL, 1),
            (IPV6_FREEBIND, 1),
            // Only the groups that this socket joined, not those of every program here.
            (IPV6_MULTICAST_ALL, 0),
            (libc::IPV6_RECVPKTINFO, 1),
            (libc::IPV6_RECVHOPLIMIT, 1),
        ] {
            set_int_option(socket, libc::IPPROTO_IPV6, option, value)?;
        }
        settle(socket)
    }

    pub(super) fn join(&self, group: Ipv6Addr) -> Result<(), Error> {
        match self.socket.join_multicast_v6(&group, self.index.get()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(()),
            other => other.during("join a multicast group"),
        }
    }

    pub(super) fn set_filter(&self, vrids: &[Vrid]) -> Result<(), Error> {
        self.socket
            .attach_filter(&packet_filter::adverts6_of(vrids))
            .during("filter a socket for VRRP")
    }

    pub(super) fn send(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
        payload: &[u8],
    ) -> Result<(), Error> {
        let [high, low] = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [class_high, class_low] = [TRAFFIC_CLASS >> 4, TRAFFIC_CLASS << 4];
        let head = [0x60 | class_high, class_low, 0, 0, high, low, PROTOCOL, hop_limit];
        let from = source.octets();
        let addressee = destination.octets();
        let parts = [&head[..], &from[..], &addressee[..], payload].map(IoSlice::new);
        let to = SockAddr::from(SocketAddrV6::new(destination, 0, 0, self.index.get()));
        // Without it the kernel looks for a source of its own, and refuses when it finds none.
        let place = [&from[..], &self.index.get().to_ne_bytes()].concat();
        let control = ancillary::message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &place);
        let message = MsgHdr::new().with_addr(&to).with_buffers(&parts).with_control(&control);
        self.socket.sendmsg(&message, 0).during("send an advert").map(drop)
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Received>, Error> {
        loop {
            let arrival = match ancillary::receive(&self.socket, buffer) {
                Ok(arrival) => arrival,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::new("receive an advert", error)),
            };
            let Arrival { source, hops, destination, length } = arrival;
            if let (Some(destination), Some(ttl)) = (destination, hops) {
                let source = source.ip();
                return Ok(Some(Received {
                    source,
                    destination,
                    ttl,
                    protected: None,
                    payload: 0..length,
                }));
            }
        }
    }
}

impl AsFd for Socket6 {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
