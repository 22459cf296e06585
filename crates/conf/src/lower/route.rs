//! Lines of `virtual_routes` and `static_routes`.

use std::net::IpAddr;

use standfast_types::{
    Congestion, Encap, InterfaceName, MetricKind, NextHop, PathMetric, Placement, Prefix, Route,
    RouteKind, RoutingEntry, Scope, Tunnel,
};

use super::{
    Lowering,
    arguments::{Matched, Read},
    names::{NameTable, number},
};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    syntax::{Statement, Word},
    table::{Keyword, Value},
};

/// A route, and the instances that shall follow it.
pub(super) type Line = (RoutingEntry, Option<Word>);

/// A line as far as it is read.
struct Draft {
    route: Route,
    destination: Option<IpAddr>,
    /// The word behind `inet` and `inet6`, or the first address.
    family: Option<IpAddr>,
    /// The way that stands in the route itself.
    hop: NextHop,
    /// `or`: the second gateway of the same interface.
    other: Option<IpAddr>,
    track_group: Option<Word>,
    /// `lock` stood before the value that comes.
    lock: bool,
    /// It cannot be what was meant.
    failed: bool,
}

const IP4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
const IP6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);

impl Lowering<'_> {
    /// The routes of a block.
    pub(super) fn routes(&mut self, keyword: &'static Keyword, block: &Statement) -> Vec<Line> {
        let lines = self.entries(keyword, block);
        lines.iter().filter_map(|(word, read)| self.route(word, read)).collect()
    }

    fn route(&mut self, first: &Word, read: &Read<'_>) -> Option<Line> {
        let mut draft = Draft {
            route: Route::new(Prefix::host(IP4)),
            destination: None,
            family: None,
            hop: NextHop::default(),
            other: None,
            track_group: None,
            lock: false,
            failed: false,
        };
        for matched in &read.matched {
            match matched.option {
                None => self.route_word(&mut draft, matched.word),
                Some(option) => self.route_option(&mut draft, option.name, matched),
            }
        }
        self.finished_route(draft, first)
    }

    /// A word before the options: the kind of the route, or its destination.
    fn route_word(&mut self, draft: &mut Draft, word: &Word) {
        match kind(&word.text) {
            Some(kind) => draft.route.kind = kind,
            None => draft.destination(word),
        }
    }

    fn route_option(&mut self, draft: &mut Draft, name: &'static str, matched: &Matched<'_>) {
        let level = matched.within.split_once("_routes").map_or("", |(_, level)| level);
        match (level, name) {
            ("", "nexthop") => draft.route.hops.push(NextHop::default()),
            (".nexthop.encap", _) => encap_option(draft.latest(), name, matched),
            (".encap", _) => encap_option(&mut draft.hop, name, matched),
            (".nexthop", _) => {
                let mut hop = std::mem::take(draft.latest());
                self.hop_option(&mut hop, name, matched, draft);
                *draft.latest() = hop;
            }
            (_, _) => {
                let mut hop = std::mem::take(&mut draft.hop);
                let taken = self.hop_option(&mut hop, name, matched, draft);
                draft.hop = hop;
                if !taken {
                    self.whole_option(draft, name, matched);
                }
            }
        }
    }

    /// What a way has, in a `nexthop` or in the route itself.
    fn hop_option(
        &mut self,
        hop: &mut NextHop,
        name: &str,
        matched: &Matched<'_>,
        draft: &mut Draft,
    ) -> bool {
        match (name, matched.value) {
            ("via" | "gw", Value::Address(gateway)) => hop.gateway = Some(gateway),
            ("dev" | "oif", Value::Text(name)) => hop.interface = Some(name.into()),
            ("onlink", _) => hop.onlink = true,
            ("encap", Value::Text(text)) => hop.encap = encap_kind(hop.encap.take(), text),
            ("weight", Value::Number(weight)) => {
                hop.weight = u8::try_from(weight.saturating_sub(1)).unwrap_or(u8::MAX);
            }
            ("realms", Value::Text(_)) => match self.realms(matched.word) {
                Some(realms) => hop.realms = Some(realms),
                None => draft.failed = true,
            },
            // `inet` and `inet6` before an address say what the address says itself.
            ("via" | "gw", _) => {}
            (_, _) => return false,
        }
        true
    }

    fn whole_option(&mut self, draft: &mut Draft, name: &str, matched: &Matched<'_>) {
        let word = matched.word;
        if let Value::Text("lock") = matched.value {
            draft.lock = true;
            return;
        }
        let lock = std::mem::take(&mut draft.lock);
        if let Some((kind, value)) = metric(name, matched.value) {
            draft.route.metrics.retain(|metric| metric.kind != kind);
            draft.route.metrics.push(PathMetric { kind, value, locked: lock });
            return;
        }
        let named = match name {
            "table" => Some(NameTable::Tables),
            "protocol" => Some(NameTable::Protocols),
            "scope" => Some(NameTable::Scopes),
            "tos" | "dsfield" => Some(NameTable::DsField),
            _ => None,
        };
        if let Some(table) = named {
            match self.named(table, word) {
                Some(number) => draft.number(table, number),
                None => draft.failed = true,
            }
            return;
        }
        match (name, matched.value) {
            ("inet", _) => draft.family = Some(IP4),
            ("inet6", _) => draft.family = Some(IP6),
            ("to", _) => draft.destination(word),
            ("default6", _) => draft.destination = Some(IP6),
            ("src", Value::Address(source)) => draft.route.source = Some(source),
            ("or", Value::Address(gateway)) => draft.other = Some(gateway),
            ("from", Value::Text(text)) => draft.route.from = text.parse().ok(),
            ("metric" | "priority" | "preference", Value::Number(number)) => {
                draft.route.metric = u32::try_from(number).ok();
            }
            ("expires", Value::Number(number)) => draft.route.expires = u32::try_from(number).ok(),
            ("pref", Value::Text(text)) => draft.route.preference = preference(text),
            ("ttl-propagate", Value::Text(text)) => {
                draft.route.ttl_propagate = Some(text == "enabled");
            }
            ("congctl", Value::Text(text)) => {
                let algorithm = text.to_owned();
                draft.route.congestion = Some(Congestion { algorithm, locked: lock });
            }
            ("vrf", Value::Text(name)) => draft.route.vrf = Some(InterfaceName::from(name)),
            ("add", _) => draft.route.placement = Placement::Alone,
            ("append", _) => draft.route.placement = Placement::Append,
            ("prepend", _) => draft.route.placement = Placement::Prepend,
            ("no_track", _) => draft.route.tracked = false,
            ("track_group", _) => draft.track_group = Some(word.clone()),
            (_, _) => {}
        }
    }

    fn finished_route(&mut self, draft: Draft, first: &Word) -> Option<Line> {
        let Draft { mut route, destination, family, hop, other, track_group, failed, .. } = draft;
        let family = family
            .or(destination.filter(|ip| !ip.is_unspecified() || ip.is_ipv6()))
            .or(route.source)
            .or(route.from.map(Prefix::address))
            .or(hop.gateway)
            .or(route.hops.iter().find_map(|hop| hop.gateway))
            .unwrap_or(IP4);
        let Some(target) = destination else {
            return self.unusable(first, "has no destination");
        };
        let whole = target.is_unspecified() && route.destination.length() != 0;
        let everywhere = if family.is_ipv6() { IP6 } else { IP4 };
        if whole || (target.is_unspecified() && target.is_ipv4() != family.is_ipv4()) {
            route.destination = Prefix::new(everywhere, 0).ok()?;
        }
        let addresses = [route.source, route.from.map(Prefix::address)];
        let six = route.destination.address().is_ipv6();
        if addresses.into_iter().flatten().any(|address| address.is_ipv6() != six)
            || family.is_ipv6() != six
        {
            return self.unusable(first, "mixes IPv4 and IPv6");
        }
        if let Some(gateway) = other {
            // Two gateways on one interface: the old way to write two `nexthop`.
            let second = NextHop { gateway: Some(gateway), ..hop.clone() };
            route.hops = vec![hop, second];
        } else if hop != NextHop::default() {
            if !route.hops.is_empty() {
                return self.unusable(first, "has `nexthop` besides a way of its own");
            }
            route.hops.push(hop);
        }
        let drops = matches!(
            route.kind,
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw
        );
        if route.hops.is_empty() && !drops {
            return self.unusable(first, "has neither a gateway nor an interface");
        }
        if route.tracked && route.protocol.take().is_some_and(|it| it != OURS) {
            self.tracked_protocol(first);
        }
        (!failed).then(|| (RoutingEntry::Route(Box::new(route)), track_group))
    }

    /// A tracked route or rule is known by its protocol.
    pub(super) fn tracked_protocol(&mut self, first: &Word) {
        let message = "`protocol` has no effect on a tracked line; 18 (keepalived) is used";
        self.diagnostics.push(
            Diagnostic::warning(Code::NoEffect, first, message)
                .hint("add `no_track`, or delete `protocol`")
                .class(Class::Error),
        );
    }

    /// A line that is left out.
    pub(super) fn unusable<T>(&mut self, first: &Word, what: &str) -> Option<T> {
        let message = format!("the line {what}; it is left out");
        self.diagnostics
            .push(Diagnostic::warning(Code::RoutingLine, first, message).class(Class::Error));
        None
    }
}

