use std::net::Ipv4Addr;

use standfast_types::{AdvertInterval, Vrid};

use super::*;
use crate::{Announcements, Authentication, Discard, Envelope, Password, UnicastPeer};

const OWN: IpAddr = v4(192, 0, 2, 2);
const LOWER: IpAddr = v4(192, 0, 2, 1);
const HIGHER: IpAddr = v4(192, 0, 2, 3);
const ADDRESS: IpAddr = v4(192, 0, 2, 100);
const SECOND: Duration = Duration::from_secs(1);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn priority(priority: u8) -> Priority {
    Priority::new(priority).expect("not zero")
}

fn config(version: Version) -> Config {
    let vrid = Vrid::new(51).expect("not zero");
    Config { version, addresses: vec![ADDRESS], ..Config::new(vrid, priority(100)) }
}

/// A router under a clock that only the test moves.
struct Bench {
    router: Router,
    now: Instant,
}

impl Bench {
    fn init(config: Config) -> Self {
        let mut bench = Self { router: Router::new(config, Instant::ZERO), now: Instant::ZERO };
        bench.input(Input::Source(OWN));
        bench
    }

    fn backup(config: Config) -> Self {
        let mut bench = Self::init(config);
        bench.input(Input::Start);
        bench
    }

    fn master(config: Config) -> Self {
        let mut bench = Self::backup(config);
        bench.run_until_master();
        bench
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.router.handle_input(self.now, input);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.router.poll_output()).collect()
    }

    /// Jumps to the next deadline.
    fn step(&mut self) -> Vec<Output> {
        let (at, _) = self.router.next_deadline().expect("something is due");
        self.now = self.now.max(at);
        self.router.handle_timeout(self.now);
        self.drain()
    }

    fn wait(&mut self, wait: Duration) -> Vec<Output> {
        let end = self.now + wait;
        let mut outputs = Vec::new();
        while self.router.next_deadline().is_some_and(|(at, _)| at <= end) {
            outputs.extend(self.step());
        }
        self.now = end;
        outputs
    }

    fn run_until_master(&mut self) -> Duration {
        let start = self.now;
        while self.state() != StateName::Master {
            self.step();
        }
        self.now.saturating_since(start)
    }

    fn state(&self) -> StateName {
        self.router.snapshot().state
    }

    /// An advert as a peer with the same configuration sends it.
    fn advert(&mut self, source: IpAddr, priority: u8) -> Vec<Output> {
        let peer = Router::new(self.router.config().clone(), self.now);
        self.advert_from(&peer, source, priority)
    }

    fn advert_from(&mut self, peer: &Router, source: IpAddr, priority: u8) -> Vec<Output> {
        let destination = match &self.router.config().transport {
            Transport::Multicast { group } => *group,
            Transport::Unicast { .. } => OWN,
        };
        let mut payload = Vec::new();
        peer.emit_advert(priority, source, destination, &mut payload);
        self.datagram(source, destination, 255, &payload)
    }

    fn datagram(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
        payload: &[u8],
    ) -> Vec<Output> {
        let envelope = Envelope::Bare;
        self.input(Input::Datagram(Datagram { source, destination, ttl, envelope, payload }))
    }
}

fn discarded(outputs: &[Output]) -> Option<Discard> {
    outputs.iter().find_map(|output| {
        if let Output::Event(Event::Discarded { reason, .. }) = output {
            Some(*reason)
        } else {
            None
        }
    })
}

fn cause(outputs: &[Output]) -> Option<Cause> {
    outputs.iter().find_map(|output| {
        if let Output::Event(Event::Transition { cause, .. }) = output {
            Some(*cause)
        } else {
            None
        }
    })
}

#[test]
fn a_router_that_is_alone_takes_over_after_exactly_the_master_down_time() {
    for version in [Version::V2, Version::V3] {
        let mut bench = Bench::backup(config(version));
        assert_eq!(bench.run_until_master(), Duration::from_nanos(3_609_375_000));
    }
}

