//! What supervisor and pulse say to each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use standfast_bfd::Bond;
use standfast_conf::Running;
use standfast_failover::{Config, Event, InstanceSnapshot, Process, ProcessInput};
use standfast_types::{BfdName, FileName, IfIndex, InstanceName, Instant, ScriptName};

use crate::dump::Dump;

/// What BFD sessions that are up have agreed on, and with whom.
pub(crate) type Bonds = BTreeMap<BfdName, (IpAddr, Bond)>;

/// From the supervisor to pulse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToPulse {
    /// The first message: begin.
    Begin {
        /// What to do.
        config: Box<Config>,
        /// Real-time priority to run with, 1..=99.
        realtime_priority: Option<u8>,
        /// Nice value to run with, -20..=19.
        nice: Option<i8>,
        /// How else to run.
        running: Running,
        /// Instances that were master in a pulse that died a moment ago.
        adopt: BTreeSet<InstanceName>,
        /// When that one was seen to be dead.
        dead_since: Instant,
        /// States of scripts that are already known.
        scripts: BTreeMap<ScriptName, bool>,
        /// BFD sessions that were up in a pulse that died a moment ago: with whom, and what was agreed.
        bonds: Bonds,
        /// The numbers in files.
        files: BTreeMap<FileName, i64>,
        /// The processes that are followed.
        processes: Vec<Process>,
        /// What a pulse that died had found on the interfaces whose settings it changed.
        originals: Vec<Original>,
    },
    /// A new configuration.
    Reload(Config),
    /// A script ended.
    Script {
        /// Which.
        name: ScriptName,
        /// Whether it exited with 0 in time.
        success: bool,
    },
    /// Say how things are.
    Report {
        /// For which dump.
        dump: Dump,
        /// Count from zero again afterwards.
        clear: bool,
    },
    /// The number in a file changed.
    File {
        /// Which.
        name: FileName,
        /// The number.
        value: i64,
    },
    /// About processes that are followed.
    Process(ProcessInput),
    /// Let go of everything, make before break, then exit.
    Release,
}

/// From pulse to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromPulse {
    /// It runs: sockets are open and the elections have begun.
    Running,
    /// Something happened.
    Event {
        /// What.
        event: Event,
        /// Earlier ones like it, about which nothing was said.
        suppressed: u64,
        /// How late its loop was, at worst, in the last minute.
        late: Duration,
    },
    /// How things are.
    Report {
        /// For which dump.
        dump: Dump,
        /// Every instance.
        instances: Vec<InstanceSnapshot>,
        /// How late its loop was, at worst, in the last minute.
        late: Duration,
    },
    /// Something that an operator should read.
    Log(Level, String),
    /// All that it changed in settings of other programs' interfaces, for whoever comes after it.
    Originals(Vec<Original>),
    /// It can't run at all: the reason, for the operator. It exits after this.
    Failed(String),
}

/// Settings of an interface as they were before one of our own was made on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Original {
    /// The interface.
    pub(crate) index: IfIndex,
    /// Its `arp_ignore`.
    pub(crate) arp_ignore: u32,
    /// Its `arp_announce`.
    pub(crate) arp_announce: u32,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    /// Something is broken.
    Error,
    /// Worth a look.
    Warning,
    /// A change that users can see.
    Info,
    /// With `--log-detail`.
    Detail,
}