/// The protocol of tracked routes and rules.
const OURS: u8 = 18;

impl Draft {
    /// `default`, `any` and `all` are everywhere; of which family, the rest of the line tells.
    fn destination(&mut self, word: &Word) {
        if let Ok(prefix) = word.text.parse::<Prefix>() {
            self.route.destination = prefix;
            self.destination = Some(prefix.address());
        } else {
            self.destination = Some(IP4);
        }
    }

    /// The way of the last `nexthop`.
    fn latest(&mut self) -> &mut NextHop {
        if self.route.hops.is_empty() {
            self.route.hops.push(NextHop::default());
        }
        match self.route.hops.last_mut() {
            Some(hop) => hop,
            None => &mut self.hop,
        }
    }

    fn number(&mut self, table: NameTable, number: u32) {
        let small = u8::try_from(number).unwrap_or(u8::MAX);
        match table {
            NameTable::Tables => self.route.table = number,
            NameTable::Protocols => self.route.protocol = Some(small),
            NameTable::Scopes => self.route.scope = Scope(small),
            NameTable::DsField => self.route.tos = small,
            NameTable::Realms | NameTable::Groups | NameTable::IpProtocols => {}
        }
    }
}

fn kind(text: &str) -> Option<RouteKind> {
    Some(match text {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "multicast" => RouteKind::Multicast,
        "throw" => RouteKind::Throw,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "blackhole" => RouteKind::Blackhole,
        "nat" => RouteKind::Nat,
        _ => return None,
    })
}