#[test]
fn a_new_master_holds_the_addresses_before_it_says_so() {
    let mut bench = Bench::backup(config(Version::V2));
    let outputs = bench.step();
    let expected =
        [Output::Hold, Output::Advertise { priority: 100 }, Output::Announce { repeat: 5 }];
    assert_eq!(outputs[..3], expected);
    let silence = Duration::from_nanos(3_609_375_000);
    assert_eq!(cause(&outputs), Some(Cause::MasterDown { master: None, silence }));
}

#[test]
fn an_owner_is_master_at_once() {
    let mut bench = Bench::init(Config { priority: Priority::OWNER, ..config(Version::V2) });
    let outputs = bench.input(Input::Start);
    assert_eq!(cause(&outputs), Some(Cause::Owner));
    assert_eq!(bench.state(), StateName::Master);
}

#[test]
fn a_backup_stays_backup_while_it_hears_a_better_or_equal_master() {
    for other in [100, 101, 254] {
        let mut bench = Bench::backup(config(Version::V2));
        for _ in 0..10 {
            bench.wait(SECOND);
            bench.advert(LOWER, other);
        }
        assert_eq!(bench.state(), StateName::Backup);
        assert_eq!(bench.router.snapshot().master, Some(LOWER));
    }
}

#[test]
fn a_lower_priority_advert_does_not_reset_the_timer_of_a_preempting_backup() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.wait(3 * SECOND);
    bench.advert(LOWER, 99);
    let outputs = bench.step();
    assert_eq!(bench.now.as_nanos(), 3_609_375_000);
    assert_eq!(cause(&outputs), Some(Cause::Preempted { master: LOWER, priority: 99 }));
}

#[test]
fn nopreempt_leaves_a_living_lower_priority_master_alone_but_replaces_a_dead_one() {
    let mut bench = Bench::backup(Config { preempt: Preempt::Never, ..config(Version::V2) });
    for _ in 0..10 {
        bench.wait(SECOND);
        bench.advert(LOWER, 1);
    }
    assert_eq!(bench.state(), StateName::Backup);
    assert_eq!(bench.run_until_master(), Duration::from_nanos(3_609_375_000));
}

#[test]
fn preempt_delay_counts_from_the_first_lower_priority_advert() {
    let preempt = Preempt::After(Duration::from_secs(10));
    let mut bench = Bench::backup(Config { preempt, ..config(Version::V2) });
    bench.wait(SECOND);
    bench.advert(LOWER, 50);
    let mut waited = 0;
    while bench.state() == StateName::Backup {
        bench.wait(SECOND);
        waited += 1;
        if bench.state() == StateName::Backup {
            bench.advert(LOWER, 50);
        }
    }
    assert_eq!(waited, 10);
}

/// Found by fuzzing: the delay ended between the good-bye and the skew, and was due for ever.
#[test]
fn a_good_bye_ends_a_preempt_delay() {
    let preempt = Preempt::After(Duration::from_secs(3));
    let mut bench = Bench::backup(Config { preempt, ..config(Version::V2) });
    bench.advert(LOWER, 50);
    bench.wait(Duration::from_millis(2_900));
    bench.advert(LOWER, 0);
    let (next, _) = bench.router.next_deadline().expect("it waits");
    assert_eq!(next.saturating_since(bench.now), Duration::from_nanos(609_375_000));
}

#[test]
fn a_better_master_calls_off_a_delayed_preemption() {
    let preempt = Preempt::After(Duration::from_secs(3));
    let mut bench = Bench::backup(Config { preempt, ..config(Version::V2) });
    bench.advert(LOWER, 50);
    bench.wait(2 * SECOND);
    bench.advert(HIGHER, 200);
    bench.wait(2 * SECOND);
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn a_master_that_lets_go_is_followed_after_the_skew() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.advert(LOWER, 200);
    bench.advert(LOWER, 0);
    let start = bench.now;
    let outputs = bench.step();
    assert_eq!(cause(&outputs), Some(Cause::MasterReleased { master: LOWER }));
    assert_eq!(bench.now.saturating_since(start), Duration::from_nanos(609_375_000));
}

