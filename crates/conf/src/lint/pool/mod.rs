//! Virtual servers: what is missing, and what contradicts itself.

mod checker;
mod detection;
mod group;
pub(super) mod plane;
mod server;
pub(super) mod service;

use std::{collections::BTreeMap, net::IpAddr};

use group::Members;
use server::Server;

use super::{
    Seen,
    names::{Names, What},
    tree::{is, last, name, number, value},
};
use crate::{Code, Diagnostic, Span, Statement, Word, diagnostic::Class};

/// What a virtual server serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target<'s> {
    /// An address, and a port; 0 means all ports.
    Address(IpAddr, u16),
    /// Packets with a firewall mark.
    Mark(u64),
    /// A virtual_server_group.
    Group(&'s str),
    /// Nothing that can be read.
    Unknown,
}

/// A virtual server, its settings and its real servers apart.
struct Service<'s> {
    /// `virtual_server`
    word: &'s Word,
    words: &'s [Word],
    target: Target<'s>,
    settings: Vec<&'s Statement>,
    servers: Vec<Server<'s>>,
    /// What its virtual_server_group serves.
    members: Members<'s>,
    /// Whether it serves IPv6, where that can be told.
    ipv6: Option<bool>,
}

impl<'s> Service<'s> {
    fn read(line: &'s Statement, names: &Names<'s>) -> Option<Self> {
        let (word, words) = (line.keyword()?, line.parameters());
        let (servers, settings): (Vec<_>, Vec<_>) =
            line.statements().iter().partition(|inner| is(inner, "real_server"));
        let target = target(words);
        let port = match target {
            Target::Address(_, port) => port,
            Target::Mark(_) | Target::Group(_) | Target::Unknown => 0,
        };
        let unknown = settings.iter().filter(|line| is(line, "real_servers"));
        let servers = servers.into_iter().chain(unknown.flat_map(|list| list.statements()));
        let servers: Vec<_> = servers.filter_map(|server| Server::read(server, port)).collect();
        let named = last(settings.iter().copied(), &["ip_family"]).and_then(value);
        let ipv6 = match target {
            Target::Address(address, _) => Some(address.is_ipv6()),
            Target::Group(group) => names.group_family(group),
            Target::Mark(_) => match named {
                Some(family) => Some(family.text == "inet6"),
                None => servers.iter().find_map(|server| server.address).map(|ip| ip.is_ipv6()),
            },
            Target::Unknown => None,
        };
        let members = match target {
            Target::Group(group) => names.group(group).map(Members::read).unwrap_or_default(),
            Target::Address(..) | Target::Mark(_) | Target::Unknown => Members::default(),
        };
        Some(Self { word, words, target, settings, servers, members, ipv6 })
    }

    /// The last line with one of these keywords.
    fn last(&self, keywords: &[&str]) -> Option<&'s Statement> {
        last(self.settings.iter().copied(), keywords)
    }

    /// The protocol in capitals; `None` for a service by mark, which has none.
    fn protocol(&self) -> Option<String> {
        if matches!(self.target, Target::Mark(_)) {
            return None;
        }
        let word = self.last(&["protocol"]).and_then(value);
        Some(word.map_or("UDP".to_owned(), |word| word.text.to_uppercase()))
    }

    /// The words that say what it serves.
    fn span(&self) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            (_, _) => self.word.span,
        }
    }
}

fn target(words: &[Word]) -> Target<'_> {
    let second = words.get(1).map_or("", |word| word.text.as_str());
    match words.first().map(|word| word.text.as_str()) {
        Some("fwmark") => second.parse().map_or(Target::Unknown, Target::Mark),
        Some("group") => Target::Group(second),
        Some(text) => text.parse().map_or(Target::Unknown, |address| {
            Target::Address(address, second.parse().unwrap_or(0))
        }),
        None => Target::Unknown,
    }
}

/// Lints one statement of the top level.
pub(super) fn lint<'s>(
    line: &'s Statement,
    at: usize,
    names: &mut Names<'s>,
    seen: &mut Seen<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match name(line) {
        "virtual_server" => {}
        "virtual_server_group" => return group::lint(line, diagnostics),
        _ => return,
    }
    let Some(service) = Service::read(line, names) else { return };
    undefined_group(&service, at, names, diagnostics);
    twice(&service, &mut seen.services, diagnostics);
    if !line.statements().iter().any(|inner| is(inner, "real_server")) {
        diagnostics.push(without_servers(&service));
    }
    if service.servers.is_empty() {
        return;
    }
    defaults(&service, diagnostics);
    ports(&service, diagnostics);
    scheduler(&service, diagnostics);
    unheeded(&service, diagnostics);
    quorum(&service, diagnostics);
    server::lint(&service, at, names, diagnostics);
}

