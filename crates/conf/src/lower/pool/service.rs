//! `virtual_server`: its own lines, and what they and its servers come to.

use std::{
    collections::{BTreeMap, hash_map::Entry},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use rustc_hash::FxHashSet;
use standfast_balance::{Active, Endpoint, RealServer, SorryServer, VirtualServer};
use standfast_types::{
    Closing, Command, DestinationKey, Family, Forwarding, Persistence, Scheduler, Scheduling,
    ServiceKey, ServiceName, Transport,
};

use super::{
    group::Group,
    inherit::Inherited,
    late::{Late, Wish},
    method,
    server::Lowered,
};
use crate::{
    Code, Diagnostic, ServerNotify, ServiceNotify,
    lower::{Lowering, arguments::Read, command},
    syntax::{Statement, Word},
    table::{Keyword, Value},
};

/// `persistence_timeout` without a number, and that of a service on all ports.
const PERSISTENCE: Duration = Duration::from_secs(360);

/// What a service takes.
#[derive(Clone, Copy)]
pub(super) enum Target<'s> {
    Address(IpAddr, u16),
    Mark(u32),
    Group(&'s str),
}

/// What the lines of a block say, before it is known what they mean together.
pub(super) struct Draft<'s> {
    pub(super) target: Target<'s>,
    pub(super) forwarding: Forwarding,
    pub(super) weight: u32,
    pub(super) inhibit: bool,
    pub(super) inherited: Inherited,
    pub(super) sorry: Option<(IpAddr, u16)>,
    pub(super) sorry_inhibit: bool,
    pub(super) sorry_forwarding: Option<Forwarding>,
    scheduling: Scheduling,
    persistence: Option<Duration>,
    granularity: Option<&'s Word>,
    engine: Option<String>,
    transport: Option<Transport>,
    family: Option<Family>,
    quorum: u32,
    hysteresis: u32,
    omega: bool,
    suspend: bool,
    mail: Option<bool>,
    quorum_up: Option<Command>,
    quorum_down: Option<Command>,
    wish: Option<Wish>,
}

impl<'s> Draft<'s> {
    fn new(target: Target<'s>) -> Self {
        Self {
            target,
            forwarding: Forwarding::Nat,
            weight: 1,
            inhibit: false,
            inherited: Inherited::default(),
            sorry: None,
            sorry_inhibit: false,
            sorry_forwarding: None,
            scheduling: Scheduling::new(Scheduler::Wlc),
            persistence: None,
            granularity: None,
            engine: None,
            transport: None,
            family: None,
            quorum: 1,
            hysteresis: 0,
            omega: false,
            suspend: false,
            mail: None,
            quorum_up: None,
            quorum_down: None,
            wish: None,
        }
    }

    /// The port that servers have which name none.
    pub(super) const fn port(&self) -> u16 {
        match self.target {
            Target::Address(_, port) => port,
            Target::Mark(_) | Target::Group(_) => 0,
        }
    }

    /// The scheduler, and what it is told.
    fn take_scheduling(&mut self, name: &str, read: &Read<'s>) -> bool {
        let Scheduling { scheduler, flags, .. } = &mut self.scheduling;
        match (name, *scheduler) {
            ("lb_algo" | "lvs_sched", _) => {
                let named = read.word().and_then(|word| Scheduler::named(&word.text));
                *scheduler = named.unwrap_or(*scheduler);
            }
            ("flag-1", _) => flags.first = true,
            ("flag-2", _) => flags.second = true,
            ("flag-3", _) => flags.third = true,
            ("sh-fallback", Scheduler::Sh) | ("mh-fallback", Scheduler::Mh) => flags.first = true,
            ("sh-port", Scheduler::Sh) | ("mh-port", Scheduler::Mh) => flags.second = true,
            // Written above its scheduler, it is ignored; a lint says so.
            ("sh-fallback" | "mh-fallback" | "sh-port" | "mh-port", _) => {}
            ("ops", _) => self.scheduling.one_packet = true,
            ("on_failure", _) => {
                self.scheduling.closing = match read.word().map(|word| word.text.as_str()) {
                    Some("keep") => Closing::Keep,
                    Some("reset") => Closing::Reset,
                    Some("expire") => Closing::Expire,
                    Some(_) | None => self.scheduling.closing,
                };
            }
            (_, _) => return false,
        }
        true
    }

