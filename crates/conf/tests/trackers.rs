//! Mistakes in what has a name: trackers, groups, and values that stand twice.

mod support;

use standfast_conf::{Class, Code, Loaded, Severity};
use standfast_failover::Comparison;
use support::{expect, find, instance, load, warnings};

fn codes(loaded: &Loaded) -> Vec<Code> {
    let known = |code: &Code| !matches!(code, Code::NotActive | Code::NoEffect);
    loaded.diagnostics.iter().map(|found| found.code).filter(known).collect()
}

/// An instance of a name, its number and its address.
fn named(name: &str, number: u8, extra: &str) -> String {
    instance(extra)
        .replace("VI_1", name)
        .replace("_id 51", &format!("_id {number}"))
        .replace("2.100", &format!("2.{number}"))
}

fn group(name: &str, members: &str) -> String {
    format!("vrrp_sync_group {name} {{\n group {{\n {members}\n }}\n}}\n")
}

const FILE: &str = "track_file load {\n file /run/load\n}\n";

#[test]
fn a_tracker_is_defined_above_the_instance_that_follows_it() {
    let follower = instance(" track_file {\n load\n }");
    assert_eq!(codes(&load(&(FILE.to_owned() + &follower))), []);
    let late = load(&(follower.clone() + FILE));
    expect(&late, Code::TrackerUndefined, 6, "load", "move the track_file above");
    assert_eq!(find(&late, Code::TrackerUndefined).keepalived, Some(Class::Error));
    let misspelt = load(&(FILE.replace("load {", "laod {") + &follower));
    expect(&misspelt, Code::TrackerUndefined, 9, "load", "did you mean `laod`?");
    for list in ["track_process", "track_bfd"] {
        let loaded = load(&instance(&format!(" {list} {{\n load\n }}")));
        expect(&loaded, Code::TrackerUndefined, 6, "load", "define");
    }
}

#[test]
fn a_tracker_that_nothing_follows_is_pointed_out() {
    let process = "vrrp_track_process web {\n process nginx\n}\n";
    let bfd = "bfd_instance peer {\n neighbor_ip 192.0.2.9\n}\n";
    for (text, name, list) in [
        (FILE, "load", "track_file"),
        (process, "web", "track_process"),
        (bfd, "peer", "track_bfd"),
    ] {
        let loaded = load(&(text.to_owned() + &instance("")));
        expect(&loaded, Code::TrackerUnused, 1, name, list);
    }
}

#[test]
fn a_tracker_knows_what_to_look_at() {
    for (text, name, hint) in [
        ("track_file load {\n weight 1\n}\n", "load", "`file PATH`"),
        ("vrrp_track_process web {\n}\n", "web", "`process COMMAND`"),
        ("bfd_instance peer {\n}\n", "peer", "`neighbor_ip ADDRESS`"),
    ] {
        expect(&load(text), Code::TrackerIncomplete, 1, name, hint);
    }
}

#[test]
fn a_bfd_neighbour_is_another_machine_with_one_session() {
    let session = |name: &str, neighbor: &str, source: &str| {
        format!("bfd_instance {name} {{\n neighbor_ip {neighbor}\n source_ip {source}\n}}\n")
    };
    let own = load(&session("a", "192.0.2.1", "192.0.2.1"));
    expect(&own, Code::NeighborUnfit, 2, "192.0.2.1", "other machine");
    let family = load(&session("a", "192.0.2.1", "2001:db8::1"));
    expect(&family, Code::NeighborUnfit, 3, "2001:db8::1", "family");
    let good = session("a", "192.0.2.1", "192.0.2.2");
    let twice = load(&(good.clone() + &good.replace("_instance a", "_instance b")));
    expect(&twice, Code::NeighborUnfit, 6, "192.0.2.1", "that bfd_instance");
    assert_eq!(codes(&load(&good)), [Code::TrackerUnused]);
}

#[test]
fn a_name_is_given_once() {
    let twice = load(&(FILE.repeat(2) + &instance(" track_file {\n load\n }")));
    expect(&twice, Code::DuplicateName, 4, "load", "a name of its own");
    let groups = group("G", "A\n B").repeat(2) + &named("A", 1, "") + &named("B", 2, "");
    expect(&load(&groups), Code::DuplicateName, 7, "G", "a name of its own");
}

#[test]
fn members_of_a_group_are_instances() {
    let loaded = load(&(group("G", "A\n C") + &named("A", 1, "")));
    expect(&loaded, Code::MemberUndefined, 4, "C", "define `vrrp_instance C");
    let sound = group("G", "A B") + &named("A", 1, "") + &named("B", 2, "");
    assert!(codes(&load(&sound)).is_empty());
    let track =
        load(&("track_group T {\n group {\n A\n Z\n }\n}\n".to_owned() + &named("A", 1, "")));
    expect(&track, Code::MemberUndefined, 4, "Z", "define");
    assert_eq!(find(&track, Code::MemberUndefined).keepalived, None);
}

