//! How this machine finds out about names: `/etc/hosts` first, then the name servers of `/etc/resolv.conf`.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, time::Duration};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::ResolveHosts,
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RData, RecordType},
    },
    system_conf,
};
use standfast_balance::Endpoint;

use super::memory::{Answer, Finding, Host, Target, preferred};

const SERVERS: &str = "/etc/resolv.conf";
const FILES: [&str; 2] = [SERVERS, "/etc/hosts"];
/// What `/etc/hosts` says is good until it changes.
const HOSTS_TTL: Duration = Duration::from_secs(3600);

/// The machine's files about names, as they were read.
pub(super) struct System {
    resolver: Result<TokioResolver, String>,
    hosts: Hosts,
    seen: [Option<Stamp>; 2],
}

/// What tells one version of a file from the next: device, inode, size, time of change.
type Stamp = (u64, u64, u64, i64, i64);

impl System {
    /// Reads the files.
    pub(super) fn read() -> Self {
        // Before they are read: a change in between is seen as one.
        let seen = stamps();
        let hosts = Hosts::from_system().unwrap_or_default();
        Self { resolver: resolver(), hosts, seen }
    }

    /// Whether the files have changed since.
    pub(super) fn is_stale(&self) -> bool {
        self.seen != stamps()
    }

    /// Finds out what an endpoint stands for.
    pub(super) async fn ask(&self, endpoint: &Endpoint) -> Finding {
        match endpoint {
            Endpoint::Address(key) => {
                let nothing = || Answer::Nothing { reason: "it is no name", ttl: None };
                let found = Answer::Found { records: vec![key.address], ttl: HOSTS_TTL };
                Finding::Host(Host { v4: found, v6: nothing() })
            }
            Endpoint::Host { name, .. } => Finding::Host(self.host(&name.0).await),
            Endpoint::Srv(name) => self.srv(&name.0).await,
        }
    }

    async fn srv(&self, name: &str) -> Finding {
        let target = |data: &RData| {
            let RData::SRV(srv) = data else { return None };
            let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
            Some(Target { priority, weight, port, name: srv.target.to_ascii() })
        };
        let mut hosts = BTreeMap::new();
        let answer = match self.question(name, RecordType::SRV, target).await {
            Answer::Found { mut records, ttl } => {
                // RFC 2782: the root as target says that the service is not to be had here.
                records.retain(|target| target.name != ".");
                records = preferred(records);
                for target in &records {
                    if !hosts.contains_key(&target.name) {
                        hosts.insert(target.name.clone(), self.host(&target.name).await);
                    }
                }
                if records.is_empty() {
                    let reason = "its SRV record says that there is no such service";
                    Answer::Nothing { reason, ttl: Some(ttl) }
                } else {
                    Answer::Found { records, ttl }
                }
            }
            Answer::Nothing { reason, ttl } => Answer::Nothing { reason, ttl },
            Answer::Failed(reason) => Answer::Failed(reason),
        };
        Finding::Srv(answer, hosts)
    }

    async fn host(&self, name: &str) -> Host {
        if let Some(host) = self.file(name) {
            return host;
        }
        let (v4, v6) = tokio::join!(
            self.question(name, RecordType::A, RData::ip_addr),
            self.question(name, RecordType::AAAA, RData::ip_addr)
        );
        Host { v4, v6 }
    }

    /// What `/etc/hosts` says, which is all that counts for the names in it.
    fn file(&self, name: &str) -> Option<Host> {
        let name = Name::from_utf8(name).ok()?;
        let ask = |kind| {
            let lookup = self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
            lookup.map(|lookup| Answer::Found {
                records: lookup.answers().iter().filter_map(|one| one.data.ip_addr()).collect(),
                ttl: HOSTS_TTL,
            })
        };
        let (v4, v6) = (ask(RecordType::A), ask(RecordType::AAAA));
        if v4.is_none() && v6.is_none() {
            return None;
        }
        let nothing = || Answer::Nothing { reason: "not in /etc/hosts", ttl: Some(HOSTS_TTL) };
        Some(Host { v4: v4.unwrap_or_else(nothing), v6: v6.unwrap_or_else(nothing) })
    }

    async fn question<T>(
        &self,
        name: &str,
        kind: RecordType,
        take: impl Fn(&RData) -> Option<T>,
    ) -> Answer<T> {
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(reason) => return Answer::Failed(reason.clone()),
        };
        match resolver.lookup(name, kind).await {
            Ok(lookup) => found(&lookup, kind, take),
            Err(error) => refused(&error, kind),
        }
    }
}

fn found<T>(lookup: &Lookup, kind: RecordType, take: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    // Aliases on the way count too.
    let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or_default();
    let ttl = Duration::from_secs(ttl.into());
    let records: Vec<_> = lookup.answers().iter().filter_map(|record| take(&record.data)).collect();
    if records.is_empty() {
        return Answer::Nothing { reason: missing(kind), ttl: Some(ttl) };
    }
    Answer::Found { records, ttl }
}

fn refused<T>(error: &NetError, kind: RecordType) -> Answer<T> {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error {
        let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
        let reason = if error.is_nx_domain() { "there is no such name" } else { missing(kind) };
        return Answer::Nothing { reason, ttl };
    }
    Answer::Failed(reason(error))
}

fn missing(kind: RecordType) -> &'static str {
    if kind == RecordType::SRV { "the name has no SRV records" } else { "the name has no address" }
}

/// As a fragment for an operator.
fn reason(error: &NetError) -> String {
    if let NetError::Dns(DnsError::ResponseCode(code)) = error {
        return format!("the name server answers \"{code}\"");
    }
    if matches!(error, NetError::Timeout) {
        return "no name server answered in time".to_owned();
    }
    if matches!(error, NetError::NoConnections) {
        return "no name server can be reached".to_owned();
    }
    if let NetError::Io(error) = error {
        return format!("no name server can be reached: {error}");
    }
    error.to_string()
}

/// With the name servers of the machine; what they answer is kept by ourselves.
fn resolver() -> Result<TokioResolver, String> {
    let said = |error: NetError| {
        let error =
            if let NetError::Io(error) = &error { error.to_string() } else { error.to_string() };
        format!("{SERVERS}: {error}")
    };
    let (config, mut options) = system_conf::read_system_conf().map_err(said)?;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(said)
}

fn stamps() -> [Option<Stamp>; 2] {
    FILES.map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    })
}
