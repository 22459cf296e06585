//! Against a real kernel, in a network namespace that exists for one test.

use std::{os::fd::AsFd, time::Duration};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use standfast_types::{
    Family, IfIndex, Instant, InterfaceName, Mark, MetricKind, NextHop, PathMetric, Placement,
    Prefix, Realms, Route, RouteKind, Rule, RuleAction,
};

use super::*;
use crate::{
    Class,
    clock::now,
    link::Switch,
    namespace::{NetNs, test::namespace},
    sys::readable_within,
};

/// Runs `test` in a new namespace, or says why it cannot.
fn in_namespace(test: impl FnOnce() + Send) {
    if let Some(namespace) = namespace() {
        namespace.run(test).expect("enter the namespace");
    }
}

/// An interface `eth0` that is up and has a carrier: the near end of a veth pair.
fn ethernet(netlink: &mut Netlink) -> IfIndex {
    let here = NetNs::current().expect("this namespace");
    netlink.create_veth("eth0", None, "far0", here.as_fd()).expect("make eth0");
    let [eth0, far0] = ["eth0", "far0"].map(|name| netlink.index_of(name).expect("the index"));
    netlink.switch_link(eth0, Switch::Up).expect("switch eth0 on");
    netlink.switch_link(far0, Switch::Up).expect("switch far0 on");
    eth0
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn request(index: IfIndex, text: &str, lifetime: Lifetime) -> AddressRequest {
    AddressRequest { lifetime, ..AddressRequest::new(index, prefix(text)) }
}

fn add(netlink: &mut Netlink, requests: &[AddressRequest]) {
    for answer in netlink.add_addresses(requests) {
        answer.expect("add an address");
    }
}

fn find(netlink: &mut Netlink, text: &str) -> Option<Address> {
    let addresses = netlink.addresses().expect("list addresses");
    addresses.into_iter().find(|address| address.prefix == prefix(text))
}

/// Waits for the changes that `wanted` picks, until `count` came or `limit` has passed.
fn changes(
    monitor: &mut Monitor,
    limit: Duration,
    count: usize,
    wanted: impl Fn(&Change) -> bool,
) -> Vec<(Instant, Change)> {
    let end = now() + limit;
    let mut found = Vec::new();
    while found.len() < count && now() < end {
        match monitor.next().expect("a change") {
            Some(change) if wanted(&change) => found.push((now(), change)),
            Some(_) => {}
            None => {
                readable_within(&*monitor, end.saturating_since(now()));
            }
        }
    }
    found
}

fn pause(duration: Duration) {
    let nothing = crate::clock::Timer::new().expect("a timer");
    readable_within(&nothing, duration);
}

#[test]
fn an_interface_reports_what_it_is() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        netlink.set_mac(index, [2, 0, 0, 0, 0, 7]).expect("set mac");
        let links = netlink.links().expect("links");
        let lo = links.iter().find(|link| link.name == "lo").expect("lo");
        assert!(lo.loopback && !lo.up);
        let eth0 = links.iter().find(|link| link.name == "eth0").expect("eth0");
        assert!(eth0.up && eth0.running && !eth0.loopback);
        assert_eq!((eth0.mac, eth0.mtu), (Some([2, 0, 0, 0, 0, 7]), 1500));
    });
}

#[test]
fn an_address_reads_back_with_label_scope_and_origin() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let asked = AddressRequest {
            label: Some("eth0:vip".into()),
            scope: 253,
            broadcast: Some([10, 0, 0, 255].into()),
            ..request(index, "10.0.0.5/24", Lifetime::Seconds(100))
        };
        add(&mut netlink, &[asked, request(index, "2001:db8::5/64", Lifetime::Seconds(100))]);
        let four = find(&mut netlink, "10.0.0.5/24").expect("the IPv4 address");
        assert_eq!(four.label.as_deref(), Some("eth0:vip"));
        assert_eq!((four.index, four.scope, four.ours), (index, 253, true));
        assert!(!four.secondary && !four.tentative);
        assert!(matches!(four.lifetime, Lifetime::Seconds(99..=100)));
        let six = find(&mut netlink, "2001:db8::5/64").expect("the IPv6 address");
        assert!(six.ours && !six.tentative, "{six:?}");
        let link_local = netlink.addresses().expect("list");
        assert!(link_local.iter().any(|address| !address.ours), "fe80 is the kernel's");
    });
}

