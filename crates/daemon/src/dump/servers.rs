//! `keepalived_check.data`, with keepalived's names where it has one.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use standfast_balance::{
    Endpoint, RealServer, ServerSnapshot, ServiceSnapshot, Verdict, VirtualServer,
};
use standfast_conf::{Pool, ServiceNotify};
use standfast_health::Timing;
use standfast_types::{Checksum, Encapsulation, Forwarding, ServiceKey};

use super::{command, seconds};
use crate::{describe::pool::describe_verdict, news};

/// The text of the dump.
pub(crate) fn servers(
    pool: &Pool,
    services: &[ServiceSnapshot],
    probes: usize,
    late: Duration,
) -> String {
    let mut text = String::from("------< LVS Topology >------\n");
    let configs: BTreeMap<_, _> =
        pool.balance.services.iter().map(|config| (&config.name, config)).collect();
    let each = || services.iter().filter_map(|one| Some((one, *configs.get(&one.name)?)));
    for (state, config) in each() {
        service(state, config, pool.notify.get(&config.name), &mut text);
    }
    text.push_str("------< Health checkers >------\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, " {name} = {value}");
    };
    line("Probes", &probes.to_string());
    line("Lateness of 990 in 1000 checks", &seconds(late));
    for (state, config) in each() {
        for server in &state.servers {
            checks(server, config, &mut text);
        }
    }
    text
}

fn service(
    state: &ServiceSnapshot,
    config: &VirtualServer,
    notify: Option<&ServiceNotify>,
    text: &mut String,
) {
    text.push_str(" ------< Virtual server >------\n");
    for key in &config.keys {
        let _ = match key {
            ServiceKey::Address { address, port, .. } => {
                writeln!(text, " VS VIP = {address}, VPORT = {port}")
            }
            ServiceKey::Mark { mark, family } => {
                writeln!(text, " VS FWMARK = {mark}, family = {family}")
            }
        };
    }
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "   {name} = {value}");
    };
    line("name", &news::service(&config.name));
    line("protocol", &config.transport.to_string().to_uppercase());
    line("lvs_sched", config.scheduling.scheduler.name());
    let on = |flag: bool| if flag { "ON" } else { "OFF" };
    if let Some(persistence) = &config.scheduling.persistence {
        line("persistence timeout", &persistence.timeout.as_secs().to_string());
        line("persistence granularity", &format!("/{}", persistence.prefix));
    }
    line(
        "One packet scheduling",
        if config.scheduling.one_packet { "enabled" } else { "disabled" },
    );
    line("omega is", on(config.omega));
    line("ha_suspend is", on(config.suspend));
    line("quorum", &format!("{}, hysteresis = {}", config.quorum, config.hysteresis));
    if let Some(notify) = notify {
        for (name, script) in [
            ("Quorum up notify script", &notify.quorum_up),
            ("Quorum down notify script", &notify.quorum_down),
        ] {
            if let Some(script) = script {
                line(name, &command(script));
            }
        }
    }
    let mail = notify.is_some_and(|notify| notify.mail);
    line("Using smtp notification", if mail { "yes" } else { "no" });
    if let Some(sorry) = &config.sorry {
        line("sorry server", &sorry.key.to_string());
        line("  forwarding method", &forwarding(sorry.forwarding));
        line("  Inhibit on failure is", on(sorry.inhibit));
        line("  serves", if state.sorry { "yes" } else { "no" });
    }
    line("weight of live servers", &state.weight.to_string());
    line("quorum_state_up", if state.quorum_up { "1" } else { "0" });
    for server in &state.servers {
        real(server, config, notify, text);
    }
}

/// The configuration of the server at an address. One that is known by name is found by what is said of it.
fn configured<'a>(server: &ServerSnapshot, config: &'a VirtualServer) -> Option<&'a RealServer> {
    config.servers.iter().find(|real| real.endpoint == server.endpoint)
}

