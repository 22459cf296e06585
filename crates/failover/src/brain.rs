//! The brain: all instances of a machine, their trackers, and what the machine must hold.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{Family, IfIndex, InstanceName, Instant, InterfaceName, ScriptName, Vrid};
use standfast_vrrp::{Datagram, Input as RouterInput, StateName, Transport};

use crate::{
    BfdSnapshot, Config, Event, Evidence, Fault, Input, InstanceConfig, InstanceEvent, Output,
    assess::{apply_faults, apply_weight, assess},
    bfd::Sessions,
    group::Groups,
    instance::Instance,
    tracker::ScriptState,
    world::World,
};

/// How long after a failure to listen it is tried again.
const LISTEN_RETRY: Duration = Duration::from_secs(1);

/// The failover brain of one machine. The same type runs in the daemon and in the simulator.
#[derive(Clone, Debug)]
pub struct Brain {
    startup_delay: Duration,
    instances: BTreeMap<InstanceName, Instance>,
    scripts: BTreeMap<ScriptName, ScriptState>,
    groups: Groups,
    bfd: Sessions,
    world: World,
    phase: Phase,
    listeners: BTreeMap<(IfIndex, Family), Listener>,
    /// Interfaces on which the kernel lets us hear nothing; tried again and again.
    deaf: BTreeSet<(IfIndex, Family)>,
    retry_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Facts come in; nothing runs yet.
    Gathering,
    /// `vrrp_startup_delay`.
    Delayed(Instant),
    Running,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listener {
    name: InterfaceName,
    vrids: Vec<Vrid>,
    groups: Vec<IpAddr>,
}

/// What can be seen of an instance from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSnapshot {
    /// Its name.
    pub name: InstanceName,
    /// Its election.
    pub router: standfast_vrrp::Snapshot,
    /// Why it cannot take part; empty when it can.
    pub faults: Vec<Fault>,
    /// Whether its addresses are installed.
    pub holds: bool,
    /// What went by.
    pub counters: standfast_vrrp::Counters,
}

