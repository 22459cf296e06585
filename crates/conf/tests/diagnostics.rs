//! Each kind of mistake: its code, the exact words it underlines, and the hint.

mod support;

use standfast_conf::{Class, Code, Memory, ScriptFile, Severity, json, render, test_exit_code};
use support::{also, expect, find, instance, load, load_with, warnings};

/// Loads an instance with extra lines, the first of which is line 5.
fn with(extra: &str) -> standfast_conf::Loaded {
    load(&instance(extra))
}

/// A script that an instance tracks; its `script` line is line 2, `extra` line 3.
fn tracked(script: &str, extra: &str) -> String {
    let chk = format!("vrrp_script chk {{\n script {script}\n{extra}\n}}\n");
    chk + &instance(" track_script { chk }\n priority 100")
}

fn with_script(script: &str, files: Memory) -> standfast_conf::Loaded {
    load_with(&tracked(script, ""), files)
}

#[test]
fn a_misspelt_keyword_gets_a_suggestion() {
    let loaded = with(" prioritty 90");
    expect(&loaded, Code::UnknownKeyword, 5, "prioritty", "write `priority`");
    assert_eq!(find(&loaded, Code::UnknownKeyword).keepalived, Some(Class::Error));
}

#[test]
fn an_unknown_block_is_skipped_whole() {
    let loaded = with(" wibble {\n state SLAVE\n deeper { priority 3 }\n }\n priority 90");
    expect(&loaded, Code::UnknownKeyword, 5, "wibble", "");
    let model = loaded.model.expect("runs");
    assert_eq!(model.failover.instances[0].router.priority.get(), 90);
}

#[test]
fn a_keyword_in_the_wrong_block_learns_where_it_belongs() {
    let loaded = with(" auth_pass 1111");
    expect(&loaded, Code::WrongBlock, 5, "auth_pass", "`authentication` of `vrrp_instance`");
    let top = load("priority 100\n");
    expect(&top, Code::WrongBlock, 1, "priority", "`vrrp_instance`");
}

#[test]
fn the_block_that_is_never_closed_is_the_one_underlined() {
    let text = "vrrp_instance V {\n interface e\n virtual_router_id 1\n authentication {\n  auth_type PASS\n  auth_pass x\n virtual_ipaddress {\n  192.0.2.1\n }\n}\nvrrp_instance W {\n interface f\n virtual_router_id 2\n no_virtual_ipaddress\n}\n";
    let loaded = load(text);
    expect(&loaded, Code::UnclosedBlock, 4, "authentication {", "before `virtual_ipaddress`");
    assert_eq!(loaded.model.expect("runs").failover.instances.len(), 2);
}

#[test]
fn a_block_open_at_the_end_of_the_file_still_counts() {
    let loaded =
        load("vrrp_instance V {\n interface e\n virtual_router_id 1\n no_virtual_ipaddress\n");
    expect(&loaded, Code::UnclosedBlock, 1, "vrrp_instance V {", "write `}`");
    assert_eq!(loaded.model.expect("runs").failover.instances.len(), 1);
}

#[test]
fn an_extra_brace_is_underlined() {
    let loaded = load("global_defs {\n}\n}\n");
    expect(&loaded, Code::ExtraBrace, 3, "}", "closed too early");
}

#[test]
fn a_brace_without_keyword_and_a_keyword_without_brace_are_reported() {
    let loaded = with(" {\n state SLAVE\n }\n");
    expect(&loaded, Code::UnexpectedBlock, 5, "{", "");
    let flat = with(" virtual_ipaddress 192.0.2.1");
    expect(&flat, Code::MissingBlock, 5, "virtual_ipaddress", "virtual_ipaddress {");
}

#[test]
fn state_slave_means_backup() {
    let loaded = with(" state SLAVE\n priority 80");
    expect(&loaded, Code::BadState, 5, "SLAVE", "write `state BACKUP`");
    expect(&with(" state master"), Code::BadState, 5, "master", "write `state MASTER`");
}

