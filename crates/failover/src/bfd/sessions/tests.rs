use std::net::Ipv4Addr;

use standfast_bfd::{Cause, Malformed};

use super::*;

const START: Instant = Instant::from_nanos(1_000_000_000);
const MILLI: Duration = Duration::from_millis(1);

fn neighbor(host: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, host).into()
}

fn config(name: &str, host: u8) -> BfdConfig {
    let path = BfdPath { neighbor: neighbor(host), source: None, multihop: false, ttl: 255 };
    BfdConfig { name: name.into(), path, session: standfast_bfd::Config::default() }
}

/// A machine's sessions, and a session on another machine that answers one of them.
struct Machine {
    now: Instant,
    sessions: Sessions,
    other: Session,
}

impl Machine {
    fn start(configs: Vec<BfdConfig>) -> (Self, Vec<Output>) {
        let number = NonZeroU32::new(9).expect("not zero");
        let other = Session::new(standfast_bfd::Config::default(), number, 9, START);
        let mut machine = Self { now: START, sessions: Sessions::new(configs, 7), other };
        let mut out = VecDeque::new();
        machine.sessions.start(START, &mut out);
        (machine, out.into())
    }

    fn packet(&mut self, host: u8, packet: &Packet) -> (bool, Vec<Output>) {
        let (source, payload) = (neighbor(host), &packet.emit()[..]);
        let input = BfdInput::Packet { source, ttl: 255, multihop: false, payload };
        let mut out = VecDeque::new();
        let changed = self.sessions.handle_input(self.now, input, &mut out);
        (changed, out.into())
    }

    fn wait(&mut self, duration: Duration) -> (bool, Vec<Output>) {
        let (end, mut changed, mut out) = (self.now + duration, false, VecDeque::new());
        while let Some(at) = self.sessions.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            changed |= self.sessions.handle_timeout(at, &mut out);
        }
        self.now = end;
        (changed, out.into())
    }

    /// The handshake with the other machine, which is `192.0.2.2`.
    fn shake_hands(&mut self) {
        self.other.handle_timeout(self.now);
        for _ in 0..4 {
            let mut ours = Vec::new();
            while let Some(output) = self.other.poll_output() {
                if let standfast_bfd::Output::Transmit(packet) = output {
                    ours.extend(sent(&self.packet(2, &packet).1));
                }
            }
            for (_, packet) in ours {
                self.other.handle_input(self.now, Input::Packet { ttl: 255, packet });
            }
        }
    }
}

fn sent(outputs: &[Output]) -> Vec<(String, Packet)> {
    let sent = |output: &Output| {
        let Output::Bfd(BfdOutput::Send { name, payload }) = output else { return None };
        Some((name.to_string(), Packet::parse(payload).expect("ours")))
    };
    outputs.iter().filter_map(sent).collect()
}

fn events(outputs: &[Output]) -> Vec<BfdEvent> {
    let event = |output: &Output| {
        let Output::Emit(Event::Bfd(event)) = output else { return None };
        Some(event.clone())
    };
    outputs.iter().filter_map(event).collect()
}

fn opened(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Bfd(BfdOutput::Open { .. }))).count()
}

#[test]
fn sockets_are_opened_before_the_first_packet_and_each_session_has_its_own_number() {
    let (mut machine, outputs) = Machine::start(vec![config("a", 2), config("b", 3)]);
    assert_eq!((outputs.len(), opened(&outputs)), (2, 2));
    let (_, outputs) = machine.wait(Duration::ZERO);
    let sent = sent(&outputs);
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].1.my_discriminator, sent[1].1.my_discriminator);
}

#[test]
fn a_session_is_pending_then_up_and_silence_is_down() {
    let (mut machine, _) = Machine::start(vec![config("a", 2)]);
    assert_eq!(machine.sessions.up(&"a".into()), None);
    machine.shake_hands();
    assert_eq!(machine.sessions.up(&"a".into()), Some(true));
    let (changed, outputs) = machine.wait(Duration::from_secs(6));
    assert!(changed);
    assert_eq!(machine.sessions.up(&"a".into()), Some(false));
    let silence = events(&outputs).into_iter().find_map(|event| {
        let BfdEvent::Session { event: SessionEvent::Transition { cause, .. }, .. } = event else {
            return None;
        };
        Some(cause)
    });
    assert!(matches!(silence, Some(Cause::Silence { .. })), "{silence:?}");
}

