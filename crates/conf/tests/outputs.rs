//! What leaves the program: documented JSON, valid SARIF, no secrets, no control characters.

mod support;

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use standfast_conf::{Code, Loaded, Memory, Options, cross_node, json, render, sarif};
use support::{find, instance, load, load_as};

const DOCUMENT: &str = include_str!("../../../docs/check-json.md");

/// The text between a fence and its end.
fn fenced(kind: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("```{kind}\n")).expect("the fence");
    rest.split_once("```").expect("its end").0
}

fn rendered(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|found| render(found, &loaded.sources, false) + "\n\n").collect()
}

/// Everything that is written about a configuration.
fn everything(loaded: &Loaded) -> String {
    let jsons = loaded.diagnostics.iter().map(|found| json(found, &loaded.sources));
    let jsons = serde_json::to_string(&jsons.collect::<Vec<_>>()).expect("serializes");
    rendered(loaded) + &jsons + &sarif_of(loaded).to_string()
}

fn sarif_of(loaded: &Loaded) -> Value {
    let findings = loaded.diagnostics.iter().map(|found| (found, &loaded.sources));
    serde_json::to_value(sarif(findings, Path::new("/etc/keepalived"))).expect("serializes")
}

#[test]
fn the_documented_json_is_what_is_written() {
    let loaded = load(fenced("conf"));
    let real = json(find(&loaded, Code::NoPreemptAsMaster), &loaded.sources);
    let real = serde_json::to_value(real).expect("serializes");
    let documented: Value = serde_json::from_str(fenced("json")).expect("JSON");
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(real, documented);
}

#[test]
fn every_field_of_the_json_is_documented() {
    let documented: BTreeSet<&str> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(field, _)| field))
        .collect();
    let value: Value = serde_json::from_str(fenced("json")).expect("JSON");
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let label_keys = keys(&value["labels"][0]).into_iter().map(|key| format!("labels[].{key}"));
    let real: BTreeSet<String> = keys(&value).into_iter().chain(label_keys).collect();
    assert_eq!(real.iter().map(String::as_str).collect::<BTreeSet<_>>(), documented);
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let loaded = load(fenced("conf"));
    let log = sarif_of(&loaded);
    assert_eq!((&log["version"], log["$schema"].is_string()), (&"2.1.0".into(), true));
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "standfast");
    let found = &run["results"][0];
    assert_eq!((&found["ruleId"], &found["level"]), (&"SF0302".into(), &"warning".into()));
    assert_eq!(found["ruleIndex"], 0);
    let rule = &driver["rules"][0];
    assert_eq!(rule["id"], found["ruleId"]);
    assert!(rule["help"]["text"].as_str().is_some_and(|text| text.contains("state BACKUP")));
    let text = found["message"]["text"].as_str().expect("a text");
    assert!(text.contains("`nopreempt` has no effect") && text.contains("state BACKUP"), "{text}");
    let place = &found["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "keepalived.conf");
    let region: Value = serde_json::json!({
        "startLine": 6, "startColumn": 5, "endLine": 6, "endColumn": 14,
    });
    assert_eq!(place["region"], region);
    let related = &found["relatedLocations"][0];
    assert_eq!(
        (&related["id"], &related["message"]["text"]),
        (&1.into(), &"this cancels it".into())
    );
    assert_eq!(related["physicalLocation"]["region"]["startLine"], 2);
}

#[test]
fn sarif_lists_each_rule_once_in_order_whatever_the_order_of_the_findings() {
    let loaded = load(&instance(" state SLAVE\n prioritty 9\n prioritty 8\n"));
    let log = sarif_of(&loaded);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    let ids: Vec<_> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
    assert_eq!(ids, ["SF0201", "SF0301"]);
    assert_eq!(log, sarif_of(&loaded));
}

#[test]
fn secrets_are_stars_of_the_same_width_and_the_carets_stay_in_place() {
    let loaded =
        load(&instance(" authentication {\n auth_type PASS\n auth_pass tiger-and-cub # x\n }"));
    let text = render(find(&loaded, Code::PasswordCut), &loaded.sources, false);
    assert!(
        text.contains("7 |  auth_pass ************* * *\n  |            ^^^^^^^^^^^^^ "),
        "{text}"
    );
    assert!(!everything(&loaded).contains("tiger"));
}

#[test]
fn no_message_quotes_a_secret_either() {
    for (line, code) in [
        ("auth_pass tiger#cub", Code::CommentInWord),
        ("auth_pass lion$tiger", Code::BadReference),
        ("auth_pass \"tiger", Code::UnbalancedQuote),
        ("auth_pass cub tiger", Code::SurplusWords),
        ("auth_pas tiger", Code::UnknownKeyword),
        ("auth_pass tiger-tiger", Code::PasswordCut),
        ("$PASSWORD=cub#tiger\n auth_pass $PASSWORD", Code::CommentInWord),
    ] {
        let loaded = load(&instance(&format!(" authentication {{\n auth_type PASS\n {line}\n }}")));
        find(&loaded, code);
        let text = everything(&loaded);
        assert!(!text.contains("tiger") && !text.contains("cub"), "{line}: {text}");
    }
    let wrong_block = load(&instance(" auth_pass tiger"));
    find(&wrong_block, Code::WrongBlock);
    assert!(!everything(&wrong_block).contains("tiger"));
}

