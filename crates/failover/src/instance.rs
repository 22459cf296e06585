//! One instance: its router, the addresses it holds, and why it cannot take part.

use std::{
    collections::{BTreeSet, VecDeque},
    net::IpAddr,
    time::Duration,
};

use standfast_types::{IfIndex, Instant, MacAddress, VirtualAddress};
use standfast_vrrp::{Input, Output as RouterOutput, Packet, Router, StateName};

use crate::{
    Event, Evidence, Fault, InstanceConfig, InstanceEvent, Output, RoutingEvent,
    conflict::{Place, Watch},
    lease,
    routing::Routing,
    vmac::Own,
    world::World,
};

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) config: InstanceConfig,
    pub(crate) router: Router,
    pub(crate) index: Option<IfIndex>,
    /// When `garp_extra_if` is due; `Some` while it holds its addresses.
    pub(crate) extra_at: Option<Instant>,
    /// Interfaces of its own.
    pub(crate) links: Vec<Own>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) faults: BTreeSet<Fault>,
    /// When the leases of its addresses are renewed; `Some` while it holds them.
    renew_at: Option<Instant>,
    /// When it installed them first, while it holds them.
    held_since: Instant,
    /// When the kernel removes what is not renewed.
    lease_end: Instant,
    /// Addresses that the kernel would refuse again; forgotten on a reload.
    pub(crate) refused: BTreeSet<IpAddr>,
    /// Addresses that others removed since it became master.
    restored: u32,
    /// While letting go: the addresses that the successor has not announced yet.
    awaited: BTreeSet<(IpAddr, IfIndex)>,
    /// Where its addresses were installed: an interface may have another name by now.
    pub(crate) installed: BTreeSet<(IfIndex, VirtualAddress)>,
    /// Those with `no_track` that somebody removed: they are not renewed.
    pub(crate) left_out: BTreeSet<Place>,
    /// Its routes and rules.
    pub(crate) routing: Routing,
    /// Announcements that wait for their turn (`vrrp_garp_interval`).
    queue: VecDeque<(IfIndex, IpAddr)>,
    queue_at: Option<Instant>,
    /// Who else answers for its addresses.
    watch: Watch,
}

