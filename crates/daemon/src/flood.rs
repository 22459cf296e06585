//! Warnings that traffic causes are counted, not repeated: the first of a kind is logged at once, then one
//! line a minute says how many there were.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use standfast_bfd::Event as SessionEvent;
use standfast_failover::{BfdEvent, Event, InstanceEvent, RoutingEvent, StaticEvent};
use standfast_types::{InstanceName, Instant, Prefix, RoutingEntry};
use standfast_vrrp::{Discard, Event as Election};

/// Addresses of one instance that are named when they all meet with the same.
const CROWD: usize = 10;
const PERIOD: Duration = Duration::from_secs(60);

/// What makes two warnings the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Discarded(InstanceName, IpAddr, Discard),
    LowerPriority(InstanceName, IpAddr),
    AddressList(InstanceName, IpAddr),
    Interval(InstanceName, IpAddr),
    Restored(InstanceName, Prefix),
    Refused(InstanceName, IpAddr),
    Contested(InstanceName, IpAddr),
    Uncontested(InstanceName, IpAddr),
    Bfd(IpAddr, standfast_bfd::Discard),
    RoutingRestored(InstanceName, RoutingEntry),
    RoutingRefused(InstanceName, RoutingEntry),
}

/// Counts of suppressed warnings.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    seen: BTreeMap<Key, (Instant, u64)>,
}

impl Flood {
    /// How many of its kind were suppressed before this event; `None` to suppress this one too.
    pub(crate) fn admit(&mut self, now: Instant, event: &Event) -> Option<u64> {
        let Some(key) = key(event) else { return Some(0) };
        // Hostile sources must not grow this without bound.
        if self.seen.len() > 1000 {
            self.seen.retain(|_, (at, _)| now.saturating_since(*at) < PERIOD);
        }
        let known = self.seen.contains_key(&key);
        let crowded = !known && (self.seen.len() > 1000 || self.is_crowded(now, &key));
        match self.seen.get_mut(&key) {
            Some((at, suppressed)) if now.saturating_since(*at) < PERIOD => {
                *suppressed += 1;
                None
            }
            Some((at, suppressed)) => {
                *at = now;
                Some(std::mem::take(suppressed))
            }
            None if crowded => None,
            None => {
                self.seen.insert(key, (now, 0));
                Some(0)
            }
        }
    }
}

impl Flood {
    /// Whether enough was said of other addresses of the same instance, that met with the same.
    fn is_crowded(&self, now: Instant, key: &Key) -> bool {
        let Some(holder) = key.holder() else { return false };
        let alike = self.seen.iter().filter(|(other, (at, _))| {
            std::mem::discriminant(*other) == std::mem::discriminant(key)
                && other.holder() == Some(holder)
                && now.saturating_since(*at) < PERIOD
        });
        alike.take(CROWD).count() == CROWD
    }
}

impl Key {
    /// Whose address or route it is, of which there may be thousands.
    const fn holder(&self) -> Option<&InstanceName> {
        match self {
            Self::Restored(name, _)
            | Self::Refused(name, _)
            | Self::Contested(name, _)
            | Self::Uncontested(name, _)
            | Self::RoutingRestored(name, _)
            | Self::RoutingRefused(name, _) => Some(name),
            Self::Discarded(..)
            | Self::LowerPriority(..)
            | Self::AddressList(..)
            | Self::Interval(..)
            | Self::Bfd(..) => None,
        }
    }
}

fn key(event: &Event) -> Option<Key> {
    let (name, kind) = match event {
        Event::Instance { name, kind } => (name.clone(), kind),
        Event::Bfd(event) => return bfd_key(event),
        Event::Static(event) => return static_key(event),
        Event::Script { .. }
        | Event::Process { .. }
        | Event::File { .. }
        | Event::UnknownVrid { .. }
        | Event::Group { .. } => return None,
    };
    match kind {
        InstanceEvent::Election { event: Election::Discarded { source, reason }, .. } => {
            Some(Key::Discarded(name, *source, *reason))
        }
        InstanceEvent::Election { event: Election::LowerPriorityHeard { source, .. }, .. } => {
            Some(Key::LowerPriority(name, *source))
        }
        InstanceEvent::Election { event: Election::AddressListDiffers { source }, .. } => {
            Some(Key::AddressList(name, *source))
        }
        InstanceEvent::Election { event: Election::IntervalLearned { source, .. }, .. } => {
            Some(Key::Interval(name, *source))
        }
        InstanceEvent::AddressRestored { address, .. } => Some(Key::Restored(name, *address)),
        InstanceEvent::AddressRefused { address, .. } => Some(Key::Refused(name, *address)),
        InstanceEvent::Routing(event) => Some(routing_key(name, event)),
        InstanceEvent::AddressContested { address, .. } => Some(Key::Contested(name, *address)),
        InstanceEvent::AddressUncontested { address, .. } => Some(Key::Uncontested(name, *address)),
        InstanceEvent::Election { .. }
        | InstanceEvent::Priority { .. }
        | InstanceEvent::Faults(_)
        | InstanceEvent::AddressWithoutInterface { .. }
        | InstanceEvent::LinkRestored { .. }
        | InstanceEvent::Deleted => None,
    }
}

