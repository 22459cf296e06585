//! Mistakes that only several keywords together make.

mod support;

use standfast_conf::{Code, Loaded, Memory, Severity, test_exit_code};
use support::{MAIN, expect, find, instance, load, load_with, warnings};

/// A script that an instance tracks; its `script` line is line 2, `extra` starts at line 3.
fn script(command: &str, extra: &str) -> String {
    let chk = format!("vrrp_script chk {{\n script \"{command}\"\n{extra}\n}}\n");
    chk + &instance(" track_script {\n chk\n }")
}

fn timed(extra: &str) -> Loaded {
    load_with(&script("/bin/chk", extra), Memory::default().with_script("/bin/chk", "#!/bin/sh\n"))
}

/// Codes of the findings that this file is about.
fn together(loaded: &Loaded) -> Vec<Code> {
    let codes = loaded.diagnostics.iter().map(|found| found.code);
    codes.filter(|code| matches!(code.number(), 320..340 | 413..430 | 700..)).collect()
}

#[test]
fn a_timeout_beyond_the_interval_says_what_is_skipped() {
    let loaded = timed(" interval 2\n timeout 5");
    expect(&loaded, Code::TimeoutBeyondInterval, 4, "5", "write `timeout 2` or less");
    let found = find(&loaded, Code::TimeoutBeyondInterval);
    assert_eq!((found.severity, found.secondary.len()), (Severity::Note, 1));
    assert_eq!(together(&timed(" interval 5\n timeout 5")), []);
}

#[test]
fn a_timeout_of_zero_is_the_interval() {
    expect(&timed(" interval 2\n timeout 0.0"), Code::TimeoutZero, 4, "0.0", "delete the line");
}

#[test]
fn a_script_that_takes_longer_than_ten_minutes_to_be_noticed_is_slow() {
    let loaded = timed(" interval 60\n fall 60");
    expect(&loaded, Code::SlowScript, 4, "60", "`fall` and `rise` in runs");
    assert!(find(&loaded, Code::SlowScript).message.contains("a failure only after 60 minutes"));
    let rise = timed(" interval 1\n rise 2000000000");
    assert!(find(&rise, Code::SlowScript).message.contains("a recovery only after 23148 days"));
    let interval = timed(" interval 20000");
    expect(&interval, Code::SlowScript, 3, "20000", "");
    assert!(find(&interval, Code::SlowScript).message.contains("5 hours"));
    assert_eq!(together(&timed(" interval 60\n fall 10\n rise 10")), []);
}

#[test]
fn a_program_is_looked_for_in_the_folders_of_path() {
    let there = Memory::default().with_script("/usr/bin/pidof", "");
    assert_eq!(together(&load_with(&script("pidof nginx", ""), there)), []);
    let absent = load(&script("pidoff nginx", ""));
    expect(&absent, Code::ScriptPath, 2, "\"pidoff nginx\"", "from `/` on");
    assert_eq!(test_exit_code(&absent.diagnostics), 6);
    let relative = load(&script("scripts/chk.sh", ""));
    assert!(find(&relative, Code::ScriptPath).message.contains("where the daemon was started"));
    let untracked = load(&format!("vrrp_script s {{\n script \"nosuch\"\n}}\n{}", instance("")));
    assert_eq!(together(&untracked), [], "it never runs");
}

#[test]
fn a_script_that_sleeps_beyond_its_timeout_fails_and_the_line_is_shown() {
    let text = "#!/bin/bash\nif [ $A -eq 0 ]; then\n  /usr/sbin/nginx\n  sleep 3\nfi\n";
    let files = || Memory::default().with_script("/etc/chk.sh", text);
    let loaded = load_with(&script("/bin/bash /etc/chk.sh", " interval 2"), files());
    expect(&loaded, Code::ScriptSleeps, 2, "\"/bin/bash /etc/chk.sh\"", "a `timeout` beyond 3");
    let found = find(&loaded, Code::ScriptSleeps);
    assert_eq!(found.severity, Severity::Warning);
    let place = found.secondary[0].span;
    assert_eq!(loaded.sources.position(place).line, 4);
    assert_eq!(&text.as_bytes()[place.range()], b"sleep 3");
    let longer = load_with(&script("/etc/chk.sh", " interval 2\n timeout 9"), files());
    assert_eq!(find(&longer, Code::ScriptSleeps).severity, Severity::Note);
    let enough = load_with(&script("/etc/chk.sh", " interval 4"), files());
    assert_eq!(together(&enough), []);
}