#[test]
fn the_good_bye_of_a_router_that_is_not_the_master_changes_nothing() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.advert(HIGHER, 200);
    bench.advert(LOWER, 0);
    bench.wait(3 * SECOND);
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn a_v3_backup_learns_the_interval_of_the_master() {
    let mut bench = Bench::backup(config(Version::V3));
    let slow = AdvertInterval::from_centis(500).expect("in range");
    let peer = Router::new(Config { advert_interval: slow, ..config(Version::V3) }, bench.now);
    let outputs = bench.advert_from(&peer, HIGHER, 200);
    let learned = Output::Event(Event::IntervalLearned { source: HIGHER, interval: slow });
    assert!(outputs.contains(&learned));
    // 3 x 5 s + 156/256 x 5 s
    assert_eq!(bench.run_until_master(), Duration::from_nanos(18_046_875_000));
}

#[test]
fn a_v2_advert_with_another_interval_is_refused() {
    let mut bench = Bench::backup(config(Version::V2));
    let slow = AdvertInterval::from_seconds(2).expect("in range");
    let peer = Router::new(Config { advert_interval: slow, ..config(Version::V2) }, bench.now);
    let outputs = bench.advert_from(&peer, HIGHER, 200);
    assert_eq!(discarded(&outputs), Some(Discard::Interval));
}

#[test]
fn a_higher_priority_advert_demotes_the_master_which_then_shows_itself_once() {
    let mut bench = Bench::master(config(Version::V2));
    let outputs = bench.advert(LOWER, 101);
    assert_eq!(outputs[..2], [Output::LetGo, Output::Advertise { priority: 100 }]);
    assert_eq!(cause(&outputs), Some(Cause::HigherPriority { source: LOWER, priority: 101 }));
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn a_tie_goes_to_the_higher_address() {
    let mut bench = Bench::master(config(Version::V2));
    bench.advert(LOWER, 100);
    assert_eq!(bench.state(), StateName::Master);
    let outputs = bench.advert(HIGHER, 100);
    assert_eq!(cause(&outputs), Some(Cause::Tie { source: HIGHER }));
}

#[test]
fn a_master_answers_a_lower_priority_at_once_and_announces_again() {
    let mut bench = Bench::master(config(Version::V2));
    let outputs = bench.advert(HIGHER, 99);
    let event = Event::LowerPriorityHeard { source: HIGHER, priority: 99 };
    let expected =
        [Output::Advertise { priority: 100 }, Output::Announce { repeat: 5 }, Output::Event(event)];
    assert_eq!(outputs, expected);
}

#[test]
fn the_last_advert_of_a_preempted_master_is_answered_but_no_news() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.wait(3 * SECOND);
    bench.advert(LOWER, 99);
    bench.run_until_master();
    let answer = [Output::Advertise { priority: 100 }, Output::Announce { repeat: 5 }];
    assert_eq!(bench.advert(LOWER, 99), answer);
    bench.wait(SECOND);
    assert_eq!(bench.advert(LOWER, 99).len(), 3, "the second one is");
}

#[test]
fn a_flood_of_lower_priority_adverts_brings_one_burst_an_interval() {
    let mut bench = Bench::master(config(Version::V2));
    let mut bursts = 0;
    for _ in 0..1000 {
        let outputs = bench.advert(HIGHER, 99);
        bursts += outputs.iter().filter(|o| matches!(o, Output::Announce { .. })).count();
        bench.now = bench.now + Duration::from_millis(1);
    }
    assert_eq!(bursts, 1);
}

