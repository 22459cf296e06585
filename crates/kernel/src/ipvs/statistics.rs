//! What services and destinations have done so far.

use crate::netlink::message::attributes;

/// Of a service or a destination, since it was made. Rates are the kernel's, over some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that were scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients; with NAT only.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients; with NAT only.
    pub bytes_out: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets from clients a second.
    pub packet_rate_in: u64,
    /// Packets to clients a second.
    pub packet_rate_out: u64,
    /// Bytes from clients a second.
    pub byte_rate_in: u64,
    /// Bytes to clients a second.
    pub byte_rate_out: u64,
}

/// Of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Established connections.
    pub active_connections: u32,
    /// Others that are not forgotten: those that begin or end, and all of UDP.
    pub inactive_connections: u32,
    /// Clients that persistence ties to it.
    pub persistent_connections: u32,
    /// All that went there.
    pub counters: Counters,
}

/// Reads the attributes in the nested 64-bit statistics.
pub(super) fn counters_of(bytes: &[u8]) -> Counters {
    let mut counters = Counters::default();
    for (kind, value) in attributes(bytes) {
        let place = match kind {
            1 => &mut counters.connections,
            2 => &mut counters.packets_in,
            3 => &mut counters.packets_out,
            4 => &mut counters.bytes_in,
            5 => &mut counters.bytes_out,
            6 => &mut counters.connection_rate,
            7 => &mut counters.packet_rate_in,
            8 => &mut counters.packet_rate_out,
            9 => &mut counters.byte_rate_in,
            10 => &mut counters.byte_rate_out,
            _ => continue,
        };
        *place = value.first_chunk().copied().map_or(0, u64::from_ne_bytes);
    }
    counters
}
