//! BFD in words.

use std::{net::IpAddr, time::Duration};

use standfast_bfd::{Bond, Cause, Discard, Event as SessionEvent, Malformed, State};
use standfast_failover::BfdEvent;

use super::seconds;
use crate::message::Level;

/// How much an event matters, and what to say.
pub(super) fn describe(event: &BfdEvent) -> (Level, String) {
    match event {
        BfdEvent::Session { name, neighbor, event } => {
            let (level, text) = describe_session(*neighbor, *event);
            (level, format!("bfd {name}: {text}"))
        }
        BfdEvent::Unanswered { name, neighbor } => {
            (Level::Warning, format!("bfd {name}: {neighbor} has not answered: it counts as down"))
        }
        BfdEvent::Refused { source, reason } => (
            Level::Warning,
            format!("bfd packet from {source} refused: {}", describe_discard(*reason)),
        ),
        BfdEvent::Deleted { name } => (
            Level::Info,
            format!("bfd {name}: no longer in the configuration; the neighbour was told"),
        ),
    }
}

fn describe_session(neighbor: IpAddr, event: SessionEvent) -> (Level, String) {
    match event {
        SessionEvent::Transition { to: State::Up, .. } => {
            (Level::Info, format!("up: {neighbor} and this machine hear each other"))
        }
        SessionEvent::Transition { from: State::Up, cause, lasted, .. } => {
            let level = if cause == Cause::Released { Level::Info } else { Level::Warning };
            (level, describe_fall(neighbor, cause, lasted))
        }
        SessionEvent::Transition { from, to, .. } => {
            (Level::Detail, format!("{} -> {} with {neighbor}", from.as_str(), to.as_str()))
        }
        SessionEvent::Agreed(Bond { transmit, detection, .. }) => {
            let (transmit, detection) = (seconds(transmit), seconds(detection));
            (
                Level::Info,
                format!("sends every {transmit}; {neighbor} may be silent for {detection}"),
            )
        }
        SessionEvent::Late { by } => {
            let by = seconds(by);
            let text = format!(
                "this process did not run for {by}; listening before {neighbor} is given up"
            );
            (Level::Warning, text)
        }
        SessionEvent::Discarded(reason) => (
            Level::Warning,
            format!("packet from {neighbor} refused: {}", describe_discard(reason)),
        ),
    }
}

fn describe_fall(neighbor: IpAddr, cause: Cause, lasted: Duration) -> String {
    let lasted = seconds(lasted);
    match cause {
        Cause::Silence { lasted: silence } => {
            format!("down after {lasted}: {neighbor} has been silent for {}", seconds(silence))
        }
        Cause::Neighbor { diagnostic } => {
            format!("down after {lasted}: {neighbor} says that {}", diagnostic.as_str())
        }
        Cause::NeighborAdmin => {
            format!("down after {lasted}: {neighbor} is administratively down")
        }
        Cause::Released => format!("stopped after {lasted}; {neighbor} was told"),
        Cause::Handshake => format!("down after {lasted}"),
    }
}

const fn describe_discard(reason: Discard) -> &'static str {
    match reason {
        Discard::Ttl => "its TTL or hop limit is too low (max_hops): it crossed too many routers",
        Discard::Discriminator => "it names no session with this neighbour",
        Discard::NoSession => "no bfd_instance has this neighbour",
        Discard::Malformed(malformed) => match malformed {
            Malformed::Truncated => "shorter than it says",
            Malformed::Length => "its length is none of a control packet",
            Malformed::Version => "another BFD version than 1",
            Malformed::DetectMult => "multiplier 0",
            Malformed::Multipoint => "the multipoint bit, which is reserved",
            Malformed::MyDiscriminator => "discriminator 0",
            Malformed::YourDiscriminator => "it names no session, and is not down",
            Malformed::Authenticated => "it is authenticated, which nothing here is",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_session_that_falls_says_who_was_silent_for_how_long() {
        let event = BfdEvent::Session {
            name: "peer".into(),
            neighbor: Ipv4Addr::new(192, 0, 2, 2).into(),
            event: SessionEvent::Transition {
                from: State::Up,
                to: State::Down,
                cause: Cause::Silence { lasted: Duration::from_millis(30) },
                lasted: Duration::from_secs(90),
            },
        };
        let expected = "bfd peer: down after 90.000 s: 192.0.2.2 has been silent for 30 ms";
        assert_eq!(describe(&event), (Level::Warning, expected.to_owned()));
    }
}