#[test]
fn a_neighbour_that_never_answered_counts_as_down_after_one_idle_interval() {
    let (mut machine, _) = Machine::start(vec![config("a", 2)]);
    assert!(!machine.wait(999 * MILLI).0);
    assert_eq!(machine.sessions.up(&"a".into()), None);
    let (changed, outputs) = machine.wait(MILLI);
    assert!(changed);
    assert_eq!(machine.sessions.up(&"a".into()), Some(false));
    let expected = BfdEvent::Unanswered { name: "a".into(), neighbor: neighbor(2) };
    assert!(events(&outputs).contains(&expected));
}

#[test]
fn a_packet_finds_its_session_by_number_and_sender() {
    let (mut machine, _) = Machine::start(vec![config("a", 2), config("b", 3)]);
    machine.shake_hands();
    let (_, outputs) = machine.wait(10 * MILLI);
    let ours = sent(&outputs).into_iter().find(|(name, _)| name == "a").expect("it sends").1;
    let number = Some(ours.my_discriminator);
    let from_other =
        Packet { your_discriminator: number, my_discriminator: ours.my_discriminator, ..ours };
    let refused = |reason, host| vec![BfdEvent::Refused { source: neighbor(host), reason }];
    let (_, outputs) = machine.packet(3, &from_other);
    assert_eq!(events(&outputs), refused(Discard::Discriminator, 3), "another neighbour");
    let unknown = Packet { your_discriminator: NonZeroU32::new(1), ..ours };
    assert_eq!(events(&machine.packet(2, &unknown).1), refused(Discard::Discriminator, 2));
    let nameless = Packet { your_discriminator: None, state: State::Down, ..ours };
    assert_eq!(events(&machine.packet(9, &nameless).1), refused(Discard::NoSession, 9));
    let (source, mut out) = (neighbor(2), VecDeque::new());
    let input = BfdInput::Packet { source, ttl: 255, multihop: false, payload: &[0; 24] };
    machine.sessions.handle_input(machine.now, input, &mut out);
    let out: Vec<_> = out.into();
    assert_eq!(events(&out), refused(Discard::Malformed(Malformed::Version), 2));
    assert_eq!(machine.sessions.up(&"a".into()), Some(true));
    // The same neighbour across routers is another session.
    let payload = &nameless.emit()[..];
    let input = BfdInput::Packet { source, ttl: 255, multihop: true, payload };
    let mut out = VecDeque::new();
    machine.sessions.handle_input(machine.now, input, &mut out);
    let out: Vec<_> = out.into();
    assert_eq!(events(&out), refused(Discard::NoSession, 2));
}

#[test]
fn a_reload_keeps_what_has_the_same_ends_and_says_good_bye_to_the_rest() {
    let (mut machine, _) = Machine::start(vec![config("a", 2), config("b", 3)]);
    machine.shake_hands();
    let mut out = VecDeque::new();
    let mut slower = config("a", 2);
    slower.session.desired_min_tx = 50 * MILLI;
    let moved =
        BfdConfig { path: BfdPath { multihop: true, ..config("b", 3).path }, ..config("b", 3) };
    machine.sessions.reconfigure(machine.now, vec![slower, moved, config("c", 4)], &mut out);
    assert_eq!(machine.sessions.up(&"a".into()), Some(true));
    let outputs: Vec<_> = out.drain(..).collect();
    assert_eq!(opened(&outputs), 2);
    let polls = sent(&outputs).into_iter().filter(|(name, packet)| name == "a" && packet.poll);
    assert_eq!(polls.count(), 1);
    machine.sessions.reconfigure(machine.now, Vec::new(), &mut out);
    let outputs: Vec<_> = out.into();
    let (name, packet) = &sent(&outputs)[0];
    assert_eq!((name.as_str(), packet.state), ("a", State::AdminDown));
    assert_eq!(machine.sessions.up(&"a".into()), None);
    assert!(events(&outputs).contains(&BfdEvent::Deleted { name: "c".into() }));
    assert_eq!(machine.sessions.next_deadline(), None);
}

#[test]
fn refused_sockets_are_tried_again_every_second() {
    let (mut machine, _) = Machine::start(vec![config("a", 2)]);
    let mut out = VecDeque::new();
    machine.sessions.handle_input(machine.now, BfdInput::Refused { name: "a".into() }, &mut out);
    assert_eq!(opened(&machine.wait(999 * MILLI).1), 0);
    assert_eq!(opened(&machine.wait(MILLI).1), 1);
    assert_eq!(opened(&machine.wait(Duration::from_secs(5)).1), 0);
}
