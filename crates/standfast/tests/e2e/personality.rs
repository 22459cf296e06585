//! Called `keepalived`: background, pid files, names, exit codes, signals.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use standfast_kernel::clock;
use standfast_lab::{
    node::PROGRAMS,
    stage::{Stage, pause},
};

use crate::common::{
    ASK_EVERY, TCPDUMP, capture, describe, file, in_sandbox, instance, pair, program, run, say,
    seconds, served_by, wait_for,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
/// Long enough to miss adverts, if a reload held them up.
const RELOAD: Duration = Duration::from_millis(700);
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";

fn configure(stage: &mut Stage, node: &str, text: &str) -> anyhow::Result<()> {
    Ok(stage.topology.node(node)?.write_file(Path::new(CONFIGURATION), text.as_bytes())?)
}

/// Starts it as an init script does; its exit code and what it said.
fn daemonise(stage: &mut Stage, node: &str) -> anyhow::Result<(i32, Vec<String>)> {
    let name = stage.keepalived(node)?;
    stage.run(node, &[&name, "-G"])
}

#[test]
fn without_options_it_is_a_daemon_that_pidof_and_killall_find() {
    let name = "personality::without_options_it_is_a_daemon_that_pidof_and_killall_find";
    in_sandbox(name, &["/usr/bin/pidof", "/usr/bin/killall", "/usr/bin/ps"], || {
        let mut stage = pair()?;
        configure(&mut stage, "a", &instance(200, ADDRESS, ""))?;
        // Somebody else's number, of a living process, was left in the file.
        run(&mut stage, "a", "sleep 1000 & echo $! > /run/keepalived.pid")?;
        let (code, said) = daemonise(&mut stage, "a")?;
        anyhow::ensure!(code == 0, "{said:?}");
        let parent = file(&mut stage, "a", "/run/keepalived.pid")?;
        let pulse = file(&mut stage, "a", "/run/vrrp.pid")?;
        let (parent, pulse) = (parent.trim().to_owned(), pulse.trim().to_owned());
        anyhow::ensure!(
            !parent.is_empty() && !pulse.is_empty() && parent != pulse,
            "{parent} {pulse}"
        );
        let comm = run(&mut stage, "a", &format!("cat /proc/{parent}/comm /proc/{pulse}/comm"))?;
        anyhow::ensure!(comm == ["keepalived", "keepalived"], "{comm:?}");
        let found = run(&mut stage, "a", "pidof keepalived")?.join(" ");
        let mut found: Vec<_> = found.split_whitespace().map(str::to_owned).collect();
        found.sort();
        let mut both = vec![parent.clone(), pulse];
        both.sort();
        anyhow::ensure!(found == both, "pidof: {found:?}, pid files: {both:?}");
        let parents = run(&mut stage, "a", &format!("ps -o ppid= -p {parent}"))?.join("");
        anyhow::ensure!(parents.trim() == "1", "a daemon belongs to process 1, not to {parents}");
        wait_for(
            &mut stage,
            "it serves",
            seconds(3),
            |stage| Ok(stage.holders(ADDRESS)? == ["a"]),
        )?;

        let (code, _) = daemonise(&mut stage, "a")?;
        anyhow::ensure!(code == 0, "the second copy");
        let link = stage.keepalived("a")?;
        let (code, said) = stage.run("a", &[&link, "-n", "-l", "-G"])?;
        anyhow::ensure!(
            code == 0 && said.iter().any(|line| line.contains("already running")),
            "{said:?}"
        );
        anyhow::ensure!(file(&mut stage, "a", "/run/keepalived.pid")?.trim() == parent);

        run(&mut stage, "a", "killall keepalived")?;
        wait_for(&mut stage, "it ends", seconds(5), |stage| {
            Ok(stage.run("a", &["pidof", "keepalived"])?.0 == 1
                && stage.holders(ADDRESS)?.is_empty())
        })?;
        anyhow::ensure!(
            file(&mut stage, "a", "/run/keepalived.pid")?.is_empty(),
            "the pid file stays behind"
        );
        say("daemon: started, found by name, unique, stopped by name");
        Ok(())
    });
}

#[test]
fn the_exit_codes_of_a_config_test_are_those_of_keepalived() {
    let name = "personality::the_exit_codes_of_a_config_test_are_those_of_keepalived";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = pair()?;
        let link = stage.keepalived("a")?;
        let good = instance(100, ADDRESS, "");
        let cases = [
            (good.clone(), 0),
            (good.replace("virtual_router_id 51", "virtual_router_id"), 2),
            (good.replace("advert_int 0.1", "advert_int 0.1\n no_such_word"), 5),
        ];
        for (text, expected) in cases {
            configure(&mut stage, "a", &text)?;
            let (code, said) = stage.run("a", &[&link, "-t"])?;
            anyhow::ensure!(code == expected, "{expected} expected, {code} came: {said:?}\n{text}");
        }
        let script = "vrrp_script s {\n script /etc/keepalived/s.sh\n}\n";
        let text = good.replace("vrrp_instance", &format!("{script}vrrp_instance"));
        let text =
            text.replace(" virtual_ipaddress", " track_script {\n s\n }\n virtual_ipaddress");
        stage.topology.node("a")?.write_program("/etc/keepalived/s.sh".as_ref(), b"#!/bin/sh\n")?;
        run(&mut stage, "a", "chmod 777 /etc/keepalived/s.sh")?;
        configure(&mut stage, "a", &text)?;
        let (code, said) = stage.run("a", &[&link, "-t"])?;
        anyhow::ensure!(code == 6, "6 expected, {code} came: {said:?}");
        say("keepalived -t: 0, 2, 5, 6");
        Ok(())
    });
}

