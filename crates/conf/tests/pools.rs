//! Mistakes in virtual servers and their checks: the code, the exact words, and the hint.

mod support;

use standfast_conf::{Class, Code, Loaded, Severity};
use support::{expect, find, load, warnings};

const SETTINGS: &str = " lb_algo rr\n lb_kind NAT\n protocol TCP\n";

/// A virtual server with a real server; `lines` start at line 5.
fn service(lines: &str) -> Loaded {
    load(&format!(
        "virtual_server 192.0.2.1 80 {{\n{SETTINGS}{lines}\n real_server 10.0.0.1 80 {{\n TCP_CHECK {{\n }}\n }}\n}}\n"
    ))
}

/// A virtual server with real servers of one's own, from line 5 on.
fn servers(lines: &str) -> Loaded {
    load(&format!("virtual_server 192.0.2.1 80 {{\n{SETTINGS}{lines}\n}}\n"))
}

/// A virtual server whose real server has this check, from line 6 on.
fn check(lines: &str) -> Loaded {
    servers(&format!(" real_server 10.0.0.1 80 {{\n{lines}\n }}"))
}

/// Everything but that it is not active.
fn codes(loaded: &Loaded) -> Vec<Code> {
    let known = |code: &Code| !matches!(code, Code::NotActive | Code::NoEffect);
    loaded.diagnostics.iter().map(|found| found.code).filter(known).collect()
}

#[test]
fn a_sound_virtual_server_has_no_findings() {
    assert_eq!(codes(&service(" delay_loop 6\n quorum 1\n sorry_server 10.0.0.9 80")), []);
    let http = "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 3\n }";
    assert_eq!(codes(&check(http)), []);
}

#[test]
fn a_virtual_server_needs_real_servers() {
    let loaded = servers("");
    expect(&loaded, Code::ServersMissing, 1, "192.0.2.1 80", "real_server ADDRESS PORT");
    assert_eq!(find(&loaded, Code::ServersMissing).keepalived, Some(Class::Error));
}

#[test]
fn a_service_is_defined_once() {
    let one = format!(
        "virtual_server 192.0.2.1 80 {{\n{SETTINGS} real_server 10.0.0.1 80 {{\n TCP_CHECK {{\n }}\n }}\n}}\n"
    );
    expect(&load(&one.repeat(2)), Code::ServiceTwice, 10, "192.0.2.1 80", "one virtual_server");
    let udp = one.clone() + &one.replace("protocol TCP", "protocol UDP");
    assert_eq!(codes(&load(&udp)), [], "TCP and UDP are two services");
    let mark = one.replace("192.0.2.1 80", "fwmark 7").replace(" protocol TCP\n", "");
    let ipv6 = mark.replace("10.0.0.1", "2001:db8::1");
    assert_eq!(codes(&load(&(mark + &ipv6))), [], "a mark may have one service of each family");
}

#[test]
fn a_real_server_is_listed_once() {
    let server = " real_server 10.0.0.1 80 {\n PING_CHECK {\n }\n }\n";
    let loaded = servers(&(server.repeat(2) + " real_server 10.0.0.1 81 {\n PING_CHECK {\n }\n }"));
    expect(&loaded, Code::ServerTwice, 9, "10.0.0.1", "delete one");
    let implied = servers(&(server.to_owned() + &server.replace(".1 80", ".1")));
    expect(&implied, Code::ServerTwice, 9, "10.0.0.1", "delete one");
}

#[test]
fn what_keepalived_chooses_for_a_virtual_server_is_said() {
    let loaded = load(
        "virtual_server 192.0.2.1 80 {\n real_server 10.0.0.1 80 {\n PING_CHECK {\n }\n }\n}\n",
    );
    expect(&loaded, Code::ProtocolMissing, 1, "virtual_server", "protocol TCP");
    expect(&loaded, Code::SchedulerMissing, 1, "virtual_server", "lb_algo wlc");
    expect(&loaded, Code::ForwardingMissing, 1, "virtual_server", "lb_kind NAT");
}