#[test]
fn a_second_rival_within_the_quiet_time_is_announced_against_when_it_falls_silent() {
    let slow = AdvertInterval::from_seconds(10).expect("not zero");
    let mut bench = Bench::master(Config { advert_interval: slow, ..config(Version::V2) });
    let peer = bench.router.clone();
    let bursts = |outputs: &[Output]| {
        outputs.iter().filter(|o| matches!(o, Output::Announce { .. })).count()
    };
    assert_eq!(bursts(&bench.advert_from(&peer, HIGHER, 99)), 1);
    assert_eq!(bursts(&bench.wait(5 * SECOND)), 1, "its second burst");
    assert_eq!(bursts(&bench.advert_from(&peer, LOWER, 98)), 0);
    assert_eq!(bursts(&bench.wait(Duration::from_millis(100))), 1);
}

#[test]
fn the_last_advert_of_a_loser_tells_other_backups_the_interval_of_the_winner() {
    let with = |centis| Config {
        advert_interval: AdvertInterval::from_centis(centis).expect("in range"),
        ..config(Version::V3)
    };
    let mut loser = Bench::master(with(100));
    let winner = Router::new(with(1000), Instant::ZERO);
    loser.advert_from(&winner, HIGHER, 200);
    assert_eq!(loser.state(), StateName::Backup);
    let mut payload = Vec::new();
    loser.router.emit_advert(100, OWN, Transport::GROUP, &mut payload);
    let packet = standfast_wire::vrrp::Packet::parse(&payload, Family::V4).expect("an advert");
    assert_eq!(packet.fields(), standfast_wire::vrrp::Fields::V3 { interval_centis: 1000 });
}

#[test]
fn lower_prio_no_advert_keeps_the_answer_but_not_the_announcement() {
    let quiet = Config { lower_prio_no_advert: true, ..config(Version::V2) };
    let mut bench = Bench::master(quiet);
    let outputs = bench.advert(HIGHER, 99);
    assert!(!outputs.contains(&Output::Advertise { priority: 100 }));
    assert!(outputs.contains(&Output::Announce { repeat: 5 }));
}

#[test]
fn a_master_answers_a_good_bye_with_an_advert_and_announces_against_whoever_served() {
    let mut bench = Bench::master(config(Version::V2));
    let answer = [Output::Advertise { priority: 100 }, Output::Announce { repeat: 5 }];
    assert_eq!(bench.advert(HIGHER, 0), answer);
}

#[test]
fn adverts_go_out_once_an_interval_and_the_second_burst_after_its_delay() {
    let mut bench = Bench::master(config(Version::V2));
    let outputs = bench.wait(10 * SECOND);
    let adverts = outputs.iter().filter(|o| matches!(o, Output::Advertise { .. })).count();
    let bursts = outputs.iter().filter(|o| matches!(o, Output::Announce { .. })).count();
    assert_eq!((adverts, bursts), (10, 1));
}

#[test]
fn a_refresh_repeats_for_as_long_as_it_is_master() {
    let announcements = Announcements {
        refresh: Duration::from_secs(10),
        refresh_repeat: 2,
        master_delay: Duration::ZERO,
        ..Announcements::default()
    };
    let mut bench = Bench::master(Config { announcements, ..config(Version::V2) });
    let outputs = bench.wait(35 * SECOND);
    let refreshes = outputs.iter().filter(|o| **o == Output::Announce { repeat: 2 }).count();
    assert_eq!(refreshes, 3);
}

#[test]
fn a_released_address_stays_until_the_successor_has_announced_it() {
    let mut bench = Bench::master(config(Version::V2));
    assert_eq!(bench.input(Input::Release), [Output::Advertise { priority: 0 }]);
    bench.wait(Duration::from_millis(600));
    assert_eq!(bench.advert(HIGHER, 80), []);
    assert_eq!(bench.wait(Duration::from_millis(100)), []);
    bench.input(Input::HandedOver);
    let outputs = bench.wait(LINGER);
    assert_eq!(outputs[0], Output::LetGo);
    assert_eq!(cause(&outputs), Some(Cause::Stopped));
    assert_eq!(bench.state(), StateName::Stop);
}

