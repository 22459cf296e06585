//! Netlink, raw and packet sockets, namespaces: the only crate with unsafe code
