//! Clusters of real processes in network namespaces: demo, tests, benchmarks.
//!
//! The lab touches nothing outside: it runs itself once more in a sandbox (see
//! [`isolation`]) in which every interface, mount and process is its own, and all of that
//! ends with it.

pub mod error;
pub mod isolation;
pub mod node;
pub mod topology;

pub use error::LabError;