#[test]
fn a_release_without_successor_ends_when_the_slowest_backup_would_have_spoken() {
    let mut bench = Bench::master(config(Version::V2));
    bench.input(Input::Release);
    let start = bench.now;
    assert_eq!(bench.step()[0], Output::LetGo);
    assert!(bench.now.saturating_since(start) < Duration::from_millis(1_100));
}

#[test]
fn a_fault_lets_go_at_once_and_recovery_starts_as_backup() {
    let mut bench = Bench::master(config(Version::V2));
    let outputs = bench.input(Input::Fault);
    assert_eq!(outputs[..2], [Output::Advertise { priority: 0 }, Output::LetGo]);
    assert_eq!(bench.router.next_deadline(), None);
    bench.input(Input::Recover);
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn a_v3_master_that_leaves_hastens_its_successors_and_keeps_their_order() {
    for input in [Input::Fault, Input::Release] {
        let mut leaving = Bench::master(config(Version::V3));
        let outputs = leaving.input(input);
        let farewell = [Output::Advertise { priority: 100 }, Output::Advertise { priority: 0 }];
        assert_eq!(outputs[..2], farewell);
        let waits = [99, 98].map(|own| {
            let mut bench =
                Bench::backup(Config { priority: priority(own), ..config(Version::V3) });
            for priority in [100, 0] {
                bench.advert_from(&leaving.router, HIGHER, priority);
            }
            bench.run_until_master()
        });
        // (256 - 99) / 256 of 250 ms, and of a second without the farewell.
        assert_eq!(waits.map(|wait| wait.as_millis()), [153, 154]);
    }
    let quick = AdvertInterval::from_centis(25).expect("in range");
    let mut quick = Bench::master(Config { advert_interval: quick, ..config(Version::V3) });
    assert_eq!(quick.input(Input::Release), [Output::Advertise { priority: 0 }], "it is short");
}

#[test]
fn an_adopted_router_is_master_without_a_transition() {
    let mut bench = Bench::init(config(Version::V2));
    let outputs = bench.input(Input::Adopt);
    assert_eq!(outputs[..2], [Output::Hold, Output::Advertise { priority: 100 }]);
    assert_eq!(cause(&outputs), None);
    assert_eq!(bench.state(), StateName::Master);
}

#[test]
fn a_master_that_was_late_for_as_long_as_its_peers_wait_listens_before_it_speaks() {
    let mut bench = Bench::master(config(Version::V2));
    bench.now = bench.now + 4 * SECOND;
    bench.router.handle_timeout(bench.now);
    let outputs = bench.drain();
    assert_eq!(outputs[0], Output::LetGo);
    assert!(matches!(cause(&outputs), Some(Cause::Late { .. })));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Advertise { .. })));
    let alone = bench.run_until_master();
    assert_eq!(alone, Duration::from_nanos(1_609_375_000));
}

#[test]
fn a_backup_that_slept_through_its_timer_listens_for_one_more_interval() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.advert(HIGHER, 200);
    bench.now = bench.now + 60 * SECOND;
    bench.router.handle_timeout(bench.now);
    assert_eq!(bench.drain(), []);
    assert_eq!(bench.run_until_master(), Duration::from_nanos(1_609_375_000));
}

#[test]
fn a_master_that_is_a_little_late_stays_master() {
    let mut bench = Bench::master(config(Version::V2));
    bench.now = bench.now + Duration::from_millis(2_900);
    bench.router.handle_timeout(bench.now);
    assert_eq!(bench.drain(), [Output::Advertise { priority: 100 }]);
}

#[test]
fn with_one_advert_to_miss_ordinary_lateness_is_still_no_reason_to_step_down() {
    let mut bench = Bench::master(Config { down_timer_adverts: 1, ..config(Version::V2) });
    bench.now = bench.now + Duration::from_millis(1_500);
    bench.router.handle_timeout(bench.now);
    assert_eq!(bench.drain(), [Output::Advertise { priority: 100 }]);
    bench.now = bench.now + Duration::from_millis(1_610);
    bench.router.handle_timeout(bench.now);
    assert_eq!(bench.state(), StateName::Backup);
}