#[test]
fn a_source_or_a_peer_must_not_be_an_address_that_moves() {
    let source = load(&instance(" mcast_src_ip 192.0.2.100"));
    expect(&source, Code::SourceMoves, 5, "192.0.2.100", "own address");
    assert_eq!(source.sources.position(find(&source, Code::SourceMoves).secondary[0].span).line, 4);
    let peer = load(&instance(" unicast_peer {\n 192.0.2.2\n 192.0.2.100\n }"));
    expect(&peer, Code::PeerMoves, 7, "192.0.2.100", "other nodes");
    let neither = instance(" unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.2\n }");
    assert_eq!(together(&load(&neither)), []);
}

/// `global_defs` from line 1 on, and an instance that asks for mail.
fn mail(globals: &str) -> Loaded {
    load(&format!("global_defs {{\n{globals}\n}}\n{}", instance(" smtp_alert")))
}

#[test]
fn mail_needs_somebody_to_go_to_and_a_server() {
    let nobody = mail(" smtp_server 192.0.2.25");
    expect(&nobody, Code::AlertWithoutMailbox, 8, "smtp_alert", "notification_email");
    let empty = mail(" notification_email {\n }\n smtp_server 192.0.2.25");
    expect(&empty, Code::NoMailbox, 2, "notification_email", "one on each line");
    assert_eq!((together(&empty).len(), test_exit_code(&empty.diagnostics)), (1, 5));
    let no_server = mail(" notification_email {\n ops@corp.example.se\n }");
    expect(&no_server, Code::AlertWithoutServer, 10, "smtp_alert", "smtp_server 127.0.0.1");
    let off = instance(" smtp_alert off");
    assert_eq!(together(&load(&off)), []);
}

#[test]
fn mail_settings_that_work_give_nothing() {
    let list = " notification_email {\n ops@corp.se\n b@corp.se\n }\n";
    assert_eq!(together(&mail(&format!("{list} smtp_server mail.corp.se 587"))), []);
    let local = " notification_email {\n root\n }\n smtp_server 127.0.0.1";
    assert_eq!(together(&mail(local)), [], "the machine's own server knows root");
}

#[test]
fn a_mail_address_has_an_at_sign() {
    let loaded = mail(" smtp_server 192.0.2.25\n notification_email {\n ops\n b@corp.se\n dev\n }");
    assert_eq!(together(&loaded), [Code::BadMailbox; 2], "one for each");
    for bad in ["ops", "ops@", "@corp.se"] {
        let list = format!(" notification_email {{\n b@corp.se {bad}\n }}");
        let loaded = mail(&format!(" smtp_server 192.0.2.25\n{list}"));
        expect(&loaded, Code::BadMailbox, 4, bad, "user@domain");
        let nowhere = mail(&list);
        expect(&nowhere, Code::BadMailbox, 3, bad, "user@domain");
    }
}

#[test]
fn a_mail_server_that_exists_nowhere_is_a_placeholder() {
    let list = "notification_email {\n ops@corp.se\n }";
    for name in ["mail.example.com", "<SMTP>", "@SMTP@", "YOUR_SMTP_SERVER"] {
        let loaded = mail(&format!(" smtp_server {name}\n {list}"));
        expect(&loaded, Code::BadMailServer, 2, name, "name or address");
        assert_eq!(find(&loaded, Code::BadMailServer).severity, Severity::Warning);
    }
    for broken in ["300.1.1.1", "192.0.2.25:25", "mail.corp.se:25"] {
        let loaded = mail(&format!(" smtp_server {broken}\n {list}"));
        expect(&loaded, Code::BadMailServer, 2, broken, "a port behind a blank");
        assert_eq!(test_exit_code(&loaded.diagnostics), 5, "{broken}");
    }
    for sound in ["::1", "192.0.2.25", "3com.se"] {
        assert_eq!(together(&mail(&format!(" smtp_server {sound}\n {list}"))), [], "{sound}");
    }
    let unused = load("global_defs {\n smtp_server mail.example.com\n}\n");
    assert_eq!(find(&unused, Code::BadMailServer).severity, Severity::Note);
    assert_eq!(together(&mail(&format!(" smtp_server counterexample.com\n {list}"))), []);
}

