use std::num::NonZeroU8;

use super::*;

const MILLI: Duration = Duration::from_millis(1);
/// One way.
const DELAY: Duration = Duration::from_micros(200);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

fn config(interval: Duration, mult: u8) -> Config {
    Config {
        desired_min_tx: interval,
        required_min_rx: interval,
        detect_mult: NonZeroU8::new(mult).expect("not zero"),
        ..Config::default()
    }
}

/// Two sessions on one cable, under one virtual clock.
struct Pair {
    now: Instant,
    sessions: [Session; 2],
    /// Whether packets from this side arrive.
    passes: [bool; 2],
    /// Arrival, receiver.
    in_flight: VecDeque<(Instant, usize, Packet)>,
    sent: Vec<(Instant, usize, Packet)>,
    events: Vec<(Instant, usize, Event)>,
}

impl Pair {
    fn new(a: Config, b: Config) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let sessions = [Session::new(a, number(11), 1, now), Session::new(b, number(22), 2, now)];
        let (in_flight, sent, events) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { now, sessions, passes: [true; 2], in_flight, sent, events }
    }

    fn up(a: Config, b: Config) -> Self {
        let mut pair = Self::new(a, b);
        pair.run(Duration::from_secs(3));
        assert_eq!(pair.states(), [State::Up; 2]);
        pair.forget();
        pair
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    fn states(&self) -> [State; 2] {
        [0, 1].map(|side: usize| self.sessions[side].snapshot().state)
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.sessions[side].poll_output() {
            match output {
                Output::Transmit(packet) => {
                    assert_eq!(Packet::parse(&packet.emit()), Ok(packet), "it can be sent");
                    self.sent.push((self.now, side, packet));
                    if self.passes[side] {
                        self.in_flight.push_back((self.now + DELAY, 1 - side, packet));
                    }
                }
                Output::Event(event) => self.events.push((self.now, side, event)),
            }
        }
    }

    fn input(&mut self, side: usize, input: Input) {
        self.sessions[side].handle_input(self.now, input);
        self.drain(side);
    }

    fn reconfigure(&mut self, side: usize, config: Config) {
        self.sessions[side].reconfigure(self.now, config);
        self.drain(side);
    }

    /// Lets both run for this long, packets before timers.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timers = self.sessions.iter().filter_map(|session| session.next_deadline());
            let arrival = self.in_flight.front().map(|(at, ..)| *at);
            let Some(next) = timers.map(|(at, _)| at).chain(arrival).min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            while let Some((_, side, packet)) =
                self.in_flight.pop_front_if(|(at, ..)| *at <= self.now)
            {
                self.input(side, Input::Packet { ttl: 255, packet });
            }
            for side in [0, 1] {
                if self.sessions[side].next_deadline().is_some_and(|(at, _)| at <= self.now) {
                    self.sessions[side].handle_timeout(self.now);
                    self.drain(side);
                }
            }
        }
        self.now = end;
    }

    fn gaps(&self, side: usize) -> Vec<Duration> {
        let own = self.sent.iter().filter(|(_, from, packet)| *from == side && !packet.is_final);
        let times: Vec<_> = own.map(|(at, ..)| *at).collect();
        times.windows(2).map(|pair| pair[1].saturating_since(pair[0])).collect()
    }

    fn causes(&self, side: usize) -> Vec<(State, Cause)> {
        let own = self.events.iter().filter(|(_, at, _)| *at == side);
        own.filter_map(|(_, _, event)| match event {
            Event::Transition { to, cause, .. } => Some((*to, *cause)),
            Event::Agreed(_) | Event::Late { .. } | Event::Discarded(_) => None,
        })
        .collect()
    }
}

#[test]
fn two_sessions_come_up_within_a_few_round_trips() {
    let mut pair = Pair::new(config(10 * MILLI, 3), config(10 * MILLI, 3));
    pair.run(2 * MILLI);
    assert_eq!(pair.states(), [State::Up; 2]);
    pair.run(20 * MILLI);
    let agreed = |side: usize| {
        let numbers = [number(11), number(22)];
        Event::Agreed(Bond {
            discriminator: numbers[side],
            remote_discriminator: numbers[1 - side],
            transmit: 10 * MILLI,
            detection: 30 * MILLI,
        })
    };
    for side in [0, 1] {
        assert_eq!(
            pair.events
                .iter()
                .filter(|(_, at, event)| (*at, *event) == (side, agreed(side)))
                .count(),
            1
        );
    }
}

