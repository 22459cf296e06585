//! Interfaces that an instance has made for itself.

use std::net::IpAddr;

use standfast_types::Prefix;

use super::{
    tree::{is, last, name, value},
    view::{View, addresses},
};
use crate::{Code, Diagnostic, Host, HostInterface, Span, Statement, Word, diagnostic::Class};

/// Kinds of ipvlan, of which an interface has one.
const KINDS: &[&str] = &["bridge", "private", "vepa"];

pub(super) fn lint(view: View<'_>, host: Option<&Host>, diagnostics: &mut Vec<Diagnostic>) {
    for instance in view.blocks("vrrp_instance") {
        let lines = instance.statements();
        let mut found = |span: Span, message: String, hint: &str| {
            let found = Diagnostic::warning(Code::OwnMac, span, message).hint(hint);
            diagnostics.push(found.class(Class::Error));
        };
        if let Some(word) = last(lines, &["vmac_xmit_base"]).and_then(Statement::keyword)
            && last(lines, &["use_vmac"]).is_none()
        {
            let message = "`vmac_xmit_base` does nothing without `use_vmac`".to_owned();
            found(word.span, message, "delete it, or write `use_vmac` too");
        }
        if let Some(word) = lines.iter().find_map(|line| taken(line, view, host)) {
            let message = format!("`{}` is an interface of this machine already", word.text);
            found(word.span, message, "write a name that is free, or none: vrrp.VRID is used then");
        }
        let Some(line) = last(lines, &["use_ipvlan"]) else { continue };
        let mut kinds = line.parameters().iter().filter(|word| KINDS.contains(&word.text.as_str()));
        if let (Some(first), Some(second)) = (kinds.next(), kinds.next()) {
            let message = format!("`{}` is ignored: the ipvlan is {}", second.text, first.text);
            found(second.span, message, "write one of bridge, private and vepa");
        }
        if let Some(word) = line.keyword().filter(|_| is_ipv4(instance) && !has_address(line)) {
            let message =
                "an IPv4 `use_ipvlan` has no address; keepalived stays in FAULT".to_owned();
            found(word.span, message, "write the new interface's own address behind it");
        }
    }
}

/// The name for a new interface, where one that nobody made for VRRP has it.
fn taken<'s>(line: &'s Statement, view: View<'_>, host: Option<&Host>) -> Option<&'s Word> {
    if !is(line, "use_vmac") && !is(line, "use_ipvlan") {
        return None;
    }
    let mut words = line.parameters().iter().skip_while(|word| word.text == "name");
    let word = words.next()?;
    let base = |instance: &Statement| {
        let own = last(instance.statements(), &["interface"]).and_then(value);
        own.is_some_and(|own| own.text == word.text)
    };
    let there = || host?.interface(&word.text).filter(|own| is_permanent(own, view));
    let taken = word.text == "lo" || view.blocks("vrrp_instance").any(base) || there().is_some();
    taken.then_some(word)
}

/// Whether it has an address that VRRP did not give it: one that is made anew at each start has
/// virtual addresses alone.
fn is_permanent(interface: &HostInterface, view: View<'_>) -> bool {
    let held = |own: &Prefix| {
        let mut held = view.instances.iter().flat_map(|instance| &instance.config.addresses);
        held.any(|held| held.prefix.address() == own.address())
    };
    interface.addresses.iter().any(|own| own.address().is_ipv4() && !held(own))
}

fn has_address(line: &Statement) -> bool {
    line.parameters().iter().any(|word| word.text.parse::<Prefix>().is_ok())
}

/// Whether the first virtual address is IPv4.
fn is_ipv4(instance: &Statement) -> bool {
    let first = addresses(instance).find_map(|line| name(line).split('/').next());
    first.is_some_and(|text| matches!(text.parse(), Ok(IpAddr::V4(_))))
}