#[test]
fn a_password_that_everybody_can_read_is_noted_once_a_file() {
    let secret = " authentication {\n auth_type PASS\n auth_pass abc\n }";
    let text = instance(secret)
        + &instance(secret).replace("VI_1", "VI_2").replace("51", "52").replace("100", "101");
    let with_modes = |modes: &[(&str, u32)]| {
        let mut files = Memory::default();
        files.modes.extend(modes.iter().map(|(path, mode)| ((*path).into(), *mode)));
        load_with(&text, files)
    };
    let open = with_modes(&[(MAIN, 0o644), ("/etc/keepalived", 0o755)]);
    expect(&open, Code::SecretReadable, 7, "abc", "chmod 640 /etc/keepalived/keepalived.conf");
    assert_eq!(find(&open, Code::SecretReadable).severity, Severity::Note);
    assert_eq!(together(&with_modes(&[(MAIN, 0o640)])), []);
    let shut = with_modes(&[(MAIN, 0o644), ("/etc/keepalived", 0o750)]);
    assert_eq!(together(&shut), [], "nobody gets to the file");
}

#[test]
fn an_empty_file_has_nothing_to_do() {
    for text in ["", "# nothing\n\n", "@elsewhere vrrp_version 3\n"] {
        assert_eq!(warnings(&load(text)), [Code::NothingToDo], "{text:?}");
    }
    let missing =
        standfast_conf::load("/nowhere".as_ref(), &Default::default(), &Memory::default());
    assert_eq!(together(&missing), [], "what cannot be read is not empty");
}

#[test]
fn scripts_without_an_instance_are_one_finding() {
    let text = "vrrp_script a {\n script \"/bin/a\"\n}\nvrrp_script b {\n script \"/bin/b\"\n}\n";
    let loaded = load(text);
    expect(&loaded, Code::NothingToDo, 1, "vrrp_script", "write the instance");
    let unused = loaded.diagnostics.iter().filter(|found| found.code == Code::ScriptUnused);
    assert_eq!(unused.count(), 0);
}

#[test]
fn the_deployments_get_none_of_these_findings_wrongly() {
    let files = [
        include_str!("fixtures/container-master.conf"),
        include_str!("fixtures/container-slave.conf"),
        include_str!("fixtures/compose-master.conf"),
        include_str!("fixtures/compose-slave.conf"),
        include_str!("fixtures/standby-a.conf"),
        include_str!("fixtures/standby-b.conf"),
        include_str!("fixtures/uplink-a.conf"),
        include_str!("fixtures/uplink-b.conf"),
        include_str!("fixtures/director.conf"),
    ];
    for text in files {
        let files = Memory::default().with_script("/bin/pidof", "");
        assert_eq!(together(&load_with(text, files)), [], "{text}");
    }
}

#[test]
fn a_peer_whose_least_ttl_is_above_its_greatest_is_never_heard() {
    let peer = |ttl: &str| load(&instance(&format!(" unicast_peer {{\n 192.0.2.3 {ttl}\n }}")));
    for ttl in ["min_ttl 9 max_ttl 8", "max_ttl 8 min_ttl 9"] {
        let word = ttl.rsplit(' ').next().expect("a word");
        expect(&peer(ttl), Code::PeerUnheard, 6, word, "not above `max_ttl`");
    }
    for ttl in ["min_ttl 9 max_ttl 9", "max_ttl 0", "min_ttl 255"] {
        assert_eq!(together(&peer(ttl)), [], "{ttl}");
    }
}

#[test]
fn a_keyword_for_unicast_needs_peers() {
    for line in ["unicast_src_ip 192.0.2.1", "unicast_ttl 9", "check_unicast_src"] {
        let loaded = load(&instance(&format!(" {line}")));
        let keyword = line.split(' ').next().expect("a keyword");
        expect(&loaded, Code::PeersMissing, 5, keyword, "`unicast_peer`");
        assert_eq!(test_exit_code(&loaded.diagnostics), 5, "{line}");
        let peers = " unicast_peer {\n 192.0.2.2\n }";
        assert_eq!(warnings(&load(&instance(&format!(" {line}\n{peers}")))), [], "{line}");
    }
}

