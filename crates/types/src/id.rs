//! Names and numbers that must not be mixed up.

use std::{borrow::Borrow, fmt, num::NonZeroU8, sync::Arc};

use serde::{Deserialize, Serialize};

/// A virtual router's id, 1 to 255 (RFC 9568, section 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which is no virtual router.
    #[must_use]
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// As the byte on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A router's priority, 1 to 255; 255 is the owner of the address (RFC 9568, section 5.2.4).
///
/// The 0 of a master that lets go exists only on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The address owner's priority.
    pub const OWNER: Self = Self(NonZeroU8::MAX);
    /// The highest priority of a router that does not own the address.
    pub const HIGHEST: Self = match Self::new(254) {
        Some(priority) => priority,
        None => Self::OWNER,
    };
    /// The lowest priority of a router that takes part.
    pub const LOWEST: Self = Self(NonZeroU8::MIN);

    /// `None` for 0.
    #[must_use]
    pub const fn new(priority: u8) -> Option<Self> {
        match NonZeroU8::new(priority) {
            Some(priority) => Some(Self(priority)),
            None => None,
        }
    }

    /// As the byte on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether the router owns the address.
    #[must_use]
    pub fn is_owner(self) -> bool {
        self == Self::OWNER
    }

    /// This priority with all trackers' weights applied, clamped to 1..=254 as keepalived
    /// clamps it. An owner's priority never changes.
    #[must_use]
    pub fn weighted(self, weight_sum: i32) -> Self {
        if self.is_owner() {
            return self;
        }
        let sum = i32::from(self.get()).saturating_add(weight_sum).clamp(1, 254);
        u8::try_from(sum).ok().and_then(Self::new).unwrap_or(Self::LOWEST)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network interface's index in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IfIndex(u32);

impl IfIndex {
    /// No interface in particular, to the kernel as to us.
    pub const ANY: Self = Self(0);

    /// The kernel's number.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The kernel's number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The name of a `bfd_instance`.
    BfdName;
    /// The name of a `vrrp_instance`.
    InstanceName;
    /// The name of a `track_file`.
    FileName;
    /// The name of a `vrrp_sync_group`.
    GroupName;
    /// The name of a network interface.
    InterfaceName;
    /// The name of a `vrrp_track_process`.
    ProcessName;
    /// The name of a `vrrp_script`.
    ScriptName;
    /// What a `virtual_server` is called in logs and FIFOs: `[192.0.2.1]:tcp:80`, `FWM 5`, or the name of
    /// its group.
    ServiceName;
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl InterfaceName {
    /// The name of [`IfIndex::ANY`]: adverts go where the routes lead, and come from anywhere.
    #[must_use]
    pub fn any() -> Self {
        Self::from("")
    }

    /// Whether it is [`Self::any`].
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.as_str().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weighted_priority_stays_between_1_and_254() {
        let base = Priority::new(100).expect("100 is a priority");
        assert_eq!(base.weighted(-20).get(), 80);
        assert_eq!(base.weighted(-253).get(), 1);
        assert_eq!(base.weighted(253).get(), 254);
        assert_eq!(base.weighted(i32::MIN).get(), 1);
    }

    #[test]
    fn an_owner_keeps_its_priority_whatever_its_trackers_say() {
        assert_eq!(Priority::OWNER.weighted(-100), Priority::OWNER);
    }
}
