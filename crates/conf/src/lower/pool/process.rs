//! What the file says of pools as a whole: how the kernel balances, and how the process runs that checks.

use std::time::Duration;

use standfast_types::SyncDaemon;

use crate::{
    FlushOnStop, Marks, Plane,
    lower::{Lowering, arguments::Read, daemon},
    syntax::Statement,
    table::{Keyword, Value},
};

/// `nftables_ipvs` without a name.
const TABLE: &str = "keepalived_ipvs";
/// `nftables_ipvs_priority`
const PRIORITY: i32 = -1;
/// `nftables_ipvs_start_fwmark`
const FIRST_MARK: u32 = 1000;

/// What needs all of the file to be told.
#[derive(Debug)]
pub(super) struct Draft {
    /// `checker_log_all_failures`, for the services below.
    pub(super) log_all_failures: bool,
    /// `nftables_ipvs`
    pub(super) table: Option<String>,
    pub(super) priority: i32,
    pub(super) first_mark: u32,
    /// `lvs_sync_daemon`: whether it has an id, and the instance that it follows.
    pub(super) sync_id: bool,
    pub(super) sync: Option<(SyncDaemon, Option<String>)>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            log_all_failures: false,
            table: None,
            priority: PRIORITY,
            first_mark: FIRST_MARK,
            sync_id: false,
            sync: None,
        }
    }
}