    fn take_persistence(&mut self, name: &str, read: &Read<'s>) -> bool {
        match name {
            "persistence_timeout" if !read.failed => {
                let seconds = read.small::<u32>();
                let written = seconds.map(|(seconds, _)| Duration::from_secs(seconds.into()));
                self.persistence = Some(written.unwrap_or(PERSISTENCE));
            }
            "persistence_granularity" => self.granularity = read.word().or(self.granularity),
            "persistence_engine" => {
                self.engine = read.word().map(|word| word.text.to_string()).or(self.engine.take());
            }
            _ => return false,
        }
        true
    }

    fn take(&mut self, name: &str, read: &Read<'s>) {
        let number = |old| read.small().map_or(old, |(number, _)| number);
        match name {
            "ip_family" if !read.failed => {
                let ipv6 = read.word().is_some_and(|word| word.text == "inet6");
                self.family = Some(if ipv6 { Family::V6 } else { Family::V4 });
            }
            "lb_kind" | "lvs_method" => {
                self.forwarding = method::forwarding(read).unwrap_or(self.forwarding);
            }
            "sorry_server_lvs_method" => {
                self.sorry_forwarding = method::forwarding(read).or(self.sorry_forwarding);
            }
            "protocol" => self.transport = transport(read).or(self.transport),
            "ha_suspend" => self.suspend = true,
            "smtp_alert" => self.mail = read.flag().or(self.mail),
            "omega" => self.omega = true,
            "quorum" => self.quorum = number(self.quorum),
            "hysteresis" => self.hysteresis = number(self.hysteresis),
            "weight" => self.weight = number(self.weight),
            "inhibit_on_failure" => self.inhibit = true,
            "sorry_server_inhibit" => self.sorry_inhibit = true,
            "sorry_server" => {
                let Some((address, _)) = read.address() else { return };
                let port = port(read).filter(|port| *port != 0);
                self.sorry = Some((address, port.unwrap_or(self.port())));
            }
            _ => {}
        }
    }
}

