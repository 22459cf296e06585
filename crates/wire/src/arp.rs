//! ARP for IPv4 over Ethernet (RFC 826), as far as gratuitous announcements need it (RFC 5227).

use std::net::Ipv4Addr;

/// A hardware address.
pub type MacOctets = [u8; 6];

/// The broadcast hardware address.
pub const BROADCAST: MacOctets = [0xff; 6];

/// Bytes of an ARP packet for IPv4 over Ethernet.
pub const LENGTH: usize = 28;

const FIXED: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// Request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has it?
    Request,
    /// I have it.
    Reply,
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// Sender's hardware address.
    pub sender_mac: MacOctets,
    /// Sender's address.
    pub sender: Ipv4Addr,
    /// Target's hardware address; zero in a request.
    pub target_mac: MacOctets,
    /// Target's address.
    pub target: Ipv4Addr,
}

impl Repr {
    /// An announcement of an address (RFC 5227, section 3): a broadcast request in which sender and
    /// target are the same, the form that keepalived sends too.
    #[must_use]
    pub const fn announcement(mac: MacOctets, address: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender: address,
            target_mac: [0; 6],
            target: address,
        }
    }

    /// The question who has an address, by somebody who may have it too (RFC 5227, section 2.1.1): an ARP
    /// probe names no address of the sender, so it changes nobody's memory.
    #[must_use]
    pub const fn probe(mac: MacOctets, address: Ipv4Addr) -> Self {
        Self { sender: Ipv4Addr::UNSPECIFIED, ..Self::announcement(mac, address) }
    }

    /// Whether this answers a probe.
    #[must_use]
    pub fn answers_probe(&self) -> bool {
        self.operation == Operation::Reply
            && self.target.is_unspecified()
            && !self.sender.is_unspecified()
    }

    /// Whether this announces the sender's own address.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target && !self.sender.is_unspecified()
    }

    /// Reads a packet; bytes behind it (Ethernet padding) are ignored. `None` for anything but a
    /// request or reply for IPv4 over Ethernet.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.first_chunk()?;
        let (fixed, rest) = bytes.split_first_chunk::<6>()?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (&sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (&sender, rest) = rest.split_first_chunk::<4>()?;
        let (&target_mac, rest) = rest.split_first_chunk::<6>()?;
        let (&target, _) = rest.split_first_chunk::<4>()?;
        let operation = match u16::from_be_bytes(*operation) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        (*fixed == FIXED).then(|| Self {
            operation,
            sender_mac,
            sender: sender.into(),
            target_mac,
            target: target.into(),
        })
    }

    /// The packet's bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; LENGTH] {
        let operation: u8 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut bytes = [0; LENGTH];
        let fields = FIXED
            .into_iter()
            .chain([0, operation])
            .chain(self.sender_mac)
            .chain(self.sender.octets())
            .chain(self.target_mac)
            .chain(self.target.octets());
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacOctets = [2, 0, 0, 0, 0, 1];

    #[test]
    fn an_announcement_survives_the_round_trip() {
        let repr = Repr::announcement(MAC, Ipv4Addr::new(192, 0, 2, 1));
        assert!(repr.is_gratuitous());
        assert_eq!(Repr::parse(&repr.emit()), Some(repr));
    }

    #[test]
    fn a_probe_claims_nothing_and_its_answer_is_told_from_other_replies() {
        let probe = Repr::probe(MAC, Ipv4Addr::new(192, 0, 2, 1));
        assert!(!probe.is_gratuitous() && !probe.answers_probe());
        let answer = Repr {
            operation: Operation::Reply,
            sender: probe.target,
            target: probe.sender,
            ..probe
        };
        assert!(answer.answers_probe());
        assert!(!Repr { target: Ipv4Addr::new(192, 0, 2, 7), ..answer }.answers_probe());
    }

    #[test]
    fn padding_behind_the_packet_is_ignored_and_truncation_is_not() {
        let repr = Repr::announcement(MAC, Ipv4Addr::new(192, 0, 2, 1));
        let mut padded = repr.emit().to_vec();
        padded.extend([0; 18]);
        assert_eq!(Repr::parse(&padded), Some(repr));
        for length in 0..LENGTH {
            assert_eq!(Repr::parse(&padded[..length]), None);
        }
    }

    #[test]
    fn another_hardware_or_protocol_type_is_refused() {
        let bytes = Repr::announcement(MAC, Ipv4Addr::new(192, 0, 2, 1)).emit();
        for at in 0..8 {
            let mut changed = bytes;
            changed[at] ^= 0x40;
            assert_eq!(Repr::parse(&changed), None, "byte {at}");
        }
    }
}
