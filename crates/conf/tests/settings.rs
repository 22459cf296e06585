//! Settings of the daemon as a whole: what the file says and what they are when it says nothing.

mod support;

use std::time::Duration;

use standfast_conf::{AutoPriority, Code, Marker, Model};
use support::{expect, instance, load};

fn model(top: &str, global: &str) -> Model {
    let text = format!("{top}\nglobal_defs {{\n script_user root\n{global}\n}}\n{}", instance(""));
    let loaded = load(&text);
    let odd: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|found| !matches!(found.code, Code::ScriptSecurityOff | Code::ScriptMissing))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    loaded.model.expect("it runs")
}

#[test]
fn fifos_belong_to_the_script_user_and_their_readers_may_stand_above_them() {
    let global = model(
        "",
        "vrrp_notify_fifo_script \"/bin/reader -x\"\nvrrp_notify_fifo /run/f nobody\nnotify_fifo /run/g",
    )
    .global;
    let vrrp = global.fifos.vrrp.expect("a FIFO");
    assert_eq!(vrrp.user.map(|user| user.name).as_deref(), Some("nobody"));
    assert_eq!(vrrp.reader.expect("a reader").argv, ["/bin/reader", "-x"]);
    let all = global.fifos.all.expect("a FIFO");
    assert_eq!(all.user.map(|user| user.name).as_deref(), Some("root"));
    assert_eq!(all.reader, None);
}

#[test]
fn fifos_that_make_no_sense_are_told() {
    let twice = load("global_defs {\n notify_fifo /run/f\n vrrp_notify_fifo /run/f\n}\n");
    expect(&twice, Code::FifoTwice, 3, "/run/f", "a path of its own");
    let alone = load("global_defs {\n script_user root\n notify_fifo_script /bin/r\n}\n");
    expect(&alone, Code::FifoMissing, 3, "/bin/r", "notify_fifo /run/NAME");
}

#[test]
fn mail_needs_a_server_and_recipients_and_instances_take_the_nearest_switch() {
    let settings = "notification_email {\n a@example.org b@example.org\n c@example.org\n}\nsmtp_server 192.0.2.25 2525";
    let found = model("", &format!("{settings}\nsmtp_alert\nsmtp_connect_timeout 7"));
    let mail = found.global.mail.expect("mail");
    assert_eq!(mail.recipients, ["a@example.org", "b@example.org", "c@example.org"]);
    assert_eq!((mail.server.as_str(), mail.port), ("192.0.2.25", 2525));
    assert_eq!(mail.timeout, Duration::from_secs(7));
    assert!(found.notify["VI_1"].mail, "smtp_alert is for all");
    let off = model("", &format!("{settings}\nsmtp_alert\nsmtp_alert_vrrp off"));
    assert!(!off.notify.get("VI_1").is_some_and(|notify| notify.mail), "VRRP says no");
    assert_eq!(model("", "smtp_helo_name x").global.mail, None);
}

#[test]
fn processes_run_as_the_file_says_and_bfds_settings_count_where_vrrps_are_silent() {
    let running =
        model("", "process_names\nvrrp_cpu_affinity 1 3\nmax_auto_priority").global.running;
    assert_eq!(running.name.as_deref(), Some("keepalived_vrrp"));
    assert_eq!(running.cpus, [1, 3]);
    let after = Duration::from_secs(1);
    assert_eq!(running.auto_priority, Some(AutoPriority { max: 99, after }));
    let both = "vrrp_rt_priority 50\nbfd_rt_priority 60\nbfd_priority -5\nbfd_cpu_affinity 2\nmax_auto_priority -1";
    let global = model("", both).global;
    assert_eq!((global.realtime_priority, global.nice), (Some(50), Some(-5)));
    assert_eq!(global.running.cpus, [2]);
    assert_eq!(global.running.auto_priority, None);
}

