//! `keepalived.json`, with keepalived's names in its order.

use serde::Serialize;
use serde_json::Number;
use standfast_conf::{Command, Deleted};
use standfast_types::{InstanceName, RoutingEntry};
use standfast_vrrp::{Preempt, StateName, Version};

use super::{Each, Subject, address, command, seconds, stats::Errors};

/// Version 2. Version 1 is the list of instances alone.
#[derive(Serialize)]
struct Whole<'a> {
    vrrp: Vec<Instance<'a>>,
    track_process: [(); 0],
}

#[derive(Serialize)]
struct Instance<'a> {
    data: Data<'a>,
    stats: Stats,
}

#[derive(Serialize)]
struct Data<'a> {
    iname: &'a InstanceName,
    dont_track_primary: u8,
    skip_check_adv_addr: u8,
    strict_mode: u8,
    vmac_ifname: &'a str,
    ifp_ifname: &'a str,
    master_priority: u8,
    last_transition: Option<Number>,
    garp_delay: u64,
    garp_refresh: u64,
    garp_rep: u32,
    garp_refresh_rep: u32,
    garp_lower_prio_delay: u64,
    garp_lower_prio_rep: u32,
    lower_prio_no_advert: u8,
    higher_prio_send_advert: u8,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    vipset: bool,
    promote_secondaries: bool,
    adver_int: Option<Number>,
    master_adver_int: Option<Number>,
    accept: u8,
    nopreempt: bool,
    preempt_delay: u64,
    state: u8,
    wantstate: u8,
    version: u8,
    smtp_alert: bool,
    notify_deleted: bool,
    #[serde(flatten)]
    scripts: Scripts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vroutes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vrules: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_ifp: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_script: Vec<String>,
    auth_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_data: Option<&'static str>,
}

/// Commands; those that there are none of are left out.
#[derive(Serialize)]
struct Scripts {
    #[serde(skip_serializing_if = "Option::is_none")]
    script_backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_deleted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master_rx_lower_pri: Option<String>,
}

#[derive(Serialize)]
struct Stats {
    advert_rcvd: u64,
    advert_sent: u64,
    become_master: u64,
    release_master: u64,
    packet_len_err: u64,
    advert_interval_err: u64,
    ip_ttl_err: u64,
    invalid_type_rcvd: u64,
    addr_list_err: u64,
    invalid_authtype: u64,
    authtype_mismatch: u64,
    auth_failure: u64,
    pri_zero_rcvd: u64,
    pri_zero_sent: u64,
}

