//! What `config dump` shows.

mod support;

use serde_json::{Value, json};
use standfast_conf::{Memory, Options, dump, load as load_file};

fn dumped(text: &str) -> Value {
    let files = Memory::default().with("/etc/a.conf", text);
    let loaded = load_file("/etc/a.conf".as_ref(), &Options::default(), &files);
    serde_json::to_value(dump(&loaded, true)).expect("a document")
}

/// The first block of that keyword, anywhere inside.
fn block<'a>(value: &'a Value, keyword: &str) -> &'a Value {
    fn find<'a>(value: &'a Value, keyword: &str) -> Option<&'a Value> {
        let blocks = value["blocks"].as_array()?;
        blocks.iter().find_map(|block| {
            if block["keyword"] == keyword { Some(block) } else { find(block, keyword) }
        })
    }
    find(value, keyword).expect("the block is shown")
}

#[test]
fn every_value_says_where_it_stands_and_every_default_that_it_is_one() {
    let value = dumped(
        "vrrp_instance V {\n interface eth0\n virtual_router_id 51\n advert_int 0.25\n version 3\n}\n",
    );
    let instance = block(&value, "vrrp_instance");
    assert_eq!(instance["arguments"], json!(["V"]));
    assert_eq!(instance["origin"], "/etc/a.conf:1:1");
    let settings = &instance["settings"];
    let id = json!({ "value": 51, "origin": "/etc/a.conf:3:20" });
    assert_eq!(settings["virtual_router_id"], id);
    assert_eq!(settings["advert_int"]["value"], 0.25);
    assert_eq!(settings["nopreempt"], json!({ "value": false, "origin": "default" }));
    assert_eq!(settings["preempt_delay"], json!({ "value": 0.0, "origin": "default" }));
}

#[test]
fn an_inherited_value_names_its_source_and_its_place() {
    let value = dumped(
        "global_defs {\n vrrp_garp_master_delay 9\n}\nvrrp_instance V {\n interface e\n virtual_router_id 1\n}\n",
    );
    let settings = &block(&value, "vrrp_instance")["settings"];
    let delay = json!({
        "value": 9,
        "origin": "/etc/a.conf:2:25",
        "inherited_from": "global_defs.vrrp_garp_master_delay",
    });
    assert_eq!(settings["garp_master_delay"], delay);
    assert_eq!(settings["down_timer_adverts"]["value"], 3);
    assert_eq!(settings["down_timer_adverts"]["origin"], "default");
}

#[test]
fn a_check_inherits_from_its_server_and_that_from_its_service() {
    let value = dumped(
        "virtual_server 192.0.2.1 80 {\n delay_loop 7\n real_server 192.0.2.2 80 {\n  retry 4\n  TCP_CHECK {\n  }\n }\n}\n",
    );
    let settings = &block(&value, "TCP_CHECK")["settings"];
    assert_eq!(settings["delay_loop"]["value"], 7.0);
    assert_eq!(settings["retry"]["value"], 4);
}

#[test]
fn a_definition_is_named_and_a_password_is_not_shown() {
    let value = dumped(
        "$ID=51\nvrrp_instance V {\n interface e\n virtual_router_id $ID\n authentication {\n  auth_type PASS\n  auth_pass hidden\n }\n track_interface {\n  eth1 weight -5 reverse\n }\n}\n",
    );
    let instance = block(&value, "vrrp_instance");
    assert_eq!(instance["settings"]["virtual_router_id"]["definition"], "/etc/a.conf:1:5");
    assert!(!value.to_string().contains("hidden"), "{value:#}");
    let line = &block(&value, "track_interface")["entries"][0];
    assert_eq!(line["value"], "eth1");
    assert_eq!(line["options"]["weight"], -5);
}

#[test]
fn a_refused_file_is_shown_as_far_as_it_is_understood() {
    let value = dumped("vrrp_instance V {\n interface e\n priority\n virtual_router_id 3\n}\n");
    assert_eq!(value["refused"], true);
    assert_eq!(value["model"], Value::Null);
    let settings = &block(&value, "vrrp_instance")["settings"];
    assert_eq!(settings["virtual_router_id"]["value"], 3);
}

#[test]
fn a_key_of_auth_hmac_is_not_shown() {
    let key = "k".repeat(40);
    let text = format!(
        "vrrp_instance V {{\n interface e\n virtual_router_id 3\n auth_hmac {{\n  key 1 {key}\n  key 2 hex:{}\n }}\n}}\n",
        "ab".repeat(40)
    );
    let value = dumped(&text).to_string();
    assert!(!value.contains(&key) && !value.contains("hex:"), "{value}");
}

#[test]
fn without_defaults_only_what_the_file_says_is_left() {
    let files = Memory::default().with("/a.conf", "vrrp_script s {\n script \"/a\"\n fall 3\n}\n");
    let loaded = load_file("/a.conf".as_ref(), &Options::default(), &files);
    let value = serde_json::to_value(dump(&loaded, false)).expect("a document");
    let settings = block(&value, "vrrp_script")["settings"].as_object().expect("settings").clone();
    assert_eq!(settings.keys().collect::<Vec<_>>(), ["fall", "script"]);
}