#[test]
fn a_daemon_among_several_has_a_place_and_its_life_is_surrounded() {
    let found = model(
        "net_namespace ns\ninstance one\nuse_pid_dir\nchild_wait_time 9",
        "umask IWGRP|IWOTH\nstartup_script_timeout 3\nstartup_script \"/bin/up now\"\nreload_file\n\
         reload_check_config /tmp/found\nconfig_save_dir /tmp/saved\nvrrp_delay_after_boot 1.5",
    )
    .global;
    assert_eq!(found.place.namespace.as_deref(), Some("ns"));
    assert_eq!(found.place.instance.as_deref(), Some("one"));
    assert!(found.place.pid_directory);
    let life = found.supervision;
    assert_eq!(life.release_limit, Some(Duration::from_secs(9)));
    assert_eq!(life.umask, Some(0o22));
    let up = life.startup.expect("a command");
    assert_eq!((up.command.argv.len(), up.timeout), (2, Duration::from_secs(3)));
    assert_eq!(life.reload_marker, Some(Marker::BesidePidFile));
    assert_eq!(life.reload_log.as_deref(), Some("/tmp/found"));
    assert_eq!(life.delay_after_boot, Duration::from_millis(1500));
}

#[test]
fn a_random_seed_repeats_what_is_random() {
    let text = |seed: &str| {
        format!(
            "global_defs {{\n random_seed {seed}\n}}\n{}",
            instance(" priority ${_RANDOM 1 250}")
        )
    };
    let priority = |seed: &str| {
        let model = load(&text(seed)).model.expect("it runs");
        model.failover.instances[0].router.priority
    };
    assert_eq!(priority("7"), priority("7"));
    let others: Vec<_> = ["1", "2", "3", "4"].map(priority).into_iter().collect();
    assert!(others.iter().any(|other| *other != priority("7")), "{others:?}");
}

#[test]
fn neighbour_advertisements_have_a_pace_of_their_own() {
    let global = "global_defs {\n vrrp_gna_interval 0.25\n vrrp_garp_interval 0.5\n}\n";
    let six = instance("").replace("192.0.2.100/24", "fe80::1");
    let gap = |text: &str| {
        let model = load(&format!("{global}{text}")).model.expect("it runs");
        model.failover.instances[0].router.announcements.gap
    };
    assert_eq!(gap(&six), Duration::from_millis(250));
    assert_eq!(gap(&instance("")), Duration::from_millis(500));
}

#[test]
fn one_delay_of_an_interface_serves_both_directions_and_two_are_down_then_up() {
    let top = "interface_up_down_delays {\n eth0 1.5\n eth1 2 0\n}";
    let delays = model(top, "").failover.link_delays;
    let of = |name: &str| {
        let delays = delays[&standfast_types::InterfaceName::from(name)];
        (delays.down.as_millis(), delays.up.as_millis())
    };
    assert_eq!((of("eth0"), of("eth1")), ((1500, 1500), (2000, 0)));
}

#[test]
fn the_pace_of_a_group_of_interfaces_takes_the_place_of_the_instances_own() {
    let group = |interface: &str| {
        format!("garp_group {{\n garp_interval 0.5\n interfaces {{\n {interface} eth7\n }}\n}}")
    };
    let gap = |found: &Model| found.failover.instances[0].router.announcements.gap;
    let found = model(&group("eth0"), "vrrp_garp_interval 2");
    assert_eq!(found.failover.paces[0].interfaces.len(), 2);
    assert_eq!(found.failover.paces[0].neighbour, Duration::from_millis(500));
    assert_eq!(gap(&found), Duration::ZERO);
    assert_eq!(gap(&model(&group("eth1"), "vrrp_garp_interval 2")), Duration::from_secs(2));
}

#[test]
fn room_for_adverts_goes_by_the_instance_then_by_the_policy() {
    let room = |global: &str, own: &str| {
        let text = format!("global_defs {{\n{global}\n}}\n{}", instance(own));
        let model = load(&text).model.expect("it runs");
        let room = model.failover.instances[0].receive_buffer;
        (room.bytes, room.mtus)
    };
    assert_eq!(room("", ""), (0, 0));
    assert_eq!(room("vrrp_rx_bufs_policy mtu", ""), (0, 3));
    assert_eq!(room("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 300", ""), (0, 300));
    // IP 20, VRRP 8, an address 4, authentication 8.
    assert_eq!(room("vrrp_rx_bufs_multiplier 10\nvrrp_rx_bufs_policy ADVERT", ""), (400, 0));
    assert_eq!(room("vrrp_rx_bufs_policy 500000", ""), (500_000, 0));
    assert_eq!(room("vrrp_rx_bufs_policy 500000", "kernel_rx_buf_size 7000"), (7000, 0));
}

#[test]
fn unknown_ids_are_told_of_where_the_file_says_so() {
    assert!(model("", "log_unknown_vrids").failover.log_unknown_vrids);
    assert!(!model("", "").failover.log_unknown_vrids);
}
