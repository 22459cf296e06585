//! The system calls that no safe crate offers, one function each.

use std::{
    io,
    mem::{MaybeUninit, size_of, zeroed},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    slice,
};

use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, SockRef};

/// Sets a socket option whose value is an `int`.
#[expect(unsafe_code, reason = "no safe crate offers these options")]
pub(crate) fn set_int_option(
    socket: impl AsFd,
    level: i32,
    name: i32,
    value: i32,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(4);
    // SAFETY: the pointer is to a live `i32` and `length` is its size; the kernel only reads.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Binds a packet socket to an interface and an Ethernet protocol.
#[expect(unsafe_code, reason = "no safe crate builds a link-layer address")]
pub(crate) fn bind_packet(socket: impl AsFd, index: i32, ethertype: u16) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain data; all zero is a valid value of it.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: the pointer is to a live `sockaddr_ll` and `length` is its size.
    let result =
        unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const address).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives a datagram and what the kernel says beside it: who sent it, and how many bytes of both buffers
/// were filled.
#[expect(unsafe_code, reason = "socket2 wants buffers that may be uninitialized")]
pub(crate) fn receive_message(
    socket: impl AsFd,
    bytes: &mut [u8],
    control: &mut [u8],
) -> io::Result<(SocketAddr, usize, usize)> {
    let mut address = SockAddr::from(SocketAddr::from(([0_u16; 8], 0)));
    // SAFETY: both have one layout, and nobody but the kernel writes through the views, whose bytes are
    // all initialized.
    let bytes = unsafe {
        slice::from_raw_parts_mut(bytes.as_mut_ptr().cast::<MaybeUninit<u8>>(), bytes.len())
    };
    // SAFETY: as above.
    let control = unsafe {
        slice::from_raw_parts_mut(control.as_mut_ptr().cast::<MaybeUninit<u8>>(), control.len())
    };
    let mut parts = [MaybeUninitSlice::new(bytes)];
    let mut message =
        MsgHdrMut::new().with_addr(&mut address).with_buffers(&mut parts).with_control(control);
    let length = SockRef::from(&socket).recvmsg(&mut message, 0)?;
    let filled = message.control_len();
    let source = address.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    Ok((source, length, filled))
}

#[cfg(test)]
/// Waits until there is something to read, at most for `timeout`.
pub(crate) fn readable_within(fd: impl AsFd, timeout: std::time::Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let fd = fd.as_fd();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}
