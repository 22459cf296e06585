use std::time::Duration;

use proptest::prelude::*;
use standfast_types::Instant;

use crate::{Change, Check, Failure, Good, Http, HttpProtocol, Kind, Prober, Target, Timing, Url};

const LOOP: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);
const GOOD: Good = Good { weight: None };

fn check(retry: u32, alpha: bool, pages: usize, fast_recovery: bool) -> Check {
    let url = Url {
        path: "/".into(),
        host: None,
        status: vec![(200, 299)],
        digest: None,
        pattern: None,
        strict_end: false,
    };
    let http = Http {
        target: Target::default(),
        tls: None,
        protocol: HttpProtocol::Http10,
        fast_recovery,
        urls: vec![url; pages],
    };
    Check {
        kind: Kind::Http(Box::new(http)),
        timing: Timing {
            delay_loop: LOOP,
            retry,
            delay_before_retry: RETRY,
            warmup: LOOP,
            timeout: Duration::from_secs(5),
        },
        alpha,
        log_all_failures: false,
        shared: true,
    }
}

fn failure() -> Failure {
    Failure::Connection("connection refused".into())
}

/// A probe under a virtual clock.
struct Clock {
    prober: Prober,
    now: Instant,
}

impl Clock {
    fn new(check: &Check) -> Self {
        Self { prober: Prober::new(check, 1, Instant::ZERO), now: Instant::ZERO }
    }

    /// The next run, which takes no time: what it came to, and how long it was waited for.
    fn run(&mut self, good: bool) -> (Option<Change>, Duration) {
        let at = self.prober.next_deadline().expect("a deadline");
        let waited = at.saturating_since(self.now);
        self.now = at;
        assert!(self.prober.handle_timeout(at));
        assert_eq!(self.prober.next_deadline(), None);
        let result = if good { Ok(GOOD) } else { Err(failure()) };
        (self.prober.handle_result(at, result), waited)
    }
}

fn failed(left: Option<u32>) -> Option<Change> {
    Some(Change::Failed { failure: failure(), left })
}

#[test]
fn the_first_failure_of_a_new_probe_takes_the_server_down_at_once() {
    let mut clock = Clock::new(&check(3, false, 1, false));
    assert_eq!(clock.run(false).0, Some(Change::Bad(failure())));
    assert_eq!(clock.run(false), (failed(None), LOOP));
}

#[test]
fn a_server_that_was_good_is_allowed_so_many_failures_more() {
    let mut clock = Clock::new(&check(2, false, 1, false));
    assert_eq!(clock.run(true).0, Some(Change::Good(GOOD)));
    assert_eq!(clock.run(false), (failed(Some(1)), LOOP));
    assert_eq!(clock.run(false), (failed(Some(0)), RETRY));
    assert_eq!(clock.run(true), (None, RETRY), "a good run forgives them all");
    assert_eq!(clock.run(false), (failed(Some(1)), LOOP));
    assert_eq!(clock.run(false), (failed(Some(0)), RETRY));
    assert_eq!(clock.run(false), (Some(Change::Bad(failure())), RETRY));
    assert_eq!(clock.run(true), (Some(Change::Good(GOOD)), LOOP));
}

#[test]
fn a_page_that_fails_is_asked_for_again() {
    let mut clock = Clock::new(&check(5, false, 3, false));
    clock.run(true);
    assert_eq!(clock.prober.page(), 1);
    clock.run(false);
    assert_eq!(clock.prober.page(), 1);
    clock.run(true);
    assert_eq!(clock.prober.page(), 2);
    clock.run(true);
    assert_eq!(clock.prober.page(), 0);
}

#[test]
fn a_bad_server_is_good_when_all_its_pages_were() {
    for (fast, wait) in [(false, LOOP), (true, Duration::ZERO)] {
        let mut clock = Clock::new(&check(0, false, 3, fast));
        clock.run(false);
        assert_eq!(clock.run(true), (None, LOOP));
        assert_eq!(clock.run(true), (None, wait));
        assert_eq!(clock.run(false), (failed(None), wait));
        assert_eq!(clock.run(true), (None, LOOP));
        assert_eq!(clock.run(true), (None, wait));
        assert_eq!(clock.run(true), (Some(Change::Good(GOOD)), wait));
        assert_eq!(clock.run(true), (None, LOOP));
    }
}

