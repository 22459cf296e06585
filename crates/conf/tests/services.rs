//! What virtual servers come to in the model.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::time::Duration;

use standfast_balance::{Active, Endpoint, RealServer, VirtualServer};
use standfast_conf::{Code, Model};
use standfast_health::{Check, Kind};
use standfast_types::{
    Checksum, Closing, DestinationKey, Encapsulation, Family, Forwarding, Scheduler, ServiceKey,
    Transport,
};
use support::{find, load, warnings};

fn model(text: &str) -> Model {
    let loaded = load(text);
    loaded.model.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// The one service of a file.
#[track_caller]
fn only(text: &str) -> VirtualServer {
    let services = model(text).pool.balance.services;
    assert_eq!(services.len(), 1, "{services:#?}");
    services.into_iter().next().expect("one")
}

/// A TCP service by NAT over one server, with these lines.
fn service(lines: &str) -> VirtualServer {
    only(&format!(
        "virtual_server 192.0.2.1 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n{lines}\n real_server 10.0.0.1 8080 {{\n TCP_CHECK {{\n }}\n }}\n}}\n"
    ))
}

/// The one server of a service, with these lines.
fn server(lines: &str) -> RealServer {
    let text = format!(
        "virtual_server 192.0.2.1 80 {{\n protocol TCP\n real_server 10.0.0.1 8080 {{\n{lines}\n }}\n}}\n"
    );
    only(&text).servers.into_iter().next().expect("one")
}

fn check(lines: &str) -> Check {
    let checks = server(lines).checks;
    assert_eq!(checks.len(), 1, "{checks:#?}");
    (*checks[0]).clone()
}

fn tcp(address: &str, port: u16) -> ServiceKey {
    let address = address.parse().expect("an address");
    ServiceKey::Address { address, port, transport: Transport::Tcp }
}

fn at(address: &str, port: u16) -> Endpoint {
    let address = address.parse().expect("an address");
    Endpoint::Address(DestinationKey { address, port })
}

#[test]
fn a_service_has_what_its_lines_say_and_defaults_for_the_rest() {
    let service = service("");
    assert_eq!(service.name.as_str(), "[192.0.2.1]:tcp:80");
    assert_eq!(service.keys, [tcp("192.0.2.1", 80)]);
    assert_eq!(service.scheduling.scheduler, Scheduler::Rr);
    assert_eq!(service.scheduling.closing, Closing::AsKernel);
    assert_eq!((service.quorum, service.hysteresis), (1, 0));
    assert_eq!(service.active, Active::Always);
    let server = &service.servers[0];
    assert_eq!(server.endpoint, at("10.0.0.1", 8080));
    assert_eq!((server.weight, server.forwarding), (1, Forwarding::Nat));
    let check = &server.checks[0];
    assert_eq!(check.kind, Kind::Tcp(standfast_health::Target::default()));
    assert_eq!(check.timing.delay_loop, Duration::from_secs(60));
    assert_eq!(check.timing.warmup, Duration::from_secs(60));
    assert_eq!(check.timing.timeout, Duration::from_secs(5));
    assert_eq!((check.timing.retry, check.timing.delay_before_retry.as_secs()), (1, 1));
    assert!(check.shared && !check.alpha);
}

#[test]
fn what_a_check_leaves_out_comes_from_its_server_and_then_from_its_service() {
    let service = service(" delay_loop 6\n retry 4\n connect_timeout 2\n delay_before_retry 0.5");
    let timing = service.servers[0].checks[0].timing;
    assert_eq!((timing.delay_loop.as_secs(), timing.retry), (6, 4));
    assert_eq!((timing.timeout.as_secs(), timing.delay_before_retry.as_millis()), (2, 500));
    assert_eq!(timing.warmup.as_secs(), 6, "the service's delay_loop");
    let inner =
        check(" retry 5\n warmup 1\n TCP_CHECK {\n retry 0\n delay_loop 9\n }\n delay_loop 8");
    assert_eq!((inner.timing.retry, inner.timing.delay_loop.as_secs()), (0, 9));
    assert_eq!(inner.timing.warmup.as_secs(), 1);
    let below = check(" TCP_CHECK {\n }\n delay_loop 8");
    assert_eq!(below.timing.delay_loop.as_secs(), 8, "what stands below counts too");
}

#[test]
fn kinds_of_checks_have_their_own_patience() {
    let patience = |lines: &str| {
        let timing = check(lines).timing;
        (timing.retry, timing.delay_before_retry.as_secs())
    };
    assert_eq!(patience("HTTP_GET {\n url {\n path /\n }\n }"), (1, 3));
    assert_eq!(patience("DNS_CHECK {\n delay_loop 7\n }"), (3, 7));
    assert_eq!(patience("MISC_CHECK {\n misc_path \"/bin/true\"\n }"), (0, 1));
    assert_eq!(patience("PING_CHECK {\n }"), (1, 1));
}

#[test]
fn packets_reach_servers_in_the_way_that_is_written() {
    let tunnel = |options: &str| server(&format!(" lvs_method TUN {options}")).forwarding;
    assert_eq!(tunnel(""), Forwarding::Tunnel(Encapsulation::Ipip));
    let gue = Encapsulation::Gue { port: 6080, checksum: Checksum::Remote };
    assert_eq!(tunnel("type gue port 6080 remcsum"), Forwarding::Tunnel(gue));
    let gre = Encapsulation::Gre { checksum: Checksum::Full };
    assert_eq!(tunnel("type gre csum"), Forwarding::Tunnel(gre));
    let direct = server(" lvs_method DR");
    assert_eq!(direct.forwarding, Forwarding::DirectRouting);
    assert_eq!(direct.endpoint, at("10.0.0.1", 80), "the service's port arrives");
    let family = |method: &str| {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\n protocol TCP\n lb_kind {method}\n real_server 2001:db8::1 80 {{\n }}\n}}\n"
        );
        model(&text).pool.balance.services.len()
    };
    assert_eq!((family("TUN"), family("NAT")), (1, 0));
}