#[test]
fn a_changed_priority_moves_the_master_down_timer_and_the_next_advert() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.input(Input::Priority(priority(200)));
    assert_eq!(bench.run_until_master(), Duration::from_nanos(3_218_750_000));
    bench.input(Input::Priority(priority(150)));
    assert!(bench.wait(SECOND).contains(&Output::Advertise { priority: 150 }));
}

#[test]
fn a_reload_keeps_a_master_and_tells_the_peers_at_once() {
    let mut bench = Bench::master(config(Version::V2));
    let mut changed = config(Version::V2);
    changed.addresses.push(OWN);
    bench.router.reconfigure(bench.now, changed);
    assert_eq!(bench.drain(), [Output::Advertise { priority: 100 }]);
}

#[test]
fn another_address_list_is_accepted_and_said_once() {
    let mut bench = Bench::backup(config(Version::V2));
    let peer = Router::new(Config { addresses: vec![OWN], ..config(Version::V2) }, bench.now);
    let outputs = bench.advert_from(&peer, HIGHER, 200);
    assert_eq!(outputs, [Output::Event(Event::AddressListDiffers { source: HIGHER })]);
    assert_eq!(bench.advert_from(&peer, HIGHER, 200), []);
}

#[test]
fn every_reason_to_refuse_a_message_is_reached() {
    let group = Transport::GROUP;
    let password = |bytes| Authentication::Password(Password(bytes));
    let authentication = password(*b"1111\0\0\0\0");
    let mut seen = BTreeSet::new();
    let mut with = |config: Config, sender: Config, destination, ttl, damage: fn(&mut Vec<u8>)| {
        let mut bench = Bench::backup(config);
        let mut payload = Vec::new();
        Router::new(sender, Instant::ZERO).emit_advert(100, HIGHER, destination, &mut payload);
        damage(&mut payload);
        let outputs = bench.datagram(HIGHER, destination, ttl, &payload);
        let reason = discarded(&outputs).expect("refused");
        assert_eq!(bench.router.snapshot().master, None);
        seen.insert(reason);
    };
    let (v2, v3) = (config(Version::V2), config(Version::V3));
    with(v2.clone(), v2.clone(), group, 255, |bytes| bytes.truncate(10));
    with(v2.clone(), v2.clone(), group, 255, |bytes| bytes.push(0));
    with(v2.clone(), v3.clone(), group, 255, |_| ());
    with(v2.clone(), v2.clone(), group, 255, |bytes| bytes[0] = 0x22);
    with(v2.clone(), v2.clone(), group, 255, |bytes| bytes[1] = 0);
    with(v2.clone(), v2.clone(), group, 255, |bytes| bytes[6] ^= 1);
    with(v3.clone(), v3.clone(), group, 255, |bytes| bytes[6] ^= 1);
    with(v2.clone(), v2.clone(), group, 254, |_| ());
    with(v2.clone(), v2.clone(), OWN, 255, |_| ());
    with(
        Config { authentication: authentication.clone(), ..v2.clone() },
        v2.clone(),
        group,
        255,
        |_| (),
    );
    let other = Config { authentication: password(*b"2222\0\0\0\0"), ..v2.clone() };
    with(
        Config { authentication: authentication.clone(), ..v2.clone() },
        other,
        group,
        255,
        |_| (),
    );
    let slow = AdvertInterval::from_seconds(2).expect("in range");
    with(v2.clone(), Config { advert_interval: slow, ..v2.clone() }, group, 255, |_| ());
    let peer = |address| UnicastPeer { address, min_ttl: 254, max_ttl: 255 };
    let unicast = |address| Config {
        transport: Transport::Unicast { peers: vec![peer(address)], check_source: true, ttl: 255 },
        ..config(Version::V2)
    };
    with(unicast(LOWER), v2.clone(), OWN, 255, |_| ());
    with(unicast(HIGHER), v2.clone(), OWN, 1, |_| ());
    let mut bench = Bench::backup(v2);
    seen.extend(discarded(&bench.advert(OWN, 100)));
    // Those of authentication follow, and are reached in its own tests.
    let plain = Discard::ALL.into_iter().take_while(|&reason| reason <= Discard::Destination);
    assert!(seen.into_iter().eq(plain));
}

