//! What a virtual router is told, what it wants done, and what happened.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{AdvertInterval, Priority, WallClock};
use standfast_wire::{ah, vrrp::Malformed};

/// What the world tells a virtual router.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// It may take part from now on (interface, source address and trackers are known).
    Start,
    /// It was master a moment ago, in a process that died, and still holds its addresses.
    Adopt,
    /// A VRRP message addressed to this router's VRID.
    Datagram(Datagram<'a>),
    /// The effective priority changed.
    Priority(Priority),
    /// Something that it needs is gone.
    Fault,
    /// All that it needs is back.
    Recover,
    /// Our own source address, which decides ties.
    Source(IpAddr),
    /// Let go of the addresses, make before break, and stop.
    Release,
    /// While letting go: the successor has announced every address.
    HandedOver,
    /// What the machine's clock says, for authentication.
    Clock(WallClock),
    /// Its place in a sync group, if it is in one. Comes before [`Self::Start`].
    Seat(Option<Seat>),
    /// Its sync group takes over: a backup does so as well.
    TakeOver,
    /// Its sync group lets go: a master becomes backup.
    StepDown,
}

/// A place in a sync group, whose members are master together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its election decides where those of the members contradict each other.
    pub lead: bool,
    /// All members own their addresses; else none of them starts as master.
    pub owners: bool,
}

/// A VRRP message as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Source address of the IP header.
    pub source: IpAddr,
    /// Destination address of the IP header.
    pub destination: IpAddr,
    /// Time to live of the IP header.
    pub ttl: u8,
    /// What stands between the IP header and the message.
    pub envelope: Envelope,
    /// What follows the IP header.
    pub payload: &'a [u8],
}

/// What stands between the IP header of a packet and its VRRP message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// Nothing (IP protocol 112).
    #[default]
    Bare,
    /// An IPsec authentication header (IP protocol 51).
    Header {
        /// Identification in the IP header, which that header covers.
        identification: u16,
    },
}

impl Datagram<'_> {
    /// The virtual router that it is for, if it is a VRRP message at all.
    #[must_use]
    pub fn vrid(&self) -> Option<u8> {
        let before = match self.envelope {
            Envelope::Bare => 0,
            Envelope::Header { .. } => ah::LENGTH,
        };
        self.payload.get(before..)?.get(1).copied()
    }
}

/// One packet of an advert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Destination address of the IP header.
    pub destination: IpAddr,
    /// Time to live of the IP header.
    pub ttl: u8,
    /// What stands between the IP header and the message.
    pub envelope: Envelope,
    /// What follows the IP header.
    pub payload: Vec<u8>,
}

/// What a virtual router wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send an advert of this priority (0: we let go) to the group or to every peer.
    Advertise {
        /// The priority field.
        priority: u8,
    },
    /// Install the addresses.
    Hold,
    /// Remove the addresses.
    LetGo,
    /// Announce each address this many times.
    Announce {
        /// Messages for each address.
        repeat: u32,
    },
    /// Something happened.
    Event(Event),
}

/// The states, by keepalived's names. RFC 9568 calls MASTER "Active".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StateName {
    /// Not started.
    Init,
    /// Listens, ready to take over.
    Backup,
    /// Holds the addresses.
    Master,
    /// Cannot take part.
    Fault,
    /// Has stopped or is letting go.
    Stop,
}

impl StateName {
    /// keepalived's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
        }
    }
}

/// Something that happened to a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The state changed.
    Transition {
        /// Before.
        from: StateName,
        /// After.
        to: StateName,
        /// Why.
        cause: Cause,
        /// Our effective priority at that time.
        priority: Priority,
    },
    /// A previous process was master; this one goes on without a role change.
    Adopted {
        /// Our effective priority.
        priority: Priority,
    },
    /// As master, we heard an advert that loses against ours.
    LowerPriorityHeard {
        /// Who sent it.
        source: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// The master holds other addresses than we would. Accepted, but somebody's file is wrong.
    AddressListDiffers {
        /// Who sent it.
        source: IpAddr,
    },
    /// The master's interval differs from ours, and we follow it (VRRPv3).
    IntervalLearned {
        /// Who sent it.
        source: IpAddr,
        /// Its interval.
        interval: AdvertInterval,
    },
    /// A peer makes its checksum as keepalived before 1.3.6 did; we answer it alike.
    OldChecksumPeer {
        /// Who sent it.
        source: IpAddr,
    },
    /// A sender's clock differs from ours by more than half of what `time_window` allows: beyond
    /// that, its adverts are refused.
    ClockDiffers {
        /// Who sent it.
        source: IpAddr,
        /// How far its clock is ahead of ours, in seconds.
        ahead: i32,
    },
    /// A message was refused.
    Discarded {
        /// Who sent it.
        source: IpAddr,
        /// Why.
        reason: Discard,
    },
}

