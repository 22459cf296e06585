//! Waiting for many descriptors at once: what a wait costs depends on those that are ready.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    io::Errno,
    time::Timespec,
};

use crate::error::{During, Error};

/// So many descriptors are reported by one wait. Others that are ready come with the next one.
const READY: usize = 1024;

/// The descriptors that [`Poll`] waits for. One that is closed is forgotten.
#[derive(Clone, Debug)]
pub struct Registry(Arc<OwnedFd>);

/// A descriptor that is ready, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What the descriptor is called.
    pub token: u64,
    /// There may be something to read, the end included.
    pub readable: bool,
    /// There is room to write; a connection that was being opened is open.
    pub writable: bool,
    /// The other side has said all that it has to say.
    pub ended: bool,
    /// It has failed, or both directions are closed.
    pub failed: bool,
}

impl Ready {
    fn of(event: &epoll::Event) -> Self {
        let (token, flags) = (event.data.u64(), event.flags);
        Self {
            token,
            readable: flags.contains(EventFlags::IN),
            writable: flags.contains(EventFlags::OUT),
            ended: flags.contains(EventFlags::RDHUP),
            failed: flags.intersects(EventFlags::ERR | EventFlags::HUP),
        }
    }
}

/// Waits for the descriptors of its registry.
pub struct Poll {
    registry: Registry,
    events: Vec<epoll::Event>,
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Poll").field(&self.registry).finish()
    }
}

impl Registry {
    /// Waits for something to read from a descriptor, which is called `token`.
    ///
    /// # Errors
    /// It is there already, or memory is short.
    pub fn add(&self, descriptor: impl AsFd, token: u64) -> Result<(), Error> {
        epoll::add(&self.0, descriptor, EventData::new_u64(token), EventFlags::IN)
            .during("wait for a descriptor")
    }

    /// Reports each time that something new can be read from a descriptor, or written to it: once, however
    /// long it stays so. One call serves a connection from its opening to its end.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_edges(&self, descriptor: impl AsFd, token: u64) -> Result<(), Error> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.0, descriptor, EventData::new_u64(token), flags)
            .during("wait for a descriptor")
    }

    /// Also, or no longer, waits for room to write.
    ///
    /// # Errors
    /// It is not there.
    pub fn want_room(&self, descriptor: impl AsFd, token: u64, wanted: bool) -> Result<(), Error> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        epoll::modify(&self.0, descriptor, EventData::new_u64(token), flags).during("wait for room")
    }

    /// No longer waits for a descriptor that stays open.
    ///
    /// # Errors
    /// It is not there.
    pub fn remove(&self, descriptor: impl AsFd) -> Result<(), Error> {
        epoll::delete(&self.0, descriptor).during("forget a descriptor")
    }
}

/// It can be read from while a descriptor of its registry is ready.
impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.0.as_fd()
    }
}

impl Poll {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn new() -> Result<Self, Error> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).during("make an epoll descriptor")?;
        let registry = Registry(Arc::new(epoll));
        Ok(Self { registry, events: Vec::with_capacity(READY) })
    }

    /// To add descriptors.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Waits until a descriptor is ready, at most for `limit`. The tokens of those that are; none after
    /// the limit, and after a signal.
    ///
    /// # Errors
    /// Only those of a wrong descriptor, which cannot happen here.
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<impl Iterator<Item = u64>, Error> {
        Ok(self.wait_ready(limit)?.map(|ready| ready.token))
    }

    /// As [`Self::wait`], and tells what each descriptor is ready for.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn wait_ready(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<impl Iterator<Item = Ready>, Error> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        self.events.clear();
        match epoll::wait(&self.registry.0, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Error::new("wait", error)),
        }
        Ok(self.events.iter().map(Ready::of))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::net::UnixStream};

    use super::*;

    fn ready(poll: &mut Poll) -> Vec<u64> {
        poll.wait(Some(Duration::ZERO)).expect("wait").collect()
    }

    #[test]
    fn only_what_is_ready_is_reported_and_what_is_closed_is_forgotten() {
        let mut poll = Poll::new().expect("an epoll descriptor");
        let (near, mut far) = UnixStream::pair().expect("a socket pair");
        poll.registry().add(&near, 7).expect("add");
        assert_eq!(ready(&mut poll), []);
        far.write_all(b"x").expect("there is room");
        assert_eq!(ready(&mut poll), [7]);
        assert_eq!(ready(&mut poll), [7], "as long as it is not read");
        drop(near);
        assert_eq!(ready(&mut poll), []);
    }

    #[test]
    fn an_edge_is_reported_once_and_says_what_it_is() {
        let mut poll = Poll::new().expect("an epoll descriptor");
        let (near, mut far) = UnixStream::pair().expect("a socket pair");
        poll.registry().add_edges(&near, 9).expect("add");
        let mut ready = || poll.wait_ready(Some(Duration::ZERO)).expect("wait").collect::<Vec<_>>();
        let none =
            Ready { token: 9, readable: false, writable: false, ended: false, failed: false };
        let room = Ready { writable: true, ..none };
        assert_eq!(ready(), [room]);
        assert_eq!(ready(), []);
        far.write_all(b"x").expect("there is room");
        assert_eq!(ready(), [Ready { readable: true, ..room }]);
        assert_eq!(ready(), [], "though nothing was read");
        drop(far);
        assert_eq!(ready(), [Ready { readable: true, ended: true, failed: true, ..room }]);
    }

    #[test]
    fn room_is_reported_while_it_is_wanted() {
        let mut poll = Poll::new().expect("an epoll descriptor");
        let (near, _far) = UnixStream::pair().expect("a socket pair");
        let registry = poll.registry();
        registry.add(&near, 1).expect("add");
        registry.want_room(&near, 1, true).expect("modify");
        assert_eq!(ready(&mut poll), [1]);
        registry.want_room(&near, 1, false).expect("modify");
        assert_eq!(ready(&mut poll), []);
        registry.remove(&near).expect("remove");
    }
}
