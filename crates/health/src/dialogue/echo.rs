//! `PING_CHECK`: echo messages of ICMP (RFC 792) and ICMPv6 (RFC 4443), without their IP header.

use standfast_types::Family;
use standfast_wire::checksum::Sum;

use super::{Step, Talk};

/// A header of an echo message.
const HEADER: usize = 8;

/// Waits for the reply to a request whose payload nobody else knows.
///
/// The identifier is not looked at: the kernel's ping sockets choose their own.
#[derive(Debug)]
pub(super) struct Echo {
    reply: u8,
    payload: [u8; 8],
}

impl Echo {
    /// The state, and the request. ICMPv6's checksum is the kernel's affair.
    pub(super) fn new(family: Family, random: u64) -> (Self, Vec<u8>) {
        let (request, reply) = match family {
            Family::V4 => (8, 0),
            Family::V6 => (128, 129),
        };
        let payload = random.to_be_bytes();
        let [a, b, ..] = payload;
        let mut message = vec![request, 0, 0, 0, a, b, 0, 1];
        message.extend(payload);
        if family == Family::V4 {
            let sum = Sum::default().with(&message).finish().to_be_bytes();
            if let Some(field) = message.get_mut(2..4) {
                field.copy_from_slice(&sum);
            }
        }
        (Self { reply, payload }, message)
    }
}

impl Talk for Echo {
    fn bytes(&mut self, bytes: &[u8]) -> Step {
        let answers =
            bytes.starts_with(&[self.reply, 0]) && bytes.get(HEADER..) == Some(&self.payload[..]);
        if answers { Step::good() } else { Step::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    #[test]
    fn an_echo_is_known_by_its_payload() {
        let mut script = Script::new(&Kind::Ping(Target::default()));
        let request = script.0.poll_transmit().expect("a request");
        assert!(Sum::default().with(&request).is_intact());
        let mut reply = request.clone();
        script.datagram(&request).datagram(b"").datagram(&[0; 7]);
        (reply[0], reply[4], reply[5]) = (0, 9, 9);
        let mut other = reply.clone();
        other[15] ^= 1;
        script.datagram(&other).says(b"");
        script.datagram(&reply).ends(Ok(Good::default()));
    }

    #[test]
    fn ipv6_has_its_own_types_and_no_checksum() {
        let (mut echo, request) = Echo::new(Family::V6, 1);
        assert_eq!(request, [128, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        let mut reply = request;
        reply[0] = 129;
        assert!(matches!(echo.bytes(&reply), Step::Done { outcome: Ok(()), .. }));
    }
}
