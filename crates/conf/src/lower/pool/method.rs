//! `lb_kind`, `lvs_method`, `sorry_server_lvs_method`.

use standfast_types::{Checksum, Encapsulation, Forwarding};

use crate::{lower::arguments::Read, table::Value};

/// How packets reach a server; `None` when the line does not say it.
pub(super) fn forwarding(read: &Read<'_>) -> Option<Forwarding> {
    let method = read.word()?;
    Some(match method.text.as_str() {
        "DR" => Forwarding::DirectRouting,
        "TUN" => Forwarding::Tunnel(encapsulation(read)),
        _ => Forwarding::Nat,
    })
}

/// A gue tunnel without a port can't be; a lint says so of what is chosen instead.
fn encapsulation(read: &Read<'_>) -> Encapsulation {
    let (mut kind, mut port, mut checksum) = ("ipip", None, Checksum::None);
    for (name, matched) in read.options() {
        match (name, matched.value) {
            ("type", Value::Text(text)) => kind = text,
            ("port", Value::Number(number)) => port = u16::try_from(number).ok(),
            ("nocsum", _) => checksum = Checksum::None,
            ("csum", _) => checksum = Checksum::Full,
            ("remcsum", _) => checksum = Checksum::Remote,
            (_, _) => {}
        }
    }
    match (kind, port, checksum) {
        ("gue", Some(port), checksum) => Encapsulation::Gue { port, checksum },
        ("gre", _, Checksum::Remote) => Encapsulation::Gre { checksum: Checksum::None },
        ("gre", _, checksum) => Encapsulation::Gre { checksum },
        (_, _, _) => Encapsulation::Ipip,
    }
}

/// Whether ports stay as they are on the way.
pub(super) const fn keeps_ports(forwarding: Forwarding) -> bool {
    match forwarding {
        Forwarding::Nat => false,
        Forwarding::DirectRouting | Forwarding::Tunnel(_) => true,
    }
}

/// Whether a server may be of another family than its service.
pub(super) const fn crosses_families(forwarding: Forwarding) -> bool {
    match forwarding {
        Forwarding::Tunnel(_) => true,
        Forwarding::Nat | Forwarding::DirectRouting => false,
    }
}