#[test]
fn the_pace_is_what_the_slower_of_sender_and_receiver_wants_less_jitter() {
    let fast = config(10 * MILLI, 3);
    let slow = Config { required_min_rx: 40 * MILLI, ..fast };
    let mut pair = Pair::up(fast, slow);
    pair.run(Duration::from_secs(20));
    for (side, interval) in [(0, 40 * MILLI), (1, 10 * MILLI)] {
        let gaps = pair.gaps(side);
        assert!(gaps.iter().all(|gap| *gap >= interval * 3 / 4 && *gap <= interval));
        let spread =
            gaps.iter().max().expect("some").saturating_sub(*gaps.iter().min().expect("some"));
        assert!(spread > interval / 5, "{spread:?}");
    }
    assert_eq!(pair.sessions[1].snapshot().detection, Some(120 * MILLI));
    assert_eq!(pair.sessions[0].snapshot().detection, Some(30 * MILLI));
}

#[test]
fn a_single_packet_that_counts_is_sent_ten_percent_early_at_least() {
    let mut pair = Pair::up(config(100 * MILLI, 1), config(100 * MILLI, 1));
    pair.run(Duration::from_secs(60));
    assert!(pair.gaps(0).iter().all(|gap| *gap >= 75 * MILLI && *gap <= 90 * MILLI));
    assert_eq!(pair.states(), [State::Up; 2]);
}

#[test]
fn silence_for_the_detection_time_takes_it_down_and_the_other_side_is_told() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    pair.passes[0] = false;
    let cut = pair.now;
    pair.run(50 * MILLI);
    assert_eq!(pair.states()[1], State::Down);
    let (at, _, event) = pair.events.iter().find(|(_, side, _)| *side == 1).expect("it fell");
    let Event::Transition { cause: Cause::Silence { lasted: silence }, .. } = *event else {
        panic!("{event:?}");
    };
    assert_eq!(silence, 30 * MILLI);
    assert!(at.saturating_since(cut) <= 30 * MILLI + DELAY);
    let told = Cause::Neighbor { diagnostic: Diagnostic::TIME_EXPIRED };
    assert_eq!(pair.causes(0)[0], (State::Down, told));
    assert_eq!(pair.sessions[0].snapshot().diagnostic, Diagnostic::NEIGHBOR_SIGNALED);
    let snapshot = pair.sessions[1].snapshot();
    assert_eq!(
        (snapshot.diagnostic, snapshot.remote_discriminator),
        (Diagnostic::TIME_EXPIRED, None)
    );
    pair.passes[0] = true;
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.states(), [State::Up; 2]);
}

#[test]
fn one_packet_a_second_while_the_neighbour_is_not_there() {
    let mut pair = Pair::new(config(10 * MILLI, 3), config(10 * MILLI, 3));
    pair.passes = [false; 2];
    pair.run(Duration::from_secs(60));
    let gaps = pair.gaps(0);
    assert!((60..=80).contains(&gaps.len()), "{}", gaps.len());
    assert!(gaps.iter().all(|gap| *gap >= 750 * MILLI));
    assert!(pair.sent.iter().all(|(_, _, packet)| packet.desired_min_tx == 1_000_000));
}

#[test]
fn a_passive_session_is_silent_until_it_is_spoken_to_and_again_after_silence() {
    let passive = Config { role: Role::Passive, ..config(10 * MILLI, 3) };
    let mut pair = Pair::new(config(10 * MILLI, 3), passive);
    pair.passes[0] = false;
    pair.run(Duration::from_secs(5));
    assert!(pair.sent.iter().all(|(_, side, _)| *side == 0));
    pair.passes[0] = true;
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.states(), [State::Up; 2]);
    pair.passes[0] = false;
    pair.run(Duration::from_secs(2));
    pair.forget();
    pair.run(Duration::from_secs(5));
    assert!(pair.sent.iter().all(|(_, side, _)| *side == 0));
    let mut both = Pair::new(passive, passive);
    both.run(Duration::from_secs(5));
    assert!(both.sent.is_empty());
}

