//! The words that every crate shares: time, ids, addresses, seeded random numbers.
//!
//! Nothing here reads a clock, a file or the network. `Instant` is opaque integer
//! nanoseconds, so an engine behaves the same under the daemon's clock, the
//! simulator's clock and a test that starts at zero.

mod address;
mod id;
mod rng;
mod route;
mod routing;
mod rule;
mod time;
mod virtual_address;

pub use address::{Family, Prefix, PrefixError};
pub use id::{
    BfdName, FileName, GroupName, IfIndex, InstanceName, InterfaceName, MacAddress, Priority,
    ProcessName, ScriptName, Vrid,
};
pub use rng::Rng;
pub use route::{
    Congestion, Encap, MetricKind, NextHop, PathMetric, Placement, Realms, Route, RouteKind, Tunnel,
};
pub use routing::RoutingEntry;
pub use rule::{Mark, Rule, RuleAction};
pub use time::{AdvertInterval, Instant, IntervalError, WallClock};
pub use virtual_address::{AddressFlags, Broadcast, Scope, VirtualAddress};
