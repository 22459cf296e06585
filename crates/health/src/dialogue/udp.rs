//! `UDP_CHECK`: a datagram, and what comes back.

use super::{Step, Talk};
use crate::{Failure, Reply, Udp, outcome::Hex};

/// So many bytes of a reply are quoted.
const QUOTE: usize = 16;

/// The client's side.
#[derive(Debug)]
pub(super) struct Datagram {
    reply: Option<Reply>,
}

impl Datagram {
    pub(super) fn new(udp: &Udp) -> Self {
        Self { reply: udp.reply.clone() }
    }
}

impl Talk for Datagram {
    fn bytes(&mut self, bytes: &[u8]) -> Step {
        let Some(Reply { start, min, max }) = &self.reply else { return Step::good() };
        if !(usize::from(*min)..=usize::from(*max)).contains(&bytes.len()) {
            let what = format!("a reply of {} bytes, wanted {min} to {max}", bytes.len());
            return Step::failed(Failure::said(what, b""));
        }
        let same = |(&byte, &(wanted, mask)): (&u8, &(u8, u8))| byte & mask == wanted & mask;
        if bytes.len() >= start.len() && bytes.iter().zip(start).all(same) {
            return Step::good();
        }
        let got = Hex(bytes.get(..QUOTE).unwrap_or(bytes));
        let wanted = start.iter().take(QUOTE).map(|&byte| nibbles(byte)).collect::<String>();
        Step::failed(Failure::said(format!("the reply begins with {got}, wanted {wanted}"), b""))
    }

    fn silence(&mut self) -> Step {
        if self.reply.is_none() { Step::good() } else { Step::Wait }
    }
}

/// As `require_reply` is written: `x` where it does not matter.
fn nibbles((byte, mask): (u8, u8)) -> String {
    let digit = |shift: u8| match (mask >> shift) & 0xf {
        0 => "x".to_owned(),
        _ => format!("{:x}", (byte >> shift) & 0xf),
    };
    [digit(4), digit(0)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Good, Kind, Target, dialogue::script::Script};

    fn script(reply: Option<Reply>) -> Script {
        let target = Target::default();
        Script::new(&Kind::Udp(Box::new(Udp { target, payload: b"ab".to_vec(), reply })))
    }

    #[test]
    fn silence_is_good_where_no_reply_is_required() {
        script(None).says(b"ab").falls_silent().ends(Ok(Good::default()));
        script(None).datagram(b"").ends(Ok(Good::default()));
        let reply = Reply { start: Vec::new(), min: 0, max: 255 };
        assert_eq!(script(Some(reply.clone())).falls_silent().fails(), "no answer within 5 s");
        script(Some(reply)).datagram(b"").ends(Ok(Good::default()));
    }

    #[test]
    fn a_reply_is_compared_where_its_bits_matter() {
        let reply = Reply { start: vec![(0x12, 0xff), (0x30, 0xf0), (0x05, 0x0f)], min: 2, max: 4 };
        let script = || script(Some(reply.clone()));
        script().datagram(&[0x12, 0x3f, 0xf5, 9]).ends(Ok(Good::default()));
        let fails = |bytes: &[u8]| script().datagram(bytes).fails();
        assert_eq!(fails(&[0x12, 0x4f, 0xf5]), "the reply begins with 124ff5, wanted 123xx5");
        assert_eq!(fails(&[0x12, 0x3f]), "the reply begins with 123f, wanted 123xx5");
        assert_eq!(fails(&[0x12]), "a reply of 1 bytes, wanted 2 to 4");
        assert_eq!(fails(&[0; 5]), "a reply of 5 bytes, wanted 2 to 4");
    }
}
