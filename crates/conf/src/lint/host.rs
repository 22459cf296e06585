//! What the file asks of the machine that it is checked on.

use std::net::IpAddr;

use standfast_failover::InstanceConfig;
use standfast_types::{Prefix, VirtualAddress};
use standfast_vrrp::Transport;

use super::{
    interface,
    view::{Instance, View, also_at},
};
use crate::{Code, Diagnostic, Host, HostInterface, Options, Severity, Span, diagnostic::Class};

pub(super) fn lint(view: View<'_>, options: &Options, diagnostics: &mut Vec<Diagnostic>) {
    let Some(host) = &options.host else { return };
    let severity = if options.on_this_host { Severity::Error } else { Severity::Warning };
    let interfaces_there = interface::lint(view, host, severity, diagnostics);
    let instances = view.instances;
    let sources_there = sources(instances, host, options.on_this_host, diagnostics);
    // Else it is some other machine's file: what this one has on its interfaces says nothing.
    let is_for_this_host = options.on_this_host || (interfaces_there && sources_there);
    for instance in instances {
        let Some(interface) = host.interface(instance.config.interface.as_str()) else { continue };
        carries(instance, interface, severity, diagnostics);
        if is_for_this_host {
            outside(instance, host, diagnostics);
            own_addresses(instance, host, diagnostics);
            unsaid_source(instance, interface, instances, diagnostics);
        }
    }
}

/// Whether adverts can leave by the interface.
fn carries(
    instance: &Instance<'_>,
    interface: &HostInterface,
    severity: Severity,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (span, name) = (instance.interface(), &interface.name);
    let multicast = matches!(instance.config.router.transport, Transport::Multicast { .. });
    if multicast && !interface.multicast {
        let message = format!("`{name}` of this machine carries no multicast");
        let found = Diagnostic::new(Code::NoMulticast, severity, span, message);
        diagnostics.push(
            found
                .label("the nodes do not hear each other; keepalived leaves the instance out")
                .hint("list the other nodes in `unicast_peer`")
                .class(Class::Error),
        );
    }
    if !interface.up {
        let message = format!("`{name}` of this machine is switched off");
        diagnostics.push(
            Diagnostic::note(Code::InterfaceDown, span, message)
                .label("FAULT until it is up")
                .hint(format!("ip link set {name} up")),
        );
    }
}

/// Reports each source that the machine lacks once. Whether all are there.
fn sources(
    instances: &[Instance<'_>],
    host: &Host,
    on_this_host: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let mut absent: Vec<(IpAddr, Vec<Span>, &InstanceConfig)> = Vec::new();
    for Instance { config, origin, .. } in instances {
        let (Some(source), Some(span)) = (config.source, origin.source) else { continue };
        // An address that moves is another mistake, and so is the lack of the interface.
        let moves = config.addresses.iter().any(|held| held.prefix.address() == source);
        let is_elsewhere = !on_this_host && host.interface(config.interface.as_str()).is_none();
        if moves || is_elsewhere || host.holder(source).is_some() {
            continue;
        }
        match absent.iter_mut().find(|(known, _, _)| *known == source) {
            Some((_, spans, _)) => spans.push(span),
            None => absent.push((source, vec![span], config)),
        }
    }
    let severity = if on_this_host { Severity::Error } else { Severity::Warning };
    for (source, spans, config) in &absent {
        let Some((first, others)) = spans.split_first() else { continue };
        let message = format!("this machine has no address {source}");
        let found =
            Diagnostic::new(Code::SourceAbsent, severity, *first, message).label(effect(config));
        let interface = host.interface(config.interface.as_str());
        let own = interface.into_iter().flat_map(|interface| &interface.addresses);
        let own = own.map(|own| own.address()).find(IpAddr::is_ipv4);
        let found = match own {
            Some(own) => found
                .hint(format!("write an address of this machine: {} has {own}", config.interface)),
            None => found.hint("write an address of this machine, or delete the line"),
        };
        diagnostics.push(also_at(found, others));
    }
    absent.is_empty()
}

/// What a source does that is not on this machine; adverts leave with it all the same.
fn effect(config: &InstanceConfig) -> &'static str {
    match (&config.router.transport, config.track_source) {
        (_, true) => "FAULT until it appears",
        (Transport::Unicast { .. }, false) => "what the peers send to it does not arrive here",
        (Transport::Multicast { .. }, false) => "neighbours may drop adverts that come from it",
    }
}

