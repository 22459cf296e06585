//! Authentication of adverts: what is signed on sending and verified on receiving.
//!
//! [`Auth`] is what must be remembered for it: sequence numbers, sent and heard. It belongs to the router and
//! outlives a reload.

mod config;
mod header;
mod marks;
mod trailer;

use std::net::IpAddr;

pub use config::{AntiReplay, Authentication, Hmac, Key, Mode, Password};
use standfast_types::{Instant, Vrid, WallClock};
use standfast_wire::{
    ah::{self, Ip},
    hmac_trailer::{self, About, Sequence},
    vrrp::{self, PseudoHeader},
};
pub(crate) use trailer::Skew;

use crate::{Config, Datagram, Discard, Envelope, Transport, Version};
use marks::Marks;

/// Senders of multicast that are remembered. Each knows a key, so they are few.
const MULTICAST_SENDERS: usize = 4;

/// What one router remembers for authentication.
#[derive(Clone, Debug, Default)]
pub(crate) struct Auth {
    /// What the machine's clock says; without it no advert is fresh.
    clock: WallClock,
    /// The highest sequence number of AH that was sent by us or heard from anybody.
    header_sequence: u32,
    /// The last sequence that we signed.
    sent: Sequence,
    /// The last sequences that we heard, by sender.
    marks: Marks,
}

impl Auth {
    pub(crate) const fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// What signs an advert with this message; its checksum may be that of any destination. `None` when
    /// nothing may be sent.
    pub(crate) fn seal(
        &mut self,
        now: Instant,
        config: &Config,
        source: IpAddr,
        message: &[u8],
    ) -> Option<Seal> {
        match &config.authentication {
            Authentication::None | Authentication::Password(_) => Some(Seal::Open),
            Authentication::Header(password) => {
                let sequence = self.next_header_sequence(now);
                Some(Seal::Header { password: *password, sequence })
            }
            Authentication::Hmac(hmac) if hmac.mode.signs() => {
                let about = about(config.version, config.vrid, source);
                self.sign(now, hmac, about, message).map(Seal::Trailer)
            }
            Authentication::Hmac(_) => Some(Seal::Open),
        }
    }

    /// Forgets senders that are no longer peers.
    pub(crate) fn retain_senders(&mut self, transport: &Transport) {
        match transport {
            Transport::Multicast { .. } => {}
            Transport::Unicast { peers, .. } => {
                self.marks.retain(|sender| peers.iter().any(|peer| peer.address == sender));
            }
        }
    }
}

/// What one advert is signed with, whatever its destination.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seal {
    /// Nothing.
    Open,
    /// An authentication header, computed for each destination.
    Header { password: Password, sequence: u32 },
    /// A trailer, the same for all.
    Trailer([u8; hmac_trailer::LENGTH]),
}

impl Seal {
    /// Seals a message for one destination. `None`: nothing can seal it, so it must not be sent.
    pub(crate) fn close(
        self,
        source: IpAddr,
        destination: IpAddr,
        message: &mut Vec<u8>,
    ) -> Option<Envelope> {
        match self {
            Self::Open => Some(Envelope::Bare),
            Self::Header { password, sequence } => {
                let identification = header::identification(sequence);
                let ip = ip(identification, source, destination)?;
                header::seal(password, ip, sequence, message);
                Some(Envelope::Header { identification })
            }
            Self::Trailer(trailer) => {
                message.extend(trailer);
                if destination.is_ipv6() {
                    let pseudo_header = PseudoHeader::Present { source, destination };
                    vrrp::set_checksum(pseudo_header, message);
                }
                Some(Envelope::Bare)
            }
        }
    }
}

/// A packet whose parts are known, and not verified yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened<'a> {
    /// The VRRP message.
    pub(crate) message: &'a [u8],
    proof: Proof<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Proof<'a> {
    None,
    Header { identification: u16, packet: ah::Packet<'a> },
    Trailer(&'a [u8; hmac_trailer::LENGTH]),
}

/// Finds the message in what follows the IP header. A trailer is known by nothing but the length.
pub(crate) fn open<'a>(config: &Config, datagram: Datagram<'a>) -> Result<Opened<'a>, Discard> {
    let bytes = datagram.payload;
    let bare = Opened { message: bytes, proof: Proof::None };
    match (datagram.envelope, &config.authentication) {
        (Envelope::Header { identification }, Authentication::Header(_)) => {
            let packet = ah::Packet::parse(bytes)?;
            let proof = Proof::Header { identification, packet };
            Ok(Opened { message: packet.message(), proof })
        }
        (Envelope::Bare, Authentication::Hmac(_)) => Ok(match bytes.split_last_chunk() {
            Some((message, trailer)) if vrrp::Packet::parse(message, config.family).is_ok() => {
                Opened { message, proof: Proof::Trailer(trailer) }
            }
            Some(_) | None => bare,
        }),
        (Envelope::Bare, Authentication::None | Authentication::Password(_)) => Ok(bare),
        (Envelope::Bare, Authentication::Header(_))
        | (
            Envelope::Header { .. },
            Authentication::None | Authentication::Password(_) | Authentication::Hmac(_),
        ) => Err(Discard::AuthenticationType),
    }
}

impl Opened<'_> {
    /// Whether it comes from somebody who knows our secret, and was never heard before.
    pub(crate) fn verify(
        &self,
        config: &Config,
        vrid: Vrid,
        datagram: Datagram<'_>,
        auth: &mut Auth,
        now: Instant,
    ) -> Result<Option<Skew>, Discard> {
        match (&config.authentication, self.proof) {
            (Authentication::None | Authentication::Password(_), _) => Ok(None),
            (Authentication::Header(password), Proof::Header { identification, packet }) => {
                let Datagram { source, destination, .. } = datagram;
                let ip = ip(identification, source, destination).ok_or(Discard::HeaderMalformed)?;
                auth.verify_header(*password, ip, &packet).map(|()| None)
            }
            (Authentication::Header(_), Proof::None | Proof::Trailer(_)) => {
                Err(Discard::AuthenticationType)
            }
            (Authentication::Hmac(hmac), Proof::Trailer(trailer)) => {
                let limit = senders_max(&config.transport, datagram.source)?;
                let about = about(config.version, vrid, datagram.source);
                auth.verify_trailer(now, hmac, about, self.message, trailer, limit)
            }
            (Authentication::Hmac(hmac), Proof::None | Proof::Header { .. }) => match hmac.mode {
                Mode::Enforce => Err(Discard::HmacMissing),
                Mode::Permissive | Mode::ReceiveOnly => Ok(None),
            },
        }
    }
}

/// How many senders are remembered; of unicast the peers, and nobody else is believed.
fn senders_max(transport: &Transport, source: IpAddr) -> Result<usize, Discard> {
    match transport {
        Transport::Multicast { .. } => Ok(MULTICAST_SENDERS),
        Transport::Unicast { peers, .. } if peers.iter().any(|peer| peer.address == source) => {
            Ok(peers.len())
        }
        Transport::Unicast { .. } => Err(Discard::UnknownSource),
    }
}

/// AH is for IPv4 only.
fn ip(identification: u16, source: IpAddr, destination: IpAddr) -> Option<Ip> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Some(Ip { identification, source, destination })
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}

fn about(version: Version, vrid: Vrid, source: IpAddr) -> About {
    let version = match version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    About { version, vrid, source }
}

#[cfg(test)]
mod tests;