impl Lowering<'_> {
    pub(in crate::lower) fn virtual_server(
        &mut self,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        let read = self.read(keyword, statement);
        let (Some(target), Some(block)) = (target(&read), keyword.block()) else {
            return;
        };
        let mut draft = Draft::new(target);
        draft.inherited.log_all_failures = self.pools.process.log_all_failures;
        let is_server =
            |line: &&Statement| line.keyword().is_some_and(|word| word.text == "real_server");
        // Its own lines count for its servers, those below them too.
        for inner in statement.statements().iter().filter(|line| !is_server(line)) {
            if let Some((keyword, read)) = self.line(block, inner) {
                self.service_line(&mut draft, keyword.name, inner, &read);
            }
        }
        draft.inherited.settle();
        let mut servers = Vec::new();
        for inner in statement.statements().iter().filter(is_server) {
            let Some((keyword, read)) = self.line(block, inner) else { continue };
            servers.extend(self.real_server(&draft, keyword, inner, &read));
        }
        self.finish_service(draft, servers, statement.parameters());
    }

    fn service_line<'s>(
        &mut self,
        draft: &mut Draft<'s>,
        name: &'static str,
        statement: &Statement,
        read: &Read<'s>,
    ) {
        match name {
            "quorum_up" => draft.quorum_up = self.pool_command(statement),
            "quorum_down" => draft.quorum_down = self.pool_command(statement),
            "active_on" => draft.wish = Wish::read(read),
            _ if draft.take_scheduling(name, read) || draft.take_persistence(name, read) => {}
            _ if draft.inherited.take(name, read, &mut self.pools.texts) => {}
            _ => draft.take(name, read),
        }
    }

    /// A command behind a keyword, with the user who runs it.
    pub(super) fn pool_command(&mut self, statement: &Statement) -> Option<Command> {
        let user = self.defaults.script_user.as_ref();
        command::notify(statement.parameters(), user, self.diagnostics)
    }

    fn finish_service(&mut self, draft: Draft<'_>, servers: Vec<Lowered>, words: &[Word]) {
        let none = Group::default();
        let groups = std::mem::take(&mut self.pools.groups);
        let group = match draft.target {
            Target::Group(name) => groups.get(name).unwrap_or(&none),
            Target::Address(..) | Target::Mark(_) => &none,
        };
        if let Some(service) = self.service(&draft, group, servers, words) {
            let (service, servers) = service;
            let at = self.model.pool.balance.services.len();
            let group = match draft.target {
                Target::Group(name) => Some(name.to_owned()),
                Target::Address(..) | Target::Mark(_) => None,
            };
            if draft.wish.is_some() || group.is_some() {
                self.pools.late.push(Late { at, group, wish: draft.wish });
            }
            let mail = draft.mail.or(self.mail.alert_servers()).unwrap_or(false);
            let mail = mail && self.mail.has_recipients();
            let Draft { quorum_up, quorum_down, .. } = draft;
            let notify = ServiceNotify { quorum_up, quorum_down, mail, servers };
            if notify != ServiceNotify::default() {
                self.model.pool.notify.insert(service.name.clone(), notify);
            }
            self.model.pool.balance.services.push(service);
        }
        self.pools.groups = groups;
    }

    /// The service, and what to run when its servers change; `None` when it serves nothing.
    fn service(
        &mut self,
        draft: &Draft<'_>,
        group: &Group,
        servers: Vec<Lowered>,
        words: &[Word],
    ) -> Option<(VirtualServer, BTreeMap<Endpoint, ServerNotify>)> {
        // A missing protocol is UDP, as a lint says.
        let transport = draft.transport.unwrap_or(Transport::Udp);
        let of_servers = || draft.family.or_else(|| servers.iter().find_map(Lowered::family));
        let family = match draft.target {
            Target::Address(address, _) => Some(Family::of(address)),
            Target::Group(_) if !group.addresses.is_empty() => group.family(),
            Target::Mark(_) | Target::Group(_) => Some(of_servers().unwrap_or(Family::V4)),
        };
        let marks = family.or_else(of_servers).unwrap_or(Family::V4);
        let keys: Vec<ServiceKey> = match draft.target {
            Target::Address(address, port) => {
                vec![ServiceKey::Address { address, port, transport }]
            }
            Target::Mark(mark) => vec![ServiceKey::Mark { mark, family: marks }],
            Target::Group(_) => group.keys(transport).chain(group.mark_keys(marks)).collect(),
        };
        let (servers, notify) = fitting(servers, family);
        if servers.is_empty() {
            return None;
        }
        let keys = self.claim(keys, draft.target, words);
        let name = self.service_name(draft.target, *keys.first()?, transport);
        let mut scheduling = draft.scheduling.clone();
        let marked = matches!(draft.target, Target::Mark(_));
        scheduling.one_packet &= marked || transport == Transport::Udp;
        scheduling.persistence = draft.persistence(group.is_open(), marks);
        let sorry = draft.sorry.and_then(|(address, port)| {
            let forwarding = draft.sorry_forwarding.unwrap_or(draft.forwarding);
            let fits = family.is_none_or(|family| family == Family::of(address));
            let port = draft.kept_port(port, forwarding);
            let key = DestinationKey { address, port };
            let inhibit = draft.sorry_inhibit;
            (fits || method::crosses_families(forwarding)).then_some(SorryServer {
                key,
                forwarding,
                inhibit,
            })
        });
        let (quorum, hysteresis) = draft.quorum(&servers);
        let service = VirtualServer {
            name,
            keys,
            transport,
            scheduling,
            servers,
            sorry,
            quorum,
            hysteresis,
            omega: draft.omega,
            active: Active::Always,
            suspend: draft.suspend,
        };
        Some((service, notify))
    }

    /// Those keys that no other service has.
    fn claim(
        &mut self,
        keys: Vec<ServiceKey>,
        target: Target<'_>,
        words: &[Word],
    ) -> Vec<ServiceKey> {
        let Some((first, last)) = words.first().zip(words.last()) else { return Vec::new() };
        let span = first.span.to(last.span);
        let group = match target {
            Target::Group(name) => Some(name.to_owned()),
            Target::Address(..) | Target::Mark(_) => None,
        };
        let owner = self.pools.owners.len();
        let mut overlap = None;
        let mut free = Vec::with_capacity(keys.len());
        for key in keys {
            match self.pools.taken.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(owner);
                    free.push(key);
                }
                // A range and an address of one group may meet.
                Entry::Occupied(place) if *place.get() == owner => {}
                Entry::Occupied(place) => overlap = overlap.or(Some((key, *place.get()))),
            }
        }
        if let Some((key, other)) = overlap
            && let Some((other, theirs)) = self.pools.owners.get(other)
            // Two services of the same words are reported by a lint.
            && *theirs != group
        {
            let message = format!("{key} belongs to another service already");
            self.diagnostics.push(
                Diagnostic::warning(Code::ServiceTwice, span, message)
                    .also(*other, "which stands here")
                    .hint("let the ranges of groups not overlap"),
            );
        }
        self.pools.owners.push((span, group));
        free
    }

    /// A name that no other service has.
    fn service_name(
        &mut self,
        target: Target<'_>,
        key: ServiceKey,
        transport: Transport,
    ) -> ServiceName {
        let usual = match target {
            Target::Group(name) => name.to_owned(),
            Target::Address(..) | Target::Mark(_) => key.to_string(),
        };
        let mut name = ServiceName::from(usual.as_str());
        // A group may be served for several protocols, and a mark for both families.
        if self.pools.names.contains(&name) {
            let other = match target {
                Target::Group(_) => format!("{usual}:{transport}"),
                Target::Address(..) | Target::Mark(_) => format!("{usual} {}", key.family()),
            };
            name = other.as_str().into();
        }
        self.pools.names.insert(name.clone());
        name
    }
}