#[test]
fn an_instance_is_in_one_sync_group() {
    let instances = named("A", 1, "") + &named("B", 2, "") + &named("C", 3, "");
    let loaded = load(&(group("G", "A\n B") + &group("H", "B\n C") + &instances));
    expect(&loaded, Code::MemberTwice, 9, "B", "once");
}

#[test]
fn a_sync_group_holds_several_instances_together() {
    let lone = load(&(group("G", "A") + &named("A", 1, "")));
    expect(&lone, Code::GroupTooSmall, 1, "G", "change together");
    let empty = load(&("vrrp_sync_group G {\n}\n".to_owned() + &named("A", 1, "")));
    expect(&empty, Code::GroupTooSmall, 1, "G", "change together");
}

#[test]
fn members_of_a_sync_group_start_alike() {
    let apart = group("G", "A\n B")
        + &named("A", 1, " state MASTER\n priority 100")
        + &named("B", 2, " state BACKUP");
    let loaded = load(&apart);
    expect(&loaded, Code::MembersStartApart, 11, "MASTER", "the same `state`");
    assert_eq!(find(&loaded, Code::MembersStartApart).severity, Severity::Note);
    assert_eq!(codes(&load(&apart.replace("BACKUP", "MASTER\n priority 100"))), []);
}

#[test]
fn the_sync_daemon_follows_an_instance() {
    let text = |words: &str| {
        load(&(format!("global_defs {{\n lvs_sync_daemon eth0 {words}\n}}\n") + &named("A", 1, "")))
    };
    expect(&text("B"), Code::SyncDaemonInstance, 2, "B", "vrrp_instance");
    expect(&text("id 3 inst B"), Code::SyncDaemonInstance, 2, "B", "vrrp_instance");
    for words in ["A", "inst A id 3", "id 3", ""] {
        assert_eq!(codes(&text(words)), [], "{words}");
    }
}

#[test]
fn a_static_address_refers_to_a_group_above_it() {
    let group = "track_group T {\n group {\n A\n }\n}\n";
    let address = "static_ipaddress {\n 192.0.2.9/24 dev eth0 track_group T\n}\n";
    let one = named("A", 1, "");
    assert_eq!(codes(&load(&(one.clone() + group + address))), []);
    let late = load(&(address.to_owned() + &one + group));
    expect(&late, Code::TrackGroupUndefined, 2, "T", "move the track_group above");
}

#[test]
fn a_value_that_stands_twice_is_lost_once() {
    let loaded = load(&instance(" priority 90\n priority 80"));
    expect(&loaded, Code::SetTwice, 5, "priority 90", "delete one");
    assert_eq!(find(&loaded, Code::SetTwice).secondary.len(), 1);
    assert_eq!(loaded.model.expect("runs").failover.instances[0].router.priority.get(), 80);
    for same in [" priority 90\n priority 90", " nopreempt\n nopreempt"] {
        assert!(!warnings(&load(&instance(same))).contains(&Code::SetTwice), "{same}");
    }
}

#[test]
fn what_lists_may_stand_on_several_lines() {
    for lists in [
        " track_interface {\n eth1\n }\n track_interface {\n eth2\n }",
        " unicast_peer {\n 192.0.2.2\n 192.0.2.3\n }",
    ] {
        assert!(!codes(&load(&instance(lists))).contains(&Code::SetTwice), "{lists}");
    }
    let keys = " auth_hmac {\n key 1 aaaa\n key 2 bbbb\n }";
    assert!(!codes(&load(&instance(keys))).contains(&Code::SetTwice));
}

#[test]
fn state_master_stays() {
    let loaded = load(&instance(" state MASTER\n state BACKUP"));
    expect(&loaded, Code::SetTwice, 6, "state BACKUP", "delete one");
    assert_eq!(find(&loaded, Code::SetTwice).keepalived, Some(Class::Error));
    let model = loaded.model.expect("runs");
    assert!(model.failover.instances[0].router.priority.is_owner(), "MASTER without priority");
}

