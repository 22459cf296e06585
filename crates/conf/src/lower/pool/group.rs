//! `virtual_server_group`: its addresses, ranges and marks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use standfast_types::{Family, ServiceKey, Transport};

use super::service;
use crate::{
    Code, Diagnostic,
    lower::Lowering,
    syntax::{Statement, Word},
    table::Keyword,
};

/// The most addresses that one line may stand for: a network of /16.
const RANGE_MAX: u128 = 1 << 16;

/// What a group serves, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Each address with its port.
    pub(super) addresses: Vec<(IpAddr, u16)>,
    /// Each mark, with its family where that is written.
    pub(super) marks: Vec<(u32, Option<Family>)>,
}

impl Group {
    /// The family of its addresses; `None` without any, or when they are of both.
    pub(super) fn family(&self) -> Option<Family> {
        let mut families = self.addresses.iter().map(|(address, _)| Family::of(*address));
        let first = families.next()?;
        families.all(|family| family == first).then_some(first)
    }

    /// Whether one of its addresses stands for all ports.
    pub(super) fn is_open(&self) -> bool {
        self.addresses.iter().any(|(_, port)| *port == 0)
    }

    /// Its addresses as services.
    pub(super) fn keys(&self, transport: Transport) -> impl Iterator<Item = ServiceKey> {
        self.addresses.iter().map(move |&(address, port)| ServiceKey::Address {
            address,
            port,
            transport,
        })
    }

    /// Its marks as services; `family` is that of its servers.
    pub(super) fn mark_keys(&self, family: Family) -> impl Iterator<Item = ServiceKey> {
        self.marks.iter().map(move |&(mark, own)| {
            let family = own.unwrap_or(family);
            ServiceKey::Mark { mark, family }
        })
    }
}

impl Lowering<'_> {
    /// Reads all groups: a service may stand above its group.
    pub(in crate::lower) fn server_groups(&mut self, statements: &[Statement]) {
        let is_group = |statement: &&Statement| {
            statement.keyword().is_some_and(|word| word.text == "virtual_server_group")
        };
        for statement in statements.iter().filter(is_group) {
            if let Some(keyword) = self.known(crate::table::top(), statement) {
                self.server_group(keyword, statement);
            }
        }
    }

    fn server_group(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let Some(block) = keyword.block() else { return };
        let mut group = Group::default();
        for inner in statement.statements() {
            let Some((keyword, read)) = self.line(block, inner) else { continue };
            if keyword.name == "fwmark" {
                let Some((mark, _)) = read.small() else { continue };
                let family = read.matched.get(1).map(|matched| match matched.word.text.as_str() {
                    "inet6" => Family::V6,
                    _ => Family::V4,
                });
                group.marks.push((mark, family));
            } else if let Some(word) = read.word() {
                let Some((first, last)) = range(&word.text) else { continue };
                if count(first, last) > RANGE_MAX {
                    self.too_many(word);
                    continue;
                }
                let port = service::port(&read).unwrap_or(0);
                group.addresses.extend(addresses(first, last).map(|address| (address, port)));
            }
        }
        // A second group of the name is reported by a lint.
        self.pools.groups.entry(name.text.to_string()).or_insert(group);
    }

    fn too_many(&mut self, word: &Word) {
        let message = format!("`{}` stands for more than {RANGE_MAX} addresses", word.text);
        self.diagnostics.push(
            Diagnostic::warning(Code::OutOfRange, word, message)
                .label("the line is ignored")
                .hint("let the firewall mark the packets, and write `fwmark NUMBER`"),
        );
    }
}

/// The first and the last address of `ADDR`, `ADDR-LAST` or `ADDR/LENGTH`.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((address, length)) = text.split_once('/') {
        let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
        // A line that does not begin at the network's first address is skipped; a lint says so.
        return last_of(address, length).map(|last| (address, last));
    }
    let Some((first, last)) = text.split_once('-') else {
        let address = text.parse().ok()?;
        return Some((address, address));
    };
    let first: IpAddr = first.parse().ok()?;
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) => last,
        (IpAddr::V4(ip), Err(_)) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, last.parse().ok()?).into()
        }
        (IpAddr::V6(ip), Err(_)) => {
            let [a, b, c, d, e, f, g, _] = ip.segments();
            Ipv6Addr::new(a, b, c, d, e, f, g, u16::from_str_radix(last, 16).ok()?).into()
        }
    };
    Some((first, last))
}

/// The last address of a network that begins here; `None` when none does.
fn last_of(address: IpAddr, length: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            (ip.to_bits() & host == 0).then(|| Ipv4Addr::from_bits(ip.to_bits() | host).into())
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            (ip.to_bits() & host == 0).then(|| Ipv6Addr::from_bits(ip.to_bits() | host).into())
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn count(first: IpAddr, last: IpAddr) -> u128 {
    bits(last).saturating_sub(bits(first)).saturating_add(1)
}

fn addresses(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    let ipv4 = first.is_ipv4();
    (bits(first)..=bits(last)).map(move |bits| match u32::try_from(bits) {
        Ok(short) if ipv4 => Ipv4Addr::from_bits(short).into(),
        Ok(_) | Err(_) => Ipv6Addr::from_bits(bits).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_in_three_ways() {
        let all = |text: &str| {
            let (first, last) = range(text).expect("a range");
            addresses(first, last).map(|address| address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(all("192.0.2.9"), ["192.0.2.9"]);
        assert_eq!(all("192.0.2.9-10"), ["192.0.2.9", "192.0.2.10"]);
        assert_eq!(all("192.0.2.255-192.0.3.0"), ["192.0.2.255", "192.0.3.0"]);
        assert_eq!(all("192.0.2.8/31"), ["192.0.2.8", "192.0.2.9"]);
        assert_eq!(all("2001:db8::f-10"), ["2001:db8::f", "2001:db8::10"]);
        assert_eq!(all("2001:db8::/127"), ["2001:db8::", "2001:db8::1"]);
        assert_eq!(range("192.0.2.9/31"), None, "it does not begin there");
    }
}
