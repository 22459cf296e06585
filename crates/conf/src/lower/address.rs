//! Lines of `virtual_ipaddress` and `unicast_peer`.

use std::net::IpAddr;

use standfast_types::{Broadcast, Family, Prefix, Scope, VirtualAddress};
use standfast_vrrp::UnicastPeer;

use super::{Lowering, arguments::Read, instance::Draft, value};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Statement, Word},
    table::{Keyword, Value},
};

/// One line: the address, and its `dev` when it names one.
struct Line {
    device: Option<Word>,
    address: VirtualAddress,
    /// On an interface of its own (`use_vmac`).
    lifted: bool,
    track_group: Option<Word>,
}

impl Lowering<'_> {
    pub(super) fn addresses(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        block: &Statement,
    ) {
        draft.addresses_span = block.keyword().map(|word| word.span);
        for (word, read) in self.entries(keyword, block) {
            let Some(line) = self.address_line(word, &read) else { continue };
            let ip = line.address.prefix.address();
            let (family, _) = *draft.family.get_or_insert((ip, word.span));
            if family.is_ipv4() != ip.is_ipv4() {
                self.bad_address(word, "is of another family than the instance; it is ignored");
                continue;
            }
            if self.is_repeated(draft, ip, word) {
                continue;
            }
            if line.lifted {
                draft.own.lift(ip);
            }
            draft.addresses.push((line.device, line.address));
            self.address_origin(draft, ip, word.span);
        }
    }

    pub(super) fn excluded_addresses(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        block: &Statement,
    ) {
        for (word, read) in self.entries(keyword, block) {
            let Some(line) = self.address_line(word, &read) else { continue };
            let ip = line.address.prefix.address();
            if self.is_repeated(draft, ip, word) {
                continue;
            }
            if line.lifted {
                draft.own.lift(ip);
            }
            draft.excluded.push((line.device, line.address));
            self.address_origin(draft, ip, word.span);
        }
    }

    fn is_repeated(&mut self, draft: &mut Draft, ip: IpAddr, word: &Word) -> bool {
        let first = *draft.listed.entry(ip).or_insert(word.span);
        let repeated = first != word.span;
        if repeated {
            let message = format!("{ip} is listed already in this instance; this line is ignored");
            self.diagnostics.push(
                Diagnostic::warning(Code::AddressTwice, word, message)
                    .also(first, "first listed here")
                    .hint("delete this line")
                    .class(Class::Error),
            );
        }
        repeated
    }

    /// Remembers who holds the address; another instance's is no mistake that stops anything,
    /// but both would answer for it.
    fn address_origin(&mut self, draft: &Draft, ip: IpAddr, span: Span) {
        let owner = self.addresses.entry(ip).or_insert_with(|| (draft.name.text.to_string(), span));
        if owner.0 != draft.name.text {
            let message = format!("{ip} is also an address of instance `{}`", owner.0);
            self.diagnostics.push(
                Diagnostic::warning(Code::AddressTwice, span, message)
                    .also(owner.1, "first listed here")
                    .hint("list each address in one instance"),
            );
        }
    }

    fn address_line(&mut self, first: &Word, read: &Read<'_>) -> Option<Line> {
        let prefix = prefix(&first.text)?;
        let address = VirtualAddress::new(prefix, "".into());
        let mut line = Line { device: None, address, lifted: false, track_group: None };
        for (name, matched) in read.options() {
            let word = matched.word;
            match name {
                "noprefixroute" => line.address.no_prefix_route = true,
                "use_vmac" => line.lifted = true,
                "no_track" => line.address.tracked = false,
                "dev" => line.device = Some(word.clone()),
                "label" => line.address.label = Some(word.text.to_string()),
                "scope" => self.scope(&mut line.address, word),
                "brd" | "broadcast" => self.broadcast(&mut line.address, word),
                "peer" => self.peer(&mut line.address, word),
                "home" => line.address.flags.home = true,
                "mngtmpaddr" => line.address.flags.temporary = true,
                "autojoin" => line.address.flags.autojoin = true,
                "preferred_lft" => {
                    line.address.preferred_seconds =
                        Some(word.text.parse().unwrap_or(VirtualAddress::FOREVER));
                }
                "track_group" => line.track_group = Some(word.clone()),
                _ => {}
            }
        }
        Some(line)
    }

    /// The addresses of a `static_ipaddress`.
    pub(super) fn static_addresses(
        &mut self,
        keyword: &'static Keyword,
        block: &Statement,
    ) -> Vec<(VirtualAddress, Option<Word>)> {
        let mut addresses = Vec::new();
        for (word, read) in self.entries(keyword, block) {
            let Some(line) = self.address_line(word, &read) else { continue };
            // No instance's virtual MAC address belongs to what is static.
            let Line { device, mut address, track_group, lifted: _ } = line;
            let given = device.map(|word| word.text.as_str().into());
            address.interface = given.unwrap_or_else(|| self.defaults.interface.clone());
            addresses.push((address, track_group));
        }
        addresses
    }

    fn peer(&mut self, address: &mut VirtualAddress, word: &Word) {
        match prefix(&word.text) {
            Some(peer) if peer.address().is_ipv4() == address.prefix.address().is_ipv4() => {
                address.peer = Some(peer);
            }
            Some(_) | None => {
                self.bad_address(word, "is of another family than its address; no peer is used")
            }
        }
    }

    fn scope(&mut self, address: &mut VirtualAddress, word: &Word) {
        let number = match word.text.as_str() {
            "global" => Some(0),
            "site" => Some(200),
            "link" => Some(253),
            "host" => Some(254),
            "nowhere" => Some(255),
            text => text.parse().ok(),
        };
        match number {
            Some(number) => address.scope = Scope(number),
            None => self.bad_option(word, "is no scope; global is used"),
        }
    }

    fn broadcast(&mut self, address: &mut VirtualAddress, word: &Word) {
        match (word.text.as_str(), value::ipv4(&word.text)) {
            ("+", _) => address.broadcast = Broadcast::Derived,
            ("-", _) => address.broadcast = Broadcast::None,
            (_, Some(fixed)) => address.broadcast = Broadcast::Fixed(fixed),
            (_, None) => self.bad_option(word, "is no broadcast address; none is used"),
        }
    }

    fn bad_option(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` {what}", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::BadValue, word, message).class(Class::Error));
    }

    pub(super) fn peers(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        block: &Statement,
    ) {
        draft.peers_span = block.keyword().map(|word| word.span);
        for (word, read) in self.entries(keyword, block) {
            let Ok(prefix) = word.text.parse::<Prefix>() else { continue };
            let address = prefix.address();
            let (family, _) = *draft.family.get_or_insert((address, word.span));
            if Family::of(family) != Family::of(address) {
                self.bad_address(word, "is of another family than the instance");
                continue;
            }
            if word.text.contains('/') {
                let message = format!("a peer is one address; `{address}` is used");
                self.diagnostics.push(
                    Diagnostic::note(Code::BadAddress, word, message)
                        .hint(format!("write `{address}`")),
                );
            }
            if draft.peers.iter().any(|(known, _)| known.address == address) {
                self.bad_address(word, "is a peer already; this line is ignored");
                continue;
            }
            let mut peer = UnicastPeer { address, min_ttl: 0, max_ttl: 255 };
            draft.check_source |= peer_limits(&mut peer, &read);
            if peer.min_ttl > peer.max_ttl {
                self.never_heard(&peer, word, &read);
            }
            draft.peers.push((peer, word.span));
        }
    }

    fn never_heard(&mut self, peer: &UnicastPeer, word: &Word, read: &Read<'_>) {
        let UnicastPeer { address, min_ttl, max_ttl } = peer;
        let last = read.options().last().map_or(word, |(_, matched)| matched.word);
        let message = format!(
            "no advert of {address} is heard: none has a TTL of {min_ttl} at least and {max_ttl} at most"
        );
        self.diagnostics.push(
            Diagnostic::warning(Code::PeerUnheard, last.span, message)
                .label("both nodes become master")
                .hint("write a `min_ttl` that is not above `max_ttl`, as `min_ttl 255` on one network")
                .class(Class::Error),
        );
    }
}

/// An address with its length; a length that does not exist is left out.
fn prefix(text: &str) -> Option<Prefix> {
    let address = text.split('/').next()?;
    text.parse().ok().or_else(|| address.parse().ok().map(Prefix::host))
}

/// `min_ttl` and `max_ttl`; whether either is given.
fn peer_limits(peer: &mut UnicastPeer, read: &Read<'_>) -> bool {
    let mut limited = false;
    for (name, matched) in read.options() {
        let Value::Number(number) = matched.value else { continue };
        let Ok(ttl) = u8::try_from(number) else { continue };
        match name {
            "min_ttl" => peer.min_ttl = ttl,
            "max_ttl" => peer.max_ttl = ttl,
            _ => continue,
        }
        limited = true;
    }
    limited
}
