//! Events in words, for whoever reads the log at three in the morning.

mod bfd;
pub(crate) mod pool;

use std::time::Duration;

use standfast_failover::{Event, Evidence, Fault, InstanceEvent, RoutingEvent, StaticEvent};
use standfast_vrrp::{Cause, Discard, Event as Election, StateName};

use crate::message::Level;

/// How much an event matters, and what to say.
pub(crate) fn describe(event: &Event) -> (Level, String) {
    match event {
        Event::Script { name, up: true } => (Level::Info, format!("script {name} succeeds")),
        Event::Script { name, up: false } => (Level::Warning, format!("script {name} fails")),
        Event::Group { name, from, to, leader } => {
            let (from, to) = (from.as_str(), to.as_str());
            (Level::Info, format!("group {name}: {from} -> {to}, after {leader}"))
        }
        Event::Process { name, up: true, count } => {
            (Level::Info, format!("process {name} is right: {count} run"))
        }
        Event::Process { name, up: false, count } => {
            (Level::Warning, format!("process {name} is not right: {count} run"))
        }
        Event::File { name, value } => (Level::Info, format!("file {name} says {value}")),
        Event::UnknownVrid { interface, vrid, source } => {
            let text =
                format!("{interface}: advert of VRID {vrid} from {source}, which no instance is");
            (Level::Info, text)
        }
        Event::Bfd(event) => bfd::describe(event),
        Event::Static(event) => describe_static(event),
        Event::Instance { name, kind } => {
            let (level, text) = describe_instance(kind);
            (level, format!("{name}: {text}"))
        }
    }
}

/// Behind a role change: that this machine was late, which may be its reason.
pub(crate) fn describe_lateness(event: &Event, late: Duration) -> Option<String> {
    /// Ordinary scheduling.
    const PUNCTUAL: Duration = Duration::from_millis(5);
    let transition = matches!(
        event,
        Event::Instance {
            kind: InstanceEvent::Election { event: Election::Transition { .. }, .. },
            ..
        }
    );
    (transition && late >= PUNCTUAL)
        .then(|| format!(" (this machine was up to {} late in the last minute)", seconds(late)))
}

fn describe_instance(kind: &InstanceEvent) -> (Level, String) {
    match kind {
        InstanceEvent::Election { event, faults } => describe_election(*event, faults),
        InstanceEvent::Priority { from, to } => {
            (Level::Info, format!("effective priority {from} -> {to}"))
        }
        InstanceEvent::Faults(faults) => {
            (Level::Warning, format!("still FAULT: {}", describe_faults(faults)))
        }
        InstanceEvent::AddressRestored { address, count, expired } => {
            let times =
                if *count == 1 { String::new() } else { format!(" ({count} times so far)") };
            let what = if *expired {
                format!("this machine was too busy to renew {address} in time")
            } else {
                format!("somebody removed {address}")
            };
            (Level::Warning, format!("{what}; put back and announced{times}"))
        }
        InstanceEvent::AddressRefused { address, error } => {
            (Level::Error, format!("the kernel refused address {address}: {error}"))
        }
        InstanceEvent::LinkRestored { interface } => {
            let text = format!("somebody removed interface {interface}; made again");
            (Level::Warning, text)
        }
        InstanceEvent::AddressContested { address, mac, evidence } => {
            let how = match evidence {
                Evidence::Announced => "announces it",
                Evidence::Answered => "answers for it",
            };
            (Level::Error, format!("{address} is on another machine too: {mac} {how}"))
        }
        InstanceEvent::AddressUncontested { address, mac, lasted } => {
            let lasted = seconds(*lasted);
            let text = format!(
                "{address} is ours alone again, {mac} had it for {lasted} at least; announced again"
            );
            (Level::Warning, text)
        }
        InstanceEvent::AddressWithoutInterface { address, interface } => {
            let text = format!("address {address} not installed: interface {interface} is missing");
            (Level::Error, text)
        }
        InstanceEvent::Routing(event) => describe_routing(event),
        InstanceEvent::Deleted => {
            (Level::Info, "no longer in the configuration; released".to_owned())
        }
    }
}

fn describe_static(event: &StaticEvent) -> (Level, String) {
    match event {
        StaticEvent::AddressRestored { address, count } => {
            let times =
                if *count == 1 { String::new() } else { format!(" ({count} times so far)") };
            (Level::Warning, format!("somebody removed the static {address}; put back{times}"))
        }
        StaticEvent::AddressRefused { address, error } => {
            (Level::Error, format!("the kernel refused the static address {address}: {error}"))
        }
        StaticEvent::Routing(event) => {
            let (level, text) = describe_routing(event);
            (level, format!("static: {text}"))
        }
    }
}

