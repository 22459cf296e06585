//! How adverts are authenticated, as the configuration says.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_wire::vrrp;

/// How adverts prove where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// `auth_type PASS`, VRRPv2 only: a password that everybody on the network can read.
    Password(Password),
    /// `auth_type AH`, VRRPv2 over IPv4 only: an IPsec authentication header.
    Header(Password),
    /// `auth_hmac`: a signed trailer, any version and family.
    Hmac(Hmac),
}

impl Authentication {
    /// Whether adverts travel behind an IPsec authentication header.
    #[must_use]
    pub const fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    /// What VRRPv2's own fields say of it.
    pub(crate) const fn fields(&self) -> vrrp::Authentication {
        match self {
            Self::None | Self::Hmac(_) => vrrp::Authentication::None,
            Self::Password(password) => vrrp::Authentication::Password(password.0),
            Self::Header(_) => vrrp::Authentication::Header,
        }
    }

    /// The authentication type that VRRPv2 carries: 1 for a password, 2 for an authentication header.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.fields().number()
    }

    /// Whether what a router with `sender`'s settings sends is accepted here.
    #[must_use]
    pub fn accepts(&self, sender: &Self) -> bool {
        match (self, sender) {
            (Self::None, Self::None) => true,
            (Self::Password(own), Self::Password(theirs))
            | (Self::Header(own), Self::Header(theirs)) => own == theirs,
            (Self::Hmac(own), Self::Hmac(theirs)) if theirs.mode.signs() => {
                let key = own.keys.get(&theirs.active);
                key.is_some() && key == theirs.keys.get(&theirs.active)
            }
            (Self::None, Self::Hmac(theirs)) => !theirs.mode.signs(),
            (Self::Hmac(own), Self::None | Self::Hmac(_)) => own.mode != Mode::Enforce,
            (Self::None, Self::Password(_) | Self::Header(_))
            | (Self::Password(_), Self::None | Self::Header(_) | Self::Hmac(_))
            | (Self::Header(_), Self::None | Self::Password(_) | Self::Hmac(_))
            | (Self::Hmac(_), Self::Password(_) | Self::Header(_)) => false,
        }
    }

    /// The same with every secret wiped, to be shown.
    #[must_use]
    pub fn masked(&self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Password(_) => Self::Password(Password([0; 8])),
            Self::Header(_) => Self::Header(Password([0; 8])),
            Self::Hmac(hmac) => {
                let keys = hmac.keys.keys().map(|&id| (id, Key(Vec::new()))).collect();
                Self::Hmac(Hmac { keys, ..hmac.clone() })
            }
        }
    }
}

/// The eight bytes of `auth_pass`, zero padded.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(pub [u8; 8]);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// `auth_hmac`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hmac {
    /// The keys by their ids. All are good for receiving.
    pub keys: BTreeMap<u8, Key>,
    /// The id of the key that signs; without that key nothing is sent.
    pub active: u8,
    /// What unsigned adverts are worth.
    pub mode: Mode,
    /// How recorded adverts are told from fresh ones.
    pub anti_replay: AntiReplay,
}

impl Hmac {
    /// The window of keepalived for this interval: three intervals, 5 s at least and 300 s at most.
    #[must_use]
    pub fn default_window(interval: Duration) -> Duration {
        (interval * 3).clamp(Duration::from_secs(5), Duration::from_secs(300))
    }
}

/// A secret key of 32 to 64 bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(Vec<u8>);

impl Key {
    /// Bytes of the shortest key.
    pub const LENGTH_MIN: usize = 32;
    /// Bytes of the longest key.
    pub const LENGTH_MAX: usize = 64;

    /// A key, unless it is too short or too long.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// `mode` of `auth_hmac`: the steps of bringing it to a cluster in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Unsigned adverts are refused.
    Enforce,
    /// Unsigned adverts are accepted.
    Permissive,
    /// Unsigned adverts are accepted, and we send no others.
    ReceiveOnly,
}

impl Mode {
    /// Whether our own adverts are signed.
    #[must_use]
    pub const fn signs(self) -> bool {
        match self {
            Self::Enforce | Self::Permissive => true,
            Self::ReceiveOnly => false,
        }
    }
}

/// `anti_replay` of `auth_hmac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AntiReplay {
    /// By the sender's clock, which may differ from ours by this much, and its sequence.
    Time {
        /// `time_window`.
        window: Duration,
    },
    /// By the sender's sequence alone.
    Monotonic,
}
