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

mod cluster;
mod machine;

pub use cluster::{Cluster, Times};
pub use machine::{ADDRESS, node};

#[cfg(test)]
mod tests;