/// Addresses that come without a subnet of their own and are in none of their interface.
fn outside(instance: &Instance<'_>, host: &Host, diagnostics: &mut Vec<Diagnostic>) {
    let is_outside = |held: &&VirtualAddress| {
        let address = held.prefix.address();
        let Some(interface) = host.interface(held.interface.as_str()) else { return false };
        let mut subnets = interface.subnets(address).peekable();
        held.prefix == Prefix::host(address)
            && !interface.loopback
            && subnets.peek().is_some()
            && !subnets.any(|subnet| subnet.contains(address))
    };
    let mut found = instance.config.addresses.iter().filter(is_outside);
    let Some(first) = found.next() else { return };
    let others: Vec<Span> =
        found.filter_map(|held| instance.place(held.prefix.address())).collect();
    let address = first.prefix.address();
    let Some(span) = instance.place(address) else { return };
    let Some(interface) = host.interface(first.interface.as_str()) else { return };
    let subnets: Vec<_> = interface.subnets(address).map(|own| own.to_string()).collect();
    let message = format!(
        "{address} is in no subnet of `{}`, which has {}",
        interface.name,
        subnets.join(" and ")
    );
    let elsewhere = host.interfaces.iter().find(|other| {
        !other.loopback && other.subnets(address).any(|subnet| subnet.contains(address))
    });
    let hint = match elsewhere {
        Some(other) => format!("write `{address} dev {}`: its subnet is there", other.name),
        None => "correct the address, or give it its prefix length if it has a subnet of its own"
            .to_owned(),
    };
    let found = Diagnostic::warning(Code::OutsideSubnets, span, message)
        .label("neighbours reach it only by a route to this node")
        .hint(hint);
    diagnostics.push(also_at(found, &others));
}

/// Virtual addresses that are the machine's own, with a priority that does not say so, or none
/// with a priority that does.
fn own_addresses(instance: &Instance<'_>, host: &Host, diagnostics: &mut Vec<Diagnostic>) {
    let config = instance.config;
    if config.router.priority.is_owner() {
        return no_owner(instance, host, diagnostics);
    }
    for held in &config.addresses {
        let address = held.prefix.address();
        let Some(interface) = host.holder(address).filter(|_| is_permanent(held, config, host))
        else {
            continue;
        };
        let Some(span) = instance.place(address) else { continue };
        let message = format!("{address} is an address of this machine's `{}`", interface.name);
        diagnostics.push(
            Diagnostic::warning(Code::OwnAddress, span, message)
                .label("this node answers for it as backup too")
                .hint(format!("write a free address, or take {address} off the interface")),
        );
    }
}

/// Whether somebody gave the machine this address for good. keepalived, when it serves here,
/// installs what the file says, and never as the first address of the instance's interface. On
/// the loopback it is a real server's, which keeps quiet about it.
fn is_permanent(held: &VirtualAddress, config: &InstanceConfig, host: &Host) -> bool {
    let mut interfaces = host.interfaces.iter().filter(|interface| !interface.loopback);
    interfaces.any(|interface| {
        let is_own = interface.name == config.interface.as_str();
        interface.addresses.iter().enumerate().any(|(at, own)| {
            own.address() == held.prefix.address() && (*own != held.prefix || (at == 0 && is_own))
        })
    })
}

fn no_owner(instance: &Instance<'_>, host: &Host, diagnostics: &mut Vec<Diagnostic>) {
    let Instance { config, origin, .. } = instance;
    let mut addresses = config.router.addresses.iter().copied().peekable();
    let Some(span) = origin.priority else { return };
    if addresses.peek().is_none() || addresses.any(|own| host.holder(own).is_some()) {
        return;
    }
    // Says more than the general note about 255.
    diagnostics.retain(|found| found.code != Code::AddressOwner || found.primary.span != span);
    let message = "priority 255 is for the addresses' owner; this machine has none of them";
    diagnostics.push(
        Diagnostic::warning(Code::NotOwner, span, message)
            .label("takes the address at once and always; no tracker's weight lowers it")
            .hint("write `priority` with a number below 255"),
    );
}

/// Peers know a unicast node by its source; of several addresses the first is used.
fn unsaid_source(
    instance: &Instance<'_>,
    interface: &HostInterface,
    instances: &[Instance<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Instance { config, origin, .. } = instance;
    let (Transport::Unicast { .. }, None, Some(span)) =
        (&config.router.transport, config.source, origin.peers)
    else {
        return;
    };
    let moves = |own: &Prefix| {
        let mut held = instances.iter().flat_map(|instance| &instance.config.addresses);
        held.any(|held| held.prefix.address() == own.address())
    };
    let own: Vec<IpAddr> = interface
        .addresses
        .iter()
        .filter(|own| own.address().is_ipv4() && !moves(own))
        .map(|own| own.address())
        .collect();
    let [first, _, ..] = own.as_slice() else { return };
    let message = format!("adverts come from {first}, the first of {} addresses", own.len());
    diagnostics.push(
        Diagnostic::note(Code::SourceUnsaid, span, message)
            .also(instance.interface(), "the interface that has them")
            .hint(format!(
                "write `unicast_src_ip` with the address that the peers list, e.g. {first}"
            )),
    );
}