#[test]
fn each_address_of_a_batch_gets_its_own_answer() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let mut requests: Vec<_> = (0..1000_u32)
            .map(|n| request(index, &format!("10.1.{}.{}/32", n / 250, n % 250), Lifetime::Forever))
            .collect();
        requests[500].index = IfIndex::new(9999);
        let answers = netlink.add_addresses(&requests);
        assert_eq!(answers.len(), 1000);
        let failed: Vec<_> = answers.iter().enumerate().filter(|(_, a)| a.is_err()).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, 500);
        let error = failed[0].1.as_ref().expect_err("no such interface");
        assert_eq!(error.class, Class::Gone);
        assert_eq!(netlink.addresses().expect("list").iter().filter(|a| a.ours).count(), 999);
        let which = [(index, requests[0].prefix), (index, requests[0].prefix)];
        let answers = netlink.delete_addresses(&which);
        assert!(answers[0].is_ok());
        let twice = answers[1].as_ref().expect_err("it is gone");
        assert_eq!(twice.class, Class::Gone);
    });
}

#[test]
fn the_kernel_says_in_words_why_it_refused() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let answers = netlink.add_addresses(&[request(index, "10.0.0.1/24", Lifetime::Seconds(0))]);
        let error = answers[0].as_ref().expect_err("a lease of 0 s is refused");
        assert!(error.detail.is_some(), "{error}");
    });
}

#[test]
fn a_monitor_that_is_not_read_reports_an_overrun_and_goes_on() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let mut monitor = Monitor::open().expect("open");
        set_socket_recv_buffer_size(&monitor, 4096).expect("shrink");
        let foreign = |n| AddressRequest {
            origin: Origin::Untagged,
            ..request(index, &format!("10.1.0.{n}/32"), Lifetime::Forever)
        };
        add(&mut netlink, &(1..100).map(foreign).collect::<Vec<_>>());
        assert!(matches!(monitor.next(), Err(MonitorError::Overrun)));
        while monitor.next().expect("no second overrun").is_some() {}
        set_socket_recv_buffer_size(&monitor, 1 << 18).expect("grow");
        netlink.delete_link(index).expect("delete");
        let gone = changes(
            &mut monitor,
            Duration::from_secs(2),
            1,
            |change| matches!(change, Change::LinkGone { name, .. } if name == "eth0"),
        );
        assert_eq!(gone.len(), 1);
    });
}

/// Three leases of 2 s: a host address, a second one in a permanent address's subnet, and
/// an IPv6 address; renewed every 500 ms for 4 s, then forgotten.
#[test]
fn a_renewed_lease_stays_and_a_forgotten_one_goes() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let permanent = request(index, "10.0.0.1/24", Lifetime::Forever);
        add(&mut netlink, &[AddressRequest { origin: Origin::Untagged, ..permanent }]);
        let lease = Lifetime::Seconds(2);
        let leased = ["10.0.0.100/24", "10.9.9.9/32", "2001:db8::9/64"];
        let mut requests = leased.map(|text| request(index, text, lease));
        requests[0].label = Some("eth0:1".into());
        let mut monitor = Monitor::open().expect("open");
        add(&mut netlink, &requests);
        let before = leased.map(|text| find(&mut netlink, text).expect("installed"));
        assert!(before[0].secondary);
        for _ in 0..8 {
            pause(Duration::from_millis(500));
            add(&mut netlink, &requests);
        }
        let last_renewal = now();
        let after = leased.map(|text| find(&mut netlink, text).expect("still there"));
        for (before, after) in before.iter().zip(&after) {
            let lifetime = before.lifetime;
            assert_eq!(before, &Address { lifetime, ..after.clone() }, "renewal changed it");
        }
        let gone = changes(&mut monitor, Duration::from_secs(6), 3, |change| {
            matches!(change, Change::AddressGone(_))
        });
        assert_eq!(gone.len(), 3, "{gone:?}");
        for (when, change) in gone {
            let Change::AddressGone(address) = change else { unreachable!("filtered above") };
            let late = when.saturating_since(last_renewal);
            assert!(address.ours);
            // Measured over 480 leases of 1 to 4 s: 0.0 to 1.3 s late.
            assert!(late >= Duration::from_millis(1900) && late < Duration::from_secs(4));
        }
        let permanent = find(&mut netlink, "10.0.0.1/24").expect("the permanent one stays");
        assert!(!permanent.ours);
    });
}

