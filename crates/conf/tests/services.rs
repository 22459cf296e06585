//! What virtual servers come to in the model.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod support;

use std::time::Duration;

use standfast_balance::{Active, Endpoint, HostName, RealServer, VirtualServer};
use standfast_conf::{Class, Code, FlushOnStop, Model, Plane};
use standfast_health::{Check, HttpProtocol, Kind, RedisRole};
use standfast_types::{
    Checksum, Closing, DestinationKey, Encapsulation, Family, Forwarding, Scheduler, ServiceKey,
    Transport,
};
use support::{find, instance, load, warnings};

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

#[test]
fn a_page_is_expected_as_its_lines_say() {
    let lines = "virtualhost www.example.se\n SSL_GET {\n enable_sni\n tls_compliant\n http_protocol 1.1\n url {\n path /a\n status_code 200 301-302\n digest 000102030405060708090a0b0c0d0e0f\n tls_compliant no\n }\n url {\n path /b\n virtualhost b.example.se\n regex \"v\\\\d 'q'\"\n regex_options caseless use_offset_limit\n regex_max_offset 99\n regex_no_match\n }\n }";
    let Kind::Http(http) = check(lines).kind else { panic!("a page") };
    assert_eq!(http.protocol, HttpProtocol::Http11);
    let tls = http.tls.expect("TLS");
    assert_eq!((tls.name.as_deref(), tls.verify), (Some("www.example.se"), false));
    let [first, second] = &http.urls[..] else { panic!("two pages") };
    assert_eq!((&*first.path, first.host.as_deref()), ("/a", Some("www.example.se")));
    assert_eq!(first.status, [(200, 200), (301, 302)]);
    assert_eq!(first.digest.map(|digest| (digest[0], digest[15])), Some((0, 15)));
    assert_eq!((first.strict_end, second.strict_end), (false, true));
    assert_eq!(
        (second.host.as_deref(), &second.status[..]),
        (Some("b.example.se"), &[(200, 299)][..])
    );
    let pattern = second.pattern.as_ref().expect("a pattern");
    assert_eq!((&*pattern.text, pattern.absent, pattern.max_offset), (r"v\d 'q'", true, Some(99)));
    assert_eq!(pattern.options.len(), 2);
    let old = check("HTTP_GET {\n nb_get_retry 7\n url {\n path /\n }\n }");
    assert_eq!(old.timing.retry, 7);
}

#[test]
fn a_pattern_that_is_none_is_reported_and_dropped() {
    let text = |regex: &str| {
        format!(
            "virtual_server 192.0.2.1 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 80 {{\n HTTP_GET {{\n url {{\n path /\n regex \"{regex}\"\n }}\n }}\n }}\n}}\n"
        )
    };
    let loaded = load(&text("(ok"));
    assert_eq!(find(&loaded, Code::BadPattern).keepalived, Some(Class::Error));
    let service = &loaded.model.expect("it runs").pool.balance.services[0];
    let Kind::Http(http) = &service.servers[0].checks[0].kind else { panic!("a page") };
    assert_eq!(http.urls[0].pattern, None);
    let escaped = |regex: &str| warnings(&load(&text(regex)));
    assert_eq!(escaped(r"up \d+"), [Code::PatternEscape]);
    assert_eq!(escaped(r"end\."), [Code::PatternEscape]);
    assert_eq!(escaped(r"up \\d+ \x41 a\/b\n"), []);
}

