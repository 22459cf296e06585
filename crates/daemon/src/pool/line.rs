//! A connection with a dialogue on it: bytes go to and fro until the dialogue knows.

use std::{
    io::{self, Read, Write},
    os::fd::OwnedFd,
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use rustls::ClientConnection;
use standfast_health::{Dialogue, End, Failure, Good};
use standfast_types::Instant;

use super::tls;

/// So many parts are read in one go; then it is others' turn.
const PARTS: usize = 4;
/// Room for a part.
pub(super) const PART: usize = 16 << 10;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) tls: Option<Box<ClientConnection>>,
    pub(super) since: Instant,
}

/// What arrives on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// Bytes.
    Bytes,
    /// Messages of their own.
    Datagrams,
    /// As above, of ICMP: raw sockets of IPv4 put the IP header before them.
    Echoes,
}

impl Carries {
    /// The message in a part that has arrived.
    fn message(self, part: &[u8]) -> &[u8] {
        // No ICMP message begins like an IP header: its type would be 64 to 79.
        match part.first() {
            Some(first) if self == Self::Echoes && first >> 4 == 4 => {
                part.get(usize::from(first & 0xf) * 4..).unwrap_or_default()
            }
            Some(_) | None => part,
        }
    }
}

/// One run's dialogue on a connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) dialogue: Dialogue,
    carries: Carries,
    /// An earlier run has used the connection; the server may have given it up meanwhile.
    pub(super) used: bool,
    /// Something has arrived in this run.
    pub(super) heard: bool,
    /// The server has said all that it has to say; some of it may wait to be read.
    pub(super) ended: bool,
    outgoing: Vec<u8>,
    sent: usize,
}

/// How far a dialogue is.
#[derive(Debug)]
pub(super) enum Progress {
    /// It waits for the socket.
    Waits,
    /// There may be more to read: go on after the others.
    More,
    /// It is over.
    Over(Result<Good, Failure>),
}

impl Line {
    pub(super) fn new(
        connection: Connection,
        dialogue: Dialogue,
        carries: Carries,
        used: bool,
    ) -> Self {
        let (outgoing, sent) = (Vec::new(), 0);
        Self { connection, dialogue, carries, used, heard: false, ended: false, outgoing, sent }
    }

