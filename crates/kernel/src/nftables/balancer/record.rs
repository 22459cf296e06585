//! What a service is, in words: comments on its rules and elements, that people read with `nft list` and
//! that we read again after a restart.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use standfast_types::{
    Closing, Destination, DestinationKey, Forwarding, Persistence, Scheduler, SchedulerFlags,
    Scheduling, Service,
};

use super::wheel::digest;

/// The words for how a service's connections are spread.
pub(super) fn write_scheduling(scheduling: &Scheduling) -> String {
    let Scheduling { scheduler, flags, one_packet, persistence, closing } = scheduling;
    let mut words = scheduler.name().to_owned();
    for (set, word) in
        [(flags.first, " flag-1"), (flags.second, " flag-2"), (flags.third, " flag-3")]
    {
        words.push_str(if set { word } else { "" });
    }
    words.push_str(if *one_packet { " ops" } else { "" });
    if let Some(Persistence { timeout, prefix, engine }) = persistence {
        let _ = write!(words, " persistent {}/{prefix}", timeout.as_secs());
        if let Some(engine) = engine {
            let _ = write!(words, " engine {engine}");
        }
    }
    words.push_str(match closing {
        Closing::AsKernel => "",
        Closing::Keep => " keep",
        Closing::Reset => " reset",
        Closing::Expire => " expire",
    });
    words
}

/// What [`write_scheduling`] wrote.
pub(super) fn read_scheduling(words: &str) -> Option<Scheduling> {
    let mut words = words.split(' ');
    let mut scheduling = Scheduling::new(Scheduler::named(words.next()?)?);
    let SchedulerFlags { first, second, third } = &mut scheduling.flags;
    while let Some(word) = words.next() {
        match word {
            "flag-1" => *first = true,
            "flag-2" => *second = true,
            "flag-3" => *third = true,
            "ops" => scheduling.one_packet = true,
            "persistent" => {
                let (seconds, prefix) = words.next()?.split_once('/')?;
                scheduling.persistence = Some(Persistence {
                    timeout: Duration::from_secs(seconds.parse().ok()?),
                    prefix: prefix.parse().ok()?,
                    engine: None,
                });
            }
            "engine" => scheduling.persistence.as_mut()?.engine = Some(words.next()?.to_owned()),
            "keep" => scheduling.closing = Closing::Keep,
            "reset" => scheduling.closing = Closing::Reset,
            "expire" => scheduling.closing = Closing::Expire,
            _ => return None,
        }
    }
    Some(scheduling)
}

/// The words for one destination.
fn write_destination(destination: &Destination) -> String {
    let Destination { weight, forwarding, upper_threshold, lower_threshold } = destination;
    let kind = match forwarding {
        Forwarding::Nat => "nat",
        Forwarding::DirectRouting => "direct",
        // Never gets here: it is refused.
        Forwarding::Tunnel(_) => "tunnel",
    };
    format!("weight {weight} {kind} limits {upper_threshold}/{lower_threshold}")
}

/// The same, with the number of the interface by which it is reached.
pub(super) fn write_server(destination: &Destination, link: Option<u32>) -> String {
    let words = write_destination(destination);
    match link {
        Some(link) => format!("{words} link {link}"),
        None => words,
    }
}

/// What [`write_server`] wrote.
pub(super) fn read_server(words: &str) -> Option<(Destination, Option<u32>)> {
    match words.split_once(" link ") {
        Some((words, link)) => Some((read_destination(words)?, Some(link.parse().ok()?))),
        None => Some((read_destination(words)?, None)),
    }
}

/// What [`write_destination`] wrote.
fn read_destination(words: &str) -> Option<Destination> {
    let mut words = words.strip_prefix("weight ")?.split(' ');
    let weight = words.next()?.parse().ok()?;
    let forwarding = match words.next()? {
        "nat" => Forwarding::Nat,
        "direct" => Forwarding::DirectRouting,
        _ => return None,
    };
    let (upper, lower) =
        words.next().filter(|word| *word == "limits").and(words.next())?.split_once('/')?;
    let (upper_threshold, lower_threshold) = (upper.parse().ok()?, lower.parse().ok()?);
    Some(Destination { weight, forwarding, upper_threshold, lower_threshold })
}

