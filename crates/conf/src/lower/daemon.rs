//! Settings of the processes: where, as what and how they run, and what surrounds their life.

use std::time::Duration;

use super::{Lowering, arguments::Read, command};
use crate::{
    settings::{AutoPriority, Marker, Once},
    syntax::Statement,
    table::{Keyword, Value},
};

/// How long a start or shutdown script may take that the file gives no time.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The highest real-time priority.
const HIGHEST: u8 = 99;

/// What the file says of the processes, while it is read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    names: bool,
    startup_timeout: Option<Duration>,
    shutdown_timeout: Option<Duration>,
    /// Of BFD, which runs in the process of VRRP: what that says itself counts first.
    bfd: Bfd,
    auto_max: Option<u8>,
    auto_after: Option<Duration>,
}

#[derive(Debug, Default)]
struct Bfd {
    realtime_priority: Option<u8>,
    nice: Option<i8>,
    cpus: Vec<u32>,
    realtime_limit: Option<Duration>,
}

impl Lowering<'_> {
    /// Takes a keyword of the top level that concerns the processes; false when it is of another room.
    pub(super) fn place_setting(
        &mut self,
        keyword: &'static Keyword,
        statement: &Statement,
    ) -> bool {
        let place = |name: &str| {
            matches!(name, "net_namespace" | "instance" | "use_pid_dir" | "child_wait_time")
        };
        if !place(keyword.name) {
            return false;
        }
        let read = self.read(keyword, statement);
        let text = || read.word().map(|word| word.text.to_string());
        let global = &mut self.model.global;
        match keyword.name {
            "net_namespace" => global.place.namespace = text().or(global.place.namespace.take()),
            "instance" => global.place.instance = text().or(global.place.instance.take()),
            "use_pid_dir" => global.place.pid_directory = true,
            _ => {
                let seconds = read.small::<u32>().map(|(n, _)| Duration::from_secs(n.into()));
                global.supervision.release_limit = seconds;
            }
        }
        true
    }

    /// Takes a keyword of `global_defs` that concerns the processes.
    pub(super) fn process_setting(
        &mut self,
        name: &str,
        statement: &Statement,
        read: &Read<'_>,
    ) -> bool {
        let text = || read.word().map(|word| word.text.to_string());
        let whole = || read.small::<u32>().map(|(n, _)| Duration::from_secs(n.into()));
        let supervision = &mut self.model.global.supervision;
        match name {
            "process_names" => self.process.names = true,
            "process_name" => supervision.name = text(),
            "vrrp_process_name" => self.model.global.running.name = text(),
            "umask" => supervision.umask = read.word().and_then(|word| umask(&word.text)),
            "set_supplementary_groups" => {
                let flag = &mut supervision.supplementary_groups;
                *flag = read.flag().unwrap_or(*flag);
            }
            "startup_script" => {
                let once = self.once(statement);
                self.model.global.supervision.startup = once;
            }
            "shutdown_script" => {
                let once = self.once(statement);
                self.model.global.supervision.shutdown = once;
            }
            "startup_script_timeout" => self.process.startup_timeout = whole(),
            "shutdown_script_timeout" => self.process.shutdown_timeout = whole(),
            "vrrp_delay_after_boot" => {
                if let Some((delay, _)) = read.time() {
                    supervision.delay_after_boot = delay;
                }
            }
            "config_save_dir" => supervision.save_directory = text(),
            // A reload is always tested first.
            "reload_check_config" => supervision.reload_log = text(),
            "reload_file" => {
                supervision.reload_marker = Some(text().map_or(Marker::BesidePidFile, Marker::At));
            }
            // A script always runs under the path that is written; and the reader has obeyed the seed.
            "use_symlink_paths" | "random_seed" => {}
            _ => return self.scheduling(name, read),
        }
        true
    }

    fn scheduling(&mut self, name: &str, read: &Read<'_>) -> bool {
        let micros = || read.small::<u32>().map(|(n, _)| Duration::from_micros(n.max(2).into()));
        let bytes = || read.small().map(|(bytes, _)| bytes);
        let process = &mut self.process;
        let running = &mut self.model.global.running;
        match name {
            "vrrp_cpu_affinity" => running.cpus = numbers(read),
            "vrrp_rlimit_rttime" | "vrrp_rlimit_rtime" => running.realtime_limit = micros(),
            "bfd_priority" => process.bfd.nice = read.small().map(|(nice, _)| nice),
            "bfd_rt_priority" => process.bfd.realtime_priority = read.small().map(|(n, _)| n),
            "bfd_cpu_affinity" => process.bfd.cpus = numbers(read),
            "bfd_rlimit_rttime" | "bfd_rlimit_rtime" => process.bfd.realtime_limit = micros(),
            // The memory of the process that they run in is always locked.
            "bfd_no_swap" => {}
            "max_auto_priority" => {
                let most = read.number().map_or(i64::from(HIGHEST), |(number, _)| number);
                process.auto_max = u8::try_from(most).ok().filter(|max| *max > 0);
            }
            "vrrp_netlink_cmd_rcv_bufs" => running.command_buffer.bytes = bytes(),
            "vrrp_netlink_monitor_rcv_bufs" => running.monitor_buffer.bytes = bytes(),
            "vrrp_netlink_cmd_rcv_bufs_force" => {
                running.command_buffer.force = read.flag().unwrap_or(running.command_buffer.force);
            }
            "vrrp_netlink_monitor_rcv_bufs_force" => {
                running.monitor_buffer.force = read.flag().unwrap_or(running.monitor_buffer.force);
            }
            "min_auto_priority_delay" => process.auto_after = micros(),
            _ => return false,
        }
        true
    }

    fn once(&mut self, statement: &Statement) -> Option<Once> {
        let user = self.defaults.script_user.as_ref();
        let command = command::notify(statement.parameters(), user, self.diagnostics)?;
        Some(Once { command, timeout: SCRIPT_TIMEOUT })
    }

    /// What depends on several keywords, once all of the file is read.
    pub(super) fn lower_process(&mut self) {
        let Draft { names, startup_timeout, shutdown_timeout, bfd, auto_max, auto_after } =
            std::mem::take(&mut self.process);
        let global = &mut self.model.global;
        for (once, timeout) in [
            (&mut global.supervision.startup, startup_timeout),
            (&mut global.supervision.shutdown, shutdown_timeout),
        ] {
            if let (Some(once), Some(timeout)) = (once, timeout) {
                once.timeout = timeout;
            }
        }
        let running = &mut global.running;
        let usual = global.supervision.name.clone();
        let usual_of = |name: &str| if names { Some(name.to_owned()) } else { usual.clone() };
        running.name = running.name.take().or(usual_of("keepalived_vrrp"));
        let checker = &mut self.model.pool.running.name;
        *checker = checker.take().or(usual_of("keepalived_lvs"));
        if running.cpus.is_empty() {
            running.cpus = bfd.cpus;
        }
        running.realtime_limit = running.realtime_limit.or(bfd.realtime_limit);
        global.realtime_priority = global.realtime_priority.or(bfd.realtime_priority);
        global.nice = global.nice.or(bfd.nice);
        running.auto_priority = auto_max
            .map(|max| AutoPriority { max, after: auto_after.unwrap_or(Duration::from_secs(1)) });
    }
}

