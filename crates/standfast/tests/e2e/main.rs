//! The whole program with real processes in real time: run with `--release` and `--test-threads=1`.
//! Every test goes into a sandbox of its own; one that can't run says `SKIPPED` and why.

mod authentication;
mod balancing;
mod bfd;
mod check;
mod common;
mod conflicts;
mod control;
mod dumps;
mod findings;
mod fmt;
mod frr;
mod groups;
mod ipv6;
mod lab;
mod leases;
mod mail;
mod names;
mod notify;
mod peers;
mod personality;
mod pool;
mod pool_tls;
mod processes;
mod routing;
mod scenarios;
mod surroundings;
mod this_host;
mod trackers;
mod vmac;
mod voice;
