//! What is told of virtual and real servers: FIFOs, commands, mails and the dump. The lines, and their order
//! within a service, are those that keepalived 2.2.7 wrote of the same events.

use std::{fmt::Write as _, path::Path};

use standfast_kernel::process::signal;
use standfast_lab::stage::Stage;

use crate::{
    common::{file, in_sandbox, logged, network, say, seconds, wait_for},
    mail::SERVER,
};

const NODE: &str = "lb";
const CONFIG: &str = "/etc/keepalived/keepalived.conf";
const GLOBAL: &str = "global_defs {
 lvs_data_plane nftables
 script_user root
 router_id node
 lvs_notify_fifo /tmp/lvs.fifo
 lvs_notify_fifo_script \"/tmp/read.sh /tmp/lvs\"
 notify_fifo /tmp/all.fifo
 notify_fifo_script \"/tmp/read.sh /tmp/all\"
}
virtual_server_group G {
 10.0.0.9 80
}
";
/// Its arguments: where to, and the FIFO.
const READER: &str = "#!/bin/sh\nexec cat $2 >> $1\n";
/// Fails while there is a file of its name.
const CHECK: &str = "#!/bin/sh\ntest ! -e /tmp/bad.$1\n";
const NOTIFY: &str = "#!/bin/sh\necho $* >> /tmp/told\n";

/// A service over servers, each of which is as good as its script says.
fn service(target: &str, name: char, servers: &[u8], more: &str) -> String {
    let mut text = format!(
        "virtual_server {target} {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n {more}\n \
         quorum_up \"/tmp/notify.sh reached {name}\"\n quorum_down \"/tmp/notify.sh lost {name}\"\n"
    );
    for n in servers {
        let _ = write!(
            text,
            " real_server 10.1.0.{n} 80 {{\n notify_up \"/tmp/notify.sh up {n}\"\n \
             notify_down \"/tmp/notify.sh down {n}\"\n MISC_CHECK {{\n misc_path \"/tmp/check.sh {n}\"\n \
             delay_loop 0.2\n warmup 0\n retry 0\n }}\n }}\n"
        );
    }
    text + "}\n"
}

fn write(stage: &mut Stage, path: &str, text: &str) -> anyhow::Result<()> {
    Ok(stage.topology.node(NODE)?.write_file(Path::new(path), text.as_bytes())?)
}

fn prepare(stage: &mut Stage) -> anyhow::Result<()> {
    for (name, text) in [("read", READER), ("check", CHECK), ("notify", NOTIFY)] {
        let path = format!("/tmp/{name}.sh");
        stage.topology.node(NODE)?.write_program(Path::new(&path), text.as_bytes())?;
    }
    Ok(())
}

fn fail(stage: &mut Stage, n: u8) -> anyhow::Result<()> {
    write(stage, &format!("/tmp/bad.{n}"), "")
}

fn mend(stage: &mut Stage, n: u8) -> anyhow::Result<()> {
    stage.run(NODE, &["rm", &format!("/tmp/bad.{n}")])?;
    Ok(())
}

/// Waits until a file ends so often with this line.
fn heard(stage: &mut Stage, line: &str, times: usize) -> anyhow::Result<()> {
    wait_for(stage, line, seconds(5), |stage| {
        Ok(file(stage, NODE, "/tmp/lvs")?.lines().filter(|heard| *heard == line).count() >= times)
    })
}

/// The lines about one service, in their order.
fn about<'a>(text: &'a str, service: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(&format!(" {service} "))).collect()
}

