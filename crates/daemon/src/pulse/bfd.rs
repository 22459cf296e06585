//! The UDP sockets of BFD sessions.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use standfast_failover::{BfdInput, BfdOutput, BfdPath, Input};
use standfast_kernel::{
    bfd_socket::{BfdListener, BfdSender, PACKET, ReceivedBfd},
    clock,
    poll::Registry,
};
use standfast_types::BfdName;
use standfast_wire::bfd::{LENGTH, MULTIHOP_PORT, SINGLE_HOP_PORT};

use super::{Pulse, source::Source};
use crate::message::{FromPulse, Level};

/// Packets that are read from one socket in one go: what a thousand fast neighbours send while we are late.
const BURST: usize = 4096;

/// Local address and port.
type Place = (IpAddr, u16);

/// One sender for each session; they share the listeners.
#[derive(Debug)]
pub(super) struct Sockets {
    registry: Registry,
    sessions: BTreeMap<BfdName, Speaker>,
    /// By their numbers as sources.
    listeners: BTreeMap<u32, (Place, BfdListener)>,
    next_key: u32,
}

#[derive(Debug)]
struct Speaker {
    path: BfdPath,
    sender: Option<BfdSender>,
    /// Opening or sending failed and nothing has succeeded since: said once.
    mute: bool,
}

impl Sockets {
    /// No session yet.
    pub(super) const fn new(registry: Registry) -> Self {
        Self { registry, sessions: BTreeMap::new(), listeners: BTreeMap::new(), next_key: 0 }
    }

    fn open(&mut self, name: &BfdName, path: BfdPath) -> anyhow::Result<()> {
        let sender = BfdSender::open(path.source, path.neighbor, port(path), path.ttl)?;
        self.speaker(name, path).sender = Some(sender);
        self.listen()
    }

    /// The session's entry, with this path.
    fn speaker(&mut self, name: &BfdName, path: BfdPath) -> &mut Speaker {
        let speaker = self.sessions.entry(name.clone());
        let speaker = speaker.or_insert(Speaker { path, sender: None, mute: false });
        speaker.path = path;
        speaker
    }

    /// Opens the listeners that the sessions need, and closes the others.
    fn listen(&mut self) -> anyhow::Result<()> {
        let mut wanted = places(self.sessions.values().map(|speaker| speaker.path));
        self.listeners.retain(|_, (place, _)| wanted.remove(place));
        for place in wanted {
            let (local, port) = place;
            let listener = BfdListener::open(local, port)?;
            self.registry.add(&listener, Source::Bfd(self.next_key).token())?;
            self.listeners.insert(self.next_key, (place, listener));
            self.next_key = self.next_key.wrapping_add(1);
        }
        Ok(())
    }

    fn close(&mut self, name: &BfdName) {
        self.sessions.remove(name);
        // What it can't open now it could not open before.
        let _ = self.listen();
    }

    fn send(&mut self, name: &BfdName, payload: &[u8; LENGTH]) -> anyhow::Result<()> {
        let Some(speaker) = self.sessions.get_mut(name) else { return Ok(()) };
        let Some(sender) = &speaker.sender else { return Ok(()) };
        let result = sender.send(payload);
        let was_mute = std::mem::replace(&mut speaker.mute, result.is_err());
        if was_mute { Ok(()) } else { Ok(result?) }
    }
}

impl Pulse<'_> {
    /// Hands in all packets that have arrived at a listener.
    pub(super) fn receive_bfd(&mut self, key: u32) {
        let mut buffer = [0; PACKET];
        for _ in 0..BURST {
            let Some((place, listener)) = self.bfd.listeners.get(&key) else { break };
            let multihop = place.1 == MULTIHOP_PORT;
            // An error is a shortage of memory: the next round tries again.
            let Ok(Some(packet)) = listener.receive(&mut buffer) else { break };
            let ReceivedBfd { source, ttl, length } = packet;
            let payload = buffer.get(..length).unwrap_or_default();
            self.input(Input::Bfd(BfdInput::Packet { source, ttl, multihop, payload }));
        }
    }

    pub(super) fn apply_bfd(&mut self, output: BfdOutput) {
        let refused = match output {
            BfdOutput::Open { name, path } => {
                let opened = self.bfd.open(&name, path);
                let speaker = self.bfd.speaker(&name, path);
                let was_mute = std::mem::replace(&mut speaker.mute, opened.is_err());
                if opened.is_err() {
                    let input = Input::Bfd(BfdInput::Refused { name: name.clone() });
                    self.brain.handle_input(clock::now(), input);
                }
                opened.err().filter(|_| !was_mute).map(|error| (name, error))
            }
            BfdOutput::Close { name } => {
                self.bfd.close(&name);
                None
            }
            BfdOutput::Send { name, payload } => {
                self.bfd.send(&name, &payload).err().map(|error| (name, error))
            }
        };
        if let Some((name, error)) = refused {
            let text = format!("bfd {name}: failed to {error}");
            self.tell(&FromPulse::Log(Level::Warning, text));
        }
    }
}

/// Where these sessions are heard: on all addresses of a family if one of them has no address of its own.
fn places(paths: impl Iterator<Item = BfdPath>) -> BTreeSet<Place> {
    let mut places: BTreeSet<Place> =
        paths.map(|path| (path.source.unwrap_or_else(|| any(path.neighbor)), port(path))).collect();
    let everywhere: Vec<Place> =
        places.iter().copied().filter(|(local, _)| local.is_unspecified()).collect();
    places.retain(|(local, port)| {
        local.is_unspecified() || !everywhere.contains(&(any(*local), *port))
    });
    places
}

const fn any(family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

const fn port(path: BfdPath) -> u16 {
    if path.multihop { MULTIHOP_PORT } else { SINGLE_HOP_PORT }
}