fn without_servers(service: &Service<'_>) -> Diagnostic {
    Diagnostic::warning(
        Code::ServersMissing,
        service.span(),
        "the virtual server has no real servers and is ignored",
    )
    .hint("write a `real_server ADDRESS PORT { ... }` for each server")
    .class(Class::Error)
}

fn undefined_group<'s>(
    service: &Service<'s>,
    at: usize,
    names: &mut Names<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(name) = service.words.get(1).filter(|_| matches!(service.target, Target::Group(_)))
    else {
        return;
    };
    if names.find(What::ServerGroup, name, at).is_none() {
        let message = format!("no virtual_server_group `{}` is defined", name.text);
        let found = Diagnostic::warning(Code::ServerGroupUndefined, name, message)
            .label("it serves no address");
        diagnostics.push(names.advise(found, What::ServerGroup, name));
    }
}

/// What makes a service: what it serves, its protocol, and whether it is IPv6.
pub(super) type Identity<'s> = (Target<'s>, Option<String>, Option<bool>);

fn twice<'s>(
    service: &Service<'s>,
    seen: &mut BTreeMap<Identity<'s>, Span>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if service.target == Target::Unknown {
        return;
    }
    let key = (service.target, service.protocol(), service.ipv6);
    if let Some(first) = seen.get(&key) {
        diagnostics.push(
            Diagnostic::warning(
                Code::ServiceTwice,
                service.span(),
                "this service is defined already, and IPVS can have it once",
            )
            .also(*first, "defined here first")
            .hint("write all its real servers into one virtual_server"),
        );
        return;
    }
    seen.insert(key, service.span());
}

/// What keepalived chooses when the file does not say it.
fn defaults(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let span = service.word.span;
    let protocol = service.last(&["protocol"]);
    let marked = matches!(service.target, Target::Mark(_)) || service.members.marks_only();
    match (service.target, protocol.and_then(Statement::keyword)) {
        (_, Some(word)) if marked => diagnostics.push(
            Diagnostic::note(
                Code::MarkNeedsNoMore,
                word,
                "a service by firewall mark has no protocol; the line is ignored",
            )
            .hint("delete it: the rule that sets the mark knows the protocol")
            .class(Class::Error),
        ),
        (Target::Address(..) | Target::Group(_), None) if service.ipv6.is_some() => diagnostics
            .push(
                Diagnostic::warning(
                    Code::ProtocolMissing,
                    span,
                    "the virtual server names no `protocol`, so it balances UDP",
                )
                .hint("write `protocol TCP` or `protocol UDP`")
                .class(Class::Error),
            ),
        (_, _) => {}
    }
    diagnostics.extend(other_family(service));
    if service.last(&["lb_algo", "lvs_sched"]).is_none() {
        diagnostics.push(
            Diagnostic::note(Code::SchedulerMissing, span, "no `lb_algo`: the scheduler is wlc")
                .hint("write `lb_algo wlc`")
                .class(Class::Error),
        );
    }
    if service.last(&["lb_kind", "lvs_method"]).is_none() {
        diagnostics.push(
            Diagnostic::note(Code::ForwardingMissing, span, "no `lb_kind`: packets go by NAT")
                .hint("write `lb_kind NAT`")
                .class(Class::Error),
        );
    }
}

/// `ip_family` against the service's own address.
fn other_family(service: &Service<'_>) -> Option<Diagnostic> {
    let Target::Address(address, _) = service.target else { return None };
    let family = service.last(&["ip_family"]).and_then(value)?;
    let (wrong, right) = if address.is_ipv6() { ("inet", "inet6") } else { ("inet6", "inet") };
    let message = format!("`ip_family {wrong}` contradicts the service's address {address}");
    (family.text == wrong).then(|| {
        Diagnostic::warning(Code::BadValue, family.span, message)
            .hint(format!("delete the line, or write `{right}`"))
            .class(Class::Error)
    })
}

fn ports(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let persistent = service.last(&["persistence_timeout"]).is_some();
    if !persistent {
        group::all_ports(service, diagnostics);
    }
    if matches!(service.target, Target::Address(_, 0)) && !persistent {
        diagnostics.push(
            Diagnostic::warning(
                Code::ServicePortMissing,
                service.span(),
                "a service on all ports has to be persistent; keepalived makes it so",
            )
            .hint("write a port behind the address, or `persistence_timeout 360`")
            .class(Class::Error),
        );
    }
    let granularity = service.last(&["persistence_granularity"]).and_then(Statement::keyword);
    let length = service.last(&["persistence_granularity"]).and_then(value);
    if let Some(word) = length.filter(|word| service.ipv6 == Some(false) && number(word).is_some())
    {
        let message = format!("`{}` is no netmask; it is taken for a prefix length", word.text);
        diagnostics.push(
            Diagnostic::warning(Code::Granularity, word, message)
                .label(format!("keepalived takes it for the mask 0.0.0.{}", word.text))
                .hint(
                    "write a mask like 255.255.255.0, or delete the line to tell all clients apart",
                ),
        );
    }
    if let Some(word) = granularity.filter(|_| !persistent) {
        diagnostics.push(
            Diagnostic::warning(
                Code::PersistenceMissing,
                word,
                "without `persistence_timeout` no client stays with a server",
            )
            .hint("write `persistence_timeout 360` too, or delete this line"),
        );
    }
}

