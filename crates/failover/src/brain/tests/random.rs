//! Random reloads, links that fail and addresses that somebody removes, before a model of the kernel: on it is
//! what the masters hold, and nothing else.

use std::collections::BTreeMap;

use standfast_types::{AdvertInterval, Prefix, Priority, Rng, VirtualAddress, Vrid};
use standfast_vrrp::StateName;

use super::*;
use crate::{GroupConfig, InstanceConfig, Isolation, OwnLink, OwnLinkKind, Trackers};

/// How late the kernel ends a lease.
const LATE: Duration = Duration::from_millis(300);
const PARENTS: [(&str, IfIndex); 2] = [("eth0", ETH0), ("eth1", ETH1)];

struct Host {
    brain: Brain,
    now: Instant,
    rng: Rng,
    config: Config,
    /// What the kernel has, and until when.
    addresses: BTreeMap<(IfIndex, IpAddr), Instant>,
    /// By name, and whether they are up.
    links: BTreeMap<String, (IfIndex, bool)>,
    next_index: u32,
}

impl Host {
    fn new(seed: u64) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut rng = Rng::from_seed(seed);
        let config = draw(&mut rng);
        let mut host = Self {
            brain: Brain::new(config.clone(), now),
            now,
            rng,
            config,
            addresses: BTreeMap::new(),
            links: BTreeMap::new(),
            next_index: 10,
        };
        for (host_part, (name, index)) in (1..).zip(PARENTS) {
            host.links.insert(name.to_owned(), (index, true));
            host.tell(Input::Link { index, name: name.into(), running: true });
            host.tell(Input::Address { index, address: v4(host_part), ours: false });
        }
        host.brain.prepare(now);
        host.drain();
        host.brain.start(now, &BTreeSet::new());
        host.drain();
        host
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn tell(&mut self, input: Input<'_>) {
        self.brain.handle_input(self.now, input);
    }

    fn drain(&mut self) {
        let mut rounds = 0..10_000;
        while let Some(output) = self.brain.poll_output() {
            rounds.next().expect("outputs end");
            self.obey(output);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::AddAddress { index, address, lease_seconds } => {
                let address = address.prefix.address();
                if self.links.values().any(|(at, _)| *at == index) {
                    let end = self.now + Duration::from_secs(lease_seconds.into()) + LATE;
                    self.addresses.insert((index, address), end);
                    self.tell(Input::Address { index, address, ours: true });
                }
            }
            Output::RemoveAddress { index, address } => {
                let address = address.prefix.address();
                if self.addresses.remove(&(index, address)).is_some() {
                    self.tell(Input::AddressGone { index, address });
                }
            }
            Output::CreateLink { name, .. } => {
                let index = IfIndex::new(self.next_index);
                self.next_index += 1;
                let taken = self.links.insert(name.to_string(), (index, false));
                assert_eq!(taken, None, "{name} is there already");
                self.tell(Input::Link { index, name: name.clone(), running: false });
                self.tell(Input::LinkMade { name, index });
            }
            Output::RemoveLink { index } => {
                self.links.retain(|_, (at, _)| *at != index);
                self.addresses.retain(|(at, _), _| *at != index);
                self.tell(Input::LinkGone { index });
            }
            Output::LinkUp { index } => self.switch(index, true),
            Output::LinkDown { index } => self.switch(index, false),
            Output::Listen { .. }
            | Output::Unlisten { .. }
            | Output::Send { .. }
            | Output::Block { .. }
            | Output::AddEntry { .. }
            | Output::RemoveEntry { .. }
            | Output::Announce { .. }
            | Output::Ask { .. }
            | Output::Bfd(_)
            | Output::Emit(_) => {}
        }
    }

    fn switch(&mut self, index: IfIndex, running: bool) {
        let mut links = self.links.iter_mut();
        let link = links.find(|(_, (at, up))| *at == index && *up != running);
        if let Some((name, (_, up))) = link {
            *up = running;
            let name = name.as_str().into();
            self.tell(Input::Link { index, name, running });
        }
    }

