//! Where, as what and how the processes run, and the commands around their life.

use std::net::Ipv4Addr;

use standfast_kernel::process::signal;

use crate::common::{
    file, in_sandbox, instance, logged, pair, program, run, say, seconds, wait_for,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);

const GLOBAL: &str = "instance one
child_wait_time 3
global_defs {
 process_names
 vrrp_cpu_affinity 0
 vrrp_rlimit_rttime 500000
 max_auto_priority 5
 umask IWGRP|IWOTH
 set_supplementary_groups
 startup_script \"/etc/keepalived/told.sh up\"
 startup_script_timeout 5
 shutdown_script \"/etc/keepalived/told.sh down\"
 reload_file /run/reloading
 reload_check_config /tmp/findings
 config_save_dir /tmp/saved
 data_use_instance
";
const TOLD: &str = "#!/bin/sh
echo $1 $(ip -4 address show dev eth0 | grep -c 10.83.0.100) >> /tmp/told
";

#[test]
fn the_processes_run_as_the_file_says_and_scripts_run_around_their_life() {
    let name = "surroundings::the_processes_run_as_the_file_says_and_scripts_run_around_their_life";
    in_sandbox(name, &["/bin/sh", "/usr/bin/ip"], || {
        let mut stage = pair()?;
        let node = stage.topology.node("a")?;
        node.write_program("/etc/keepalived/told.sh".as_ref(), TOLD.as_bytes())?;
        let text = instance(150, ADDRESS, "").replace("global_defs {\n", GLOBAL);
        stage.start_keepalived("a", &text, &[])?;
        wait_for(
            &mut stage,
            "it serves",
            seconds(5),
            |stage| Ok(stage.holders(ADDRESS)? == ["a"]),
        )?;
        anyhow::ensure!(file(&mut stage, "a", "/tmp/told")? == "up 0\n", "before anything else");
        let pulse = file(&mut stage, "a", "/run/keepalived/vrrp_one.pid")?.trim().to_owned();
        let comm = file(&mut stage, "a", &format!("/proc/{pulse}/comm"))?;
        anyhow::ensure!(comm == "keepalived_vrrp\n", "{comm}");
        let status = file(&mut stage, "a", &format!("/proc/{pulse}/status"))?;
        anyhow::ensure!(status.contains("\nCpus_allowed_list:\t0\n"), "{status}");
        let limits = file(&mut stage, "a", &format!("/proc/{pulse}/limits"))?;
        let realtime = limits.lines().find(|line| line.starts_with("Max realtime timeout"));
        anyhow::ensure!(realtime.is_some_and(|line| line.contains("500000")), "{realtime:?}");

        run(&mut stage, "a", "echo full > /run/reloading")?;
        let pid = "/run/keepalived/keepalived_one.pid";
        run(&mut stage, "a", &format!("kill -HUP $(cat {pid})"))?;
        logged(&mut stage, "a", "reloaded", seconds(3))?;
        run(&mut stage, "a", "test ! -e /run/reloading && test -f /tmp/findings")?;
        let saved = run(&mut stage, "a", "cat /tmp/saved/*; stat -c %a /tmp/saved/*")?;
        anyhow::ensure!(saved.iter().any(|line| line.contains("vrrp_instance VI_1")), "{saved:?}");
        anyhow::ensure!(saved.iter().filter(|line| *line == "600").count() == 2, "{saved:?}");
        run(&mut stage, "a", &format!("kill -USR1 $(cat {pid})"))?;
        wait_for(&mut stage, "the dump has the instance's name", seconds(3), |stage| {
            Ok(!file(stage, "a", "/tmp/keepalived.one.data")?.is_empty())
        })?;

        let path = "/etc/keepalived/keepalived.conf".as_ref();
        let other = text.replace("instance one\n", "instance two\n");
        stage.topology.node("a")?.write_file(path, other.as_bytes())?;
        run(&mut stage, "a", &format!("kill -HUP $(cat {pid})"))?;
        logged(&mut stage, "a", "need a restart", seconds(3))?;

        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "it ends", seconds(8), |stage| {
            Ok(stage.exit_code("a", "daemon")?.is_some())
        })?;
        let told = file(&mut stage, "a", "/tmp/told")?;
        anyhow::ensure!(told == "up 0\ndown 0\n", "after everything else: {told}");
        say("surroundings: names, processor, limit, scripts before and after, reload files");
        Ok(())
    });
}

#[test]
fn all_processes_run_in_the_network_namespace_that_the_file_names() {
    let name = "surroundings::all_processes_run_in_the_network_namespace_that_the_file_names";
    in_sandbox(name, &["/usr/bin/ip"], || {
        let mut stage = pair()?;
        let make = "ip netns add inside && ip link add out type veth peer name eth0 netns inside && \
                    ip link set out up && ip -n inside link set eth0 up && \
                    ip -n inside address add 10.84.0.1/24 dev eth0";
        run(&mut stage, "a", make)?;
        let address = Ipv4Addr::new(10, 84, 0, 100);
        let program = program();
        let missing = instance(150, address, "")
            .replace("global_defs {", "net_namespace gone\nglobal_defs {");
        let path = "/etc/keepalived/keepalived.conf".as_ref();
        stage.topology.node("a")?.write_file(path, missing.as_bytes())?;
        let (code, said) = stage.run("a", &[&program, "run"])?;
        anyhow::ensure!(code == 2 && said.iter().any(|line| line.contains("gone")), "{said:?}");

        let more = " notify_master \"/bin/sh -c 'ip -4 -o address show dev eth0 > /tmp/seen'\"";
        let text = instance(150, address, more)
            .replace("global_defs {", "net_namespace inside\nglobal_defs {");
        stage.start_standfast("a", &text)?;
        wait_for(&mut stage, "it serves inside", seconds(5), |stage| {
            let held = run(stage, "a", "ip -n inside -4 -o address show dev eth0")?;
            Ok(held.iter().any(|line| line.contains("10.84.0.100/24")))
        })?;
        wait_for(&mut stage, "scripts run inside", seconds(3), |stage| {
            Ok(file(stage, "a", "/tmp/seen")?.contains("10.84.0.100"))
        })?;
        let outside = run(&mut stage, "a", "ip -4 -o address show")?;
        anyhow::ensure!(!outside.iter().any(|line| line.contains("10.84.0.100")), "{outside:?}");
        run(&mut stage, "a", "test -f /run/standfast/inside/standfast.pid")?;
        say("namespace: all inside, nothing outside");
        Ok(())
    });
}
