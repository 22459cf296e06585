//! The messages about the objects of one table.

use super::{
    chain::Memory,
    key::{INTERFACE, MARK, NUMBER},
};
use crate::{
    netlink::message::Message,
    nftables::{
        expression::{Rule, SetName},
        transaction::{
            DELETE_CHAIN, DELETE_ELEMENTS, DELETE_RULE, DELETE_SET, DELETE_TABLE, NEW_CHAIN,
            NEW_ELEMENTS, NEW_RULE, NEW_SET, NEW_TABLE, message,
        },
    },
};

const ANONYMOUS: u32 = 0x1;
const CONSTANT: u32 = 0x2;
const MAP: u32 = 0x8;
const TIMEOUT: u32 = 0x10;
const EVALUATED: u32 = 0x20;
const VERDICTS: u32 = 0xffff_ff00;
const GO_TO: u32 = 0xffff_fffc;
/// Elements in one message: an attribute holds at most 64 KiB.
const ELEMENTS: usize = 250;
/// How the kernel names a set that belongs to a rule.
const OF_A_RULE: &str = "__map%d";
/// Clients and flows that are remembered for one service.
const REMEMBERED: u32 = 1 << 22;

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `NFPROTO_*`
    pub(super) family: u8,
    pub(super) table: String,
}

/// What a set's keys or a map's values are: what `nft` shows them as, and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) shown: u32,
    pub(super) length: u32,
}

/// One element: a key, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Element {
    pub(super) key: Vec<u8>,
    pub(super) value: Value,
    /// For people, and for us to read again.
    pub(super) comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Of a set.
    None,
    Data(Vec<u8>),
    /// What matches goes to this chain.
    Chain(String),
}

impl Place {
    fn message(&self, kind: u16) -> Message {
        message(kind, self.family).text(1, &self.table)
    }

    pub(super) fn new_table(&self, flags: u32) -> Message {
        self.message(NEW_TABLE).big_endian(2, flags)
    }

    /// Makes a table if there is none: deleting what is not there would fail.
    pub(super) fn any_table(&self) -> Message {
        self.message(NEW_TABLE)
    }

    pub(super) fn delete_table(&self) -> Message {
        self.message(DELETE_TABLE)
    }

    /// A chain that others go to.
    pub(super) fn new_chain(&self, name: &str) -> Message {
        self.message(NEW_CHAIN).text(3, name)
    }

    /// A chain that the kernel goes to; of the type `nat`, for new connections only.
    pub(super) fn hooked_chain(&self, name: &str, kind: &str, hook: u32, priority: i32) -> Message {
        self.message(NEW_CHAIN)
            .text(3, name)
            .nested(4, |place| place.big_endian(1, hook).attribute(2, &priority.to_be_bytes()))
            .text(7, kind)
    }

    /// A chain that the kernel goes to with all that comes in by these interfaces.
    pub(super) fn ingress_chain(&self, name: &str, priority: i32, links: &[String]) -> Message {
        self.message(NEW_CHAIN)
            .text(3, name)
            .nested(4, |place| {
                let place = place.big_endian(1, 0).attribute(2, &priority.to_be_bytes());
                place.nested(4, |list| links.iter().fold(list, |list, link| list.text(1, link)))
            })
            .text(7, "filter")
    }

    pub(super) fn delete_chain(&self, name: &str) -> Message {
        self.message(DELETE_CHAIN).text(3, name)
    }

    /// Appends a rule.
    pub(super) fn rule(&self, chain: &str, rule: Rule, comment: &str) -> Message {
        self.message(NEW_RULE)
            .text(2, chain)
            .nested(4, |list| rule.write(list))
            .attribute(7, &commented(comment))
    }

    pub(super) fn delete_rules(&self, chain: &str) -> Message {
        self.message(DELETE_RULE).text(2, chain)
    }

    /// A set that has a name.
    pub(super) fn set(&self, name: &str, key: Kind) -> Message {
        self.message(NEW_SET)
            .text(2, name)
            .big_endian(4, key.shown)
            .big_endian(5, key.length)
            // Every set needs a number, and none is looked up by it.
            .big_endian(10, 1)
    }

    /// A map from keys to chains.
    pub(super) fn chain_map(&self, name: &str, key: Kind) -> Message {
        self.set(name, key).big_endian(3, MAP).big_endian(6, VERDICTS)
    }

    /// A map to values.
    pub(super) fn data_map(&self, name: &str, key: Kind, value: Kind) -> Message {
        let map = self.set(name, key).big_endian(3, MAP);
        map.big_endian(6, value.shown)
            .big_endian(7, value.length)
            .attribute(13, &orders(key, Some(value)))
    }