#[test]
fn a_service_on_all_ports_is_persistent() {
    let text = |port: &str, lines: &str| {
        format!(
            "virtual_server 192.0.2.1{port} {{\n{SETTINGS}{lines}\n real_server 10.0.0.1 80 {{\n PING_CHECK {{\n }}\n }}\n}}\n"
        )
    };
    expect(&load(&text("", "")), Code::ServicePortMissing, 1, "192.0.2.1", "persistence_timeout");
    let zero = load(&text(" 0", ""));
    expect(&zero, Code::ServicePortMissing, 1, "192.0.2.1 0", "persistence_timeout");
    assert_eq!(codes(&load(&text(" 0", " persistence_timeout 50"))), []);
}

#[test]
fn a_granularity_needs_persistence() {
    let alone = service(" persistence_granularity 255.255.255.0");
    expect(&alone, Code::PersistenceMissing, 5, "persistence_granularity", "persistence_timeout");
    let both = service(" persistence_granularity 255.255.255.0\n persistence_timeout 50");
    assert_eq!(codes(&both), []);
}

#[test]
fn the_sorry_server_is_no_real_server() {
    let loaded = service(" sorry_server 10.0.0.1 80");
    expect(&loaded, Code::SorryIsServer, 5, "10.0.0.1", "says sorry");
    assert_eq!(find(&loaded, Code::SorryIsServer).keepalived, None);
    let implied = service(" sorry_server 10.0.0.1\n inhibit_on_failure");
    assert_eq!(find(&implied, Code::SorryIsServer).keepalived, Some(Class::Error));
}

#[test]
fn direct_routing_cannot_change_ports() {
    let direct = |lines: &str| {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\n lb_algo rr\n lb_kind DR\n protocol TCP\n{lines}\n}}\n"
        );
        load(&text)
    };
    let server = " real_server 10.0.0.1 8080 {\n PING_CHECK {\n }\n }\n";
    let other = server.replace("0.1", "0.2");
    let loaded = direct(&(server.to_owned() + &other));
    expect(&loaded, Code::DirectRoutingPort, 5, "8080", "listen on 80");
    let label = &find(&loaded, Code::DirectRoutingPort).primary.text;
    assert_eq!(label, "and once more in this virtual_server");
    let own = server.replace("8080 {", "8080 {\n lvs_method NAT");
    assert_eq!(codes(&direct(&own)), [], "the server's own method counts");
    let sorry = direct(&(" sorry_server 10.0.0.9 81\n".to_owned() + &server.replace("8080", "80")));
    expect(&sorry, Code::SorryPort, 5, "81", "sorry_server_lvs_method NAT");
}

#[test]
fn a_quorum_must_be_within_reach() {
    expect(&service(" quorum 2"), Code::QuorumTooHigh, 5, "2", "1 to 1");
    assert_eq!(codes(&service(" quorum 2\n weight 5")), []);
    let heavy = service(" quorum 3\n weight 5\n hysteresis 3");
    expect(&heavy, Code::HysteresisTooHigh, 7, "3", "smaller hysteresis");
    expect(&service(" hysteresis 1"), Code::HysteresisTooHigh, 5, "1", "larger `quorum`");
}

#[test]
fn some_real_server_has_a_weight() {
    let loaded = check(" weight 0\n TCP_CHECK {\n }");
    expect(&loaded, Code::WeightsZero, 1, "192.0.2.1 80", "weight");
    let one = " real_server 10.0.0.2 80 {\n TCP_CHECK {\n }\n }\n";
    let zero = " real_server 10.0.0.1 80 {\n weight 0\n TCP_CHECK {\n }\n }\n";
    assert_eq!(codes(&servers(&(zero.to_owned() + one))), []);
}

