//! Bytes to structs and back: VRRP, ARP, IPv4, checksums
