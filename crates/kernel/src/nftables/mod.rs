//! A table of nftables for packets that are not ours to take: it is replaced as a whole, so that there is
//! no moment without it.
//!
//! Own messages instead of the `nft` program or its library: pulse starts no process, and the objects that
//! it needs (a table, two chains and two sets a family) fit a page.

pub mod balancer;
mod expression;
mod transaction;

use std::net::{IpAddr, Ipv6Addr};

use crate::{error::Error, netlink::message::Message};
use expression::{Meta, Rule, Verdict};
use transaction::{
    DELETE_TABLE, NEW_CHAIN, NEW_ELEMENTS, NEW_RULE, NEW_SET, NEW_TABLE, Nftables, TYPE_IPV4,
    TYPE_IPV6,
};

/// Elements in one message: an attribute holds at most 64 KiB.
const ELEMENTS: usize = 500;
/// What `nft` shows as `ipv6_addr . ifname`.
const TYPE_IPV6_AND_NAME: u32 = (TYPE_IPV6 << 6) | 41;
const VIPS: &str = "vips";
const LINK_LOCAL: &str = "vips_link_local";
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ICMPV6: u8 = 58;

/// Addresses whose packets are dropped, and where the rules for that stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocklist {
    /// The table, in the families `ip` and `ip6`. It is ours alone: whatever is in it goes.
    pub table: String,
    /// Of its chains; lower runs earlier.
    pub priority: i32,
    /// Whether its rules count packets.
    pub counters: bool,
    /// Addresses, each with its interface; that matters to link-local ones only.
    pub addresses: Vec<(IpAddr, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    In,
    Out,
}

impl Blocklist {
    /// Drops packets for these addresses, and for IPv6 those from them, but neighbour discovery; with an
    /// empty list nothing stays behind. All at once, in place of what was there.
    ///
    /// # Errors
    /// `Refused` when the kernel has no nftables or permission is missing.
    pub fn install(&self) -> Result<(), Error> {
        let mut batch = Vec::new();
        for family in [Family::Ipv4, Family::Ipv6] {
            // Deleting what is not there would fail.
            batch.push(self.table(NEW_TABLE, family));
            batch.push(self.table(DELETE_TABLE, family));
            if self.of(family).next().is_some() {
                batch.push(self.table(NEW_TABLE, family));
                self.fill(family, &mut batch);
            }
        }
        Nftables::open()?.transact("change nftables", batch)
    }

    /// Removes what [`Self::install`] made.
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self) -> Result<(), Error> {
        Self { addresses: Vec::new(), ..self.clone() }.install()
    }

    fn of(&self, family: Family) -> impl Iterator<Item = &(IpAddr, String)> {
        self.addresses.iter().filter(move |(ip, _)| ip.is_ipv4() == (family == Family::Ipv4))
    }

    fn fill(&self, family: Family, batch: &mut Vec<Message>) {
        match family {
            Family::Ipv4 => {
                let keys = self.of(family).map(|(ip, _)| key(*ip)).collect::<Vec<_>>();
                self.set(family, VIPS, TYPE_IPV4, &keys, batch);
                self.chain(family, Hook::In, batch);
                let rule = Rule::new().address(16, 4).found_in(VIPS);
                batch.push(self.rule(family, Hook::In, rule, Verdict::Drop));
            }
            Family::Ipv6 => {
                let (local, global): (Vec<_>, Vec<_>) =
                    self.of(family).partition(|(ip, _)| is_link_local(*ip));
                let global: Vec<_> = global.iter().map(|(ip, _)| key(*ip)).collect();
                let local: Vec<_> = local.iter().map(|(ip, name)| key_on(*ip, name)).collect();
                self.set(family, VIPS, TYPE_IPV6, &global, batch);
                self.set(family, LINK_LOCAL, TYPE_IPV6_AND_NAME, &local, batch);
                for (hook, offset, name) in
                    [(Hook::In, 24, Meta::InName), (Hook::Out, 8, Meta::OutName)]
                {
                    self.chain(family, hook, batch);
                    for kind in [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT] {
                        let rule = Rule::new().meta(Meta::Protocol, 1).equals(ICMPV6);
                        let rule = rule.icmp_type().equals(kind);
                        batch.push(self.rule(family, hook, rule, Verdict::Accept));
                    }
                    let rule = Rule::new().address(offset, 16).found_in(VIPS);
                    batch.push(self.rule(family, hook, rule, Verdict::Drop));
                    let rule = Rule::new().address(offset, 16).meta(name, 2).found_in(LINK_LOCAL);
                    batch.push(self.rule(family, hook, rule, Verdict::Drop));
                }
            }
        }
    }

    fn table(&self, kind: u16, family: Family) -> Message {
        message(kind, family).text(1, &self.table).attribute(2, &[0; 4])
    }

    fn chain(&self, family: Family, hook: Hook, batch: &mut Vec<Message>) {
        let number: u32 = match hook {
            Hook::In => 1,
            Hook::Out => 3,
        };
        let message = message(NEW_CHAIN, family)
            .text(1, &self.table)
            .text(3, hook.name())
            .nested(4, |place| {
                place.big_endian(1, number).attribute(2, &self.priority.to_be_bytes())
            })
            .text(7, "filter");
        batch.push(message);
    }

    fn rule(&self, family: Family, hook: Hook, rule: Rule, verdict: Verdict) -> Message {
        let rule = if self.counters { rule.counter() } else { rule };
        message(NEW_RULE, family)
            .text(1, &self.table)
            .text(2, hook.name())
            .nested(4, |list| rule.verdict(verdict).write(list))
    }

    fn set(
        &self,
        family: Family,
        name: &str,
        kind: u32,
        keys: &[Vec<u8>],
        batch: &mut Vec<Message>,
    ) {
        let length = match kind {
            TYPE_IPV4 => 4_u32,
            TYPE_IPV6 => 16,
            _ => 32,
        };
        let new = message(NEW_SET, family)
            .text(1, &self.table)
            .text(2, name)
            .big_endian(4, kind)
            .big_endian(5, length)
            // Every set needs a number, and none is looked up by it.
            .big_endian(10, kind);
        batch.push(new);
        for keys in keys.chunks(ELEMENTS) {
            let elements = message(NEW_ELEMENTS, family).text(1, &self.table).text(2, name).nested(
                3,
                |list| {
                    keys.iter().fold(list, |list, key| {
                        list.nested(1, |element| element.nested(1, |data| data.attribute(1, key)))
                    })
                },
            );
            batch.push(elements);
        }
    }
}