#[test]
fn keys_and_definitions_of_passwords_are_hidden_where_they_stand() {
    let text = "$P=cub#tiger\n".to_owned()
        + &instance(" authentication {\n auth_type PASS\n auth_pass $P\n }");
    let definition = load(&text);
    assert!(!everything(&definition).contains("cub"), "{}", everything(&definition));
    let hmac = load(&instance(" auth_hmac {\n key 1 sha256 tiger\n kay tiger\n }"));
    let sources = &hmac.sources;
    let shown: String = sources.iter().map(|(_, file)| file.shown(0, file.text().len())).collect();
    assert!(!shown.contains("sha256 tiger"), "{shown}");
    let ssl = load("SSL {\n password tiger\n pasword tiger\n}\n");
    assert!(!everything(&ssl).contains("tiger"));
}

#[test]
fn nodes_with_different_passwords_are_told_without_them() {
    let node = |name: &str, password: &str| {
        let lines = format!(" authentication {{\n auth_type PASS\n auth_pass {password}\n }}");
        load_as(name, &instance(&lines), Memory::default(), &Options::default())
    };
    let nodes = [node("a.conf", "tiger"), node("b.conf", "cub")];
    let found = cross_node(&nodes);
    let differs = found.iter().find(|(_, found)| found.code == Code::PasswordDiffers);
    let (at, differs) = differs.expect("the finding");
    let text = render(differs, &nodes[*at].sources, false);
    assert!(text.contains("auth_pass ") && !text.contains("tiger"), "{text}");
    assert!(!text.contains("cub"), "{text}");
}

/// No control character but the newline, no bidirectional or invisible one.
#[track_caller]
fn is_sane(text: &str) {
    let bad = |char: &char| {
        (char.is_control() && *char != '\n')
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
    };
    assert_eq!(text.chars().find(bad), None, "{text:?}");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let nasty = "\x1b[2J\x07\u{9b}31m\u{202e}\x7f\u{200b}";
    for text in [
        format!(" {nasty} 5"),
        format!(" state {nasty}"),
        format!(" state \"{nasty}\""),
        format!(" interface eth0\tx{nasty} y"),
        format!(" track_script {{\n {nasty}\n }}"),
        format!(" notify_master \"/{nasty} \\e[2J | x\""),
        format!(" virtual_ipaddress {{\n 1{nasty}\n }}"),
        " state \0SLAVE".to_owned(),
    ] {
        let loaded = load(&instance(&text));
        assert_ne!(loaded.diagnostics, [], "{text:?}");
        is_sane(&everything(&loaded));
    }
    let path = format!("/etc/{nasty}.conf");
    let loaded = load_as(&path, "state SLAVE\n", Memory::default(), &Options::default());
    is_sane(&everything(&loaded));
}

#[test]
fn the_daemons_log_gets_clean_messages_too() {
    let loaded = load(&instance(" state \x1b[2J\u{9b}"));
    let message = &find(&loaded, Code::BadState).message;
    assert_eq!(message, "`\u{241b}[2J\u{fffd}` is no state; BACKUP is used");
}

#[test]
fn tabs_wide_characters_and_crlf_leave_the_carets_in_place() {
    let tab = load(
        "vrrp_instance V {\r\n\tstate SLAVE\r\n\tinterface e\r\n\tvirtual_router_id 1\r\n\tno_virtual_ipaddress\r\n}\r\n",
    );
    let text = render(find(&tab, Code::BadState), &tab.sources, false);
    assert!(text.contains("2 |     state SLAVE\n  |           ^^^^^\n"), "{text}");
    let wide = load(&instance(" state \"\u{6c49}\u{5b57}\" SLAVE"));
    let text = render(find(&wide, Code::SurplusWords), &wide.sources, false);
    // A wide character takes two columns.
    assert!(
        text.contains("5 |  state \"\u{6c49}\u{5b57}\" SLAVE\n  |               ^^^^^"),
        "{text}"
    );
    let mut broken = instance(" state XX SLAVE").into_bytes();
    broken.iter_mut().filter(|byte| **byte == b'X').for_each(|byte| *byte = 0xff);
    let broken = Memory::default().with("/b.conf", broken);
    let loaded = standfast_conf::load("/b.conf".as_ref(), &Options::default(), &broken);
    let text = render(find(&loaded, Code::SurplusWords), &loaded.sources, false);
    assert!(text.contains("5 |  state \u{fffd}\u{fffd} SLAVE\n  |           ^^^^^"), "{text}");
}

#[test]
fn a_line_of_thousands_of_bytes_is_cut_or_only_named() {
    for (length, shown) in [(1500, true), (60_000, false)] {
        let line = format!(" state SLAVE {}", "x".repeat(length));
        let loaded = load(&instance(&line));
        let text = rendered(&loaded);
        assert!(text.contains(":5:8"), "{text}");
        assert_eq!(text.contains("^^^^^"), shown, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
    }
}

#[test]
fn labels_that_are_far_apart_are_shown_without_what_lies_between() {
    let far = instance("") + &"# filler\n".repeat(20_000) + &instance("");
    let loaded = load(&far);
    let text = render(find(&loaded, Code::DuplicateName), &loaded.sources, false);
    let expected = "\
warning[SF0209]: `VI_1` is defined already; this one is skipped
     --> /etc/keepalived/keepalived.conf:20007:15
      |
20007 | vrrp_instance VI_1 {
      |               ^^^^
      |
     ::: /etc/keepalived/keepalived.conf:1:15
      |
    1 | vrrp_instance VI_1 {
      |               ---- first defined here
      |
      = help: give it a name of its own, or delete it";
    assert_eq!(text, expected);
}