impl Draft<'_> {
    /// The port that a server has in the kernel: without rewriting it is that of the service.
    pub(super) fn kept_port(&self, port: u16, forwarding: Forwarding) -> u16 {
        match self.target {
            Target::Address(_, service) if method::keeps_ports(forwarding) => service,
            Target::Mark(_) if method::keeps_ports(forwarding) => 0,
            Target::Address(..) | Target::Mark(_) | Target::Group(_) => port,
        }
    }

    fn persistence(&self, open_group: bool, family: Family) -> Option<Persistence> {
        // A service on all ports has to be persistent.
        let open = open_group || matches!(self.target, Target::Address(_, 0));
        let timeout = self.persistence.or(open.then_some(PERSISTENCE))?;
        let host = if family == Family::V4 { 32 } else { 128 };
        let prefix = self.granularity.and_then(|word| prefix(&word.text));
        let prefix = prefix.unwrap_or(host).min(host);
        Some(Persistence { timeout, prefix, engine: self.engine.clone() })
    }

    /// Quorum and hysteresis, as far as the servers can reach them.
    fn quorum(&self, servers: &[RealServer]) -> (u32, u32) {
        let known = servers.iter().all(|server| matches!(server.endpoint, Endpoint::Address(_)));
        let sum = servers.iter().fold(0, |sum: u32, server| sum.saturating_add(server.weight));
        let most = if known { sum.max(1) } else { u32::MAX };
        let quorum = self.quorum.clamp(1, most);
        (quorum, self.hysteresis.min(quorum - 1))
    }
}

/// Those that packets of the service can reach, each once, and what to run when they change.
fn fitting(
    servers: Vec<Lowered>,
    family: Option<Family>,
) -> (Vec<RealServer>, BTreeMap<Endpoint, ServerNotify>) {
    let mut seen = FxHashSet::default();
    let mut kept = Vec::with_capacity(servers.len());
    let mut notify = BTreeMap::new();
    for lowered in servers {
        let crosses = method::crosses_families(lowered.server.forwarding);
        let fits = match (lowered.family(), family) {
            (Some(own), Some(family)) => own == family || crosses,
            (_, _) => true,
        };
        if !fits || !seen.insert(lowered.server.endpoint.clone()) {
            continue;
        }
        if let Some(wanted) = lowered.notify {
            notify.insert(lowered.server.endpoint.clone(), wanted);
        }
        kept.push(lowered.server);
    }
    (kept, notify)
}

fn target<'s>(read: &Read<'s>) -> Option<Target<'s>> {
    let first = read.word()?;
    let second = read.matched.get(1);
    let number = second.and_then(|matched| match matched.value {
        Value::Number(number) => Some(number),
        Value::Bool(_) | Value::Time(_) | Value::Address(_) | Value::Text(_) => None,
    });
    Some(match first.text.as_str() {
        "fwmark" => Target::Mark(u32::try_from(number?).ok()?),
        "group" => Target::Group(second?.word.text.as_str()),
        text => Target::Address(
            text.parse().ok()?,
            number.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        ),
    })
}

/// The port behind an address.
pub(super) fn port(read: &Read<'_>) -> Option<u16> {
    read.matched.iter().find_map(|matched| match matched.value {
        Value::Number(port) => u16::try_from(port).ok(),
        Value::Bool(_) | Value::Time(_) | Value::Address(_) | Value::Text(_) => None,
    })
}

fn transport(read: &Read<'_>) -> Option<Transport> {
    let word = read.word()?;
    let named = |transport: &Transport| word.text.eq_ignore_ascii_case(&transport.to_string());
    [Transport::Tcp, Transport::Udp, Transport::Sctp].into_iter().find(named)
}

/// A mask or a prefix length as the latter.
fn prefix(text: &str) -> Option<u8> {
    match text.parse::<Ipv4Addr>() {
        Ok(mask) => u8::try_from(mask.to_bits().leading_ones()).ok(),
        Err(_) => text.parse().ok(),
    }
}
