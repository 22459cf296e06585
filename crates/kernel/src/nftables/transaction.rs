//! The socket to nftables: batches of which all is done or nothing, and what its messages begin with.

use rustix::net::netlink;

use crate::{
    error::Error,
    netlink::{
        NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, Netlink,
        message::{Message, attributes},
    },
};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
pub(super) const NEW_TABLE: u16 = SUBSYSTEM << 8;
pub(super) const GET_TABLE: u16 = (SUBSYSTEM << 8) + 1;
pub(super) const DELETE_TABLE: u16 = (SUBSYSTEM << 8) + 2;
pub(super) const NEW_CHAIN: u16 = (SUBSYSTEM << 8) + 3;
pub(super) const GET_CHAIN: u16 = (SUBSYSTEM << 8) + 4;
pub(super) const DELETE_CHAIN: u16 = (SUBSYSTEM << 8) + 5;
pub(super) const NEW_RULE: u16 = (SUBSYSTEM << 8) + 6;
pub(super) const GET_RULE: u16 = (SUBSYSTEM << 8) + 7;
pub(super) const DELETE_RULE: u16 = (SUBSYSTEM << 8) + 8;
pub(super) const NEW_SET: u16 = (SUBSYSTEM << 8) + 9;
pub(super) const DELETE_SET: u16 = (SUBSYSTEM << 8) + 11;
pub(super) const NEW_ELEMENTS: u16 = (SUBSYSTEM << 8) + 12;
pub(super) const GET_ELEMENTS: u16 = (SUBSYSTEM << 8) + 13;
pub(super) const DELETE_ELEMENTS: u16 = (SUBSYSTEM << 8) + 14;
const NEW_GENERATION: u16 = (SUBSYSTEM << 8) + 15;
const GET_GENERATION: u16 = (SUBSYSTEM << 8) + 16;
const GENERATION_ID: u16 = 1;
/// Families of tables (`NFPROTO_*`).
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const NETDEV: u8 = 5;
pub(super) const IPV6: u8 = 10;
/// What `nft` shows keys as.
pub(super) const TYPE_IPV4: u32 = 7;
pub(super) const TYPE_IPV6: u32 = 8;
/// Room for a batch with all the addresses that anybody has.
const SEND_BUFFER: usize = 16 << 20;

/// A socket to nftables in the network namespace where it was opened.
#[derive(Debug)]
pub(super) struct Nftables {
    netlink: Netlink,
    room: usize,
}

impl Nftables {
    pub(super) fn open() -> Result<Self, Error> {
        let netlink = Netlink::open_to(Some(netlink::NETFILTER))?;
        let room = netlink.room_to_send(SEND_BUFFER);
        Ok(Self { netlink, room })
    }

    pub(super) fn widen(&self, bytes: usize, force: bool) -> Result<(), Error> {
        self.netlink.widen(bytes, force)
    }

    /// Bytes that one transaction may have.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Does all of it or nothing.
    pub(super) fn transact(
        &mut self,
        operation: &'static str,
        mut messages: Vec<Message>,
    ) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let [high, low] = SUBSYSTEM.to_be_bytes();
        let frame = |kind| Message::new(kind, NLM_F_REQUEST).raw(&[0, 0, high, low]);
        messages.insert(0, frame(BATCH_BEGIN));
        messages.push(frame(BATCH_END));
        self.netlink.batch(operation, messages)
    }

    /// Everything of a kind that the request names; `decode` gets the attributes of each.
    pub(super) fn dump<T>(
        &mut self,
        operation: &'static str,
        request: &Message,
        mut decode: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        self.netlink.dump(operation, request, |_, payload| decode(payload.get(4..)?))
    }

    /// Counts every change that anybody makes to nftables in this namespace.
    pub(super) fn generation(&mut self) -> Result<u32, Error> {
        let request = Message::new(GET_GENERATION, NLM_F_REQUEST).asking().raw(&[0; 4]);
        self.netlink.get("read nftables' generation", request, |kind, payload| {
            let value = attributes(payload.get(4..)?).find(|(kind, _)| *kind == GENERATION_ID)?.1;
            (kind == NEW_GENERATION)
                .then(|| value.first_chunk().copied().map(u32::from_be_bytes))?
        })
    }
}

/// A message with its `nfgenmsg`: family, version, resource. A rule comes after those that are there.
pub(super) fn message(kind: u16, family: u8) -> Message {
    Message::new(kind, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND).raw(&[family, 0, 0, 0])
}

/// A question about everything of a kind.
pub(super) fn question(kind: u16, family: u8) -> Message {
    Message::new(kind, NLM_F_REQUEST | NLM_F_DUMP).raw(&[family, 0, 0, 0])
}