fn real(
    state: &ServerSnapshot,
    config: &VirtualServer,
    notify: Option<&ServiceNotify>,
    text: &mut String,
) {
    text.push_str("   ------< Real server >------\n");
    let configured = configured(state, config);
    let weight = configured.map_or(state.weight, |real| real.weight);
    let (address, port) = (state.key.address, state.key.port);
    let effective = state.weight;
    let _ = writeln!(
        text,
        "   RIP = {address}, RPORT = {port}, WEIGHT = {weight} EFF WEIGHT = {effective}"
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "   {name} = {value}");
    };
    if !matches!(state.endpoint, Endpoint::Address(_)) {
        line("known by name as", &state.endpoint.to_string());
    }
    if let Some(real) = configured {
        line("forwarding method", &forwarding(real.forwarding));
        let (lower, upper) = (real.lower_threshold, real.upper_threshold);
        line("connection limit range", &format!("{lower} -> {upper}"));
        line("Inhibit on failure is", if real.inhibit { "ON" } else { "OFF" });
    }
    let notify = notify.and_then(|notify| notify.servers.get(&state.endpoint));
    if let Some(notify) = notify {
        for (name, script) in
            [("  RS up notify script", &notify.up), ("  RS down notify script", &notify.down)]
        {
            if let Some(script) = script {
                line(name, &command(script));
            }
        }
    }
    let mail = notify.is_some_and(|notify| notify.mail);
    line("Using smtp notification", if mail { "yes" } else { "no" });
    line("alive", if state.up { "1" } else { "0" });
    let bad = |(_, verdict): &&(String, Option<Verdict>)| matches!(verdict, Some(Verdict::Bad(_)));
    line("num failed checkers", &state.checks.iter().filter(bad).count().to_string());
    for order in &state.orders {
        line("operator's order", &format!("{order:?}"));
    }
}

fn checks(state: &ServerSnapshot, config: &VirtualServer, text: &mut String) {
    let real = configured(state, config);
    let id = standfast_balance::ServerId { service: config.name.clone(), key: state.key };
    let (server, service) = (news::server(&id, config.transport), news::service(&config.name));
    for (index, (keyword, verdict)) in state.checks.iter().enumerate() {
        let _ = writeln!(text, " {service} -> {server}");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "   {name} = {value}");
        };
        line("Keepalive method", keyword);
        let check = real.and_then(|real| real.checks.get(index));
        let up = match verdict {
            None => check.is_none_or(|check| !check.alpha),
            Some(Verdict::Good { .. }) => true,
            Some(Verdict::Bad(_)) => false,
        };
        let yes = |flag: bool| if flag { "yes" } else { "no" };
        line("Up", yes(up));
        line("Has run", yes(verdict.is_some()));
        if let Some(verdict) = verdict {
            line("Says", &describe_verdict(verdict));
        }
        let Some(check) = check else { continue };
        line("Alpha", yes(check.alpha));
        let Timing { delay_loop, retry, delay_before_retry, warmup, timeout } = check.timing;
        line("Delay loop", &format!("{} us", delay_loop.as_micros()));
        line("Warmup", &format!("{} us", warmup.as_micros()));
        line("Retries", &retry.to_string());
        line("Delay before retry", &format!("{} us", delay_before_retry.as_micros()));
        line("Timeout", &format!("{} us", timeout.as_micros()));
        line("Log all failures", yes(check.log_all_failures));
    }
}

fn forwarding(forwarding: Forwarding) -> String {
    let checksum = |checksum| match checksum {
        Checksum::None => "",
        Checksum::Full => " csum",
        Checksum::Remote => " remcsum",
    };
    match forwarding {
        Forwarding::Nat => "NAT".to_owned(),
        Forwarding::DirectRouting => "DR".to_owned(),
        Forwarding::Tunnel(Encapsulation::Ipip) => "TUN, type ipip".to_owned(),
        Forwarding::Tunnel(Encapsulation::Gue { port, checksum: sum }) => {
            format!("TUN, type gue, port {port}{}", checksum(sum))
        }
        Forwarding::Tunnel(Encapsulation::Gre { checksum: sum }) => {
            format!("TUN, type gre{}", checksum(sum))
        }
    }
}
