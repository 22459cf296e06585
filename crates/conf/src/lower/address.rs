//! Lines of `virtual_ipaddress` and `unicast_peer`.

use std::net::IpAddr;

use standfast_types::{Broadcast, Prefix, Scope, VirtualAddress};
use standfast_vrrp::UnicastPeer;

use super::{Lowering, instance::Draft, value};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Statement, Word},
};

/// The longest label that the kernel takes, in bytes.
const LABEL_MAX: usize = 15;

/// One line: the address, and its `dev` when it names one.
struct Line {
    device: Option<Word>,
    address: VirtualAddress,
}

impl Lowering<'_> {
    pub(super) fn addresses(&mut self, draft: &mut Draft, block: &Statement) {
        draft.addresses_span = block.keyword().map(|word| word.span);
        for statement in block.statements() {
            let Some(line) = self.address_line(statement) else { continue };
            let ip = line.address.prefix.address();
            let Some(word) = statement.keyword() else { continue };
            let (family, _) = *draft.family.get_or_insert((ip, word.span));
            if family.is_ipv4() != ip.is_ipv4() {
                self.bad_address(word, "is of another family than the instance; it is ignored");
                continue;
            }
            if self.is_repeated(draft, ip, word) {
                continue;
            }
            draft.addresses.push((line.device, line.address));
            self.address_origin(draft, ip, word.span);
        }
    }

    pub(super) fn excluded_addresses(&mut self, draft: &mut Draft, block: &Statement) {
        for statement in block.statements() {
            let Some(line) = self.address_line(statement) else { continue };
            let ip = line.address.prefix.address();
            let Some(word) = statement.keyword() else { continue };
            if self.is_repeated(draft, ip, word) {
                continue;
            }
            if ip.is_ipv6() {
                let message =
                    format!("`{ip}` is held, but not announced to its neighbours in this version");
                let warning = Diagnostic::warning(Code::NotActive, word.span, message);
                self.diagnostics
                    .push(warning.hint("after a failover they may need half a minute to find it"));
            }
            draft.excluded.push((line.device, line.address));
            self.address_origin(draft, ip, word.span);
        }
    }

    fn is_repeated(&mut self, draft: &Draft, ip: IpAddr, word: &Word) -> bool {
        let listed = |lines: &[(Option<Word>, VirtualAddress)]| {
            lines.iter().any(|(_, address)| address.prefix.address() == ip)
        };
        let repeated = listed(&draft.addresses) || listed(&draft.excluded);
        if repeated {
            let message = format!("{ip} is listed already in this instance; this line is ignored");
            self.diagnostics.push(
                Diagnostic::warning(Code::AddressTwice, word.span, message).class(Class::Error),
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

    fn address_line(&mut self, statement: &Statement) -> Option<Line> {
        let (first, options) = statement.words.split_first()?;
        if statement.block.is_some() {
            return self.known("vrrp_instance.virtual_ipaddress", statement).and(None);
        }
        let prefix = self.prefix(first)?;
        let mut line = Line { device: None, address: VirtualAddress::new(prefix, "".into()) };
        let mut rest = options;
        while let Some((option, tail)) = rest.split_first() {
            let value = tail.first();
            let used = match (option.text.as_str(), value) {
                ("noprefixroute", _) => {
                    line.address.no_prefix_route = true;
                    0
                }
                ("no_track", _) => {
                    line.address.tracked = false;
                    0
                }
                ("dev" | "label" | "scope" | "brd" | "broadcast", None) => {
                    self.bad_option(option, "has no value");
                    0
                }
                ("dev", Some(word)) => {
                    line.device = Some(word.clone());
                    1
                }
                ("label", Some(word)) => {
                    if word.text.len() > LABEL_MAX {
                        self.long_label(first, word);
                        return None;
                    }
                    line.address.label = Some(word.text.to_string());
                    1
                }
                ("scope", Some(word)) => {
                    self.scope(&mut line.address, word);
                    1
                }
                ("brd" | "broadcast", Some(word)) => {
                    self.broadcast(&mut line.address, word);
                    1
                }
                ("peer" | "preferred_lft", Some(_)) => {
                    self.option_not_active(option);
                    1
                }
                ("home" | "-nodad" | "mngtmpaddr" | "autojoin" | "use_vmac", _) => {
                    self.option_not_active(option);
                    0
                }
                (_, _) => {
                    self.bad_option(option, "is no option of an address; it is ignored");
                    0
                }
            };
            rest = tail.get(used..).unwrap_or_default();
        }
        Some(line)
    }

    fn prefix(&mut self, word: &Word) -> Option<Prefix> {
        let (address, length) = match word.text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (word.text.as_str(), None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            self.bad_address(word, "is no address; the line is ignored");
            return None;
        };
        let Some(length) = length else { return Some(Prefix::host(address)) };
        let prefix = length.parse().ok().and_then(|length| Prefix::new(address, length).ok());
        Some(prefix.unwrap_or_else(|| {
            let host = Prefix::host(address);
            let message = format!("`/{length}` is no prefix length; {host} is used");
            self.diagnostics.push(
                Diagnostic::warning(Code::OutOfRange, word.span, message).class(Class::Error),
            );
            host
        }))
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

    fn long_label(&mut self, address: &Word, label: &Word) {
        let message = format!(
            "label `{}` is longer than {LABEL_MAX} bytes; {} is left out",
            label.text, address.text
        );
        self.diagnostics.push(
            Diagnostic::warning(Code::OutOfRange, label.span, message)
                .hint("shorten the label")
                .class(Class::Error),
        );
    }

    fn bad_option(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` {what}", word.text);
        let mut found = Diagnostic::warning(Code::BadValue, word.span, message).class(Class::Error);
        if word.text.parse::<Prefix>().is_ok() {
            found = found.hint("write one address on each line");
        }
        self.diagnostics.push(found);
    }

    fn option_not_active(&mut self, word: &Word) {
        let message = format!("`{}` is accepted, not active in this version", word.text);
        self.diagnostics.push(Diagnostic::warning(Code::NotActive, word.span, message));
    }

    pub(super) fn peers(&mut self, draft: &mut Draft, block: &Statement) {
        draft.peers_span = block.keyword().map(|word| word.span);
        for statement in block.statements() {
            let Some((word, options)) = statement.words.split_first() else { continue };
            let text = word.text.split('/').next().unwrap_or_default();
            let address = match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) if !draft.is_ipv6() => address,
                Ok(address) if draft.family.is_none() => {
                    draft.family = Some((address, word.span));
                    continue;
                }
                Ok(_) => {
                    self.bad_address(word, "is of another family than the instance");
                    continue;
                }
                Err(_) => {
                    self.bad_address(word, "is no address; the peer is ignored");
                    continue;
                }
            };
            draft.family.get_or_insert((address.into(), word.span));
            if text != word.text {
                let message = format!("a peer is one address; `{text}` is used");
                self.diagnostics.push(Diagnostic::note(Code::BadAddress, word.span, message));
            }
            let mut peer = UnicastPeer { address, min_ttl: 0, max_ttl: 255 };
            draft.check_source |= self.peer_options(&mut peer, options);
            if draft.peers.iter().any(|(known, _)| known.address == address) {
                self.bad_address(word, "is a peer already; this line is ignored");
                continue;
            }
            draft.peers.push((peer, word.span));
        }
    }

    /// `min_ttl` and `max_ttl`; whether either is given.
    fn peer_options(&mut self, peer: &mut UnicastPeer, options: &[Word]) -> bool {
        let mut rest = options;
        let mut limited = false;
        while let [option, tail @ ..] = rest {
            let limit = match option.text.as_str() {
                "min_ttl" => &mut peer.min_ttl,
                "max_ttl" => &mut peer.max_ttl,
                _ => {
                    self.bad_option(option, "is no option of a peer; it is ignored");
                    rest = tail;
                    continue;
                }
            };
            match tail.first().map(|word| word.text.parse()) {
                Some(Ok(ttl)) => {
                    *limit = ttl;
                    limited = true;
                }
                Some(Err(_)) | None => self.bad_option(option, "needs a TTL of 0 to 255"),
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        limited
    }
}
