//! What the supervisor knows of each BFD session.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr};

use standfast_bfd::{Bond, Event as SessionEvent, State};
use standfast_failover::BfdEvent;
use standfast_types::BfdName;

use crate::message::Bonds;

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<BfdName, Session>);

#[derive(Debug)]
struct Session {
    neighbor: IpAddr,
    state: State,
    /// While it is up.
    bond: Option<Bond>,
    last: String,
}

impl Sessions {
    /// Follows an event. `words` is what the log says of it.
    pub(super) fn handle_event(&mut self, event: &BfdEvent, words: &str) {
        if let BfdEvent::Session { name, event: SessionEvent::Agreed(bond), .. } = event {
            if let Some(session) = self.0.get_mut(name) {
                session.bond = Some(*bond);
            }
            return;
        }
        let (name, neighbor, state) = match event {
            BfdEvent::Session { name, neighbor, event } => match event {
                SessionEvent::Transition { to, .. } => (name, neighbor, *to),
                SessionEvent::Agreed(_)
                | SessionEvent::Late { .. }
                | SessionEvent::Discarded(_) => return,
            },
            BfdEvent::Unanswered { name, neighbor } => (name, neighbor, State::Down),
            BfdEvent::Deleted { name } => {
                self.0.remove(name);
                return;
            }
            BfdEvent::Refused { .. } => return,
        };
        let last = words.to_owned();
        let session = Session { neighbor: *neighbor, state, bond: None, last };
        self.0.insert(name.clone(), session);
    }

    /// With whom, and what was agreed, of those that are up.
    pub(super) fn bonds(&self) -> Bonds {
        let bond = |(name, session): (&BfdName, &Session)| {
            Some((name.clone(), (session.neighbor, session.bond?)))
        };
        self.0.iter().filter_map(bond).collect()
    }

    /// Which are up, and which are not.
    pub(super) fn states(&self) -> BTreeMap<BfdName, bool> {
        let state =
            |(name, session): (&BfdName, &Session)| (name.clone(), session.state == State::Up);
        self.0.iter().map(state).collect()
    }

    /// The part of the dump that is about them; empty when there are none.
    pub(super) fn dump(&self, text: &mut String) {
        if !self.0.is_empty() {
            text.push_str("------< BFD Topology >------\n");
        }
        for (name, Session { neighbor, state, last, .. }) in &self.0 {
            // Writing to a string can't fail.
            let _ = write!(
                text,
                " BFD Instance = {name}\n   Neighbor = {neighbor}\n   State = {}\n   Last = {last}\n",
                state.as_str(),
            );
        }
    }
}
