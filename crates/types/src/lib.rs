//! The words that every crate shares: time, ids, addresses, seeded random numbers.
//!
//! Nothing here reads a clock, a file or the network. `Instant` is opaque integer
//! nanoseconds, so an engine behaves the same under the daemon's clock, the
//! simulator's clock and a test that starts at zero.

mod address;
mod command;
mod id;
mod rng;
mod route;
mod routing;
mod rule;
mod service;
mod sync;
mod time;
mod virtual_address;

pub use address::{Family, Prefix, PrefixError};
pub use command::{Command, User};
pub use id::{
    BfdName, FileName, GroupName, IfIndex, InstanceName, InterfaceName, MacAddress, Priority,
    ProcessName, ScriptName, ServiceName, Vrid,
};
pub use rng::Rng;
pub use route::{
    Congestion, Encap, MetricKind, NextHop, PathMetric, Placement, Realms, Route, RouteKind, Tunnel,
};
pub use routing::RoutingEntry;
pub use rule::{Mark, Rule, RuleAction};
pub use service::{
    Checksum, Closing, Destination, DestinationKey, Encapsulation, Forwarding, Persistence,
    Scheduler, SchedulerFlags, Scheduling, Service, ServiceChange, ServiceKey, ServiceTable,
    Transport,
};
pub use sync::{SyncDaemon, SyncRole, Timeouts};
pub use time::{AdvertInterval, Instant, IntervalError, WallClock};
pub use virtual_address::{AddressFlags, Broadcast, Scope, VirtualAddress};
