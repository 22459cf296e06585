//! One instance's keywords together: defaults, contradictions, and what cannot run.

use std::{
    collections::{BTreeMap, hash_map::Entry},
    net::IpAddr,
};

use standfast_failover::{InstanceConfig, ReceiveBuffer, Trackers};
use standfast_types::{
    AdvertInterval, Family, InstanceName, InterfaceName, Priority, VirtualAddress, Vrid,
};
use standfast_vrrp::{ChecksumMode, Config, Preempt, Transport, Version};

use super::{
    Lowering,
    instance::{Draft, OldChecksum, State},
};
use crate::{
    Code, Diagnostic,
    diagnostic::{Class, Severity},
    model::Notify,
    origins::{InstanceOrigin, TrackerOrigin},
    syntax::Word,
};

/// Addresses that one advert can carry.
const ADVERTISED_MAX: usize = 255;
/// Bytes that a frame of Ethernet has for the addresses of an advert over IPv6.
const ADVERTISED6_BYTES: usize = 1500 - 40 - 8;

impl Lowering<'_> {
    /// Turns a block into an instance of the model, unless it cannot run.
    pub(super) fn resolve(&mut self, mut draft: Draft) {
        let name = InstanceName::from(draft.name.text.as_str());
        let (Some(vrid), Some(interface), true) =
            (self.required_vrid(&draft), self.required_interface(&draft), self.can_run(&draft))
        else {
            self.model.left_out.push(name);
            return;
        };
        let priority = self.resolve_priority(&draft);
        let version = self.version(&draft);
        let accept = draft.obey_strictness(version, priority);
        let version = self.version(&draft);
        let mut router = Config::new(vrid, priority);
        router.family = draft.family();
        router.version = version;
        router.advert_interval = self.resolve_interval(&draft, version);
        router.down_timer_adverts = draft.down_timer_adverts;
        router.preempt = self.resolve_preempt(&draft);
        let interval = router.advert_interval;
        let Some(authentication) = self.resolve_authentication(&draft, version, interval) else {
            self.model.left_out.push(name);
            return;
        };
        router.authentication = authentication;
        router.transport = self.resolve_transport(&draft);
        router.checksum = resolve_checksum(&draft);
        router.announcements = draft.announcements;
        if router.family == Family::V6 {
            router.announcements.gap = self.defaults.neighbour_gap();
        }
        router.lower_prio_no_advert = draft.lower_prio_no_advert;
        router.skip_check_adv_addr = draft.skip_check_adv_addr;
        router.owner_ignore_adverts = draft.owner_ignore_adverts.unwrap_or(draft.strict);
        router.addresses = draft.advertised(version);
        if !self.check_addresses(&draft, version) {
            self.model.left_out.push(name);
            return;
        }
        self.reused_vrid(&draft, vrid, &interface, &router.transport);
        let mut addresses = draft.held(&interface);
        let own = self.own_links(&draft, vrid, &interface, &mut addresses);
        router.shared_mac = draft.own.shares_mac();
        self.origins.instances.insert(name.clone(), draft.origin());
        if draft.notify != Notify::default() {
            self.notify.insert(name.clone(), draft.notify.clone());
        }
        if draft.strict {
            self.model.strict.insert(name.clone());
        }
        let receive_buffer = match draft.receive_buffer {
            Some(bytes) => ReceiveBuffer { bytes, mtus: 0 },
            None => self.defaults.room.for_adverts(&router),
        };
        let trackers = Trackers {
            interfaces: self.track_interfaces(&draft, &interface),
            ..draft.trackers.trackers()
        };
        self.model.failover.instances.push(InstanceConfig {
            name,
            interface,
            router,
            accept,
            receive_buffer,
            extra_announcements: draft.extra_announcements,
            links: own.links,
            advertise_from: own.advertise_from,
            source: draft.source.map(|(source, _)| source).or(own.source),
            track_source: draft.track_source,
            track_primary: draft.track_primary,
            detect_conflicts: self.defaults.detect_conflicts,
            addresses,
            promote_secondaries: draft.promote_secondaries,
            routing: draft.routes.into_iter().chain(draft.rules).collect(),
            trackers,
        });
    }

    /// Whether what the instance asks for is active in this version.
    fn can_run(&mut self, draft: &Draft) -> bool {
        let peers = !draft.peers.is_empty() || draft.peers_span.is_none();
        self.peers_unsaid(draft);
        peers || self.peers_missing(draft)
    }

    /// Over IPv6 it is 3 unless the instance itself says otherwise: RFC 3768 is for IPv4.
    fn version(&self, draft: &Draft) -> Version {
        let default = match draft.family() {
            Family::V4 => self.defaults.version,
            Family::V6 => Version::V3,
        };
        draft.version.map_or(default, |(version, _)| version)
    }

    fn required_vrid(&mut self, draft: &Draft) -> Option<Vrid> {
        if draft.vrid.is_none() && !draft.vrid_given {
            let span = draft.name.span;
            let name = &draft.name.text;
            let message = format!("instance `{name}` has no virtual_router_id; it is left out");
            self.diagnostics.push(
                Diagnostic::warning(Code::VridMissing, span, message)
                    .label("the instance does not run")
                    .hint("write `virtual_router_id` with a number from 1 to 255, the same on every node")
                    .class(Class::Error),
            );
        }
        draft.vrid.map(|(vrid, _)| vrid)
    }

    /// Whether the instance runs although its `unicast_peer` is empty.
    fn peers_missing(&mut self, draft: &Draft) -> bool {
        let span = draft.peers_span.unwrap_or(draft.name.span);
        let what = if draft.fault_without_peer { "is left out" } else { "uses multicast" };
        let message = format!("no unicast peer is left; instance `{}` {what}", draft.name.text);
        self.diagnostics.push(
            Diagnostic::warning(Code::PeersMissing, span, message)
                .hint("list the other nodes' addresses, one on each line")
                .class(Class::Error),
        );
        !draft.fault_without_peer
    }

    /// Keywords for unicast, and no `unicast_peer` at all.
    fn peers_unsaid(&mut self, draft: &Draft) {
        let Some(word) = draft.unicast_word.as_ref().filter(|_| draft.peers_span.is_none()) else {
            return;
        };
        let message = format!(
            "`{}` asks for unicast, but there is no `unicast_peer`; instance `{}` uses multicast",
            word.text, draft.name.text
        );
        let found = Diagnostic::warning(Code::PeersMissing, word.span, message)
            .hint("list the other nodes in `unicast_peer`, or delete the line");
        let theirs = (!draft.fault_without_peer).then_some(Class::Error);
        self.diagnostics.push(Diagnostic { keepalived: theirs, ..found });
    }

    fn resolve_priority(&mut self, draft: &Draft) -> Priority {
        let master = draft.state.filter(|(state, _)| *state == State::Master);
        match (draft.priority, master) {
            (Some((priority, span)), _) => {
                if priority.is_owner() {
                    let message = "priority 255: this node takes the address at once and always";
                    self.diagnostics.push(
                        Diagnostic::note(Code::AddressOwner, span, message)
                            .label("no tracker's weight lowers it")
                            .hint("write 254 or less unless the address is the machine's own"),
                    );
                }
                priority
            }
            (None, Some((_, span))) if !draft.priority_given => {
                let message = "`state MASTER` without `priority` means priority 255";
                self.diagnostics.push(
                    Diagnostic::warning(Code::AddressOwner, span, message)
                        .label("no tracker's weight lowers it")
                        .hint("write `priority` with a number below 255"),
                );
                Priority::OWNER
            }
            (None, _) => Priority::new(100).unwrap_or(Priority::HIGHEST),
        }
    }

    fn resolve_interval(&mut self, draft: &Draft, version: Version) -> AdvertInterval {
        let Some((interval, span)) = draft.advert_interval else {
            return AdvertInterval::DEFAULT;
        };
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        let (interval, exact, range) = match version {
            Version::V2 => {
                let seconds = ((micros + 500_000) / 1_000_000).clamp(1, 255);
                let interval = u8::try_from(seconds).ok().map(AdvertInterval::from_seconds);
                (interval, micros == seconds * 1_000_000, "VRRPv2 carries whole seconds")
            }
            Version::V3 => {
                let centis = ((micros + 5_000) / 10_000).clamp(1, 4095);
                let interval = u16::try_from(centis).ok().map(AdvertInterval::from_centis);
                (interval, micros == centis * 10_000, "VRRPv3 carries 0.01 to 40.95 seconds")
            }
        };
        let interval = interval.and_then(Result::ok).unwrap_or(AdvertInterval::DEFAULT);
        if !exact {
            let used = interval.duration().as_secs_f64();
            let message = format!("{range}; {used} s is used");
            self.diagnostics.push(
                Diagnostic::warning(Code::AdvertInterval, span, message)
                    .hint("`version 3` carries hundredths of a second up to 40.95 s")
                    .class(Class::Error),
            );
        }
        interval
    }

    fn resolve_preempt(&mut self, draft: &Draft) -> Preempt {
        let master = draft.state.filter(|(state, _)| *state == State::Master);
        let delay = draft.preempt_delay.filter(|(delay, _)| !delay.is_zero());
        if let Some((_, state)) = master {
            for (keyword, span) in
                [("nopreempt", draft.nopreempt), ("preempt_delay", delay.map(|(_, span)| span))]
            {
                let Some(span) = span else { continue };
                let message = format!("`{keyword}` has no effect with `state MASTER`");
                self.diagnostics.push(
                    Diagnostic::warning(Code::NoPreemptAsMaster, span, message)
                        .also(state, "this cancels it")
                        .hint("write `state BACKUP` on both nodes; the priority decides who serves")
                        .class(Class::Error),
                );
            }
            return Preempt::Always;
        }
        match (draft.nopreempt, delay) {
            (Some(_), delay) => {
                if let Some((_, span)) = delay {
                    let message = "`preempt_delay` has no effect with `nopreempt`";
                    self.diagnostics.push(
                        Diagnostic::warning(Code::NoEffect, span, message).class(Class::Error),
                    );
                }
                Preempt::Never
            }
            (None, Some((delay, _))) => Preempt::After(delay),
            (None, None) => Preempt::Always,
        }
    }

    fn resolve_transport(&mut self, draft: &Draft) -> Transport {
        if draft.peers.is_empty() {
            let default = match draft.family() {
                Family::V4 => self.defaults.group,
                Family::V6 => self.defaults.group6,
            };
            let group = draft.group.filter(|(group, _)| Family::of(*group) == draft.family());
            let group = group.map_or(default, |(group, _)| group);
            return Transport::Multicast { group };
        }
        if let Some((source, source_span)) = draft.source
            && let Some((_, span)) = draft.peers.iter().find(|(peer, _)| peer.address == source)
        {
            let message = format!("the peer {source} is this instance's own source address");
            self.diagnostics.push(
                Diagnostic::warning(Code::PeerIsSelf, *span, message)
                    .also(source_span, "the source address")
                    .hint("list only the other nodes"),
            );
        }
        Transport::Unicast {
            peers: draft.peers.iter().map(|(peer, _)| *peer).collect(),
            check_source: draft.check_source,
            ttl: draft.ttl,
        }
    }

    /// Whether the instance can run with the addresses that it has.
    fn check_addresses(&mut self, draft: &Draft, version: Version) -> bool {
        let excused = draft.no_address_wanted || draft.address_misspelt;
        if draft.addresses.is_empty() && !excused {
            let runs = version == Version::V2 && !draft.strict;
            let left_out = if runs { "" } else { "; it is left out" };
            let message =
                format!("instance `{}` has no virtual address{left_out}", draft.name.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::AddressMissing, &draft.name, message)
                    .hint("list one in `virtual_ipaddress`, or write `no_virtual_ipaddress`")
                    .class(Class::Error),
            );
            return runs;
        }
        let first = draft.addresses.first().map(|(_, address)| address.prefix.address());
        if let Some(IpAddr::V6(first)) = first
            && !first.is_unicast_link_local()
        {
            let message =
                format!("the first address of an IPv6 instance is not link-local: {first}");
            let span = draft.listed.get(&first.into()).copied().unwrap_or(draft.name.span);
            self.diagnostics.push(
                Diagnostic::note(Code::LinkLocalFirst, span, message)
                    .hint("list one of `fe80::/64` first, the same on every node"),
            );
        }
        true
    }

    fn reused_vrid(
        &mut self,
        draft: &Draft,
        vrid: Vrid,
        interface: &InterfaceName,
        transport: &Transport,
    ) {
        let group = |transport: &Transport| match transport {
            Transport::Multicast { group } => Some(*group),
            Transport::Unicast { .. } => None,
        };
        let router = (vrid, interface.clone(), draft.family(), group(transport));
        let other = match self.routers.entry(router) {
            Entry::Vacant(vacant) => {
                vacant.insert(draft.name.text.as_str().into());
                return;
            }
            Entry::Occupied(occupied) => occupied.get().clone(),
        };
        let span = draft.vrid.map_or(draft.name.span, |(_, span)| span);
        let place = if interface.is_any() { "any interface" } else { interface.as_str() };
        let message = format!("virtual_router_id {vrid} is used on {place} by `{other}` already");
        let hint = "give each instance on an interface its own number";
        // Unicast routers are told apart by their peers, so keepalived runs those.
        let mut found = match group(transport) {
            Some(_) => Diagnostic::error(Code::VridReused, span, message).hint(hint),
            None => Diagnostic::warning(Code::VridReused, span, message).hint(hint),
        };
        if let Some(origin) = self.origins.instances.get(&other) {
            found = found.also(origin.vrid, "first used here");
        }
        self.diagnostics.push(found);
    }

    fn track_interfaces(
        &mut self,
        draft: &Draft,
        own: &InterfaceName,
    ) -> Vec<standfast_failover::TrackInterface> {
        let mut kept = Vec::new();
        for (tracker, origin) in &draft.trackers.interfaces {
            if tracker.interface != *own {
                kept.push(tracker.clone());
                continue;
            }
            let message = format!("`{own}` is the instance's own interface; the line is ignored");
            let (severity, effect) = match (draft.track_primary, tracker.weight.value) {
                (true, 0) => (Severity::Note, "while it is down the instance is in FAULT anyway"),
                (true, _) => {
                    (Severity::Warning, "while it is down the instance is in FAULT, not lowered")
                }
                (false, _) => {
                    (Severity::Warning, "with `dont_track_primary` its failure does nothing")
                }
            };
            let found = Diagnostic::new(Code::OwnInterface, severity, origin.name, message);
            self.diagnostics.push(
                found
                    .label(effect)
                    .hint("delete the line, or list an uplink interface")
                    .class(Class::Error),
            );
        }
        kept
    }
}