#[test]
fn the_own_interface_is_not_tracked_with_a_weight() {
    let track = |line: &str| load(&instance(&format!(" track_interface {{\n {line}\n }}")));
    let severity = |loaded: &Loaded| find(loaded, Code::OwnInterface).severity;
    assert_eq!(severity(&track("eth0")), Severity::Note);
    let weighted = track("eth0 weight -10");
    expect(&weighted, Code::OwnInterface, 6, "eth0", "uplink");
    assert_eq!(warnings(&weighted), [Code::OwnInterface], "the weight can do nothing at all");
    assert_eq!(test_exit_code(&weighted.diagnostics), 5);
    let untracked = load(&instance(" dont_track_primary\n track_interface {\n eth0\n }"));
    assert_eq!(severity(&untracked), Severity::Warning);
}

#[test]
fn keepalived_complains_of_a_type_without_password_and_of_polling() {
    let code = |text: &str| test_exit_code(&load(&instance(text)).diagnostics);
    assert_eq!(code(" authentication {\n auth_type PASS\n }"), 5);
    assert_eq!(code(" authentication {\n auth_pass secret\n }"), 0);
    assert_eq!(code(" linkbeat_use_polling"), 5);
}

#[test]
fn strict_mode_ignores_what_the_standard_does_not_have() {
    let with = |global: &str, line: &str| {
        load(&format!("global_defs {{\n {global}\n}}\n{}", instance(&format!(" {line}"))))
    };
    let lines = [
        "authentication {\n auth_type PASS\n auth_pass k8sVIPpw\n }",
        "accept",
        "preempt_delay 5",
        "down_timer_adverts 5",
        "garp_lower_prio_repeat 1",
        "garp_lower_prio_delay 3",
        "lower_prio_no_advert off",
        "higher_prio_send_advert",
    ];
    for line in lines {
        let keyword = line.split(' ').next().expect("a keyword");
        let loaded = with("vrrp_strict", line);
        expect(&loaded, Code::StrictMode, 8, keyword, "switch strict mode off");
        assert_eq!(test_exit_code(&loaded.diagnostics), 5, "{line}");
        assert_eq!(together(&with("vrrp_strict off", line)), [], "{line}");
        let own = with("vrrp_strict", &format!("strict_mode off\n {line}"));
        assert_eq!(together(&own), [], "{line}");
    }
    for sound in ["accept\n version 3", "preempt_delay 0", "garp_lower_prio_delay 0", "nopreempt"] {
        assert_eq!(together(&with("vrrp_strict", sound)), [], "{sound}");
    }
}

#[test]
fn strict_mode_knows_one_mac_one_master_and_one_kind_of_first_address() {
    let with = |text: &str| load(&format!("global_defs {{\n vrrp_strict\n}}\n{}", instance(text)));
    let mac = with(" use_vmac 02:00:00:00:01");
    expect(&mac, Code::StrictMode, 8, "02:00:00:00:01", "switch strict mode off");
    expect(&with(" state MASTER\n priority 100"), Code::StrictMode, 8, "MASTER", "`state BACKUP`");
    expect(&with(" state BACKUP\n priority 255"), Code::StrictMode, 8, "BACKUP", "`state MASTER`");
    assert_eq!(together(&with(" state MASTER\n priority 255")), []);
}

#[test]
fn an_interface_of_ones_own_needs_a_free_name_one_kind_and_an_address() {
    let with = |line: &str| load(&instance(&format!(" {line}")));
    expect(&with("use_vmac eth0"), Code::OwnMac, 5, "eth0", "a name that is free");
    expect(&with("use_vmac name lo"), Code::OwnMac, 5, "lo", "a name that is free");
    expect(&with("vmac_xmit_base"), Code::OwnMac, 5, "vmac_xmit_base", "`use_vmac` too");
    let kinds = with("use_ipvlan 192.0.2.3 vepa private");
    expect(&kinds, Code::OwnMac, 5, "private", "one of bridge");
    expect(&with("use_ipvlan"), Code::OwnMac, 5, "use_ipvlan", "own address");
    for sound in ["use_vmac\n vmac_xmit_base", "use_vmac vrrp.51", "use_ipvlan ipv0 192.0.2.3"] {
        assert_eq!(together(&with(sound)), [], "{sound}");
    }
}