/// A number for TCP, in the kernel's unit.
fn metric(name: &str, value: Value<'_>) -> Option<(MetricKind, u32)> {
    let kind = match name {
        "mtu" => MetricKind::Mtu,
        "hoplimit" => MetricKind::HopLimit,
        "advmss" => MetricKind::AdvertisedMss,
        "rtt" => MetricKind::Rtt,
        "rttvar" => MetricKind::RttVar,
        "rto_min" => MetricKind::MinimalTimeout,
        "reordering" => MetricKind::Reordering,
        "window" => MetricKind::Window,
        "cwnd" => MetricKind::CongestionWindow,
        "ssthresh" => MetricKind::SlowStart,
        "initcwnd" => MetricKind::InitialCongestionWindow,
        "initrwnd" => MetricKind::InitialReceiveWindow,
        "features" => MetricKind::Features,
        "quickack" => MetricKind::QuickAck,
        "fastopen_no_cookie" => MetricKind::FastOpenNoCookie,
        _ => return None,
    };
    let scale = match name {
        "rtt" => 8,
        "rttvar" => 4,
        _ => 1,
    };
    let number = match value {
        Value::Number(number) => u32::try_from(number).ok()?,
        Value::Text("ecn") => 1,
        Value::Text(text) => super::value::millis(text)?.saturating_mul(scale),
        Value::Bool(_) | Value::Time(_) | Value::Address(_) => return None,
    };
    Some((kind, number))
}

fn preference(text: &str) -> Option<u8> {
    match text {
        "medium" => Some(0),
        "high" => Some(1),
        "low" => Some(3),
        text => text.parse().ok(),
    }
}

/// `encap KIND`; the labels and the locator come as words of their own.
fn encap_kind(before: Option<Encap>, text: &str) -> Option<Encap> {
    match text {
        "ip" => Some(Encap::Ip(Tunnel::default())),
        "ip6" => Some(Encap::Ip6(Tunnel::default())),
        "mpls" => Some(Encap::Mpls(Vec::new())),
        "ila" => Some(Encap::Ila(0)),
        text => match before {
            Some(Encap::Mpls(_)) => Some(Encap::Mpls(labels(text))),
            Some(Encap::Ila(_)) => Some(Encap::Ila(locator(text))),
            other => other,
        },
    }
}

fn labels(text: &str) -> Vec<u32> {
    text.split('/').filter_map(|label| label.parse().ok()).collect()
}

fn locator(text: &str) -> u64 {
    text.split(':').fold(0, |sum, group| {
        sum << 16 | u64::from(u16::from_str_radix(group, 16).unwrap_or_default())
    })
}

fn encap_option(hop: &mut NextHop, name: &str, matched: &Matched<'_>) {
    match &mut hop.encap {
        Some(Encap::Ip(tunnel) | Encap::Ip6(tunnel)) => {
            let small = || match matched.value {
                Value::Number(number) => u8::try_from(number).ok(),
                Value::Text(text) => number(text).and_then(|number| u8::try_from(number).ok()),
                Value::Bool(_) | Value::Time(_) | Value::Address(_) => None,
            };
            match (name, matched.value) {
                ("id", Value::Number(id)) => tunnel.id = u64::try_from(id).ok(),
                ("dst", Value::Address(address)) => tunnel.destination = Some(address),
                ("src", Value::Address(address)) => tunnel.source = Some(address),
                ("flags", Value::Number(flags)) => tunnel.flags = u16::try_from(flags).ok(),
                ("tos" | "tc", _) => tunnel.tos = small(),
                ("ttl" | "hoplimit", _) => tunnel.ttl = small(),
                (_, _) => {}
            }
        }
        Some(Encap::Mpls(list)) => *list = labels(&matched.word.text),
        Some(Encap::Ila(value)) => *value = locator(&matched.word.text),
        None => {}
    }
}
