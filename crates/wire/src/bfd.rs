//! BFD control packets, version 1, without authentication (RFC 5880, section 4.1).

use std::num::{NonZeroU8, NonZeroU32};

use serde::{Deserialize, Serialize};

/// UDP port of sessions whose peers share a network (RFC 5881, section 4).
pub const SINGLE_HOP_PORT: u16 = 3784;
/// UDP port of sessions across routers (RFC 5883, section 5).
pub const MULTIHOP_PORT: u16 = 4784;
/// Bytes of a control packet without authentication.
pub const LENGTH: usize = 24;
/// The mandatory part and the shortest authentication section.
const LENGTH_AUTHENTICATED: usize = 26;
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// How a system sees its session (RFC 5880, section 4.1, `Sta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Held down by its operator.
    AdminDown,
    /// Nothing heard from the peer, or it went silent.
    Down,
    /// The peer is heard, and does not say yet that it hears us.
    Init,
    /// Both hear each other.
    Up,
}

impl State {
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }

    /// As operators know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        }
    }
}

/// Why a session last left Up (RFC 5880, section 4.1, `Diag`), in five bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Diagnostic(u8);

impl Diagnostic {
    /// It never did.
    pub const NONE: Self = Self(0);
    /// The peer was silent for the detection time.
    pub const TIME_EXPIRED: Self = Self(1);
    /// The peer said that the session is down.
    pub const NEIGHBOR_SIGNALED: Self = Self(3);
    /// The operator took it down.
    pub const ADMIN_DOWN: Self = Self(7);

    /// Only the lower five bits count.
    #[must_use]
    pub const fn new(code: u8) -> Self {
        Self(code & 0x1f)
    }

    /// 0 to 31.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            0 => "no diagnostic",
            1 => "its detection time expired",
            2 => "its echoes failed",
            3 => "its neighbour signalled down",
            4 => "its forwarding plane was reset",
            5 => "its path is down",
            6 => "a concatenated path is down",
            7 => "it is administratively down",
            8 => "a reverse concatenated path is down",
            _ => "an unknown diagnostic",
        }
    }
}

/// A control packet without authentication section. Intervals are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// The sender's state.
    pub state: State,
    /// Why it last left Up.
    pub diagnostic: Diagnostic,
    /// It wants an answer with `is_final` at once.
    pub poll: bool,
    /// It answers a poll.
    pub is_final: bool,
    /// Its BFD does not share fate with its control plane.
    pub control_plane_independent: bool,
    /// It wants to hear no periodic packets.
    pub demand: bool,
    /// How many of its packets in a row must be missing until it is taken for dead.
    pub detect_mult: NonZeroU8,
    /// The sender's number of the session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's number of the session, once the sender knows it.
    pub your_discriminator: Option<NonZeroU32>,
    /// The sender would like to leave this much between two packets.
    pub desired_min_tx: u32,
    /// The sender takes packets no closer together than this; 0 wants none at all.
    pub required_min_rx: u32,
    /// The same for echo packets; 0 wants none.
    pub required_min_echo_rx: u32,
}

/// Why bytes are no control packet that RFC 5880, section 6.8.6, lets in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
pub enum Malformed {
    /// Fewer bytes than a packet has, or than its length field says.
    #[error("truncated")]
    Truncated,
    /// A length field below the shortest packet.
    #[error("length field too small")]
    Length,
    /// Another version than 1.
    #[error("another version than 1")]
    Version,
    /// Detection multiplier 0.
    #[error("detection multiplier 0")]
    DetectMult,
    /// The multipoint bit, which is reserved.
    #[error("multipoint bit set")]
    Multipoint,
    /// My Discriminator is 0.
    #[error("no discriminator")]
    MyDiscriminator,
    /// Your Discriminator is 0 in a state that is reached only by hearing the peer.
    #[error("does not name the session")]
    YourDiscriminator,
    /// It carries authentication, which is never configured here.
    #[error("authenticated")]
    Authenticated,
}

impl Repr {
    /// Reads a packet; bytes behind its own length are ignored.
    ///
    /// # Errors
    /// The first check that it fails, in the order of RFC 5880, section 6.8.6.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let fixed: &[u8; LENGTH] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
        let ([first, flags, detect_mult, length], words) = head(fixed);
        let [mine, yours, desired_min_tx, required_min_rx, required_min_echo_rx] = words;
        let has = |flag: u8| flags & flag != 0;
        if first >> 5 != VERSION {
            return Err(Malformed::Version);
        }
        let shortest = if has(AUTHENTICATION) { LENGTH_AUTHENTICATED } else { LENGTH };
        if usize::from(length) < shortest {
            return Err(Malformed::Length);
        }
        if usize::from(length) > bytes.len() {
            return Err(Malformed::Truncated);
        }
        let detect_mult = NonZeroU8::new(detect_mult).ok_or(Malformed::DetectMult)?;
        if has(MULTIPOINT) {
            return Err(Malformed::Multipoint);
        }
        let my_discriminator = NonZeroU32::new(mine).ok_or(Malformed::MyDiscriminator)?;
        let your_discriminator = NonZeroU32::new(yours);
        let state = State::from_bits(flags >> 6);
        if your_discriminator.is_none() && matches!(state, State::Init | State::Up) {
            return Err(Malformed::YourDiscriminator);
        }
        if has(AUTHENTICATION) {
            return Err(Malformed::Authenticated);
        }
        Ok(Self {
            state,
            diagnostic: Diagnostic::new(first),
            poll: has(POLL),
            is_final: has(FINAL),
            control_plane_independent: has(CONTROL_PLANE_INDEPENDENT),
            demand: has(DEMAND),
            detect_mult,
            my_discriminator,
            your_discriminator,
            desired_min_tx,
            required_min_rx,
            required_min_echo_rx,
        })
    }

    /// The packet's bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; LENGTH] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | flag(self.poll, POLL)
            | flag(self.is_final, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        let first = VERSION << 5 | self.diagnostic.code();
        let length = u8::try_from(LENGTH).unwrap_or(u8::MAX);
        let words = [
            self.my_discriminator.get(),
            self.your_discriminator.map_or(0, NonZeroU32::get),
            self.desired_min_tx,
            self.required_min_rx,
            self.required_min_echo_rx,
        ];
        let mut bytes = [0; LENGTH];
        let fields = [first, flags, self.detect_mult.get(), length]
            .into_iter()
            .chain(words.into_iter().flat_map(u32::to_be_bytes));
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }
}

/// The four leading bytes and the five words behind them.
fn head(bytes: &[u8; LENGTH]) -> ([u8; 4], [u32; 5]) {
    let (mut head, mut words) = ([0; 4], [0; 5]);
    let (groups, _) = bytes.as_chunks::<4>();
    if let Some((first, rest)) = groups.split_first() {
        head = *first;
        for (word, group) in words.iter_mut().zip(rest) {
            *word = u32::from_be_bytes(*group);
        }
    }
    (head, words)
}

#[cfg(test)]
mod tests;
