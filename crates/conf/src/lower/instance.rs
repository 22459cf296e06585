//! `vrrp_instance`: its keywords, read one by one. What they mean together is `resolve`'s work.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use standfast_failover::{TrackInterface, TrackScript};
use standfast_types::{Priority, VirtualAddress, Vrid};
use standfast_vrrp::{Announcements, UnicastPeer, Version};

use super::{Lowering, command, global::COUNT_MAX, value};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::{Deleted, Notify},
    origins::TrackerOrigin,
    source::Span,
    syntax::{Statement, Word},
    words::Status,
};

/// `state`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Master,
    Backup,
}

/// `old_unicast_checksum`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OldChecksum {
    Always,
    Never,
}

/// What one block says, before defaults.
pub(super) struct Draft {
    pub(super) name: Word,
    pub(super) state: Option<(State, Span)>,
    pub(super) interface: Option<Word>,
    /// The first address that shows the instance's family.
    pub(super) family: Option<(IpAddr, Span)>,
    pub(super) source: Option<(Ipv4Addr, Span)>,
    pub(super) group: Option<(Ipv4Addr, Span)>,
    pub(super) track_source: bool,
    pub(super) track_primary: bool,
    pub(super) vrid: Option<(Vrid, Span)>,
    pub(super) ttl: u8,
    pub(super) version: Option<(Version, Span)>,
    pub(super) priority: Option<(Priority, Span)>,
    /// The file has a `priority`, valid or not.
    pub(super) priority_given: bool,
    /// In microseconds.
    pub(super) advert_interval: Option<(u64, Span)>,
    pub(super) addresses: Vec<(Option<Word>, VirtualAddress)>,
    pub(super) addresses_span: Option<Span>,
    pub(super) excluded: Vec<(Option<Word>, VirtualAddress)>,
    pub(super) no_address_wanted: bool,
    pub(super) checksum_as_v2: bool,
    pub(super) old_checksum: Option<OldChecksum>,
    pub(super) nopreempt: Option<Span>,
    pub(super) preempt_delay: Option<(Duration, Span)>,
    pub(super) announcements: Announcements,
    pub(super) down_timer_adverts: u8,
    pub(super) lower_prio_no_advert: bool,
    pub(super) peers: Vec<(UnicastPeer, Span)>,
    pub(super) peers_span: Option<Span>,
    pub(super) check_source: bool,
    pub(super) fault_without_peer: bool,
    pub(super) authentication: Option<Span>,
    pub(super) auth_type: Option<Word>,
    pub(super) auth_pass: Option<Word>,
    pub(super) track_interfaces: Vec<(TrackInterface, TrackerOrigin)>,
    pub(super) track_scripts: Vec<(TrackScript, TrackerOrigin)>,
    pub(super) notify: Notify,
}