#[test]
fn a_release_is_told_at_once_and_nothing_is_said_after_it() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    pair.input(0, Input::Release);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.states(), [State::AdminDown, State::Down]);
    assert_eq!(pair.causes(1), [(State::Down, Cause::NeighborAdmin)]);
    let ours: Vec<_> = pair.sent.iter().filter(|(_, side, _)| *side == 0).collect();
    assert_eq!(ours.len(), 1);
    assert_eq!((ours[0].2.state, ours[0].2.diagnostic), (State::AdminDown, Diagnostic::ADMIN_DOWN));
    assert_eq!(pair.sessions[0].next_deadline(), None);
}

#[test]
fn a_neighbour_that_starts_afresh_takes_the_session_down_and_up_again() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    pair.sessions[1] = Session::new(config(10 * MILLI, 3), number(33), 3, pair.now);
    pair.run(Duration::from_secs(2));
    let states: Vec<_> = pair.causes(0).iter().map(|(state, _)| *state).collect();
    assert_eq!(states[0], State::Down);
    assert_eq!(states.last(), Some(&State::Up));
    assert_eq!(pair.states(), [State::Up; 2]);
}

#[test]
fn new_intervals_are_agreed_by_polls_without_going_down() {
    let intervals = [10, 300, 50, 1000, 10, 20];
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    for millis in intervals {
        for side in [0, 1] {
            pair.reconfigure(side, config(millis * MILLI, 3));
            pair.run(millis * MILLI / 3);
        }
        pair.run(Duration::from_secs(4));
        for side in [0, 1] {
            let snapshot = pair.sessions[side].snapshot();
            assert_eq!(snapshot.detection, Some(3 * millis * MILLI));
            assert_eq!(snapshot.transmit, millis * MILLI);
            assert_eq!(pair.sessions[side].poll, Poll::Idle);
        }
    }
    assert_eq!((pair.causes(0), pair.causes(1)), (vec![], vec![]));
}

#[test]
fn an_interval_that_grows_waits_for_the_answer_and_one_that_shrinks_does_not() {
    let mut pair = Pair::up(config(50 * MILLI, 3), config(50 * MILLI, 3));
    pair.passes[1] = false;
    let slower =
        Config { desired_min_tx: 500 * MILLI, required_min_rx: 20 * MILLI, ..config(MILLI, 3) };
    pair.reconfigure(0, slower);
    assert_eq!(pair.sessions[0].snapshot().transmit, 50 * MILLI);
    assert_eq!(pair.sessions[0].in_use.receive, 50 * MILLI);
    let (_, _, packet) = pair.sent.last().expect("it says so at once");
    assert_eq!(
        (packet.poll, packet.desired_min_tx, packet.required_min_rx),
        (true, 500_000, 20_000)
    );
    pair.reconfigure(0, config(10 * MILLI, 3));
    pair.passes[1] = true;
    assert_eq!(pair.sessions[0].poll, Poll::Again, "an answer may be to the older packet");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sessions[0].poll, Poll::Idle);
    assert_eq!(pair.sessions[0].snapshot().transmit, 50 * MILLI);
    assert!(pair.causes(0).is_empty());
}

#[test]
fn a_lossy_link_within_the_multiplier_costs_nothing() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    let mut rng = Rng::from_seed(5);
    for _ in 0..3000 {
        // At most two in a row.
        pair.passes = [rng.chance(500), rng.chance(500)];
        pair.run(8 * MILLI);
        pair.passes = [true; 2];
        pair.run(12 * MILLI);
    }
    assert_eq!((pair.causes(0), pair.causes(1)), (vec![], vec![]));
}

