//! `global_defs`: settings of the process and defaults of the instances below.

use std::{net::IpAddr, time::Duration};

use standfast_failover::ExtraAnnouncements;
use standfast_types::{InterfaceName, User};
use standfast_vrrp::{Announcements, Transport, Version};

use super::{
    Lowering,
    arguments::Read,
    command,
    room::{Policy, Room},
    vmac,
};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::Notify,
    syntax::{Statement, Word},
    table::{Keyword, Status},
};

/// What instances take when they say nothing themselves.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) version: Version,
    pub(crate) group: IpAddr,
    pub(crate) group6: IpAddr,
    pub(crate) checksum_as_v2: bool,
    pub(crate) down_timer_adverts: u8,
    pub(crate) lower_prio_no_advert: bool,
    pub(crate) skip_check_adv_addr: bool,
    pub(crate) owner_ignore_adverts: Option<bool>,
    pub(crate) check_unicast_src: bool,
    pub(crate) script_user: Option<User>,
    /// Where static addresses go that name no interface.
    pub(crate) interface: InterfaceName,
    pub(crate) startup_delay: Duration,
    pub(crate) detect_conflicts: bool,
    pub(crate) vmac_prefix: String,
    pub(crate) strict: bool,
    pub(crate) extra_announcements: Option<ExtraAnnouncements>,
    pub(crate) vmac_addr_prefix: Option<String>,
    pub(crate) room: Room,
    /// What the file says for all instances.
    pub(crate) notify: Notify,
    garp: Garp,
}

/// Gratuitous ARP as the file sets it; what it leaves out depends on other values.
#[derive(Clone, Debug, Default)]
struct Garp {
    minimal: bool,
    master_delay: Option<Duration>,
    master_repeat: Option<u32>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u32>,
    lower_prio_delay: Option<Duration>,
    lower_prio_repeat: Option<u32>,
    gap: Option<Duration>,
    neighbour_gap: Option<Duration>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            group: Transport::GROUP,
            group6: Transport::GROUP6,
            checksum_as_v2: false,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            skip_check_adv_addr: false,
            owner_ignore_adverts: None,
            check_unicast_src: false,
            script_user: None,
            interface: "eth0".into(),
            startup_delay: Duration::ZERO,
            detect_conflicts: true,
            vmac_prefix: "vrrp".to_owned(),
            vmac_addr_prefix: None,
            room: Room::default(),
            strict: false,
            extra_announcements: None,
            notify: Notify::default(),
            garp: Garp::default(),
        }
    }
}

impl Defaults {
    /// Pause between two neighbour advertisements (`vrrp_gna_interval`).
    pub(crate) fn neighbour_gap(&self) -> Duration {
        self.garp.neighbour_gap.unwrap_or_default()
    }

    /// Gratuitous ARP of an instance that sets nothing itself.
    pub(crate) fn announcements(&self) -> Announcements {
        let Garp { minimal, .. } = self.garp;
        let plain = Announcements::default();
        let master_repeat =
            self.garp.master_repeat.unwrap_or(if minimal { 1 } else { plain.master_repeat });
        let master_delay = self.garp.master_delay.unwrap_or(if minimal {
            Duration::ZERO
        } else {
            plain.master_delay
        });
        Announcements {
            master_repeat,
            master_delay,
            refresh: self.garp.refresh.unwrap_or(plain.refresh),
            refresh_repeat: self.garp.refresh_repeat.unwrap_or(plain.refresh_repeat),
            lower_prio_repeat: self.garp.lower_prio_repeat.unwrap_or(master_repeat),
            lower_prio_delay: self.garp.lower_prio_delay.unwrap_or(master_delay),
            gap: self.garp.gap.unwrap_or(plain.gap),
        }
    }
}