#[test]
fn real_servers_are_of_the_services_family() {
    let lines = " real_server 2001:db8::1 80 {\n PING_CHECK {\n }\n }\n";
    expect(&servers(lines), Code::ServerFamily, 5, "2001:db8::1", "lb_kind TUN");
    let tunnel = lines.replace("PING", "lvs_method TUN\n PING");
    assert_eq!(codes(&servers(&tunnel)), []);
    let sorry = service(" sorry_server 2001:db8::1 80");
    expect(&sorry, Code::ServerFamily, 5, "2001:db8::1", "lb_kind TUN");
}

#[test]
fn one_packet_scheduling_is_for_udp() {
    expect(&service(" ops"), Code::PacketScheduling, 5, "ops", "protocol UDP");
    assert_eq!(warnings(&service(" ops\n protocol UDP")), [Code::SetTwice]);
}

#[test]
fn a_flag_of_a_scheduler_stands_below_it() {
    expect(&service(" sh-port"), Code::SchedulerFlag, 5, "sh-port", "lb_algo sh");
    let early = load(
        "virtual_server 192.0.2.1 80 {\n mh-fallback\n lb_algo mh\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 80 {\n PING_CHECK {\n }\n }\n}\n",
    );
    expect(&early, Code::SchedulerFlag, 2, "mh-fallback", "below");
    assert!(!codes(&service(" lvs_sched sh\n sh-port")).contains(&Code::SchedulerFlag));
}

#[test]
fn options_of_a_tunnel_fit_the_tunnel() {
    let method = |words: &str| check(&format!(" lvs_method {words}\n PING_CHECK {{\n }}"));
    expect(&method("NAT type gue port 5555"), Code::TunnelOption, 6, "type", "TUN");
    expect(&method("TUN type gue"), Code::TunnelOption, 6, "gue", "port NUMBER");
    expect(&method("TUN type ipip port 5555"), Code::TunnelOption, 6, "5555", "ipip");
    assert_eq!(codes(&method("TUN type gue port 5555")), []);
}

#[test]
fn a_service_by_mark_has_neither_protocol_nor_ports() {
    let text = format!(
        "virtual_server fwmark 3 {{\n{SETTINGS} real_server 10.0.0.1 80 {{\n PING_CHECK {{\n }}\n }}\n}}\n"
    );
    expect(&load(&text), Code::MarkNeedsNoMore, 4, "protocol", "delete it");
    let direct = text.replace("NAT\n protocol TCP", "DR");
    expect(&load(&direct), Code::MarkNeedsNoMore, 4, "80", "connect_port");
}

#[test]
fn groups_of_services_are_defined_filled_and_used() {
    let group = |name: &str| {
        format!(
            "virtual_server group {name} {{\n{SETTINGS} real_server 10.0.0.1 80 {{\n TCP_CHECK {{\n }}\n }}\n}}\n"
        )
    };
    let web = "virtual_server_group web {\n 192.0.2.1 80\n}\n";
    assert_eq!(codes(&load(&(group("web") + web))), [], "the order does not matter");
    let misspelt = load(&(web.to_owned() + &group("wbe")));
    expect(&misspelt, Code::ServerGroupUndefined, 4, "wbe", "did you mean `web`?");
    expect(&misspelt, Code::ServerGroupUnused, 1, "web", "virtual_server group web");
    let empty = load(&("virtual_server_group web {\n}\n".to_owned() + &group("web")));
    expect(&empty, Code::ServerGroupEmpty, 1, "web", "ADDRESS PORT");
    let twice = load(&(web.to_owned() + web + &group("web")));
    expect(&twice, Code::DuplicateName, 4, "web", "a name of its own");
}

#[test]
fn servers_without_check_are_said_once() {
    let server = |n: u8| format!(" real_server 10.0.0.{n} 80 {{\n weight 1\n }}\n");
    let loaded = servers(&(1..=10).map(server).collect::<String>());
    expect(&loaded, Code::CheckMissing, 5, "10.0.0.1", "TCP_CHECK");
    let found = find(&loaded, Code::CheckMissing);
    assert_eq!(found.primary.text, "and 9 times more in this virtual_server");
    assert_eq!(found.severity, Severity::Note);
}

