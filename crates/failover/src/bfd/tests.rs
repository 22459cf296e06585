//! Instances that follow sessions.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use standfast_bfd::{Input as SessionInput, Packet, Session};
use standfast_types::{IfIndex, Instant, Prefix, Priority, VirtualAddress, Vrid};
use standfast_vrrp::StateName;

use super::*;
use crate::{
    Brain, Config, Fault, Input, InstanceConfig, InstanceSnapshot, Output, TrackBfd, Trackers,
    Weight,
};

const ETH0: IfIndex = IfIndex::new(2);
const NEIGHBOR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// A machine, and its neighbour as long as that lives.
struct Two {
    now: Instant,
    brain: Brain,
    neighbor: Option<Session>,
}

impl Two {
    fn new(weight: i16) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut brain = Brain::new(config(weight), now);
        let name = "eth0".into();
        brain.handle_input(now, Input::Link { index: ETH0, name, running: true });
        let address = IpAddr::from([192, 0, 2, 1]);
        brain.handle_input(now, Input::Address { index: ETH0, address, ours: false });
        brain.start(now, &BTreeSet::new());
        Self { now, brain, neighbor: None }
    }

    fn meet(&mut self) {
        let number = NonZeroU32::new(9).expect("not zero");
        self.neighbor = Some(Session::new(standfast_bfd::Config::default(), number, 9, self.now));
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.exchange();
            let other = self.neighbor.as_ref().and_then(|other| other.next_deadline());
            let other = other.map(|(at, _)| at);
            let Some(at) = self.brain.next_deadline().into_iter().chain(other).min() else { break };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.brain.handle_timeout(self.now);
            if let Some(other) = &mut self.neighbor {
                other.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    /// Carries packets to and fro until there are none.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some(output) = self.brain.poll_output() {
                if let (Output::Bfd(BfdOutput::Send { payload, .. }), Some(other)) =
                    (&output, &mut self.neighbor)
                {
                    let packet = Packet::parse(payload).expect("ours");
                    other.handle_input(self.now, SessionInput::Packet { ttl: 255, packet });
                    moved = true;
                }
            }
            while let Some(output) = self.neighbor.as_mut().and_then(Session::poll_output) {
                if let standfast_bfd::Output::Transmit(packet) = output {
                    let (source, payload) = (NEIGHBOR, &packet.emit()[..]);
                    let input = BfdInput::Packet { source, ttl: 255, multihop: false, payload };
                    self.brain.handle_input(self.now, Input::Bfd(input));
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
    }

    fn instance(&self) -> InstanceSnapshot {
        self.brain.snapshot().remove(0)
    }
}

fn config(weight: i16) -> Config {
    let vrid = Vrid::new(51).expect("not zero");
    let mut router = standfast_vrrp::Config::new(vrid, Priority::new(100).expect("not zero"));
    let address = IpAddr::from([192, 0, 2, 100]);
    router.addresses = vec![address];
    let weight = Weight { value: weight, reverse: false };
    let instance = InstanceConfig {
        addresses: vec![VirtualAddress::new(Prefix::host(address), "eth0".into())],
        trackers: Trackers {
            sessions: vec![TrackBfd { session: "peer".into(), weight }],
            ..Trackers::default()
        },
        ..InstanceConfig::new("V".into(), "eth0".into(), router)
    };
    let path = BfdPath { neighbor: NEIGHBOR, source: None, multihop: false, ttl: 255 };
    let session = standfast_bfd::Config::default();
    let bfd = vec![BfdConfig { name: "peer".into(), path, session }];
    Config { instances: vec![instance], bfd, ..Config::default() }
}

#[test]
fn without_weight_it_waits_for_the_session_and_falls_and_rises_with_it() {
    let mut two = Two::new(0);
    two.wait(Duration::from_millis(900));
    assert_eq!(
        two.instance().router.state,
        StateName::Init,
        "the neighbour has its time to answer"
    );
    two.wait(Duration::from_millis(200));
    assert_eq!(two.instance().router.state, StateName::Fault);
    assert_eq!(two.instance().faults, [Fault::Bfd("peer".into())]);
    two.meet();
    two.wait(Duration::from_secs(5));
    assert_eq!(two.instance().router.state, StateName::Master);
    two.neighbor = None;
    two.wait(Duration::from_millis(51));
    assert_eq!(two.instance().router.state, StateName::Fault, "5 packets in 50 ms are missing");
}

#[test]
fn with_weight_it_changes_the_priority() {
    let priority = |two: &Two| two.instance().router.priority.get();
    let mut two = Two::new(-30);
    two.meet();
    two.wait(Duration::from_secs(5));
    assert_eq!(priority(&two), 100);
    two.neighbor = None;
    two.wait(Duration::from_millis(60));
    assert_eq!(priority(&two), 70);
    assert_eq!(two.instance().router.state, StateName::Master);
}

#[test]
fn a_machine_that_stops_serves_on_beside_its_sessions_until_its_successor_is_there() {
    let mut two = Two::new(0);
    two.meet();
    two.wait(Duration::from_secs(5));
    assert_eq!(two.instance().router.state, StateName::Master);
    two.brain.handle_input(two.now, Input::Release);
    two.exchange();
    // Anything that makes the brain look at its instances again.
    let (index, address) = (ETH0, IpAddr::from([192, 0, 2, 7]));
    two.brain.handle_input(two.now, Input::Address { index, address, ours: false });
    assert!(two.instance().holds);
}
