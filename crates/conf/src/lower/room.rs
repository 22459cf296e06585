//! Room for adverts that have arrived: `vrrp_rx_bufs_policy`, `vrrp_rx_bufs_multiplier`.

use standfast_failover::ReceiveBuffer;
use standfast_types::Family;
use standfast_vrrp::{Config, Version};

/// What the file says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(super) policy: Policy,
    /// How many packets there is room for, with [`Policy::Mtu`] and [`Policy::Advert`].
    pub(super) packets: u32,
}

/// What decides about it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    Mtu,
    Advert,
    Bytes(u32),
}

impl Policy {
    pub(super) fn of(text: &str) -> Self {
        match text {
            _ if text.eq_ignore_ascii_case("MTU") => Self::Mtu,
            _ if text.eq_ignore_ascii_case("ADVERT") => Self::Advert,
            _ => Self::Bytes(text.parse().unwrap_or(0)),
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { policy: Policy::Bytes(0), packets: 3 }
    }
}

impl Room {
    pub(super) fn for_adverts(self, router: &Config) -> ReceiveBuffer {
        match self.policy {
            Policy::Mtu => ReceiveBuffer { bytes: 0, mtus: self.packets },
            Policy::Advert => {
                ReceiveBuffer { bytes: self.packets.saturating_mul(advert(router)), mtus: 0 }
            }
            Policy::Bytes(bytes) => ReceiveBuffer { bytes, mtus: 0 },
        }
    }
}

/// Bytes of an advert with its IP header, and VRRPv2's 8 bytes of authentication.
fn advert(router: &Config) -> u32 {
    let (header, address) = match router.family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    let trailer = if router.version == Version::V2 { 8 } else { 0 };
    let addresses = u32::try_from(router.addresses.len()).unwrap_or(u32::MAX);
    addresses.saturating_mul(address).saturating_add(header + 8 + trailer)
}