impl Subject<'_> {
    pub(super) fn json(&self) -> String {
        let each: Vec<_> = self.each().collect();
        let vrrp: Vec<_> = each.iter().map(|instance| self.instance(instance)).collect();
        let text = match self.model.global.json_version {
            Some(2) => serde_json::to_string(&Whole { vrrp, track_process: [] }),
            Some(_) | None => serde_json::to_string(&vrrp),
        };
        // keepalived's writer escapes it, and some readers compare texts.
        text.unwrap_or_default().replace('/', "\\/")
    }

    fn instance<'a>(&self, instance: &'a Each<'_>) -> Instance<'a> {
        let Each { config, state, notify } = instance;
        let router = &config.router;
        let garp = router.announcements;
        let number = match state.router.state {
            StateName::Init | StateName::Stop => 0,
            StateName::Backup => 1,
            StateName::Master => 2,
            StateName::Fault => 3,
        };
        let advertised = |ip| router.addresses.contains(&ip);
        let (vips, evips): (Vec<_>, Vec<_>) =
            config.addresses.iter().partition(|held| advertised(held.prefix.address()));
        let texts = |held: Vec<_>| held.into_iter().map(|one| address(one, state.holds)).collect();
        let (mut vroutes, mut vrules) = (Vec::new(), Vec::new());
        for entry in &config.routing {
            match entry {
                RoutingEntry::Route(route) => vroutes.push(route.to_string()),
                RoutingEntry::Rule(rule) => vrules.push(rule.to_string()),
            }
        }
        let scripts = config.trackers.scripts.iter().filter_map(|track| {
            self.model.scripts.iter().find(|script| script.name == track.script)
        });
        let data = Data {
            iname: &config.name,
            dont_track_primary: u8::from(!config.track_primary),
            skip_check_adv_addr: u8::from(router.skip_check_adv_addr),
            strict_mode: u8::from(self.model.strict.contains(&config.name)),
            vmac_ifname: config.links.first().map_or("", |link| link.name.as_str()),
            ifp_ifname: config.interface.as_str(),
            master_priority: state.router.master_priority,
            last_transition: seconds(self.since(instance)).parse().ok(),
            garp_delay: garp.master_delay.as_secs(),
            garp_refresh: garp.refresh.as_secs(),
            garp_rep: garp.master_repeat,
            garp_refresh_rep: garp.refresh_repeat,
            garp_lower_prio_delay: garp.lower_prio_delay.as_secs(),
            garp_lower_prio_rep: garp.lower_prio_repeat,
            lower_prio_no_advert: u8::from(router.lower_prio_no_advert),
            // One last advert is always sent here.
            higher_prio_send_advert: 1,
            vrid: router.vrid.get(),
            base_priority: router.priority.get(),
            effective_priority: state.router.priority.get(),
            vipset: state.holds,
            promote_secondaries: config.promote_secondaries,
            adver_int: interval(router.advert_interval.centis()),
            master_adver_int: interval(state.router.master_interval.centis()),
            accept: u8::from(config.accept),
            nopreempt: router.preempt == Preempt::Never,
            preempt_delay: match router.preempt {
                Preempt::After(delay) => delay.as_secs(),
                Preempt::Always | Preempt::Never => 0,
            },
            state: number,
            wantstate: number,
            version: match router.version {
                Version::V2 => 2,
                Version::V3 => 3,
            },
            smtp_alert: notify.mail,
            notify_deleted: matches!(notify.deleted, Deleted::AsDeleted(_)),
            scripts: Scripts::of(instance),
            vips: texts(vips),
            evips: texts(evips),
            vroutes,
            vrules,
            track_ifp: config
                .trackers
                .interfaces
                .iter()
                .map(|track| track.interface.to_string())
                .collect(),
            track_script: scripts.map(|script| command(&script.command)).collect(),
            auth_type: router.authentication.number(),
            auth_data: (router.authentication.number() > 0).then_some("********"),
        };
        Instance { data, stats: Stats::of(instance) }
    }
}

impl Scripts {
    fn of(instance: &Each<'_>) -> Self {
        let notify = &instance.notify;
        let text = |script: &Option<Command>| script.as_ref().map(command);
        Self {
            script_backup: text(&notify.backup),
            script_master: text(&notify.master),
            script_fault: text(&notify.fault),
            script_stop: text(&notify.stop),
            script_deleted: match &notify.deleted {
                Deleted::AsFault => None,
                Deleted::AsDeleted(script) => text(script),
            },
            script: text(&notify.any),
            script_master_rx_lower_pri: text(&notify.master_rx_lower_pri),
        }
    }
}

impl Stats {
    fn of(instance: &Each<'_>) -> Self {
        let counters = &instance.state.counters;
        let errors = Errors::of(counters);
        Self {
            advert_rcvd: counters.received,
            advert_sent: counters.sent,
            become_master: counters.became_master,
            release_master: counters.released_master,
            packet_len_err: errors.length,
            advert_interval_err: errors.interval,
            ip_ttl_err: errors.ttl,
            invalid_type_rcvd: errors.kind,
            addr_list_err: errors.addresses,
            invalid_authtype: 0,
            authtype_mismatch: errors.authentication_kind,
            auth_failure: errors.authentication,
            pri_zero_rcvd: counters.zero_received,
            pri_zero_sent: counters.zero_sent,
        }
    }
}

/// Hundredths as seconds: `1`, `0.2`.
fn interval(centis: u16) -> Option<Number> {
    let whole = centis / 100;
    let text = match centis % 100 {
        0 => whole.to_string(),
        rest => format!("{whole}.{rest:02}"),
    };
    text.parse().ok()
}
