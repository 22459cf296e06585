//! What stands in the kernel's routing policy: routes and rules.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{Family, InterfaceName, Route, RouteKind, Rule, RuleAction};

/// A route or a rule. Both are installed, watched and removed alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RoutingEntry {
    /// A route.
    Route(Box<Route>),
    /// A rule.
    Rule(Box<Rule>),
}

impl RoutingEntry {
    /// Whether its removal by somebody else is repaired.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        match self {
            Self::Route(route) => route.tracked,
            Self::Rule(rule) => rule.tracked,
        }
    }

    /// The interfaces that it names.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let (route, rule) = match self {
            Self::Route(route) => (Some(route.interfaces()), None),
            Self::Rule(rule) => (None, Some(rule.interfaces())),
        };
        route.into_iter().flatten().chain(rule.into_iter().flatten())
    }

    /// Whether the kernel drops it without a word when this machine loses the address.
    #[must_use]
    pub fn sends_from(&self, address: IpAddr) -> bool {
        match self {
            Self::Route(route) => route.source == Some(address),
            Self::Rule(_) => false,
        }
    }
}

/// As `ip` would write it, without the details.
impl fmt::Display for RoutingEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(route) => write!(f, "route {route}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::Unicast => {}
            RouteKind::Local => f.write_str("local ")?,
            RouteKind::Broadcast => f.write_str("broadcast ")?,
            RouteKind::Multicast => f.write_str("multicast ")?,
            RouteKind::Blackhole => f.write_str("blackhole ")?,
            RouteKind::Unreachable => f.write_str("unreachable ")?,
            RouteKind::Prohibit => f.write_str("prohibit ")?,
            RouteKind::Throw => f.write_str("throw ")?,
            RouteKind::Nat => f.write_str("nat ")?,
        }
        write!(f, "{}", self.destination)?;
        let several = self.hops.len() > 1;
        for hop in &self.hops {
            if several {
                f.write_str(" nexthop")?;
            }
            if let Some(gateway) = hop.gateway {
                write!(f, " via {gateway}")?;
            }
            if let Some(interface) = &hop.interface {
                write!(f, " dev {interface}")?;
            }
        }
        if let Some(vrf) = &self.vrf {
            write!(f, " vrf {vrf}")?;
        } else if self.table != Self::MAIN {
            write!(f, " table {}", self.table)?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "",
            Family::V6 => "inet6 ",
        };
        write!(f, "{family}{}:", self.preference)?;
        if self.inverted {
            f.write_str(" not")?;
        }
        match self.from {
            Some(from) => write!(f, " from {from}")?,
            None => f.write_str(" from all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        for (word, interface) in [("iif", &self.input), ("oif", &self.output)] {
            if let Some(interface) = interface {
                write!(f, " {word} {interface}")?;
            }
        }
        match self.action {
            RuleAction::Lookup(table) => write!(f, " lookup {table}"),
            RuleAction::L3mdev => f.write_str(" lookup [l3mdev-table]"),
            RuleAction::Goto(preference) => write!(f, " goto {preference}"),
            RuleAction::Nop => f.write_str(" nop"),
            RuleAction::Blackhole => f.write_str(" blackhole"),
            RuleAction::Unreachable => f.write_str(" unreachable"),
            RuleAction::Prohibit => f.write_str(" prohibit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NextHop;

    #[test]
    fn a_route_reads_as_ip_writes_it() {
        let mut route = Route::new("198.51.100.0/24".parse().expect("a prefix"));
        let gateway = Some(IpAddr::from([192, 0, 2, 1]));
        route.hops =
            vec![NextHop { gateway, interface: Some("eth0".into()), ..NextHop::default() }];
        route.table = 7;
        let entry = RoutingEntry::Route(Box::new(route));
        assert_eq!(entry.to_string(), "route 198.51.100.0/24 via 192.0.2.1 dev eth0 table 7");
    }

    #[test]
    fn a_rule_reads_as_ip_writes_it() {
        let mut rule = Rule::new(Family::V4, 100, RuleAction::Lookup(7));
        rule.input = Some("eth0".into());
        let entry = RoutingEntry::Rule(Box::new(rule));
        assert_eq!(entry.to_string(), "rule 100: from all iif eth0 lookup 7");
    }
}
