//! Routing rules: install, delete, list.

use std::net::IpAddr;

use standfast_types::{Family, InterfaceName, Mark, Prefix, Realms, Rule, RuleAction};

use super::{
    address::{AF_INET, AF_INET6},
    message::{Message, attributes, ip_address, text, u16_at, u32_at},
    route::OUR_ROUTES,
    socket::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, Netlink},
};
use crate::error::Error;

pub(super) const RTM_NEWRULE: u16 = 32;
pub(super) const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FR_ACT_TO_TBL: u8 = 1;
const FR_ACT_GOTO: u8 = 2;
const FR_ACT_NOP: u8 = 3;
const FR_ACT_BLACKHOLE: u8 = 6;
const FR_ACT_UNREACHABLE: u8 = 7;
const FR_ACT_PROHIBIT: u8 = 8;
const FIB_RULE_INVERT: u32 = 2;
/// Length of `fib_rule_hdr`.
const HEADER: usize = 12;

impl Netlink {
    /// Installs a rule. An equal one that is there already, whoever made it, is no error.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        match self.request("add a rule", message(RTM_NEWRULE, flags, rule)) {
            Err(error) if error.is_there_already() => Ok(()),
            answer => answer,
        }
    }

    /// Deletes a rule of ours.
    ///
    /// # Errors
    /// `Gone` when it is not there (any more).
    pub fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        self.request("delete a rule", message(RTM_DELRULE, flags, rule))
    }

    /// All rules of this namespace, with the protocol of each.
    ///
    /// # Errors
    /// [`crate::Class::Retry`] when the table kept changing or the kernel did not answer.
    pub fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        let request = Message::new(RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP).raw(&[0; HEADER]);
        self.dump(
            "list rules",
            &request,
            |kind, payload| {
                if kind == RTM_NEWRULE { decode(payload) } else { None }
            },
        )
    }
}

/// Whether the kernel reports this rule: equal but for what only we know.
#[must_use]
pub fn is_rule(reported: &Rule, rule: &Rule) -> bool {
    let protocol = Some(rule.protocol.unwrap_or(OUR_ROUTES));
    *reported == Rule { protocol, tracked: reported.tracked, ..rule.clone() }
}

fn message(kind: u16, flags: u16, rule: &Rule) -> Message {
    let (action, table, target) = match rule.action {
        RuleAction::Lookup(table) => (FR_ACT_TO_TBL, table, None),
        RuleAction::L3mdev => (FR_ACT_TO_TBL, 0, None),
        RuleAction::Goto(preference) => (FR_ACT_GOTO, 0, Some(preference)),
        RuleAction::Nop => (FR_ACT_NOP, 0, None),
        RuleAction::Blackhole => (FR_ACT_BLACKHOLE, 0, None),
        RuleAction::Unreachable => (FR_ACT_UNREACHABLE, 0, None),
        RuleAction::Prohibit => (FR_ACT_PROHIBIT, 0, None),
    };
    let family = match rule.family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    };
    let length = |prefix: Option<Prefix>| prefix.map_or(0, Prefix::length);
    let [f0, f1, f2, f3] = if rule.inverted { FIB_RULE_INVERT } else { 0 }.to_ne_bytes();
    let header =
        [family, length(rule.to), length(rule.from), rule.tos, 0, 0, 0, action, f0, f1, f2, f3];
    let mut message = Message::new(kind, flags)
        .raw(&header)
        .number(FRA_PRIORITY, rule.preference)
        .attribute(FRA_PROTOCOL, &[rule.protocol.unwrap_or(OUR_ROUTES)]);
    if table != 0 {
        message = message.number(FRA_TABLE, table);
    }
    if let Some(target) = target {
        message = message.number(FRA_GOTO, target);
    }
    if rule.action == RuleAction::L3mdev {
        message = message.attribute(FRA_L3MDEV, &[1]);
    }
    for (kind, prefix) in [(FRA_DST, rule.to), (FRA_SRC, rule.from)] {
        if let Some(prefix) = prefix {
            message = message.address(kind, prefix.address());
        }
    }
    details(message, rule)
}