pub(super) fn numbers(read: &Read<'_>) -> Vec<u32> {
    let number = |value| match value {
        Value::Number(number) => u32::try_from(number).ok(),
        Value::Bool(_) | Value::Time(_) | Value::Address(_) | Value::Text(_) => None,
    };
    read.matched.iter().filter_map(|matched| number(matched.value)).collect()
}

/// `022`, `18`, `IWGRP|IWOTH`.
fn umask(text: &str) -> Option<u32> {
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        let octal = text.starts_with('0') && text.len() > 1;
        return u32::from_str_radix(text, if octal { 8 } else { 10 }).ok();
    }
    text.split('|').try_fold(0, |mask, name| {
        let bits = match name.trim().strip_prefix("S_").unwrap_or(name.trim()) {
            "IRUSR" => 0o400,
            "IWUSR" => 0o200,
            "IXUSR" => 0o100,
            "IRWXU" => 0o700,
            "IRGRP" => 0o040,
            "IWGRP" => 0o020,
            "IXGRP" => 0o010,
            "IRWXG" => 0o070,
            "IROTH" => 0o004,
            "IWOTH" => 0o002,
            "IXOTH" => 0o001,
            "IRWXO" => 0o007,
            _ => return None,
        };
        Some(mask | bits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umask_is_a_number_or_names_of_bits() {
        for (text, mask) in [
            ("022", Some(0o22)),
            ("18", Some(0o22)),
            ("IWGRP|IWOTH", Some(0o22)),
            ("S_IRWXO", Some(7)),
        ] {
            assert_eq!(umask(text), mask, "{text}");
        }
        assert_eq!(umask("IRWXQ"), None);
    }
}