#[test]
fn nopreempt_as_master_has_no_effect() {
    let loaded = with(" state MASTER\n priority 100\n nopreempt\n");
    expect(&loaded, Code::NoPreemptAsMaster, 7, "nopreempt", "`state BACKUP` on both nodes");
    let model = loaded.model.expect("runs");
    assert_eq!(model.failover.instances[0].router.preempt, standfast_vrrp::Preempt::Always);
    let delay = with(" preempt_delay 5\n state MASTER\n priority 100");
    expect(&delay, Code::NoPreemptAsMaster, 5, "5", "`state BACKUP`");
}

#[test]
fn priority_255_is_pointed_out_and_so_is_its_quiet_form() {
    expect(&with(" priority 255"), Code::AddressOwner, 5, "255", "254 or less");
    let quiet = with(" state MASTER");
    expect(&quiet, Code::AddressOwner, 5, "MASTER", "write `priority`");
    let model = quiet.model.expect("runs");
    assert!(model.failover.instances[0].router.priority.is_owner());
}

#[test]
fn a_virtual_router_id_is_needed_in_range_and_unique() {
    let missing = load("vrrp_instance V {\n interface e\n no_virtual_ipaddress\n}\n");
    expect(&missing, Code::VridMissing, 1, "V", "1 to 255");
    let large = load("vrrp_instance V {\n interface e\n virtual_router_id 256\n}\n");
    expect(&large, Code::VridMissing, 3, "256", "1 to 255");
    let twice = instance("") + &instance("").replace("VI_1", "VI_2").replace("2.100", "2.101");
    let twice = load(&twice);
    expect(&twice, Code::VridReused, 9, "51", "its own number");
    assert!(twice.model.is_none());
    for loaded in [missing, large] {
        let model = loaded.model.expect("other instances run");
        assert_eq!((model.left_out.len(), model.failover.instances.len()), (1, 0));
    }
    assert_eq!(test_exit_code(&twice.diagnostics), 5);
}

#[test]
fn unicast_instances_may_share_a_virtual_router_id() {
    let one = instance(" unicast_peer {\n 192.0.2.2\n }");
    let other = one.replace("VI_1", "VI_2").replace("2.100", "2.101").replace("2.2\n", "2.3\n");
    let loaded = load(&(one + &other));
    assert_eq!(warnings(&loaded), [Code::VridReused]);
    assert_eq!(loaded.model.expect("runs").failover.instances.len(), 2);
}

#[test]
fn a_weight_beyond_the_range_is_the_nearest_within() {
    let loaded = load(&tracked("\"/s\"", " weight -300"));
    expect(&loaded, Code::OutOfRange, 3, "-300", "-253 to 253");
    let model = loaded.model.expect("runs");
    assert_eq!(model.failover.instances[0].trackers.scripts[0].weight.value, -253);
}

#[test]
fn an_instance_needs_an_interface_that_can_do_vrrp() {
    let missing = load("vrrp_instance V {\n virtual_router_id 1\n no_virtual_ipaddress\n}\n");
    expect(&missing, Code::InterfaceMissing, 1, "V", "write `interface`");
    let loopback = with(" interface lo");
    expect(&loopback, Code::InterfaceMissing, 5, "lo", "other nodes");
    for loaded in [missing, loopback] {
        assert_eq!(loaded.model.expect("other instances run").left_out.len(), 1);
    }
}

#[test]
fn an_address_belongs_to_one_instance() {
    let second = instance("").replace("VI_1", "VI_2").replace("51", "52");
    let loaded = load(&(instance("") + &second));
    expect(&loaded, Code::AddressTwice, 10, "192.0.2.100/24", "one instance");
    let same = with(" virtual_ipaddress_excluded {\n 192.0.2.100\n }");
    expect(&same, Code::AddressTwice, 6, "192.0.2.100", "");
}

