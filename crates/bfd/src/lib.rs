//! One BFD session: handshake, detection time, poll sequences.
//!
//! [`Session`] is the asynchronous mode of RFC 5880, over one hop (RFC 5881) or many (RFC 5883), without echo
//! and authentication, as a value: it reads no clock, opens no socket and writes no log. Give it an
//! [`Input`] and the time, drain its [`Output`]s, and ask when it wants to be called again. Which packet
//! belongs to which session is decided by whoever owns them.
//!
//! ```text
//!                             +--+
//!                             |  | Up, AdminDown, silence
//!                             |  V
//!                     Down  +------+  Init
//!              +------------|      |------------+
//!              |            | Down |            |
//!              |  +-------->|      |<--------+  |
//!              |  |         +------+         |  |
//!              |  | silence,       silence,  |  |
//!              |  | AdminDown   AdminDown,   |  |
//!              V  |                   Down   |  V
//!            +------+                      +------+
//!       +----|      |                      |      |----+
//!   Down|    | Init |--------------------->|  Up  |    |Init, Up
//!       +--->|      | Init, Up             |      |<---+
//!            +------+                      +------+
//! ```
//!
//! ```
//! use std::num::NonZeroU32;
//! use standfast_bfd::{Config, Output, Session, State};
//! use standfast_types::Instant;
//!
//! let number = NonZeroU32::new(7).expect("not zero");
//! let mut session = Session::new(Config::default(), number, 1, Instant::ZERO);
//! let (at, _) = session.next_deadline().expect("it begins at once");
//! session.handle_timeout(at);
//! let Some(Output::Transmit(packet)) = session.poll_output() else { panic!("it speaks first") };
//! assert_eq!((packet.state, packet.my_discriminator), (State::Down, number));
//! ```

mod config;
mod output;
mod peer;
mod session;

pub use config::{Config, Role};
pub use output::{Bond, Cause, Discard, Event, Input, Output, Reason};
pub use session::{Session, Snapshot};
pub use standfast_wire::bfd::{Diagnostic, Malformed, Repr as Packet, State};
