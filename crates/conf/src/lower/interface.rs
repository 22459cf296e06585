//! The interface of an instance, or what an instance runs with that has none.

use standfast_types::InterfaceName;

use super::{Lowering, instance::Draft};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span};

impl Lowering<'_> {
    /// Where an instance's adverts leave and arrive. With unicast peers that may be a VRF, or wherever the
    /// routes lead.
    pub(super) fn required_interface(&mut self, draft: &Draft) -> Option<InterfaceName> {
        let name = &draft.name.text;
        let (span, message) = match &draft.interface {
            Some(word) if word.text == "lo" => {
                let message = format!(
                    "VRRP cannot use the loopback interface; instance `{name}` is left out"
                );
                (word.span, message)
            }
            Some(word) => {
                self.unused_vrf(draft);
                return Some(word.text.as_str().into());
            }
            None if !draft.peers.is_empty() => return self.interface_of_unicast(draft),
            None => {
                (draft.name.span, format!("instance `{name}` has no interface; it is left out"))
            }
        };
        self.diagnostics.push(
            Diagnostic::warning(Code::InterfaceMissing, span, message)
                .label("the instance does not run")
                .hint("write `interface` with the interface that the other nodes are reached by")
                .class(Class::Error),
        );
        None
    }

    /// It runs if everything is said that the interface else says.
    fn interface_of_unicast(&mut self, draft: &Draft) -> Option<InterfaceName> {
        let homeless = draft.addresses.iter().chain(&draft.excluded);
        let homeless = homeless.filter(|(device, _)| device.is_none()).map(|(_, address)| address);
        let homeless = homeless.map(|address| address.prefix.address()).next();
        let (span, what, hint): (Span, String, _) = if let Some(span) = draft.own.main_span() {
            let what = "an interface of its own has nothing to be made on".to_owned();
            (span, what, "write `interface`, or delete the line")
        } else if let Some(ip) = homeless {
            let span = draft.listed.get(&ip).copied().unwrap_or(draft.name.span);
            (span, format!("{ip} is on none"), "write `dev` and an interface behind the address")
        } else if draft.source.is_none() {
            let what = "its adverts have no source".to_owned();
            (draft.name.span, what, "write `unicast_src_ip` with this machine's own address")
        } else {
            let vrf = draft.vrf.as_ref().map(|word| word.text.as_str().into());
            return Some(vrf.unwrap_or_else(InterfaceName::any));
        };
        let name = &draft.name.text;
        let message = format!("instance `{name}` has no interface, and {what}; it is left out");
        self.diagnostics.push(
            Diagnostic::warning(Code::InterfaceMissing, span, message)
                .label("the instance does not run")
                .hint(hint),
        );
        None
    }

    fn unused_vrf(&mut self, draft: &Draft) {
        let Some(word) = &draft.vrf else { return };
        let message = "`vrf` has no effect with `interface`, which is in its VRF or in none";
        self.diagnostics.push(
            Diagnostic::warning(Code::NoEffect, word, message)
                .hint("delete it, or `interface` if the instance has unicast peers"),
        );
    }
}
