//! What the kernel says about a datagram beside its bytes: with how many hops left it came, and to whom.

use std::{
    io,
    mem::size_of,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use crate::sys::receive_message;

const WORD: usize = size_of::<usize>();
/// `struct cmsghdr`: a length of pointer size, level and type.
const HEADER: usize = WORD + 2 * size_of::<i32>();
/// Room for a few control messages with small values.
const CONTROL: usize = 256;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The sender.
    pub(crate) source: SocketAddr,
    /// TTL or hop limit, when the socket was told to report it.
    pub(crate) hops: Option<u8>,
    /// Where it was sent to, over IPv6 when the socket was told to report it.
    pub(crate) destination: Option<IpAddr>,
    /// Bytes of the datagram that lie in the buffer.
    pub(crate) length: usize,
}

/// Receives one datagram with its hop count; what does not fit into `buffer` is lost.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut control = [0; CONTROL];
    let (source, length, filled) = receive_message(socket, buffer, &mut control)?;
    let control = control.get(..filled).unwrap_or_default();
    Ok(Arrival { source, hops: hops(control), destination: destination(control), length })
}

/// One control message to send with a packet.
pub(crate) fn message(level: i32, kind: i32, value: &[u8]) -> Vec<u8> {
    let length = HEADER.saturating_add(value.len());
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length.next_multiple_of(WORD), 0);
    bytes
}

/// The TTL or hop limit among control messages.
fn hops(control: &[u8]) -> Option<u8> {
    let value = find(control, |message| {
        matches!(
            message,
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
        )
    })?;
    u8::try_from(i32::from_ne_bytes(*value.first_chunk()?)).ok()
}

/// The destination among control messages.
fn destination(control: &[u8]) -> Option<IpAddr> {
    let value = find(control, |message| message == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO))?;
    value.first_chunk::<16>().map(|&octets| Ipv6Addr::from(octets).into())
}

/// The value of the first control message whose level and type fit.
fn find(mut control: &[u8], fits: impl Fn((i32, i32)) -> bool) -> Option<&[u8]> {
    while let Some((length, rest)) = control.split_first_chunk() {
        let length = usize::from_ne_bytes(*length);
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let value = rest.get(..length.checked_sub(HEADER)?)?;
        if fits((i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind))) {
            return Some(value);
        }
        // The next one begins at a multiple of the pointer's size.
        control = control.get(length.next_multiple_of(WORD)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_destination_of_an_ipv6_packet_is_found_in_any_order() {
        let group: Ipv6Addr = "ff02::12".parse().expect("an address");
        let place = [&group.octets()[..], &2_u32.to_ne_bytes()].concat();
        let place = message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &place);
        let limit = message(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &255_i32.to_ne_bytes());
        for both in [[&limit[..], &place].concat(), [&place[..], &limit].concat()] {
            assert_eq!((destination(&both), hops(&both)), (Some(group.into()), Some(255)));
        }
        assert_eq!(destination(&limit), None);
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
