//! Routes, rules and what is static: from lines to what the kernel is asked for.

mod support;

use standfast_conf::{Code, Loaded, Memory, Options, load};
use standfast_types::RoutingEntry;

fn read(routing: &str, files: Memory) -> Loaded {
    let text = format!(
        "vrrp_instance V {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n 192.0.2.9\n }}\n}}\n{routing}\n"
    );
    load("/etc/a.conf".as_ref(), &Options::default(), &files.with("/etc/a.conf", text))
}

/// The static routes and rules of these lines, with everything that is not at its default.
fn entries(block: &str, lines: &str) -> Vec<RoutingEntry> {
    let loaded = read(&format!("{block} {{\n{lines}\n}}"), Memory::default());
    let bad: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.code != Code::RuleIncomplete)
        .map(|found| &found.message)
        .collect();
    assert!(bad.is_empty(), "{lines}: {bad:?}");
    let statics = loaded.model.expect("a model").failover.statics;
    statics.routing.into_iter().map(|entry| entry.what).collect()
}

fn shown(block: &str, lines: &str) -> Vec<String> {
    entries(block, lines).iter().map(ToString::to_string).collect()
}

fn json(block: &str, line: &str) -> serde_json::Value {
    let mut entries = entries(block, line);
    assert_eq!(entries.len(), 1, "{line}");
    let value = serde_json::to_value(entries.remove(0)).expect("json");
    value.as_object().and_then(|kinds| kinds.values().next()).cloned().expect("one kind")
}

#[test]
fn the_lines_of_the_manual_become_routes() {
    let lines = "src 192.168.100.1 to 192.168.109.0/24 via 192.168.200.254 dev eth1\n\
        192.168.111.0/24 dev eth2 no_track\n\
        192.168.112.0/24 via 192.168.100.254\n\
        blackhole 192.168.114.0/24\n\
        0.0.0.0/0 via 192.168.0.1 table 100\n\
        192.168.100.0/24 table 6909 nexthop via 192.168.101.1 dev wlan0 onlink weight 1 \
        nexthop via 192.168.101.2 dev wlan0 onlink weight 2\n\
        default via 192.0.2.1 table 5\n\
        inet6 default via fe80::1 dev eth0\n\
        default via 2001:db8::1";
    let expected = [
        "route 192.168.109.0/24 via 192.168.200.254 dev eth1",
        "route 192.168.111.0/24 dev eth2",
        "route 192.168.112.0/24 via 192.168.100.254",
        "route blackhole 192.168.114.0/24",
        "route 0.0.0.0/0 via 192.168.0.1 table 100",
        "route 192.168.100.0/24 nexthop via 192.168.101.1 dev wlan0 nexthop via 192.168.101.2 dev wlan0 table 6909",
        "route 0.0.0.0/0 via 192.0.2.1 table 5",
        "route ::/0 via fe80::1 dev eth0",
        "route ::/0 via 2001:db8::1",
    ];
    assert_eq!(shown("static_routes", lines), expected);
}

#[test]
fn the_lines_of_the_manual_become_rules() {
    let lines = "from 192.168.2.0/24 table 1 preference 5\n\
        from 192.168.28.0/24 to 192.168.29.0/26 table 7 iif p33p1 oif wlan0 tos 22 fwmark 24/12 \
        preference 39 realms 30/20 goto 40\n\
        to 1:2:3:4:5:6:7:0/112 from 7:6:5:4:3:2::/96 table 6908 uidrange 10000-19999 preference 0x28\n\
        not from 192.0.2.0/24 blackhole preference 41\n\
        inet6 iif eth0 l3mdev preference 42";
    let expected = [
        "rule 5: from 192.168.2.0/24 lookup 1",
        "rule 39: from 192.168.28.0/24 to 192.168.29.0/26 iif p33p1 oif wlan0 goto 40",
        "rule inet6 40: from 7:6:5:4:3:2::/96 to 1:2:3:4:5:6:7:0/112 lookup 6908",
        "rule 41: not from 192.0.2.0/24 blackhole",
        "rule inet6 42: from all iif eth0 lookup [l3mdev-table]",
    ];
    assert_eq!(shown("static_rules", lines), expected);
}

#[test]
fn rules_without_preference_count_down_in_each_family() {
    let lines = "from 192.0.2.0/24 table 1\nfrom 2001:db8::/32 table 1\nto 192.0.2.0/24 table 1";
    let expected = [
        "rule 16384: from 192.0.2.0/24 lookup 1",
        "rule inet6 16384: from 2001:db8::/32 lookup 1",
        "rule 16383: from all to 192.0.2.0/24 lookup 1",
    ];
    assert_eq!(shown("static_rules", lines), expected);
}

#[test]
fn metrics_are_in_the_kernels_units_with_their_locks() {
    let line = "198.51.100.0/24 dev eth0 mtu lock 1400 rtt 2s rttvar 300ms rto_min 250 cwnd 7 congctl lock cubic features ecn";
    let route = json("static_routes", line);
    let metrics = route["metrics"].as_array().expect("a list");
    let metric = |kind: &str| {
        let found = metrics.iter().find(|metric| metric["kind"] == kind).expect("it is there");
        (found["value"].as_u64().expect("a number"), found["locked"] == true)
    };
    assert_eq!(metric("Mtu"), (1400, true));
    assert_eq!(metric("Rtt"), (16_000, false));
    assert_eq!(metric("RttVar"), (1_200, false));
    assert_eq!(metric("MinimalTimeout"), (250, false));
    assert_eq!(metric("CongestionWindow"), (7, false));
    assert_eq!(metric("Features"), (1, false));
    assert_eq!(route["congestion"]["locked"], true);
}