impl Lowering<'_> {
    pub(super) fn global_defs(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(block) = keyword.block() else { return };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            if keyword.status == Status::Active {
                let read = self.read(keyword, inner);
                if !self.daemon_setting(keyword.name, inner, &read) {
                    self.global_keyword(keyword.name, &read);
                    self.served_by_nftables(inner);
                }
            } else {
                self.announce(block, keyword, inner);
            }
        }
    }

    fn served_by_nftables(&mut self, statement: &Statement) {
        let asks = |word: &&Word| matches!(word.text.as_str(), "vrrp_iptables" | "vrrp_ipsets");
        let Some(word) = statement.keyword().filter(asks) else { return };
        let message = format!("`{}` asks for iptables; nftables does its work", word.text);
        self.diagnostics.push(
            Diagnostic::note(Code::NoEffect, word, message)
                .hint("write `nftables` instead, or delete the line")
                .class(Class::Error),
        );
    }

    fn global_keyword(&mut self, name: &str, read: &Read<'_>) {
        match name {
            "router_id" => {
                self.model.global.router_id = read.word().map(|word| word.text.to_string());
            }
            "script_user" => {
                let user = command::user_of(read);
                self.defaults.script_user = user.or(self.defaults.script_user.take());
            }
            "enable_script_security" => self.model.global.script_security = true,
            "vrrp_version" => {
                self.defaults.version = version(read).unwrap_or(self.defaults.version);
            }
            "vrrp_mcast_group6" => {
                if let Some((group, _)) = read.address() {
                    self.defaults.group6 = group;
                }
            }
            "vrrp_mcast_group4" => {
                if let Some((group, _)) = read.address() {
                    self.defaults.group = group;
                }
            }
            "vrrp_down_timer_adverts" => {
                if let Some((adverts, _)) = read.small() {
                    self.defaults.down_timer_adverts = adverts;
                }
            }
            "default_interface" => {
                if let Some(word) = read.word() {
                    self.defaults.interface = word.text.as_str().into();
                }
            }
            // They are read before anything else.
            "iproute_usr_dir" | "iproute_etc_dir" => {}
            "vrrp_check_unicast_src" => self.defaults.check_unicast_src = true,
            "v3_checksum_as_v2" => {
                self.defaults.checksum_as_v2 = read.flag().unwrap_or(self.defaults.checksum_as_v2);
            }
            "vrrp_lower_prio_no_advert" => {
                if let Some(flag) = read.flag() {
                    self.defaults.lower_prio_no_advert = flag;
                }
            }
            "vrrp_skip_check_adv_addr" => {
                if let Some(flag) = read.flag() {
                    self.defaults.skip_check_adv_addr = flag;
                }
            }
            "vrrp_owner_ignore_adverts" => {
                self.defaults.owner_ignore_adverts =
                    read.flag().or(self.defaults.owner_ignore_adverts);
            }
            "vrrp_rt_priority" => {
                if let Some((priority, _)) = read.small() {
                    self.model.global.realtime_priority = Some(priority);
                }
            }
            "vrrp_priority" => {
                if let Some((nice, _)) = read.small() {
                    self.model.global.nice = Some(nice);
                }
            }
            "vmac_prefix" => {
                if let Some(word) = read.word() {
                    self.defaults.vmac_prefix = word.text.to_string();
                }
            }
            "vmac_addr_prefix" => {
                self.defaults.vmac_addr_prefix = read.word().map(|word| word.text.to_string());
            }
            "vrrp_strict" => self.defaults.strict = read.flag().unwrap_or(self.defaults.strict),
            "nftables" => {
                if let Some(word) = read.word() {
                    self.model.failover.firewall.table = word.text.to_string();
                }
            }
            "nftables_priority" => {
                if let Some((priority, _)) = read.small() {
                    self.model.failover.firewall.priority = priority;
                }
            }
            "nftables_counters" => self.model.failover.firewall.counters = true,
            // Rules go by name, which an interface that was made again still has.
            "nftables_ifindex" => {}
            // nftables does their work.
            "vrrp_iptables" | "vrrp_ipsets" => {}
            "vrrp_garp_extra_if" | "vrrp_vmac_garp_intvl" => {
                self.defaults.extra_announcements = vmac::extra_announcements(read);
            }
            "log_unknown_vrids" => self.model.failover.log_unknown_vrids = true,
            "vrrp_rx_bufs_policy" => {
                if let Some(word) = read.word() {
                    self.defaults.room.policy = Policy::of(&word.text);
                }
            }
            "vrrp_rx_bufs_multiplier" => {
                if let Some((packets, _)) = read.small() {
                    self.defaults.room.packets = packets;
                }
            }
            // An interface may always come and go, in any form.
            "dynamic_interfaces" => {}
            // The reader has obeyed it.
            "include_check" => {}
            // Its memory is always locked, where that is permitted.
            "vrrp_no_swap" => {}
            "vrrp_detect_conflicts" => {
                self.defaults.detect_conflicts = read.flag().unwrap_or(true);
            }
            "vrrp_startup_delay" => {
                if let Some((delay, _)) = read.time() {
                    self.defaults.startup_delay = delay;
                }
            }
            _ => global_garp(&mut self.defaults.garp, name, read),
        }
    }
}

fn global_garp(garp: &mut Garp, name: &str, read: &Read<'_>) {
    match name {
        "vrrp_min_garp" => garp.minimal = read.flag().unwrap_or(garp.minimal),
        "vrrp_gna_interval" => {
            garp.neighbour_gap = read.time().map(|(gap, _)| gap).or(garp.neighbour_gap);
        }
        "vrrp_garp_interval" => garp.gap = read.time().map(|(gap, _)| gap).or(garp.gap),
        _ => {
            let Some((number, _)) = read.small::<u32>() else { return };
            let time = Duration::from_secs(number.into());
            match name {
                "vrrp_garp_master_repeat" => garp.master_repeat = Some(number),
                "vrrp_garp_master_refresh_repeat" => garp.refresh_repeat = Some(number),
                "vrrp_garp_lower_prio_repeat" => garp.lower_prio_repeat = Some(number),
                "vrrp_garp_master_delay" => garp.master_delay = Some(time),
                "vrrp_garp_master_refresh" => garp.refresh = Some(time),
                "vrrp_garp_lower_prio_delay" => garp.lower_prio_delay = Some(time),
                _ => {}
            }
        }
    }
}

/// `version` and `vrrp_version`.
pub(super) fn version(read: &Read<'_>) -> Option<Version> {
    read.number().map(|(number, _)| if number == 2 { Version::V2 } else { Version::V3 })
}