#[test]
fn whoever_was_deaf_listens_for_one_more_detection_time() {
    let mut pair = Pair::up(config(50 * MILLI, 3), config(50 * MILLI, 3));
    pair.in_flight.clear();
    pair.now = pair.now + Duration::from_secs(10);
    pair.sessions[0].handle_timeout(pair.now);
    pair.drain(0);
    assert!(matches!(pair.events[..], [(_, 0, Event::Late { .. })]), "{:?}", pair.events);
    assert_eq!(pair.states()[0], State::Up);
    let (at, reason) = pair.sessions[0].next_deadline().expect("it goes on");
    assert!(at > pair.now && reason == Reason::Transmit);
    // Nobody answers: now it is believed.
    let end = pair.now + 150 * MILLI;
    while let Some((at, _)) = pair.sessions[0].next_deadline().filter(|(at, _)| *at <= end) {
        pair.sessions[0].handle_timeout(at);
        pair.drain(0);
    }
    assert_eq!(pair.causes(0).len(), 1);
    assert!(matches!(pair.causes(0)[0], (State::Down, Cause::Silence { .. })));
}

#[test]
fn a_packet_from_too_far_or_for_another_session_changes_nothing() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    let (_, _, mut packet) = *{
        pair.run(10 * MILLI);
        pair.sent.iter().find(|(_, side, _)| *side == 1).expect("it sent")
    };
    packet.state = State::Down;
    let before = pair.sessions[0].peer;
    pair.forget();
    pair.input(0, Input::Packet { ttl: 254, packet });
    packet.your_discriminator = Some(number(12));
    pair.input(0, Input::Packet { ttl: 255, packet });
    let reasons: Vec<_> = pair.events.iter().map(|(_, _, event)| *event).collect();
    assert_eq!(reasons, [Event::Discarded(Discard::Ttl), Event::Discarded(Discard::Discriminator)]);
    assert_eq!(pair.sessions[0].peer, before);
}

#[test]
fn a_neighbour_in_demand_mode_or_without_wish_for_packets_is_spared_them() {
    for (demand, required_min_rx) in [(true, 10_000), (false, 0)] {
        let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
        pair.run(10 * MILLI);
        let (_, _, mut packet) =
            *pair.sent.iter().find(|(_, side, _)| *side == 1).expect("it sent");
        packet = Packet { demand, required_min_rx, ..packet };
        pair.input(0, Input::Packet { ttl: 255, packet });
        assert!(pair.sessions[0].send_at.is_none());
        packet.poll = true;
        pair.forget();
        pair.input(0, Input::Packet { ttl: 255, packet });
        assert!(pair.sent[0].2.is_final, "a poll is answered all the same");
    }
}

#[test]
fn a_session_whose_process_died_goes_on_without_the_neighbour_noticing() {
    let mut pair = Pair::up(config(10 * MILLI, 3), config(10 * MILLI, 3));
    let bond = pair.sessions[0].agreed.expect("it is up");
    pair.sessions[0] = Session::resume(config(10 * MILLI, 3), &bond, 5, pair.now);
    pair.run(Duration::from_secs(1));
    assert_eq!((pair.causes(0), pair.causes(1)), (vec![], vec![]));
    assert_eq!(pair.sessions[0].agreed, Some(bond));
    assert!(pair.sent[0].2.poll, "it asks at once");
    // And one whose neighbour is gone meanwhile says so after the detection time.
    pair.passes = [false; 2];
    pair.sessions[0] = Session::resume(config(10 * MILLI, 3), &bond, 5, pair.now);
    pair.in_flight.clear();
    pair.run(31 * MILLI);
    assert_eq!(pair.states()[0], State::Down);
}

/// What RFC 5880, section 6.8.6, wants for every state here and there.
#[test]
fn every_state_meets_every_state() {
    use State::{AdminDown, Down, Init, Up};
    let table = [
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
        (AdminDown, [AdminDown; 4]),
    ];
    for (own, expected) in table {
        for (theirs, expected) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
            let now = Instant::from_nanos(1);
            let mut session = Session::new(config(10 * MILLI, 3), number(11), 1, now);
            session.state = own;
            let packet = Packet {
                state: theirs,
                my_discriminator: number(22),
                your_discriminator: Some(number(11)),
                ..session.packet()
            };
            session.handle_input(now, Input::Packet { ttl: 255, packet });
            assert_eq!(session.snapshot().state, expected, "{own:?} hears {theirs:?}");
        }
    }
}
