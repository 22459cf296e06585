//! What happened in a cluster: checkers read it, people too.

use std::{fmt, time::Duration};

use standfast_failover::Event;
use standfast_types::Instant;
use standfast_vrrp::StateName;

use crate::fault::Fault;

/// One thing that happened on a machine. Instances and addresses go by their number.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A process began; with `adopting` it goes on with what the one that died was master of.
    Started {
        /// Whether it was told of instances that were master.
        adopting: bool,
    },
    /// The process is gone; the kernel keeps its addresses until their leases end.
    Crashed,
    /// The process does nothing any more, for now.
    Paused,
    /// It goes on.
    Woke {
        /// How long it did nothing.
        slept: Duration,
    },
    /// It was told to let go and stop.
    Released,
    /// It was told what an instance is: at its start, and by each reload.
    Configured(Settings),
    /// An instance's state.
    State {
        /// Which instance.
        instance: usize,
        /// Its state now.
        to: StateName,
    },
    /// An instance's effective priority.
    Priority {
        /// Which instance.
        instance: usize,
        /// Its priority now.
        to: u8,
    },
    /// It sent an advert.
    Sent {
        /// Of which instance.
        instance: usize,
        /// The priority in it.
        priority: u8,
    },
    /// An advert of its own will not be heard by another machine.
    Lost {
        /// Of which instance.
        instance: usize,
        /// The machine that does not hear it.
        to: usize,
    },
    /// The kernel has an address that it had not.
    Added(Place),
    /// The kernel has an address no more.
    Gone(Place),
    /// It announced an address.
    Announced(Place),
    /// What the input or timer caused is all done.
    Settled,
    /// The brain's own word for it; for people.
    Said(Event),
    /// Something was done to the machine; for people.
    Befell(Fault),
}

/// An address of an instance, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The instance.
    pub instance: usize,
    /// Which of its addresses.
    pub address: usize,
}

/// What the checkers need to know of an instance's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which instance.
    pub instance: usize,
    /// Between two of its adverts.
    pub interval: Duration,
    /// The longest that a peer with these settings waits for the next advert: missed ones and skew.
    pub patience: Duration,
    /// The longest skew of a peer.
    pub skew: Duration,
    /// How many addresses it has.
    pub addresses: usize,
}

/// A happening, when and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// The machine's number.
    pub machine: usize,
    /// What.
    pub what: Happening,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.at.as_nanos();
        let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
        write!(f, "{seconds:>7}.{micros:06} {:>2}  {:?}", self.machine, self.what)
    }
}
