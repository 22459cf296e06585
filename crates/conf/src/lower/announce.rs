//! Keywords that are known and not active: said once each, with what is inside them checked.

use super::Lowering;
use crate::{
    Code, Diagnostic,
    diagnostic::{Class, Severity},
    syntax::Statement,
    words::{self, Status},
};

impl Lowering<'_> {
    /// Says that the statement has no effect, and looks for unknown words in its block.
    pub(crate) fn announce(&mut self, path: &str, statement: &Statement) {
        let Some(word) = statement.keyword() else { return };
        let Some(keyword) = words::lookup(path, &word.text) else { return };
        let opens = if keyword.opens_block { " block" } else { "" };
        let (code, severity, what) = match keyword.status {
            Status::NoEffect => (Code::NoEffect, Severity::Note, "never has an effect"),
            Status::Active | Status::Announced | Status::ManualOnly => {
                (Code::NotActive, weight(&word.text), "is accepted, not active in this version")
            }
        };
        let name = statement.words.iter().take(3).map(|word| word.text.as_str());
        let name = name.collect::<Vec<_>>().join(" ");
        let name = if keyword.opens_block { name.as_str() } else { &word.text };
        let message = format!("`{name}`{opens} {what}");
        let mut found = Diagnostic::new(code, severity, word.span, message);
        if matches!(
            word.text.as_str(),
            "vrrp_iptables" | "vrrp_ipsets" | "lvs_sync_daemon_interface"
        ) {
            found = found.hint("newer versions want `nftables` or `lvs_sync_daemon`");
            found.keepalived = Some(Class::Error);
        }
        self.diagnostics.push(found);
        self.check_inside(&words::child(path, &word.text), statement);
    }

    /// Reports unknown words in a block that is not active.
    fn check_inside(&mut self, path: &str, statement: &Statement) {
        let Some(block) = words::block(path) else { return };
        for inner in statement.statements() {
            let Some(word) = inner.keyword() else { continue };
            if block.entries && !block.keywords.contains_key(word.text.as_str()) {
                continue;
            }
            if self.known(path, inner).is_some() {
                self.check_inside(&words::child(path, &word.text), inner);
            }
        }
    }
}

/// A warning where the service would be missing; a note where only comfort is.
fn weight(keyword: &str) -> Severity {
    match keyword {
        "virtual_server"
        | "virtual_server_group"
        | "vrrp_sync_group"
        | "track_file"
        | "track_process"
        | "track_bfd"
        | "bfd_instance"
        | "vrrp_track_process"
        | "vrrp_track_file"
        | "use_vmac"
        | "use_ipvlan"
        | "no_accept"
        | "vrrp_strict"
        | "strict_mode"
        | "auth_hmac"
        | "virtual_routes"
        | "virtual_rules"
        | "static_ipaddress"
        | "static_routes"
        | "static_rules"
        | "net_namespace"
        | "notify_fifo"
        | "vrrp_notify_fifo" => Severity::Warning,
        _ => Severity::Note,
    }
}
