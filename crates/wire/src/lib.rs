//! Bytes to structs and back: VRRPv2, VRRPv3, their authentication, BFD, ARP, SMTP and the internet
//! checksum.
//!
//! Each protocol has a checked view over received bytes, whose accessors cannot fail, and a plain
//! `Repr` that can always be emitted. No input makes this crate panic, and it decides nothing: whether
//! a well-formed packet is *welcome* is the engines' affair.
//!
//! ```
//! use standfast_types::{Family, Vrid};
//! use standfast_wire::vrrp::{Authentication, Packet, PseudoHeader, Repr, V2};
//!
//! let advert = Repr::V2(V2 {
//!     vrid: Vrid::new(51).expect("51 is a virtual router id"),
//!     priority: 100,
//!     interval_seconds: 1,
//!     authentication: Authentication::None,
//!     addresses: &["192.0.2.1".parse().expect("an address")],
//! });
//! let mut bytes = Vec::new();
//! advert.emit(PseudoHeader::Absent, &mut bytes);
//! let packet = Packet::parse(&bytes, Family::V4)?;
//! assert_eq!(packet.priority(), 100);
//! # Ok::<(), standfast_wire::vrrp::Malformed>(())
//! ```

pub mod ah;
pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod hmac_trailer;
pub mod neighbour;
pub mod smtp;
pub mod vrrp;