#[test]
fn a_renewal_of_ours_is_not_reported_and_what_others_make_of_it_is() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let requests = ["10.9.9.9/32", "2001:db8::9/64"]
            .map(|text| request(index, text, Lifetime::Seconds(60)));
        // Not while the cable is still coming up: IPv6 reports its addresses once more for that.
        let settled = now() + Duration::from_secs(5);
        let mut running = false;
        while !running && now() < settled {
            let links = netlink.links().expect("links");
            running = links.iter().any(|link| link.index == index && link.running);
        }
        assert!(running, "eth0 has a carrier");
        add(&mut netlink, &requests);
        let mut monitor = Monitor::open().expect("open");
        // What the first installation brings in its wake is over before the renewals are counted.
        changes(&mut monitor, Duration::from_millis(1500), usize::MAX, |_| true);
        for _ in 0..3 {
            add(&mut netlink, &requests);
        }
        let untagged = |request: &AddressRequest| AddressRequest {
            origin: Origin::Untagged,
            ..request.clone()
        };
        add(&mut netlink, &requests.iter().map(untagged).collect::<Vec<_>>());
        let places: Vec<_> = requests.iter().map(|request| (index, request.prefix)).collect();
        for answer in netlink.delete_addresses(&places) {
            answer.expect("deleted");
        }
        // Only what is about these two: the kernel may still report its own link-local address.
        let seen = changes(&mut monitor, Duration::from_millis(300), usize::MAX, |change| {
            let (Change::Address(address) | Change::AddressGone(address)) = change else {
                return false;
            };
            requests.iter().any(|request| request.prefix == address.prefix)
        });
        assert_eq!(seen.len(), 4, "{seen:#?}");
        let taken = seen.iter().filter(|(_, c)| matches!(c, Change::Address(a) if !a.ours));
        assert_eq!(taken.count(), 2, "{seen:#?}");
    });
}

#[test]
fn renewing_an_address_of_somebody_else_takes_it_over() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let foreign = request(index, "10.0.0.5/24", Lifetime::Forever);
        let label = Some("eth0:admin".to_owned());
        add(&mut netlink, &[AddressRequest { origin: Origin::Untagged, label, ..foreign }]);
        add(&mut netlink, &[request(index, "10.0.0.5/24", Lifetime::Seconds(60))]);
        let found = find(&mut netlink, "10.0.0.5/24").expect("there");
        // A renewal changes the lifetime and the origin, and leaves the label alone.
        assert!(matches!(found.lifetime, Lifetime::Seconds(_)));
        assert!(found.ours);
        assert_eq!(found.label.as_deref(), Some("eth0:admin"));
        // With another prefix length it is another address.
        add(&mut netlink, &[request(index, "10.0.0.5/32", Lifetime::Seconds(60))]);
        assert!(find(&mut netlink, "10.0.0.5/24").is_some());
        assert!(find(&mut netlink, "10.0.0.5/32").is_some());
    });
}

#[test]
fn secondary_addresses_go_with_their_primary() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        add(
            &mut netlink,
            &["10.0.0.5/24", "10.0.0.6/24", "10.0.0.7/32"]
                .map(|text| request(index, text, Lifetime::Seconds(60))),
        );
        let answers = netlink.delete_addresses(&[(index, prefix("10.0.0.5/24"))]);
        assert!(answers[0].is_ok());
        assert_eq!(find(&mut netlink, "10.0.0.6/24"), None, "unless promote_secondaries is set");
        assert!(find(&mut netlink, "10.0.0.7/32").is_some());
    });
}