fn describe_routing(event: &RoutingEvent) -> (Level, String) {
    match event {
        RoutingEvent::Restored { entry, count } => {
            let times =
                if *count == 1 { String::new() } else { format!(" ({count} times so far)") };
            (Level::Warning, format!("somebody removed the {entry}; put back{times}"))
        }
        RoutingEvent::Refused { entry, error } => {
            (Level::Error, format!("the kernel refused the {entry}: {error}; trying again"))
        }
    }
}

fn describe_election(event: Election, faults: &[Fault]) -> (Level, String) {
    match event {
        Election::Transition { from, to, cause, priority } => {
            let why = describe_cause(cause, faults);
            let level = match (to, cause) {
                (StateName::Fault, _) | (_, Cause::Late { .. }) => Level::Warning,
                _ => Level::Info,
            };
            let (from, to) = (from.as_str(), to.as_str());
            (level, format!("{from} -> {to} (priority {priority}): {why}"))
        }
        Election::Adopted { priority } => {
            let text =
                format!("stays MASTER (priority {priority}): adopted after a crash of pulse");
            (Level::Warning, text)
        }
        Election::LowerPriorityHeard { source, priority } => {
            let text = format!("{source} advertises as master with lower priority {priority}");
            (Level::Warning, format!("{text}; answered"))
        }
        Election::AddressListDiffers { source } => {
            let text = format!("master {source} holds other addresses than virtual_ipaddress here");
            (Level::Warning, text)
        }
        Election::IntervalLearned { source, interval } => {
            let interval = seconds(interval.duration());
            (Level::Info, format!("follows the advert interval of {source}: {interval}"))
        }
        Election::OldChecksumPeer { source } => {
            let text = format!("{source} uses the checksum of keepalived before 1.3.6");
            (Level::Warning, format!("{text}; answered alike"))
        }
        Election::ClockDiffers { source, ahead } => {
            let (by, way) = (ahead.unsigned_abs(), if ahead > 0 { "ahead of" } else { "behind" });
            let text = format!("the clock of {source} is {by} s {way} ours");
            (Level::Warning, format!("{text}; beyond time_window its adverts are refused"))
        }
        Election::Discarded { source, reason } => {
            (Level::Warning, format!("advert from {source} refused: {}", describe_discard(reason)))
        }
    }
}

fn describe_cause(cause: Cause, faults: &[Fault]) -> String {
    match cause {
        Cause::Started => "started".to_owned(),
        Cause::Owner => "owner of the address".to_owned(),
        Cause::MasterDown { master: Some(master), silence } => {
            format!("no advert from {master} for {}", seconds(silence))
        }
        Cause::MasterDown { master: None, silence } => {
            format!("no advert heard for {}", seconds(silence))
        }
        Cause::MasterReleased { master } => format!("{master} let go"),
        Cause::Preempted { master, priority } => {
            format!("master {master} has only priority {priority}")
        }
        Cause::HigherPriority { source, priority } => {
            format!("{source} advertises with priority {priority}")
        }
        Cause::Tie { source } => {
            format!("{source} advertises with the same priority and a higher address")
        }
        Cause::Fault => describe_faults(faults),
        Cause::Recovered => "all it needs is back".to_owned(),
        Cause::Late { by } => {
            format!("this process did not run for {}; listening first", seconds(by))
        }
        Cause::Group => "another member of its sync group changed".to_owned(),
        Cause::Stopped => "stopped".to_owned(),
    }
}