#[test]
fn a_mark_takes_the_family_of_its_servers_and_keeps_ports_for_checks() {
    let marked = |lines: &str| only(&format!("virtual_server fwmark 7 {{\n{lines}\n}}\n"));
    let service = marked(" lb_kind DR\n real_server 2001:db8::1 80 {\n TCP_CHECK {\n }\n }");
    assert_eq!(service.name.as_str(), "FWM 7");
    assert_eq!(service.keys, [ServiceKey::Mark { mark: 7, family: Family::V6 }]);
    assert_eq!(service.servers[0].endpoint, at("2001:db8::1", 0));
    let Kind::Tcp(target) = &service.servers[0].checks[0].kind else { panic!("a TCP_CHECK") };
    assert_eq!(target.port, Some(80));
    let named = marked(" ip_family inet6\n lb_kind TUN\n real_server 192.0.2.7 80 {\n }");
    assert_eq!(named.keys, [ServiceKey::Mark { mark: 7, family: Family::V6 }]);
}

#[test]
fn passwords_are_not_shown() {
    let text = "SSL {\n password opensesame\n}\nvirtual_server 192.0.2.1 6379 {\n protocol TCP\n real_server 10.0.0.1 {\n REDIS_CHECK {\n password opensesame\n }\n }\n}\n";
    let model = model(text);
    assert!(format!("{model:?}").contains("opensesame"));
    assert!(!format!("{:?}", model.without_secrets()).contains("opensesame"));
}

#[test]
fn a_director_that_is_corrected_as_the_findings_say_does_what_its_author_promises() {
    let text = include_str!("../../standfast/tests/scenarios/lvs-director/corrected.conf");
    let service = only(text);
    assert_eq!(service.keys, [tcp("192.168.10.100", 80)]);
    assert_eq!(service.scheduling.scheduler, Scheduler::Wrr);
    let persistence = service.scheduling.persistence.as_ref().expect("persistent");
    assert_eq!((persistence.timeout.as_secs(), persistence.prefix), (50, 32));
    let servers = service.servers.iter();
    let servers: Vec<_> =
        servers.map(|server| (server.endpoint.clone(), server.weight, server.forwarding)).collect();
    let direct = Forwarding::DirectRouting;
    let wanted = [(at("192.168.10.1", 80), 5, direct), (at("192.168.10.2", 80), 1, direct)];
    assert_eq!(servers, wanted);
    assert!(service.servers.iter().all(|server| server.checks.len() == 1));
}

#[test]
fn the_service_of_a_composition_moves_with_its_address_once_it_is_corrected() {
    let text =
        include_str!("../../standfast/tests/scenarios/compose-haproxy/keepalived-master.conf");
    let corrected = text
        .replace("virtual_server 172.20.128.2 80", "virtual_server 172.20.128.4 80")
        .replace("    nat_mask 255.255.255.0\n", "")
        .replace("nb_get_retry", "retry");
    let service = only(&corrected);
    assert_eq!(service.keys, [tcp("172.20.128.4", 80)]);
    let check = &service.servers[0].checks[0];
    assert_eq!((check.timing.retry, check.timing.delay_before_retry.as_secs()), (3, 4));
    assert_eq!((check.timing.timeout.as_secs(), check.timing.delay_loop.as_secs()), (3, 15));
    assert_eq!(check.kind.target().and_then(|target| target.port), Some(80));
    assert_eq!(service.servers[0].forwarding, Forwarding::DirectRouting);
}