#[test]
fn fifos_and_commands_tell_what_keepalived_tells() {
    let name = "voice::fifos_and_commands_tell_what_keepalived_tells";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = network(&[(NODE, "eth0", "10.83.0.1/24")])?;
        prepare(&mut stage)?;
        for n in [5, 7, 8] {
            fail(&mut stage, n)?;
        }
        let alpha = "alpha\n sorry_server 10.1.0.99 80";
        let kept = service("10.0.0.2 80", 'B', &[4, 5], alpha)
            + &service("10.0.0.3 80", 'C', &[6], "omega");
        let first = service("10.0.0.1 80", 'A', &[1, 2, 3], "quorum 2\n hysteresis 1");
        let gone = service("10.0.0.4 80", 'D', &[7], "") + &service("10.0.0.6 80", 'F', &[10], "");
        stage.start_standfast(NODE, &format!("{GLOBAL}{first}{kept}{gone}"))?;
        heard(&mut stage, "VS [10.0.0.4]:tcp:80 DOWN", 1)?;
        heard(&mut stage, "RS [10.1.0.5]:tcp:80 [10.0.0.2]:tcp:80 DOWN", 1)?;
        heard(&mut stage, "VS [10.0.0.2]:tcp:80 UP", 1)?;
        for n in [1, 2] {
            fail(&mut stage, n)?;
            heard(&mut stage, &format!("RS [10.1.0.{n}]:tcp:80 [10.0.0.1]:tcp:80 DOWN"), 1)?;
        }
        for n in [1, 2] {
            mend(&mut stage, n)?;
            heard(&mut stage, &format!("RS [10.1.0.{n}]:tcp:80 [10.0.0.1]:tcp:80 UP"), 1)?;
        }
        let first = service("10.0.0.1 80", 'A', &[1, 2], "quorum 2\n hysteresis 1");
        let new = service("10.0.0.5 80", 'E', &[8], "") + &service("group G", 'G', &[9], "");
        write(&mut stage, CONFIG, &format!("{GLOBAL}{first}{kept}{new}"))?;
        stage.signal(NODE, "daemon", signal::SIGHUP)?;
        heard(&mut stage, "VS [10.0.0.5]:tcp:80 DOWN", 1)?;
        heard(&mut stage, "VS [G]:0 UP", 1)?;
        fail(&mut stage, 9)?;
        heard(&mut stage, "VS [G]:0 DOWN", 1)?;
        stage.signal(NODE, "daemon", signal::SIGUSR1)?;
        dumped(&mut stage)?;
        stage.signal(NODE, "daemon", signal::SIGTERM)?;
        wait_for(&mut stage, "the daemon ends", seconds(8), |stage| {
            Ok(stage.exit_code(NODE, "daemon")?.is_some())
        })?;
        let lines = file(&mut stage, NODE, "/tmp/lvs")?;
        for (service, expected) in EXPECTED {
            let found =
                about(&(lines.replace('\n', " \n")), service).join("\n").replace(" \n", "\n");
            anyhow::ensure!(found.trim_end() == *expected, "{service}:\n{found}\nin:\n{lines}");
        }
        anyhow::ensure!(!lines.contains('\0'), "no byte is astray");
        let all = file(&mut stage, NODE, "/tmp/all")?;
        anyhow::ensure!(all == lines, "notify_fifo has the same lines:\n{all}");
        let told = file(&mut stage, NODE, "/tmp/told")?;
        for (what, expected) in TOLD {
            let of = |line: &&str| line.ends_with(&format!(" {what}"));
            let found: Vec<_> = told.lines().filter(of).collect();
            anyhow::ensure!(found.join(", ") == *expected, "{what}: {found:?} in:\n{told}");
        }
        logged(
            &mut stage,
            NODE,
            "real server [10.1.0.7]:80 of [10.0.0.4]:tcp:80 is down: MISC_CHECK: ",
            seconds(1),
        )?;
        Ok(())
    });
}

const EXPECTED: &[(&str, &str)] = &[
    (
        "[10.0.0.1]:tcp:80",
        "VS [10.0.0.1]:tcp:80 UP\n\
         RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN\n\
         RS [10.1.0.2]:tcp:80 [10.0.0.1]:tcp:80 DOWN\n\
         RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 UP\n\
         RS [10.1.0.2]:tcp:80 [10.0.0.1]:tcp:80 UP\n\
         RS [10.1.0.3]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
    ),
    (
        "[10.0.0.3]:tcp:80",
        "VS [10.0.0.3]:tcp:80 UP\n\
         RS [10.1.0.6]:tcp:80 [10.0.0.3]:tcp:80 DOWN\n\
         VS [10.0.0.3]:tcp:80 DOWN",
    ),
    (
        "[10.0.0.4]:tcp:80",
        "VS [10.0.0.4]:tcp:80 UP\n\
         RS [10.1.0.7]:tcp:80 [10.0.0.4]:tcp:80 DOWN\n\
         VS [10.0.0.4]:tcp:80 DOWN",
    ),
    (
        "[10.0.0.5]:tcp:80",
        "VS [10.0.0.5]:tcp:80 UP\n\
         RS [10.1.0.8]:tcp:80 [10.0.0.5]:tcp:80 DOWN\n\
         VS [10.0.0.5]:tcp:80 DOWN",
    ),
    (
        "[10.0.0.6]:tcp:80",
        "VS [10.0.0.6]:tcp:80 UP\n\
         RS [10.1.0.10]:tcp:80 [10.0.0.6]:tcp:80 DOWN\n\
         VS [10.0.0.6]:tcp:80 DOWN",
    ),
    ("[G]:0", "VS [G]:0 UP\nRS [10.1.0.9]:tcp:80 [G]:0 DOWN\nVS [G]:0 DOWN"),
];