#[test]
fn routes_of_all_kinds_read_back_as_what_was_asked_for() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        add(&mut netlink, &[request(index, "10.0.0.1/24", Lifetime::Forever)]);
        add(&mut netlink, &[request(index, "2001:db8::1/64", Lifetime::Forever)]);
        let index_of = |name: &InterfaceName| (name.as_str() == "eth0").then_some(index);
        let hop = |gateway: [u8; 4]| NextHop {
            gateway: Some(gateway.into()),
            interface: Some("eth0".into()),
            ..NextHop::default()
        };
        let route = |text: &str| Route::new(prefix(text));
        let near = |text: &str| Route { hops: vec![hop([10, 0, 0, 9])], ..route(text) };
        let six = NextHop { gateway: "2001:db8::9".parse().ok(), ..NextHop::default() };
        let metric = PathMetric { kind: MetricKind::Mtu, value: 1400, locked: true };
        let wanted = [
            near("10.1.0.0/24"),
            Route { table: 1000, tos: 16, metric: Some(7), ..near("10.2.0.0/24") },
            Route {
                metrics: vec![metric],
                source: Some([10, 0, 0, 1].into()),
                ..near("0.0.0.0/0")
            },
            Route { hops: vec![hop([10, 0, 0, 8]), hop([10, 0, 0, 9])], ..route("10.3.0.0/24") },
            Route { kind: RouteKind::Blackhole, ..route("10.4.0.0/24") },
            Route { hops: vec![six], ..route("2001:db8:1::/48") },
            Route { kind: RouteKind::Unreachable, table: 9, ..route("2001:db8:2::/48") },
        ];
        for route in &wanted {
            netlink.add_route(route, &index_of).expect("add a route");
            netlink.add_route(route, &index_of).expect("that it is there is no error");
            let found = netlink.routes(OUR_ROUTES).expect("list routes");
            let same = found.iter().filter(|found| found.is(route, &index_of)).count();
            assert_eq!(same, 1, "{route} {found:?}");
            let others = wanted.iter().filter(|other| *other != route);
            for other in others {
                assert!(!found.iter().any(|it| it.is(route, &index_of) && it.is(other, &index_of)));
            }
        }
        let alone = Route { placement: Placement::Alone, ..wanted[0].clone() };
        netlink.add_route(&alone, &index_of).expect("it is there, and ours");
        let theirs = Route { protocol: Some(4), ..alone };
        netlink.add_route(&theirs, &index_of).expect_err("an equal one is there");
        for route in &wanted {
            netlink.delete_route(route, &index_of).expect("delete a route");
            let again = netlink.delete_route(route, &index_of).expect_err("it is gone");
            assert_eq!(again.class, Class::Gone);
        }
        assert_eq!(netlink.routes(OUR_ROUTES).expect("list routes"), []);
        let nowhere = Route { hops: vec![NextHop::default()], ..route("10.5.0.0/24") };
        let missing = |_: &InterfaceName| None;
        let hops = vec![hop([10, 0, 0, 9])];
        let error = netlink.add_route(&Route { hops, ..nowhere }, &missing).expect_err("no eth0");
        assert_eq!(error.class, Class::Gone);
    });
}