fn bfd_key(event: &BfdEvent) -> Option<Key> {
    match event {
        BfdEvent::Session { neighbor, event: SessionEvent::Discarded(reason), .. } => {
            Some(Key::Bfd(*neighbor, *reason))
        }
        BfdEvent::Refused { source, reason } => Some(Key::Bfd(*source, *reason)),
        BfdEvent::Session { .. } | BfdEvent::Unanswered { .. } | BfdEvent::Deleted { .. } => None,
    }
}

/// Nobody's name is the empty one.
fn static_key(event: &StaticEvent) -> Option<Key> {
    let nobody = InstanceName::from("");
    Some(match event {
        StaticEvent::AddressRestored { address, .. } => Key::Restored(nobody, *address),
        StaticEvent::AddressRefused { address, .. } => Key::Refused(nobody, *address),
        StaticEvent::Routing(event) => routing_key(nobody, event),
    })
}

fn routing_key(holder: InstanceName, event: &RoutingEvent) -> Key {
    match event {
        RoutingEvent::Restored { entry, .. } => Key::RoutingRestored(holder, entry.clone()),
        RoutingEvent::Refused { entry, .. } => Key::RoutingRefused(holder, entry.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(last: u8) -> Event {
        let source = std::net::Ipv4Addr::new(192, 0, 2, last).into();
        let event = Election::Discarded { source, reason: Discard::Password };
        let kind = InstanceEvent::Election { event, faults: Vec::new() };
        Event::Instance { name: "V".into(), kind }
    }

    #[test]
    fn of_thousands_of_addresses_that_meet_with_the_same_only_some_are_named() {
        let mut flood = Flood::default();
        let restored = |name: &str, host: u8| {
            let address = Prefix::host([192, 0, 2, host].into());
            let kind = InstanceEvent::AddressRestored { address, count: 1, expired: false };
            Event::Instance { name: name.into(), kind }
        };
        let said =
            (0..200).filter(|host| flood.admit(Instant::ZERO, &restored("V", *host)) == Some(0));
        assert_eq!(said.count(), CROWD);
        assert_eq!(flood.admit(Instant::ZERO, &restored("W", 1)), Some(0), "another instance");
        let later = Instant::ZERO + PERIOD;
        assert_eq!(flood.admit(later, &restored("V", 150)), Some(0));
    }

    #[test]
    fn two_masters_of_different_intervals_do_not_fill_the_log() {
        let mut flood = Flood::default();
        let learned = |round: u8| {
            let source = IpAddr::from([192, 0, 2, round % 2]);
            let interval = standfast_types::AdvertInterval::DEFAULT;
            let event = match round % 4 {
                0 | 1 => Election::IntervalLearned { source, interval },
                _ => Election::AddressListDiffers { source },
            };
            let kind = InstanceEvent::Election { event, faults: Vec::new() };
            Event::Instance { name: "V".into(), kind }
        };
        let said = (0..200).filter(|&round| flood.admit(Instant::ZERO, &learned(round)).is_some());
        assert_eq!(said.count(), 4);
    }

    #[test]
    fn the_first_of_a_kind_is_said_and_the_rest_are_counted() {
        let mut flood = Flood::default();
        let start = Instant::ZERO;
        assert_eq!(flood.admit(start, &refused(1)), Some(0));
        assert_eq!(flood.admit(start, &refused(2)), Some(0));
        for _ in 0..59 {
            assert_eq!(flood.admit(start, &refused(1)), None);
        }
        assert_eq!(flood.admit(start + PERIOD, &refused(1)), Some(59));
    }

    #[test]
    fn a_million_hostile_sources_do_not_grow_it() {
        let mut flood = Flood::default();
        for source in 0..10_000_u32 {
            let event = Election::Discarded {
                source: std::net::Ipv4Addr::from_bits(source).into(),
                reason: Discard::Checksum,
            };
            let kind = InstanceEvent::Election { event, faults: Vec::new() };
            flood.admit(Instant::ZERO, &Event::Instance { name: "V".into(), kind });
        }
        assert!(flood.seen.len() <= 1001);
    }
}