#[test]
fn a_group_must_be_multicast() {
    let loaded =
        load(&("global_defs {\n vrrp_mcast_group4 192.168.3.11\n}\n".to_owned() + &instance("")));
    expect(&loaded, Code::GroupNotMulticast, 2, "192.168.3.11", "224.0.0.0/4");
    let transport = &loaded.model.expect("runs").failover.instances[0].router.transport;
    let group = standfast_vrrp::Transport::GROUP;
    assert_eq!(transport, &standfast_vrrp::Transport::Multicast { group });
}

#[test]
fn advert_intervals_keep_to_their_version() {
    for (extra, centis) in
        [("advert_int 1.5", 200), ("advert_int 0.5", 100), ("version 3\nadvert_int 100", 4095)]
    {
        let loaded = with(extra);
        assert_eq!(warnings(&loaded), [Code::AdvertInterval], "{extra}");
        let interval = loaded.model.expect("runs").failover.instances[0].router.advert_interval;
        assert_eq!(interval.centis(), centis, "{extra}");
    }
    expect(&with(" advert_int 0"), Code::AdvertInterval, 5, "0", "1 to 255");
    expect(&with(" advert_int 1s"), Code::AdvertInterval, 5, "1s", "0.01 to 40.95");
    assert_eq!(warnings(&with(" version 3\n advert_int 0.25")), []);
}

#[test]
fn scripts_and_their_trackers_must_meet() {
    let unused = load(&("vrrp_script chk {\n script \"/s\"\n}\n".to_owned() + &instance("")));
    expect(&unused, Code::ScriptUnused, 1, "chk", "track_script { chk }");
    let text = "vrrp_script chk_web {\n script \"/s\"\n}\n".to_owned()
        + &instance(" track_script {\n chk_wev\n }");
    let misspelt = load(&text);
    expect(&misspelt, Code::ScriptUndefined, 9, "chk_wev", "did you mean `chk_web`?");
    let late =
        load(&(instance(" track_script {\n chk\n }") + "vrrp_script chk {\n script \"/s\"\n}\n"));
    expect(&late, Code::ScriptUndefined, 6, "chk", "move the vrrp_script above");
    assert!(late.model.expect("runs").failover.instances[0].trackers.scripts.is_empty());
}

#[test]
fn a_script_file_is_looked_at() {
    let file =
        |executable, writable| ScriptFile { exists: true, executable, writable, head: Vec::new() };
    let missing = with_script("\"/usr/bin/chk a\"", Memory::default());
    expect(&missing, Code::ScriptMissing, 2, "\"/usr/bin/chk a\"", "install it");
    let mut files = Memory::default();
    files.scripts.insert("/usr/bin/chk".into(), file(false, false));
    let plain = with_script("\"/usr/bin/chk a\"", files.clone());
    expect(&plain, Code::ScriptNotExecutable, 2, "\"/usr/bin/chk a\"", "chmod 755");
    files.scripts.insert("/usr/bin/chk".into(), file(true, true));
    let shared = with_script("\"/usr/bin/chk a\"", files);
    expect(&shared, Code::ScriptWritable, 2, "\"/usr/bin/chk a\"", "chmod go-w");
    assert_eq!(test_exit_code(&shared.diagnostics), 6);
}

#[test]
fn scripts_without_security_are_a_security_finding_only() {
    let files = Memory::default().with_script("/usr/bin/chk", "#!/bin/sh\nexit 0\n");
    let loaded = with_script("\"/usr/bin/chk\"", files.clone());
    expect(&loaded, Code::ScriptSecurityOff, 2, "\"/usr/bin/chk\"", "enable_script_security");
    assert_eq!(test_exit_code(&loaded.diagnostics), 6);
    let text =
        "global_defs {\n enable_script_security\n}\n".to_owned() + &tracked("\"/usr/bin/chk\"", "");
    let secure = load_with(&text, files);
    assert_eq!(warnings(&secure), []);
    assert_eq!(test_exit_code(&secure.diagnostics), 0);
}

