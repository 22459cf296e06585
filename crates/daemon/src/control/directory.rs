//! Which service and which server somebody means.

use std::collections::BTreeSet;

use standfast_balance::{Config, Endpoint, RealServer, Resolved, ServerId, VirtualServer};
use standfast_types::DestinationKey;

use super::{orders::Orders, reply::Refusal, written, written::Written};
use crate::names::Names;

/// So many names that may be meant are told.
const NEAR: usize = 3;

/// All that can be meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory<'a> {
    pub(crate) config: &'a Config,
    pub(crate) names: &'a Names,
    pub(crate) orders: &'a Orders,
}

impl<'a> Directory<'a> {
    /// The service that is written like this.
    pub(crate) fn service(&self, text: &str) -> Result<&'a VirtualServer, Refusal> {
        let name = text.trim();
        let name = name.strip_prefix("group ").map_or(name, str::trim);
        let services = &self.config.services;
        if let Some(named) = services.iter().find(|service| service.name.as_str() == name) {
            return Ok(named);
        }
        let meant = Written::parse(text);
        let found: Vec<_> = services
            .iter()
            .filter(|service| {
                let meant = meant.as_ref();
                meant.is_some_and(|meant| service.keys.iter().any(|key| meant.is_service(key)))
            })
            .collect();
        match found[..] {
            [one] => Ok(one),
            [] => {
                let all: Vec<_> = services.iter().map(called).collect();
                let near = near(text, &all);
                Err(Refusal::Service { written: text.to_owned(), near, several: false })
            }
            _ => {
                let near = found.into_iter().map(called).collect();
                Err(Refusal::Service { written: text.to_owned(), near, several: true })
            }
        }
    }

    /// The server of a service that is written like this.
    pub(crate) fn server(&self, service: &VirtualServer, text: &str) -> Result<ServerId, Refusal> {
        let all = self.servers(service);
        let meant = Written::parse(text);
        let is_meant = |key: &&DestinationKey| meant.is_some_and(|meant| meant.is_server(key));
        let mut found: Vec<_> = all.iter().filter(is_meant).copied().collect();
        if meant.is_none() {
            found = self.named(service, text.trim());
        }
        match found[..] {
            [key] => Ok(ServerId { service: service.name.clone(), key }),
            [] => {
                let all: Vec<_> = all.iter().map(written::server).collect();
                Err(refusal(service, text, near(text, &all), false))
            }
            _ => {
                let found = found.iter().map(written::server).collect();
                Err(refusal(service, text, found, true))
            }
        }
    }

    /// Where the servers of a service are, as far as that is known.
    pub(crate) fn servers(&self, service: &VirtualServer) -> BTreeSet<DestinationKey> {
        let configured = service.servers.iter().flat_map(|server| self.places(server));
        configured.chain(self.orders.added(&service.name)).collect()
    }

    fn places(&self, server: &RealServer) -> Vec<DestinationKey> {
        let known = || self.names.known(&server.endpoint).iter();
        match &server.endpoint {
            Endpoint::Address(key) => vec![*key],
            Endpoint::Host { port, .. } => known().map(|one| place(one, *port)).collect(),
            Endpoint::Srv(_) => known().map(|one| place(one, 0)).collect(),
        }
    }

    /// Where the server is that the file names like this.
    fn named(&self, service: &VirtualServer, text: &str) -> Vec<DestinationKey> {
        let same = |server: &&RealServer| match &server.endpoint {
            Endpoint::Address(_) => false,
            Endpoint::Host { name, .. } => text == &*name.0 || text == server.endpoint.to_string(),
            Endpoint::Srv(name) => text == &*name.0 || text == server.endpoint.to_string(),
        };
        let found = service.servers.iter().filter(same);
        let places: BTreeSet<_> = found.flat_map(|server| self.places(server)).collect();
        places.into_iter().collect()
    }
}

fn place(resolved: &Resolved, port: u16) -> DestinationKey {
    let port = resolved.srv.map_or(port, |(port, _)| port);
    DestinationKey { address: resolved.address, port }
}

/// How we write a service: by its group's name, or what it takes.
pub(crate) fn called(service: &VirtualServer) -> String {
    match &service.keys[..] {
        [key] if key.to_string() == service.name.as_str() => written::service(key),
        _ => service.name.to_string(),
    }
}

fn refusal(service: &VirtualServer, text: &str, near: Vec<String>, several: bool) -> Refusal {
    Refusal::Server { service: called(service), written: text.to_owned(), near, several }
}

/// Those that look most like it.
fn near(text: &str, all: &[String]) -> Vec<String> {
    let mut ranked: Vec<_> =
        all.iter().map(|one| (strsim::damerau_levenshtein(text, one), one)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(NEAR).map(|(_, one)| one.clone()).collect()
}

#[cfg(test)]
mod tests;
