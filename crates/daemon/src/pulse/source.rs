//! What pulse waits for.

use standfast_types::{Family, IfIndex};

/// Where something arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Timer,
    Signals,
    Supervisor,
    /// Changes that the kernel reports.
    Changes,
    /// The socket of BFD with this number.
    Bfd(u32),
    Adverts(IfIndex, Family),
    /// ARP, or neighbour advertisements.
    Claims(IfIndex, Family),
}

impl Source {
    /// As a number, for the kernel to keep.
    pub(super) fn token(self) -> u64 {
        let (kind, index) = match self {
            Self::Timer => (0, None),
            Self::Signals => (1, None),
            Self::Supervisor => (2, None),
            Self::Changes => (3, None),
            Self::Bfd(key) => return 4 << 32 | u64::from(key),
            Self::Adverts(index, Family::V4) => (5, Some(index)),
            Self::Adverts(index, Family::V6) => (6, Some(index)),
            Self::Claims(index, Family::V4) => (7, Some(index)),
            Self::Claims(index, Family::V6) => (8, Some(index)),
        };
        kind << 32 | index.map_or(0, |index| u64::from(index.get()))
    }

    /// What a number stands for.
    pub(super) fn from_token(token: u64) -> Option<Self> {
        let index = IfIndex::new(u32::try_from(token & u64::from(u32::MAX)).ok()?);
        Some(match token >> 32 {
            0 => Self::Timer,
            1 => Self::Signals,
            2 => Self::Supervisor,
            3 => Self::Changes,
            4 => Self::Bfd(index.get()),
            5 => Self::Adverts(index, Family::V4),
            6 => Self::Adverts(index, Family::V6),
            7 => Self::Claims(index, Family::V4),
            8 => Self::Claims(index, Family::V6),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_comes_back_from_its_number() {
        let index = IfIndex::new(u32::MAX);
        let ports = [Family::V4, Family::V6]
            .into_iter()
            .flat_map(|family| [Source::Adverts(index, family), Source::Claims(index, family)]);
        let single =
            [Source::Timer, Source::Signals, Source::Supervisor, Source::Changes, Source::Bfd(7)];
        for source in single.into_iter().chain(ports) {
            assert_eq!(Source::from_token(source.token()), Some(source));
        }
        assert_eq!(Source::from_token(9 << 32), None);
    }
}