#[test]
fn a_reload_of_a_bad_file_changes_nothing_and_of_a_good_one_only_the_difference() {
    let name =
        "personality::a_reload_of_a_bad_file_changes_nothing_and_of_a_good_one_only_the_difference";
    in_sandbox(name, &["/usr/bin/killall", TCPDUMP], || {
        let mut stage = pair()?;
        for node in ["a", "b"] {
            stage.start_web(node)?;
        }
        let good = instance(200, ADDRESS, "");
        stage.start_keepalived("a", &good, &[])?;
        stage.start_standfast("b", &instance(100, ADDRESS, ""))?;
        stage.start_probe(ADDRESS, ASK_EVERY)?;
        served_by(&mut stage, ADDRESS, "a", seconds(3))?;
        wait_for(&mut stage, "its log says so", seconds(3), |stage| {
            Ok(stage.log("a", "daemon")?.iter().any(|line| line.contains("-> MASTER")))
        })?;
        capture(&mut stage, "b", &["-l", "-n", "-tt", "vrrp and src 10.83.0.1"])?;
        let from = clock::now();

        configure(
            &mut stage,
            "a",
            &good.replace("virtual_router_id 51", "virtual_router_id nonsense"),
        )?;
        run(&mut stage, "a", "kill -HUP $(cat /run/keepalived.pid)")?;
        let mut said = Vec::new();
        wait_for(&mut stage, "the mistake is said", seconds(3), |stage| {
            said.extend(stage.log("a", "daemon")?);
            Ok(said.iter().any(|line| line.contains("SF0")))
        })?;
        pause(RELOAD);

        let (second, third) = (Ipv4Addr::new(10, 83, 0, 101), Ipv4Addr::new(10, 83, 0, 102));
        for (addresses, expected) in [
            ("10.83.0.100/24\n 10.83.0.101/24\n 10.83.0.102/24", vec![ADDRESS, second, third]),
            ("10.83.0.100/24\n 10.83.0.102/24", vec![ADDRESS, third]),
        ] {
            configure(&mut stage, "a", &good.replace("10.83.0.100/24", addresses))?;
            run(&mut stage, "a", "kill -HUP $(cat /run/keepalived.pid)")?;
            wait_for(&mut stage, addresses, seconds(3), |stage| {
                for address in [ADDRESS, second, third] {
                    if stage.holders(address)?.is_empty() == expected.contains(&address) {
                        return Ok(false);
                    }
                }
                Ok(true)
            })?;
            pause(RELOAD);
        }
        let notice = stage.notice(ADDRESS, from)?;
        describe("three reloads", &notice);
        anyhow::ensure!(notice.lost == 0 && notice.pages == ["a"], "{notice:?}");
        said.extend(stage.log("a", "daemon")?);
        anyhow::ensure!(!said.iter().any(|line| line.contains("->")), "no role changes: {said:?}");
        let adverts = stage.log("b", "capture")?;
        let mut last: Option<f64> = None;
        let mut longest = 0.0_f64;
        for stamp in adverts.iter().filter_map(|line| line.split(' ').next()?.parse::<f64>().ok()) {
            longest = last.map_or(longest, |last| longest.max(stamp - last));
            last = Some(stamp);
        }
        say(format_args!(
            "longest gap between adverts during the reloads: {:.0} ms",
            longest * 1000.0
        ));
        anyhow::ensure!(longest < 0.2, "a gap of {longest} s between adverts of 0.1 s");
        Ok(())
    });
}

#[test]
fn both_names_are_one_program() {
    let name = "personality::both_names_are_one_program";
    in_sandbox(name, &[], || {
        let mut stage = pair()?;
        let link = stage.keepalived("a")?;
        anyhow::ensure!(link == format!("{PROGRAMS}/keepalived"));
        let (code, said) = stage.run("a", &[&link, "-v"])?;
        anyhow::ensure!(code == 0 && said.join("").contains("Standfast"), "{said:?}");
        let (code, said) = stage.run("a", &[&program(), "--version"])?;
        anyhow::ensure!(code == 0 && said.join("").contains("standfast"), "{said:?}");
        Ok(())
    });
}