fn details(mut message: Message, rule: &Rule) -> Message {
    if let Some(Mark { value, mask }) = rule.mark {
        message = message.number(FRA_FWMARK, value).number(FRA_FWMASK, mask);
    }
    for (kind, name) in [(FRA_IIFNAME, &rule.input), (FRA_OIFNAME, &rule.output)] {
        if let Some(name) = name {
            message = message.text(kind, name.as_str());
        }
    }
    if let Some(tunnel) = rule.tunnel {
        message = message.attribute(FRA_TUN_ID, &tunnel.to_be_bytes());
    }
    if let Some((first, last)) = rule.users {
        message = message.attribute(FRA_UID_RANGE, &[first, last].map(u32::to_ne_bytes).concat());
    }
    if let Some(protocol) = rule.ip_protocol {
        message = message.attribute(FRA_IP_PROTO, &[protocol]);
    }
    for (kind, ports) in
        [(FRA_SPORT_RANGE, rule.source_ports), (FRA_DPORT_RANGE, rule.destination_ports)]
    {
        if let Some((first, last)) = ports {
            message = message.attribute(kind, &[first, last].map(u16::to_ne_bytes).concat());
        }
    }
    if let Some(Realms { from, to }) = rule.realms {
        message = message.number(FRA_FLOW, u32::from(from) << 16 | u32::from(to));
    }
    if let Some(group) = rule.suppress_group {
        message = message.number(FRA_SUPPRESS_IFGROUP, group);
    }
    match rule.suppress_prefix {
        Some(length) => message.number(FRA_SUPPRESS_PREFIXLEN, length),
        None => message,
    }
}

/// Reads the payload of a rule message; `None` when it is none that we know.
pub(super) fn decode(payload: &[u8]) -> Option<Rule> {
    let [family, to, from, tos, table, _, _, action] = *payload.first_chunk()?;
    let inverted = u32_at(payload, 8)? & FIB_RULE_INVERT != 0;
    let (family, nowhere) = match family {
        AF_INET => (Family::V4, IpAddr::from([0; 4])),
        AF_INET6 => (Family::V6, IpAddr::from([0; 16])),
        _ => return None,
    };
    let given = |length| if length == 0 { None } else { Prefix::new(nowhere, length).ok() };
    let mut rule = Rule::new(family, 0, RuleAction::Nop);
    (rule.to, rule.from, rule.tos, rule.inverted) = (given(to), given(from), tos, inverted);
    let (mut table, mut target, mut l3mdev, mut mask) = (u32::from(table), 0, false, u32::MAX);
    let mut mark = None;
    for (kind, value) in attributes(payload.get(HEADER..)?) {
        match kind {
            FRA_DST => rule.to = Prefix::new(ip_address(value)?, to).ok(),
            FRA_SRC => rule.from = Prefix::new(ip_address(value)?, from).ok(),
            FRA_IIFNAME => rule.input = text(value).map(InterfaceName::from),
            FRA_OIFNAME => rule.output = text(value).map(InterfaceName::from),
            FRA_GOTO => target = u32_at(value, 0)?,
            FRA_PRIORITY => rule.preference = u32_at(value, 0)?,
            FRA_FWMARK => mark = u32_at(value, 0).filter(|mark| *mark != 0),
            FRA_FWMASK => mask = u32_at(value, 0)?,
            FRA_FLOW => rule.realms = u32_at(value, 0).filter(|flow| *flow != 0).map(realms),
            FRA_TUN_ID => rule.tunnel = number64(value).filter(|tunnel| *tunnel != 0),
            FRA_SUPPRESS_IFGROUP => rule.suppress_group = limited(value),
            FRA_SUPPRESS_PREFIXLEN => rule.suppress_prefix = limited(value),
            FRA_TABLE => table = u32_at(value, 0)?,
            FRA_L3MDEV => l3mdev = value.first().is_some_and(|flag| *flag != 0),
            FRA_UID_RANGE => rule.users = u32_at(value, 0).zip(u32_at(value, 4)),
            FRA_PROTOCOL => rule.protocol = value.first().copied(),
            FRA_IP_PROTO => rule.ip_protocol = value.first().copied(),
            FRA_SPORT_RANGE => rule.source_ports = u16_at(value, 0).zip(u16_at(value, 2)),
            FRA_DPORT_RANGE => rule.destination_ports = u16_at(value, 0).zip(u16_at(value, 2)),
            _ => {}
        }
    }
    rule.mark = mark.map(|value| Mark { value, mask });
    rule.action = match action {
        FR_ACT_TO_TBL if l3mdev => RuleAction::L3mdev,
        FR_ACT_TO_TBL => RuleAction::Lookup(table),
        FR_ACT_GOTO => RuleAction::Goto(target),
        FR_ACT_NOP => RuleAction::Nop,
        FR_ACT_BLACKHOLE => RuleAction::Blackhole,
        FR_ACT_UNREACHABLE => RuleAction::Unreachable,
        FR_ACT_PROHIBIT => RuleAction::Prohibit,
        _ => return None,
    };
    Some(rule)
}

fn realms(flow: u32) -> Realms {
    let [a, b, c, d] = flow.to_be_bytes();
    Realms { from: u16::from_be_bytes([a, b]), to: u16::from_be_bytes([c, d]) }
}

fn number64(value: &[u8]) -> Option<u64> {
    value.first_chunk().copied().map(u64::from_be_bytes)
}

/// Of limits, the kernel reports -1 for none.
fn limited(value: &[u8]) -> Option<u32> {
    u32_at(value, 0).filter(|limit| *limit != u32::MAX)
}
