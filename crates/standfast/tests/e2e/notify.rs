//! Notify commands: in order, one at a time, with their arguments, and the last state always gets there.

use std::net::Ipv4Addr;

use standfast_kernel::process::signal;
use standfast_lab::topology::Cable;

use crate::common::{file, in_sandbox, instance, pair, say, seconds, wait_for};

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
