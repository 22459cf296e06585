//! `real_server`.

use std::{net::IpAddr, sync::Arc};

use standfast_balance::{Endpoint, HostName, RealServer};
use standfast_health::Check;
use standfast_types::{DestinationKey, Family};

use super::{
    check::Site,
    method,
    service::{self, Draft},
};
use crate::{
    ServerNotify,
    lower::{Lowering, arguments::Read},
    syntax::Statement,
    table::Keyword,
};

/// What keepalived does not know of servers.
const BY_NAME: &str = "real_server by name";

/// A real server, and what to run when it changes; `None` when that is nothing.
pub(super) struct Lowered {
    pub(super) server: RealServer,
    pub(super) notify: Option<ServerNotify>,
}

impl Lowered {
    /// Its family; a name has none.
    pub(super) fn family(&self) -> Option<Family> {
        match &self.server.endpoint {
            Endpoint::Address(key) => Some(Family::of(key.address)),
            Endpoint::Host { .. } | Endpoint::Srv(_) => None,
        }
    }
}

impl Lowering<'_> {
    pub(super) fn real_server(
        &mut self,
        draft: &Draft<'_>,
        keyword: &'static Keyword,
        statement: &Statement,
        read: &Read<'_>,
    ) -> Option<Lowered> {
        let written = service::port(read).filter(|port| *port != 0).unwrap_or(draft.port());
        let endpoint = self.endpoint(keyword, read, written)?;
        let mut server = RealServer {
            endpoint,
            weight: draft.weight,
            forwarding: draft.forwarding,
            upper_threshold: 0,
            lower_threshold: 0,
            inhibit: draft.inhibit,
            checks: Vec::new(),
        };
        let mut inherited = draft.inherited.clone();
        let mut notify = ServerNotify::default();
        let mut mail = None;
        let block = keyword.block()?;
        // What stands below a check counts for it too.
        for inner in statement.statements().iter().filter(|line| !is_check(line)) {
            let Some((keyword, read)) = self.line(block, inner) else { continue };
            match keyword.name {
                "notify_up" => notify.up = self.pool_command(inner),
                "notify_down" => notify.down = self.pool_command(inner),
                "smtp_alert" => mail = read.flag().or(mail),
                name if inherited.take(name, &read, &mut self.pools.texts) => {}
                name => take(&mut server, name, &read),
            }
        }
        self.kept_ports(draft, &mut server);
        let site = Site { inherited: &inherited, port: port_of_checks(&server, written) };
        server.checks = self.checks(&site, keyword, statement);
        notify.mail =
            mail.or(self.mail.alert_servers()).unwrap_or(true) && self.mail.has_recipients();
        let notify = (notify != ServerNotify::default()).then_some(notify);
        Some(Lowered { server, notify })
    }

    /// Where it is: an address, else a name that is looked up, `srv` before it for SRV records.
    fn endpoint(
        &mut self,
        keyword: &'static Keyword,
        read: &Read<'_>,
        port: u16,
    ) -> Option<Endpoint> {
        let first = read.word()?;
        if let Ok(address) = first.text.parse::<IpAddr>() {
            return Some(Endpoint::Address(DestinationKey { address, port }));
        }
        self.note(BY_NAME, keyword, || format!("real_server {}", first.text), first.span);
        let mut name = |text| HostName(self.pools.texts.get(text));
        match read.matched.get(1) {
            Some(second) if first.text == "srv" => Some(Endpoint::Srv(name(&second.word.text))),
            Some(_) | None => Some(Endpoint::Host { name: name(&first.text), port }),
        }
    }

    /// Without rewriting, packets arrive at the port of the service.
    fn kept_ports(&self, draft: &Draft<'_>, server: &mut RealServer) {
        let port = match &mut server.endpoint {
            Endpoint::Address(DestinationKey { port, .. }) | Endpoint::Host { port, .. } => port,
            Endpoint::Srv(_) => return,
        };
        *port = draft.kept_port(*port, server.forwarding);
    }

    fn checks(
        &mut self,
        site: &Site<'_>,
        keyword: &'static Keyword,
        statement: &Statement,
    ) -> Vec<Arc<Check>> {
        let Some(block) = keyword.block() else { return Vec::new() };
        let mut checks = Vec::new();
        for inner in statement.statements().iter().filter(is_check) {
            if let Some((keyword, _)) = self.line(block, inner) {
                self.server_check(site, keyword, inner, &mut checks);
            }
        }
        checks
    }
}

/// Whether a line is a check, be it without its braces.
fn is_check(line: &&Statement) -> bool {
    line.keyword().is_some_and(|word| word.text.ends_with("_CHECK") || word.text.ends_with("_GET"))
}

fn take(server: &mut RealServer, name: &str, read: &Read<'_>) {
    let number = |old| read.small().map_or(old, |(number, _)| number);
    match name {
        "weight" => server.weight = number(server.weight),
        "uthreshold" => server.upper_threshold = number(server.upper_threshold),
        "lthreshold" => server.lower_threshold = number(server.lower_threshold),
        "inhibit_on_failure" => server.inhibit = read.flag().unwrap_or(server.inhibit),
        "lvs_method" => {
            server.forwarding = method::forwarding(read).unwrap_or(server.forwarding);
        }
        _ => {}
    }
}

/// The port that its checks go to which name none, where that is not its own: that of a service by mark is
/// only written for them.
fn port_of_checks(server: &RealServer, written: u16) -> Option<u16> {
    let own = match &server.endpoint {
        Endpoint::Address(DestinationKey { port, .. }) | Endpoint::Host { port, .. } => *port,
        Endpoint::Srv(_) => return None,
    };
    (own == 0 && written != 0).then_some(written)
}