    /// A map or set that rules write to.
    pub(super) fn memory(&self, Memory { name, key, value }: &Memory) -> Message {
        let set = self.set(name, *key);
        let set = match value {
            Some(value) => set
                .big_endian(3, MAP | TIMEOUT | EVALUATED)
                .big_endian(6, value.shown)
                .big_endian(7, value.length),
            None => set.big_endian(3, TIMEOUT | EVALUATED),
        };
        set.nested(9, |size| size.big_endian(1, REMEMBERED))
    }

    pub(super) fn delete_set(&self, name: &str) -> Message {
        self.message(DELETE_SET).text(2, name)
    }

    /// A map, to chains if to nothing else, that belongs to the one rule which is made in the same
    /// transaction, and goes with it.
    pub(super) fn map_of_rule(
        &self,
        number: u32,
        key: Kind,
        value: Option<Kind>,
        elements: &[Element],
        batch: &mut Vec<Message>,
    ) -> SetName<'static> {
        let size = u32::try_from(elements.len()).unwrap_or(u32::MAX);
        let set = self
            .message(NEW_SET)
            .text(2, OF_A_RULE)
            .big_endian(3, ANONYMOUS | CONSTANT | MAP)
            .big_endian(4, key.shown)
            .big_endian(5, key.length)
            .big_endian(10, number)
            .attribute(13, &orders(key, value))
            .nested(9, |description| description.big_endian(1, size));
        let set = match value {
            Some(value) => set.big_endian(6, value.shown).big_endian(7, value.length),
            None => set.big_endian(6, VERDICTS),
        };
        batch.push(set);
        let name = SetName(OF_A_RULE, Some(number));
        self.elements(NEW_ELEMENTS, name, elements, batch);
        name
    }

    pub(super) fn add(&self, set: &str, elements: &[Element], batch: &mut Vec<Message>) {
        self.elements(NEW_ELEMENTS, SetName(set, None), elements, batch);
    }

    pub(super) fn delete(&self, set: &str, elements: &[Element], batch: &mut Vec<Message>) {
        self.elements(DELETE_ELEMENTS, SetName(set, None), elements, batch);
    }

    fn elements(
        &self,
        kind: u16,
        set: SetName<'_>,
        elements: &[Element],
        batch: &mut Vec<Message>,
    ) {
        for elements in elements.chunks(ELEMENTS) {
            let message = self.message(kind).text(2, set.0);
            let message = match set.1 {
                Some(number) => message.big_endian(4, number),
                None => message,
            };
            batch.push(message.nested(3, |list| {
                elements.iter().fold(list, |list, element| list.nested(1, |m| element.write(m)))
            }));
        }
    }
}

/// How `nft` is told whether keys and values are numbers in the machine's own order: what it is about, length
/// 4, and 1 for that order; 2 is that of the network.
fn orders(key: Kind, value: Option<Kind>) -> Vec<u8> {
    let order = |about: u8, kind: Kind| {
        let order: u32 = if [NUMBER, MARK, INTERFACE].contains(&kind) { 1 } else { 2 };
        [[about, 4].as_slice(), &order.to_ne_bytes()].concat()
    };
    [order(0, key), value.map(|value| order(1, value)).unwrap_or_default()].concat()
}

impl Element {
    fn write(&self, message: Message) -> Message {
        let message = message.nested(1, |data| data.attribute(1, &self.key));
        let message = match &self.value {
            Value::None => message,
            Value::Data(value) => message.nested(2, |data| data.attribute(1, value)),
            Value::Chain(chain) => message.nested(2, |data| {
                data.nested(2, |verdict| verdict.big_endian(1, GO_TO).text(2, chain))
            }),
        };
        match &self.comment {
            Some(comment) => message.attribute(6, &commented(comment)),
            None => message,
        }
    }
}

/// A comment as `nft` writes it: type 0, its length, the text and a zero byte.
fn commented(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.bytes().take(COMMENT).collect();
    let length = u8::try_from(text.len().saturating_add(1)).unwrap_or(u8::MAX);
    [&[0, length], text.as_slice(), &[0]].concat()
}

/// Bytes of a comment at most.
const COMMENT: usize = 127;

/// The text of a comment.
pub(super) fn comment(user_data: &[u8]) -> Option<&str> {
    let [0, length, rest @ ..] = user_data else { return None };
    let text = rest.get(..usize::from(*length))?.strip_suffix(&[0])?;
    std::str::from_utf8(text).ok()
}
