//! The system calls that no safe crate offers, one function each.

use std::{
    io,
    mem::{size_of, zeroed},
    os::fd::{AsFd, AsRawFd},
};

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
