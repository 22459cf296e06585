//! Who else answers for an address that we hold (RFC 5227). It is noticed, told and, once it has ended,
//! followed by an announcement; who is right the election alone decides.
//!
//! A master asks for its own addresses: for each of them soon after it has taken over, and later for one
//! after the other. While somebody answers it asks often, so that the end is noticed at once.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{IfIndex, Instant, MacAddress};

/// Between taking over and the first question: announcements go first.
const FIRST: Duration = Duration::from_millis(200);
/// Between two portions of first questions.
const NEXT: Duration = Duration::from_millis(20);
const PORTION: usize = 16;
/// Between two questions of an instance, in the long run.
const PERIOD: Duration = Duration::from_secs(30);
/// Between two questions about an address that somebody else answers for, at first and later.
const URGENT: Duration = Duration::from_millis(30);
const LASTING: Duration = Duration::from_secs(1);
/// How long a conflict is urgent.
const URGENCY: Duration = Duration::from_secs(60);

/// Where an address is: several interfaces may have the same one.
pub(crate) type Place = (IfIndex, IpAddr);

/// How it was noticed that another machine has the address too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// It announced the address to everybody.
    Announced,
    /// It answered our question who has the address.
    Answered,
}

/// The other machine, and since when.
#[derive(Clone, Copy, Debug)]
struct Conflict {
    mac: MacAddress,
    since: Instant,
    /// When it was heard last.
    heard: Instant,
    /// Questions since then.
    unanswered: u8,
    ask_at: Instant,
}

/// What a master knows of rivals for its addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The next address to ask for.
    next: usize,
    /// How many addresses have not been asked for since the takeover.
    fresh: usize,
    ask_at: Option<Instant>,
    conflicts: BTreeMap<Place, Conflict>,
}

/// What follows from the passing of time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Ask who has these.
    pub(crate) ask: Vec<Place>,
    /// These are ours alone again: by whom they were answered, and how long.
    pub(crate) ended: Vec<(Place, MacAddress, Duration)>,
}

impl Watch {
    /// We hold so many addresses since just now.
    pub(crate) fn start(&mut self, now: Instant, addresses: usize) {
        let ask_at = (addresses > 0).then(|| now + FIRST);
        *self = Self { ask_at, fresh: addresses, ..Self::default() };
    }