#[test]
fn a_rule_needs_an_action_and_a_place() {
    let rules = |line: &str| load(&format!("static_rules {{\n {line}\n}}\n"));
    let action = rules("from 192.0.2.0/24 preference 9");
    expect(&action, Code::RuleIncomplete, 2, "from 192.0.2.0/24 preference 9", "`table TABLE`");
    let place = rules("from 192.0.2.0/24 table 9");
    expect(&place, Code::RuleIncomplete, 2, "from 192.0.2.0/24 table 9", "`preference NUMBER`");
    assert_eq!(find(&place, Code::RuleIncomplete).keepalived, Some(Class::Error));
    let own = load(&instance(" virtual_rules {\n from 192.0.2.0/24 table 9\n }"));
    expect(&own, Code::RuleIncomplete, 6, "from 192.0.2.0/24 table 9", "preference");
    for sound in ["unreachable preference 5", "table 9 order 5", "goto 9 priority 5"] {
        assert_eq!(codes(&rules(&format!("from 192.0.2.0/24 {sound}"))), [], "{sound}");
    }
}

#[test]
fn weights_of_members_are_dropped_unless_the_group_keeps_them() {
    let scripts = "vrrp_script check {\n script /bin/true\n weight -20\n}\ntrack_file load {\n file /run/load\n}\n\
                   track_file own {\n file /run/own\n weight 2\n}\n";
    let lists = " track_script {\n check\n }\n track_file {\n load\n own\n }\n track_interface {\n eth1 weight 5\n }";
    let members = named("A", 51, lists) + &named("B", 52, "");
    let drops = load(&(scripts.to_owned() + &group("G", "A B") + &members));
    let dropped = drops.diagnostics.iter().filter(|found| found.code == Code::GroupWeight);
    assert_eq!(dropped.count(), 4);
    let model = drops.model.expect("runs");
    let trackers = &model.failover.instances[0].trackers;
    assert!(trackers.scripts.is_empty());
    assert_eq!(trackers.files.len(), 1, "the one with a weight of its own is gone");
    assert_eq!((trackers.files[0].weight.value, trackers.interfaces[0].weight.value), (0, 0));
    assert_eq!(model.failover.groups[0].members, ["A".into(), "B".into()]);
    let keeps = group("G", "A B").replace("}\n}\n", "}\n sync_group_tracking_weight\n}\n");
    let model = load(&(scripts.to_owned() + &keeps + &members)).model.expect("runs");
    let trackers = &model.failover.instances[0].trackers;
    assert_eq!((trackers.scripts.len(), trackers.files.len()), (1, 2));
    assert_eq!(trackers.interfaces[0].weight.value, 5);
}

#[test]
fn a_file_s_block_comes_to_its_path_its_factor_and_its_first_contents() {
    let text =
        "track_file load {\n file /run/load\n weight -3 reverse\n init_file 7 overwrite\n}\n";
    let follower = instance(" track_file {\n load\n }");
    let model = load(&(text.to_owned() + &follower)).model.expect("runs");
    let file = &model.files[0];
    assert_eq!(file.path.to_str(), Some("/run/load"));
    let init = file.init.expect("given");
    assert_eq!((init.value, init.overwrite), (7, true));
    let weight = model.failover.instances[0].trackers.files[0].weight;
    assert_eq!((weight.value, weight.reverse), (-3, true));
    let unused = load(&(text.to_owned() + &instance(""))).model.expect("runs");
    assert!(unused.files.is_empty(), "nobody asks for it");
}

#[test]
fn a_process_s_block_comes_to_its_pattern_its_quorum_and_its_delays() {
    let text = "vrrp_track_process web {\n process /usr/bin/web -f x\n param_match initial\n weight -3 reverse\n \
                quorum 2\n quorum_max 5\n delay 3\n terminate_delay 0.5\n}\n";
    let follower = instance(" track_process {\n web\n }");
    let loaded = load(&(text.to_owned() + &follower));
    assert_eq!(warnings(&loaded), []);
    let model = loaded.model.expect("runs");
    let process = &model.failover.processes[0];
    let parameters = process.pattern.parameters.as_ref().expect("given");
    assert_eq!(
        (process.pattern.command.as_str(), process.pattern.command_line),
        ("/usr/bin/web", true)
    );
    assert_eq!(
        (parameters.words.as_slice(), parameters.comparison),
        (["-f".to_owned(), "x".to_owned()].as_slice(), Comparison::LastOpen)
    );
    assert_eq!((process.quorum, process.quorum_max), (2, Some(5)));
    assert_eq!((process.fork_delay.as_millis(), process.terminate_delay.as_millis()), (3000, 500));
    let weight = model.failover.instances[0].trackers.processes[0].weight;
    assert_eq!((weight.value, weight.reverse), (-3, true));
    let unused = load(&(text.to_owned() + &instance(""))).model.expect("runs");
    assert!(unused.failover.processes.is_empty(), "nobody asks for it");
}
