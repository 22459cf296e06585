//! What the kernel says about a datagram beside its bytes: with how many hops left it came.

use std::{io, mem::size_of, net::SocketAddr, os::fd::AsFd};

use crate::sys::receive_message;

/// `struct cmsghdr`: a length of pointer size, level and type.
const HEADER: usize = size_of::<usize>() + 2 * size_of::<i32>();
/// Room for a few control messages with small values.
const CONTROL: usize = 128;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The sender.
    pub(crate) source: SocketAddr,
    /// TTL or hop limit, when the socket was told to report it.
    pub(crate) hops: Option<u8>,
    /// Bytes of the datagram that lie in the buffer.
    pub(crate) length: usize,
}

/// Receives one datagram with its hop count; what does not fit into `buffer` is lost.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut control = [0; CONTROL];
    let (source, length, filled) = receive_message(socket, buffer, &mut control)?;
    let control = control.get(..filled).unwrap_or_default();
    Ok(Arrival { source, hops: hops(control), length })
}

/// The TTL or hop limit among control messages.
fn hops(mut control: &[u8]) -> Option<u8> {
    while let Some((length, rest)) = control.split_first_chunk() {
        let length = usize::from_ne_bytes(*length);
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let value = rest.get(..length.checked_sub(HEADER)?)?;
        let known = matches!(
            (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
        );
        if let (true, Some(value)) = (known, value.first_chunk()) {
            return u8::try_from(i32::from_ne_bytes(*value)).ok();
        }
        // The next one begins at a multiple of the pointer's size.
        control = control.get(length.next_multiple_of(size_of::<usize>())..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, value: &[u8]) -> Vec<u8> {
        let length = (HEADER + value.len()).to_ne_bytes();
        let mut bytes = [&length[..], &level.to_ne_bytes(), &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0xff);
        bytes
    }

    #[test]
    fn the_hop_count_is_found_behind_other_messages() {
        let other = message(libc::SOL_SOCKET, 29, &[1, 2, 3]);
        let ttl = message(libc::IPPROTO_IP, libc::IP_TTL, &254_i32.to_ne_bytes());
        let limit = message(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &64_i32.to_ne_bytes());
        assert_eq!(hops(&[&other[..], &ttl].concat()), Some(254));
        assert_eq!(hops(&limit), Some(64));
        assert_eq!(hops(&other), None);
    }

    #[test]
    fn lengths_that_lie_end_the_search() {
        let ttl = message(libc::IPPROTO_IP, libc::IP_TTL, &254_i32.to_ne_bytes());
        for length in [0, 1, HEADER - 1, 1000, usize::MAX] {
            let mut lying = ttl.clone();
            lying[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(hops(&lying), None, "{length}");
        }
        for end in 0..HEADER + 4 {
            assert_eq!(hops(&ttl[..end]), None);
        }
    }
}
