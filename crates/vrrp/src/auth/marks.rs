//! The last sequence of each sender.

use std::net::IpAddr;

use standfast_wire::hmac_trailer::Sequence;

/// What is remembered of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    sender: IpAddr,
    pub(super) sequence: Sequence,
    /// It was said that its clock differs from ours.
    pub(super) skewed: bool,
}

/// Senders, the one that was heard last at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    pub(super) fn get(&self, sender: IpAddr) -> Option<&Mark> {
        self.0.iter().find(|mark| mark.sender == sender)
    }

    /// Remembers a sender, and forgets whoever was silent for longest when there are more than `limit`.
    pub(super) fn set(&mut self, sender: IpAddr, sequence: Sequence, skewed: bool, limit: usize) {
        self.0.retain(|mark| mark.sender != sender);
        self.0.push(Mark { sender, sequence, skewed });
        let surplus = self.0.len().saturating_sub(limit);
        self.0.drain(..surplus);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(IpAddr) -> bool) {
        self.0.retain(|mark| keep(mark.sender));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_that_was_silent_for_longest_is_forgotten() {
        let sender = |last| IpAddr::from([192, 0, 2, last]);
        let mut marks = Marks::default();
        for last in [1, 2, 3, 4, 1, 5] {
            marks.set(sender(last), Sequence(last.into()), false, 4);
        }
        assert_eq!(marks.get(sender(2)), None);
        for last in [1, 3, 4, 5] {
            assert!(marks.get(sender(last)).is_some(), "{last}");
        }
    }
}
