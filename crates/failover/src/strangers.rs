//! `log_unknown_vrids`: adverts of virtual routers that nobody here takes part in, told of once each.

use std::{collections::BTreeSet, net::IpAddr};

use standfast_types::IfIndex;

/// How many are remembered; whoever makes up more is not told of.
const MOST: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Strangers {
    /// Whether anybody wants to know.
    pub(crate) wanted: bool,
    told: BTreeSet<(IfIndex, IpAddr, u8)>,
}

impl Strangers {
    pub(crate) const fn new(wanted: bool) -> Self {
        Self { wanted, told: BTreeSet::new() }
    }

    /// Whether this one is to be told of.
    pub(crate) fn notice(&mut self, index: IfIndex, source: IpAddr, vrid: u8) -> bool {
        self.wanted && self.told.len() < MOST && self.told.insert((index, source, vrid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Config, Event, Input, InstanceConfig, Output,
        brain::tests::{ADDRESS, ETH0, Machine, PEER, instance},
    };
    use standfast_vrrp::{Datagram, Envelope, Router, Transport};

    fn config(vrid: u8) -> Config {
        Config {
            instances: vec![instance("V", vrid, ADDRESS)],
            log_unknown_vrids: true,
            ..Config::default()
        }
    }

    fn heard(machine: &mut Machine, vrid: u8) -> Vec<Event> {
        let InstanceConfig { router, .. } = instance("V", vrid, ADDRESS);
        let mut payload = Vec::new();
        let group = Transport::GROUP;
        Router::new(router, machine.now).emit_advert(200, PEER, group, &mut payload);
        let (destination, envelope) = (group, Envelope::Bare);
        let datagram =
            Datagram { source: PEER, destination, ttl: 255, envelope, payload: &payload };
        let outputs = machine.input(Input::Datagram { index: ETH0, datagram });
        let events = outputs.into_iter().filter_map(|output| {
            let Output::Emit(event @ Event::UnknownVrid { .. }) = output else { return None };
            Some(event)
        });
        events.collect()
    }

    #[test]
    fn an_unknown_id_is_told_of_once_and_our_own_never() {
        let mut machine = Machine::master(config(51));
        assert_eq!(heard(&mut machine, 51), []);
        let unknown = Event::UnknownVrid { interface: "eth0".into(), vrid: 52, source: PEER };
        assert_eq!(heard(&mut machine, 52), [unknown]);
        assert_eq!(heard(&mut machine, 52), []);
        assert_eq!(heard(&mut machine, 53).len(), 1);
    }

    #[test]
    fn sockets_let_every_id_in_while_somebody_wants_to_know() {
        let mut machine = Machine::new(config(51));
        let ids = |outputs: Vec<Output>| {
            let mut listens = outputs.into_iter().filter_map(|output| {
                let Output::Listen { vrids, .. } = output else { return None };
                Some(vrids.len())
            });
            listens.next()
        };
        assert_eq!(ids(machine.start(&[])), Some(255));
        let without = Config { log_unknown_vrids: false, ..config(51) };
        machine.brain.reconfigure(machine.now, without);
        assert_eq!(ids(machine.drain()), Some(1));
        assert_eq!(heard(&mut machine, 52), []);
    }

    #[test]
    fn made_up_ones_do_not_fill_the_memory() {
        let mut strangers = Strangers::new(true);
        let from = |host: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(host));
        let told = (0..5000).filter(|host| strangers.notice(ETH0, from(*host), 9)).count();
        assert_eq!(told, MOST);
    }
}
