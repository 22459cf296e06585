//! Virtual servers against the director that runs them: its own address and its peers.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use standfast_failover::InstanceConfig;
use standfast_vrrp::Transport;

use crate::{Code, Diagnostic, Model, Origins, Span, Statement, Word, lint::view::also_at};

pub(in crate::lint) fn lint(
    tree: &[Statement],
    model: &Model,
    origins: &Origins,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unicast =
        |instance: &InstanceConfig| matches!(instance.router.transport, Transport::Unicast { .. });
    let instances = model.failover.instances.iter();
    let held = instances.flat_map(|instance| &instance.addresses);
    let moving: BTreeSet<IpAddr> = held.map(|address| address.prefix.address()).collect();
    let has_peers = model.failover.instances.iter().any(unicast);
    for service in tree.iter().filter(|statement| is(statement, "virtual_server")) {
        if let Some(address) = service.parameters().first() {
            own_address(address, model, origins, diagnostics);
        }
        if !moving.is_empty() {
            diagnostics.extend(returning(service, &moving));
        }
        if has_peers {
            for server in servers(service) {
                peer_is_server(server, model, origins, diagnostics);
            }
        }
    }
}

/// The addresses of a service's real servers, each with its port. Some write them as entries
/// of one `real_servers` block, which keepalived does not know.
fn servers(service: &Statement) -> Vec<&[Word]> {
    let mut servers = Vec::new();
    for inner in service.statements() {
        if is(inner, "real_server") {
            servers.push(inner.parameters());
        } else if is(inner, "real_servers") {
            servers.extend(inner.statements().iter().map(|entry| &*entry.words));
        }
    }
    servers
}

/// Real servers at an address that an instance holds; the master would be its own server.
fn returning(service: &Statement, moving: &BTreeSet<IpAddr>) -> Option<Diagnostic> {
    let words = servers(service).into_iter().filter_map(<[Word]>::first);
    let is_moving = |word: &&Word| word.text.parse().is_ok_and(|ip: IpAddr| moving.contains(&ip));
    let mut found = words.filter(is_moving);
    let first = found.next()?;
    let message = format!("{} is a virtual address of this file and no server's own", first.text);
    let others: Vec<Span> = found.map(|word| word.span).collect();
    let diagnostic = Diagnostic::warning(Code::ServerIsService, first, message)
        .label("its connections come back to the director that is master")
        .hint("write an address that the server itself has");
    Some(also_at(diagnostic, &others))
}

fn peer_is_server(
    server: &[Word],
    model: &Model,
    origins: &Origins,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(word) = server.first() else { return };
    let Ok(address) = word.text.parse::<Ipv4Addr>() else { return };
    for instance in &model.failover.instances {
        let Transport::Unicast { peers, .. } = &instance.router.transport else { continue };
        let origin = origins.instances.get(&instance.name).and_then(|origin| origin.peers);
        let Some(span) = origin.filter(|_| peers.iter().any(|peer| peer.address == address)) else {
            continue;
        };
        let message = format!("the unicast peer {address} is a real server");
        diagnostics.push(
            Diagnostic::note(Code::PeerIsServer, span, message)
                .also(word.span, "the real server")
                .hint("list the other directors, unless this server runs VRRP too"),
        );
    }
}

fn is(statement: &Statement, name: &str) -> bool {
    statement.keyword().is_some_and(|word| word.text == name)
}

fn own_address(word: &Word, model: &Model, origins: &Origins, diagnostics: &mut Vec<Diagnostic>) {
    let Ok(IpAddr::V4(address)) = word.text.parse::<IpAddr>() else { return };
    let own =
        model.failover.instances.iter().find(|instance| instance.source == Some(address.into()));
    let Some(instance) = own else { return };
    let message = format!("the service's address {address} is this machine's own and never moves");
    let mut found = Diagnostic::warning(Code::ServiceOnOwnAddress, word, message);
    let origin = origins.instances.get(&instance.name);
    if let Some(source) = origin.and_then(|origin| origin.source) {
        found = found.also(source, "the machine's own address");
    }
    let virtual_address = instance.router.addresses.first();
    diagnostics.push(match virtual_address {
        Some(address) => found.hint(format!("write `virtual_server {address}`, which moves")),
        None => found,
    });
}
