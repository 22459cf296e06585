//! What the signals write, beside what Debian's keepalived writes: programs read it.

use std::net::Ipv4Addr;

use serde_json::Value;
use standfast_kernel::process::signal;
use standfast_lab::stage::Stage;

use crate::common::{KEEPALIVED, file, in_sandbox, instance, pair, say, seconds, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const JSON: &str = "/tmp/keepalived.json";
const STATS: &str = "/tmp/keepalived.stats";

/// Sends a signal until there is a file, and takes that.
fn dump(stage: &mut Stage, node: &str, number: i32, path: &str) -> anyhow::Result<String> {
    stage.run(node, &["rm", "-f", path])?;
    let kill = format!("cd /run; kill -{number} $(cat standfast.pid || cat keepalived.pid)");
    wait_for(stage, path, seconds(5), |stage| {
        let there = !file(stage, node, path)?.is_empty();
        if !there {
            // It may not have begun.
            let _ = stage.run(node, &["/bin/sh", "-c", &kill])?;
        }
        Ok(there)
    })?;
    file(stage, node, path)
}

/// The names of an object, in order of appearance in the text.
fn names<'a>(text: &'a str, object: &Value) -> Vec<&'a str> {
    let Some(object) = object.as_object() else { return Vec::new() };
    let mut found: Vec<(usize, usize)> = object
        .keys()
        .filter_map(|key| Some((text.find(&format!("\"{key}\":"))? + 1, key.len())))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(at, length)| &text[at..at + length]).collect()
}

#[test]
fn json_and_counters_have_the_form_of_keepaliveds() {
    let name = "dumps::json_and_counters_have_the_form_of_keepaliveds";
    in_sandbox(name, &[KEEPALIVED], || {
        let mut stage = pair()?;
        let more = " notify_master /usr/bin/true\n track_interface {\n  lo weight 1\n }\n \
                    virtual_ipaddress_excluded {\n  10.83.0.101/32\n }";
        let text = |priority| instance(priority, ADDRESS, more);
        let path = "/etc/keepalived/keepalived.conf".as_ref();
        stage.topology.node("b")?.write_file(path, text(100).as_bytes())?;
        stage.start("b", "daemon", &[KEEPALIVED, "-n", "-l", "-G"])?;
        stage.start_standfast("a", &text(150))?;
        let json = signal::realtime(2);
        for node in ["a", "b"] {
            wait_for(&mut stage, "both have settled", seconds(5), |stage| {
                let text = dump(stage, node, json, JSON)?;
                Ok(text.contains(if node == "a" { "\"state\":2," } else { "\"state\":1," }))
            })?;
        }
        let (ours, theirs) =
            (dump(&mut stage, "a", json, JSON)?, dump(&mut stage, "b", json, JSON)?);
        let (our_value, their_value): (Value, Value) =
            (serde_json::from_str(&ours)?, serde_json::from_str(&theirs)?);
        for part in ["data", "stats"] {
            let (own, other) =
                (names(&ours, &our_value[0][part]), names(&theirs, &their_value[0][part]));
            anyhow::ensure!(own == other && !own.is_empty(), "{part}:\n{own:?}\n{other:?}");
        }
        for key in ["vips", "evips", "script_master", "adver_int", "vrid", "version", "auth_type"] {
            let (own, other) = (&our_value[0]["data"][key], &their_value[0]["data"][key]);
            let (own, other) =
                (own.to_string().replace(" set", ""), other.to_string().replace(" set", ""));
            anyhow::ensure!(own == other, "{key}: {own} {other}");
        }
        anyhow::ensure!(their_value[0]["data"]["master_priority"] == 151, "{theirs}");
        anyhow::ensure!(their_value[0]["stats"]["advert_rcvd"].as_u64() > Some(0), "{theirs}");

        let form =
            |text: &str| text.chars().filter(|char| !char.is_ascii_digit()).collect::<String>();
        let ours = dump(&mut stage, "a", signal::SIGUSR2, STATS)?;
        let theirs = dump(&mut stage, "b", signal::SIGUSR2, STATS)?;
        anyhow::ensure!(form(&ours) == form(&theirs), "{ours}\n{theirs}");
        anyhow::ensure!(!ours.contains("Became master: 0"), "{ours}");
        dump(&mut stage, "a", signal::realtime(29), STATS)?;
        let cleared = dump(&mut stage, "a", signal::SIGUSR2, STATS)?;
        anyhow::ensure!(cleared.contains("Became master: 0"), "{cleared}");

        let state = dump(&mut stage, "a", signal::SIGUSR1, "/tmp/keepalived.data")?;
        anyhow::ensure!(state.contains("   State = MASTER\n"), "{state}");
        let mode = stage.run("a", &["stat", "-c", "%a", "/tmp/keepalived.data"])?.1;
        anyhow::ensure!(mode == ["600"], "{mode:?}");
        say("dumps: JSON and counters as keepalived's, name by name");
        Ok(())
    });
}