#[test]
fn a_typographic_dash_in_the_script_file_is_shown_there() {
    let text = "#!/bin/bash\nA=`ps -C nginx \u{2013}no-header |wc -l`\n";
    let files = Memory::default().with_script("/etc/chk.sh", text);
    let loaded = with_script("\"/etc/chk.sh\"", files);
    expect(&loaded, Code::Typography, 2, "\"/etc/chk.sh\"", "write `--no-header`");
    let label = &find(&loaded, Code::Typography).secondary[0];
    let position = loaded.sources.position(label.span);
    assert_eq!((position.line, position.column), (2, 16));
    assert_eq!(loaded.sources.path(label.span).to_str(), Some("/etc/chk.sh"));
}

#[test]
fn a_typographic_character_in_the_command_is_underlined() {
    let loaded =
        with_script("\"/bin/ps \u{2013}C nginx\"", Memory::default().with_script("/bin/ps", ""));
    expect(&loaded, Code::Typography, 2, "\u{2013}", "write `-C`");
    let quotes = with_script("\u{201c}/bin/ps\u{201d}", Memory::default());
    assert!(quotes.diagnostics.iter().any(|found| found.code == Code::Typography));
}

#[test]
fn unquoted_arguments_are_lost() {
    let loaded = with_script("/usr/bin/killall -0 nginx", Memory::default());
    expect(&loaded, Code::UnquotedArguments, 2, "-0 nginx", "in double quotes");
    let model = loaded.model.expect("runs");
    assert_eq!(model.scripts[0].command.argv, ["/usr/bin/killall"]);
    let notify = with(" notify_master /bin/sh -c x");
    expect(&notify, Code::UnquotedArguments, 5, "-c x", "in double quotes");
}

#[test]
fn quotes_inside_a_command_must_balance() {
    let loaded = with_script("\"/bin/sh -c 'exit 0\"", Memory::default());
    expect(&loaded, Code::UnbalancedQuote, 2, "\"/bin/sh -c 'exit 0\"", "");
    expect(&loaded, Code::CommandMissing, 1, "chk", "script \"");
}

#[test]
fn a_pipe_without_a_shell_is_pointed_out() {
    let loaded = with_script("\"/usr/bin/pidof nginx | wc\"", Memory::default());
    expect(&loaded, Code::ShellSyntax, 2, "\"/usr/bin/pidof nginx | wc\"", "/bin/sh -c");
    let shell = with_script("\"/bin/sh -c 'a | b'\"", Memory::default());
    assert!(!shell.diagnostics.iter().any(|found| found.code == Code::ShellSyntax));
}

#[test]
fn a_weight_names_the_priorities_that_it_makes() {
    let positive = load(&tracked("\"/s\"", " weight 10"));
    expect(&positive, Code::WeightRange, 3, "10", "");
    let found = find(&positive, Code::WeightRange);
    assert!(found.message.contains("110 while it is healthy, 100 while it fails"), "{found:?}");
    assert!(found.primary.text.contains("101 to 109"));
    let negative = load(&tracked("\"/s\"", " weight -20"));
    assert!(find(&negative, Code::WeightRange).primary.text.contains("81 to 99"));
    let tiny = load(&tracked("\"/s\"", " weight 1"));
    assert_eq!(find(&tiny, Code::WeightRange).severity, Severity::Warning);
    let owner = load(&tracked("\"/s\"", " weight 10").replace("priority 100", "priority 255"));
    assert!(find(&owner, Code::WeightRange).message.contains("does nothing"));
}

#[test]
fn tracking_the_own_interface_is_redundant() {
    let loaded = with(" track_interface {\n eth0\n }");
    expect(&loaded, Code::OwnInterface, 6, "eth0", "uplink");
    assert!(loaded.model.expect("runs").failover.instances[0].trackers.interfaces.is_empty());
}

