//! The model: every default resolved.

#![expect(clippy::panic, reason = "a test that panics has failed")]

mod support;

use std::time::Duration;

use standfast_conf::{Deleted, Model, User};
use standfast_types::{Broadcast, Scope};
use standfast_vrrp::{Announcements, ChecksumMode, Preempt, Transport, Version};
use support::{instance, load};

fn model(text: &str) -> Model {
    let loaded = load(text);
    loaded.model.unwrap_or_else(|| panic!("refused: {:#?}", loaded.diagnostics))
}

fn router(global: &str, extra: &str) -> standfast_vrrp::Config {
    let text = format!("global_defs {{\n{global}\n}}\n{}", instance(extra));
    model(&text).failover.instances.remove(0).router
}

#[test]
fn an_instance_without_more_has_keepaliveds_defaults() {
    let model = model(&instance(""));
    let one = &model.failover.instances[0];
    let vrid = standfast_types::Vrid::new(51).expect("51");
    let priority = standfast_types::Priority::new(100).expect("100");
    let mut expected = standfast_vrrp::Config::new(vrid, priority);
    expected.addresses = vec![std::net::Ipv4Addr::new(192, 0, 2, 100).into()];
    assert_eq!(one.router, expected);
    assert_eq!(one.addresses[0].interface.as_str(), "eth0");
    assert!(one.track_primary && !one.track_source && one.source.is_none());
    assert!(model.notify.is_empty() && model.scripts.is_empty());
    assert_eq!(model.failover.startup_delay, Duration::ZERO);
}

#[test]
fn global_defaults_reach_the_instances_and_instances_override_them() {
    let global = "vrrp_version 3\nvrrp_mcast_group4 224.0.0.99\nvrrp_down_timer_adverts 5\nvrrp_lower_prio_no_advert\nvrrp_check_unicast_src\nv3_checksum_as_v2";
    let one = router(global, "");
    assert_eq!(one.version, Version::V3);
    assert_eq!(one.transport, Transport::Multicast { group: [224, 0, 0, 99].into() });
    assert_eq!((one.down_timer_adverts, one.checksum), (5, ChecksumMode::AsV2));
    assert!(one.lower_prio_no_advert);
    let own = router(
        global,
        "version 2\nmcast_dst_ip 224.0.0.77\ndown_timer_adverts 4\nlower_prio_no_advert off\nv3_checksum_as_v2 false",
    );
    assert_eq!((own.version, own.down_timer_adverts), (Version::V2, 4));
    assert_eq!(own.transport, Transport::Multicast { group: [224, 0, 0, 77].into() });
    assert_eq!(own.checksum, ChecksumMode::PseudoHeader);
    assert!(!own.lower_prio_no_advert);
}

#[test]
fn announcements_inherit_step_by_step() {
    let global = "vrrp_garp_master_delay 3\nvrrp_garp_master_repeat 2\nvrrp_garp_interval 0.25";
    let expected = Announcements {
        master_repeat: 2,
        master_delay: Duration::from_secs(3),
        lower_prio_repeat: 2,
        lower_prio_delay: Duration::from_secs(3),
        gap: Duration::from_millis(250),
        ..Announcements::default()
    };
    assert_eq!(router(global, "").announcements, expected);
    let minimal = router("vrrp_min_garp", "").announcements;
    assert_eq!((minimal.master_repeat, minimal.master_delay), (1, Duration::ZERO));
    let own = "garp_master_refresh 60\ngarp_master_refresh_repeat 3\ngarp_lower_prio_repeat 0\ngarp_lower_prio_delay 1\ngarp_master_delay 9\ngarp_master_repeat 7";
    let own = router("", own).announcements;
    assert_eq!((own.refresh, own.refresh_repeat), (Duration::from_secs(60), 3));
    assert_eq!((own.lower_prio_repeat, own.lower_prio_delay), (0, Duration::from_secs(1)));
    assert_eq!((own.master_repeat, own.master_delay), (7, Duration::from_secs(9)));
}

#[test]
fn preemption_follows_the_last_word() {
    assert_eq!(router("", "nopreempt").preempt, Preempt::Never);
    assert_eq!(router("", "nopreempt\npreempt").preempt, Preempt::Always);
    assert_eq!(
        router("", "preempt_delay 1.5").preempt,
        Preempt::After(Duration::from_millis(1500))
    );
    assert_eq!(router("", "nopreempt\npreempt_delay 5").preempt, Preempt::Never);
    assert_eq!(router("", "preempt_delay 0").preempt, Preempt::Always);
}

#[test]
fn unicast_peers_carry_their_limits() {
    let extra = "unicast_ttl 3\nunicast_peer {\n192.0.2.2 min_ttl 2 max_ttl 9\n192.0.2.3\n}";
    let Transport::Unicast { peers, check_source, ttl } = router("", extra).transport else {
        panic!("unicast");
    };
    assert_eq!((peers[0].min_ttl, peers[0].max_ttl, peers[1].max_ttl), (2, 9, 255));
    assert!(check_source, "a limit implies the check");
    assert_eq!(ttl, 3);
    let old = router("", "old_unicast_checksum").checksum;
    let never = router("", "old_unicast_checksum never").checksum;
    assert_eq!((old, never), (ChecksumMode::OldUnicast, ChecksumMode::PseudoHeaderOnly));
}

