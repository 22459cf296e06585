//! One virtual router: election, timers, preemption and the announcement schedule.
//!
//! [`Router`] is VRRPv2 (RFC 3768) and VRRPv3 (RFC 9568) over IPv4 as a value: it reads no clock, opens no
//! socket and writes no log. Give it an [`Input`] and the time, drain its [`Output`]s, and ask when it
//! wants to be called again.
//!
//! ```
//! use standfast_types::{Instant, Priority, Vrid};
//! use standfast_vrrp::{Config, Input, Output, Router};
//!
//! let vrid = Vrid::new(51).expect("not zero");
//! let priority = Priority::new(100).expect("not zero");
//! let mut router = Router::new(Config::new(vrid, priority), Instant::ZERO);
//! router.handle_input(Instant::ZERO, Input::Start);
//! while router.poll_output().is_some() {}
//!
//! let (takeover, _) = router.next_deadline().expect("a backup waits");
//! assert_eq!(takeover.as_nanos(), 3_609_375_000);
//! router.handle_timeout(takeover);
//! assert_eq!(router.poll_output(), Some(Output::Hold));
//! assert_eq!(router.poll_output(), Some(Output::Advertise { priority: 100 }));
//! ```

mod admission;
mod auth;
mod config;
mod counters;
mod output;
mod router;
mod state;
pub mod timers;

pub use auth::{AntiReplay, Authentication, Hmac, Key, Mode, Password};
pub use config::{Announcements, ChecksumMode, Config, Preempt, Transport, UnicastPeer, Version};
pub use counters::Counters;
pub use output::{
    Cause, Datagram, Discard, Envelope, Event, Input, Output, Packet, Reason, Seat, StateName,
};
pub use router::{Router, Snapshot, Takeover};
