//! The control socket: who is connected, what they ask, and what they are answered. Nobody is waited for.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{net::sockopt::socket_peercred, process::geteuid};
use serde_json::Value;
use standfast_kernel::poll::{Poll, Ready};
use standfast_types::Instant;

use super::{
    frame::Frames,
    reply::{self, Refusal},
    request::Request,
};

/// So many clients are served at the same time.
const CLIENTS: usize = 32;
/// A client that neither sends nor reads for so long is dropped, unless it waits for us.
const PATIENCE: Duration = Duration::from_secs(10);
/// The listening socket, among the numbers of clients.
const LISTENER: u64 = 0;
const CHUNK: usize = 16 << 10;

/// A client, as long as it is connected. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(u64);

impl ClientId {
    #[cfg(test)]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The socket and its clients.
#[derive(Debug)]
pub(crate) struct Socket {
    poll: Poll,
    listener: UnixListener,
    path: PathBuf,
    clients: BTreeMap<ClientId, Client>,
    last: u64,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    frames: Frames,
    outgoing: Vec<u8>,
    /// So much of it is sent.
    sent: usize,
    /// When it last sent or read something.
    active: Instant,
    /// It has asked something and was not answered yet.
    waits: bool,
    /// It will ask no more.
    finished: bool,
    /// May it ask at all?
    allowed: bool,
}

impl Socket {
    /// Listens at `path`, where a daemon that is gone may have left a socket behind.
    ///
    /// # Errors
    /// Another daemon listens there, or the system does not let us.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(!is_served(path), "another daemon listens there");
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        // Whoever gets in before is turned away by what the kernel says about him.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.registry().add(&listener, LISTENER)?;
        Ok(Self { poll, listener, path: path.to_owned(), clients: BTreeMap::new(), last: LISTENER })
    }

    /// Becomes readable when [`Self::receive`] has something to do.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }

    /// When [`Self::receive`] has something to do at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let idle = self.clients.values().filter(|client| !client.waits);
        idle.map(|client| client.active + PATIENCE).min()
    }

    /// What clients ask. Each is answered before it can ask again.
    pub(crate) fn receive(&mut self, now: Instant) -> Vec<(ClientId, Request)> {
        let ready = self.poll.wait_ready(Some(Duration::ZERO));
        let ready: Vec<Ready> = ready.map(Iterator::collect).unwrap_or_default();
        for Ready { token, failed, .. } in ready {
            if token == LISTENER {
                self.accept(now);
                continue;
            }
            let id = ClientId(token);
            let Some(client) = self.clients.get_mut(&id) else { continue };
            let gone = failed || client.read(now).is_err() || client.write(now).is_err();
            if gone {
                self.clients.remove(&id);
            }
        }
        self.drop_idle(now);
        self.requests(now)
    }

    /// Answers what a client asked. One that is gone misses it.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        id: ClientId,
        reply: &Result<Value, Refusal>,
    ) -> Vec<(ClientId, Request)> {
        if let Some(client) = self.clients.get_mut(&id) {
            client.waits = false;
            client.active = now;
            client.outgoing.extend(reply::emit(reply));
            if client.write(now).is_err() || client.is_done() {
                self.clients.remove(&id);
            }
        }
        // It may have asked its next question already.
        self.requests(now)
    }

    fn accept(&mut self, now: Instant) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.clients.len() >= CLIENTS && !self.make_room() {
                // All of them wait for something that was ordered.
                continue;
            }
            self.last = self.last.saturating_add(1);
            if self.poll.registry().add_edges(&stream, self.last).is_err() {
                continue;
            }
            let mut client = Client::new(stream, now);
            // What it has sent already.
            if client.read(now).is_ok() {
                self.clients.insert(ClientId(self.last), client);
            }
        }
    }

    /// Drops the client that has been idle for longest.
    fn make_room(&mut self) -> bool {
        let idle = self.clients.iter().filter(|(_, client)| !client.waits);
        let longest = idle.min_by_key(|(_, client)| client.active).map(|(id, _)| *id);
        longest.is_some_and(|id| self.clients.remove(&id).is_some())
    }

    fn drop_idle(&mut self, now: Instant) {
        self.clients.retain(|_, client| {
            client.waits || (client.active + PATIENCE > now && !client.is_done())
        });
    }

    fn requests(&mut self, now: Instant) -> Vec<(ClientId, Request)> {
        let mut requests = Vec::new();
        let mut gone = Vec::new();
        for (id, client) in &mut self.clients {
            // One at a time, and none to one that does not read.
            while !client.waits && client.outgoing.is_empty() {
                let Some(message) = client.frames.poll() else { break };
                let request = Request::parse(&message);
                match request.and_then(|request| {
                    client.allowed.then_some(request).ok_or(Refusal::Permission)
                }) {
                    Ok(request) => {
                        client.waits = true;
                        requests.push((*id, request));
                    }
                    Err(refusal) => {
                        client.outgoing.extend(reply::emit(&Err(refusal)));
                        if client.write(now).is_err() {
                            gone.push(*id);
                            break;
                        }
                    }
                }
            }
            if client.is_done() {
                gone.push(*id);
            }
        }
        for id in gone {
            self.clients.remove(&id);
        }
        requests
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether somebody listens there.
fn is_served(path: &Path) -> bool {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    };

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) else {
        return false;
    };
    let Ok(address) = SocketAddrUnix::new(path) else { return false };
    // `AGAIN`: so many wait there already.
    matches!(connect(&socket, &address), Ok(()) | Err(rustix::io::Errno::AGAIN))
}

impl Client {
    fn new(stream: UnixStream, now: Instant) -> Self {
        let allowed =
            socket_peercred(&stream).is_ok_and(|peer| peer.uid.is_root() || peer.uid == geteuid());
        Self {
            stream,
            frames: Frames::default(),
            outgoing: Vec::new(),
            sent: 0,
            active: now,
            waits: false,
            finished: false,
            allowed,
        }
    }

    /// Takes what has arrived; an error ends it.
    fn read(&mut self, now: Instant) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        while !self.finished {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.finished = true,
                Ok(read) => {
                    self.active = now;
                    let bytes = chunk.get(..read).unwrap_or_default();
                    self.frames.push(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends what there is, as far as there is room.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => {
                    self.sent += written;
                    self.active = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// It will ask no more, and has all its answers.
    fn is_done(&self) -> bool {
        let asks = self.frames.has_message();
        self.finished && !self.waits && self.outgoing.is_empty() && !asks
    }
}

#[cfg(test)]
mod tests;
