//! The failover brain of one machine.
//!
//! [`Brain`] owns every virtual router of a machine, follows scripts and interfaces, and says which addresses
//! the machine must hold. Like the routers in it, it is a value: the daemon, the simulator and the tests
//! feed it the same inputs and get the same outputs.

mod accept;
mod assess;
mod bfd;
mod brain;
mod config;
mod conflict;
mod dependents;
mod event;
mod group;
mod instance;
mod instances;
mod lease;
mod listeners;
mod pace;
mod process;
mod routing;
mod settling;
mod statics;
mod strangers;
mod tracker;
mod vmac;
mod world;

pub use accept::Firewall;
pub use bfd::{BfdConfig, BfdEvent, BfdInput, BfdOutput, BfdPath, BfdSnapshot};
pub use brain::{Brain, InstanceSnapshot};
pub use config::{
    Config, ExtraAnnouncements, GroupConfig, InstanceConfig, ReceiveBuffer, ScriptConfig, TrackBfd,
    TrackFile, TrackInterface, TrackProcess, TrackScript, Trackers, Weight,
};
pub use conflict::Evidence;
pub use event::{Event, Fault, Input, InstanceEvent, Output};
pub use pace::PaceGroup;
pub use process::{Comparison, Parameters, Process, ProcessConfig, ProcessInput, ProcessPattern};
pub use routing::RoutingEvent;
pub use settling::LinkDelays;
pub use statics::{Static, StaticEvent, Statics};
pub use vmac::{Isolation, OwnLink, OwnLinkKind};
