//! The kernel's side of Standfast: netlink, raw and packet sockets, processes, namespaces.
//!
//! This crate is thin and decides nothing: it turns values into system calls and answers
//! into values. It is the only crate where unsafe code may appear, one small block at a
//! time, each with its reason.

mod ancillary;
pub mod arp_socket;
pub mod bfd_socket;
pub mod clock;
pub mod conntrack;
pub mod error;
pub mod inotify;
pub mod ipvs;
pub mod link;
pub mod namespace;
pub mod neighbour_socket;
pub mod netlink;
pub mod nftables;
pub mod own_link;
mod packet_filter;
mod packet_socket;
pub mod poll;
pub mod probe_socket;
pub mod process;
pub mod process_watch;
mod sys;
pub mod syslog;
pub mod vrrp_socket;

pub use error::{Class, Error};
