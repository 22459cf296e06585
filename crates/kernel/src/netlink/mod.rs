//! The kernel's routing tables: links, addresses, routes, rules, and what changes in them.
//!
//! ```no_run
//! use standfast_kernel::netlink::{AddressRequest, Lifetime, Netlink};
//!
//! let mut netlink = Netlink::open()?;
//! for link in netlink.links()? {
//!     let prefix = "192.0.2.1/32".parse().expect("a prefix");
//!     let lease = Lifetime::Seconds(3);
//!     let request = AddressRequest { lifetime: lease, ..AddressRequest::new(link.index, prefix) };
//!     // The same call, repeated, renews the lease.
//!     netlink.add_addresses(&[request]);
//! }
//! # Ok::<(), standfast_kernel::Error>(())
//! ```

mod address;
pub(crate) mod generic;
mod link;
pub(crate) mod message;
mod monitor;
mod route;
mod rule;
mod socket;
#[cfg(test)]
mod tests;

pub use address::{Address, AddressRequest, Lifetime, OUR_PROTO, Origin};
pub use link::{Link, LinkKind};
pub use monitor::{Change, Monitor, MonitorError};
pub use route::{IndexOf, OUR_ROUTES, RouteReport};
pub use rule::is_rule;
pub use socket::Netlink;

pub(crate) use link::{
    IFF_UP, IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO,
    RTM_DELLINK, RTM_NEWLINK,
};
pub(crate) use socket::{
    DATAGRAM, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, receive,
};