fn resolve_checksum(draft: &Draft) -> ChecksumMode {
    match (draft.checksum_as_v2, draft.old_checksum) {
        (true, _) => ChecksumMode::AsV2,
        (false, Some(OldChecksum::Always)) => ChecksumMode::OldUnicast,
        (false, Some(OldChecksum::Never)) => ChecksumMode::PseudoHeaderOnly,
        (false, None) => ChecksumMode::PseudoHeader,
    }
}

impl Draft {
    /// The addresses in adverts; those beyond what fits are held all the same.
    fn advertised(&self, version: Version) -> Vec<IpAddr> {
        let ips = self.addresses.iter().map(|(_, address)| address.prefix.address());
        let password = if version == Version::V2 { 8 } else { 0 };
        let taken = password + self.authentication.trailer_length();
        let most = match self.family() {
            Family::V4 => ADVERTISED_MAX,
            Family::V6 => (ADVERTISED6_BYTES - taken) / 16,
        };
        ips.take(most).collect()
    }

    /// All addresses to hold, each with its interface.
    fn held(&self, own: &InterfaceName) -> Vec<VirtualAddress> {
        let on_interface = |(device, address): &(Option<Word>, VirtualAddress)| {
            let interface =
                device.as_ref().map_or_else(|| own.clone(), |word| word.text.as_str().into());
            VirtualAddress { interface, ..address.clone() }
        };
        self.addresses.iter().chain(&self.excluded).map(on_interface).collect()
    }