#[test]
fn a_unicast_peer_with_the_old_checksum_is_heard_and_answered_alike() {
    let peers = vec![UnicastPeer { address: HIGHER, min_ttl: 0, max_ttl: 255 }];
    let transport = Transport::Unicast { peers, check_source: false, ttl: 255 };
    let modern = Config { transport, ..config(Version::V3) };
    let old = Config { checksum: ChecksumMode::OldUnicast, ..modern.clone() };
    let mut bench = Bench::backup(modern.clone());
    let peer = Router::new(old.clone(), Instant::ZERO);
    let outputs = bench.advert_from(&peer, HIGHER, 200);
    assert!(outputs.contains(&Output::Event(Event::OldChecksumPeer { source: HIGHER })));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    bench.router.emit_advert(100, OWN, HIGHER, &mut ours);
    peer.emit_advert(100, OWN, HIGHER, &mut theirs);
    assert_eq!(ours, theirs);

    let strict = Config { checksum: ChecksumMode::PseudoHeaderOnly, ..modern };
    let mut bench = Bench::backup(strict);
    assert_eq!(discarded(&bench.advert_from(&peer, HIGHER, 200)), Some(Discard::Checksum));
}

#[test]
fn v3_checksum_as_v2_sends_without_pseudo_header_and_accepts_both() {
    let as_v2 = Config { checksum: ChecksumMode::AsV2, ..config(Version::V3) };
    let mut bench = Bench::backup(as_v2);
    let rfc = Router::new(config(Version::V3), Instant::ZERO);
    assert_eq!(discarded(&bench.advert_from(&rfc, HIGHER, 200)), None);
    assert_eq!(discarded(&bench.advert(HIGHER, 200)), None);
    assert_eq!(bench.router.snapshot().master, Some(HIGHER));
}

/// Every state under every input: none panics, and only the transitions written here happen.
#[test]
fn the_state_table_is_complete() {
    let table: [(StateName, &str); 5] = [
        // Start, Adopt, better advert, worse advert, good-bye, Fault, Recover, Release, HandedOver
        (StateName::Init, "BACKUP MASTER INIT INIT INIT FAULT INIT STOP INIT"),
        (StateName::Backup, "BACKUP BACKUP BACKUP BACKUP BACKUP FAULT BACKUP STOP BACKUP"),
        (StateName::Master, "MASTER MASTER BACKUP MASTER MASTER FAULT MASTER MASTER MASTER"),
        (StateName::Fault, "FAULT FAULT FAULT FAULT FAULT FAULT BACKUP STOP FAULT"),
        (StateName::Stop, "STOP STOP STOP STOP STOP STOP STOP STOP STOP"),
    ];
    for (state, row) in table {
        for (column, expected) in row.split(' ').enumerate() {
            let mut bench = match state {
                StateName::Init => Bench::init(config(Version::V2)),
                StateName::Backup => Bench::backup(config(Version::V2)),
                StateName::Master => Bench::master(config(Version::V2)),
                StateName::Fault | StateName::Stop => {
                    let mut bench = Bench::backup(config(Version::V2));
                    let fault = state == StateName::Fault;
                    bench.input(if fault { Input::Fault } else { Input::Release });
                    bench
                }
            };
            match column {
                0 => bench.input(Input::Start),
                1 => bench.input(Input::Adopt),
                2 => bench.advert(HIGHER, 200),
                3 => bench.advert(LOWER, 50),
                4 => bench.advert(HIGHER, 0),
                5 => bench.input(Input::Fault),
                6 => bench.input(Input::Recover),
                7 => bench.input(Input::Release),
                _ => bench.input(Input::HandedOver),
            };
            assert_eq!(bench.state().as_str(), expected, "{state:?}, column {column}");
        }
    }
}

