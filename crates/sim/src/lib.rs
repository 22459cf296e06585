//! A cluster of failover brains on a virtual network under a virtual clock.
//!
//! The brains are the daemon's own; only the kernel and the wire are imitated: addresses with leases,
//! gratuitous ARP, carriers, delay, loss and partitions. Everything random comes from one seed.
//!
//! ```
//! use std::time::Duration;
//! use standfast_sim::{Cluster, node};
//!
//! let mut cluster = Cluster::new(vec![node(1, 200), node(2, 100)], 7);
//! cluster.run_for(Duration::from_secs(5));
//! assert_eq!(cluster.holders(), [0]);
//! cluster.crash(0);
//! cluster.run_for(Duration::from_secs(5));
//! assert_eq!(cluster.holders(), [1]);
//! ```
//!
//! [`play`] lets a seed draw the cluster and what befalls it, and checks rules that hold whatever happens.

mod check;
mod cluster;
mod draw;
mod fault;
mod link;
mod machine;
mod node;
mod oracle;
mod run;
mod trace;

pub use check::Violation;
pub use cluster::{Cluster, Times};
pub use fault::Fault;
pub use link::Link;
pub use node::{ADDRESS, node};
pub use run::{Outcome, play};
pub use trace::{Entry, Happening, Place, Settings};

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
