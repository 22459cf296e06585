//! Namespaces, for the lab and for tests: networks, mounts, and a sandbox for all of it.

use std::{
    fs::{self, File},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    thread,
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};

use crate::error::{During, Error};

mod processes;

pub(crate) use processes::Parent;
use processes::Processes;

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

    /// The namespace that `ip netns add NAME` made.
    ///
    /// # Errors
    /// `Gone` when there is none of that name.
    pub fn named(name: &str) -> Result<Self, Error> {
        // A name, not a path: it must not lead out of the directory.
        let name = Path::new(name).file_name().unwrap_or_default();
        File::open(Path::new("/run/netns").join(name)).during("open a network namespace").map(Self)
    }

    /// The namespace that a file stands for, such as `/proc/1/ns/net`.
    ///
    /// # Errors
    /// `Gone` when there is no such file.
    pub fn at(path: &Path) -> Result<Self, Error> {
        File::open(path).during("open a network namespace").map(Self)
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

/// A network, mounts and processes: what makes a machine of its own, for programs that share
/// nothing but the network and a few directories.
#[derive(Debug)]
pub struct Room {
    net: NetNs,
    mounts: File,
    processes: Processes,
}

impl Room {
    /// Makes a room. `furnish` runs inside and mounts what shall be private; nothing that
    /// it mounts is seen elsewhere.
    ///
    /// # Errors
    /// `Refused` without `CAP_SYS_ADMIN`, and those of `furnish`.
    pub fn new<E: From<Error> + Send>(
        furnish: impl FnOnce() -> Result<(), E> + Send,
    ) -> Result<Self, E> {
        on_own_thread(|| {
            unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS).during("make a namespace")?;
            keep_mounts_private().during("make mounts private")?;
            furnish()?;
            let mounts = File::open("/proc/thread-self/ns/mnt").during("open a namespace")?;
            Ok(Self { net: NetNs::current()?, mounts, processes: Processes::new()? })
        })
    }

    /// The room's network.
    #[must_use]
    pub const fn net(&self) -> &NetNs {
        &self.net
    }

    /// What a program must enter to be in the room ([`crate::process::Spawn::namespaces`]).
    #[must_use]
    pub fn namespaces(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.mounts.as_fd(), self.net.as_fd()]
    }

    /// The processes that a program in the room shall belong to ([`crate::process::Spawn::processes`]).
    #[must_use]
    pub fn processes(&self) -> BorrowedFd<'_> {
        self.processes.namespace()
    }

    /// Runs `work` in the room, on a thread of its own, and waits for its result. The
    /// working directory is the root. The thread is none of the room's processes: `/proc/self`
    /// leads nowhere.
    ///
    /// # Errors
    /// `Refused` without `CAP_SYS_ADMIN` over the room.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_own_thread(|| {
            // A mount namespace can be entered only by a thread with a root of its own.
            unshare(UnshareFlags::FS).during("enter a namespace")?;
            let mounts = Some(LinkNameSpaceType::Mount);
            move_into_link_name_space(self.mounts.as_fd(), mounts).during("enter a namespace")?;
            self.net.enter()?;
            Ok(work())
        })
    }
}

/// Mounts an empty directory in memory over an existing one.
///
/// # Errors
/// `Gone` when there is no such directory, `Refused` without `CAP_SYS_ADMIN`.
pub fn mount_empty(directory: &Path) -> Result<(), Error> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("lab", directory, "tmpfs", flags, Some(c"mode=755")).during("mount an empty directory")
}

/// Shows a file or directory, and what is mounted in it, at a second place. The place is
/// made when it is missing; its parent must exist.
///
/// # Errors
/// `Gone` when one of them is missing, `Refused` without `CAP_SYS_ADMIN`.
pub fn bind(original: &Path, place: &Path) -> Result<(), Error> {
    let what = fs::metadata(original).during("bind a file")?;
    if !place.exists() {
        if what.is_dir() {
            fs::create_dir(place).during("bind a directory")?;
        } else {
            File::create(place).during("bind a file")?;
        }
    }
    mount_bind_recursive(original, place).during("bind a file")
}

/// What the administrator must change before an ordinary user may make namespaces; `None`
/// when nothing is known to stand in the way.
#[must_use]
pub fn hindrance() -> Option<&'static str> {
    let says = |path: &str, text: &str| fs::read_to_string(path).is_ok_and(|t| t.trim() == text);
    if rustix::process::geteuid().is_root() {
        return Some(
            "CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: --cap-add, or --privileged)",
        );
    }
    if says("/proc/sys/user/max_user_namespaces", "0") {
        return Some("sysctl user.max_user_namespaces=10000");
    }
    if says("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some("sysctl kernel.unprivileged_userns_clone=1");
    }
    if says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return Some("sysctl kernel.apparmor_restrict_unprivileged_userns=0");
    }
    None
}

/// Nothing mounted from here on is seen outside.
pub(crate) fn keep_mounts_private() -> rustix::io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// Leaves some of the calling thread's namespaces for new ones.
#[expect(unsafe_code, reason = "one of the flags, which is not passed on, would be unsafe")]
pub(crate) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    let flags = flags.difference(UnshareFlags::FILES);
    // SAFETY: only `FILES`, removed above, can make a descriptor vanish for a thread.
    unsafe { unshare_unsafe(flags) }
}

/// The calling thread keeps its own namespaces; a panic of `work` is passed on.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
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
            netlink.create_veth("eth0", None, "eth0", far.as_fd()).expect("make the cable");
        };
        near.run(make).expect("enter");
        let up = || {
            let mut netlink = Netlink::open().expect("open");
            let index = netlink.index_of("eth0").expect("eth0");
            netlink.switch_link(index, Switch::Up).expect("up");
            index
        };
        // The end that is switched on last can send at once; the other one only when the kernel comes to it.
        let far_index = far.run(up).expect("enter");
        let near_index = near.run(up).expect("enter");
        Some(Cable { near, near_index, far, far_index })
    }
}