    fn origin(&self) -> InstanceOrigin {
        fn places<T, N: Ord>(
            drafts: &[(T, TrackerOrigin)],
            name: impl Fn(&T) -> N,
        ) -> BTreeMap<N, TrackerOrigin> {
            drafts.iter().map(|(tracker, origin)| (name(tracker), *origin)).collect()
        }
        let trackers = &self.trackers;
        InstanceOrigin {
            name: self.name.span,
            vrid: self.vrid.map_or(self.name.span, |(_, span)| span),
            state: self.state.map(|(_, span)| span),
            priority: self.priority.map(|(_, span)| span),
            advert_interval: self.advert_interval.map(|(_, span)| span),
            version: self.version.map(|(_, span)| span),
            password: self.authentication.origin(),
            nopreempt: self.nopreempt,
            source: self.source.map(|(_, span)| span),
            group: self.group.map(|(_, span)| span),
            peers: self.peers_span,
            addresses: self.addresses_span,
            track_scripts: places(&trackers.scripts, |track| track.script.clone()),
            track_interfaces: places(&trackers.interfaces, |track| track.interface.clone()),
            track_files: places(&trackers.files, |track| track.file.clone()),
            track_processes: places(&trackers.processes, |track| track.process.clone()),
            track_bfd: places(&trackers.sessions, |track| track.session.clone()),
        }
    }
}