    fn wait(&mut self, longest: u64) {
        let end = self.now + Duration::from_millis(self.below(longest));
        let mut rounds = 0..100_000;
        loop {
            let leases = self.addresses.values().copied();
            let next = leases.chain(self.brain.next_deadline()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            rounds.next().expect("time goes on");
            self.now = self.now.max(at);
            let ended: Vec<_> = self.addresses.extract_if(.., |_, end| *end <= at).collect();
            for ((index, address), _) in ended {
                self.tell(Input::AddressGone { index, address });
            }
            self.brain.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Something happens.
    fn happen(&mut self) {
        match self.below(4) {
            0 => {
                let (name, index) = PARENTS[usize::from(self.below(2) == 0)];
                for running in [false, true] {
                    self.tell(Input::Link { index, name: name.into(), running });
                    self.drain();
                    self.wait(3000);
                }
            }
            1 => {
                if let Some(((index, address), _)) = self.addresses.pop_first() {
                    self.tell(Input::AddressGone { index, address });
                    self.drain();
                }
            }
            _ => {
                self.config = draw(&mut self.rng);
                self.brain.reconfigure(self.now, self.config.clone());
                self.drain();
            }
        }
        self.wait(6000);
    }

    fn check(&self, what: &str) {
        let mut wanted = BTreeSet::new();
        for InstanceSnapshot { name, router, holds, .. } in self.brain.snapshot() {
            assert_eq!(router.state == StateName::Master, holds, "{what}: {name}");
            let mut instances = self.config.instances.iter();
            let config = instances.find(|config| config.name == name).expect("configured");
            for address in config.addresses.iter().filter(|_| holds) {
                let (index, _) = self.links[address.interface.as_str()];
                wanted.insert((index, address.prefix.address()));
            }
        }
        assert!(self.addresses.keys().eq(&wanted), "{what}: {:?}, not {wanted:?}", self.addresses);
        let links = self.config.instances.iter().flat_map(|instance| &instance.links);
        let links = links.map(|link| link.name.as_str()).chain(PARENTS.map(|(name, _)| name));
        let links: BTreeSet<_> = links.collect();
        assert!(self.links.keys().map(String::as_str).eq(links), "{what}: {:?}", self.links);
    }
}

fn draw(rng: &mut Rng) -> Config {
    let mut hosts = 100..110;
    let vrids: Vec<_> = (1..=4).filter(|_| rng.below(4) > 0).collect();
    let instances: Vec<_> =
        vrids.into_iter().map(|vrid| draw_instance(rng, vrid, &mut hosts)).collect();
    let members = instances.iter().take(2).map(|instance| instance.name.clone()).collect();
    let group = GroupConfig { name: "G".into(), members, trackers: Trackers::default() };
    let groups = if rng.below(2) == 0 && instances.len() > 1 { vec![group] } else { Vec::new() };
    Config { instances, groups, ..Config::default() }
}

fn draw_instance(rng: &mut Rng, vrid: u8, hosts: &mut std::ops::Range<u8>) -> InstanceConfig {
    let mut one_of = |count: u8| usize::try_from(rng.below(count.into())).expect("small");
    let priority = Priority::new([50, 100, 150, 255][one_of(4)]).expect("not zero");
    let mut router = standfast_vrrp::Config::new(Vrid::new(vrid).expect("not zero"), priority);
    router.version = standfast_vrrp::Version::V3;
    router.advert_interval = AdvertInterval::from_centis([20, 100][one_of(2)]).expect("in range");
    let (parent, _) = PARENTS[one_of(2)];
    let mut instance =
        InstanceConfig::new(format!("V{vrid}").as_str().into(), parent.into(), router);
    let own = format!("vrrp.{vrid}");
    let kind = match one_of(6) {
        0 => Some(OwnLinkKind::Macvlan { mac: [0, 0, 0x5e, 0, 1, vrid], ipv6: false }),
        1 => Some(OwnLinkKind::Ipvlan { isolation: Isolation::Bridge, address: None }),
        _ => None,
    };
    let interface = match kind {
        Some(_) => own.as_str(),
        None => [parent, parent, parent, "eth1"][one_of(4)],
    };
    instance.links.extend(kind.map(|kind| OwnLink {
        name: own.as_str().into(),
        prefix: None,
        parent: parent.into(),
        kind,
        group: None,
    }));
    if kind.is_some() && one_of(2) == 0 {
        instance.advertise_from = Some(own.as_str().into());
    }
    for host in hosts.take(1 + one_of(3)) {
        let mut address = VirtualAddress::new(Prefix::host(v4(host)), interface.into());
        address.label = if one_of(6) == 0 { Some("eth0:1".to_owned()) } else { None };
        instance.router.addresses.push(v4(host));
        instance.addresses.push(address);
    }
    instance
}

#[test]
fn random_reloads_lose_no_address_and_leave_none_behind() {
    for seed in 0..30 {
        let mut host = Host::new(seed);
        for round in 0..12 {
            host.happen();
            host.check(&format!("seed {seed}, round {round}"));
        }
        host.tell(Input::Release);
        host.drain();
        host.now = host.now + Duration::from_secs(2);
        host.brain.handle_timeout(host.now);
        host.drain();
        assert!(host.brain.has_stopped(), "seed {seed}");
        assert!(host.addresses.is_empty() && host.links.len() == 2, "seed {seed}");
    }
}