mod counting;
mod owning;

#[test]
fn a_member_counts_its_master_as_alive_when_the_next_advert_is_due_however_few_may_be_missed() {
    for (adverts, halves) in [(1, 3), (2, 3), (3, 4), (5, 8)] {
        let mut bench =
            Bench::backup(Config { down_timer_adverts: adverts, ..config(Version::V2) });
        bench.advert(LOWER, 200);
        let until = Instant::ZERO + SECOND * halves / 2;
        assert_eq!(bench.router.master_alive_until(), Some(until), "{adverts}");
    }
}

#[test]
fn a_backup_whose_priority_falls_below_the_master_s_takes_nothing_over_from_it() {
    let delay = Duration::from_millis(1700);
    for preempt in [Preempt::After(delay), Preempt::Always] {
        for fall_after in 0..40_u32 {
            let mut bench = Bench::backup(Config { preempt, ..config(Version::V3) });
            bench.input(Input::Priority(priority(150)));
            let fall = SECOND * fall_after / 10;
            for tick in 0..60_u32 {
                if bench.state() == StateName::Master {
                    break;
                }
                if SECOND * tick / 10 == fall {
                    bench.input(Input::Priority(priority(50)));
                }
                if tick % 10 == 1 {
                    bench.advert(LOWER, 100);
                }
                let outputs = bench.wait(SECOND / 10);
                if SECOND * tick / 10 >= fall {
                    assert_eq!(
                        cause(&outputs),
                        None,
                        "{preempt:?} fell after {fall:?}, tick {tick}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_reload_to_nopreempt_takes_nothing_over_from_a_living_master() {
    for preempt in [Preempt::After(SECOND), Preempt::Always] {
        let mut bench = Bench::backup(Config { preempt, ..config(Version::V3) });
        bench.advert(LOWER, 50);
        bench.wait(SECOND / 2);
        let config = Config { preempt: Preempt::Never, ..bench.router.config().clone() };
        bench.router.reconfigure(bench.now, config);
        for _ in 0..10 {
            bench.wait(SECOND / 2);
            bench.advert(LOWER, 50);
            bench.wait(SECOND / 2);
            assert_eq!(bench.state(), StateName::Backup, "{preempt:?}");
        }
    }
}

#[test]
fn a_reload_does_not_excuse_a_master_that_was_frozen() {
    let mut bench = Bench::master(config(Version::V3));
    bench.now = bench.now + SECOND * 10;
    bench
        .router
        .reconfigure(bench.now, Config { lower_prio_no_advert: true, ..config(Version::V3) });
    let outputs = bench.drain();
    assert!(matches!(cause(&outputs), Some(Cause::Late { .. })), "{outputs:?}");
    assert!(
        !outputs.iter().any(|output| matches!(output, Output::Advertise { .. })),
        "{outputs:?}"
    );
}

#[test]
fn made_up_senders_of_old_checksums_do_not_fill_the_memory() {
    let peer = UnicastPeer { address: HIGHER, min_ttl: 0, max_ttl: 255 };
    let transport = Transport::Unicast { peers: vec![peer], check_source: false, ttl: 255 };
    let mut bench = Bench::backup(Config { transport, ..config(Version::V3) });
    let old = Config { checksum: ChecksumMode::OldUnicast, ..bench.router.config().clone() };
    let old = Router::new(old, Instant::ZERO);
    for host in 1..=200 {
        bench.advert_from(&old, v4(10, 0, 0, host), 100);
    }
    bench.advert_from(&old, HIGHER, 100);
    assert_eq!(bench.router.old_checksum_peers, BTreeSet::from([HIGHER]));
}
