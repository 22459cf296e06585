//! A machine's brain under any sequence of inputs: it neither panics nor asks to be called in a circle, and
//! it never holds an address outside MASTER.
#![no_main]

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use standfast_failover::{
    Brain, Config, Input, InstanceConfig, Output, ScriptConfig, TrackScript, Trackers, Weight,
};
use standfast_types::{IfIndex, Instant, MacAddress, Prefix, Priority, VirtualAddress, Vrid};
use standfast_vrrp::{Datagram, Preempt, StateName, Version};

const INDEX: IfIndex = IfIndex::new(2);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.iter().copied();
    let Some(shape) = bytes.next() else { return };
    let mut now = Instant::ZERO;
    let mut brain = Brain::new(config(shape), now);
    brain.handle_input(now, Input::Link { index: INDEX, name: "eth0".into(), running: true });
    brain.handle_input(now, Input::Address { index: INDEX, address: OWN, ours: false });
    brain.start(now, &Default::default());
    drain(&mut brain);
    while let Some(kind) = bytes.next() {
        let argument = bytes.next().unwrap_or(0);
        match kind % 9 {
            0 => {
                let rest: Vec<u8> = bytes.by_ref().take(argument.into()).collect();
                advert(&mut brain, now, &rest);
            }
            1 => {
                let packet = standfast_wire::vrrp::V2 {
                    vrid: Vrid::new(51).expect("not zero"),
                    priority: argument,
                    interval_seconds: 1,
                    authentication: standfast_wire::vrrp::Authentication::None,
                    addresses: &[ADDRESS],
                };
                let mut payload = Vec::new();
                let absent = standfast_wire::vrrp::PseudoHeader::Absent;
                standfast_wire::vrrp::Repr::V2(packet).emit(absent, &mut payload);
                advert(&mut brain, now, &payload);
            }
            2 => {
                let (name, running) = ("eth0".into(), argument & 1 == 1);
                brain.handle_input(now, Input::Link { index: INDEX, name, running });
            }
            3 => brain.handle_input(now, Input::LinkGone { index: INDEX }),
            4 => {
                let address = if argument & 1 == 1 { ADDRESS } else { OWN };
                let input = if argument & 2 == 2 {
                    Input::Address { index: INDEX, address, ours: argument & 4 == 4 }
                } else {
                    Input::AddressGone { index: INDEX, address }
                };
                brain.handle_input(now, input);
            }
            5 => {
                let name = "check".into();
                brain.handle_input(now, Input::Script { name, success: argument & 1 == 1 });
            }
            6 => brain.reconfigure(now, config(argument)),
            7 if argument == 255 => brain.handle_input(now, Input::Release),
            7 => {
                let mac = MacAddress([2, 0, 0, 0, 0, argument & 3]);
                let input = if argument & 4 == 4 {
                    Input::Announced { index: INDEX, address: ADDRESS, mac }
                } else {
                    Input::Answered { index: INDEX, address: ADDRESS, mac }
                };
                brain.handle_input(now, input);
            }
            _ => {
                let end = now + Duration::from_millis(u64::from(argument) * 20);
                for _ in 0..10_000 {
                    let Some(at) = brain.next_deadline().filter(|at| *at <= end) else { break };
                    now = now.max(at);
                    brain.handle_timeout(now);
                    drain(&mut brain);
                    let next = brain.next_deadline();
                    assert!(next.is_none_or(|next| next > now), "called in a circle");
                }
                now = end;
            }
        }
        drain(&mut brain);
        for instance in brain.snapshot() {
            let master = instance.router.state == StateName::Master;
            assert_eq!(instance.holds, master, "{instance:?}");
        }
    }
});

fn advert(brain: &mut Brain, now: Instant, payload: &[u8]) {
    let datagram = Datagram {
        source: Ipv4Addr::new(192, 0, 2, 3).into(),
        destination: Ipv4Addr::new(224, 0, 0, 18).into(),
        ttl: 255,
        envelope: standfast_vrrp::Envelope::Bare,
        payload,
    };
    brain.handle_input(now, Input::Datagram { index: INDEX, datagram });
}

fn drain(brain: &mut Brain) -> Vec<Output> {
    std::iter::from_fn(|| brain.poll_output()).collect()
}

fn config(shape: u8) -> Config {
    let priority = Priority::new(shape | 1).expect("not zero");
    let mut router = standfast_vrrp::Config::new(Vrid::new(51).expect("not zero"), priority);
    router.addresses = vec![ADDRESS];
    router.version = if shape & 2 == 2 { Version::V3 } else { Version::V2 };
    router.preempt = match shape & 12 {
        4 => Preempt::Never,
        8 => Preempt::After(Duration::from_secs(3)),
        _ => Preempt::Always,
    };
    router.announcements.gap = Duration::from_millis(u64::from(shape & 16));
    let weight = Weight { value: if shape & 32 == 32 { -30 } else { 0 }, reverse: false };
    let tracks = if shape & 64 == 64 {
        vec![TrackScript { script: "check".into(), weight }]
    } else {
        Vec::new()
    };
    let instance = InstanceConfig {
        addresses: vec![VirtualAddress::new(Prefix::host(ADDRESS), "eth0".into())],
        trackers: Trackers { scripts: tracks, ..Trackers::default() },
        ..InstanceConfig::new("V".into(), "eth0".into(), router)
    };
    let script = ScriptConfig { name: "check".into(), rise: 1, fall: 2, init_fail: false };
    Config { instances: vec![instance], scripts: vec![script], ..Config::default() }
}