#[test]
fn an_option_belongs_to_the_innermost_thing_that_knows_it() {
    let line = "198.51.100.0/24 encap ip id 7 dst 192.0.2.5 src 192.0.2.1 ttl 9 dev eth0 src 192.0.2.2 tos 4";
    let route = json("static_routes", line);
    let tunnel = &route["hops"][0]["encap"]["Ip"];
    assert_eq!((&tunnel["source"], &tunnel["ttl"]), (&"192.0.2.1".into(), &9.into()));
    assert_eq!((&route["source"], &route["tos"]), (&"192.0.2.2".into(), &4.into()));
    let line = "198.51.100.0/24 metric 9 nexthop encap mpls 100/200 via 192.0.2.1 realms 5 nexthop via 192.0.2.2";
    let route = json("static_routes", line);
    assert_eq!(route["hops"][0]["encap"]["Mpls"], serde_json::json!([100, 200]));
    assert_eq!(route["hops"][0]["realms"]["to"], 5);
    assert!(route["hops"][1]["encap"].is_null() && route["hops"][1]["gateway"] == "192.0.2.2");
}

#[test]
fn names_come_from_the_files_of_iproute2() {
    let files = Memory::default()
        .with("/usr/share/iproute2/rt_tables", "7 uplink\n8 other\n")
        .with("/etc/iproute2/rt_tables", "# mine\n9\tother\n")
        .with("/etc/iproute2/rt_tables.d/x.conf", "10 third\n")
        .with("/etc/iproute2/rt_realms", "0x14 far\n");
    let lines = "static_routes {\n198.51.100.0/24 dev eth0 table uplink realms far/3 scope link\n\
        198.51.100.0/24 dev eth0 table other\n198.51.100.0/24 dev eth0 table third\n\
        198.51.100.0/24 dev eth0 table main\n198.51.100.0/24 dev eth0 table uplnk\n}";
    let loaded = read(lines, files);
    let routing = loaded.model.expect("a model").failover.statics.routing;
    let tables: Vec<_> = routing
        .iter()
        .map(|entry| match &entry.what {
            RoutingEntry::Route(route) => route.table,
            RoutingEntry::Rule(rule) => rule.preference,
        })
        .collect();
    assert_eq!(tables, [7, 9, 10, 254]);
    let found = loaded.diagnostics.iter().find(|found| found.code == Code::RoutingName);
    let found = found.expect("a finding");
    assert_eq!(found.message, "no routing table is called `uplnk`; the line is left out");
    assert_eq!(found.hint.as_deref(), Some("did you mean `uplink`?"));
}

#[test]
fn the_directories_of_names_can_be_elsewhere() {
    let files = Memory::default().with("/opt/names/rt_tables", "7 uplink\n");
    let text = "global_defs {\n iproute_etc_dir /opt/names\n}\nstatic_rules {\nfrom 192.0.2.0/24 table uplink preference 5\n}";
    let loaded = read(text, files);
    let routing = loaded.model.expect("a model").failover.statics.routing;
    assert_eq!(routing[0].what.to_string(), "rule 5: from 192.0.2.0/24 lookup 7");
}

#[test]
fn a_line_that_cannot_be_installed_is_left_out_and_said() {
    for (line, why) in [
        ("198.51.100.0/24 metric 5", "neither a gateway nor an interface"),
        ("198.51.100.0/24 dev eth0 src 2001:db8::1", "mixes IPv4 and IPv6"),
        ("via 192.0.2.1 dev eth0", "has no destination"),
    ] {
        let loaded = read(&format!("static_routes {{\n{line}\n}}"), Memory::default());
        let found = loaded.diagnostics.iter().find(|found| found.code == Code::RoutingLine);
        assert!(found.is_some_and(|found| found.message.contains(why)), "{line}");
        assert!(loaded.model.expect("a model").failover.statics.routing.is_empty(), "{line}");
    }
}

#[test]
fn what_is_static_knows_who_follows_it() {
    let text = "track_group G {\n group {\n V\n NOBODY\n }\n}\n\
        static_ipaddress {\n 203.0.113.1/24 dev eth1 track_group G\n 203.0.113.2\n}\n\
        static_routes {\n 198.51.100.0/24 dev eth0 track_group G\n}";
    let statics = read(text, Memory::default()).model.expect("a model").failover.statics;
    let [first, second] = statics.addresses.as_slice() else { panic!("two addresses") };
    assert_eq!((first.followers.as_slice(), second.followers.len()), (&["V".into()][..], 0));
    assert_eq!(second.what.interface.as_str(), "eth0", "default_interface");
    assert_eq!(statics.routing[0].followers, ["V".into()]);
}

#[test]
fn addresses_take_their_rarer_options() {
    let text = "static_ipaddress {\n 203.0.113.1 dev eth1 peer 203.0.113.2/24\n\
        2001:db8::1/64 dev eth1 home mngtmpaddr preferred_lft 30\n 2001:db8::2 dev eth1\n\
        2001:db8::3 dev eth1 preferred_lft forever -nodad\n 239.1.1.1 dev eth1 autojoin\n}";
    let statics = read(text, Memory::default()).model.expect("a model").failover.statics;
    let address = |at: usize| &statics.addresses[at].what;
    assert_eq!(address(0).peer.map(|peer| peer.to_string()).as_deref(), Some("203.0.113.2/24"));
    assert!(address(1).flags.home && address(1).flags.temporary);
    let preferred: Vec<_> = (0..5).map(|at| address(at).preferred()).collect();
    assert_eq!(preferred, [u32::MAX, 30, 0, u32::MAX, u32::MAX]);
    assert!(address(4).flags.autojoin);
}
