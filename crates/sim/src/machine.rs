//! One machine: a brain, and a kernel that does what the brain says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use standfast_failover::{Brain, Config, Event, Input, InstanceConfig, Output, Trackers};
use standfast_types::{IfIndex, InstanceName, Instant, Prefix, Priority, VirtualAddress, Vrid};

/// The address that the machines of [`node`] share.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));

const INDEX: IfIndex = IfIndex::new(2);

/// A machine `192.0.2.<host>` with one instance `V` that holds [`ADDRESS`].
///
/// # Panics
/// When `priority` is 0.
#[must_use]
pub fn node(host: u8, priority: u8) -> (IpAddr, Config) {
    let vrid = Vrid::new(51).expect("51 is not 0");
    let priority = Priority::new(priority).expect("a priority is not 0");
    let mut router = standfast_vrrp::Config::new(vrid, priority);
    router.addresses = vec![ADDRESS];
    let instance = InstanceConfig {
        name: "V".into(),
        interface: "eth0".into(),
        router,
        source: None,
        track_source: false,
        track_primary: true,
        addresses: vec![VirtualAddress::new(Prefix::host(ADDRESS), "eth0".into())],
        trackers: Trackers::default(),
    };
    let config = Config { instances: vec![instance], ..Config::default() };
    (IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), config)
}

/// What a machine puts on the wire.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Vrrp { source: IpAddr, destination: IpAddr, ttl: u8, payload: Vec<u8> },
    Announcement(IpAddr),
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) own: IpAddr,
    pub(crate) config: Config,
    /// `None` while no process runs.
    pub(crate) brain: Option<Brain>,
    /// Until when a paused process does nothing.
    pub(crate) paused_until: Option<Instant>,
    pub(crate) carrier: bool,
    /// What the kernel has, with the end of its lease.
    pub(crate) addresses: BTreeMap<IpAddr, Instant>,
    pub(crate) events: Vec<(Instant, Event)>,
    pub(crate) sent: Vec<Frame>,
}

impl Machine {
    pub(crate) fn new((own, config): (IpAddr, Config)) -> Self {
        Self {
            own,
            config,
            brain: None,
            paused_until: None,
            carrier: true,
            addresses: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self, now: Instant, adopt: &BTreeSet<InstanceName>) {
        let mut brain = Brain::new(self.config.clone(), now);
        let (name, running) = ("eth0".into(), self.carrier);
        brain.handle_input(now, Input::Link { index: INDEX, name, running });
        let foreign = Input::Address { index: INDEX, address: self.own, ours: false };
        brain.handle_input(now, foreign);
        for &address in self.addresses.keys() {
            brain.handle_input(now, Input::Address { index: INDEX, address, ours: true });
        }
        brain.start(now, adopt);
        self.brain = Some(brain);
        self.drain(now);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let process = match self.paused_until {
            Some(until) => Some(until),
            None => self.brain.as_ref().and_then(Brain::next_deadline),
        };
        process.into_iter().chain(self.addresses.values().copied()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let expired: Vec<_> =
            self.addresses.iter().filter(|(_, at)| **at <= now).map(|(a, _)| *a).collect();
        for address in expired {
            self.addresses.remove(&address);
            self.input(now, Input::AddressGone { index: INDEX, address });
        }
        let wakes = self.paused_until.take_if(|until| *until <= now).is_some();
        if self.paused_until.is_none()
            && let Some(brain) = &mut self.brain
        {
            brain.handle_timeout(now);
            self.drain(now);
        }
        if wakes {
            self.resync(now);
        }
    }

    /// What netlink kept for a process while it was paused.
    fn resync(&mut self, now: Instant) {
        self.set_carrier(now, self.carrier);
        let virtual_address = ADDRESS;
        if !self.addresses.contains_key(&virtual_address) {
            self.input(now, Input::AddressGone { index: INDEX, address: virtual_address });
        }
    }

    pub(crate) fn receive(&mut self, now: Instant, frame: &Frame) {
        match frame {
            Frame::Announcement(address) => {
                self.input(now, Input::Announced { index: INDEX, address: *address });
            }
            Frame::Vrrp { source, destination, ttl, payload } => {
                let (source, destination, ttl) = (*source, *destination, *ttl);
                let datagram = standfast_vrrp::Datagram { source, destination, ttl, payload };
                self.input(now, Input::Datagram { index: INDEX, datagram });
            }
        }
    }

    pub(crate) fn set_carrier(&mut self, now: Instant, running: bool) {
        self.carrier = running;
        self.input(now, Input::Link { index: INDEX, name: "eth0".into(), running });
    }

    pub(crate) fn input(&mut self, now: Instant, input: Input<'_>) {
        // A paused process loses what is sent to it: that is harder than finding it in a buffer.
        if self.paused_until.is_none()
            && let Some(brain) = &mut self.brain
        {
            brain.handle_input(now, input);
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.brain.as_mut().and_then(Brain::poll_output) {
            match output {
                Output::Listen { .. } | Output::Unlisten { .. } => {}
                Output::Send { source, destination, ttl, payload, .. } => {
                    self.sent.push(Frame::Vrrp { source, destination, ttl, payload });
                }
                Output::AddAddress { address, lease_seconds, .. } => {
                    let address = address.prefix.address();
                    let lease = Duration::from_secs(lease_seconds.into());
                    let known = self.addresses.insert(address, now + lease).is_some();
                    if !known {
                        self.input(now, Input::Address { index: INDEX, address, ours: true });
                    }
                }
                Output::RemoveAddress { address, .. } => {
                    let address = address.prefix.address();
                    if self.addresses.remove(&address).is_some() {
                        self.input(now, Input::AddressGone { index: INDEX, address });
                    }
                }
                Output::Announce { address, .. } => self.sent.push(Frame::Announcement(address)),
                // No machine of the simulator has a session.
                Output::Bfd(_) => {}
                Output::Emit(event) => self.events.push((now, event)),
            }
        }
    }
}