impl Instance {
    pub(crate) fn new(config: InstanceConfig, now: Instant) -> Self {
        Self {
            router: Router::new(config.router.clone(), now),
            extra_at: None,
            links: config.links.iter().cloned().map(Own::new).collect(),
            config,
            index: None,
            source: None,
            faults: BTreeSet::new(),
            renew_at: None,
            held_since: now,
            lease_end: now,
            refused: BTreeSet::new(),
            restored: 0,
            awaited: BTreeSet::new(),
            installed: BTreeSet::new(),
            left_out: BTreeSet::new(),
            routing: Routing::default(),
            queue: VecDeque::new(),
            queue_at: None,
            watch: Watch::default(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let router = self.router.next_deadline().map(|(at, _)| at);
        let routing = self.routing.next_deadline();
        let watch = self.watch.next_deadline();
        let links = self.links_due();
        [router, self.renew_at, self.queue_at, links, self.extra_at, routing, watch]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) const fn holds(&self) -> bool {
        self.renew_at.is_some()
    }

    /// Whether every address is on this machine. An owner's may be there without our tag.
    pub(crate) fn is_installed(&self, world: &World) -> bool {
        let owner = self.config.router.priority.is_owner();
        self.has_links()
            && self.config.addresses.iter().all(|address| {
                let ip = address.prefix.address();
                world.holders(ip).any(|index| {
                    Some(index) == self.place(&address.interface, world)
                        && (owner || !world.is_foreign(index, ip))
                })
            })
    }

    pub(crate) fn feed(
        &mut self,
        now: Instant,
        input: Input<'_>,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        self.router.handle_input(now, input);
        self.drain(now, world, out);
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        self.router.handle_timeout(now);
        self.drain(now, world, out);
        if self.extra_at.is_some_and(|at| at <= now) {
            self.announce_extra(now, world, out);
        }
        if self.links_due().is_some_and(|at| at <= now) {
            self.ensure_links(now, world, out);
        }
        if self.renew_at.is_some_and(|at| at <= now) {
            self.install(now, world, out);
        }
        if self.queue_at.is_some_and(|at| at <= now) {
            self.announce_next(now, out);
        }
        let news = self.routing.handle_timeout(now, world, out);
        self.emit_routing(news, out);
        if self.watch.next_deadline().is_some_and(|at| at <= now) {
            self.watch_addresses(now, world, out);
        }
    }

    /// Takes a new configuration of the same virtual router; touches only what differs.
    pub(crate) fn reconfigure(
        &mut self,
        now: Instant,
        config: InstanceConfig,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        self.refused.clear();
        let old = std::mem::replace(&mut self.config, config);
        if self.holds() && self.config.extra_announcements != old.extra_announcements {
            self.extra_at = self.config.extra_announcements.map(|extra| now + extra.interval);
        }
        if self.config.links != old.links {
            self.reconfigure_links(out);
        }
        if self.holds() {
            // Also what only has another label now: the kernel can't change that in place.
            let wanted = &self.config.addresses;
            let stale: Vec<_> =
                self.installed.iter().filter(|(_, held)| !wanted.contains(held)).cloned().collect();
            for (index, address) in stale {
                self.installed.remove(&(index, address.clone()));
                out.push_back(Output::RemoveAddress { index, address });
            }
            self.install(now, world, out);
            self.routing.hold(&self.config.routing, out);
            let fresh = self.config.addresses.iter().filter(|a| !old.addresses.contains(a));
            let fresh: Vec<_> = fresh.filter_map(|a| self.announcement(a, world)).collect();
            self.queue.extend(fresh);
            self.announce_next(now, out);
        } else if self.config.addresses != old.addresses {
            // One that is new here may be left of a life before the last.
            self.clean(world, out);
        }
        if self.config.router != old.router {
            self.router.reconfigure(now, self.config.router.clone());
            self.drain(now, world, out);
        }
    }

    /// Somebody removed an address from an interface, perhaps the one in this place.
    pub(crate) fn restore(
        &mut self,
        now: Instant,
        index: IfIndex,
        place: usize,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        if !self.holds() {
            return;
        }
        let is_lost = |held: &&VirtualAddress| self.place(&held.interface, world) == Some(index);
        let Some(lost) = self.config.addresses.get(place).filter(is_lost).cloned() else { return };
        if !lost.tracked {
            // Neither its lease has ended nor has its interface taken it along.
            if self.lease_end > now && world.state(index) == Some(true) {
                self.left_out.insert((index, lost.prefix.address()));
            }
            return;
        }
        self.restored = self.restored.saturating_add(1);
        let (lease_seconds, _) = self.lease(world);
        let prefix = lost.prefix;
        self.queue.extend(self.announcement(&lost, world));
        out.push_back(Output::AddAddress { index, address: lost, lease_seconds });
        self.routing.readdress(prefix.address(), out);
        self.announce_next(now, out);
        let (count, expired) = (self.restored, self.lease_end <= now);
        let kind = InstanceEvent::AddressRestored { address: prefix, count, expired };
        self.emit(kind, out);
    }

    /// Another machine announced an address; all of them announced means that it has taken over.
    pub(crate) fn handle_announced(
        &mut self,
        now: Instant,
        (index, address): Place,
        mac: MacAddress,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        if !self.router.is_releasing() {
            let place = (index, address);
            self.handle_claim(now, place, mac, Evidence::Announced, world, out);
            return;
        }
        let anywhere = (address, IfIndex::new(0))..=(address, IfIndex::new(u32::MAX));
        let places: Vec<_> = self.awaited.range(anywhere).copied().collect();
        if !places.iter().any(|&(_, at)| self.is_heard_on(at, index)) {
            return;
        }
        for place in &places {
            self.awaited.remove(place);
        }
        if self.awaited.is_empty() {
            self.feed(now, Input::HandedOver, world, out);
        }
    }

    pub(crate) fn emit_routing(
        &self,
        events: impl IntoIterator<Item = RoutingEvent>,
        out: &mut VecDeque<Output>,
    ) {
        for event in events {
            self.emit(InstanceEvent::Routing(event), out);
        }
    }

    /// Another machine says that it has an address.
    pub(crate) fn handle_claim(
        &mut self,
        now: Instant,
        place: Place,
        mac: MacAddress,
        evidence: Evidence,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let ours = self.announcements(world).any(|own| own == place);
        if ours && self.watch.handle_claim(now, place, mac) {
            let (_, address) = place;
            self.emit(InstanceEvent::AddressContested { address, mac, evidence }, out);
        }
    }

    fn watch_addresses(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        let held: Vec<_> = self.announcements(world).collect();
        let due = self.watch.handle_timeout(now, &held);
        for (index, address) in due.ask {
            out.push_back(Output::Ask { index, address });
        }
        for ((index, address), mac, lasted) in due.ended {
            out.push_back(Output::Announce { index, address });
            self.emit(InstanceEvent::AddressUncontested { address, mac, lasted }, out);
        }
    }

    pub(crate) fn emit(&self, kind: InstanceEvent, out: &mut VecDeque<Output>) {
        out.push_back(Output::Emit(Event::Instance { name: self.config.name.clone(), kind }));
    }

    /// Removes the leftovers of a previous life, which must not answer while another machine holds the
    /// address: from its interface whoever put it there, from others only with our tag (the real server
    /// of a balancer has the same address on `lo`).
    pub(crate) fn clean(&self, world: &World, out: &mut VecDeque<Output>) {
        for entry in self.config.routing.iter().rev() {
            out.push_back(Output::RemoveEntry { entry: entry.clone() });
        }
        // What an owner has without our tag is its own.
        let owner = self.config.router.priority.is_owner();
        for address in &self.config.addresses {
            let own = self.place(&address.interface, world).filter(|_| !owner);
            let ip = address.prefix.address();
            for index in world.holders(ip) {
                if Some(index) == own || !world.is_foreign(index, ip) {
                    out.push_back(Output::RemoveAddress { index, address: address.clone() });
                }
            }
        }
    }

    fn drain(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        while let Some(output) = self.router.poll_output() {
            match output {
                RouterOutput::Advertise { priority } => self.advertise(now, priority, out),
                RouterOutput::Hold => {
                    self.restored = 0;
                    self.install(now, world, out);
                    self.routing.hold(&self.config.routing, out);
                    if self.config.detect_conflicts {
                        self.watch.start(now, self.announcements(world).count());
                    }
                }
                RouterOutput::LetGo => self.let_go(out),
                RouterOutput::Announce { repeat } => {
                    let all: Vec<_> = self.announcements(world).collect();
                    // Every address once before any address twice. A burst replaces what is left of an
                    // earlier one: a queue with a gap must not grow.
                    self.queue.clear();
                    for _ in 0..repeat {
                        self.queue.extend(&all);
                    }
                    self.announce_next(now, out);
                }
                RouterOutput::Event(event) => {
                    let faults = self.faults.iter().cloned().collect();
                    self.emit(InstanceEvent::Election { event, faults }, out);
                }
            }
        }
        if self.router.snapshot().state == StateName::Stop {
            self.remove_links(out);
        }
    }

    fn advertise(&mut self, now: Instant, priority: u8, out: &mut VecDeque<Output>) {
        let (Some(index), Some(source)) = (self.way_out(), self.source) else { return };
        let packets = self.router.adverts(now, priority, source);
        out.extend(packets.into_iter().map(|packet| {
            let Packet { destination, ttl, envelope, payload } = packet;
            Output::Send { index, source, destination, ttl, envelope, payload }
        }));
    }

    fn lease(&self, world: &World) -> (u32, Duration) {
        let Self { config, .. } = self;
        lease::lease(config.router.advert_interval, &config.addresses, world.lease_pace)
    }

    /// Installs or renews every address.
    fn install(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        let first = !self.holds();
        if first {
            self.raise(out);
            self.left_out.clear();
            self.held_since = now;
            self.extra_at = self.config.extra_announcements.map(|extra| now + extra.interval);
        }
        let held = now.saturating_since(self.held_since);
        let (lease_seconds, period) = self.lease(world);
        // On a grid: leases that are renewed together end together. The kernel looks at leases at most
        // once a second, so one that ends alone delays the others.
        self.renew_at = Some(now.next_multiple(period));
        self.lease_end = now + Duration::from_secs(lease_seconds.into());
        for address in &self.config.addresses {
            let Some(index) = self.place(&address.interface, world) else {
                if first {
                    let (address, interface) = (address.prefix, address.interface.clone());
                    self.emit(InstanceEvent::AddressWithoutInterface { address, interface }, out);
                }
                continue;
            };
            // An owner's address is the machine's own: it must not become a lease. What we have installed
            // is ours, though: kernels before 5.18 keep no tag, and report it as anybody's.
            let owned = self.config.router.priority.is_owner()
                && world.is_foreign(index, address.prefix.address())
                && !self.installed.contains(&(index, address.clone()));
            if !owned && !self.left_out.contains(&(index, address.prefix.address())) {
                self.installed.insert((index, address.clone()));
                let address = address.after(held);
                out.push_back(Output::AddAddress { index, address, lease_seconds });
            }
        }
    }

    /// Announces these too, in their turn.
    pub(crate) fn queue_up(
        &mut self,
        now: Instant,
        announcements: Vec<(IfIndex, IpAddr)>,
        out: &mut VecDeque<Output>,
    ) {
        self.queue.extend(announcements);
        self.announce_next(now, out);
    }

    /// Puts everything back on an interface of its own that is new.
    pub(crate) fn install_again(
        &mut self,
        now: Instant,
        index: IfIndex,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        self.install(now, world, out);
        let there: Vec<_> = self.announcements(world).filter(|(at, _)| *at == index).collect();
        self.queue.extend(there);
        self.announce_next(now, out);
    }

    fn let_go(&mut self, out: &mut VecDeque<Output>) {
        self.renew_at = None;
        self.queue.clear();
        self.queue_at = None;
        self.extra_at = None;
        // Before anything else: from here on the virtual MAC address is another machine's.
        self.lower(out);
        self.routing.let_go(out);
        self.watch.stop();
        for (index, address) in std::mem::take(&mut self.installed) {
            out.push_back(Output::RemoveAddress { index, address });
        }
    }

    /// Lets go, make before break.
    pub(crate) fn release(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        // What the successor announces from now on counts, and nothing of ours may follow it.
        let all = self.announcements(world).map(|(index, address)| (address, index));
        self.awaited = all.collect();
        self.queue.clear();
        self.queue_at = None;
        self.extra_at = None;
        self.watch.stop();
        self.feed(now, Input::Release, world, out);
    }

    /// Each address once, where it is announced.
    pub(crate) fn announcements(&self, world: &World) -> impl Iterator<Item = (IfIndex, IpAddr)> {
        self.config.addresses.iter().filter_map(|address| self.announcement(address, world))
    }

    fn announcement(&self, address: &VirtualAddress, world: &World) -> Option<(IfIndex, IpAddr)> {
        Some((self.place(&address.interface, world)?, address.prefix.address()))
    }

    fn announce_next(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let gap = self.config.router.announcements.gap;
        self.queue_at = None;
        while let Some((index, address)) = self.queue.pop_front() {
            out.push_back(Output::Announce { index, address });
            if !gap.is_zero() && !self.queue.is_empty() {
                self.queue_at = Some(now + gap);
                return;
            }
        }
    }
}