#[test]
fn alpha_needs_a_check() {
    expect(&check(" alpha"), Code::AlphaWithoutCheck, 5, "10.0.0.1", "delete `alpha`");
    assert_eq!(codes(&service(" alpha")), []);
    assert_eq!(codes(&check(" alpha no")), [Code::CheckMissing]);
}

#[test]
fn thresholds_are_in_order() {
    let loaded = check(" uthreshold 5\n lthreshold 5\n TCP_CHECK {\n }");
    expect(&loaded, Code::Thresholds, 7, "5", "smaller");
    assert_eq!(codes(&check(" uthreshold 5\n lthreshold 4\n TCP_CHECK {\n }")), []);
}

#[test]
fn a_check_has_a_port() {
    let mark = |check: &str| {
        load(&format!(
            "virtual_server fwmark 3 {{\n lb_algo rr\n lb_kind DR\n real_server 10.0.0.1 {{\n{check}\n }}\n}}\n"
        ))
    };
    expect(&mark(" TCP_CHECK {\n }"), Code::CheckPort, 5, "TCP_CHECK", "connect_port");
    assert_eq!(codes(&mark(" TCP_CHECK {\n connect_port 80\n }")), []);
    assert_eq!(codes(&mark(" PING_CHECK {\n }")), []);
    assert_eq!(codes(&check(" TCP_CHECK {\n }")), []);
}

#[test]
fn a_check_knows_what_to_look_at() {
    for (text, underlined, hint) in [
        ("HTTP_GET {\n }", "HTTP_GET", "`url`"),
        ("SSL_GET {\n url {\n status_code 200\n }\n }", "url", "`path`"),
        ("MISC_CHECK {\n misc_timeout 5\n }", "MISC_CHECK", "`misc_path`"),
        ("BFD_CHECK {\n }", "BFD_CHECK", "`name`"),
        ("FILE_CHECK {\n }", "FILE_CHECK", "`track_file`"),
    ] {
        let line = if underlined == "url" { 7 } else { 6 };
        expect(&check(text), Code::CheckIncomplete, line, underlined, hint);
    }
}

#[test]
fn a_check_follows_what_is_defined_above() {
    let undefined = check(" BFD_CHECK {\n name peer\n }");
    expect(&undefined, Code::TrackerUndefined, 7, "peer", "define `bfd_instance peer");
    let file = "track_file load {\n file /run/load\n}\n";
    let service = format!(
        "virtual_server 192.0.2.1 80 {{\n{SETTINGS} real_server 10.0.0.1 80 {{\n FILE_CHECK {{\n track_file load\n }}\n }}\n}}\n"
    );
    assert_eq!(codes(&load(&(file.to_owned() + &service))), []);
    let late = load(&(service + file));
    expect(&late, Code::TrackerUndefined, 7, "load", "move the track_file above");
}

#[test]
fn what_refines_a_pattern_needs_one() {
    let url = |lines: &str| check(&format!(" HTTP_GET {{\n url {{\n path /\n{lines}\n }}\n }}"));
    let alone = url(" regex_no_match");
    expect(&alone, Code::RegexOption, 9, "regex_no_match", "regex PATTERN");
    let reversed = url(" regex ok\n regex_min_offset 50\n regex_max_offset 20");
    expect(&reversed, Code::RegexOption, 11, "20", "larger");
    assert_eq!(codes(&url(" regex ok\n regex_min_offset 5\n regex_max_offset 20")), []);
}

#[test]
fn a_check_ends_before_the_next_begins() {
    let tcp = check(" delay_loop 5\n TCP_CHECK {\n connect_timeout 10\n }");
    expect(&tcp, Code::CheckOutlastsLoop, 8, "10", "delay_loop");
    let inherited = service(" delay_loop 5\n connect_timeout 6");
    expect(&inherited, Code::CheckOutlastsLoop, 6, "6", "delay_loop");
    let script = check(" delay_loop 5\n MISC_CHECK {\n misc_path \"/s\"\n misc_timeout 6\n }");
    expect(&script, Code::CheckOutlastsLoop, 9, "6", "delay_loop");
    assert_eq!(codes(&service(" delay_loop 6\n connect_timeout 6")), []);
}

