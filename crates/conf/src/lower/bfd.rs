//! `bfd_instance`.

use std::{net::IpAddr, num::NonZeroU8};

use standfast_bfd::{Config, Role};
use standfast_failover::{BfdConfig, BfdPath, Weight};
use standfast_types::BfdName;

use super::{Lowering, arguments::Read};
use crate::{
    source::Span,
    syntax::Statement,
    table::{Keyword, Status},
};

/// TTL of what is sent: what RFC 5881 asks for, so that the neighbour can tell that no router was between.
const TTL: u8 = 255;
/// The hop limit that keepalived sends by default over IPv6, and which we must take from it.
const THEIR_HOP_LIMIT: u8 = 64;

/// A session that instances can follow.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: BfdName,
    pub(crate) name_span: Span,
    pub(crate) weight: Weight,
    pub(crate) weight_span: Option<Span>,
    /// Whether instances are told about it (`vrrp`, or neither that nor `checker`).
    pub(crate) for_instances: bool,
}

/// What stands in a block.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    neighbor: Option<IpAddr>,
    source: Option<IpAddr>,
    session: Config,
    ttl: Option<u8>,
    /// `None` does not look at the hops.
    max_hops: Option<u8>,
    multihop: bool,
    weight: Weight,
    weight_span: Option<Span>,
    vrrp: bool,
    checker: bool,
}

impl Lowering<'_> {
    pub(super) fn bfd_instance(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        if let Some(first) = self.sessions.iter().find(|known| known.name.as_str() == name.text) {
            let span = first.name_span;
            return self.duplicate(name, span);
        }
        let Some(block) = keyword.block() else { return };
        let mut lines = Lines { max_hops: Some(0), ..Lines::default() };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            if keyword.status == Status::Active {
                let read = self.read(keyword, inner);
                lines.take(keyword.name, &read);
            } else {
                self.announce(block, keyword, inner);
            }
        }
        let name_span = name.span;
        let name = BfdName::from(name.text.as_str());
        let taken = |neighbor| {
            let mut sessions = self.model.failover.bfd.iter();
            sessions.any(|known| known.path.neighbor == neighbor)
        };
        // Whoever is left out here is reported by the lint of trackers.
        let Some(path) = lines.path().filter(|path| !taken(path.neighbor)) else { return };
        let session = lines.session(path.neighbor);
        self.model.failover.bfd.push(BfdConfig { name: name.clone(), path, session });
        let Lines { weight, weight_span, vrrp, checker, .. } = lines;
        let for_instances = vrrp || !checker;
        self.sessions.push(Draft { name, name_span, weight, weight_span, for_instances });
    }
}

impl Lines {
    fn take(&mut self, name: &str, read: &Read<'_>) {
        let session = &mut self.session;
        let address = read.address().map(|(address, _)| address);
        let time = read.time().map(|(time, _)| time);
        match name {
            "neighbor_ip" | "neighbour_ip" => self.neighbor = address.or(self.neighbor),
            "source_ip" => self.source = address.or(self.source),
            "min_rx" => session.required_min_rx = time.unwrap_or(session.required_min_rx),
            "min_tx" => session.desired_min_tx = time.unwrap_or(session.desired_min_tx),
            "idle_tx" => session.idle_tx = time.unwrap_or(session.idle_tx),
            "multiplier" => {
                let mult = read.small().and_then(|(mult, _)| NonZeroU8::new(mult));
                session.detect_mult = mult.unwrap_or(session.detect_mult);
            }
            "passive" => session.role = Role::Passive,
            "ttl" | "hoplimit" => self.ttl = read.small().map(|(ttl, _)| ttl).or(self.ttl),
            "max_hops" => {
                if let Some((hops, _)) = read.number() {
                    self.max_hops = u8::try_from(hops).ok();
                }
            }
            "multihop" => self.multihop = read.flag().unwrap_or(self.multihop),
            "weight" => {
                if let Some((value, span)) = read.small() {
                    let reverse = read.matched.iter().any(|word| word.word.text == "reverse");
                    self.weight = Weight { value, reverse };
                    self.weight_span = Some(span);
                }
            }
            "vrrp" => self.vrrp = true,
            "checker" => self.checker = true,
            _ => {}
        }
    }

    /// `None` when it has no neighbour, or a source of another family.
    fn path(&self) -> Option<BfdPath> {
        let neighbor = self.neighbor?;
        if self.source.is_some_and(|source| source.is_ipv4() != neighbor.is_ipv4()) {
            return None;
        }
        let (source, multihop) = (self.source, self.multihop);
        Some(BfdPath { neighbor, source, multihop, ttl: self.ttl.unwrap_or(TTL) })
    }

    fn session(&self, neighbor: IpAddr) -> Config {
        let theirs = if neighbor.is_ipv4() { TTL } else { THEIR_HOP_LIMIT };
        let sent = self.ttl.unwrap_or(theirs);
        let min_ttl = self.max_hops.map_or(0, |hops| sent.saturating_sub(hops));
        Config { min_ttl, ..self.session }
    }
}