/// Why the state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Started.
    Started,
    /// Started as the owner of the address, which waits for nobody.
    Owner,
    /// No advert was heard in time.
    MasterDown {
        /// The master that fell silent, if one was ever heard.
        master: Option<IpAddr>,
        /// How long nothing was heard.
        silence: Duration,
    },
    /// The master let go with an advert of priority 0.
    MasterReleased {
        /// The master that was.
        master: IpAddr,
    },
    /// The living master's priority is lower than ours.
    Preempted {
        /// The master that we took over from.
        master: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// A router of higher priority advertises.
    HigherPriority {
        /// Who.
        source: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// A router of our priority and a higher address advertises.
    Tie {
        /// Who.
        source: IpAddr,
    },
    /// Something that it needs is gone.
    Fault,
    /// All that it needs is back.
    Recovered,
    /// Another member of its sync group changed.
    Group,
    /// This process was late by more than the peers wait; others may have taken over.
    Late {
        /// How late the advert was.
        by: Duration,
    },
    /// Asked to stop.
    Stopped,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Discard {
    /// Shorter than it says.
    Truncated,
    /// Longer than it says.
    TooLong,
    /// A protocol version other than ours.
    Version,
    /// Not an advertisement.
    Type,
    /// VRID 0.
    Vrid,
    /// The checksum is wrong.
    Checksum,
    /// A multicast advert that crossed a router (TTL below 255).
    Ttl,
    /// A unicast peer's TTL is outside the configured range.
    PeerTtl,
    /// Not from a configured peer.
    UnknownSource,
    /// Another authentication type than ours.
    AuthenticationType,
    /// Another password than ours.
    Password,
    /// Another advert interval than ours (VRRPv2).
    Interval,
    /// Our own advert, come back.
    Own,
    /// Sent to an address that this router does not listen to.
    Destination,
    /// No sound authentication header.
    HeaderMalformed,
    /// An authentication header whose SPI is not the sender's address.
    HeaderSpi,
    /// The integrity check of the authentication header fails.
    HeaderIcv,
    /// A sequence number of AH that was heard, or used by us, already.
    HeaderReplay,
    /// An unsigned advert, where `auth_hmac` enforces signed ones.
    HmacMissing,
    /// A trailer of another type than `auth_hmac`'s.
    HmacMalformed,
    /// Signed by a key that is not defined here.
    HmacUnknownKey,
    /// The signature is wrong.
    HmacInvalid,
    /// Signed at a time that is too far from ours.
    HmacStale,
    /// Not after the last advert of this sender.
    HmacReplay,
}

impl Discard {
    /// Every reason, in order.
    pub const ALL: [Self; 24] = [
        Self::Truncated,
        Self::TooLong,
        Self::Version,
        Self::Type,
        Self::Vrid,
        Self::Checksum,
        Self::Ttl,
        Self::PeerTtl,
        Self::UnknownSource,
        Self::AuthenticationType,
        Self::Password,
        Self::Interval,
        Self::Own,
        Self::Destination,
        Self::HeaderMalformed,
        Self::HeaderSpi,
        Self::HeaderIcv,
        Self::HeaderReplay,
        Self::HmacMissing,
        Self::HmacMalformed,
        Self::HmacUnknownKey,
        Self::HmacInvalid,
        Self::HmacStale,
        Self::HmacReplay,
    ];

    /// A label for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::TooLong => "too-long",
            Self::Version => "version",
            Self::Type => "type",
            Self::Vrid => "vrid",
            Self::Checksum => "checksum",
            Self::Ttl => "ttl",
            Self::PeerTtl => "peer-ttl",
            Self::UnknownSource => "unknown-source",
            Self::AuthenticationType => "authentication-type",
            Self::Password => "password",
            Self::Interval => "interval",
            Self::Own => "own",
            Self::Destination => "destination",
            Self::HeaderMalformed => "ah-malformed",
            Self::HeaderSpi => "ah-spi",
            Self::HeaderIcv => "ah-icv",
            Self::HeaderReplay => "ah-replay",
            Self::HmacMissing => "hmac-missing",
            Self::HmacMalformed => "hmac-malformed",
            Self::HmacUnknownKey => "hmac-unknown-key",
            Self::HmacInvalid => "hmac-invalid",
            Self::HmacStale => "hmac-stale",
            Self::HmacReplay => "hmac-replay",
        }
    }
}

impl From<Malformed> for Discard {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Truncated => Self::Truncated,
            Malformed::TooLong => Self::TooLong,
            Malformed::Version(_) => Self::Version,
            Malformed::Type(_) => Self::Type,
            Malformed::Vrid => Self::Vrid,
        }
    }
}

impl From<ah::Malformed> for Discard {
    fn from(malformed: ah::Malformed) -> Self {
        match malformed {
            ah::Malformed::Truncated => Self::Truncated,
            ah::Malformed::Length | ah::Malformed::NextHeader(_) => Self::HeaderMalformed,
        }
    }
}

/// Why a router wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The next advert is due.
    Advert,
    /// The master is silent for too long.
    MasterDown,
    /// `preempt_delay` ends.
    Preempt,
    /// The second burst of announcements is due.
    SecondAnnouncement,
    /// A refresh of the announcements is due.
    Refresh,
    /// The successor had its time.
    HandOver,
}
