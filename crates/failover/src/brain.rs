//! The brain: all instances of a machine, their trackers, and what the machine must hold.

mod evaluate;
mod routing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_types::{
    FileName, IfIndex, InstanceName, Instant, InterfaceName, ScriptName, WallClock,
};
use standfast_vrrp::{Datagram, Input as RouterInput, StateName};

use crate::{
    BfdSnapshot, Config, Event, Evidence, Fault, Input, InstanceConfig, InstanceEvent, Output,
    accept::Blocking,
    bfd::Sessions,
    dependents::Dependents,
    group::Groups,
    instance::Instance,
    instances::Instances,
    lease,
    listeners::{Listeners, Port},
    pace::Paces,
    process::Processes,
    settling::Settling,
    statics,
    strangers::Strangers,
    tracker::ScriptState,
    world::World,
};

/// The failover brain of one machine. The same type runs in the daemon and in the simulator.
#[derive(Clone, Debug)]
pub struct Brain {
    startup_delay: Duration,
    blocking: Blocking,
    releasing: bool,
    instances: Instances,
    scripts: BTreeMap<ScriptName, ScriptState>,
    /// The numbers in files.
    files: BTreeMap<FileName, i64>,
    processes: Processes,
    groups: Groups,
    bfd: Sessions,
    statics: statics::Held,
    paces: Paces,
    settling: Settling,
    strangers: Strangers,
    world: World,
    /// What instances that are made later are told.
    clock: WallClock,
    phase: Phase,
    listeners: Listeners,
    dependents: Arc<Dependents>,
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
        let Config {
            instances,
            scripts,
            groups,
            bfd,
            statics,
            link_delays,
            paces,
            log_unknown_vrids,
            startup_delay,
            firewall,
            processes,
        } = config;
        let lease_pace = lease::pace(instances.iter());
        let mut brain = Self {
            startup_delay,
            blocking: Blocking::new(firewall),
            releasing: false,
            instances: Instances::new(
                instances.into_iter().map(|config| Instance::new(config, now)),
            ),
            scripts: scripts
                .into_iter()
                .map(|config| (config.name.clone(), ScriptState::new(config)))
                .collect(),
            files: BTreeMap::new(),
            processes: Processes::new(processes),
            groups: Groups::default(),
            bfd: Sessions::new(bfd, now.as_nanos()),
            statics: statics::Held::new(statics),
            paces: Paces::new(&paces),
            settling: Settling::new(link_delays),
            strangers: Strangers::new(log_unknown_vrids),
            world: World::default(),
            clock: WallClock::default(),
            phase: Phase::Gathering,
            listeners: Listeners::default(),
            dependents: Arc::default(),
            outputs: VecDeque::new(),
        };
        brain.world.lease_pace = lease_pace;
        brain.listeners.hear_everyone = log_unknown_vrids;
        brain.world.statics = brain.statics.addresses();
        brain.reconfigure_groups(now, groups);
        brain.instances.schedule();
        brain
    }

    /// Asks for the interfaces that instances need and lack, once those of the machine are known.
    /// Before [`Self::start`], so that what a former life left on them can be adopted.
    pub fn prepare(&mut self, now: Instant) {
        for instance in self.instances.values_mut() {
            instance.ensure_links(now, &self.world, &mut self.outputs);
        }
        self.update_blocked();
    }

    /// Begins, once the interfaces and addresses of the machine are known. Instances in `adopt` were
    /// master in a process that died a moment ago and go on as master; all other leftovers of their
    /// addresses are removed.
    pub fn start(&mut self, now: Instant, adopt: &BTreeSet<InstanceName>) {
        self.update_blocked();
        let adopt = &self.groups.whole(adopt);
        for instance in self.instances.values() {
            if !adopt.contains(&instance.config.name) {
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
        self.statics.hold(&self.world, &mut self.outputs);
        let all = self.instances.slots().collect();
        self.evaluate_some(now, all, adopt);
        self.instances.schedule();
        self.keep_pace(now);
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
        let others = [delay, self.listeners.next_deadline(), self.bfd.next_deadline()];
        let others = others.into_iter().chain([self.statics.next_deadline()]).flatten();
        let others = others.chain(self.processes.next_deadline());
        let others = others.chain(self.settling.next_deadline()).chain(self.paces.next_deadline());
        self.instances.next_deadline().into_iter().chain(others).min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Delayed(until) if until <= now) {
            self.phase = Phase::Running;
            self.evaluate(now);
        }
        for index in self.settling.take_due(now) {
            if let (Some(name), Some(running)) = (self.world.name(index), self.world.state(index)) {
                self.handle_link(now, index, name.clone(), !running);
            }
        }
        self.listeners.handle_timeout(now, &self.instances, &mut self.outputs);
        let news = self.processes.handle_timeout(now, &mut self.outputs);
        if self.bfd.handle_timeout(now, &mut self.outputs) || news {
            self.evaluate(now);
        }
        self.instances.schedule();
        for slot in self.instances.due(now) {
            let Some(instance) = self.instances.at(slot) else { continue };
            let name = instance.config.name.clone();
            let held_back = self.groups.held_back(now, &name, &self.instances);
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            if let Some(until) = held_back {
                instance.router.defer(until);
            }
            instance.handle_timeout(now, &self.world, &mut self.outputs);
            self.settle(now, &name);
        }
        self.time_statics(now);
        self.instances.schedule();
        self.end_blocking();
        self.keep_pace(now);
    }

    fn update_blocked(&mut self) {
        self.blocking.update(self.instances.values(), &mut self.outputs);
    }

    /// The last to let go takes the rules of `no_accept` along.
    fn end_blocking(&mut self) {
        if self.releasing && self.has_stopped() {
            self.update_blocked();
        }
    }

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.take(now, input);
        self.instances.schedule();
        self.keep_pace(now);
    }

    fn keep_pace(&mut self, now: Instant) {
        let parents = || self.instances.values().flat_map(Instance::parents).collect();
        self.paces.regulate(now, &self.world, parents, &mut self.outputs);
    }

    fn take(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { index, datagram } => self.handle_datagram(now, index, datagram),
            Input::Link { index, name, running } => {
                let running = self.settling.report(now, index, &name, running, &self.world);
                self.handle_link(now, index, name, running);
            }
            Input::LinkGone { index } => {
                let old = self.world.name(index).cloned();
                self.world.remove_link(index);
                self.settling.forget(index);
                let slots = self.slots_of_link(index, old.into_iter());
                for &slot in &slots {
                    if let Some(instance) = self.instances.at_mut(slot) {
                        instance.link_gone(index);
                    }
                }
                self.update_listeners();
                self.evaluate_some(now, slots, &BTreeSet::new());
            }
            Input::LinkMade { name, index } => self.link_made(now, &name, index),
            Input::LinkRefused { name, error, taken } => {
                self.link_refused(now, &name, &error, taken);
            }
            Input::Address { index, address, ours } => {
                self.statics.arrived(address);
                self.arrived(index, address);
                if self.world.set_address(index, address, ours) {
                    self.evaluate_address(now, index, address);
                }
            }
            Input::AddressGone { index, address } => {
                self.world.remove_address(index, address);
                self.statics.restore(index, address, &mut self.outputs);
                self.restore(now, index, address);
                self.evaluate_address(now, index, address);
            }
            Input::AddressRefused { index, address, error, lasting } => {
                self.address_refused(now, index, address, &error, lasting);
            }
            Input::EntryGone { entry } => self.entry_gone(now, &entry),
            Input::EntryAnswer { entry, refusal } => {
                self.entry_answer(now, &entry, refusal.as_deref());
            }
            Input::Listening { index, family, success } => {
                self.handle_listening(now, (index, family), success);
            }
            Input::Script { name, success } => self.handle_script(now, &name, success),
            Input::Answered { index, address, mac } => {
                let dependents = Arc::clone(&self.dependents);
                for &(slot, _) in dependents.holders(address) {
                    let Some(instance) = self.instances.at_mut(slot) else { continue };
                    let (place, evidence) = ((index, address), Evidence::Answered);
                    let (world, out) = (&self.world, &mut self.outputs);
                    instance.handle_claim(now, place, mac, evidence, world, out);
                }
            }
            Input::Announced { index, address, mac } => {
                let dependents = Arc::clone(&self.dependents);
                for &(slot, _) in dependents.holders(address) {
                    let Some(instance) = self.instances.at_mut(slot) else { continue };
                    let out = &mut self.outputs;
                    instance.handle_announced(now, (index, address), mac, &self.world, out);
                }
            }
            Input::Process(input) => {
                if self.processes.handle_input(now, &input, &mut self.outputs) {
                    self.evaluate(now);
                }
            }
            Input::File { name, value } => self.handle_file(now, name, value),
            Input::Bfd(input) => {
                if self.bfd.handle_input(now, input, &mut self.outputs) {
                    self.evaluate(now);
                }
            }
            Input::Seed(seed) => self.bfd.seed(seed),
            Input::Clock(clock) => {
                self.clock = clock;
                let input = RouterInput::Clock(clock);
                for instance in self.instances.values_mut() {
                    instance.feed(now, input, &self.world, &mut self.outputs);
                }
            }
            Input::Release => {
                self.bfd.release(now, &mut self.outputs);
                self.paces.clear();
                for instance in self.instances.values_mut() {
                    instance.release(now, &self.world, &mut self.outputs);
                }
                self.statics.release();
                self.releasing = true;
                self.end_blocking();
            }
        }
        self.end_statics();
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

    /// Whether an instance can go on as master after a process that died, and said nothing for so long:
    /// its addresses are here, and no peer has missed it. Otherwise others may be master by now.
    #[must_use]
    pub fn can_adopt(&self, name: &InstanceName, silence: Duration) -> bool {
        let in_time = |instance: &Instance| {
            let router = &instance.router;
            router.config().priority.is_owner() || silence <= router.leeway()
        };
        self.is_installed(name) && self.instances.get(name).is_some_and(in_time)
    }

    /// Every instance as seen from outside, by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<InstanceSnapshot> {
        let snapshot = |instance: &Instance| InstanceSnapshot {
            name: instance.config.name.clone(),
            router: instance.router.snapshot(),
            faults: instance.faults.iter().cloned().collect(),
            holds: instance.holds(),
            counters: instance.router.counters().clone(),
        };
        self.instances.values().map(snapshot).collect()
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
        self.world.lease_pace = lease::pace(config.instances.iter());
        self.settling.reconfigure(now, config.link_delays, &self.world);
        self.listeners.hear_everyone = config.log_unknown_vrids;
        self.strangers = Strangers::new(config.log_unknown_vrids);
        self.paces.reconfigure(&config.paces, &mut self.outputs);
        self.statics.reconfigure(config.statics, &self.world, &mut self.outputs);
        self.world.statics = self.statics.addresses();
        self.blocking.firewall = config.firewall;
        self.reconfigure_scripts(config.scripts);
        self.processes.reconfigure(config.processes);
        self.bfd.reconfigure(now, config.bfd, &mut self.outputs);
        let mut wanted: BTreeMap<_, _> =
            config.instances.into_iter().map(|config| (config.name.clone(), config)).collect();
        let names: Vec<_> =
            self.instances.values().map(|instance| instance.config.name.clone()).collect();
        for name in names {
            match wanted.remove(&name) {
                Some(config) => self.reconfigure_instance(now, &name, config),
                None => self.delete(now, &name),
            }
        }
        for (name, config) in wanted {
            self.create(now, name, config);
        }
        self.keep_what_moves();
        self.reconfigure_groups(now, config.groups);
        self.update_blocked();
        self.evaluate(now);
        self.update_listeners();
        self.instances.schedule();
        self.keep_pace(now);
    }

    /// An address that one holder gives up and another has now stays where it is.
    fn keep_what_moves(&mut self) {
        let removes = |output: &Output| matches!(output, Output::RemoveAddress { .. });
        if !self.outputs.iter().any(removes) {
            return;
        }
        let instances = self.instances.values().flat_map(|instance| &instance.installed);
        let held: BTreeSet<_> = instances.chain(self.statics.installed()).cloned().collect();
        self.outputs.retain(|output| {
            let Output::RemoveAddress { index, address } = output else { return true };
            !held.contains(&(*index, address.clone()))
        });
    }

    fn reconfigure_groups(&mut self, now: Instant, groups: Vec<crate::GroupConfig>) {
        let (instances, out) = (&mut self.instances, &mut self.outputs);
        self.groups.reconfigure(now, groups, instances, &self.world, out);
        self.dependents = Arc::new(Dependents::new(&self.instances, &self.groups));
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
            && old.router.family == config.router.family
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
        let mut instance = Instance::new(config, now);
        let clock = RouterInput::Clock(self.clock);
        instance.feed(now, clock, &self.world, &mut self.outputs);
        instance.clean(&self.world, &mut self.outputs);
        self.groups.forget(&name);
        self.instances.insert(instance);
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
        let Some(slot) = self.listeners.addressee(index, datagram, &self.instances) else {
            return self.handle_stranger(index, datagram);
        };
        let Some(instance) = self.instances.at_mut(slot) else { return };
        instance.feed(now, RouterInput::Datagram(datagram), &self.world, &mut self.outputs);
        let name = instance.config.name.clone();
        self.groups.heard(now, &name, &mut self.instances);
        self.settle(now, &name);
    }

    fn handle_stranger(&mut self, index: IfIndex, datagram: Datagram<'_>) {
        let source = datagram.source;
        if let Some(vrid) = self.listeners.stranger(index, datagram)
            && let Some(interface) = self.world.name(index).cloned()
            && self.strangers.notice(index, source, vrid)
        {
            let event = Event::UnknownVrid { interface, vrid, source };
            self.outputs.push_back(Output::Emit(event));
        }
    }

    fn handle_listening(&mut self, now: Instant, port: Port, success: bool) {
        if self.listeners.handle_listening(now, port, success) {
            let slots = self.slots_of_link(port.0, self.world.name(port.0).cloned().into_iter());
            self.evaluate_some(now, slots, &BTreeSet::new());
        }
    }

    fn link_made(&mut self, now: Instant, name: &InterfaceName, index: IfIndex) {
        for slot in self.instances.slots() {
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            if instance.link_made(now, name, index, &self.world, &mut self.outputs) {
                // What a former life left up must fall silent; at start, when it is not adopted.
                if self.phase == Phase::Running && !instance.holds() {
                    instance.lower(&mut self.outputs);
                }
                self.update_listeners();
                self.update_blocked();
                return self.evaluate_some(now, BTreeSet::from([slot]), &BTreeSet::new());
            }
        }
    }

    fn link_refused(&mut self, now: Instant, name: &InterfaceName, error: &str, taken: bool) {
        for slot in self.instances.slots() {
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            let (world, out) = (&self.world, &mut self.outputs);
            if instance.link_refused(now, name, error, taken, world, out) {
                return self.evaluate_some(now, BTreeSet::from([slot]), &BTreeSet::new());
            }
        }
    }

    fn handle_link(&mut self, now: Instant, index: IfIndex, name: InterfaceName, running: bool) {
        let old = self.world.name(index).cloned();
        if self.world.set_link(index, name.clone(), running) {
            self.handle_switched(index, running);
            let names = old.into_iter().chain([name.clone()]);
            let slots = self.slots_of_link(index, names);
            self.evaluate_some(now, slots, &BTreeSet::new());
            self.relink(now, &name);
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

    fn handle_file(&mut self, now: Instant, name: FileName, value: i64) {
        let known = self.files.insert(name.clone(), value).unwrap_or(0);
        if known != value {
            if self.phase != Phase::Gathering {
                self.outputs.push_back(Output::Emit(Event::File { name, value }));
            }
            self.evaluate(now);
        }
    }

    fn arrived(&mut self, index: IfIndex, address: IpAddr) {
        let dependents = Arc::clone(&self.dependents);
        for &(slot, _) in dependents.holders(address) {
            if let Some(instance) = self.instances.at_mut(slot) {
                instance.left_out.remove(&(index, address));
            }
        }
    }

    /// Somebody removed an address: whoever holds it puts it back.
    fn restore(&mut self, now: Instant, index: IfIndex, address: IpAddr) {
        let dependents = Arc::clone(&self.dependents);
        for &(slot, place) in dependents.holders(address) {
            if let Some(instance) = self.instances.at_mut(slot) {
                instance.restore(now, index, place, &self.world, &mut self.outputs);
            }
        }
    }

    fn address_refused(
        &mut self,
        now: Instant,
        index: IfIndex,
        address: IpAddr,
        error: &str,
        lasting: bool,
    ) {
        self.statics.address_refused(index, address, error, &mut self.outputs);
        let dependents = Arc::clone(&self.dependents);
        let mut faulty = BTreeSet::new();
        for &(slot, place) in dependents.holders(address) {
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            let held = instance.config.addresses.get(place).filter(|_| instance.holds());
            if held.is_none_or(|held| instance.place(&held.interface, &self.world) != Some(index)) {
                continue;
            }
            let error = error.to_owned();
            let kind = InstanceEvent::AddressRefused { address, error };
            instance.emit(kind, &mut self.outputs);
            // Without an address that is advertised nobody is served; others are extras.
            let advertised = instance.config.router.addresses.contains(&address);
            if lasting && advertised && instance.refused.insert(address) {
                faulty.insert(slot);
            }
        }
        self.evaluate_some(now, faulty, &BTreeSet::new());
    }
}

#[cfg(test)]
pub(crate) mod tests;