fn scheduler(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if let (Some(word), Some(protocol)) =
        (service.last(&["ops"]).and_then(Statement::keyword), service.protocol())
        && protocol != "UDP"
    {
        let message = format!("`ops` works for UDP only, and the service is {protocol}");
        diagnostics.push(
            Diagnostic::warning(Code::PacketScheduling, word, message)
                .hint("delete it, or write `protocol UDP`")
                .class(Class::Error),
        );
    }
    let algorithm = service.last(&["lb_algo", "lvs_sched"]).and_then(value);
    let mut current = "";
    for line in &service.settings {
        let needed = match name(line) {
            "lb_algo" | "lvs_sched" => {
                current = value(line).map_or("", |word| word.text.as_str());
                continue;
            }
            "sh-port" | "sh-fallback" => "sh",
            "mh-port" | "mh-fallback" => "mh",
            _ => continue,
        };
        let Some(word) = line.keyword().filter(|_| current != needed) else { continue };
        let message = format!("`{}` needs `lb_algo {needed}` above it; it is ignored", word.text);
        let found = Diagnostic::warning(Code::SchedulerFlag, word, message).class(Class::Error);
        diagnostics.push(match algorithm {
            Some(later) if later.text == needed => {
                found.also(later.span, "too late").hint("move it below `lb_algo`")
            }
            Some(_) | None => found.hint(format!("delete it, or write `lb_algo {needed}` above")),
        });
    }
}

/// Weights that the scheduler does not look at.
fn unheeded(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(algorithm) = service.last(&["lb_algo", "lvs_sched"]).and_then(value) else { return };
    let better = match algorithm.text.as_str() {
        "rr" => "wrr",
        "lc" => "wlc",
        "dh" => "mh",
        _ => return,
    };
    let usual = service.last(&["weight"]).and_then(value).and_then(number).unwrap_or(1);
    // A server of weight 0 gets nothing, whatever the scheduler.
    let weights = service.servers.iter().filter_map(|server| {
        let weight = server.weight().unwrap_or(usual);
        (weight != 0).then_some((server, weight))
    });
    let mut weights = weights.peekable();
    let Some((_, first)) = weights.peek().copied() else { return };
    if weights.all(|(_, weight)| weight == first) {
        return;
    }
    let word = service.servers.iter().find_map(Server::weight_word).unwrap_or(algorithm);
    let message =
        format!("`{}` gives all real servers the same, whatever their weight", algorithm.text);
    diagnostics.push(
        Diagnostic::warning(Code::WeightIgnored, algorithm, message)
            .also(word.span, "a weight")
            .hint(format!("write `lb_algo {better}`")),
    );
}

/// Quorum, hysteresis and the weights that must reach them.
fn quorum(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let inherited = service.last(&["weight"]).and_then(value).and_then(number).unwrap_or(1);
    let weights = service.servers.iter().map(|server| server.weight().unwrap_or(inherited));
    let sum = weights.fold(0, u64::saturating_add);
    if sum == 0 {
        diagnostics.push(
            Diagnostic::warning(
                Code::WeightsZero,
                service.span(),
                "every real server has weight 0, so no new connection is served",
            )
            .hint("write a `weight` of 1 or more in a real_server")
            .class(Class::Error),
        );
        return;
    }
    let number_of = |keyword| service.last(&[keyword]).and_then(value);
    let mut quorum = 1;
    if let Some((word, wanted)) = number_of("quorum").and_then(|word| Some((word, number(word)?))) {
        quorum = wanted.clamp(1, sum);
        if wanted > sum {
            let message =
                format!("quorum {wanted} is above the sum of the weights, {sum}; {sum} is used");
            diagnostics.push(
                Diagnostic::warning(Code::QuorumTooHigh, word, message)
                    .hint(format!("write a quorum of 1 to {sum}"))
                    .class(Class::Error),
            );
        }
    }
    let hysteresis = number_of("hysteresis").and_then(|word| Some((word, number(word)?)));
    if let Some((word, wanted)) = hysteresis.filter(|(_, wanted)| *wanted >= quorum) {
        let message = format!(
            "hysteresis {wanted} is not below the quorum, {quorum}; {} is used",
            quorum.saturating_sub(1)
        );
        diagnostics.push(
            Diagnostic::warning(Code::HysteresisTooHigh, word, message)
                .hint("write a larger `quorum`, or a smaller hysteresis")
                .class(Class::Error),
        );
    }
}
