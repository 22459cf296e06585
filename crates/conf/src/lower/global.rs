//! `global_defs`: settings of the process and defaults of the instances below.

use std::{net::Ipv4Addr, time::Duration};

use standfast_vrrp::{Announcements, Transport, Version};

use super::{Lowering, command};
use crate::{Code, Diagnostic, diagnostic::Class, model::User, syntax::Statement, words::Status};

/// The longest time that keepalived stores: 2^32 - 1 microseconds.
const LONGEST: Duration = Duration::from_micros(4_294_967_295);
const MICROSECOND: Duration = Duration::from_micros(1);
/// The largest count that keepalived stores.
pub(super) const COUNT_MAX: i64 = 2_147_483_647;

/// What instances take when they say nothing themselves.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) version: Version,
    pub(crate) group: Ipv4Addr,
    pub(crate) checksum_as_v2: bool,
    pub(crate) down_timer_adverts: u8,
    pub(crate) lower_prio_no_advert: bool,
    pub(crate) check_unicast_src: bool,
    pub(crate) script_user: Option<User>,
    pub(crate) startup_delay: Duration,
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
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            group: Transport::GROUP,
            checksum_as_v2: false,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            check_unicast_src: false,
            script_user: None,
            startup_delay: Duration::ZERO,
            garp: Garp::default(),
        }
    }
}

impl Defaults {
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
    pub(super) fn global_defs(&mut self, block: &Statement) {
        for statement in block.statements() {
            let Some(keyword) = self.known("global_defs", statement) else { continue };
            if keyword.status == Status::Active {
                self.global_keyword(statement);
            } else {
                self.announce("global_defs", statement);
            }
        }
    }

    fn global_keyword(&mut self, statement: &Statement) {
        let name = statement.keyword().map_or("", |word| word.text.as_str());
        match name {
            "router_id" => {
                // keepalived only grumbles when it has no value.
                if statement.parameters().is_empty() {
                    return self.without_value(statement);
                }
                let word = self.value(statement);
                self.model.global.router_id = word.map(|word| word.text.to_string());
            }
            "script_user" => {
                let user = self.user(statement);
                self.defaults.script_user = user.or(self.defaults.script_user.take());
            }
            "enable_script_security" => {
                self.model.global.script_security = self.bare_flag(statement).is_some();
            }
            "vrrp_version" => {
                if let Some(version) = self.version(statement) {
                    self.defaults.version = version.0;
                }
            }
            "vrrp_mcast_group4" => {
                if let Some((group, _)) = self.group(statement) {
                    self.defaults.group = group;
                }
            }
            "vrrp_down_timer_adverts" => {
                let kept = format!("{} stays in use", self.defaults.down_timer_adverts);
                if let Some((adverts, _)) = self.small(statement, 1, 100, &kept) {
                    self.defaults.down_timer_adverts = adverts;
                }
            }
            "vrrp_check_unicast_src" => {
                self.defaults.check_unicast_src = self.bare_flag(statement).is_some();
            }
            // Its argument is not looked at: writing it turns it on.
            "v3_checksum_as_v2" => self.defaults.checksum_as_v2 = true,
            "vrrp_lower_prio_no_advert" => {
                if let Some(flag) = self.flag(statement) {
                    self.defaults.lower_prio_no_advert = flag;
                }
            }
            "vrrp_rt_priority" => {
                if let Some((priority, _)) = self.small(statement, 1, 99, "none is used") {
                    self.model.global.realtime_priority = Some(priority);
                }
            }
            "vrrp_priority" => {
                if let Some((nice, _)) = self.small(statement, -20, 19, "none is used") {
                    self.model.global.nice = Some(nice);
                }
            }
            // Its memory is always locked, where that is permitted.
            "vrrp_no_swap" => {}
            "vrrp_startup_delay" => {
                let low = Duration::from_millis(1);
                if let Some((delay, _)) = self.seconds(statement, low, LONGEST, "no delay is used")
                {
                    self.defaults.startup_delay = delay;
                }
            }
            _ => self.global_garp(name, statement),
        }
    }

    fn global_garp(&mut self, name: &str, statement: &Statement) {
        let parsed = match name {
            "vrrp_min_garp" => {
                if let Some(flag) = self.flag(statement) {
                    self.defaults.garp.minimal = flag;
                }
                return;
            }
            "vrrp_garp_interval" => {
                let gap = self.seconds(statement, MICROSECOND, LONGEST, "no gap is used");
                if let Some((gap, _)) = gap {
                    self.defaults.garp.gap = Some(gap);
                }
                return;
            }
            "vrrp_garp_master_repeat" | "vrrp_garp_master_refresh_repeat" => {
                self.repeat_count(statement)
            }
            _ => {
                self.small::<u32>(statement, 0, COUNT_MAX, "the default stays in use").map(|n| n.0)
            }
        };
        let Some(number) = parsed else { return };
        let time = Duration::from_secs(number.into());
        let garp = &mut self.defaults.garp;
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

    /// A count of which 0 becomes 1.
    pub(super) fn repeat_count(&mut self, statement: &Statement) -> Option<u32> {
        let word = statement.parameters().first();
        if word.is_some_and(|word| word.text == "0") {
            self.small::<u32>(statement, 1, COUNT_MAX, "1 is used");
            return Some(1);
        }
        self.small(statement, 0, COUNT_MAX, "the default stays in use").map(|(count, _)| count)
    }

    /// `version` and `vrrp_version`.
    pub(super) fn version(
        &mut self,
        statement: &Statement,
    ) -> Option<(Version, crate::source::Span)> {
        let (number, span) = self.number(statement, 2, 3, "it is ignored")?;
        Some((if number == 2 { Version::V2 } else { Version::V3 }, span))
    }

    fn without_value(&mut self, statement: &Statement) {
        let Some(word) = statement.keyword() else { return };
        let message = format!("`{}` has no value and is ignored", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::BadValue, word.span, message).class(Class::Error));
    }

    /// `user [group]`.
    pub(super) fn user(&mut self, statement: &Statement) -> Option<User> {
        if statement.parameters().is_empty() {
            self.missing_parameter(statement);
        }
        self.surplus(statement.parameters().get(2..).unwrap_or_default());
        command::user(statement.parameters())
    }
}