impl Hook {
    const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A message about something of ours.
fn message(kind: u16, family: Family) -> Message {
    transaction::message(
        kind,
        match family {
            Family::Ipv4 => transaction::IPV4,
            Family::Ipv6 => transaction::IPV6,
        },
    )
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if Ipv6Addr::is_unicast_link_local(&ip))
}

fn key(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An address and the name of its interface, in 16 bytes each.
fn key_on(ip: IpAddr, name: &str) -> Vec<u8> {
    let mut key = key(ip);
    key.extend(name.bytes().take(15));
    key.resize(32, 0);
    key
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Command};

    use super::*;
    use crate::namespace::test::namespace;

    fn listed() -> String {
        let output = Command::new("nft").args(["list", "ruleset"]).output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }

    #[test]
    fn nft_shows_what_was_installed_and_nothing_after_its_removal() {
        let Some(room) = namespace() else { return };
        let list = |addresses: &[(&str, &str)]| Blocklist {
            table: "keepalived".to_owned(),
            priority: -1,
            counters: true,
            addresses: addresses
                .iter()
                .map(|(ip, name)| (ip.parse().expect("an address"), (*name).to_owned()))
                .collect(),
        };
        let full = list(&[("192.0.2.1", "eth0"), ("2001:db8::1", "eth0"), ("fe80::1", "vrrp.51")]);
        if let Err(error) = room.run(|| full.install()).expect("enter") {
            let _ = writeln!(std::io::stderr(), "skipped, no nftables here: failed to {error}");
            return;
        }
        room.run(|| full.install()).expect("enter").expect("again");
        let text = room.run(listed).expect("enter");
        if text.is_empty() {
            let _ = writeln!(std::io::stderr(), "not looked at, there is no program nft");
        } else {
            for line in [
                "table ip keepalived",
                "elements = { 192.0.2.1 }",
                "elements = { 2001:db8::1 }",
                "elements = { fe80::1 . \"vrrp.51\" }",
                "type filter hook input priority filter - 1; policy accept;",
                "ip daddr @vips counter packets 0 bytes 0 drop",
                "icmpv6 type nd-neighbor-solicit counter packets 0 bytes 0 accept",
                "ip6 daddr . iifname @vips_link_local counter packets 0 bytes 0 drop",
                "ip6 saddr @vips counter packets 0 bytes 0 drop",
            ] {
                assert!(text.contains(line), "{line} is not in {text}");
            }
            let of_ipv6 = text.split("chain in {").nth(2).unwrap_or_default();
            let place = |words| of_ipv6.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
            assert!(place("nd-neighbor-advert") < place("ip6 daddr @vips counter"), "{text}");
        }
        let many: Vec<_> = (0..5000_u32)
            .map(|n| (IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n)), String::new()))
            .collect();
        let many = Blocklist { addresses: many, ..list(&[]) };
        room.run(|| many.install()).expect("enter").expect("5000 addresses");
        room.run(|| many.remove()).expect("enter").expect("remove");
        assert_eq!(room.run(listed).expect("enter"), "");
    }
}
