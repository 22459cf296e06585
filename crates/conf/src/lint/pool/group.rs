//! What a `virtual_server_group` serves: its lines, and the ports they ask for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Service;
use crate::{
    Code, Diagnostic, Statement, Word,
    diagnostic::Class,
    lint::tree::{is, value},
};

/// Lines of a group, as far as a virtual server has to fit them. Only the first ones of a kind
/// are kept: one is enough to disagree with.
#[derive(Clone, Copy, Default)]
pub(super) struct Members<'s> {
    /// The first address, and its port; 0 means all ports.
    first: Option<(&'s Word, u16)>,
    /// The first address with another port than that.
    other: Option<(&'s Word, u16)>,
    /// The first address on all ports.
    open: Option<&'s Word>,
    /// The first firewall mark.
    pub(super) mark: Option<&'s Word>,
}

impl<'s> Members<'s> {
    pub(super) fn read(group: &'s Statement) -> Self {
        let mut members = Self::default();
        for line in group.statements() {
            let Some(word) = line.keyword() else { continue };
            if is(line, "fwmark") {
                members.mark = members.mark.or(Some(word));
                continue;
            }
            let port = value(line).and_then(|word| word.text.parse().ok()).unwrap_or(0);
            let (_, known) = *members.first.get_or_insert((word, port));
            if port != known {
                members.other = members.other.or(Some((word, port)));
            }
            if port == 0 {
                members.open = members.open.or(Some(word));
            }
        }
        members
    }

    /// Whether all it serves is told by firewall marks.
    pub(super) fn marks_only(&self) -> bool {
        self.mark.is_some() && self.first.is_none()
    }

    /// The first address that is served on another port.
    pub(super) fn unlike(&self, port: u16) -> Option<(&'s Word, u16)> {
        let differs = |member: &(&Word, u16)| member.1 != port;
        self.first.filter(differs).or(self.other.filter(differs))
    }
}

/// Lints a group's lines.
pub(super) fn lint(group: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    if group.statements().is_empty() {
        diagnostics.extend(value(group).map(empty));
    }
    for word in group.statements().iter().filter_map(Statement::keyword) {
        let Some((address, length)) = word.text.split_once('/') else { continue };
        let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse()) else {
            continue;
        };
        if let Some(first) = first_of(address, length).filter(|first| *first != address) {
            let message = format!("{address} is not the first address of `{}`", word.text);
            diagnostics.push(
                Diagnostic::warning(Code::BadAddress, word.span, message)
                    .label("keepalived skips the line, and none of these is served")
                    .hint(format!("write `{first}/{length}` for all of them, or `{address}`"))
                    .class(Class::Error),
            );
        }
    }
}

/// The first address of a network; `None` when there is no such length.
fn first_of(address: IpAddr, length: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(ip) if length <= 32 => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            Some(Ipv4Addr::from_bits(ip.to_bits() & !host).into())
        }
        IpAddr::V6(ip) if length <= 128 => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            Some(Ipv6Addr::from_bits(ip.to_bits() & !host).into())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn empty(name: &Word) -> Diagnostic {
    let message = format!("virtual_server_group `{}` has no entries and is removed", name.text);
    Diagnostic::warning(Code::ServerGroupEmpty, name.span, message)
        .hint("write lines `ADDRESS PORT` or `fwmark NUMBER` into it")
        .class(Class::Error)
}

/// An address of the group on all ports, for a service that is not persistent.
pub(super) fn all_ports(service: &Service<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(open) = service.members.open else { return };
    diagnostics.push(
        Diagnostic::warning(
            Code::ServicePortMissing,
            open.span,
            "a service on all ports has to be persistent; keepalived makes it so",
        )
        .also(service.span(), "the service")
        .hint("write a port behind the address, or `persistence_timeout 360` into the service")
        .class(Class::Error),
    );
}
