//! Programs for the kernel's packet filter (classic BPF), which decide what reaches us.

use socket2::SockFilter;
use standfast_types::Vrid;

const LD_WORD: u16 = 0x20;
const LD_HALF: u16 = 0x28;
const LD_BYTE: u16 = 0x30;
const LD_HALF_AT_X: u16 = 0x48;
const LD_BYTE_AT_X: u16 = 0x50;
/// X becomes four times the low half of a byte: an IPv4 header's length.
const LDX_HEADER_LENGTH: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const JUMP_IF_EQUAL_X: u16 = 0x1d;
const COPY_TO_X: u16 = 0x07;
const LD_NUMBER: u16 = 0x00;
const LDX_NUMBER: u16 = 0x01;
/// Loading from here finds the netlink attribute whose type is in X, from the place in A on.
const ATTRIBUTE: u32 = 0xffff_f00c;
const RETURN: u16 = 0x06;
/// How much of the packet to keep: all.
const ACCEPT: u32 = u32::MAX;
const REJECT: u32 = 0;

/// Lets in VRRP adverts (version 2 or 3) of these virtual routers, on a raw IPv4 socket,
/// where a packet starts with its IP header.
pub(crate) fn adverts_of(vrids: &[Vrid]) -> Vec<SockFilter> {
    let mut program = vec![
        step(LD_BYTE, 9),
        branch(112, 1, 0),
        step(RETURN, REJECT),
        step(LDX_HEADER_LENGTH, 0),
        step(LD_BYTE_AT_X, 0),
        branch(0x21, 2, 0),
        branch(0x31, 1, 0),
        step(RETURN, REJECT),
        step(LD_BYTE_AT_X, 1),
    ];
    among(&mut program, vrids);
    program
}

/// The same behind an IPsec authentication header of 24 bytes, where only VRRPv2 can be.
pub(crate) fn protected_adverts_of(vrids: &[Vrid]) -> Vec<SockFilter> {
    let mut program = vec![
        step(LD_BYTE, 9),
        branch(51, 1, 0),
        step(RETURN, REJECT),
        step(LDX_HEADER_LENGTH, 0),
        step(LD_HALF_AT_X, 0),
        // VRRP is next, and the header has six words.
        branch(0x7004, 1, 0),
        step(RETURN, REJECT),
        step(LD_BYTE_AT_X, 24),
        branch(0x21, 1, 0),
        step(RETURN, REJECT),
        step(LD_BYTE_AT_X, 25),
    ];
    among(&mut program, vrids);
    program
}

/// The same on a raw IPv6 socket, where a packet starts with its VRRP header.
pub(crate) fn adverts6_of(vrids: &[Vrid]) -> Vec<SockFilter> {
    let mut program = vec![
        step(LD_BYTE, 0),
        branch(0x21, 2, 0),
        branch(0x31, 1, 0),
        step(RETURN, REJECT),
        step(LD_BYTE, 1),
    ];
    among(&mut program, vrids);
    program
}

/// Accepts when the byte that was loaded is one of these.
fn among(program: &mut Vec<SockFilter>, vrids: &[Vrid]) {
    // Each test that holds jumps over the tests left and over the rejection behind them.
    for (vrid, left) in vrids.iter().zip((0..vrids.len()).rev()) {
        let past = u8::try_from(left.saturating_add(1)).unwrap_or(u8::MAX);
        program.push(branch(u32::from(vrid.get()), past, 0));
    }
    program.extend([step(RETURN, REJECT), step(RETURN, ACCEPT)]);
}

/// Lets in ARP packets by which somebody claims an address, on a packet socket, where a packet starts
/// with its Ethernet header: those whose sender and target address are the same, and replies to nobody's
/// address, which answer an ARP probe (RFC 5227).
pub(crate) fn arp_claims() -> Vec<SockFilter> {
    vec![
        step(LD_HALF, 12),
        branch(0x0806, 0, 8),
        step(LD_WORD, 38),
        branch(0, 3, 0),
        step(COPY_TO_X, 0),
        step(LD_WORD, 28),
        SockFilter::new(JUMP_IF_EQUAL_X, 2, 3, 0),
        step(LD_HALF, 20),
        branch(2, 0, 1),
        step(RETURN, ACCEPT),
        step(RETURN, REJECT),
    ]
}

/// Lets in neighbour advertisements to all nodes that answer no solicitation, on a packet socket.
pub(crate) fn unsolicited_advertisements() -> Vec<SockFilter> {
    const ALL_NODES: u32 = 0xff02_0000;
    const SOLICITED: u32 = 0x40;
    vec![
        step(LD_HALF, 12),
        branch(0x86dd, 0, 13),
        step(LD_HALF, 20),
        // ICMPv6, hop limit 255.
        branch(0x3aff, 0, 11),
        step(LD_WORD, 38),
        branch(ALL_NODES, 0, 9),
        step(LD_WORD, 50),
        branch(1, 0, 7),
        step(LD_BYTE, 54),
        branch(136, 0, 5),
        step(LD_BYTE, 58),
        SockFilter::new(JUMP_IF_ANY_BIT, 3, 0, SOLICITED),
        step(LD_BYTE, 14),
        step(RETURN, ACCEPT),
        step(RETURN, REJECT),
        step(RETURN, REJECT),
    ]
}

/// Lets in netlink's reports but two kinds, of which there may be thousands: routes that were not made by
/// `routes`, and addresses that are new or renewed and carry the tag `addresses`.
pub(crate) fn changes(
    (routes, [route_new, route_gone]): (u8, [u16; 2]),
    (addresses, address_new, tag): (u8, u16, u16),
) -> Vec<SockFilter> {
    // Netlink counts in the machine's byte order, the filter in the network's.
    let kind = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    vec![
        step(LD_HALF, 4),
        branch(kind(address_new), 4, 0),
        branch(kind(route_new), 1, 0),
        branch(kind(route_gone), 0, 10),
        step(LD_BYTE, 21),
        branch(routes.into(), 8, 7),
        // Where among the attributes behind both headers the tag is; 0 when there is none.
        step(LD_NUMBER, 24),
        step(LDX_NUMBER, tag.into()),
        step(LD_WORD, ATTRIBUTE),
        branch(0, 4, 0),
        step(COPY_TO_X, 0),
        step(LD_BYTE_AT_X, 4),
        branch(addresses.into(), 0, 1),
        step(RETURN, REJECT),
        step(RETURN, ACCEPT),
    ]
}

/// Lets in nothing.
pub(crate) fn nothing() -> Vec<SockFilter> {
    vec![step(RETURN, REJECT)]
}

fn step(code: u16, operand: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, operand)
}

/// Skips `equal` or `other` instructions.
fn branch(value: u32, equal: u8, other: u8) -> SockFilter {
    SockFilter::new(JUMP_IF_EQUAL, equal, other, value)
}
