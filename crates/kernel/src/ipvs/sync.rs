//! The copying of connections between directors.

use std::net::{IpAddr, Ipv4Addr};

use standfast_types::{InterfaceName, SyncDaemon, SyncRole};

use super::Ipvs;
use crate::{
    error::Error,
    netlink::{
        NLM_F_DUMP,
        generic::HEADER,
        message::{Message, attributes, ip_address, text, u16_at, u32_at},
    },
};

const NEW_DAEMON: u8 = 9;
const DELETE_DAEMON: u8 = 10;
const GET_DAEMON: u8 = 11;

const DAEMON: u16 = 3;
const STATE: u16 = 1;
const INTERFACE: u16 = 2;
const ID: u16 = 3;
const MAX_LENGTH: u16 = 4;
const GROUP4: u16 = 5;
const GROUP6: u16 = 6;
const PORT: u16 = 7;
const TTL: u16 = 8;

const MASTER: u32 = 1;
const BACKUP: u32 = 2;

const DEFAULT_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
const DEFAULT_PORT: u16 = 8848;

impl Ipvs {
    /// Starts the copying in a role. One that runs alike is left alone, one that runs otherwise is
    /// started again.
    ///
    /// # Errors
    /// `Gone` for an interface that is not there.
    pub fn start_sync(&mut self, role: SyncRole, daemon: &SyncDaemon) -> Result<(), Error> {
        let running = self.sync_daemons()?.into_iter().find(|(found, _)| *found == role);
        if let Some((_, running)) = running {
            if serves(&running, daemon) {
                return Ok(());
            }
            self.stop_sync(role)?;
        }
        let request = self.generic.message(NEW_DAEMON, 0).append(describe(role, daemon));
        self.change("start copying connections", request)
    }

    /// Stops the copying in a role; nothing happens where it does not run.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn stop_sync(&mut self, role: SyncRole) -> Result<(), Error> {
        let operation = "stop copying connections";
        let runs = |ipvs: &mut Self| {
            let running = ipvs.sync_daemons()?;
            Ok(running.iter().any(|(running, _)| *running == role))
        };
        if !runs(self)? {
            return Ok(());
        }
        let state = Message::fragment().nested(DAEMON, |list| list.number(STATE, number(role)));
        let request = self.generic.message(DELETE_DAEMON, 0).append(state);
        self.changes = self.changes.saturating_add(1);
        // The kernel forgets to acknowledge the end of one that has not begun to run.
        self.generic.netlink.tell(operation, request)?;
        if runs(self)? { Err(Error::from_errno(operation, libc::EBUSY, None)) } else { Ok(()) }
    }

    /// What runs: at most one of each role. Nothing in it is left to the kernel's choice.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn sync_daemons(&mut self) -> Result<Vec<(SyncRole, SyncDaemon)>, Error> {
        let request = self.generic.message(GET_DAEMON, NLM_F_DUMP);
        let operation = "read how connections are copied";
        self.generic.netlink.dump(operation, &request, |_, bytes| parse(bytes))
    }
}

const fn number(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => MASTER,
        SyncRole::Backup => BACKUP,
    }
}

fn describe(role: SyncRole, daemon: &SyncDaemon) -> Message {
    let SyncDaemon { interface, id, max_length, port, ttl, group } = daemon;
    Message::fragment().nested(DAEMON, |list| {
        let mut list = list
            .number(STATE, number(role))
            .text(INTERFACE, interface.as_str())
            .number(ID, u32::from(*id));
        if let Some(length) = max_length {
            list = list.attribute(MAX_LENGTH, &length.to_ne_bytes());
        }
        if let Some(port) = port {
            list = list.attribute(PORT, &port.to_ne_bytes());
        }
        if let Some(ttl) = ttl {
            list = list.attribute(TTL, &[*ttl]);
        }
        match group {
            Some(group @ IpAddr::V4(_)) => list.address(GROUP4, *group),
            Some(group @ IpAddr::V6(_)) => list.address(GROUP6, *group),
            None => list,
        }
    })
}

/// Whether what runs is what is wanted.
fn serves(running: &SyncDaemon, wanted: &SyncDaemon) -> bool {
    running.interface == wanted.interface
        && running.id == wanted.id
        && (wanted.max_length.is_none() || running.max_length == wanted.max_length)
        && running.port.unwrap_or(DEFAULT_PORT) == wanted.port.unwrap_or(DEFAULT_PORT)
        && running.ttl.unwrap_or(1) == wanted.ttl.unwrap_or(1)
        && running.group.unwrap_or(DEFAULT_GROUP) == wanted.group.unwrap_or(DEFAULT_GROUP)
}

fn parse(payload: &[u8]) -> Option<(SyncRole, SyncDaemon)> {
    let mut found = attributes(payload.get(HEADER..)?);
    let (_, bytes) = found.find(|(kind, _)| *kind == DAEMON)?;
    let (mut role, mut interface, mut id) = (None, None, None);
    let (mut max_length, mut port, mut ttl, mut group) = (None, None, None, None);
    for (kind, value) in attributes(bytes) {
        match kind {
            STATE => role = u32_at(value, 0),
            INTERFACE => interface = text(value).map(InterfaceName::from),
            ID => id = u32_at(value, 0).and_then(|id| u8::try_from(id).ok()),
            MAX_LENGTH => max_length = u16_at(value, 0),
            GROUP4 | GROUP6 => group = ip_address(value),
            PORT => port = u16_at(value, 0),
            TTL => ttl = value.first().copied(),
            _ => {}
        }
    }
    let role = match role? {
        MASTER => SyncRole::Master,
        BACKUP => SyncRole::Backup,
        _ => return None,
    };
    Some((role, SyncDaemon { interface: interface?, id: id?, max_length, port, ttl, group }))
}