#[test]
fn a_peer_is_another_node() {
    let own = with(" unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.1\n }");
    expect(&own, Code::PeerIsSelf, 7, "192.0.2.1", "other nodes");
    let none = with(" unicast_peer {\n }");
    expect(&none, Code::PeersMissing, 5, "unicast_peer", "list the other nodes");
    expect(&with(" unicast_peer {\n host\n 192.0.2.9\n }"), Code::BadAddress, 6, "host", "names");
    let with_length = with(" unicast_peer {\n 192.0.2.9/24\n }");
    expect(&with_length, Code::BadAddress, 6, "192.0.2.9/24", "write `192.0.2.9`");
    assert_eq!(warnings(&with_length), [], "it is used");
}

#[test]
fn an_ipv6_instance_runs_with_version_3_and_should_begin_with_a_link_local_address() {
    let six = |address| instance("").replace("192.0.2.100/24", address);
    let loaded = load(&six("2001:db8::1/64"));
    expect(&loaded, Code::LinkLocalFirst, 4, "2001:db8::1/64", "fe80::/64");
    let proper = load(&six("fe80::1"));
    assert_eq!(warnings(&proper), []);
    let model = proper.model.expect("runs");
    let router = &model.failover.instances[0].router;
    assert_eq!(router.version, standfast_vrrp::Version::V3);
    assert_eq!(router.family, standfast_types::Family::V6);
}

#[test]
fn what_is_not_active_is_announced_once() {
    let loaded = load("global_defs {\n enable_dbus\n enable_traps\n enable_traps\n}\n");
    let codes: Vec<_> = loaded.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::NotActive, Code::NotActive]);
    assert_eq!(test_exit_code(&loaded.diagnostics), 0);
    expect(&with(" debug 3"), Code::NoEffect, 5, "debug", "");
}

#[test]
fn services_are_checked() {
    let text = instance(" unicast_src_ip 192.0.2.1")
        + "virtual_server 192.0.2.1 80 {\n lb_kind DR\n nat_mask 1\n real_server 192.0.2.7 8080 {\n  TCP_CHECK {\n   nb_get_retry 3\n   conect_port 80\n  }\n }\n}\n";
    let loaded = load(&text);
    expect(&loaded, Code::ServiceOnOwnAddress, 7, "192.0.2.1", "virtual_server 192.0.2.100");
    expect(&loaded, Code::DirectRoutingPort, 10, "8080", "listen on 80");
    let unknown: Vec<_> =
        loaded.diagnostics.iter().filter(|d| d.code == Code::UnknownKeyword).collect();
    assert_eq!(unknown.len(), 3);
    assert_eq!(unknown[1].hint.as_deref(), Some("write `retry`"));
    assert_eq!(unknown[2].hint.as_deref(), Some("write `connect_port`"));
    let lower = load("virtual_server 192.0.2.1 80 {\n lb_kind dr\n}\n");
    expect(&lower, Code::ForwardingMethod, 2, "dr", "write `lb_kind DR`");
}

#[test]
fn a_missing_value_is_fatal_as_in_keepalived() {
    let loaded = with(" priority");
    expect(&loaded, Code::MissingParameter, 5, "priority", "");
    assert!(loaded.model.is_none());
    assert_eq!(test_exit_code(&loaded.diagnostics), 2);
}

#[test]
fn values_out_of_range_fall_back() {
    expect(&with(" priority 300"), Code::OutOfRange, 5, "300", "1 to 255");
    expect(&with(" priority high"), Code::BadValue, 5, "high", "1 to 255");
    expect(&with(" garp_master_repeat 0"), Code::OutOfRange, 5, "0", "");
    expect(&with(" lower_prio_no_advert maybe"), Code::BadValue, 5, "maybe", "true");
    expect(&with(" priority 100 90"), Code::SurplusWords, 5, "90", "each line");
    expect(
        &with(" virtual_ipaddress {\n 192.0.2.1/33\n }"),
        Code::OutOfRange,
        6,
        "192.0.2.1/33",
        "",
    );
    expect(
        &with(" virtual_ipaddress {\n 192.0.2.1 192.0.2.2\n }"),
        Code::UnknownOption,
        6,
        "192.0.2.2",
        "one address",
    );
}