#[test]
fn addresses_take_their_options() {
    let text = "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1/24 brd + dev eth1 scope link label eth1:0 no_track noprefixroute\n 192.0.2.2\n 192.0.2.3/24 broadcast 192.0.2.255 scope 200\n }\n virtual_ipaddress_excluded {\n 2001:db8::1/64\n }\n}\n";
    let model = model(text);
    let one = &model.failover.instances[0];
    let first = &one.addresses[0];
    assert_eq!(first.interface.as_str(), "eth1");
    assert_eq!((first.scope, first.broadcast), (Scope(253), Broadcast::Derived));
    assert_eq!(first.label.as_deref(), Some("eth1:0"));
    assert!(!first.tracked && first.no_prefix_route);
    assert_eq!(one.addresses[1].prefix.to_string(), "192.0.2.2/32");
    assert_eq!(one.addresses[2].broadcast, Broadcast::Fixed([192, 0, 2, 255].into()));
    assert_eq!(one.addresses[3].prefix.to_string(), "2001:db8::1/64");
    assert_eq!(one.router.addresses.len(), 3, "excluded ones are not advertised");
}

#[test]
fn scripts_get_their_user_times_and_weights() {
    let text = "global_defs {\n script_user web www\n enable_script_security\n}\nvrrp_script a {\n script \"/a\"\n interval 0.5\n weight -10 reverse\n rise 2\n fall 3\n init_fail\n}\nvrrp_script b {\n script '/b c'\n timeout 3\n user root:wheel\n}\n";
    let model = model(
        &(text.to_owned()
            + &instance(
                " track_script {\n a\n b weight 5\n }\n track_interface {\n eth1 weight -7 reverse\n }",
            )),
    );
    let (a, b) = (&model.scripts[0], &model.scripts[1]);
    let user =
        |name: &str, group: &str| Some(User { name: name.into(), group: Some(group.into()) });
    assert_eq!((&a.command.user, &b.command.user), (&user("web", "www"), &user("root", "wheel")));
    assert_eq!((a.interval, a.timeout), (Duration::from_millis(500), Duration::from_millis(500)));
    assert_eq!((b.interval, b.timeout), (Duration::from_secs(1), Duration::from_secs(3)));
    assert_eq!(b.command.argv, ["/b", "c"]);
    let one = &model.failover.instances[0];
    assert_eq!(
        (one.trackers.scripts[0].weight.value, one.trackers.scripts[0].weight.reverse),
        (-10, true)
    );
    assert_eq!(one.trackers.scripts[1].weight.value, 5);
    assert_eq!(
        (one.trackers.interfaces[0].weight.value, one.trackers.interfaces[0].weight.reverse),
        (-7, true)
    );
    assert!(model.failover.scripts[0].init_fail && model.global.script_security);
}

#[test]
fn notify_commands_keep_their_arguments_and_user() {
    let extra =
        "notify \"/n a\" web\nnotify_stop /s\nnotify_deleted\nnotify_master_rx_lower_pri \"/l\"";
    let model = model(&instance(extra));
    let notify = &model.notify["VI_1"];
    let any = notify.any.as_ref().expect("notify");
    assert_eq!(any.argv, ["/n", "a"]);
    assert_eq!(any.user, Some(User { name: "web".into(), group: None }));
    assert_eq!(notify.deleted, Deleted::AsDeleted(None));
    assert!(notify.stop.is_some() && notify.master_rx_lower_pri.is_some());
}

#[test]
fn a_model_survives_serialization() {
    let one = model(&instance(" nopreempt\n notify \"/n\""));
    let text = serde_json::to_string(&one).expect("serializes");
    assert_eq!(serde_json::from_str::<Model>(&text).expect("parses"), one);
}

#[test]
fn unicast_without_interface_runs_where_the_routes_lead_or_in_a_vrf() {
    let text = |more: &str, dev: &str| {
        format!(
            "vrrp_instance V {{\n virtual_router_id 51\n priority 100\n unicast_peer {{\n 192.0.2.2\n }}\n \
             {more}\n virtual_ipaddress {{\n 198.51.100.1/32 {dev}\n }}\n}}\n"
        )
    };
    let of = |more: &str, dev: &str| {
        let instances = model(&text(more, dev)).failover.instances;
        instances.first().map(|instance| instance.interface.as_str().to_owned())
    };
    let source = "unicast_src_ip 192.0.2.1";
    assert_eq!(of(source, "dev lo").as_deref(), Some(""));
    assert_eq!(of(&format!("{source}\n vrf red"), "dev lo").as_deref(), Some("red"));
    assert_eq!(of(&format!("{source}\n interface eth1"), "").as_deref(), Some("eth1"));
    // Something is not said that the interface else says.
    assert_eq!(of("", "dev lo"), None);
    assert_eq!(of(source, ""), None);
    assert_eq!(of(&format!("{source}\n use_vmac"), "dev lo"), None);
}

#[test]
fn an_instance_without_addresses_is_left_out_of_version_3_and_of_strict_mode() {
    let empty = "vrrp_instance V {\n interface eth0\n virtual_router_id 51\n priority 100\n";
    let runs = |more: &str| !model(&format!("{empty}{more}\n}}\n")).failover.instances.is_empty();
    assert!(runs("") && runs("version 3\n no_virtual_ipaddress"));
    assert!(!runs("version 3") && !runs("strict_mode"));
}