#[test]
fn a_dead_server_is_found_in_reasonable_time() {
    let slow = check(" TCP_CHECK {\n retry 30\n delay_before_retry 20\n }");
    expect(&slow, Code::SlowDetection, 6, "TCP_CHECK", "delay_loop 5");
    let message = &find(&slow, Code::SlowDetection).message;
    // 60 s between checks, 31 times 5 s to connect, 30 times 20 s in between.
    assert!(message.contains("14 minutes"), "{message}");
    assert_eq!(codes(&check(" TCP_CHECK {\n retry 3\n delay_before_retry 3\n }")), []);
    // Another 3 times, each after a whole delay_loop.
    let dns = check(" delay_loop 150\n DNS_CHECK {\n }");
    assert!(find(&dns, Code::SlowDetection).message.contains("3 waits of 150 s"));
    assert_eq!(codes(&check(" delay_loop 150\n TCP_CHECK {\n }")), []);
}

#[test]
fn the_same_check_twice_is_pointed_out() {
    let tcp = " TCP_CHECK {\n connect_port 81\n }\n";
    let loaded = check(&tcp.repeat(2));
    expect(&loaded, Code::CheckTwice, 9, "TCP_CHECK", "something else");
    assert_eq!(codes(&check(&(tcp.to_owned() + &tcp.replace("81", "82")))), []);
}

#[test]
fn a_fixed_source_port_is_pointed_out() {
    let loaded = check(" TCP_CHECK {\n bind_port 4000\n }");
    expect(&loaded, Code::FixedSourcePort, 7, "bind_port", "delete");
    assert_eq!(codes(&check(" DNS_CHECK {\n bind_port 4000\n }")), []);
}

#[test]
fn a_link_local_target_needs_an_interface() {
    let lines = " TCP_CHECK {\n connect_ip fe80::1\n }";
    expect(&check(lines), Code::LinkLocalCheck, 7, "fe80::1", "bind_if");
    assert_eq!(codes(&check(&lines.replace("::1", "::1\n bind_if eth0"))), []);
}

#[test]
fn a_check_leaves_from_an_address_of_its_targets_family() {
    let loaded = check(" TCP_CHECK {\n bindto 2001:db8::1\n }");
    expect(&loaded, Code::CheckFamily, 7, "2001:db8::1", "target's family");
    assert_eq!(codes(&check(" TCP_CHECK {\n bindto 10.0.0.9\n }")), []);
}

#[test]
fn tls_needs_a_name_to_send() {
    let tls = |lines: &str| {
        check(&format!(" SSL_GET {{\n enable_sni\n url {{\n path /\n }}\n{lines}\n }}"))
    };
    expect(&tls(""), Code::ServerNameMissing, 7, "enable_sni", "sni_name HOST");
    assert_eq!(codes(&tls(" virtualhost example.org")), []);
}

#[test]
fn an_answer_can_have_the_demanded_length() {
    let udp = |lines: &str| check(&format!(" UDP_CHECK {{\n{lines}\n }}"));
    let none = udp(" require_reply\n min_reply_length 300");
    expect(&none, Code::ReplyLength, 8, "300", "larger");
    let silent = udp(" min_reply_length 3");
    expect(&silent, Code::ReplyLength, 7, "3", "require_reply");
    assert_eq!(codes(&udp(" require_reply\n min_reply_length 3")), []);
    expect(&udp(" payload abc"), Code::OddDigits, 7, "abc", "even");
}

#[test]
fn a_dns_check_asks_for_a_domain_name() {
    let dns = |name: &str| check(&format!(" DNS_CHECK {{\n name {name}\n }}"));
    expect(&dns("a..b"), Code::DomainName, 7, "a..b", "labels");
    for name in [".", "example.org", "example.org."] {
        assert_eq!(codes(&dns(name)), [], "{name}");
    }
}