impl Brain {
    /// A brain that gathers facts until [`Self::start`].
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let Config { instances, scripts, groups, bfd, startup_delay } = config;
        let mut brain = Self {
            startup_delay,
            instances: instances
                .into_iter()
                .map(|config| (config.name.clone(), Instance::new(config, now)))
                .collect(),
            scripts: scripts
                .into_iter()
                .map(|config| (config.name.clone(), ScriptState::new(config)))
                .collect(),
            groups: Groups::default(),
            bfd: Sessions::new(bfd, now.as_nanos()),
            world: World::default(),
            phase: Phase::Gathering,
            listeners: BTreeMap::new(),
            deaf: BTreeSet::new(),
            retry_at: None,
            outputs: VecDeque::new(),
        };
        brain.reconfigure_groups(now, groups);
        brain
    }

    /// Asks for the interfaces that instances need and lack, once those of the machine are known.
    /// Before [`Self::start`], so that what a former life left on them can be adopted.
    pub fn prepare(&mut self, now: Instant) {
        for instance in self.instances.values_mut() {
            instance.ensure_links(now, &self.world, &mut self.outputs);
        }
    }

    /// Begins, once the interfaces and addresses of the machine are known. Instances in `adopt` were
    /// master in a process that died a moment ago and go on as master; all other leftovers of their
    /// addresses are removed.
    pub fn start(&mut self, now: Instant, adopt: &BTreeSet<InstanceName>) {
        let adopt = &self.groups.whole(adopt);
        for (name, instance) in &self.instances {
            if !adopt.contains(name) {
                instance.lower(&mut self.outputs);
                instance.clean(&self.world, &mut self.outputs);
            }
        }
        self.phase = if self.startup_delay.is_zero() || !adopt.is_empty() {
            Phase::Running
        } else {
            Phase::Delayed(now + self.startup_delay)
        };
        self.bfd.start(now, &mut self.outputs);
        self.evaluate_with(now, adopt);
    }

    /// The next thing to do. Call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let delay = match self.phase {
            Phase::Delayed(until) => Some(until),
            Phase::Gathering | Phase::Running => None,
        };
        let others = delay.into_iter().chain(self.retry_at).chain(self.bfd.next_deadline());
        self.instances.values().filter_map(Instance::next_deadline).chain(others).min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Delayed(until) if until <= now) {
            self.phase = Phase::Running;
            self.evaluate(now);
        }
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            let deaf = &self.deaf;
            self.listeners.retain(|port, _| !deaf.contains(port));
            self.update_listeners();
        }
        if self.bfd.handle_timeout(now, &mut self.outputs) {
            self.evaluate(now);
        }
        let is_due = |instance: &Instance| instance.next_deadline().is_some_and(|at| at <= now);
        let due = self.instances.iter().filter(|(_, instance)| is_due(instance));
        let due: Vec<_> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            let held_back = self.groups.held_back(now, &name, &self.instances);
            let Some(instance) = self.instances.get_mut(&name) else { continue };
            if let Some(until) = held_back {
                instance.router.defer(until);
            }
            instance.handle_timeout(now, &self.world, &mut self.outputs);
            self.settle(now, &name);
        }
    }

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { index, datagram } => self.handle_datagram(now, index, datagram),
            Input::Link { index, name, running } => {
                if self.world.set_link(index, name.clone(), running) {
                    self.handle_switched(index, running);
                    self.relink(&name);
                    self.evaluate(now);
                }
            }
            Input::LinkGone { index } => {
                self.world.remove_link(index);
                self.instances.values_mut().for_each(|instance| instance.link_gone(index));
                self.evaluate(now);
            }
            Input::LinkMade { name, index } => {
                for instance in self.instances.values_mut() {
                    let (world, out) = (&self.world, &mut self.outputs);
                    if instance.link_made(now, &name, index, world, out) {
                        // What a former life left up must fall silent; at start, when it is not adopted.
                        if self.phase == Phase::Running && !instance.holds() {
                            instance.lower(out);
                        }
                        break;
                    }
                }
                self.evaluate(now);
            }
            Input::LinkRefused { name, error, taken } => {
                for instance in self.instances.values_mut() {
                    let (world, out) = (&self.world, &mut self.outputs);
                    if instance.link_refused(now, &name, &error, taken, world, out) {
                        break;
                    }
                }
                self.evaluate(now);
            }
            Input::Address { index, address, ours } => {
                if self.world.set_address(index, address, ours) {
                    self.evaluate(now);
                }
            }
            Input::AddressGone { index, address } => {
                self.world.remove_address(index, address);
                for instance in self.instances.values_mut() {
                    instance.restore(now, index, address, &self.world, &mut self.outputs);
                }
                self.evaluate(now);
            }
            Input::AddressRefused { index, address, error, lasting } => {
                self.address_refused(index, address, &error, lasting);
                self.evaluate(now);
            }
            Input::EntryGone { entry } => {
                for instance in self.instances.values_mut() {
                    instance.routing.lose(now, &entry);
                }
            }
            Input::EntryAnswer { entry, refusal } => {
                for instance in self.instances.values_mut() {
                    let news = instance.routing.answer(now, &entry, refusal.as_deref());
                    instance.emit_routing(news, &mut self.outputs);
                }
            }
            Input::Listening { index, family, success } => {
                self.handle_listening(now, (index, family), success);
            }
            Input::Script { name, success } => self.handle_script(now, &name, success),
            Input::Answered { index, address, mac } => {
                let evidence = Evidence::Answered;
                for instance in self.instances.values_mut().filter(|instance| instance.holds()) {
                    let (world, out) = (&self.world, &mut self.outputs);
                    instance.handle_claim(now, (index, address), mac, evidence, world, out);
                }
            }
            Input::Announced { index, address, mac } => {
                for instance in self.instances.values_mut().filter(|instance| instance.holds()) {
                    let out = &mut self.outputs;
                    instance.handle_announced(now, (index, address), mac, &self.world, out);
                }
            }
            Input::Bfd(input) => {
                if self.bfd.handle_input(now, &input, &mut self.outputs) {
                    self.evaluate(now);
                }
            }
            Input::Seed(seed) => self.bfd.seed(seed),
            Input::Release => {
                self.bfd.release(now, &mut self.outputs);
                for instance in self.instances.values_mut() {
                    instance.release(now, &self.world, &mut self.outputs);
                }
            }
        }
    }

    /// Whether every instance has let go, after [`Input::Release`].
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.instances.values().all(|instance| instance.router.snapshot().state == StateName::Stop)
    }

    /// Whether every address of an instance is on this machine with our tag.
    #[must_use]
    pub fn is_installed(&self, name: &InstanceName) -> bool {
        self.instances.get(name).is_some_and(|instance| instance.is_installed(&self.world))
    }

    /// Every instance as seen from outside, by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<InstanceSnapshot> {
        let snapshot = |(name, instance): (&InstanceName, &Instance)| InstanceSnapshot {
            name: name.clone(),
            router: instance.router.snapshot(),
            faults: instance.faults.iter().cloned().collect(),
            holds: instance.holds(),
            counters: instance.router.counters().clone(),
        };
        self.instances.iter().map(snapshot).collect()
    }

    /// Every BFD session as seen from outside, by name.
    #[must_use]
    pub fn bfd_snapshot(&self) -> Vec<BfdSnapshot> {
        self.bfd.snapshot()
    }

    /// Counts from zero again.
    pub fn clear_counters(&mut self) {
        for instance in self.instances.values_mut() {
            instance.router.clear_counters();
        }
    }

    /// Takes a new configuration: timers, states and addresses that both have stay as they are.
    pub fn reconfigure(&mut self, now: Instant, config: Config) {
        self.startup_delay = config.startup_delay;
        self.reconfigure_scripts(config.scripts);
        self.bfd.reconfigure(now, config.bfd, &mut self.outputs);
        let mut wanted: BTreeMap<_, _> =
            config.instances.into_iter().map(|config| (config.name.clone(), config)).collect();
        let names: Vec<_> = self.instances.keys().cloned().collect();
        for name in names {
            match wanted.remove(&name) {
                Some(config) => self.reconfigure_instance(now, &name, config),
                None => self.delete(now, &name),
            }
        }
        for (name, config) in wanted {
            self.create(now, name, config);
        }
        self.reconfigure_groups(now, config.groups);
        self.evaluate(now);
    }

    fn reconfigure_groups(&mut self, now: Instant, groups: Vec<crate::GroupConfig>) {
        let (instances, out) = (&mut self.instances, &mut self.outputs);
        self.groups.reconfigure(now, groups, instances, &self.world, out);
    }

    fn settle(&mut self, now: Instant, name: &InstanceName) {
        let (instances, out) = (&mut self.instances, &mut self.outputs);
        self.groups.settle(now, name, instances, &self.world, out);
    }

    fn reconfigure_scripts(&mut self, scripts: Vec<crate::ScriptConfig>) {
        let mut old = std::mem::take(&mut self.scripts);
        for config in scripts {
            let name = config.name.clone();
            let state = match old.remove(&name) {
                Some(mut state) => {
                    state.reconfigure(config);
                    state
                }
                None => ScriptState::new(config),
            };
            self.scripts.insert(name, state);
        }
    }

    fn reconfigure_instance(&mut self, now: Instant, name: &InstanceName, config: InstanceConfig) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let old = &instance.config;
        let same_router = old.interface == config.interface
            && old.router.vrid == config.router.vrid
            && old.router.version == config.router.version;
        if same_router {
            instance.reconfigure(now, config, &self.world, &mut self.outputs);
        } else {
            self.let_go_of(now, name);
            if let Some(instance) = self.instances.get_mut(name) {
                instance.remove_links(&mut self.outputs);
            }
            self.create(now, name.clone(), config);
        }
    }

    fn create(&mut self, now: Instant, name: InstanceName, config: InstanceConfig) {
        let instance = Instance::new(config, now);
        instance.clean(&self.world, &mut self.outputs);
        self.groups.forget(&name);
        self.instances.insert(name, instance);
    }

    fn delete(&mut self, now: Instant, name: &InstanceName) {
        self.let_go_of(now, name);
        if let Some(mut instance) = self.instances.remove(name) {
            instance.remove_links(&mut self.outputs);
            instance.emit(InstanceEvent::Deleted, &mut self.outputs);
        }
    }

    fn let_go_of(&mut self, now: Instant, name: &InstanceName) {
        self.feed(now, name, RouterInput::Fault);
    }

    fn feed(&mut self, now: Instant, name: &InstanceName, input: RouterInput<'_>) {
        if let Some(instance) = self.instances.get_mut(name) {
            instance.feed(now, input, &self.world, &mut self.outputs);
        }
    }

    fn handle_datagram(&mut self, now: Instant, index: IfIndex, datagram: Datagram<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        let vrid = datagram.payload.get(1).copied();
        let to_group = datagram.destination.is_multicast();
        // Unicast instances may share a VRID: the one whose peer it is comes first.
        let rank = |instance: &Instance| match &instance.config.router.transport {
            Transport::Multicast { group } if datagram.destination == *group => 0,
            Transport::Unicast { peers, .. }
                if peers.iter().any(|peer| peer.address == datagram.source) =>
            {
                0
            }
            Transport::Multicast { .. } if to_group => 2,
            Transport::Multicast { .. } | Transport::Unicast { .. } => 1,
        };
        let addressee = self
            .instances
            .iter_mut()
            .filter(|(_, instance)| {
                instance.index == Some(index)
                    && instance.config.router.family == Family::of(datagram.source)
                    && vrid == Some(instance.config.router.vrid.get())
                    && rank(instance) < 2
            })
            .min_by_key(|(_, instance)| rank(instance));
        if let Some((name, instance)) = addressee {
            instance.feed(now, RouterInput::Datagram(datagram), &self.world, &mut self.outputs);
            let name = name.clone();
            self.groups.heard(now, &name, &mut self.instances);
            self.settle(now, &name);
        }
    }

    fn handle_listening(&mut self, now: Instant, port: (IfIndex, Family), success: bool) {
        let news = if success { self.deaf.remove(&port) } else { self.deaf.insert(port) };
        if !self.deaf.is_empty() {
            self.retry_at.get_or_insert(now + LISTEN_RETRY);
        }
        if news {
            self.evaluate(now);
        }
    }

    /// An interface was switched on or off, perhaps one of our own by somebody else.
    fn handle_switched(&mut self, index: IfIndex, running: bool) {
        if self.phase == Phase::Running {
            for instance in self.instances.values() {
                instance.link_changed(index, running, &mut self.outputs);
            }
        }
    }

    fn handle_script(&mut self, now: Instant, name: &ScriptName, success: bool) {
        let Some(script) = self.scripts.get_mut(name) else { return };
        if let Some(up) = script.handle_result(success) {
            if self.phase != Phase::Gathering {
                self.outputs.push_back(Output::Emit(Event::Script { name: name.clone(), up }));
            }
            self.evaluate(now);
        }
    }

    fn address_refused(&mut self, index: IfIndex, address: IpAddr, error: &str, lasting: bool) {
        for instance in self.instances.values_mut() {
            let holds = instance.holds()
                && instance.config.addresses.iter().any(|held| {
                    held.prefix.address() == address
                        && instance.place(&held.interface, &self.world) == Some(index)
                });
            if holds {
                let error = error.to_owned();
                let kind = InstanceEvent::AddressRefused { address, error };
                instance.emit(kind, &mut self.outputs);
                // Without an address that is advertised nobody is served; others are extras.
                let advertised = instance.config.router.addresses.contains(&address);
                if lasting && advertised {
                    instance.refused.insert(address);
                }
            }
        }
    }

    /// An interface changed, and perhaps what stands on it.
    fn relink(&mut self, name: &InterfaceName) {
        for instance in self.instances.values_mut() {
            instance.routing.relink(name, &self.world, &mut self.outputs);
        }
    }

    /// Brings interfaces, sources, priorities and faults of every instance up to what is known.
    fn evaluate(&mut self, now: Instant) {
        self.evaluate_with(now, &BTreeSet::new());
    }

    fn evaluate_with(&mut self, now: Instant, adopt: &BTreeSet<InstanceName>) {
        if self.phase != Phase::Running {
            return;
        }
        let virtual_addresses: BTreeSet<IpAddr> = self
            .instances
            .values()
            .filter(|instance| !instance.config.router.priority.is_owner())
            .flat_map(|instance| &instance.config.addresses)
            .map(|address| address.prefix.address())
            .collect();
        let mut assessed = BTreeMap::new();
        for (name, instance) in &mut self.instances {
            let config = &instance.config;
            // What is left to send goes where the interface was, whatever its name is now.
            let index = self.world.index(&config.interface);
            instance.index = index.or(instance.index);
            let source = config.source.or_else(|| {
                let family = config.router.family;
                self.world.primary(&config.interface, family, |a| virtual_addresses.contains(&a))
            });
            if instance.source != source {
                instance.source = source.or(instance.source);
                if let Some(source) = source {
                    let input = RouterInput::Source(source);
                    instance.feed(now, input, &self.world, &mut self.outputs);
                }
            }
            let (weight, mut faults) = assess(
                &instance.config,
                self.groups.trackers(name),
                source,
                &self.scripts,
                &self.bfd,
                &self.world,
            );
            instance.ensure_links(now, &self.world, &mut self.outputs);
            faults.extend(instance.link_faults(&self.world));
            faults.extend(instance.refused.iter().copied().map(Fault::AddressRefused));
            apply_weight(now, instance, weight, &self.world, &mut self.outputs);
            let family = instance.config.router.family;
            let sockets = [index, instance.sender().map(|(index, _)| index)];
            if sockets.into_iter().flatten().any(|index| self.deaf.contains(&(index, family))) {
                faults.insert(Fault::CannotListen(instance.config.interface.clone()));
            }
            assessed.insert(name.clone(), faults);
        }
        self.groups.share_faults(&mut assessed);
        for (instance, faults) in self.instances.values_mut().zip(assessed.into_values()) {
            apply_faults(now, instance, faults, &self.world, &mut self.outputs);
            instance.index = self.world.index(&instance.config.interface);
        }
        self.update_listeners();
        self.start_waiting(now, adopt);
        let (instances, out) = (&mut self.instances, &mut self.outputs);
        self.groups.settle_all(now, instances, &self.world, out);
    }

    /// Starts the instances that wait for nothing any more.
    fn start_waiting(&mut self, now: Instant, adopt: &BTreeSet<InstanceName>) {
        for (name, instance) in &mut self.instances {
            let waits = instance.router.snapshot().state == StateName::Init;
            let (world, out) = (&self.world, &mut self.outputs);
            match (waits, adopt.contains(name)) {
                (true, true) => instance.feed(now, RouterInput::Adopt, world, out),
                (true, false) if instance.faults.is_empty() => {
                    instance.feed(now, RouterInput::Start, world, out);
                }
                // It was master, but can no longer be: nothing may stay behind.
                (false, true) => instance.clean(world, out),
                (true | false, false) => {}
            }
        }
    }

    fn update_listeners(&mut self) {
        let mut wanted: BTreeMap<(IfIndex, Family), Listener> = BTreeMap::new();
        for instance in self.instances.values() {
            let Some(index) = instance.index else { continue };
            let port = (index, instance.config.router.family);
            let listener = wanted.entry(port).or_insert_with(|| Listener {
                name: instance.config.interface.clone(),
                vrids: Vec::new(),
                groups: Vec::new(),
            });
            listener.vrids.push(instance.config.router.vrid);
            if let Transport::Multicast { group } = instance.config.router.transport
                && !listener.groups.contains(&group)
            {
                listener.groups.push(group);
            }
            // Nothing is heard there that the parent does not hear.
            if let Some((index, name)) = instance.sender() {
                let name = name.clone();
                let sender = Listener { name, vrids: Vec::new(), groups: Vec::new() };
                wanted.insert((index, port.1), sender);
            }
        }
        for listener in wanted.values_mut() {
            // Unicast instances may share an id.
            listener.vrids.sort();
            listener.vrids.dedup();
        }
        self.deaf.retain(|port| wanted.contains_key(port));
        for port in self.listeners.keys().filter(|port| !wanted.contains_key(port)) {
            self.outputs.push_back(Output::Unlisten { index: port.0, family: port.1 });
        }
        for (port, listener) in &wanted {
            if self.listeners.get(port) != Some(listener) {
                let Listener { name, vrids, groups } = listener.clone();
                let (index, family) = *port;
                self.outputs.push_back(Output::Listen { index, family, name, vrids, groups });
            }
        }
        self.listeners = wanted;
    }
}

#[cfg(test)]
mod tests;
