//! `vrrp_instance`: its keywords, read one by one. What they mean together is `resolve`'s work.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use standfast_failover::ExtraAnnouncements;
use standfast_types::{Family, Priority, RoutingEntry, VirtualAddress, Vrid};
use standfast_vrrp::{Announcements, UnicastPeer, Version};

use super::{Lowering, arguments::Read, authentication, command, global, tracker, vmac};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::{Deleted, Notify},
    source::Span,
    syntax::{Statement, Word},
    table::{self, Block, Keyword, Status},
};

/// Keywords that ask for unicast, and get none without peers.
const UNICAST: [&str; 4] =
    ["unicast_src_ip", "unicast_ttl", "check_unicast_src", "old_unicast_checksum"];

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
    pub(super) vrf: Option<Word>,
    /// The first address that shows the instance's family.
    pub(super) family: Option<(IpAddr, Span)>,
    pub(super) source: Option<(IpAddr, Span)>,
    pub(super) group: Option<(IpAddr, Span)>,
    pub(super) track_source: bool,
    pub(super) track_primary: bool,
    pub(super) vrid: Option<(Vrid, Span)>,
    /// The file has a `virtual_router_id`, valid or not.
    pub(super) vrid_given: bool,
    pub(super) ttl: u8,
    pub(super) version: Option<(Version, Span)>,
    pub(super) priority: Option<(Priority, Span)>,
    /// The file has a `priority`, valid or not.
    pub(super) priority_given: bool,
    pub(super) advert_interval: Option<(Duration, Span)>,
    pub(super) addresses: Vec<(Option<Word>, VirtualAddress)>,
    pub(super) addresses_span: Option<Span>,
    pub(super) excluded: Vec<(Option<Word>, VirtualAddress)>,
    /// Routes, then rules.
    pub(super) routes: Vec<RoutingEntry>,
    pub(super) promote_secondaries: bool,
    pub(super) rules: Vec<RoutingEntry>,
    /// Where each address is listed.
    pub(super) listed: BTreeMap<IpAddr, Span>,
    pub(super) no_address_wanted: bool,
    /// It has a block that is probably meant to be its addresses.
    pub(super) address_misspelt: bool,
    pub(super) checksum_as_v2: bool,
    pub(super) old_checksum: Option<OldChecksum>,
    pub(super) nopreempt: Option<Span>,
    pub(super) preempt_delay: Option<(Duration, Span)>,
    pub(super) announcements: Announcements,
    pub(super) down_timer_adverts: u8,
    pub(super) lower_prio_no_advert: bool,
    pub(super) skip_check_adv_addr: bool,
    /// Else off, and on in strict mode.
    pub(super) owner_ignore_adverts: Option<bool>,
    pub(super) peers: Vec<(UnicastPeer, Span)>,
    pub(super) peers_span: Option<Span>,
    /// The first keyword that only unicast needs.
    pub(super) unicast_word: Option<Word>,
    pub(super) check_source: bool,
    pub(super) fault_without_peer: bool,
    pub(super) authentication: authentication::Draft,
    pub(super) trackers: tracker::Drafts,
    pub(super) notify: Notify,
    pub(super) own: vmac::Wish,
    pub(super) strict: bool,
    pub(super) extra_announcements: Option<ExtraAnnouncements>,
    /// `kernel_rx_buf_size`
    pub(super) receive_buffer: Option<u32>,
    /// `accept` or `no_accept`
    pub(super) accept: Option<bool>,
}

