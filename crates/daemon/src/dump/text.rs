//! `keepalived.data`, with keepalived's names where it has one.

use std::{fmt::Write as _, time::Duration};

use standfast_conf::Deleted;
use standfast_types::Family;
use standfast_vrrp::{Preempt, Transport, Version};

use super::{Each, Subject, address, command, seconds};
use crate::{calendar::stamp, describe::describe_faults};

impl Subject<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = String::from("------< Global definitions >------\n");
        self.global(&mut text);
        text.push_str("------< VRRP Topology >------\n");
        for instance in self.each() {
            self.describe(&instance, &mut text);
        }
        self.groups(&mut text);
        self.scripts(&mut text);
        self.board.dump_bfd(&mut text);
        text
    }

    fn global(&self, text: &mut String) {
        let global = &self.model.global;
        let mut line = |name: &str, value: &str| {
            // Writing to a string can't fail.
            let _ = writeln!(text, " {name} = {value}");
        };
        line("Router ID", global.router_id.as_deref().unwrap_or("(the host's name)"));
        if let Some(mail) = &global.mail {
            line("SMTP server", &format!("{} port {}", mail.server, mail.port));
            line("SMTP server connection timeout", &mail.timeout.as_secs().to_string());
            line("Email notification", &mail.recipients.join(", "));
        }
        for (name, fifo) in
            [("Global notify fifo", &global.fifos.all), ("VRRP notify fifo", &global.fifos.vrrp)]
        {
            if let Some(fifo) = fifo {
                line(name, &fifo.path);
            }
        }
        line("VRRP startup delay", &seconds(self.model.failover.startup_delay));
        line("Worst lateness in the last minute", &seconds(self.late));
        let security = if global.script_security { "enabled" } else { "disabled" };
        line("Script security", security);
    }

    fn describe(&self, instance: &Each<'_>, text: &mut String) {
        let Each { config, state, notify } = instance;
        let router = &config.router;
        let _ = writeln!(text, " VRRP Instance = {}", config.name);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "   {name} = {value}");
        };
        let since = self.since(instance);
        line("VRRP Version", if router.version == Version::V2 { "2" } else { "3" });
        line("State", state.router.state.as_str());
        line("Wantstate", state.router.state.as_str());
        line("Faults", &state.faults.len().to_string());
        if !state.faults.is_empty() {
            line("Fault because", &describe_faults(&state.faults));
        }
        line("Last transition", &format!("{} ({})", seconds(since), stamp(since)));
        if let Some(status) = self.board.status(&config.name) {
            line("Last transition because", &status.last);
            line("Transitions", &status.transitions.to_string());
        }
        if let Some(master) = state.router.master {
            line("Master router", &master.to_string());
            line("Master priority", &state.router.master_priority.to_string());
        }
        let any = config.interface.is_any();
        line("Interface", if any { "any" } else { config.interface.as_str() });
        match &router.transport {
            Transport::Multicast { group } => line("Multicast address", &group.to_string()),
            Transport::Unicast { peers, ttl, .. } => {
                line("Unicast TTL", &ttl.to_string());
                for peer in peers {
                    let (min, max) = (peer.min_ttl, peer.max_ttl);
                    let text = format!("{} min_ttl {min} max_ttl {max}", peer.address);
                    line("Unicast Peer", &text);
                }
            }
        }
        self.timing(instance, text);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "   {name} = {value}");
        };
        for held in &config.addresses {
            let advertised = router.addresses.contains(&held.prefix.address());
            let name = if advertised { "Virtual IP" } else { "Virtual IP Excluded" };
            line(name, &address(held, state.holds));
        }
        line("Using smtp notification", if notify.mail { "yes" } else { "no" });
        let deleted = match notify.deleted {
            Deleted::AsFault => "Fault",
            Deleted::AsDeleted(_) => "Deleted",
        };
        line("Notify deleted", deleted);
        for (name, script) in [
            ("Backup state transition script", &notify.backup),
            ("Master state transition script", &notify.master),
            ("Fault state transition script", &notify.fault),
            ("Stop state transition script", &notify.stop),
            ("Generic state transition script", &notify.any),
            ("Master rx lower pri state transition script", &notify.master_rx_lower_pri),
        ] {
            if let Some(script) = script {
                line(name, &command(script));
            }
        }
    }

    fn timing(&self, instance: &Each<'_>, text: &mut String) {
        let Each { config, state, .. } = instance;
        let router = &config.router;
        let garp = router.announcements;
        let whole = |duration: Duration| duration.as_secs().to_string();
        let yes = |flag: bool| if flag { "true" } else { "false" }.to_owned();
        for (name, value) in [
            ("Gratuitous ARP delay", whole(garp.master_delay)),
            ("Gratuitous ARP repeat", garp.master_repeat.to_string()),
            ("Gratuitous ARP refresh", whole(garp.refresh)),
            ("Gratuitous ARP refresh repeat", garp.refresh_repeat.to_string()),
            ("Gratuitous ARP lower priority delay", whole(garp.lower_prio_delay)),
            ("Gratuitous ARP lower priority repeat", garp.lower_prio_repeat.to_string()),
            ("Down timer adverts", router.down_timer_adverts.to_string()),
            ("Send advert after receive lower priority advert", yes(!router.lower_prio_no_advert)),
            ("Virtual Router ID", router.vrid.to_string()),
            ("Priority", router.priority.to_string()),
            ("Effective priority", state.router.priority.to_string()),
            (
                "Advert interval",
                format!("{} milli-sec", router.advert_interval.duration().as_millis()),
            ),
            (
                "Preempt",
                match router.preempt {
                    Preempt::Always => "enabled".to_owned(),
                    Preempt::After(delay) => format!("enabled, delay {} s", delay.as_secs()),
                    Preempt::Never => "disabled".to_owned(),
                },
            ),
            (
                "Family",
                match router.family {
                    Family::V4 => "IPv4".to_owned(),
                    Family::V6 => "IPv6".to_owned(),
                },
            ),
        ] {
            let _ = writeln!(text, "   {name} = {value}");
        }
    }

    fn groups(&self, text: &mut String) {
        if self.model.failover.groups.is_empty() {
            return;
        }
        text.push_str("------< VRRP Sync groups >------\n");
        for group in &self.model.failover.groups {
            let _ = writeln!(text, " VRRP Sync Group = {}", group.name);
            for member in &group.members {
                let _ = writeln!(text, "   Member = {member}");
            }
        }
    }

    fn scripts(&self, text: &mut String) {
        if self.model.scripts.is_empty() {
            return;
        }
        text.push_str("------< VRRP Scripts >------\n");
        for script in &self.model.scripts {
            let _ = write!(
                text,
                " VRRP Script = {}\n   Command = {}\n   Interval = {} sec\n   Timeout = {} sec\n",
                script.name,
                command(&script.command),
                seconds(script.interval),
                seconds(script.timeout),
            );
        }
    }
}