pub(crate) fn describe_faults(faults: &[Fault]) -> String {
    let texts: Vec<_> = faults
        .iter()
        .map(|fault| match fault {
            Fault::InterfaceMissing(name) => format!("interface {name} does not exist"),
            Fault::InterfaceDown(name) => format!("interface {name} is down or has no carrier"),
            Fault::NoSource(name) => format!("interface {name} has no address to send from"),
            Fault::SourceMissing(source) => {
                format!("source address {source} is not on this machine")
            }
            Fault::TrackedInterface(name) => format!("tracked interface {name} is down"),
            Fault::Script(name) => format!("script {name} fails"),
            Fault::CannotListen(name) => format!("no VRRP can be received on interface {name}"),
            Fault::AddressInterface(name) => {
                format!("interface {name}, for one of its addresses, is missing or down")
            }
            Fault::Static(lost) => format!("the static {lost} is lost"),
            Fault::RouteInterface(name) => {
                format!("interface {name}, for one of its routes or rules, is missing or down")
            }
            Fault::AddressRefused(address) => format!("the kernel refuses address {address}"),
            Fault::Bfd(name) => format!("BFD session {name} is down"),
            Fault::BfdPending(name) => format!("BFD session {name} has just begun"),
            Fault::LinkPending(name) => format!("interface {name} is being made"),
            Fault::LinkRefused { interface, error } => {
                format!("interface {interface} can't be made: {error}")
            }
            Fault::ScriptPending(name) => format!("script {name} has no result yet"),
            Fault::File(name) => format!("the number in file {name} means FAULT"),
            Fault::Process(name) => format!("too few or too many run of process {name}"),
            Fault::ProcessPending(name) => format!("process {name} was not counted yet"),
            Fault::Member(name) => format!("{name} of its sync group is in FAULT"),
            Fault::MemberPending(name) => format!("{name} of its sync group is not ready yet"),
        })
        .collect();
    if texts.is_empty() { "removed by a reload".to_owned() } else { texts.join(", ") }
}

const fn describe_discard(reason: Discard) -> &'static str {
    match reason {
        Discard::Truncated => "shorter than it says",
        Discard::TooLong => "longer than it says (auth_hmac on the other side?)",
        Discard::Version => "another VRRP version than here (vrrp_version)",
        Discard::Type => "not an advertisement",
        Discard::Vrid => "virtual_router_id 0",
        Discard::Checksum => "wrong checksum",
        Discard::Ttl => "TTL below 255: it crossed a router",
        Discard::PeerTtl => "TTL outside min_ttl/max_ttl of this unicast_peer",
        Discard::UnknownSource => "not a configured unicast_peer",
        Discard::AuthenticationType => "another auth_type than here",
        Discard::Password => "another auth_pass than here",
        Discard::Interval => "another advert_int than here",
        Discard::Own => "our own advert came back (a loop, or our address elsewhere)",
        Discard::Destination => "sent by multicast and expected by unicast, or the reverse",
        Discard::HeaderMalformed => "no sound authentication header",
        Discard::HeaderSpi => "an authentication header whose SPI is not the sender's address",
        Discard::HeaderIcv => "another auth_pass than here, or changed on its way",
        Discard::HeaderReplay => {
            "a sequence number that was used already: recorded and sent again?"
        }
        Discard::HmacMissing => "not signed, and the mode of auth_hmac is enforce",
        Discard::HmacMalformed => "its signature is of an unknown type",
        Discard::HmacUnknownKey => "signed by a key that is not defined in auth_hmac here",
        Discard::HmacInvalid => {
            "wrongly signed: another key under this number, or changed on its way"
        }
        Discard::HmacStale => "signed at another time than now: compare the clocks (time_window)",
        Discard::HmacReplay => "signed once and heard before: recorded and sent again?",
    }
}

/// `3.609 s`, `40 ms`.
fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        format!("{millis} ms")
    } else {
        format!("{}.{:03} s", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use standfast_types::Priority;

    use super::*;

    #[test]
    fn a_takeover_says_who_was_silent_for_how_long() {
        let cause = Cause::MasterDown {
            master: Some(Ipv4Addr::new(192, 0, 2, 2).into()),
            silence: Duration::from_micros(3_609_375),
        };
        let (from, to) = (StateName::Backup, StateName::Master);
        let event = Election::Transition { from, to, cause, priority: Priority::HIGHEST };
        let kind = InstanceEvent::Election { event, faults: Vec::new() };
        let event = Event::Instance { name: "VI_1".into(), kind };
        let (level, text) = describe(&event);
        assert_eq!(level, Level::Info);
        let expected =
            "VI_1: BACKUP -> MASTER (priority 254): no advert from 192.0.2.2 for 3.609 s";
        assert_eq!(text, expected);
        assert_eq!(describe_lateness(&event, Duration::from_millis(4)), None);
        let late = " (this machine was up to 37 ms late in the last minute)";
        assert_eq!(describe_lateness(&event, Duration::from_millis(37)).as_deref(), Some(late));
        let other = Event::File { name: "f".into(), value: 1 };
        assert_eq!(describe_lateness(&other, Duration::from_secs(1)), None);
    }
}