impl Lowering<'_> {
    pub(super) fn vrrp_instance(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let known = self.origins.instances.get(name.text.as_str());
        if let Some(first) = known.map(|origin| origin.name) {
            return self.duplicate(name, first);
        }
        let Some(block) = keyword.block() else { return };
        let mut draft = self.draft(name.clone());
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else {
                draft.address_misspelt |= is_address_block(block, inner);
                continue;
            };
            if keyword.status == Status::Active {
                let read = self.read(keyword, inner);
                self.instance_keyword(&mut draft, keyword, inner, &read);
            } else {
                self.announce(block, keyword, inner);
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
            vrf: None,
            family: None,
            source: None,
            group: None,
            track_source: false,
            track_primary: true,
            vrid: None,
            vrid_given: false,
            ttl: 255,
            version: None,
            priority: None,
            priority_given: false,
            advert_interval: None,
            addresses: Vec::new(),
            addresses_span: None,
            excluded: Vec::new(),
            routes: Vec::new(),
            promote_secondaries: false,
            rules: Vec::new(),
            listed: BTreeMap::new(),
            no_address_wanted: false,
            address_misspelt: false,
            checksum_as_v2: defaults.checksum_as_v2,
            old_checksum: None,
            nopreempt: None,
            preempt_delay: None,
            announcements: defaults.announcements(),
            down_timer_adverts: defaults.down_timer_adverts,
            lower_prio_no_advert: defaults.lower_prio_no_advert,
            skip_check_adv_addr: defaults.skip_check_adv_addr,
            owner_ignore_adverts: defaults.owner_ignore_adverts,
            peers: Vec::new(),
            peers_span: None,
            unicast_word: None,
            check_source: defaults.check_unicast_src,
            fault_without_peer: false,
            authentication: authentication::Draft::default(),
            trackers: tracker::Drafts::default(),
            notify: Notify { mail: self.mail.alert(), ..defaults.notify.clone() },
            own: vmac::Wish::default(),
            strict: defaults.strict,
            extra_announcements: defaults.extra_announcements,
            receive_buffer: None,
            accept: None,
        }
    }

    fn instance_keyword(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
        read: &Read<'_>,
    ) {
        let flag = statement.keyword().map(|word| word.span);
        if UNICAST.contains(&keyword.name) && draft.unicast_word.is_none() {
            draft.unicast_word = statement.keyword().cloned();
        }
        match keyword.name {
            // Once MASTER, it stays so, as in keepalived.
            "state" => match draft.state {
                Some((State::Master, _)) => {}
                Some((State::Backup, _)) | None => draft.state = state(statement).or(draft.state),
            },
            "interface" => draft.interface = read.word().cloned(),
            "vrf" => draft.vrf = read.word().cloned(),
            "mcast_src_ip" | "unicast_src_ip" => self.source(draft, read),
            "mcast_dst_ip" => {
                draft.group = read.address().or(draft.group);
            }
            "track_src_ip" => draft.track_source = true,
            "dont_track_primary" => draft.track_primary = false,
            "virtual_router_id" => {
                draft.vrid_given = true;
                draft.vrid = read.small().and_then(|(n, span)| Some((Vrid::new(n)?, span)));
            }
            "unicast_ttl" => draft.ttl = read.small().map_or(draft.ttl, |(ttl, _)| ttl),
            "version" => {
                if let (Some(version), Some(word)) = (global::version(read), read.word()) {
                    draft.version = Some((version, word.span));
                }
            }
            "priority" => {
                draft.priority_given = true;
                let number = read.small().and_then(|(n, span)| Some((Priority::new(n)?, span)));
                draft.priority = number;
            }
            "advert_int" => draft.advert_interval = read.time().or(draft.advert_interval),
            "virtual_ipaddress" => self.addresses(draft, keyword, statement),
            "virtual_ipaddress_excluded" => self.excluded_addresses(draft, keyword, statement),
            "promote_secondaries" => draft.promote_secondaries = true,
            "virtual_routes" => {
                let lines = self.routes(keyword, statement);
                draft.routes.extend(lines.into_iter().map(|(entry, _)| entry));
            }
            "virtual_rules" => {
                let lines = self.rules(keyword, statement);
                draft.rules.extend(lines.into_iter().map(|(entry, _)| entry));
            }
            "no_virtual_ipaddress" => draft.no_address_wanted = true,
            "preempt" => draft.nopreempt = None,
            "nopreempt" => draft.nopreempt = flag,
            "preempt_delay" => draft.preempt_delay = read.time(),
            "unicast_peer" => self.peers(draft, keyword, statement),
            "check_unicast_src" => draft.check_source = true,
            "unicast_fault_no_peer" => draft.fault_without_peer = true,
            "authentication" => {
                self.authentication(&mut draft.authentication, keyword, statement);
            }
            "auth_hmac" => self.auth_hmac(&mut draft.authentication, keyword, statement),
            "track_interface" | "track_script" | "track_file" | "track_process" | "track_bfd" => {
                self.track(&mut draft.trackers, keyword, statement);
            }
            "accept" => draft.accept = Some(true),
            "garp_extra_if" | "vmac_garp_intvl" => {
                draft.extra_announcements = vmac::extra_announcements(read);
            }
            "no_accept" => draft.accept = Some(false),
            "strict_mode" => draft.strict = read.flag().unwrap_or(draft.strict),
            name if draft.own.take(name, flag, read) => {}
            _ => self.instance_detail(draft, keyword.name, statement, read),
        }
    }

    fn instance_detail(
        &mut self,
        draft: &mut Draft,
        name: &str,
        statement: &Statement,
        read: &Read<'_>,
    ) {
        match name {
            "v3_checksum_as_v2" => {
                draft.checksum_as_v2 = read.flag().unwrap_or(draft.checksum_as_v2);
            }
            "old_unicast_checksum" if !read.failed => {
                draft.old_checksum = Some(match read.word() {
                    Some(_) => OldChecksum::Never,
                    None => OldChecksum::Always,
                });
            }
            "down_timer_adverts" => {
                if let Some((adverts, _)) = read.small() {
                    draft.down_timer_adverts = adverts;
                }
            }
            "lower_prio_no_advert" => {
                draft.lower_prio_no_advert = read.flag().unwrap_or(draft.lower_prio_no_advert);
            }
            "skip_check_adv_addr" => {
                draft.skip_check_adv_addr = read.flag().unwrap_or(draft.skip_check_adv_addr);
            }
            "owner_ignore_adverts" => {
                draft.owner_ignore_adverts = read.flag().or(draft.owner_ignore_adverts);
            }
            // A master that was held up listens before it says anything: what these ask for.
            "timer_expired_backup" | "thread_timer_expired" => {}
            "kernel_rx_buf_size" => {
                draft.receive_buffer = read.small().map(|(bytes, _)| bytes);
            }
            "smtp_alert" => {
                let mail = &mut draft.notify.mail;
                *mail = read.flag().unwrap_or(*mail);
            }
            "notify_priority_changes" => {
                let changes = &mut draft.notify.priority_changes;
                *changes = read.flag().unwrap_or(*changes);
            }
            _ if name.starts_with("garp_") => garp(&mut draft.announcements, name, read),
            _ => self.instance_notify(&mut draft.notify, name, statement),
        }
    }

    pub(super) fn instance_notify(
        &mut self,
        notify: &mut Notify,
        name: &str,
        statement: &Statement,
    ) {
        if statement.parameters().is_empty() {
            if name == "notify_deleted" {
                notify.deleted = Deleted::AsDeleted(None);
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

    fn source(&mut self, draft: &mut Draft, read: &Read<'_>) {
        let (Some((address, span)), Some(word)) = (read.address(), read.word()) else { return };
        let (family, _) = *draft.family.get_or_insert((address, span));
        if Family::of(family) == Family::of(address) {
            draft.source = Some((address, span));
        } else {
            self.bad_address(word, "is of another family than the instance");
        }
    }

    pub(super) fn bad_address(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` {what}", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::BadAddress, word, message).class(Class::Error));
    }
}

/// Whether an unknown block is probably meant to be `virtual_ipaddress`.
fn is_address_block(block: &Block, statement: &Statement) -> bool {
    let likely = statement.keyword().and_then(|word| table::suggest(block, &word.text));
    statement.block.is_some() && likely == Some("virtual_ipaddress")
}

/// Anything that is not MASTER means BACKUP.
fn state(statement: &Statement) -> Option<(State, Span)> {
    let word = statement.parameters().first()?;
    let state = if word.text == "MASTER" { State::Master } else { State::Backup };
    Some((state, word.span))
}

fn garp(garp: &mut Announcements, name: &str, read: &Read<'_>) {
    let Some((number, _)) = read.small::<u32>() else { return };
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

impl Draft {
    pub(super) fn family(&self) -> Family {
        self.family.map_or(Family::V4, |(address, _)| Family::of(address))
    }
}
