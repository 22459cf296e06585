//! Mails about changes of state, against a mail server that is not ours.

use std::net::Ipv4Addr;

use standfast_kernel::process::signal;

use crate::common::{file, in_sandbox, instance, logged, pair, say, seconds, wait_for};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
/// Python's own mail server, as far as it goes: it went with version 3.12.
pub(crate) const SERVER: &str = "#!/usr/bin/env python3
import warnings
warnings.simplefilter('ignore')
import asyncore, smtpd
class Server(smtpd.SMTPServer):
    def process_message(self, peer, sender, recipients, data, **more):
        with open('/tmp/mails', 'a') as mails:
            print('from', sender, 'to', *recipients, file=mails)
            print(data.decode(), file=mails)
            print('end', file=mails)
Server(('0.0.0.0', 2525), None)
print('ready', flush=True)
asyncore.loop()
";
const GLOBAL: &str = "global_defs {
 router_id node-a
 notification_email {
  ops@example.net
  oncall@example.net
 }
 notification_email_from standfast@example.net
 smtp_server 10.83.0.2 2525
 smtp_alert_vrrp
";

#[test]
fn every_change_of_state_is_mailed_to_all_with_its_reason() {
    let name = "mail::every_change_of_state_is_mailed_to_all_with_its_reason";
    in_sandbox(name, &["/bin/sh"], || {
        let mut stage = pair()?;
        stage.topology.node("b")?.write_program("/tmp/server.py".as_ref(), SERVER.as_bytes())?;
        let module = ["python3", "-W", "ignore", "-c", "import smtpd"];
        if stage.run("b", &module)?.0 != 0 {
            say(format_args!("SKIPPED {name}: no Python with a mail server"));
            return Ok(());
        }
        stage.start("b", "mail", &["python3", "/tmp/server.py"])?;
        wait_for(&mut stage, "the mail server listens", seconds(5), |stage| {
            Ok(stage.log("b", "mail")?.iter().any(|line| line == "ready"))
        })?;
        let text = instance(150, ADDRESS, "").replace("global_defs {\n", GLOBAL);
        stage.start_standfast("a", &text)?;
        let mails = |stage: &mut standfast_lab::stage::Stage, count: usize| {
            wait_for(stage, "the mails arrive", seconds(5), |stage| {
                Ok(file(stage, "b", "/tmp/mails")?.matches("end\n").count() >= count)
            })
        };
        mails(&mut stage, 2)?;
        let text = file(&mut stage, "b", "/tmp/mails")?;
        for expected in [
            "from standfast@example.net to ops@example.net oncall@example.net\n",
            "Subject: [node-a] VRRP Instance VI_1 - Entering BACKUP state\n",
            "Subject: [node-a] VRRP Instance VI_1 - Entering MASTER state\n",
            "=> VRRP Instance is now owning VRRP VIPs <=\n",
            "VI_1: BACKUP -> MASTER (priority 150): no advert heard for",
        ] {
            anyhow::ensure!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
        // Without its server it says so, and goes on.
        stage.signal("b", "mail", signal::SIGKILL)?;
        stage.topology.set_cable("a", "eth0", standfast_lab::topology::Cable::Pulled)?;
        logged(&mut stage, "a", "no mail by 10.83.0.2", seconds(40))?;
        say("mail: two changes, two letters, to both recipients");
        Ok(())
    });
}
