//! Sockets that carry whole Ethernet frames of one protocol.

use std::{io, os::fd::OwnedFd};

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, socket_with, sockopt::set_socket_recv_buffer_size,
};
use socket2::{SockFilter, SockRef};
use standfast_types::IfIndex;

use crate::sys::{bind_packet, set_int_option};

const SOL_PACKET: i32 = 263;
const PACKET_IGNORE_OUTGOING: i32 = 23;
const RECEIVE_BUFFER: usize = 64 * 1024;

/// A socket on one interface that hears what others send and the filter lets in.
pub(crate) fn open(index: IfIndex, ethertype: u16, filter: &[SockFilter]) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Protocol 0 receives nothing until it is bound, filter and all.
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
    SockRef::from(&socket).attach_filter(filter)?;
    // Missing before Linux 4.20; the caller then hears its own packets and knows them
    // by their source.
    let _ = set_int_option(&socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    let index = i32::try_from(index.get()).unwrap_or(i32::MAX);
    bind_packet(&socket, index, ethertype)?;
    Ok(socket)
}