    /// We hold nothing any more.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.conflicts.values().map(|conflict| conflict.ask_at).chain(self.ask_at).min()
    }

    /// Somebody else claims one of our addresses. Whether that was news.
    pub(crate) fn handle_claim(&mut self, now: Instant, place: Place, mac: MacAddress) -> bool {
        if self.ask_at.is_none() {
            return false;
        }
        let known = self.conflicts.get(&place).filter(|conflict| conflict.mac == mac);
        let conflict = Conflict {
            mac,
            since: known.map_or(now, |conflict| conflict.since),
            heard: now,
            unanswered: 0,
            ask_at: known.map_or(now + URGENT, |conflict| conflict.ask_at),
        };
        let news = known.is_none();
        self.conflicts.insert(place, conflict);
        news
    }

    /// What is due, of these addresses that we hold.
    pub(crate) fn handle_timeout(&mut self, now: Instant, held: &[Place]) -> Due {
        let mut due = Due::default();
        if self.ask_at.is_some_and(|at| at <= now) {
            let portion = if self.fresh > 0 { self.fresh.min(PORTION) } else { 1 };
            let round = held.iter().cycle().skip(self.next).take(portion.min(held.len()));
            due.ask.extend(round);
            self.next = self.next.saturating_add(portion).checked_rem(held.len()).unwrap_or(0);
            self.fresh = self.fresh.saturating_sub(portion);
            self.ask_at = Some(now + if self.fresh > 0 { NEXT } else { PERIOD });
        }
        self.conflicts.retain(|place, conflict| {
            if conflict.ask_at > now {
                return true;
            }
            // Two questions without an answer: one may be lost.
            let ended = conflict.unanswered >= 2 || !held.contains(place);
            if ended {
                let lasted = conflict.heard.saturating_since(conflict.since);
                due.ended.push((*place, conflict.mac, lasted));
            } else {
                due.ask.push(*place);
                conflict.unanswered = conflict.unanswered.saturating_add(1);
                let urgent = now.saturating_since(conflict.since) < URGENCY;
                // An answer is missing: whether it is the last one shall be known soon.
                let soon = urgent || conflict.unanswered > 1;
                conflict.ask_at = now + if soon { URGENT } else { LASTING };
            }
            !ended
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIVAL: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    /// What happened to which address, and when.
    type Timed = Vec<(Instant, Place)>;

    fn place(host: u8) -> Place {
        (IfIndex::new(2), IpAddr::from([192, 0, 2, host]))
    }

    /// Runs until `end`; answers come from those in `rivals`. What was asked, and what ended when.
    fn run(
        watch: &mut Watch,
        from: Instant,
        end: Instant,
        held: &[Place],
        rivals: &[Place],
    ) -> (Timed, Timed) {
        let (mut asked, mut ended, mut now) = (Vec::new(), Vec::new(), from);
        while let Some(at) = watch.next_deadline().filter(|at| *at <= end) {
            assert!(at > now || asked.is_empty(), "called in a circle");
            now = at;
            let due = watch.handle_timeout(now, held);
            asked.extend(due.ask.iter().map(|place| (now, *place)));
            ended.extend(due.ended.iter().map(|(place, ..)| (now, *place)));
            for place in due.ask.iter().filter(|place| rivals.contains(place)) {
                watch.handle_claim(now + Duration::from_millis(1), *place, RIVAL);
            }
        }
        (asked, ended)
    }

    #[test]
    fn every_address_is_asked_for_soon_after_the_takeover_and_later_one_after_the_other() {
        let held: Vec<_> = (1..=40).map(place).collect();
        let mut watch = Watch::default();
        watch.start(Instant::ZERO, held.len());
        let second = Instant::ZERO + Duration::from_secs(1);
        let (asked, _) = run(&mut watch, Instant::ZERO, second, &held, &[]);
        assert_eq!(asked.iter().map(|(_, place)| *place).collect::<Vec<_>>(), held);
        let hour = second + Duration::from_secs(3600);
        let (asked, _) = run(&mut watch, second, hour, &held, &[]);
        assert_eq!(asked.len(), 120);
        assert_eq!(asked[41].1, held[1], "round and round");
    }

    #[test]
    fn the_end_of_a_conflict_is_noticed_within_a_tenth_of_a_second() {
        let held = [place(1), place(2)];
        let mut watch = Watch::default();
        watch.start(Instant::ZERO, held.len());
        let second = Instant::ZERO + Duration::from_secs(1);
        let (_, ended) = run(&mut watch, Instant::ZERO, second, &held, &[place(2)]);
        assert_eq!(ended, []);
        assert!(watch.conflicts.keys().eq([&place(2)]));
        let (_, ended) = run(&mut watch, second, second + Duration::from_secs(1), &held, &[]);
        assert_eq!(ended.len(), 1);
        let (at, which) = ended[0];
        assert_eq!(which, place(2));
        assert!(at <= second + Duration::from_millis(100), "{at:?}");
        assert!(watch.conflicts.is_empty());
    }

    #[test]
    fn a_conflict_that_lasts_is_not_asked_about_thirty_times_a_second_for_ever() {
        let held = [place(1)];
        let mut watch = Watch::default();
        watch.start(Instant::ZERO, held.len());
        let minute = Instant::ZERO + Duration::from_secs(61);
        run(&mut watch, Instant::ZERO, minute, &held, &held);
        let (asked, ended) =
            run(&mut watch, minute, minute + Duration::from_secs(100), &held, &held);
        assert!((90..=110).contains(&asked.len()), "{}", asked.len());
        assert_eq!(ended, []);
    }

    #[test]
    fn one_lost_answer_is_not_the_end() {
        let held = [place(1)];
        let mut watch = Watch::default();
        watch.start(Instant::ZERO, held.len());
        let mut now = Instant::ZERO;
        assert!(watch.handle_claim(now, place(1), RIVAL));
        for round in 0..20 {
            now = watch.next_deadline().expect("it asks");
            let due = watch.handle_timeout(now, &held);
            assert_eq!(due.ended, [], "round {round}");
            if round % 2 == 1 {
                assert!(!watch.handle_claim(now, place(1), RIVAL), "no news");
            }
        }
    }

    #[test]
    fn who_holds_nothing_has_no_rivals() {
        let mut watch = Watch::default();
        assert!(!watch.handle_claim(Instant::ZERO, place(1), RIVAL));
        assert_eq!(watch.next_deadline(), None);
    }
}