impl Lowering<'_> {
    pub(super) fn vrrp_instance(&mut self, block: &Statement) {
        let Some(name) = self.block_name(block) else { return };
        let known = self.origins.instances.get(&name.text.as_str().into());
        if let Some(first) = known.map(|origin| origin.name) {
            return self.duplicate(name, first);
        }
        let mut draft = self.draft(name.clone());
        for statement in block.statements() {
            let Some(keyword) = self.known("vrrp_instance", statement) else { continue };
            if keyword.status == Status::Active {
                self.instance_keyword(&mut draft, statement);
            } else {
                self.refuse_unauthenticated(statement);
                self.announce("vrrp_instance", statement);
            }
        }
        self.resolve(draft);
    }

    fn draft(&self, name: Word) -> Draft {
        let defaults = &self.defaults;
        Draft {
            name,
            state: None,
            interface: None,
            family: None,
            source: None,
            group: None,
            track_source: false,
            track_primary: true,
            vrid: None,
            ttl: 255,
            version: None,
            priority: None,
            priority_given: false,
            advert_interval: None,
            addresses: Vec::new(),
            addresses_span: None,
            excluded: Vec::new(),
            no_address_wanted: false,
            checksum_as_v2: defaults.checksum_as_v2,
            old_checksum: None,
            nopreempt: None,
            preempt_delay: None,
            announcements: defaults.announcements(),
            down_timer_adverts: defaults.down_timer_adverts,
            lower_prio_no_advert: defaults.lower_prio_no_advert,
            peers: Vec::new(),
            peers_span: None,
            check_source: defaults.check_unicast_src,
            fault_without_peer: false,
            authentication: None,
            auth_type: None,
            auth_pass: None,
            track_interfaces: Vec::new(),
            track_scripts: Vec::new(),
            notify: Notify::default(),
        }
    }

    /// `auth_hmac` asks for adverts that nobody can forge; without it they could be.
    fn refuse_unauthenticated(&mut self, statement: &Statement) {
        let Some(word) = statement.keyword().filter(|word| word.text == "auth_hmac") else {
            return;
        };
        self.diagnostics.push(
            Diagnostic::error(
                Code::AuthenticationHeader,
                word.span,
                "`auth_hmac` is not active in this version; the instance would run unauthenticated",
            )
            .hint("delete the block on every node to run without it"),
        );
    }

    fn instance_keyword(&mut self, draft: &mut Draft, statement: &Statement) {
        let name = statement.keyword().map_or("", |word| word.text.as_str());
        match name {
            "state" => draft.state = self.state(statement).or(draft.state),
            "interface" => draft.interface = self.value(statement).cloned(),
            "mcast_src_ip" | "unicast_src_ip" => self.source(draft, statement),
            "mcast_dst_ip" => draft.group = self.group(statement).or(draft.group),
            "track_src_ip" => draft.track_source = self.bare_flag(statement).is_some(),
            "dont_track_primary" => draft.track_primary = self.bare_flag(statement).is_none(),
            "virtual_router_id" => draft.vrid = self.vrid(statement),
            "unicast_ttl" => {
                if let Some((ttl, _)) = self.small(statement, 0, 255, "255 stays in use") {
                    draft.ttl = ttl;
                }
            }
            "version" => draft.version = self.version(statement).or(draft.version),
            "priority" => {
                draft.priority_given = true;
                draft.priority = self.priority(statement);
            }
            "advert_int" => self.advert_interval(draft, statement),
            "virtual_ipaddress" => self.addresses(draft, statement),
            "virtual_ipaddress_excluded" => self.excluded_addresses(draft, statement),
            "no_virtual_ipaddress" => draft.no_address_wanted = true,
            "preempt" => draft.nopreempt = None,
            "nopreempt" => draft.nopreempt = self.bare_flag(statement),
            "preempt_delay" => {
                let most = Duration::from_secs(1000);
                let delay = self.seconds(statement, Duration::ZERO, most, "no delay is used");
                draft.preempt_delay = delay;
            }
            "unicast_peer" => self.peers(draft, statement),
            "check_unicast_src" => draft.check_source = self.bare_flag(statement).is_some(),
            "unicast_fault_no_peer" => draft.fault_without_peer = true,
            "authentication" => self.authentication(draft, statement),
            "track_interface" => self.track_interface(draft, statement),
            "track_script" => self.track_script(draft, statement),
            "accept" => {}
            _ => self.instance_detail(draft, name, statement),
        }
    }

    fn instance_detail(&mut self, draft: &mut Draft, name: &str, statement: &Statement) {
        match name {
            "v3_checksum_as_v2" => {
                if let Some(flag) = self.flag(statement) {
                    draft.checksum_as_v2 = flag;
                }
            }
            "old_unicast_checksum" => draft.old_checksum = self.old_checksum(statement),
            "down_timer_adverts" => {
                let kept = format!("{} stays in use", draft.down_timer_adverts);
                if let Some((adverts, _)) = self.small(statement, 1, 100, &kept) {
                    draft.down_timer_adverts = adverts;
                }
            }
            "lower_prio_no_advert" => {
                if let Some(flag) = self.flag(statement) {
                    draft.lower_prio_no_advert = flag;
                }
            }
            _ if name.starts_with("garp_") => {
                self.instance_garp(&mut draft.announcements, name, statement);
            }
            _ => self.instance_notify(&mut draft.notify, name, statement),
        }
    }

    fn instance_garp(&mut self, garp: &mut Announcements, name: &str, statement: &Statement) {
        let number = match name {
            "garp_master_repeat" | "garp_master_refresh_repeat" => self.repeat_count(statement),
            _ => self.small(statement, 0, COUNT_MAX, "the default stays in use").map(|n| n.0),
        };
        let Some(number) = number else { return };
        let time = Duration::from_secs(number.into());
        match name {
            "garp_master_repeat" => garp.master_repeat = number,
            "garp_master_refresh_repeat" => garp.refresh_repeat = number,
            "garp_lower_prio_repeat" => garp.lower_prio_repeat = number,
            "garp_master_delay" => garp.master_delay = time,
            "garp_master_refresh" => garp.refresh = time,
            "garp_lower_prio_delay" => garp.lower_prio_delay = time,
            _ => {}
        }
    }

    fn instance_notify(&mut self, notify: &mut Notify, name: &str, statement: &Statement) {
        if statement.parameters().is_empty() {
            if name == "notify_deleted" {
                notify.deleted = Deleted::AsDeleted(None);
            } else {
                self.missing_parameter(statement);
            }
            return;
        }
        let user = self.defaults.script_user.as_ref();
        let command = command::notify(statement.parameters(), user, self.diagnostics);
        match name {
            "notify" => notify.any = command,
            "notify_master" => notify.master = command,
            "notify_backup" => notify.backup = command,
            "notify_fault" => notify.fault = command,
            "notify_stop" => notify.stop = command,
            "notify_deleted" => notify.deleted = Deleted::AsDeleted(command),
            "notify_master_rx_lower_pri" => notify.master_rx_lower_pri = command,
            _ => {}
        }
    }

    fn state(&mut self, statement: &Statement) -> Option<(State, Span)> {
        let word = self.value(statement)?;
        let state = match word.text.as_str() {
            "MASTER" => State::Master,
            "BACKUP" => State::Backup,
            other => {
                let meant = if other.eq_ignore_ascii_case("master") { "MASTER" } else { "BACKUP" };
                let message = format!("`{other}` is no state; BACKUP is used");
                self.diagnostics.push(
                    Diagnostic::warning(Code::BadState, word.span, message)
                        .hint(format!("write `state {meant}`"))
                        .class(Class::Error),
                );
                State::Backup
            }
        };
        Some((state, word.span))
    }

    fn source(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some(word) = self.value(statement) else { return };
        match word.text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if !draft.is_ipv6() => {
                draft.family.get_or_insert((address.into(), word.span));
                draft.source = Some((address, word.span));
            }
            Ok(address) if draft.family.is_none() => draft.family = Some((address, word.span)),
            Ok(_) => self.bad_address(word, "is of another family than the instance"),
            Err(_) => self.bad_address(word, "is no address; the interface's own is used"),
        }
    }

    pub(super) fn bad_address(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` {what}", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::BadAddress, word.span, message).class(Class::Error));
    }

    fn vrid(&mut self, statement: &Statement) -> Option<(Vrid, Span)> {
        let word = self.value(statement)?;
        let number = value::number(&word.text, 1, 255).ok().and_then(|n| u8::try_from(n).ok());
        match number.and_then(Vrid::new) {
            Some(vrid) => Some((vrid, word.span)),
            None => {
                let message = format!("`{}` is no virtual router id", word.text);
                self.diagnostics.push(
                    Diagnostic::error(Code::VridMissing, word.span, message)
                        .hint("write a number from 1 to 255, the same on every node"),
                );
                None
            }
        }
    }

    fn priority(&mut self, statement: &Statement) -> Option<(Priority, Span)> {
        let (number, span) = self.small(statement, 1, 255, "100 is used")?;
        Some((Priority::new(number)?, span))
    }

    fn advert_interval(&mut self, draft: &mut Draft, statement: &Statement) {
        let Some(word) = self.value(statement) else { return };
        match value::micros(&word.text) {
            Ok(micros) if (10_000..=255_000_000).contains(&micros) => {
                draft.advert_interval = Some((micros, word.span));
            }
            Ok(_) | Err(_) => {
                let message = format!("`{}` is no advert interval; 1 second is used", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::AdvertInterval, word.span, message)
                        .hint("VRRPv2 takes 1 to 255 whole seconds, VRRPv3 0.01 to 40.95 seconds")
                        .class(Class::Error),
                );
            }
        }
    }

    fn old_checksum(&mut self, statement: &Statement) -> Option<OldChecksum> {
        match statement.parameters() {
            [] => Some(OldChecksum::Always),
            [word] if word.text == "never" => Some(OldChecksum::Never),
            [word, ..] => {
                let message = format!("`{}` is not `never`; the keyword is ignored", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::BadValue, word.span, message).class(Class::Error),
                );
                None
            }
        }
    }

    fn authentication(&mut self, draft: &mut Draft, block: &Statement) {
        draft.authentication = block.keyword().map(|word| word.span);
        for statement in block.statements() {
            let path = "vrrp_instance.authentication";
            let Some(_) = self.known(path, statement) else { continue };
            let word = self.value(statement).cloned();
            match statement.keyword().map_or("", |word| word.text.as_str()) {
                "auth_type" => draft.auth_type = word,
                "auth_pass" => draft.auth_pass = word,
                _ => {}
            }
        }
    }
}

impl Draft {
    pub(super) fn is_ipv6(&self) -> bool {
        self.family.is_some_and(|(address, _)| address.is_ipv6())
    }
}