/// Tells whether rules are those of a service as it was written.
pub(super) fn fingerprint(
    scheduling: &str,
    destinations: &BTreeMap<DestinationKey, Destination>,
) -> u32 {
    let mut text = format!("{VERSION} {scheduling}");
    for (key, destination) in destinations {
        let _ = write!(text, ", {key} {}", write_destination(destination));
    }
    let digest = digest(&[text.as_bytes()]);
    u32::try_from(digest >> 32).unwrap_or_default()
}

/// Counts the ways in which we have written rules: after an update, those of an older version are not
/// taken for our own.
const VERSION: u32 = 1;

/// What stands beside the rules of a service: their places, how many there are, and of which service as it
/// was written.
pub(super) struct Marks {
    scheduling: String,
    fingerprint: u32,
}

impl Marks {
    pub(super) fn new(service: &Service) -> Self {
        let scheduling = write_scheduling(&service.scheduling);
        let fingerprint = fingerprint(&scheduling, &service.destinations);
        Self { scheduling, fingerprint }
    }

    pub(super) fn of(&self, place: usize, count: usize) -> String {
        format!("{} rule {place}/{count} of {:08x}", self.scheduling, self.fingerprint)
    }
}

/// The scheduling in the comments on a service's rules, if they are all there and in their order, and
/// belong to these destinations.
pub(super) fn read_marks<'a>(
    comments: impl ExactSizeIterator<Item = &'a str>,
    destinations: &BTreeMap<DestinationKey, Destination>,
) -> Option<Scheduling> {
    let count = comments.len();
    let mut found = None;
    for (place, comment) in comments.enumerate() {
        let (scheduling, rest) = comment.split_once(" rule ")?;
        let fingerprint = fingerprint(scheduling, destinations);
        if rest != format!("{place}/{count} of {fingerprint:08x}") {
            return None;
        }
        found = Some(scheduling);
    }
    read_scheduling(found?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persistent() -> Scheduling {
        let persistence = Persistence {
            timeout: Duration::from_secs(300),
            prefix: 24,
            engine: Some("sip".to_owned()),
        };
        Scheduling {
            flags: SchedulerFlags { first: true, second: false, third: true },
            one_packet: true,
            persistence: Some(persistence),
            closing: Closing::Reset,
            ..Scheduling::new(Scheduler::Sh)
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let full = persistent();
        assert_eq!(
            write_scheduling(&full),
            "sh flag-1 flag-3 ops persistent 300/24 engine sip reset"
        );
        assert_eq!(read_scheduling(&write_scheduling(&full)), Some(full));
        for scheduler in Scheduler::ALL {
            let plain = Scheduling::new(scheduler);
            assert_eq!(read_scheduling(&write_scheduling(&plain)), Some(plain));
        }
        for forwarding in [Forwarding::Nat, Forwarding::DirectRouting] {
            let destination = Destination { upper_threshold: 9, ..Destination::new(3, forwarding) };
            for link in [None, Some(3)] {
                let words = write_server(&destination, link);
                assert_eq!(read_server(&words), Some((destination, link)));
            }
        }
    }

    #[test]
    fn words_of_others_are_not_understood() {
        for text in ["", "rr ", "rr persistent", "rr persistent 5", "best", "rr engine sip"] {
            assert_eq!(read_scheduling(text), None, "{text:?}");
        }
        for text in ["", "weight", "weight x", "weight 3 nat", "weight 3 tunnel limits 0/0"] {
            assert_eq!(read_server(text), None, "{text:?}");
        }
    }

    #[test]
    fn rules_that_lack_one_or_are_of_another_time_are_not_taken() {
        let key = DestinationKey { address: "10.0.0.1".parse().expect("an address"), port: 80 };
        let destination = Destination::new(1, Forwarding::Nat);
        let destinations = BTreeMap::from([(key, destination)]);
        let service = Service { scheduling: persistent(), destinations };
        let marks: Vec<_> = (0..3).map(|place| Marks::new(&service).of(place, 3)).collect();
        let read = |marks: &[String], destinations| {
            read_marks(
                marks.iter().map(String::as_str).collect::<Vec<_>>().into_iter(),
                destinations,
            )
        };
        assert_eq!(read(&marks, &service.destinations), Some(persistent()));
        assert_eq!(read(&marks[..2], &service.destinations), None);
        assert_eq!(read(&[], &service.destinations), None);
        let heavier = BTreeMap::from([(key, Destination { weight: 2, ..destination })]);
        assert_eq!(read(&marks, &heavier), None);
    }
}