impl Lowering<'_> {
    /// Takes a keyword of the top level; false when it is of another room.
    pub(in crate::lower) fn pool_place(
        &mut self,
        keyword: &'static Keyword,
        statement: &Statement,
    ) -> bool {
        match keyword.name {
            "virtual_server" => self.virtual_server(keyword, statement),
            "SSL" => self.identity(keyword, statement),
            "net_namespace_ipvs" => {
                let read = self.read(keyword, statement);
                let name = read.word().map(|word| word.text.to_string());
                self.model.pool.namespace = (!read.failed).then(|| name.unwrap_or_default());
            }
            _ => return false,
        }
        true
    }

    fn identity(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(block) = keyword.block() else { return };
        for inner in statement.statements() {
            let Some((keyword, read)) = self.line(block, inner) else { continue };
            let Some(text) = read.word().map(|word| word.text.to_string()) else { continue };
            let identity = &mut self.model.pool.identity;
            match keyword.name {
                "ca" => identity.ca = Some(text),
                "certificate" => identity.certificate = Some(text),
                "key" => identity.key = Some(text),
                "password" => identity.password = Some(text),
                _ => {}
            }
        }
    }

    /// Takes a keyword of `global_defs`; false when it is of another room.
    pub(in crate::lower) fn pool_setting(&mut self, name: &str, read: &Read<'_>) -> bool {
        let pool = &mut self.model.pool;
        match name {
            "lvs_data_plane" => {
                pool.plane = match read.word().map(|word| word.text.as_str()) {
                    Some("ipvs") => Plane::Ipvs,
                    Some("nftables") => Plane::Nftables,
                    Some("auto") => Plane::Auto,
                    Some(_) | None => pool.plane,
                };
            }
            "lvs_timeouts" => self.timeouts(read),
            "lvs_flush" => pool.flush = true,
            "lvs_flush_on_stop" | "lvs_flush_onstop" if !read.failed => {
                let ours = read.word().is_some();
                pool.flush_on_stop = if ours { FlushOnStop::Ours } else { FlushOnStop::All };
            }
            "lvs_sync_daemon" => self.sync_daemon(read),
            "nftables_ipvs" if !read.failed => {
                let name = read.word().map_or(TABLE, |word| word.text.as_str());
                self.pools.process.table = Some(name.to_owned());
            }
            "nftables_ipvs_priority" => {
                let old = self.pools.process.priority;
                self.pools.process.priority = read.small().map_or(old, |(number, _)| number);
            }
            "nftables_ipvs_start_fwmark" => {
                let old = self.pools.process.first_mark;
                self.pools.process.first_mark = read.small().map_or(old, |(mark, _)| mark);
            }
            "checker_log_all_failures" => {
                let flag = &mut self.pools.process.log_all_failures;
                *flag = read.flag().unwrap_or(*flag);
            }
            "rs_init_notifies" => {
                let flag = &mut pool.balance.report_initial;
                *flag = read.flag().unwrap_or(*flag);
            }
            "no_checker_emails" => pool.no_check_mails = read.flag().unwrap_or(pool.no_check_mails),
            _ => return self.checker_process(name, read),
        }
        true
    }

    fn checker_process(&mut self, name: &str, read: &Read<'_>) -> bool {
        let pool = &mut self.model.pool;
        let running = &mut pool.running;
        let bytes = || read.small().map(|(bytes, _)| bytes);
        match name {
            "checker_process_name" | "lvs_process_name" => {
                running.name = read.word().map(|word| word.text.to_string());
            }
            "checker_priority" => pool.nice = read.small().map(|(nice, _)| nice),
            "checker_no_swap" => pool.no_swap = true,
            "checker_rt_priority" => {
                pool.realtime_priority = read.small().map(|(priority, _)| priority);
            }
            "checker_cpu_affinity" => running.cpus = daemon::numbers(read),
            "checker_rlimit_rttime" | "checker_rlimit_rtime" => {
                let micros = read.small::<u32>();
                running.realtime_limit =
                    micros.map(|(micros, _)| Duration::from_micros(micros.max(2).into()));
            }
            "lvs_netlink_cmd_rcv_bufs" => running.command_buffer.bytes = bytes(),
            "lvs_netlink_monitor_rcv_bufs" => running.monitor_buffer.bytes = bytes(),
            "lvs_netlink_cmd_rcv_bufs_force" => {
                running.command_buffer.force = read.flag().unwrap_or(running.command_buffer.force);
            }
            "lvs_netlink_monitor_rcv_bufs_force" => {
                running.monitor_buffer.force = read.flag().unwrap_or(running.monitor_buffer.force);
            }
            _ => return false,
        }
        true
    }

    fn timeouts(&mut self, read: &Read<'_>) {
        let timeouts = &mut self.model.pool.timeouts;
        for (name, matched) in read.options() {
            let Value::Number(seconds) = matched.value else { continue };
            let time = u64::try_from(seconds).ok().filter(|seconds| *seconds != 0);
            let time = time.map(Duration::from_secs);
            match name {
                "tcp" => timeouts.tcp = time,
                "tcpfin" => timeouts.tcp_fin = time,
                "udp" => timeouts.udp = time,
                _ => {}
            }
        }
    }

    fn sync_daemon(&mut self, read: &Read<'_>) {
        let Some(interface) = read.word() else { return };
        let mut daemon = SyncDaemon {
            interface: interface.text.as_str().into(),
            id: 0,
            max_length: None,
            port: None,
            ttl: None,
            group: None,
        };
        let mut plain = read.matched.iter().skip(1).filter(|matched| matched.option.is_none());
        let mut instance = plain.next().map(|matched| matched.word.text.to_string());
        let mut id = None;
        for (name, matched) in read.options() {
            match (name, matched.value) {
                ("inst", _) => instance = Some(matched.word.text.to_string()),
                ("id", Value::Number(number)) => id = u8::try_from(number).ok(),
                ("maxlen", Value::Number(number)) => daemon.max_length = u16::try_from(number).ok(),
                ("port", Value::Number(number)) => daemon.port = u16::try_from(number).ok(),
                ("ttl", Value::Number(number)) => daemon.ttl = u8::try_from(number).ok(),
                ("group", Value::Address(address)) => daemon.group = Some(address),
                (_, _) => {}
            }
        }
        daemon.id = id.unwrap_or(0);
        self.pools.process.sync_id = id.is_some();
        self.pools.process.sync = Some((daemon, instance));
    }

    /// The marks of groups, without any group yet; `None` when nothing is to be marked.
    pub(super) fn marks(&self) -> Option<Marks> {
        let Draft { table, priority, .. } = &self.pools.process;
        let table = table.clone()?;
        Some(Marks { table, priority: *priority, groups: Vec::new() })
    }
}