#[test]
fn every_kind_of_check_is_told_what_it_needs() {
    let kind = |lines: &str| check(lines).kind;
    let Kind::Dns(dns) = kind("DNS_CHECK {\n type aaaa\n name example.se\n }") else { panic!() };
    assert_eq!((dns.record, &*dns.name), (28, "example.se"));
    let Kind::Udp(udp) = kind(
        "UDP_CHECK {\n payload 0aff\n require_reply f0xx\n min_reply_length 2\n max_reply_length 9\n }",
    ) else {
        panic!()
    };
    assert_eq!(udp.payload, [0x0a, 0xff]);
    let reply = udp.reply.expect("an answer");
    assert_eq!((&reply.start[..], reply.min, reply.max), (&[(0xf0, 0xff), (0, 0)][..], 2, 9));
    let misc = check(
        "delay_loop 9\n MISC_CHECK {\n misc_path \"/bin/chk 'a b'\"\n misc_dynamic\n user www\n }",
    );
    assert_eq!(misc.timing.timeout.as_secs(), 60, "the service's delay_loop, not the server's");
    let Kind::Misc(misc) = misc.kind else { panic!() };
    assert_eq!(misc.command.argv, ["/bin/chk", "a b"]);
    assert_eq!(misc.command.user.map(|user| user.name).as_deref(), Some("www"));
    assert!(misc.dynamic);
    let Kind::Grpc(grpc) =
        kind("GRPC_CHECK {\n service app\n tls\n tls_verify\n sni_name a.se\n }")
    else {
        panic!()
    };
    assert_eq!((&*grpc.service, grpc.tls.map(|tls| tls.verify)), ("app", Some(true)));
    let Kind::Redis(redis) = kind("REDIS_CHECK {\n password p\n role replica\n }") else {
        panic!()
    };
    assert_eq!(redis.role, Some(RedisRole::Replica));
    let Kind::Postgres(postgres) = kind("PGSQL_CHECK {\n database shop\n }") else { panic!() };
    assert_eq!((&*postgres.username, postgres.database.as_deref()), ("postgres", Some("shop")));
    assert_eq!(kind("MYSQL_CHECK {\n }").keyword(), "MYSQL_CHECK");
    let Kind::Ping(target) =
        kind("PING_CHECK {\n connect_ip 10.0.0.9\n bindto 10.0.0.8\n bind_if eth9\n fwmark 7\n }")
    else {
        panic!()
    };
    assert_eq!(
        (target.mark, target.interface.map(|name| name.to_string())),
        (7, Some("eth9".into()))
    );
}

#[test]
fn an_old_smtp_check_looks_at_every_host() {
    let lines = "SMTP_CHECK {\n helo_name me\n connect_timeout 2\n host {\n connect_port 25\n }\n host {\n connect_ip 10.0.0.9\n connect_timeout 9\n }\n }";
    let checks = server(lines).checks;
    let seen: Vec<_> = checks
        .iter()
        .map(|check| {
            let target = check.kind.target().expect("it goes somewhere");
            (target.port, target.address.is_some(), check.timing.timeout.as_secs())
        })
        .collect();
    assert_eq!(seen, [(Some(25), false, 2), (None, true, 9)]);
}

#[test]
fn checks_follow_sessions_and_files_that_are_defined() {
    let text = "bfd_instance b {\n neighbor_ip 10.0.0.1\n}\ntrack_file f {\n file /run/f\n weight 2 reverse\n}\nvirtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 10.0.0.1 80 {\n BFD_CHECK {\n name b\n }\n FILE_CHECK {\n track_file f\n }\n FILE_CHECK {\n track_file f\n weight 5\n }\n FILE_CHECK {\n track_file nosuch\n }\n }\n}\n";
    let model = model(text);
    let checks = &model.pool.balance.services[0].servers[0].checks;
    assert_eq!(checks.len(), 3);
    assert_eq!(checks[0].kind, Kind::Bfd("b".into()));
    let weights: Vec<_> = checks
        .iter()
        .filter_map(|check| {
            let Kind::File(file) = &check.kind else { return None };
            Some(file.weight)
        })
        .collect();
    assert_eq!(weights, [-2, 5]);
    assert_eq!(model.files.len(), 1, "the file is followed");
}

#[test]
fn servers_may_be_names() {
    let names = |lines: &str| {
        only(&format!("virtual_server 192.0.2.1 80 {{\n protocol TCP\n{lines}\n}}\n"))
    };
    let service = names(
        " real_server web.example.se 8080 {\n }\n real_server srv _http._tcp.example.se {\n }",
    );
    let host = |name: &str| HostName(name.into());
    assert_eq!(
        service.servers[0].endpoint,
        Endpoint::Host { name: host("web.example.se"), port: 8080 }
    );
    assert_eq!(service.servers[1].endpoint, Endpoint::Srv(host("_http._tcp.example.se")));
    let text = "virtual_server 192.0.2.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n quorum 9\n real_server web.example.se {\n TCP_CHECK {\n }\n }\n}\n";
    let loaded = load(text);
    assert_eq!(find(&loaded, Code::OwnWord).keepalived, Some(Class::Error));
    assert_eq!(loaded.model.expect("it runs").pool.balance.services[0].quorum, 9);
}

