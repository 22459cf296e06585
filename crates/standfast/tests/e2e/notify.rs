//! Notify commands: in order, one at a time, with their arguments, and the last state always gets there.

use std::net::Ipv4Addr;

use standfast_kernel::process::signal;
use standfast_lab::topology::Cable;

use crate::common::{file, in_sandbox, instance, pair, run, say, seconds, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
/// Slower than the states change.
const SLOW: &str = "#!/bin/sh
echo begin $* >> /tmp/told
sleep 0.7
echo end $* >> /tmp/told
";
const SPECIFIC: &str = "#!/bin/sh
echo only $* >> /tmp/told
";

#[test]
fn slow_notify_commands_run_one_after_another_and_end_with_the_last_state() {
    let name = "notify::slow_notify_commands_run_one_after_another_and_end_with_the_last_state";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = pair()?;
        let node = stage.topology.node("a")?;
        node.write_program("/etc/keepalived/slow.sh".as_ref(), SLOW.as_bytes())?;
        node.write_program("/etc/keepalived/one.sh".as_ref(), SPECIFIC.as_bytes())?;
        let more = " notify /etc/keepalived/slow.sh\n notify_master \"/etc/keepalived/one.sh master\"\n \
                    notify_fault \"/etc/keepalived/one.sh fault\"\n notify_stop \"/etc/keepalived/one.sh stop\"";
        stage.start_standfast("a", &instance(150, ADDRESS, more))?;
        let holds = |stage: &mut standfast_lab::stage::Stage, holds: bool| {
            wait_for(stage, "it changes", seconds(3), |stage| {
                Ok(stage.holders(ADDRESS)?.is_empty() != holds)
            })
        };
        holds(&mut stage, true)?;
        stage.topology.set_cable("a", "eth0", Cable::Pulled)?;
        holds(&mut stage, false)?;
        stage.topology.set_cable("a", "eth0", Cable::Plugged)?;
        holds(&mut stage, true)?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "it ends", seconds(8), |stage| {
            Ok(stage.exit_code("a", "daemon")?.is_some())
        })?;
        let told = file(&mut stage, "a", "/tmp/told")?;
        let mut expected = String::new();
        for (state, only) in [
            ("BACKUP", None),
            ("MASTER", Some("master")),
            ("FAULT", Some("fault")),
            ("BACKUP", None),
            ("MASTER", Some("master")),
            ("STOP", Some("stop")),
        ] {
            if let Some(only) = only {
                expected.push_str(&format!("only {only}\n"));
            }
            for half in ["begin", "end"] {
                expected.push_str(&format!("{half} INSTANCE VI_1 {state} 150\n"));
            }
        }
        anyhow::ensure!(told == expected, "told:\n{told}");
        say("notify: six changes, nine commands, in order, one at a time");
        Ok(())
    });
}

/// Reads its FIFO to the end.
const READER: &str = "#!/bin/sh
while read -r line; do echo \"$line\" >> /tmp/lines; done < \"$1\"
echo end >> /tmp/lines
";

#[test]
fn a_fifo_gets_a_line_for_every_change_and_its_reader_sees_the_last_one() {
    let name = "notify::a_fifo_gets_a_line_for_every_change_and_its_reader_sees_the_last_one";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = pair()?;
        let node = stage.topology.node("a")?;
        node.write_program("/etc/keepalived/reader.sh".as_ref(), READER.as_bytes())?;
        let more = " notify_priority_changes\n track_interface {\n  eth1 weight 10\n }";
        // The second FIFO has no reader, and costs nothing.
        let global = "global_defs {\n notify_fifo /run/all\n vrrp_notify_fifo /run/vrrp\n \
                      vrrp_notify_fifo_script /etc/keepalived/reader.sh\n \
                      fifo_write_vrrp_states_on_reload\n";
        let text = instance(150, ADDRESS, more).replace("global_defs {\n", global);
        run(&mut stage, "a", "ip link add eth1 type veth peer eth2; ip link set eth2 up")?;
        stage.start_standfast("a", &text)?;
        let mut expected = String::new();
        let mut lines = |stage: &mut standfast_lab::stage::Stage, more: &str| {
            expected.push_str(more);
            wait_for(stage, more, seconds(5), |stage| {
                let lines = file(stage, "a", "/tmp/lines")?;
                anyhow::ensure!(expected.starts_with(&lines), "{lines}");
                Ok(lines == expected)
            })
        };
        lines(&mut stage, "INSTANCE \"VI_1\" BACKUP 150\nINSTANCE \"VI_1\" MASTER 150\n")?;
        let mode = run(&mut stage, "a", "stat -c '%F %a' /run/vrrp /run/all")?;
        anyhow::ensure!(mode == ["fifo 600", "fifo 600"], "{mode:?}");
        run(&mut stage, "a", "ip link set eth1 up")?;
        lines(&mut stage, "INSTANCE \"VI_1\" MASTER_PRIORITY 160\n")?;
        stage.signal("a", "daemon", signal::SIGHUP)?;
        lines(&mut stage, "INSTANCE \"VI_1\" MASTER 160\n")?;
        stage.signal("a", "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "it ends", seconds(8), |stage| {
            Ok(stage.exit_code("a", "daemon")?.is_some())
        })?;
        lines(&mut stage, "INSTANCE \"VI_1\" STOP 160\nend\n")?;
        let left = run(&mut stage, "a", "ls /run")?;
        anyhow::ensure!(!left.iter().any(|file| file == "vrrp" || file == "all"), "{left:?}");
        say("FIFO: six lines in order, the last one read, nothing left behind");
        Ok(())
    });
}