#[test]
fn an_option_that_is_misspelled_takes_its_value_along() {
    let loaded = with(" virtual_ipaddress {\n 192.0.2.1 devv eth1\n }");
    expect(&loaded, Code::UnknownOption, 6, "devv", "did you mean `dev`?");
    assert_eq!(warnings(&loaded), [Code::UnknownOption], "the value is no mistake of its own");
}

#[test]
fn an_old_spelling_says_where_its_new_one_belongs() {
    let loaded = with(" thread_timer_expired 3\n lvs_sync_daemon_interface eth1");
    let found = loaded.diagnostics.iter().filter(|found| found.code == Code::Deprecated);
    let hints: Vec<_> = found.map(|found| found.hint.as_deref().unwrap_or_default()).collect();
    assert_eq!(hints, ["write `timer_expired_backup`", "write `lvs_sync_daemon` in `global_defs`"]);
}

#[test]
fn names_are_unique_and_defaults_come_first() {
    let twice = load(&(instance("") + &instance("")));
    expect(&twice, Code::DuplicateName, 7, "VI_1", "");
    let late = load(&(instance("") + "global_defs {\n vrrp_version 3\n}\n"));
    expect(&late, Code::DefinedTooLate, 8, "vrrp_version", "start of the file");
}

#[test]
fn a_placeholder_is_recognised() {
    let loaded = with(" authentication {\n auth_type PASS\n auth_pass <PASSWORD>\n }");
    expect(&loaded, Code::Placeholder, 7, "<PASSWORD>", "");
}

#[test]
fn the_rendered_text_underlines_the_token() {
    let loaded = load(
        "vrrp_instance V {\n interface e\n virtual_router_id 1\n no_virtual_ipaddress\n state SLAVE\n}\n",
    );
    let text = render(find(&loaded, Code::BadState), &loaded.sources, false);
    let expected = "\
warning[SF0301]: `SLAVE` is no state; BACKUP is used
 --> /etc/keepalived/keepalived.conf:5:8
  |
5 |  state SLAVE
  |        ^^^^^
  |
  = help: write `state BACKUP`";
    assert_eq!(text, expected);
}

#[test]
fn the_json_form_has_the_place_in_numbers() {
    let loaded = with(" state SLAVE");
    let value = serde_json::to_value(json(find(&loaded, Code::BadState), &loaded.sources));
    let value = value.expect("serializes");
    assert_eq!(value["code"], "SF0301");
    assert_eq!(value["severity"], "warning");
    assert_eq!((value["line"].as_u64(), value["column"].as_u64()), (Some(5), Some(8)));
    assert_eq!(value["end"]["column"], 13);
    assert_eq!(value["hint"], "write `state BACKUP`");
    assert_eq!(value["labels"][0]["line"], 5);
}

#[test]
fn an_interval_of_0_is_said_to_become_1() {
    let loaded = load(&tracked("\"/s\"", " interval 0"));
    expect(&loaded, Code::OutOfRange, 3, "0", "0.001 to 1000000");
    assert_eq!(loaded.model.expect("runs").scripts[0].interval.as_secs(), 1);
}

#[test]
fn a_missing_value_is_only_ignored_where_keepalived_goes_on() {
    let fatal = load("global_defs {\n smtp_server\n}\n");
    assert_eq!(test_exit_code(&fatal.diagnostics), 2);
    for lenient in ["global_defs {\n script_user\n}\n", "vrrp_sync_group {\n}\n", "instance\n"] {
        let loaded = load(lenient);
        assert!(loaded.model.is_some(), "{lenient}");
        assert_eq!(test_exit_code(&loaded.diagnostics), 5, "{lenient}");
    }
}

#[test]
fn a_misspelt_address_block_is_not_said_to_be_missing_too() {
    let text = "vrrp_instance V {\n interface e\n virtual_router_id 1\n virtual_ipadress {\n 192.0.2.1\n }\n}\n";
    assert_eq!(warnings(&load(text)), [Code::UnknownKeyword]);
    let other = load(&text.replace("virtual_ipadress", "nonsense"));
    assert_eq!(warnings(&other), [Code::AddressMissing, Code::UnknownKeyword]);
}