#[test]
fn alpha_wants_all_pages_before_its_first_verdict() {
    let mut clock = Clock::new(&check(0, false, 2, false));
    assert_eq!(clock.run(true).0, Some(Change::Good(GOOD)));
    let mut clock = Clock::new(&check(0, true, 2, true));
    assert_eq!(clock.run(true).0, None);
    assert_eq!(clock.prober.verdict(), None);
    assert_eq!(clock.run(true), (Some(Change::Good(GOOD)), Duration::ZERO));
}

#[test]
fn another_weight_is_a_change() {
    let mut prober = Prober::new(&check(0, false, 1, false), 1, Instant::ZERO);
    let weight = |weight| Good { weight: Some(weight) };
    let mut result = |good| prober.handle_result(Instant::ZERO, Ok(good));
    assert_eq!(result(weight(5)), Some(Change::Good(weight(5))));
    assert_eq!(result(weight(5)), None);
    assert_eq!(result(weight(6)), Some(Change::Good(weight(6))));
    assert_eq!(result(GOOD), Some(Change::Good(GOOD)));
}

#[test]
fn an_earlier_verdict_keeps_the_patience() {
    let prober = Prober::new(&check(1, false, 1, false), 1, Instant::ZERO);
    let mut good = prober.clone().with_verdict(Some(GOOD));
    assert_eq!(good.handle_result(Instant::ZERO, Err(failure())), failed(Some(0)));
    let mut bad = prober.with_verdict(None);
    assert_eq!(bad.handle_result(Instant::ZERO, Ok(GOOD)), Some(Change::Good(GOOD)));
}

#[test]
fn first_runs_are_spread_over_the_warmup() {
    let starts: Vec<u64> = (0..1000)
        .map(|seed| Prober::new(&check(0, false, 1, false), seed, Instant::ZERO))
        .map(|prober| prober.next_deadline().expect("a deadline").as_nanos() / 1_000_000_000)
        .collect();
    for second in 0..10 {
        let count = starts.iter().filter(|&&start| start == second).count();
        assert!((60..=140).contains(&count), "{count} start in second {second}");
    }
}

proptest! {
    #[test]
    fn verdicts_follow_from_the_results_alone(
        results in proptest::collection::vec(any::<bool>(), 1..200),
        retry in 0_u32..4,
        pages in 1_usize..4,
        alpha: bool,
        fast: bool,
        seed: u64,
    ) {
        let check = check(retry, alpha, pages, fast);
        let mut clock = Clock { prober: Prober::new(&check, seed, Instant::ZERO), now: Instant::ZERO };
        let mut verdict = None;
        let (mut goods, mut failures) = (0, 0);
        for good in results {
            let (change, waited) = clock.run(good);
            prop_assert!(waited <= LOOP);
            (goods, failures) = if good { (goods + 1, 0) } else { (0, failures + 1) };
            let before = verdict;
            verdict = match verdict {
                None if good && (!alpha || goods >= pages) => Some(true),
                None | Some(true) if !good && (before.is_none() || failures > retry) => Some(false),
                Some(false) if goods >= pages => Some(true),
                other => other,
            };
            prop_assert_eq!(clock.prober.verdict(), verdict);
            match change {
                Some(Change::Good(_)) => prop_assert!(good && verdict == Some(true) && before != verdict),
                Some(Change::Bad(_)) => prop_assert!(!good && verdict == Some(false) && before != verdict),
                Some(Change::Failed { .. }) => prop_assert!(!good && before == verdict),
                None => prop_assert!(good && before == verdict),
            }
            if verdict != Some(true) {
                failures = 0;
            }
        }
    }
}
