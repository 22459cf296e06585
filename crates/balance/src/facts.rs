//! What is known of the world around the servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use standfast_types::{BfdName, DestinationKey, FileName, InstanceName};

use crate::{Endpoint, Resolved};

/// What services depend on beside their own checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) files: BTreeMap<FileName, i64>,
    pub(crate) sessions: BTreeMap<BfdName, bool>,
    pub(crate) masters: BTreeSet<InstanceName>,
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// What names stood for when they last stood for anything.
    pub(crate) names: BTreeMap<Endpoint, Vec<Resolved>>,
}

/// One of these facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    File(FileName),
    Bfd(BfdName),
    Instance(InstanceName),
    Address(IpAddr),
    Name(Endpoint),
}

impl Facts {
    pub(crate) fn file(&self, name: &FileName) -> Option<i64> {
        self.files.get(name).copied()
    }

    pub(crate) fn bfd(&self, name: &BfdName) -> Option<bool> {
        self.sessions.get(name).copied()
    }

    /// Where an endpoint is, with the weights of SRV records.
    pub(crate) fn places(&self, endpoint: &Endpoint) -> Vec<(DestinationKey, Option<u16>)> {
        let resolved = self.names.get(endpoint).map(Vec::as_slice).unwrap_or_default();
        let at = |address, port| DestinationKey { address, port };
        match endpoint {
            Endpoint::Address(key) => vec![(*key, None)],
            Endpoint::Host { port, .. } => {
                resolved.iter().map(|resolved| (at(resolved.address, *port), None)).collect()
            }
            Endpoint::Srv(_) => resolved
                .iter()
                .filter_map(|resolved| {
                    let (port, weight) = resolved.srv?;
                    Some((at(resolved.address, port), Some(weight)))
                })
                .collect(),
        }
    }

    /// The same without weights.
    pub(crate) fn keys(&self, endpoint: &Endpoint) -> BTreeSet<DestinationKey> {
        self.places(endpoint).into_iter().map(|(key, _)| key).collect()
    }
}
