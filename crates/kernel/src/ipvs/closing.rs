//! What becomes of the connections of a destination that failed or was removed.
//!
//! IPVS decides that for a whole network namespace, by two settings; what a service asks for is made
//! of them as far as they reach:
//!
//! - **Keep** works for each service: a removed destination stays, with weight 0, until its last
//!   connection has ended.
//! - **Reset** and **Expire** need `expire_nodest_conn`: the connections of a removed destination
//!   are forgotten at once. The next packet of a TCP connection then reaches this machine itself,
//!   which answers with a reset; that of an UDP flow goes to another destination. So with IPVS both
//!   words mean the same: a client learns of it when it sends, not before, and an UDP flow is moved
//!   and not refused. Services of [`Closing::AsKernel`] beside them are treated alike.
//! - All three need `expire_quiescent_template`: else persistence sends clients that it ties to a
//!   destination of weight 0 there with their new connections too.
//!
//! What is set stays set: others may rely on it by then, and nothing says who else does.

use std::{fs, io};

use standfast_types::Closing;

use crate::error::{During, Error};

const DIRECTORY: &str = "/proc/sys/net/ipv4/vs";
const NO_DESTINATION: (&str, &str) = ("set expire_nodest_conn", "expire_nodest_conn");
const QUIESCENT: (&str, &str) = ("set expire_quiescent_template", "expire_quiescent_template");

/// Which settings were made.
#[derive(Debug, Default)]
pub(super) struct Closings {
    no_destination: bool,
    quiescent: bool,
}

impl Closings {
    /// Makes the settings that a service needs, in the calling thread's network namespace.
    pub(super) fn require(&mut self, closing: Closing) -> Result<(), Error> {
        match closing {
            Closing::AsKernel => Ok(()),
            Closing::Keep => switch_on(&mut self.quiescent, QUIESCENT),
            Closing::Reset | Closing::Expire => {
                switch_on(&mut self.no_destination, NO_DESTINATION)?;
                switch_on(&mut self.quiescent, QUIESCENT)
            }
        }
    }
}

fn switch_on(done: &mut bool, (operation, name): (&'static str, &str)) -> Result<(), Error> {
    if !*done {
        write(&format!("{DIRECTORY}/{name}")).during(operation)?;
        *done = true;
    }
    Ok(())
}

/// Writes 1, unless it stands there: the place may be read-only, in a container.
fn write(path: &str) -> io::Result<()> {
    if fs::read_to_string(path)?.trim() == "1" { Ok(()) } else { fs::write(path, "1") }
}
