//! What supervisor and pool say to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use standfast_balance::{CheckId, Config, Endpoint, Event, Input, Order, ServiceSnapshot, Verdict};
use standfast_conf::{FlushOnStop, Marks, Place, Plane, Pool, Running, Sync};
use standfast_types::{Command, Timeouts};

use crate::message::Level;

/// From the supervisor to the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToPool {
    /// The first message: begin.
    Begin {
        /// What to do.
        setup: Box<Setup>,
        /// How to run.
        running: Box<Manner>,
        /// What is known already: verdicts and orders of a pool that died, the state of the world.
        known: Vec<Input>,
    },
    /// A new configuration.
    Reload(Box<Setup>),
    /// Something that the brain must know.
    Input(Input),
    /// What an operator wants; answered by [`FromPool::Done`] once the kernel has it.
    Order {
        /// Comes back with the answer.
        id: u64,
        /// What.
        order: Order,
    },
    /// A command that was to run has ended, or could not run.
    Ended {
        /// As it was asked for.
        run: RunId,
        /// How.
        end: CommandEnd,
    },
    /// Say how things are.
    Report {
        /// Comes back with the answer.
        id: u64,
    },
    /// Stop checking, take our services out of the kernel, and exit.
    Release,
    /// Exit, and leave the kernel as it is.
    Leave,
}

/// From the pool to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromPool {
    /// It runs: the kernel has what it was asked for.
    Running,
    /// Something happened.
    Event(Event),
    /// A check has come to another verdict: for the pool that comes after this one.
    Verdict(CheckId, Verdict),
    /// Run the command of a `MISC_CHECK`.
    Run {
        /// To be given back.
        run: RunId,
        /// What.
        command: Command,
        /// It is ended after this.
        limit: Duration,
    },
    /// Find out what a name stands for, from now on.
    Resolve(Endpoint),
    /// It is not needed any more.
    EndResolve(Endpoint),
    /// An order is done: the kernel has it, or refused it for this reason.
    Done {
        /// The order's.
        id: u64,
        /// How it went.
        result: Result<(), String>,
    },
    /// How things are.
    Report {
        /// The question's.
        id: u64,
        /// Every service.
        services: Vec<ServiceSnapshot>,
        /// How many probes there are: checks that are alike share one.
        probes: usize,
        /// Of a thousand checks, 990 began no later than so long after they were due.
        late: Duration,
    },
    /// Something that an operator should read.
    Log(Level, String),
    /// It can't run at all: the reason, for the operator. It exits after this.
    Failed(String),
}

/// One run of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RunId {
    /// Of which probe; the supervisor lets one run of each go on at a time.
    pub(crate) probe: u32,
    /// Tells its users apart: numbers of probes are used again.
    pub(crate) generation: u32,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CommandEnd {
    /// With this code.
    Code(u8),
    /// Not in time; it is being ended.
    Late,
    /// It was not started: the run before still goes on.
    Skipped,
    /// Otherwise, in words.
    Failed(String),
}

/// What the pool is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The balancing brain's configuration.
    pub(crate) balance: Config,
    /// How the kernel balances.
    pub(crate) plane: Plane,
    /// With nftables: the table that is ours.
    pub(crate) table: String,
    /// `lvs_timeouts`
    pub(crate) timeouts: Timeouts,
    /// `lvs_sync_daemon`
    pub(crate) sync: Option<Sync>,
    /// `lvs_flush`
    pub(crate) flush: bool,
    /// `lvs_flush_on_stop`
    pub(crate) flush_on_stop: FlushOnStop,
    /// Groups whose packets nftables marks.
    pub(crate) marks: Option<Marks>,
    /// Who we are, and whom we believe.
    pub(crate) papers: Papers,
}

/// Certificates and keys, as they stand in their files (PEM).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Papers {
    /// Whom we believe where a check verifies.
    pub(crate) authorities: String,
    /// What we show to servers that ask who we are.
    pub(crate) certificate: Option<String>,
    /// Its key.
    pub(crate) key: Option<String>,
}

impl Setup {
    /// Of a configuration, with the papers that its files hold.
    pub(crate) fn new(pool: &Pool, place: &Place, papers: Papers) -> Self {
        Self {
            // Several daemons may share a network.
            table: match &place.instance {
                Some(name) => format!("standfast_{name}"),
                None => "standfast".to_owned(),
            },
            balance: pool.balance.clone(),
            plane: pool.plane,
            timeouts: pool.timeouts,
            sync: pool.sync.clone(),
            flush: pool.flush,
            flush_on_stop: pool.flush_on_stop,
            marks: pool.marks.clone(),
            papers,
        }
    }
}

/// How the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manner {
    /// `checker_*`
    pub(crate) running: Running,
    /// `checker_rt_priority`
    pub(crate) realtime_priority: Option<u8>,
    /// `checker_priority`
    pub(crate) nice: Option<i8>,
    /// `checker_no_swap`
    pub(crate) no_swap: bool,
    /// `net_namespace_ipvs`, as a file.
    pub(crate) namespace: Option<String>,
    /// A pool that died a moment ago had made what is in the kernel: nothing is flushed.
    pub(crate) again: bool,
}
