//! What strict mode does not allow, and is taken back.

use std::net::IpAddr;

use super::{
    tree::{is_on, last, name, number, seconds, value},
    view::{View, addresses},
};
use crate::{Code, Diagnostic, Host, Statement, Word, diagnostic::Class};

pub(super) fn lint(view: View<'_>, host: Option<&Host>, diagnostics: &mut Vec<Diagnostic>) {
    let global = view.globals("vrrp_strict").last();
    let version = view.globals("vrrp_version").last();
    for instance in view.blocks("vrrp_instance") {
        let lines = instance.statements();
        let Some(strict) = last(lines, &["strict_mode"]).or(global).filter(|line| is_on(line))
        else {
            continue;
        };
        let version = last(lines, &["version"]).or(version).and_then(value);
        let v3 = version.is_some_and(|word| word.text == "3");
        let mut push = |found: Diagnostic| {
            let found = found.class(Class::Error);
            diagnostics.push(match strict.keyword() {
                Some(strict) => found.also(strict.span, "asks for strict mode"),
                None => found,
            });
        };
        for word in lines.iter().filter_map(|line| ignored(line, v3)) {
            let message = format!("strict mode does not allow `{}` and ignores it", word.text);
            let found = Diagnostic::warning(Code::StrictMode, word.span, message);
            push(found.hint("delete it, or switch strict mode off"));
        }
        if let Some(word) = unicast(lines, host) {
            let message = "strict mode does not allow unicast peers where multicast works";
            let found = Diagnostic::warning(Code::StrictMode, word.span, message);
            push(
                found
                    .label("they are used all the same")
                    .hint("delete them, or switch strict mode off"),
            );
        }
        if let Some(word) = mac(lines) {
            let message =
                "strict mode knows no MAC address but the standard's; this one is ignored";
            let found = Diagnostic::warning(Code::StrictMode, word.span, message);
            push(found.hint("delete it, or switch strict mode off"));
        }
        if let Some(word) = lenient_mode(lines) {
            let message =
                format!("strict mode signs and wants signed adverts; `{}` is not used", word.text);
            let found = Diagnostic::warning(Code::StrictMode, word.span, message);
            push(found.hint("write `mode enforce`, or switch strict mode off"));
        }
        if let Some(found) = not_owner(lines) {
            push(found);
        }
        if let Some(word) = first_not_link_local(instance) {
            let message = "strict mode wants a link-local address first (RFC 9568, 5.2.9)";
            let found = Diagnostic::warning(Code::StrictMode, word.span, message);
            push(found.hint("list an address of fe80::/10 first, the same on every node"));
        }
    }
}

/// A mode of `auth_hmac` that sends or accepts unsigned adverts.
fn lenient_mode(lines: &[Statement]) -> Option<&Word> {
    let mode = last(last(lines, &["auth_hmac"])?.statements(), &["mode"]).and_then(value)?;
    matches!(mode.text.as_str(), "permissive" | "receive-only").then_some(mode)
}

/// Unicast peers on an interface that carries multicast, as far as is known.
fn unicast<'s>(lines: &'s [Statement], host: Option<&Host>) -> Option<&'s Word> {
    let interface = last(lines, &["interface"]).and_then(value)?;
    let known = host.and_then(|host| host.interface(&interface.text));
    let peers = last(lines, &["unicast_peer"]).filter(|peers| !peers.statements().is_empty())?;
    if known.is_some_and(|interface| !interface.multicast) { None } else { peers.keyword() }
}

/// A MAC address of the file's own.
fn mac(lines: &[Statement]) -> Option<&Word> {
    last(lines, &["use_vmac"])?.parameters().iter().find(|word| word.text.contains(':'))
}

/// MASTER is for the owner of the addresses, and for nobody else.
fn not_owner(lines: &[Statement]) -> Option<Diagnostic> {
    let state = last(lines, &["state"]).and_then(value);
    let priority = last(lines, &["priority"]).and_then(value);
    let (master, owner) = (
        state.is_some_and(|word| word.text == "MASTER"),
        priority.is_some_and(|word| word.text == "255"),
    );
    let (span, message, hint) = match (state, priority) {
        (Some(state), Some(_)) if master && !owner => {
            let message =
                "in strict mode `state MASTER` goes with priority 255 alone; it is ignored";
            (state.span, message, "write `state BACKUP`; the priority decides who serves")
        }
        (Some(state), Some(_)) if owner && !master => {
            let message =
                "in strict mode priority 255 goes with `state MASTER` alone; it is MASTER";
            (state.span, message, "write `state MASTER`, or a lower priority")
        }
        (_, _) => return None,
    };
    Some(Diagnostic::warning(Code::StrictMode, span, message).hint(hint))
}

/// The first address of an IPv6 instance, where it is not link-local.
fn first_not_link_local(instance: &Statement) -> Option<&Word> {
    let first = addresses(instance).next()?;
    let text = name(first).split('/').next()?;
    match text.parse() {
        Ok(IpAddr::V6(ip)) if !ip.is_unicast_link_local() => first.keyword(),
        Ok(_) | Err(_) => None,
    }
}

/// The keyword of a line that strict mode ignores.
fn ignored(line: &Statement, v3: bool) -> Option<&Word> {
    let word = line.keyword()?;
    let some = || value(line).and_then(number).is_some_and(|number| number > 0);
    let time = || value(line).and_then(seconds).is_some_and(|time| !time.is_zero());
    let ignored = match word.text.as_str() {
        // VRRPv3 has none anyway.
        "authentication" | "accept" => !v3,
        "vmac_xmit_base" => true,
        "down_timer_adverts" => value(line).is_some_and(|word| word.text != "3"),
        "garp_lower_prio_delay" | "garp_lower_prio_repeat" => some(),
        "preempt_delay" => time(),
        "lower_prio_no_advert" => !is_on(line),
        "higher_prio_send_advert" => is_on(line),
        _ => false,
    };
    ignored.then_some(word)
}