    /// Sends and reads what can be sent and read now, within bounds. `room` is [`PART`] bytes.
    pub(super) fn go_on(&mut self, room: &mut [u8]) -> Progress {
        let bytes = self.carries == Carries::Bytes;
        for _ in 0..PARTS {
            if let Err(failure) = self.send() {
                return Progress::Over(Err(failure));
            }
            if let Some(outcome) = self.dialogue.poll_outcome() {
                return Progress::Over(outcome);
            }
            let received = recv(&self.connection.socket, &mut *room, RecvFlags::empty());
            match received.map(|(_, length)| length) {
                Ok(0) if bytes => {
                    if let Err(failure) = self.end() {
                        return Progress::Over(Err(failure));
                    }
                }
                Ok(length) => {
                    self.heard = true;
                    let part = room.get(..length).unwrap_or_default();
                    if !bytes {
                        self.dialogue.handle_datagram(self.carries.message(part));
                    } else if let Err(failure) = self.hear(part) {
                        return Progress::Over(Err(failure));
                    }
                    // A part that fills less than its room was the last for now: its end would be known.
                    if length < PART && !self.ended && bytes {
                        return self.pause();
                    }
                }
                Err(Errno::AGAIN) => return Progress::Waits,
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) if bytes => self.dialogue.handle_end(End::Reset),
                Err(error) => {
                    return Progress::Over(Err(Failure::from(&io::Error::from(error))));
                }
            }
        }
        match self.dialogue.poll_outcome() {
            Some(outcome) => Progress::Over(outcome),
            None => Progress::More,
        }
    }

    /// All is read; what the dialogue says to it is sent.
    fn pause(&mut self) -> Progress {
        if let Err(failure) = self.send() {
            return Progress::Over(Err(failure));
        }
        self.dialogue.poll_outcome().map_or(Progress::Waits, Progress::Over)
    }

    /// The server has closed its side.
    fn end(&mut self) -> Result<(), Failure> {
        let end = match &self.connection.tls {
            None => End::Closed,
            Some(tls) if tls.is_handshaking() => {
                return Err(Failure::Connection(
                    "closed in the middle of the TLS handshake".into(),
                ));
            }
            // After a close notification the dialogue was told already.
            Some(_) => End::Truncated,
        };
        self.dialogue.handle_end(end);
        Ok(())
    }

    /// Takes what arrived, without TLS or through it.
    fn hear(&mut self, mut part: &[u8]) -> Result<(), Failure> {
        let Some(tls) = &mut self.connection.tls else {
            self.dialogue.handle_bytes(part);
            return Ok(());
        };
        let mut plain = [0; 4096];
        while !part.is_empty() {
            // Neither fails: the bytes are there, and what they hold is read at once.
            tls.read_tls(&mut part).map_err(|error| Failure::from(&error))?;
            if let Err(error) = tls.process_new_packets() {
                let failure = tls::failure(&error);
                // The server is told why, as far as there is room.
                let mut alert = Vec::new();
                while tls.wants_write() && tls.write_tls(&mut alert).is_ok() {}
                let _ = send(&self.connection.socket, &alert, SendFlags::NOSIGNAL);
                return Err(failure);
            }
            loop {
                match tls.reader().read(&mut plain) {
                    // A close notification.
                    Ok(0) => {
                        self.dialogue.handle_end(End::Closed);
                        break;
                    }
                    Ok(length) => {
                        self.dialogue.handle_bytes(plain.get(..length).unwrap_or_default());
                    }
                    Err(_) => break,
                }
            }
        }
        Ok(())
    }

    /// Sends what the dialogue says.
    fn send(&mut self) -> Result<(), Failure> {
        while let Some(words) = self.dialogue.poll_transmit() {
            match &mut self.connection.tls {
                Some(tls) => {
                    // Kept until the handshake is over.
                    tls.writer().write_all(&words).map_err(|error| Failure::from(&error))?;
                }
                None if self.carries == Carries::Bytes => self.outgoing.extend(words),
                // An empty one is one too.
                None => match send(&self.connection.socket, &words, SendFlags::NOSIGNAL) {
                    // What there is no room for is lost, as anywhere on its way.
                    Ok(_) | Err(Errno::AGAIN) => {}
                    Err(error) => return Err(Failure::from(&io::Error::from(error))),
                },
            }
        }
        if let Some(tls) = &mut self.connection.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.outgoing).map_err(|error| Failure::from(&error))?;
            }
        }
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.connection.socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                // What the server said before it went is worth more than that it went.
                Err(Errno::PIPE | Errno::CONNRESET) if self.carries == Carries::Bytes => break,
                Err(error) => return Err(Failure::from(&io::Error::from(error))),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        Ok(())
    }

    /// The run is over: the connection, with a good-bye of the dialogue and of TLS when it is not `kept`.
    pub(super) fn part(mut self, kept: bool) -> Connection {
        if !kept && let Some(tls) = &mut self.connection.tls {
            tls.send_close_notify();
        }
        // Nobody waits for it.
        let _ = self.send();
        self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_header_is_taken_off_an_echo_and_nothing_else() {
        let echo = [0, 0, 1, 2];
        let mut packet = vec![0x45; 20];
        packet.extend(echo);
        assert_eq!(Carries::Echoes.message(&packet), echo);
        assert_eq!(Carries::Echoes.message(&echo), echo);
        assert!(Carries::Echoes.message(&[0x4f; 8]).is_empty());
        assert_eq!(Carries::Datagrams.message(&packet), packet);
    }
}
