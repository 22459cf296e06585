//! Where adverts are heard, and for whom they are.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use standfast_types::{Family, IfIndex, Instant, InterfaceName, Vrid};
use standfast_vrrp::{Datagram, Transport};

use crate::{
    Output, ReceiveBuffer,
    instance::Instance,
    instances::{Instances, Slot},
};

/// How long after a failure to listen it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// An interface and the protocol on it.
pub(crate) type Port = (IfIndex, Family);

#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    open: BTreeMap<Port, Listener>,
    /// Where the kernel lets us hear nothing; tried again and again.
    deaf: BTreeSet<Port>,
    retry_at: Option<Instant>,
    /// Whether ids are listened to that no instance has.
    pub(crate) hear_everyone: bool,
    /// Whom an advert of this id may be for.
    addressees: Arc<BTreeMap<(Port, Vrid), Vec<Slot>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listener {
    name: InterfaceName,
    vrids: Vec<Vrid>,
    /// Those that are heard behind authentication headers as well.
    protected: Vec<Vrid>,
    groups: Vec<IpAddr>,
    room: ReceiveBuffer,
}

impl Listeners {
    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again where nothing can be heard, if it is time to.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        instances: &Instances,
        out: &mut VecDeque<Output>,
    ) {
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            let deaf = &self.deaf;
            self.open.retain(|port, _| !deaf.contains(port));
            self.update(instances, out);
        }
    }

    /// Takes note of whether a port can be heard. Whether that is news.
    pub(crate) fn handle_listening(&mut self, now: Instant, port: Port, success: bool) -> bool {
        let news = if success { self.deaf.remove(&port) } else { self.deaf.insert(port) };
        if !self.deaf.is_empty() {
            self.retry_at.get_or_insert(now + RETRY);
        }
        news
    }

    /// The ids that are listened to.
    #[cfg(test)]
    pub(crate) fn vrids(&self, port: Port) -> &[Vrid] {
        &self.open.get(&port).expect("open").vrids
    }

    pub(crate) fn is_deaf(&self, port: Port) -> bool {
        self.deaf.contains(&port)
    }

    /// Listens where the instances are now.
    pub(crate) fn update(&mut self, instances: &Instances, out: &mut VecDeque<Output>) {
        let everyone = self.hear_everyone;
        let mut wanted: BTreeMap<Port, Listener> = BTreeMap::new();
        let mut addressees: BTreeMap<(Port, Vrid), Vec<Slot>> = BTreeMap::new();
        for slot in instances.slots() {
            let Some(instance) = instances.at(slot) else { continue };
            let Some(index) = instance.index else { continue };
            let router = &instance.config.router;
            let port = (index, router.family);
            addressees.entry((port, router.vrid)).or_default().push(slot);
            let listener = wanted.entry(port).or_insert_with(|| Listener {
                name: instance.config.interface.clone(),
                vrids: Vec::new(),
                protected: Vec::new(),
                groups: Vec::new(),
                room: ReceiveBuffer::default(),
            });
            listener.room = listener.room.max(instance.config.receive_buffer);
            let protected = router.authentication.is_header().then_some(router.vrid);
            listener.vrids.push(router.vrid);
            listener.protected.extend(protected);
            if let Transport::Multicast { group } = router.transport
                && !listener.groups.contains(&group)
            {
                listener.groups.push(group);
            }
            // Nothing is heard there that the parent does not hear.
            if let Some((index, name)) = instance.sender() {
                let name = name.clone();
                let protected = Vec::from_iter(protected);
                let sender = Listener {
                    name,
                    vrids: Vec::new(),
                    protected,
                    groups: Vec::new(),
                    room: ReceiveBuffer::default(),
                };
                wanted.insert((index, port.1), sender);
            }
        }
        self.addressees = Arc::new(addressees);
        for listener in wanted.values_mut() {
            if everyone && !listener.vrids.is_empty() {
                listener.vrids = (1..=u8::MAX).filter_map(Vrid::new).collect();
            }
            // Instances with other groups, and those over unicast, may share an id.
            for vrids in [&mut listener.vrids, &mut listener.protected] {
                vrids.sort();
                vrids.dedup();
            }
        }
        self.deaf.retain(|port| wanted.contains_key(port));
        for port in self.open.keys().filter(|port| !wanted.contains_key(port)) {
            out.push_back(Output::Unlisten { index: port.0, family: port.1 });
        }
        for (port, listener) in &wanted {
            if self.open.get(port) != Some(listener) {
                let Listener { name, vrids, protected, groups, room } = listener.clone();
                let (index, family) = *port;
                out.push_back(Output::Listen {
                    index,
                    family,
                    name,
                    vrids,
                    protected,
                    groups,
                    room,
                });
            }
        }
        self.open = wanted;
    }

    /// The id of a message that no instance on this interface has.
    pub(crate) fn stranger(&self, index: IfIndex, datagram: Datagram<'_>) -> Option<u8> {
        let vrid = datagram.vrid()?;
        let port = (index, Family::of(datagram.source));
        let known = Vrid::new(vrid).is_some_and(|id| self.addressees.contains_key(&(port, id)));
        (!known).then_some(vrid)
    }

    /// The instance that a message is for.
    pub(crate) fn addressee(
        &self,
        index: IfIndex,
        datagram: Datagram<'_>,
        instances: &Instances,
    ) -> Option<Slot> {
        let vrid = Vrid::new(datagram.vrid()?)?;
        let port = (index, Family::of(datagram.source));
        let candidates = self.addressees.get(&(port, vrid))?;
        let ranked = candidates.iter().filter_map(|&slot| {
            let rank = rank(instances.at(slot)?, datagram)?;
            Some((rank, slot))
        });
        ranked.min().map(|(_, slot)| slot)
    }
}

/// Unicast instances may share an id: the one whose peer it is comes first.
fn rank(instance: &Instance, datagram: Datagram<'_>) -> Option<u8> {
    match &instance.config.router.transport {
        Transport::Multicast { group } if datagram.destination == *group => Some(0),
        Transport::Unicast { peers, .. }
            if peers.iter().any(|peer| peer.address == datagram.source) =>
        {
            Some(0)
        }
        Transport::Multicast { .. } if datagram.destination.is_multicast() => None,
        Transport::Multicast { .. } | Transport::Unicast { .. } => Some(1),
    }
}