#[test]
fn rules_of_all_kinds_read_back_as_what_was_asked_for() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        ethernet(&mut netlink);
        let rule = |preference| Rule::new(Family::V4, preference, RuleAction::Lookup(1000));
        let wanted = [
            rule(100),
            Rule {
                from: Some(prefix("10.0.0.7/24")),
                to: Some(prefix("10.1.0.0/16")),
                ..rule(101)
            },
            Rule { input: Some("eth0".into()), output: Some("far0".into()), ..rule(102) },
            Rule { mark: Some(Mark { value: 24, mask: 12 }), tos: 16, ..rule(103) },
            Rule { users: Some((10, 20)), tunnel: Some(7), inverted: true, ..rule(104) },
            Rule { source_ports: Some((1, 2)), ip_protocol: Some(6), ..rule(105) },
            Rule { destination_ports: Some((80, 80)), ip_protocol: Some(17), ..rule(106) },
            Rule { suppress_prefix: Some(8), suppress_group: Some(3), ..rule(107) },
            Rule { realms: Some(Realms { from: 30, to: 20 }), ..rule(108) },
            Rule { action: RuleAction::Goto(200), ..rule(109) },
            Rule { action: RuleAction::Nop, ..rule(110) },
            Rule { action: RuleAction::Blackhole, ..rule(111) },
            Rule { action: RuleAction::Unreachable, ..rule(112) },
            Rule { action: RuleAction::Prohibit, ..rule(113) },
            Rule { family: Family::V6, from: Some(prefix("2001:db8::/32")), ..rule(114) },
            Rule { protocol: Some(4), ..rule(115) },
        ];
        for rule in &wanted {
            netlink.add_rule(rule).expect("add a rule");
            netlink.add_rule(rule).expect("that it is there is no error");
            let found = netlink.rules().expect("list rules");
            let same = found.iter().filter(|found| is_rule(found, rule)).count();
            assert_eq!(same, 1, "{rule} {found:?}");
        }
        for rule in &wanted {
            netlink.delete_rule(rule).expect("delete a rule");
            assert_eq!(netlink.delete_rule(rule).expect_err("it is gone").class, Class::Gone);
        }
    });
}

#[test]
fn the_monitor_reports_our_routes_and_all_rules_that_go() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        add(&mut netlink, &[request(index, "10.0.0.1/24", Lifetime::Forever)]);
        let index_of = |_: &InterfaceName| Some(index);
        let gateway = Some([10, 0, 0, 9].into());
        let hops = vec![NextHop { gateway, ..NextHop::default() }];
        let ours = Route { hops, ..Route::new(prefix("10.1.0.0/24")) };
        let theirs = Route { protocol: Some(4), ..ours.clone() };
        let rule = Rule::new(Family::V6, 100, RuleAction::Nop);
        let mut monitor = Monitor::open().expect("open a monitor");
        for route in [&theirs, &ours] {
            netlink.add_route(route, &index_of).expect("add a route");
            netlink.delete_route(route, &index_of).expect("delete a route");
        }
        netlink.add_rule(&rule).expect("add a rule");
        netlink.delete_rule(&rule).expect("delete a rule");
        let routing =
            |change: &Change| matches!(change, Change::RouteGone(_) | Change::RuleGone(_));
        let found = changes(&mut monitor, Duration::from_secs(2), 2, routing);
        assert!(matches!(&found[0].1, Change::RouteGone(gone) if gone.is(&ours, &index_of)));
        assert!(matches!(&found[1].1, Change::RuleGone(gone) if is_rule(gone, &rule)));
    });
}

#[test]
fn an_address_takes_its_peer_and_its_flags() {
    in_namespace(|| {
        let mut netlink = Netlink::open().expect("open");
        let index = ethernet(&mut netlink);
        let peer = prefix("10.0.1.1/24");
        let four =
            AddressRequest { peer: Some(peer), ..request(index, "10.0.0.1/32", Lifetime::Forever) };
        let six = AddressRequest {
            preferred_seconds: 0,
            ..request(index, "2001:db8::5/128", Lifetime::Seconds(100))
        };
        add(&mut netlink, &[four, six]);
        let found = netlink.addresses().expect("list addresses");
        let held = |text: &str| {
            let address = prefix(text).address();
            found.iter().any(|found| found.prefix.address() == address)
        };
        assert!(held("10.0.0.1") && held("2001:db8::5"), "{found:?}");
        let local = prefix("10.0.0.1").address();
        netlink.delete_peer_address(index, local, peer).expect("delete it");
        let again = netlink.delete_peer_address(index, local, peer).expect_err("it is gone");
        assert_eq!(again.class, Class::Gone);
    });
}
