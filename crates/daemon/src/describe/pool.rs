//! Events of the pool in words.

use standfast_balance::{Cause, Event, Verdict};
use standfast_types::ServiceChange;

use crate::message::Level;

/// How much an event matters, and what to say.
pub(crate) fn describe(event: &Event) -> (Level, String) {
    match event {
        Event::Server { server, up, cause, .. } => {
            let level = if *up { Level::Info } else { Level::Warning };
            let state = if *up { "up" } else { "down" };
            (level, format!("real server {server} is {state}: {}", describe_cause(cause)))
        }
        Event::Check { check, keyword, verdict, decides, .. } => {
            // what decides is said of the server
            let level = if *decides { Level::Detail } else { Level::Info };
            let words = describe_verdict(verdict);
            (level, format!("real server {}: {keyword}: {words}", check.server))
        }
        Event::Quorum { service, up: true, weight, wanted } => {
            let text = format!("quorum reached: weight {weight}, it takes {wanted}");
            (Level::Info, format!("virtual server {service} is up: {text}"))
        }
        Event::Quorum { service, up: false, weight, wanted } => {
            let text = format!("quorum lost: weight {weight}, it takes {wanted}");
            (Level::Error, format!("virtual server {service} is down: {text}"))
        }
        Event::Weight { server, from, to } => {
            (Level::Info, format!("real server {server}: weight {from} -> {to}"))
        }
        Event::Sorry { service, serving: true } => {
            (Level::Warning, format!("virtual server {service}: the sorry server serves"))
        }
        Event::Sorry { service, serving: false } => {
            (Level::Info, format!("virtual server {service}: the sorry server is relieved"))
        }
        Event::Resolved { service, endpoint, added, removed } => {
            let all = |keys: &[standfast_types::DestinationKey], word: &str| match keys {
                [] => None,
                keys => {
                    let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
                    Some(format!("{word} {}", keys.join(", ")))
                }
            };
            let parts = [all(added, "now also"), all(removed, "no longer")];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            let text = parts.join("; ");
            (Level::Info, format!("virtual server {service}: {endpoint} is {text}"))
        }
        Event::Drained { server, left: 0 } => {
            (Level::Info, format!("real server {server} is drained"))
        }
        Event::Drained { server, left } => {
            let text = format!("its time to drain is over, {left} connections are left");
            (Level::Warning, format!("real server {server}: {text}"))
        }
        Event::Repaired { service } => {
            let text =
                format!("somebody changed virtual server {service} in the kernel; put right");
            (Level::Warning, text)
        }
        Event::Refused { change, reason } => {
            let text = format!("the kernel refused to {}: {reason}", describe_change(change));
            (Level::Error, format!("{text}; trying again"))
        }
    }
}

fn describe_cause(cause: &Cause) -> String {
    match cause {
        Cause::Check(keyword, verdict) => format!("{keyword}: {}", describe_verdict(verdict)),
        Cause::Order => "an operator wants it".to_owned(),
        Cause::Configuration => "so says the configuration".to_owned(),
        Cause::Name => "its name stands for other addresses now".to_owned(),
        Cause::Stop => "stopped".to_owned(),
    }
}

/// What a check says, as a fragment.
pub(crate) fn describe_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Good { weight: None } => "good".to_owned(),
        Verdict::Good { weight: Some(weight) } => format!("good, weight {weight}"),
        Verdict::Bad(reason) => reason.to_string(),
    }
}

fn describe_change(change: &ServiceChange) -> String {
    match change {
        ServiceChange::AddService(key, scheduling) => {
            format!("add virtual server {key} with scheduler {}", scheduling.scheduler)
        }
        ServiceChange::EditService(key, scheduling) => {
            format!("change virtual server {key} to scheduler {}", scheduling.scheduler)
        }
        ServiceChange::RemoveService(key) => format!("remove virtual server {key}"),
        ServiceChange::AddDestination(key, at, _) => format!("add real server {at} to {key}"),
        ServiceChange::EditDestination(key, at, destination) => {
            format!("change real server {at} of {key} to weight {}", destination.weight)
        }
        ServiceChange::RemoveDestination(key, at) => format!("remove real server {at} of {key}"),
    }
}

#[cfg(test)]
mod tests {
    use standfast_balance::{Endpoint, ServerId};
    use standfast_types::{DestinationKey, Transport};

    use super::*;

    #[test]
    fn a_server_that_fails_has_one_plain_reason() {
        let key = DestinationKey { address: [10, 0, 0, 2].into(), port: 80 };
        let event = Event::Server {
            server: ServerId { service: "[10.0.0.1]:tcp:80".into(), key },
            endpoint: Endpoint::Address(key),
            transport: Transport::Tcp,
            up: false,
            cause: Cause::Check(
                "HTTP_GET".to_owned(),
                Verdict::Bad("status 503, wanted 200".into()),
            ),
        };
        let text = "real server [10.0.0.2]:80 of [10.0.0.1]:tcp:80 is down: \
                    HTTP_GET: status 503, wanted 200";
        assert_eq!(describe(&event), (Level::Warning, text.to_owned()));
    }
}