/// By server or service, what its commands were called with.
const TOLD: &[(&str, &str)] = &[
    ("A", "reached A"),
    ("B", "lost B, reached B"),
    ("C", "reached C, lost C"),
    ("D", "reached D, lost D"),
    ("F", "reached F, lost F"),
    ("G", "reached G, lost G"),
    ("1", "down 1, up 1"),
    ("3", "down 3"),
    ("4", "up 4"),
    ("5", "down 5"),
    ("6", "down 6"),
    ("9", "down 9"),
];

/// The dump has what an operator looks for.
fn dumped(stage: &mut Stage) -> anyhow::Result<()> {
    let path = "/tmp/keepalived_check.data";
    wait_for(stage, "the dump", seconds(5), |stage| {
        Ok(file(stage, NODE, path).is_ok_and(|text| text.contains("Health checkers")))
    })?;
    let text = file(stage, NODE, path)?;
    for expected in [
        "------< LVS Topology >------\n",
        " VS VIP = 10.0.0.1, VPORT = 80\n",
        "   quorum = 2, hysteresis = 1\n",
        "   RIP = 10.1.0.5, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1\n",
        "   num failed checkers = 1\n",
        " [G]:0 -> [10.1.0.9]:tcp:80\n   Keepalive method = MISC_CHECK\n   Up = no\n",
        "   Says = ",
    ] {
        anyhow::ensure!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    Ok(())
}

#[test]
fn servers_and_quorums_are_mailed_with_keepaliveds_subjects() {
    let name = "voice::servers_and_quorums_are_mailed_with_keepaliveds_subjects";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = network(&[(NODE, "eth0", "10.83.0.1/24")])?;
        prepare(&mut stage)?;
        stage.topology.node(NODE)?.write_program("/tmp/server.py".as_ref(), SERVER.as_bytes())?;
        if stage.run(NODE, &["python3", "-W", "ignore", "-c", "import smtpd"])?.0 != 0 {
            say(format_args!("SKIPPED {name}: no Python with a mail server"));
            return Ok(());
        }
        stage.start(NODE, "mail", &["python3", "/tmp/server.py"])?;
        wait_for(&mut stage, "the mail server listens", seconds(5), |stage| {
            Ok(stage.log(NODE, "mail")?.iter().any(|line| line == "ready"))
        })?;
        let mail = "notification_email {\n a@example.net\n }\n smtp_server 127.0.0.1 2525\n";
        let global = GLOBAL.replace("global_defs {\n", &format!("global_defs {{\n {mail}"));
        let text = global + &service("10.0.0.1 80", 'A', &[1], "smtp_alert");
        stage.start_standfast(NODE, &text)?;
        let subjects = [
            "Subject: [node] Virtualserver [10.0.0.1]:tcp:80 - UP\n",
            "Subject: [node] Realserver [10.1.0.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN\n",
            "Subject: [node] Virtualserver [10.0.0.1]:tcp:80 - DOWN\n",
        ];
        wait_for(&mut stage, "it is up", seconds(5), |stage| {
            Ok(file(stage, NODE, "/tmp/mails").is_ok_and(|text| text.contains(subjects[0])))
        })?;
        fail(&mut stage, 1)?;
        wait_for(&mut stage, "three mails", seconds(5), |stage| {
            Ok(file(stage, NODE, "/tmp/mails")?.matches("\nend\n").count() >= 3)
        })?;
        let mails = file(&mut stage, NODE, "/tmp/mails")?;
        let found: Vec<_> = mails.lines().filter(|line| line.starts_with("Subject")).collect();
        let wanted: Vec<_> = subjects.iter().map(|subject| subject.trim_end()).collect();
        anyhow::ensure!(found == wanted, "{found:?}");
        anyhow::ensure!(mails.contains("is down: MISC_CHECK: "), "no reason in:\n{mails}");
        Ok(())
    });
}
