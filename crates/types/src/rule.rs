//! A routing rule: which packets, and what happens to them.

use serde::{Deserialize, Serialize};

use crate::{Family, InterfaceName, Prefix, Realms};

/// One line of `virtual_rules` or `static_rules`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// Whose packets it looks at.
    pub family: Family,
    /// Its place; lower runs earlier.
    pub preference: u32,
    /// What happens to the packets.
    pub action: RuleAction,
    /// It is for the packets that the rest does not describe (`not`).
    pub inverted: bool,
    /// Only packets from this network.
    pub from: Option<Prefix>,
    /// Only packets to this network.
    pub to: Option<Prefix>,
    /// Only packets of this type of service; 0 is any.
    pub tos: u8,
    /// Only packets with this mark.
    pub mark: Option<Mark>,
    /// Only packets that arrive here.
    pub input: Option<InterfaceName>,
    /// Only packets of sockets that are bound to this interface.
    pub output: Option<InterfaceName>,
    /// Only packets of this tunnel.
    pub tunnel: Option<u64>,
    /// Only packets of these users: first and last.
    pub users: Option<(u32, u32)>,
    /// Only packets of this protocol.
    pub ip_protocol: Option<u8>,
    /// Only packets from these ports: first and last.
    pub source_ports: Option<(u16, u16)>,
    /// Only packets to these ports: first and last.
    pub destination_ports: Option<(u16, u16)>,
    /// What the packets are classified as (IPv4).
    pub realms: Option<Realms>,
    /// What the table finds does not count if its prefix is not longer.
    pub suppress_prefix: Option<u32>,
    /// What the table finds does not count if it leads to an interface of this group.
    pub suppress_group: Option<u32>,
    /// Who made it, for `ip rule`; `None`: us.
    pub protocol: Option<u8>,
    /// Whether its removal by somebody else is repaired (`no_track` clears it).
    pub tracked: bool,
}

/// What happens to the packets of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleAction {
    /// A table decides.
    Lookup(u32),
    /// The table of the VRF of their interface decides.
    L3mdev,
    /// The rule of this preference is next.
    Goto(u32),
    /// The next rule is next.
    Nop,
    /// Dropped silently.
    Blackhole,
    /// Dropped, and the sender hears that the network cannot be reached.
    Unreachable,
    /// Dropped, and the sender hears that it is forbidden.
    Prohibit,
}

/// A firewall mark, and which of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The bits.
    pub value: u32,
    /// Those that count.
    pub mask: u32,
}

impl Rule {
    /// A rule for all packets of a family.
    #[must_use]
    pub const fn new(family: Family, preference: u32, action: RuleAction) -> Self {
        Self {
            family,
            preference,
            action,
            inverted: false,
            from: None,
            to: None,
            tos: 0,
            mark: None,
            input: None,
            output: None,
            tunnel: None,
            users: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            realms: None,
            suppress_prefix: None,
            suppress_group: None,
            protocol: None,
            tracked: true,
        }
    }

    /// The interfaces that it names.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        self.input.iter().chain(&self.output)
    }
}
