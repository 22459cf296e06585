//! Addresses of one file that contradict each other.

use std::{collections::BTreeMap, net::IpAddr};

use standfast_vrrp::Transport;

use super::view::{Instance, View, inside};
use crate::{Code, Diagnostic, Span, Statement};

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let instances = view.instances;
    let mut moving: BTreeMap<IpAddr, &Instance<'_>> = BTreeMap::new();
    for instance in instances {
        for held in &instance.config.addresses {
            moving.entry(held.prefix.address()).or_insert(instance);
        }
    }
    for instance in instances {
        let Instance { config, origin, .. } = instance;
        if let (Some(source), Some(span)) = (config.source, origin.source)
            && let Some(holder) = moving.get(&source)
        {
            let message = format!("the source {source} is a virtual address");
            let found = Diagnostic::warning(Code::SourceMoves, span, message)
                .label("every node would send from it")
                .hint("write this machine's own address, or delete the line");
            diagnostics.push(held_by(found, holder, source));
        }
        let Transport::Unicast { peers, .. } = &config.router.transport else { continue };
        for peer in peers.iter().map(|peer| peer.address) {
            let Some(holder) = moving.get(&peer) else { continue };
            let Some(span) = peer_place(instance.block, peer) else { continue };
            let message = format!("the peer {peer} is a virtual address");
            let found = Diagnostic::warning(Code::PeerMoves, span, message)
                .label("this node sends to itself while it holds the address")
                .hint("list the other nodes' own addresses");
            diagnostics.push(held_by(found, holder, peer));
        }
    }
}

fn held_by(found: Diagnostic, holder: &Instance<'_>, address: IpAddr) -> Diagnostic {
    match holder.place(address) {
        Some(span) => found.also(span, format!("moves with `{}`", holder.config.name)),
        None => found,
    }
}

fn peer_place(block: &Statement, peer: IpAddr) -> Option<Span> {
    let words = inside(block, "unicast_peer")
        .flat_map(Statement::statements)
        .filter_map(Statement::keyword);
    let mut places = words.filter(|word| {
        let address = word.text.split('/').next().unwrap_or_default();
        address.parse() == Ok(peer)
    });
    places.next().map(|word| word.span)
}