#[test]
fn a_service_is_active_where_its_address_is() {
    let service = "virtual_server 192.0.2.100 80 {\n active_on master\n protocol TCP\n real_server 10.0.0.1 80 {\n }\n}\n";
    let with = only(&format!("{}{service}", instance("")));
    assert_eq!(with.active, Active::Master("VI_1".into()));
    let named = service.replace("192.0.2.100", "fwmark").replace("master", "master VI_1");
    assert_eq!(only(&format!("{named}{}", instance(""))).active, Active::Master("VI_1".into()));
    let alone = load(service);
    assert!(alone.model.is_none(), "it would never be active");
    support::expect(&alone, Code::ActiveOn, 2, "master", "list the address in an instance");
}

#[test]
fn the_kernel_and_the_process_are_told_what_global_defs_says() {
    let text = "global_defs {\n lvs_data_plane nftables\n lvs_timeouts tcp 60 tcpfin 0 udp 7\n lvs_flush\n lvs_flush_on_stop VS\n lvs_sync_daemon eth1 VI_1 maxlen 1400 port 9 ttl 2 group 224.0.0.99\n checker_rt_priority 5\n checker_cpu_affinity 1 2\n lvs_netlink_cmd_rcv_bufs 9000\n rs_init_notifies\n lvs_notify_fifo /run/lvs\n checker_log_all_failures\n process_names\n}\nnet_namespace_ipvs \"\"\n";
    let pool = model(&format!("{text}{}", instance(""))).pool;
    assert_eq!(
        (pool.plane, pool.flush, pool.flush_on_stop),
        (Plane::Nftables, true, FlushOnStop::Ours)
    );
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
    let timeouts = pool.timeouts;
    assert_eq!(
        (seconds(timeouts.tcp), timeouts.tcp_fin, seconds(timeouts.udp)),
        (Some(60), None, Some(7))
    );
    let sync = pool.sync.expect("connections are copied");
    assert_eq!(sync.instance, Some("VI_1".into()));
    assert_eq!(
        (sync.daemon.id, sync.daemon.max_length, sync.daemon.ttl),
        (51, Some(1400), Some(2))
    );
    assert_eq!((pool.realtime_priority, &pool.running.cpus[..]), (Some(5), &[1, 2][..]));
    assert_eq!(pool.running.command_buffer.bytes, Some(9000));
    assert_eq!(pool.running.name.as_deref(), Some("keepalived_lvs"));
    assert_eq!(pool.fifo.map(|fifo| fifo.path).as_deref(), Some("/run/lvs"));
    assert_eq!(pool.namespace.as_deref(), Some(""));
    assert!(pool.balance.report_initial);
}

#[test]
fn mails_and_commands_are_for_those_who_ask() {
    let text = "virtual_server 192.0.2.1 80 {\n protocol TCP\n quorum_down \"/bin/q down\" www\n real_server 10.0.0.1 80 {\n notify_up \"/bin/up\"\n }\n real_server 10.0.0.2 80 {\n }\n}\n";
    let alone = model(text).pool.notify;
    let notify = &alone["[192.0.2.1]:tcp:80"];
    assert_eq!(notify.servers.len(), 1, "without anybody to write to, the other has nothing");
    assert_eq!(notify.quorum_down.as_ref().map(|command| command.argv.len()), Some(2));
    let mailed = format!(
        "global_defs {{\n notification_email {{\n a@b.se\n }}\n smtp_server 192.0.2.25\n}}\n{text}"
    );
    let mailed = model(&mailed).pool.notify;
    let notify = &mailed["[192.0.2.1]:tcp:80"];
    assert!(!notify.mail, "a service mails only when it is asked");
    assert_eq!(notify.servers.values().filter(|server| server.mail).count(), 2);
}
