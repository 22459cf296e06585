//! What is balanced over what.

use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use standfast_health::Check;
use standfast_types::{
    DestinationKey, Forwarding, InstanceName, Scheduling, ServiceKey, ServiceName, Transport,
};

/// All virtual servers, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Each with a name of its own. A key that two of them name belongs to the first.
    pub services: Vec<VirtualServer>,
    /// `rs_init_notifies`: the state in which a real server starts is an event too.
    pub report_initial: bool,
}

/// A `virtual_server`. All defaults are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServer {
    /// What it is called.
    pub name: ServiceName,
    /// What it takes: one address or mark, or the members of its group. Never empty, nothing twice.
    pub keys: Vec<ServiceKey>,
    /// Its protocol; marks have none.
    pub transport: Transport,
    /// How its connections are spread.
    pub scheduling: Scheduling,
    /// Over what; never empty, no endpoint twice.
    pub servers: Vec<RealServer>,
    /// `sorry_server`
    pub sorry: Option<SorryServer>,
    /// `quorum`: the weight that live servers must have together; at least 1.
    pub quorum: u32,
    /// `hysteresis`: less than the quorum.
    pub hysteresis: u32,
    /// `omega`: what stops, is reported as down.
    pub omega: bool,
    /// When the kernel has it.
    pub active: Active,
    /// `ha_suspend`: its servers are checked only while this machine has its address.
    pub suspend: bool,
}

/// When the kernel has a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Active {
    /// All the time, as with keepalived.
    #[default]
    Always,
    /// `active_on master`: while an instance that holds one of its addresses is master here.
    Master(InstanceName),
}

/// A `real_server`. All defaults are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// Where it is.
    pub endpoint: Endpoint,
    /// `weight`; 0 gets no new connections.
    pub weight: u32,
    /// `lvs_method`
    pub forwarding: Forwarding,
    /// `uthreshold`
    pub upper_threshold: u32,
    /// `lthreshold`
    pub lower_threshold: u32,
    /// `inhibit_on_failure`: failed, it stays with weight 0.
    pub inhibit: bool,
    /// What it has to pass; without any it is good.
    pub checks: Vec<Arc<Check>>,
}

/// `sorry_server`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SorryServer {
    /// Where it is.
    pub key: DestinationKey,
    /// `sorry_server_lvs_method`
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`: it stays with weight 0 while it is not needed.
    pub inhibit: bool,
}

/// Where a real server is, or where that is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// Here.
    Address(DestinationKey),
    /// At every address of a name; with the port beside it.
    Host {
        /// The name.
        name: HostName,
        /// The port.
        port: u16,
    },
    /// At every target of a name's SRV records (RFC 2782), with their ports and weights.
    Srv(HostName),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(key) => key.fmt(f),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
            Self::Srv(name) => write!(f, "srv {name}"),
        }
    }
}

/// A name in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostName(pub Arc<str>);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a name stands for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resolved {
    /// An address.
    pub address: IpAddr,
    /// Of an SRV record: port and weight. Only records of the lowest priority are here.
    pub srv: Option<(u16, u16)>,
}