#[test]
fn double_quotes_inside_double_quotes_end_the_command() {
    for command in ["echo hi", "echo"] {
        let loaded = with(&format!(" notify_master \"/bin/sh -c \"{command}\"\""));
        let hint = format!("write `\"/bin/sh -c '{command}'\"`");
        expect(&loaded, Code::UnquotedArguments, 5, &format!("{command}\"\""), &hint);
        let found = find(&loaded, Code::UnquotedArguments);
        assert!(found.message.starts_with("the quote ends before `echo`"), "{found:?}");
        assert!(loaded.diagnostics.iter().all(|found| found.code != Code::SurplusWords));
        assert!(loaded.model.expect("runs").notify.is_empty(), "`echo` is no user");
    }
}

#[test]
fn an_address_that_an_instance_lists_twice_names_the_first_place() {
    let loaded = load(
        "vrrp_instance V {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1/24\n 192.0.2.1/32\n }\n}\n",
    );
    expect(&loaded, Code::AddressTwice, 6, "192.0.2.1/32", "delete this line");
    let first = (5, "192.0.2.1/24".to_owned(), "first listed here".to_owned());
    assert_eq!(also(&loaded, Code::AddressTwice), [first]);
}

#[test]
fn a_prefix_length_that_does_not_exist_is_told_the_limits() {
    let addresses = |address: &str| {
        load(&format!(
            "vrrp_instance V {{\n interface e\n virtual_router_id 1\n virtual_ipaddress {{\n {address}\n }}\n}}\n"
        ))
    };
    expect(&addresses("172.31.4.5/33"), Code::OutOfRange, 5, "172.31.4.5/33", "0 to 32");
    expect(&addresses("2001:db8::1/129"), Code::OutOfRange, 5, "2001:db8::1/129", "0 to 128");
}

#[test]
fn a_misspelt_keyword_of_another_block_is_recognised() {
    expect(&with(" weigth 5"), Code::UnknownKeyword, 5, "weigth", "did you mean `weight`?");
}

#[test]
fn an_old_spelling_of_a_top_level_keyword_says_where_the_new_one_stands() {
    let loaded = with(" linkbeat_use_polling");
    expect(&loaded, Code::Deprecated, 5, "linkbeat_use_polling", "at the top level");
}

#[test]
fn a_second_definition_says_what_to_do() {
    let loaded = load(&instance("").repeat(2));
    expect(&loaded, Code::DuplicateName, 7, "VI_1", "a name of its own");
}

#[test]
fn a_file_that_is_no_program_is_not_to_be_made_one() {
    let hint = |path: &str, text: &str| {
        let head = text.as_bytes().to_vec();
        let file = ScriptFile { exists: true, executable: false, writable: false, head };
        let mut files = Memory::default();
        files.scripts.insert(path.into(), file);
        let loaded = with_script(path, files);
        find(&loaded, Code::ScriptNotExecutable).hint.clone().expect("a hint")
    };
    assert!(hint("/etc/passwd", "root:x:0:0\n").contains("is it the right file?"));
    assert_eq!(hint("/etc/check", "#!/bin/sh\n"), "chmod 755 /etc/check");
    assert_eq!(hint("/usr/local/bin/check", ""), "chmod 755 /usr/local/bin/check");
}

#[test]
fn a_configuration_whose_lines_were_skipped_is_not_called_empty() {
    let long = load(&format!("global_defs {{ router_id {} }}\n", "a".repeat(65_536)));
    assert_eq!(warnings(&long), [Code::LongLine]);
    assert!(find(&long, Code::LongLine).message.contains("it is skipped, as keepalived skips it"));
    let cycle = load("include keepalived.conf\n");
    assert_eq!(warnings(&cycle), [Code::IncludeCycle]);
    assert_eq!(warnings(&load("# nothing\n")), [Code::NothingToDo]);
}
