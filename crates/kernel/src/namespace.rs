//! Network namespaces, for the lab and for tests.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    thread,
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::error::{During, Error};

/// A network namespace. It lives as long as this handle, a process or an interface in it.
#[derive(Debug)]
pub struct NetNs(File);

impl NetNs {
    /// Makes an empty network namespace, in which even loopback is down.
    ///
    /// # Errors
    /// `Refused` without `CAP_SYS_ADMIN`.
    pub fn new() -> Result<Self, Error> {
        on_own_thread(|| {
            unshare(UnshareFlags::NEWNET).during("make a network namespace")?;
            Self::current()
        })
    }

    /// The calling thread's network namespace.
    ///
    /// # Errors
    /// `/proc` is not mounted.
    pub fn current() -> Result<Self, Error> {
        File::open("/proc/thread-self/ns/net").during("open a network namespace").map(Self)
    }

    /// Moves the calling thread into this namespace; sockets opened before stay where they
    /// are.
    ///
    /// # Errors
    /// `Refused` without `CAP_SYS_ADMIN` over the namespace.
    pub fn enter(&self) -> Result<(), Error> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
            .during("enter a network namespace")
    }

    /// Runs `work` in this namespace, on a thread of its own, and waits for its result.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_own_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The calling thread keeps its own namespaces; a panic of `work` is passed on.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Leaves some of the calling thread's namespaces for new ones.
#[expect(unsafe_code, reason = "one of the flags, which is not passed on, would be unsafe")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    let flags = flags.difference(UnshareFlags::FILES);
    // SAFETY: only `FILES`, removed above, can make a descriptor vanish for a thread.
    unsafe { unshare_unsafe(flags) }
}

/// Two namespaces and a cable between them, for the tests of this crate.
#[cfg(test)]
pub(crate) mod test {
    use std::{io::Write, os::fd::AsFd};

    use standfast_types::IfIndex;

    use super::NetNs;
    use crate::{link::Switch, netlink::Netlink};

    /// `eth0` in one namespace, `eth0` in another, both up, no addresses.
    pub(crate) struct Cable {
        pub(crate) near: NetNs,
        pub(crate) near_index: IfIndex,
        pub(crate) far: NetNs,
        pub(crate) far_index: IfIndex,
    }

    /// A new namespace; `None`, with the reason printed, when that is not permitted here.
    pub(crate) fn namespace() -> Option<NetNs> {
        match NetNs::new() {
            Ok(namespace) => Some(namespace),
            Err(error) => {
                let mut out = std::io::stderr();
                let _ = writeln!(out, "skipped, needs CAP_SYS_ADMIN: failed to {error}");
                None
            }
        }
    }

    /// A cable with carrier; `None` as [`namespace`].
    pub(crate) fn cable() -> Option<Cable> {
        let (near, far) = (namespace()?, namespace()?);
        let make = || {
            let mut netlink = Netlink::open().expect("open");
            netlink.create_veth("eth0", "eth0", far.as_fd()).expect("make the cable");
        };
        near.run(make).expect("enter");
        let up = || {
            let mut netlink = Netlink::open().expect("open");
            let index = netlink.index_of("eth0").expect("eth0");
            netlink.switch_link(index, Switch::Up).expect("up");
            index
        };
        let near_index = near.run(up).expect("enter");
        let far_index = far.run(up).expect("enter");
        Some(Cable { near, near_index, far, far_index })
    }
}