#[test]
fn a_host_block_is_an_old_way_to_check() {
    let loaded = check(" SMTP_CHECK {\n host {\n connect_ip 10.0.0.2\n }\n }");
    expect(&loaded, Code::Deprecated, 7, "host", "one SMTP_CHECK for each");
}

#[test]
fn a_digest_has_the_length_of_an_md5_sum() {
    let url = |digest: &str| {
        check(&format!(" HTTP_GET {{\n url {{\n path /\n digest {digest}\n }}\n }}"))
    };
    expect(&url("abc"), Code::OutOfRange, 9, "abc", "32 hexadecimal digits");
    assert_eq!(codes(&url("640205b7b0fc66c1ea91c463fac6334d")), []);
}

/// A service of a group with these lines, from line 2 on.
fn grouped(lines: &str, kind: &str, server: &str) -> Loaded {
    load(&format!(
        "virtual_server_group g {{\n {lines}\n}}\nvirtual_server group g {{\n lb_algo rr\n lb_kind {kind}\n protocol TCP\n real_server {server} {{\n TCP_CHECK {{\n connect_port 80\n }}\n }}\n}}\n"
    ))
}

#[test]
fn a_group_writes_a_network_by_its_first_address() {
    let loaded = grouped("192.0.2.7/24 80", "DR", "10.0.0.1 80");
    expect(&loaded, Code::BadAddress, 2, "192.0.2.7/24", "`192.0.2.0/24` for all");
    assert_eq!(find(&loaded, Code::BadAddress).keepalived, Some(Class::Error));
    let six = grouped("2001:db8::5/64 80", "DR", "2001:db8::9 80");
    expect(&six, Code::BadAddress, 2, "2001:db8::5/64", "`2001:db8::/64`");
    for sound in ["192.0.2.0/24 80", "192.0.2.7/32 80", "192.0.2.0/31 80", "192.0.2.7-9 80"] {
        assert_eq!(codes(&grouped(sound, "DR", "10.0.0.1 80")), [], "{sound}");
    }
}

#[test]
fn the_ports_of_a_group_have_to_be_those_of_direct_routing() {
    let two = "192.0.2.7 80\n 192.0.2.8 81";
    let loaded = grouped(two, "DR", "10.0.0.1 80");
    expect(&loaded, Code::DirectRoutingPort, 9, "80", "listen on 81");
    assert_eq!(find(&loaded, Code::DirectRoutingPort).keepalived, Some(Class::Error));
    expect(&grouped(two, "TUN", "10.0.0.1 81"), Code::DirectRoutingPort, 9, "81", "on 80");
    assert_eq!(codes(&grouped(two, "NAT", "10.0.0.1 80")), []);
    for server in ["10.0.0.1", "10.0.0.1 0"] {
        assert_eq!(codes(&grouped(two, "DR", server)), [], "{server}");
    }
}

#[test]
fn an_address_of_a_group_without_port_needs_persistence() {
    let loaded = grouped("192.0.2.7", "NAT", "10.0.0.1 80");
    expect(&loaded, Code::ServicePortMissing, 2, "192.0.2.7", "persistence_timeout");
    let direct = grouped("192.0.2.7", "DR\n persistence_timeout 60", "10.0.0.1 80");
    assert_eq!(codes(&direct), [Code::DirectRoutingPort]);
}

#[test]
fn a_group_of_marks_needs_neither_protocol_nor_ports() {
    let loaded = grouped("fwmark 5", "NAT", "10.0.0.1 80");
    expect(&loaded, Code::MarkNeedsNoMore, 7, "protocol", "delete it");
    let mixed = grouped("192.0.2.7 80\n fwmark 5", "DR", "10.0.0.1 80");
    expect(&mixed, Code::MarkNeedsNoMore, 9, "80", "delete the port");
    assert_eq!(codes(&grouped("192.0.2.7 80\n fwmark 5", "NAT", "10.0.0.1 80")), []);
}

