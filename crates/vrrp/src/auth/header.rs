//! AH, as keepalived runs it: one count for the whole virtual router. Whoever speaks goes on from the highest
//! number that it sent or heard, and nothing at or below that is heard any more.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use standfast_types::Instant;
use standfast_wire::ah::{Ip, Packet, Repr};

use super::{Auth, Password};
use crate::Discard;

/// The start of 2026 since that of 1970.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);
/// Half of the shortest interval that VRRPv2 has: the clock catches up with numbers that ran ahead of it.
const CLOCK_UNIT: Duration = Duration::from_millis(500);

impl Auth {
    /// The number of the next advert, the same for all destinations. It follows the clock where that is
    /// ahead, so that peers still listen to a process that takes the place of one that crashed.
    pub(super) fn next_header_sequence(&mut self, now: Instant) -> u32 {
        let clock = self.clock.unix(now).saturating_sub(EPOCH).as_millis() / CLOCK_UNIT.as_millis();
        // Once it no longer fits, in 2094, numbers begin at 1, as keepalived's.
        let clock = u32::try_from(clock).unwrap_or(0);
        self.header_sequence = self.header_sequence.saturating_add(1).max(clock);
        self.header_sequence
    }

    /// Checks an authentication header and what is behind it.
    pub(super) fn verify_header(
        &mut self,
        password: Password,
        ip: Ip,
        packet: &Packet<'_>,
    ) -> Result<(), Discard> {
        if packet.spi() != ip.source {
            return Err(Discard::HeaderSpi);
        }
        let (header, message) = packet.covered();
        let right = mac(password, ip, &header, message)
            .is_some_and(|mac| mac.verify_truncated_left(packet.icv()).is_ok());
        if !right {
            return Err(Discard::HeaderIcv);
        }
        if packet.sequence() <= self.header_sequence {
            return Err(Discard::HeaderReplay);
        }
        self.header_sequence = packet.sequence();
        Ok(())
    }
}

/// The identification of the packet with this sequence number; never zero.
pub(super) fn identification(sequence: u32) -> u16 {
    u16::try_from(sequence % 0xffff).map_or(1, |remainder| remainder.saturating_add(1))
}

/// Puts the header before the message.
pub(super) fn seal(password: Password, ip: Ip, sequence: u32, message: &mut Vec<u8>) {
    let repr = Repr { spi: ip.source, sequence, icv: [0; 12] };
    let code = mac(password, ip, &repr.emit(), message).map(|mac| mac.finalize().into_bytes());
    let icv = code.and_then(|code| code.first_chunk().copied()).unwrap_or_default();
    message.splice(0..0, Repr { icv, ..repr }.emit());
}

fn mac(password: Password, ip: Ip, header: &[u8], message: &[u8]) -> Option<Hmac<Md5>> {
    let mut mac = Hmac::<Md5>::new_from_slice(&password.0).ok()?;
    mac.update(&ip.covered(message.len()));
    mac.update(header);
    mac.update(message);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PASSWORD: Password = Password(*b"secret12");
    const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    /// What keepalived 2.2.7 sent, behind the IP header.
    const MULTICAST: &str = "70040000c000020200000001b7aadbc594a8bdc8df6e0055\
                             213378010201a265c00002640000000000000000";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect()
    }

    fn ip(identification: u16) -> Ip {
        Ip { identification, source: SOURCE, destination: Ipv4Addr::new(224, 0, 0, 18) }
    }

    #[test]
    fn an_advert_of_keepalived_is_verified_once() {
        let mut auth = Auth::default();
        let bytes = bytes(MULTICAST);
        let packet = Packet::parse(&bytes).expect("well-formed");
        assert_eq!(auth.verify_header(PASSWORD, ip(1), &packet), Ok(()));
        let again = auth.verify_header(PASSWORD, ip(1), &packet);
        assert_eq!(again, Err(Discard::HeaderReplay));
    }

    #[test]
    fn we_send_what_keepalived_sends() {
        let mut message = bytes(MULTICAST).split_off(24);
        seal(PASSWORD, ip(1), 1, &mut message);
        assert_eq!(message, bytes(MULTICAST));
    }
}
