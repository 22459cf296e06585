//! How long the kernel remembers idle connections.

use std::time::Duration;

use standfast_types::Timeouts;

use super::Ipvs;
use crate::{
    error::Error,
    netlink::{
        generic::HEADER,
        message::{attributes, u32_at},
    },
};

const SET_CONFIG: u8 = 12;
const GET_CONFIG: u8 = 13;
const TCP: u16 = 4;
const TCP_FIN: u16 = 5;
const UDP: u16 = 6;

impl Ipvs {
    /// How long the kernel remembers idle connections.
    ///
    /// # Errors
    /// `Refused` without `CAP_NET_ADMIN`.
    pub fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let request = self.generic.message(GET_CONFIG, 0).asking();
        self.generic.netlink.get("read timeouts of connections", request, |_, bytes| parse(bytes))
    }

    /// Changes those that are given and leaves the others alone; what is so already costs no message.
    ///
    /// # Errors
    /// `Bug` for one of more than 24 days.
    pub fn set_timeouts(&mut self, wanted: &Timeouts) -> Result<(), Error> {
        if *wanted == Timeouts::default() {
            return Ok(());
        }
        let now = self.timeouts()?;
        let given = [
            (TCP, wanted.tcp, now.tcp),
            (TCP_FIN, wanted.tcp_fin, now.tcp_fin),
            (UDP, wanted.udp, now.udp),
        ];
        let mut request = None;
        for (kind, wanted, now) in given {
            if let Some(wanted) = wanted.filter(|_| wanted != now) {
                let seconds = u32::try_from(wanted.as_secs()).unwrap_or(u32::MAX);
                let message = request.unwrap_or_else(|| self.generic.message(SET_CONFIG, 0));
                request = Some(message.number(kind, seconds));
            }
        }
        let Some(request) = request else { return Ok(()) };
        self.change("set timeouts of connections", request)
    }
}

fn parse(payload: &[u8]) -> Option<Timeouts> {
    let mut timeouts = Timeouts::default();
    for (kind, value) in attributes(payload.get(HEADER..)?) {
        let value = u32_at(value, 0).map(|seconds| Duration::from_secs(seconds.into()));
        match kind {
            TCP => timeouts.tcp = value,
            TCP_FIN => timeouts.tcp_fin = value,
            UDP => timeouts.udp = value,
            _ => {}
        }
    }
    Some(timeouts)
}
