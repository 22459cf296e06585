//! Mails about changes of state. A thread of its own sends them, one after another: names are resolved and
//! servers are slow, and nobody else waits for either.

mod dialogue;
mod write;

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use standfast_conf::Mail as Config;
use standfast_kernel::clock;

use crate::{channel::Channel, message::Level};
use dialogue::{Dialogue, Letter, Outcome};
pub(crate) use write::letter;

/// Mails that wait for a slow server; what comes on top of them is not sent.
const WAITING: usize = 100;
/// Bytes that are read in one go.
const CHUNK: usize = 4096;

/// The mailer: it runs from the first mail on.
#[derive(Debug, Default)]
pub(crate) struct Mailer {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    queue: SyncSender<Order>,
    /// A line for each order.
    line: Channel,
    outstanding: usize,
}

#[derive(Debug)]
struct Order {
    server: String,
    port: u16,
    timeout: Duration,
    letter: Letter,
}

/// What became of an order, for the log.
pub(crate) type Report = (Level, String);

impl Mailer {
    /// Has a letter sent; what is wrong when it cannot be.
    pub(crate) fn send(&mut self, config: &Config, letter: Letter) -> Option<String> {
        if self.running.is_none() {
            match start() {
                Ok(running) => self.running = Some(running),
                Err(error) => return Some(format!("no mail: {error}")),
            }
        }
        let running = self.running.as_mut()?;
        let Config { server, port, timeout, .. } = config;
        let order = Order { server: server.clone(), port: *port, timeout: *timeout, letter };
        match running.queue.try_send(order) {
            Ok(()) => {
                running.outstanding += 1;
                None
            }
            Err(TrySendError::Full(_)) => {
                Some(format!("a mail is dropped: {WAITING} others wait for {server}"))
            }
            Err(TrySendError::Disconnected(_)) => Some("no mail: its thread is gone".to_owned()),
        }
    }

    /// Becomes readable when something became of a mail.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.line.as_fd())
    }

    /// What became of mails.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        let Some(running) = &mut self.running else { return Vec::new() };
        let reports = running.line.receive().map_or_else(|_| Vec::new(), |got| got.messages);
        running.outstanding = running.outstanding.saturating_sub(reports.len());
        reports
    }

    /// Whether every mail is sent, or will never be.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.outstanding == 0)
    }
}

fn start() -> anyhow::Result<Running> {
    let (queue, orders) = sync_channel(WAITING);
    let (ours, theirs) = UnixStream::pair()?;
    let (line, theirs) = (Channel::new(ours)?, Channel::new(theirs)?);
    thread::Builder::new().name("mail".to_owned()).spawn(move || work(&orders, theirs))?;
    Ok(Running { queue, line, outstanding: 0 })
}

fn work(orders: &Receiver<Order>, mut line: Channel) {
    for order in orders {
        let server = order.server.clone();
        let report: Report = match deliver(order) {
            Ok(Outcome::Delivered { refused }) if refused.is_empty() => {
                (Level::Detail, format!("mail handed to {server}"))
            }
            Ok(Outcome::Delivered { refused }) => {
                (Level::Warning, format!("{server} takes no mail for {}", refused.join(", ")))
            }
            Ok(Outcome::Refused(reply)) => {
                let (code, text) = (reply.code, reply.text);
                (Level::Warning, format!("{server} refused a mail: {code} {text}"))
            }
            Ok(Outcome::Nonsense(_)) => {
                (Level::Warning, format!("no mail: what answers at {server} is no mail server"))
            }
            Err(error) => (Level::Warning, format!("no mail by {server}: {error}")),
        };
        if line.send(&report).is_err() {
            return;
        }
    }
}

/// Speaks with the server. Every answer has the order's time, and the number of answers is bounded.
fn deliver(order: Order) -> anyhow::Result<Outcome> {
    let Order { server, port, timeout, letter } = order;
    let mut stream = connect(&server, port, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    let mut dialogue = Dialogue::new(letter);
    let mut chunk = [0; CHUNK];
    let mut until = clock::now() + timeout;
    loop {
        while let Some(bytes) = dialogue.poll_output() {
            let farewell = dialogue.outcome().is_some();
            match stream.write_all(&bytes) {
                // The letter's fate is known by then.
                Err(_) if farewell => {}
                written => written?,
            }
            until = clock::now() + timeout;
        }
        if let Some(outcome) = dialogue.outcome() {
            return Ok(outcome.clone());
        }
        let left = until.saturating_since(clock::now());
        anyhow::ensure!(!left.is_zero(), "no answer for {} s", timeout.as_secs());
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => anyhow::bail!("the connection was closed in the middle"),
            Ok(read) => dialogue.handle_input(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn connect(server: &str, port: u16, timeout: Duration) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for address in (server, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => anyhow::bail!("the name has no address"),
    }
}

#[cfg(test)]
mod tests;