#[test]
fn a_server_listed_twice_is_named_as_it_is_written() {
    let check = "{\n TCP_CHECK {\n }\n }";
    let message = |second: &str| {
        let loaded =
            servers(&format!(" real_server 10.0.0.1 80 {check}\n real_server {second} {check}"));
        find(&loaded, Code::ServerTwice).message.clone()
    };
    assert!(message("10.0.0.1 80").contains("10.0.0.1 port 80 is listed"));
    assert!(message("10.0.0.1 0").contains("10.0.0.1 with the service's port, 80, is listed"));
}

#[test]
fn a_tunnel_has_only_the_checksums_of_its_kind() {
    let with = |kind: &str| {
        load(&format!(
            "virtual_server 192.0.2.1 80 {{\n lb_algo rr\n lb_kind TUN {kind}\n protocol TCP\n real_server 10.0.0.1 80 {{\n TCP_CHECK {{\n }}\n }}\n}}\n"
        ))
    };
    for (kind, word) in
        [("type ipip csum", "csum"), ("csum", "csum"), ("type gre remcsum", "remcsum")]
    {
        let loaded = with(kind);
        expect(&loaded, Code::TunnelOption, 3, word, "without checksum");
        assert_eq!(find(&loaded, Code::TunnelOption).keepalived, Some(Class::Error));
    }
    assert_eq!(find(&with("type gue"), Code::TunnelOption).keepalived, Some(Class::Error));
    for sound in ["type gre csum", "type ipip nocsum", "type gue port 9 remcsum"] {
        assert_eq!(codes(&with(sound)), [], "{sound}");
    }
}

#[test]
fn settings_that_contradict_the_service_or_lack_their_object_do_nothing() {
    let family = service(" ip_family inet6");
    expect(&family, Code::BadValue, 5, "inet6", "write `inet`");
    assert_eq!(codes(&service(" ip_family inet")), []);
    let says = |loaded: &Loaded, word: &str| {
        let found = loaded.diagnostics.iter().find(|found| found.message.contains(word));
        found.is_some_and(|found| {
            found.code == Code::NoEffect && found.keepalived == Some(Class::Error)
        })
    };
    let sorry = service(" sorry_server_lvs_method DR");
    assert!(says(&sorry, "does nothing without `sorry_server`"));
    let served = service(" sorry_server 10.0.0.9 80\n sorry_server_lvs_method NAT");
    assert!(!says(&served, "without `sorry_server`"));
    assert!(says(&load("global_defs {\n lvs_timeouts\n}\n"), "sets no timeout"));
    assert!(!says(&load("global_defs {\n lvs_timeouts tcp 9\n}\n"), "sets no timeout"));
    for group in ["", " interface eth0\n", " garp_interval 0\n"] {
        assert!(says(&load(&format!("garp_group {{\n{group}}}\n")), "sets no interval"), "{group}");
    }
    assert!(!says(&load("garp_group {\n gna_interval 1\n}\n"), "sets no interval"));
}

#[test]
fn a_check_of_port_0_of_a_server_without_port_is_said_at_the_zero() {
    let loaded = load(
        "virtual_server fwmark 3 {\n lb_algo rr\n lb_kind NAT\n real_server 10.0.0.1 {\n TCP_CHECK {\n connect_port 0\n }\n }\n}\n",
    );
    expect(&loaded, Code::CheckPort, 6, "0", "`connect_port NUMBER`");
}

#[test]
fn direct_routing_from_all_ports_goes_to_all_ports() {
    let loaded = load(
        "virtual_server 192.0.2.1 0 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n persistence_timeout 60\n real_server 10.0.0.1 80 {\n TCP_CHECK {\n }\n }\n}\n",
    );
    expect(&loaded, Code::DirectRoutingPort, 6, "80", "delete the port");
}
