//! Virtual servers: not active yet, but their mistakes can be said.

use std::net::IpAddr;

use crate::{Code, Diagnostic, Model, Origins, Statement, Word, diagnostic::Class};

pub(super) fn lint(
    tree: &[Statement],
    model: &Model,
    origins: &Origins,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for service in tree.iter().filter(|statement| is(statement, "virtual_server")) {
        if let Some(address) = service.parameters().first() {
            own_address(address, model, origins, diagnostics);
        }
        direct_routing(service, diagnostics);
    }
}

fn is(statement: &Statement, name: &str) -> bool {
    statement.keyword().is_some_and(|word| word.text == name)
}

fn own_address(word: &Word, model: &Model, origins: &Origins, diagnostics: &mut Vec<Diagnostic>) {
    let Ok(IpAddr::V4(address)) = word.text.parse::<IpAddr>() else { return };
    let own = model.failover.instances.iter().find(|instance| instance.source == Some(address));
    let Some(instance) = own else { return };
    let message = format!("the service's address {address} is this machine's own and never moves");
    let mut found = Diagnostic::warning(Code::ServiceOnOwnAddress, word.span, message);
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

fn direct_routing(service: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let kind = service
        .statements()
        .iter()
        .filter(|inner| is(inner, "lb_kind") || is(inner, "lvs_method"))
        .find_map(|inner| inner.parameters().first());
    let Some(kind) = kind.filter(|kind| matches!(kind.text.as_str(), "DR" | "TUN")) else { return };
    let Some(port) = service.parameters().get(1) else { return };
    for inner in service.statements() {
        // Some write the servers as entries of one block, which keepalived does not know.
        let entries = if is(inner, "real_servers") { inner.statements() } else { &[] };
        let direct = is(inner, "real_server").then(|| inner.parameters().get(1)).flatten();
        let nested = entries.iter().filter_map(|entry| entry.words.get(1));
        for own in direct.into_iter().chain(nested).filter(|own| own.text != port.text) {
            let message =
                format!("{} cannot change ports: {} becomes {}", kind.text, own.text, port.text);
            diagnostics.push(
                Diagnostic::warning(Code::DirectRoutingPort, own.span, message)
                    .also(port.span, "the service's port")
                    .hint(format!("let the server listen on {}, or write `lb_kind NAT`", port.text))
                    .class(Class::Error),
            );
        }
    }
}
