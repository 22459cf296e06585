//! Generic netlink: parts of the kernel that are found by name, and loaded by being looked for.

use rustix::net::netlink;

use super::{
    NLM_F_ACK, NLM_F_REQUEST, Netlink,
    message::{Message, attributes, u16_at},
};
use crate::error::Error;

/// The family that knows the others.
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// Behind the netlink header: command, version, two bytes of nothing.
pub(crate) const HEADER: usize = 4;

/// A socket to one family.
#[derive(Debug)]
pub(crate) struct Generic {
    pub(crate) netlink: Netlink,
    family: u16,
    version: u8,
}

impl Generic {
    /// Opens a socket in the calling thread's network namespace and looks the family up. The kernel
    /// loads its module where it has to.
    pub(crate) fn open(operation: &'static str, name: &str, version: u8) -> Result<Self, Error> {
        let mut netlink = Netlink::open_to(Some(netlink::GENERIC))?;
        let request = Message::new(CONTROL, NLM_F_REQUEST | NLM_F_ACK)
            .raw(&[GET_FAMILY, 1, 0, 0])
            .text(FAMILY_NAME, name);
        let family = netlink.get(operation, request, |_, payload| family_id(payload))?;
        Ok(Self { netlink, family, version })
    }

    /// A request for the family; attributes follow.
    pub(crate) fn message(&self, command: u8, flags: u16) -> Message {
        Message::new(self.family, NLM_F_REQUEST | flags).raw(&[command, self.version, 0, 0])
    }
}

fn family_id(payload: &[u8]) -> Option<u16> {
    let mut found = attributes(payload.get(HEADER..)?);
    found.find(|(kind, _)| *kind == FAMILY_ID).and_then(|(_, value)| u16_at(value, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_that_knows_the_others_knows_itself() {
        let family = Generic::open("find a family", "nlctrl", 1).expect("nlctrl");
        assert_eq!(family.family, CONTROL);
        let error = Generic::open("find a family", "none-such", 1).expect_err("none such");
        assert_eq!(error.source.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn an_answer_cut_anywhere_names_no_family_and_never_panics() {
        let answer = Message::fragment().raw(&[1, 2, 0, 0]).text(FAMILY_NAME, "IPVS");
        let answer = answer.attribute(FAMILY_ID, &31_u16.to_ne_bytes());
        let bytes = Message::new(CONTROL, 0).append(answer).finish(1);
        let payload = &bytes[16..];
        assert_eq!(family_id(payload), Some(31));
        for end in 0..payload.len() - 4 {
            assert_eq!(family_id(&payload[..end]), None);
        }
    }
}