#[test]
fn a_group_serves_its_ranges_and_marks_as_one() {
    let text = "virtual_server group web {\n protocol TCP\n real_server 10.0.0.1 80 {\n }\n}\nvirtual_server_group web {\n 192.0.2.1-2 80\n 192.0.2.8/31 8080\n fwmark 9\n}\n";
    let service = only(text);
    assert_eq!(service.name.as_str(), "web");
    let mark = ServiceKey::Mark { mark: 9, family: Family::V4 };
    let wanted = [
        tcp("192.0.2.1", 80),
        tcp("192.0.2.2", 80),
        tcp("192.0.2.8", 8080),
        tcp("192.0.2.9", 8080),
        mark,
    ];
    assert_eq!(service.keys, wanted);
    let marked = model(&format!(
        "global_defs {{\n nftables_ipvs\n nftables_ipvs_start_fwmark 70\n}}\n{text}"
    ));
    let first = ServiceKey::Mark { mark: 70, family: Family::V4 };
    assert_eq!(marked.pool.balance.services[0].keys, [mark, first]);
    let marks = marked.pool.marks.expect("packets are marked");
    assert_eq!((marks.table.as_str(), marks.priority), ("keepalived_ipvs", -1));
    assert_eq!(marks.groups[0].members.len(), 4);
    let wide = text.replace("192.0.2.8/31", "2001:db8::/64");
    assert_eq!(warnings(&load(&wide)), [Code::OutOfRange, Code::CheckMissing][..1]);
}

#[test]
fn what_one_service_has_no_other_gets() {
    let text = "virtual_server_group a {\n 192.0.2.1-9 80\n}\nvirtual_server group a {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 80 {\n PING_CHECK {\n }\n }\n}\n";
    let other = text.replace("192.0.2.1-9", "192.0.2.9-10").replace(" a {", " b {");
    let loaded = load(&format!("{text}{other}"));
    assert_eq!(find(&loaded, Code::ServiceTwice).secondary.len(), 1);
    let services = loaded.model.expect("it runs").pool.balance.services;
    assert_eq!(services[1].keys, [tcp("192.0.2.10", 80)]);
    let udp = text.replace("protocol TCP", "protocol UDP");
    let (_, udp) = udp.split_at(text.find("virtual_server group").expect("it is there"));
    let names = model(&format!("{text}{udp}")).pool.balance.services;
    let names: Vec<_> = names.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["a", "a:udp"]);
}

#[test]
fn schedulers_are_told_what_their_flags_say() {
    let flags = |lines: &str| {
        let flags = service(lines).scheduling.flags;
        (flags.first, flags.second, flags.third)
    };
    assert_eq!(flags(" lb_algo sh\n sh-fallback"), (true, false, false));
    assert_eq!(flags(" lb_algo mh\n mh-port"), (false, true, false));
    assert_eq!(flags(" flag-3"), (false, false, true));
    assert_eq!(flags(" sh-port\n lb_algo sh"), (false, false, false), "it stands too high");
    assert!(!service(" ops").scheduling.one_packet, "TCP has connections");
    assert_eq!(service(" on_failure expire").scheduling.closing, Closing::Expire);
}

#[test]
fn clients_stay_by_network_and_for_as_long_as_is_written() {
    let persistence = |lines: &str| {
        let persistence = service(lines).scheduling.persistence?;
        Some((persistence.timeout.as_secs(), persistence.prefix, persistence.engine))
    };
    assert_eq!(persistence(""), None);
    assert_eq!(persistence(" persistence_timeout"), Some((360, 32, None)));
    let network = " persistence_timeout 50\n persistence_granularity 255.255.255.0";
    assert_eq!(persistence(network), Some((50, 24, None)));
    let engine = " persistence_timeout 50\n persistence_engine sip";
    assert_eq!(persistence(engine), Some((50, 32, Some("sip".to_owned()))));
    let all = only("virtual_server 192.0.2.1 {\n protocol TCP\n real_server 10.0.0.1 {\n }\n}\n");
    assert!(all.scheduling.persistence.is_some(), "on all ports it has to be");
}

#[test]
fn a_quorum_is_never_beyond_reach() {
    let reach = |lines: &str| {
        let service = service(lines);
        (service.quorum, service.hysteresis)
    };
    assert_eq!(reach(" quorum 9\n hysteresis 3\n weight 5"), (5, 3));
    assert_eq!(reach(" quorum 2\n hysteresis 3\n weight 5"), (2, 1));
}
