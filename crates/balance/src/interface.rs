//! What goes into the brain, and what comes out.

use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use standfast_health::Check;
use standfast_types::{
    BfdName, DestinationKey, FileName, InstanceName, ServiceChange, ServiceKey, ServiceName,
    Transport,
};

use crate::{Endpoint, RealServer, Resolved};

/// A real server of a virtual server, at the address where it is now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId {
    /// Of which service.
    pub service: ServiceName,
    /// Where.
    pub key: DestinationKey,
}

/// One check of a real server, by its place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckId {
    /// Of which server.
    pub server: ServerId,
    /// Its place among the server's checks, from 0.
    pub index: usize,
}

/// What a check says about its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is good. `MISC_CHECK` with `misc_dynamic` also says how much it can take.
    Good {
        /// The server's weight from now on.
        weight: Option<u32>,
    },
    /// It is not, and why, as a fragment: `status 503, wanted 200`.
    Bad(Arc<str>),
}

/// What the brain is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// A check has come to another verdict.
    Checked(CheckId, Verdict),
    /// The number in a file.
    File(FileName, i64),
    /// A BFD session went up or down.
    Bfd(BfdName, bool),
    /// What an endpoint's name stands for; empty keeps what was known.
    Resolved(Endpoint, Vec<Resolved>),
    /// An instance became master here, or is it no longer.
    Master(InstanceName, bool),
    /// An address was added to this machine, or removed.
    Address(IpAddr, bool),
    /// What an operator wants.
    Order(Order),
    /// How many connections a draining server still has.
    Connections(ServerId, u32),
    /// The kernel refused a change, for this reason. It is tried again.
    Refused(ServiceChange, String),
    /// Before the start: whether a former life of this process had reported this service as up.
    Reported(ServiceName, bool),
}

/// What an operator wants. It stands until it is taken back, over reloads too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// No new connections; after so many seconds at the latest it is removed.
    Drain {
        /// Which.
        server: ServerId,
        /// Nanoseconds; `None` waits for the last connection.
        limit: Option<u64>,
    },
    /// It counts as failed.
    Disable(ServerId),
    /// Takes back `Drain`, `Disable` and `Remove`.
    Enable(ServerId),
    /// This weight instead of the configured one; `None` takes it back.
    Weight(ServerId, Option<u32>),
    /// A server that the configuration does not have.
    Add(ServiceName, Box<RealServer>),
    /// It goes at once, also one of the configuration.
    Remove(ServerId),
}

impl Order {
    /// The service that it is about.
    #[must_use]
    pub const fn service(&self) -> &ServiceName {
        match self {
            Self::Drain { server, .. } | Self::Disable(server) | Self::Enable(server) => {
                &server.service
            }
            Self::Weight(server, _) | Self::Remove(server) => &server.service,
            Self::Add(service, _) => service,
        }
    }

    /// Where the server is that it is about; `None` for a new one that is known by name.
    #[must_use]
    pub const fn key(&self) -> Option<DestinationKey> {
        match self {
            Self::Drain { server, .. } | Self::Disable(server) | Self::Enable(server) => {
                Some(server.key)
            }
            Self::Weight(server, _) | Self::Remove(server) => Some(server.key),
            Self::Add(_, real) => match real.endpoint {
                Endpoint::Address(key) => Some(key),
                Endpoint::Host { .. } | Endpoint::Srv(_) => None,
            },
        }
    }
}

/// What the brain wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A change of the kernel's table. Changes are to be made in this order.
    Change(ServiceChange),
    /// Begin with this check; an earlier verdict, if there is one, stands. Never for `FILE_CHECK` and
    /// `BFD_CHECK`, which follow from [`Input::File`] and [`Input::Bfd`].
    Probe(CheckId, Arc<Check>),
    /// End with it.
    EndProbe(CheckId),
    /// Find out what this name stands for, from now on.
    Resolve(Endpoint),
    /// It is not needed any more.
    EndResolve(Endpoint),
    /// Tell how many connections it has, from time to time.
    CountConnections(ServerId),
    /// That is not needed any more.
    EndCount(ServerId),
    /// Read the kernel's table and give it to [`Brain::verify`](crate::Brain::verify).
    Verify,
    /// Something happened.
    Event(Event),
}

/// What happened. The single source of log lines, scripts, FIFO lines, mails and dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A real server became good or bad.
    Server {
        /// Which.
        server: ServerId,
        /// How it is configured.
        endpoint: Endpoint,
        /// The service's protocol, for the FIFO's line.
        transport: Transport,
        /// Good or bad.
        up: bool,
        /// Why: the check that decided, and its reason.
        cause: Cause,
    },
    /// One of its checks changed its mind. That a check succeeds whose server was taken for good is none.
    Check {
        /// Which.
        check: CheckId,
        /// How its server is configured.
        endpoint: Endpoint,
        /// The service's protocol.
        transport: Transport,
        /// Whether its server is good now.
        up: bool,
        /// Whether that is new.
        decides: bool,
        /// The keyword of its block.
        keyword: String,
        /// What it says now.
        verdict: Verdict,
    },
    /// The quorum of a service was lost or reached.
    Quorum {
        /// Which.
        service: ServiceName,
        /// Whether it is reached.
        up: bool,
        /// Weight of the servers that are good.
        weight: u64,
        /// What it takes: the quorum with its hysteresis.
        wanted: u64,
    },
    /// A server's weight is another one now.
    Weight {
        /// Which.
        server: ServerId,
        /// It was.
        from: u32,
        /// It is.
        to: u32,
    },
    /// The sorry server came in, or went.
    Sorry {
        /// Of which service.
        service: ServiceName,
        /// Whether it serves.
        serving: bool,
    },
    /// What a name stands for has changed.
    Resolved {
        /// The service.
        service: ServiceName,
        /// What was asked for.
        endpoint: Endpoint,
        /// What came.
        added: Vec<DestinationKey>,
        /// What went.
        removed: Vec<DestinationKey>,
    },
    /// A drained server has no connections any more, or its time is over; it is removed.
    Drained {
        /// Which.
        server: ServerId,
        /// Connections that it still had.
        left: u32,
    },
    /// Somebody else changed the kernel's table; it was put right.
    Repaired {
        /// Which service.
        service: ServiceKey,
    },
    /// The kernel refused a change; said once for each reason.
    Refused {
        /// What.
        change: Box<ServiceChange>,
        /// Its words.
        reason: String,
    },
}

/// Why a server is up or down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A check of this keyword, and what it said.
    Check(String, Verdict),
    /// An operator.
    Order,
    /// The configuration: it is new, or goes.
    Configuration,
    /// Its name stands for another address now.
    Name,
    /// The daemon stops, and `omega` is set.
    Stop,
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.key, self.service)
    }
}

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSnapshot {
    /// Which.
    pub name: ServiceName,
    /// Whether its quorum is reached.
    pub quorum_up: bool,
    /// Weight of the servers that are good.
    pub weight: u64,
    /// Whether the sorry server serves.
    pub sorry: bool,
    /// Its servers.
    pub servers: Vec<ServerSnapshot>,
}

/// How a real server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSnapshot {
    /// Where.
    pub key: DestinationKey,
    /// How it is configured.
    pub endpoint: Endpoint,
    /// Whether it is good.
    pub up: bool,
    /// Its weight; 0 while it is drained.
    pub weight: u32,
    /// What each of its checks says; `None`: nothing yet.
    pub checks: Vec<(String, Option<Verdict>)>,
    /// What an operator did to it.
    pub orders: Vec<Order>,
}
