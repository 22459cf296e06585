//! Interfaces that an instance has of its own: a macvlan with its virtual MAC address, or an ipvlan.
//!
//! A macvlan is up exactly while its instance is master. While it is down nothing can leave it, so the
//! virtual MAC address is silent until then, and from the moment when it lets go. Adverts are heard on
//! the parent; those of a master leave through the macvlan, so that switches learn where it is.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{IfIndex, Instant, InterfaceName, Prefix};
use standfast_vrrp::StateName;

use crate::{Fault, InstanceEvent, Output, instance::Instance, world::World};

/// Between two tries to make an interface that the kernel refuses.
const RETRY: Duration = Duration::from_secs(1);
/// Names that are tried when the first is taken.
const NAMES_MAX: u32 = 100;

/// An interface to make for an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLink {
    /// What its addresses call it, and the name that it gets unless that is taken.
    pub name: InterfaceName,
    /// The start of the names to try then: it, a number, and `name` from its last dot on. Absent when
    /// only `name` will do.
    pub prefix: Option<String>,
    /// The interface that it is made on.
    pub parent: InterfaceName,
    /// What it is.
    pub kind: OwnLinkKind,
    /// The link group that it becomes a member of.
    pub group: Option<u32>,
}

/// What an interface of our own is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnLinkKind {
    /// A macvlan with this MAC address.
    Macvlan {
        /// Usually 00:00:5e:00:01:VRID, with 02 for IPv6.
        mac: [u8; 6],
        /// Whether it carries IPv6 addresses.
        ipv6: bool,
    },
    /// An ipvlan, which has its parent's MAC address, and is always up.
    Ipvlan {
        /// Whether the others on its parent can reach it.
        isolation: Isolation,
        /// An address that it always has.
        address: Option<Prefix>,
    },
}

/// Whether the ipvlans on one parent reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// They do.
    #[default]
    Bridge,
    /// They don't.
    Private,
    /// Over the next switch.
    Vepa,
}

/// An interface of an instance, and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    config: OwnLink,
    /// The name that it has, or that is tried next.
    name: InterfaceName,
    /// Names that were taken.
    taken: u32,
    stage: Stage,
    /// It was there before.
    lost: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Not there, and not asked for.
    Missing,
    /// Asked for, on this parent.
    Asked(IfIndex),
    There {
        index: IfIndex,
        parent: IfIndex,
    },
    Refused {
        error: String,
        retry_at: Instant,
    },
}

impl Own {
    pub(crate) fn new(config: OwnLink) -> Self {
        Self { name: config.name.clone(), config, taken: 0, stage: Stage::Missing, lost: false }
    }

    const fn index(&self) -> Option<IfIndex> {
        match self.stage {
            Stage::There { index, .. } => Some(index),
            Stage::Missing | Stage::Asked(_) | Stage::Refused { .. } => None,
        }
    }

    const fn is_macvlan(&self) -> bool {
        matches!(self.config.kind, OwnLinkKind::Macvlan { .. })
    }

    fn create(&mut self, parent: IfIndex, out: &mut VecDeque<Output>) {
        self.stage = Stage::Asked(parent);
        let OwnLink { kind, group, .. } = self.config;
        out.push_back(Output::CreateLink { name: self.name.clone(), parent, kind, group });
    }

    fn remove(&mut self, out: &mut VecDeque<Output>) {
        if let Some(index) = self.index() {
            out.push_back(Output::RemoveLink { index });
        }
        self.stage = Stage::Missing;
    }

    /// The next name to try; whether there is one.
    fn rename(&mut self) -> bool {
        let Some(prefix) = &self.config.prefix else { return false };
        let own = self.config.name.as_str();
        let end = own.rfind('.').and_then(|at| own.get(at..)).unwrap_or_default();
        self.taken = self.taken.saturating_add(1);
        // 6 belongs to the names for IPv6.
        let number = if self.taken < 6 { self.taken } else { self.taken.saturating_add(1) };
        self.name = format!("{prefix}{number}{end}").as_str().into();
        self.taken < NAMES_MAX
    }
}

impl Instance {
    /// Where an interface that the configuration names is now, one of its own included.
    pub(crate) fn place(&self, interface: &InterfaceName, world: &World) -> Option<IfIndex> {
        match self.links.iter().find(|own| own.config.name == *interface) {
            Some(own) => own.index(),
            None => world.index(interface),
        }
    }

    /// The name that an interface really has which the configuration names.
    pub(crate) fn name_of<'a>(&'a self, interface: &'a InterfaceName) -> &'a InterfaceName {
        let own = self.links.iter().find(|own| own.config.name == *interface);
        own.map_or(interface, |own| &own.name)
    }

    /// The interface through which adverts leave now.
    pub(crate) fn way_out(&self) -> Option<IfIndex> {
        let sender = self.sender().filter(|_| self.holds());
        sender.map(|(index, _)| index).or(self.index)
    }

    /// The interface of its own through which adverts leave while it is master.
    pub(crate) fn sender(&self) -> Option<(IfIndex, &InterfaceName)> {
        let name = self.config.advertise_from.as_ref()?;
        let own = self.links.iter().find(|own| own.config.name == *name)?;
        Some((own.index()?, &own.name))
    }

    /// Whether a sign of life on `heard` may be meant for what is on `index`: what another machine
    /// sends from our virtual MAC address reaches the parent alone.
    pub(crate) fn is_heard_on(&self, index: IfIndex, heard: IfIndex) -> bool {
        let parent =
            self.links.iter().any(|own| own.stage == Stage::There { index, parent: heard });
        index == heard || parent
    }

    /// Its own interfaces that are there, and what they are made on.
    pub(crate) fn parents(&self) -> impl Iterator<Item = (IfIndex, IfIndex)> {
        self.links.iter().filter_map(|own| match own.stage {
            Stage::There { index, parent } => Some((index, parent)),
            Stage::Missing | Stage::Asked(_) | Stage::Refused { .. } => None,
        })
    }

    /// Whether an interface is one of its own.
    pub(crate) fn owns(&self, index: IfIndex) -> bool {
        self.links.iter().any(|own| own.index() == Some(index))
    }

    /// Asks for what is missing.
    pub(crate) fn ensure_links(&mut self, now: Instant, world: &World, out: &mut VecDeque<Output>) {
        if self.router.snapshot().state == StateName::Stop {
            return;
        }
        for own in &mut self.links {
            // A parent that is gone has taken it along, and one that was renamed keeps it until
            // another has the name.
            let Some(parent) = world.index(&own.config.parent) else { continue };
            match &own.stage {
                Stage::There { parent: old, .. } if *old != parent => {
                    own.remove(out);
                    own.create(parent, out);
                }
                Stage::Refused { retry_at, .. } if *retry_at <= now => own.create(parent, out),
                // What was asked for has lost its parent meanwhile.
                Stage::Asked(old) if *old != parent => own.create(parent, out),
                Stage::Missing => own.create(parent, out),
                Stage::Asked(_) | Stage::There { .. } | Stage::Refused { .. } => {}
            }
        }
    }

    /// Announces what no advert keeps switches in mind of, and sets the time of the next.
    pub(crate) fn announce_extra(
        &mut self,
        now: Instant,
        world: &World,
        out: &mut VecDeque<Output>,
    ) {
        let Some(extra) = self.config.extra_announcements else { return };
        self.extra_at = Some(now + extra.interval);
        let sender = self.way_out();
        let own = |at| self.links.iter().any(|own| own.is_macvlan() && own.index() == Some(at));
        let forgotten = self
            .announcements(world)
            .filter(|(at, _)| Some(*at) != sender && (extra.everywhere || own(*at)));
        let forgotten: Vec<_> = forgotten.collect();
        self.queue_up(now, forgotten, out);
    }

    /// When [`Self::ensure_links`] has something to do of itself.
    pub(crate) fn links_due(&self) -> Option<Instant> {
        let retry = self.links.iter().filter_map(|own| match own.stage {
            Stage::Refused { retry_at, .. } => Some(retry_at),
            Stage::Missing | Stage::Asked(_) | Stage::There { .. } => None,
        });
        retry.min()
    }

    /// The world made an interface, or found one of a former life. Whether it is one of this instance.
    pub(crate) fn link_made(
        &mut self,
        now: Instant,
        name: &InterfaceName,
        index: IfIndex,
        world: &World,
        out: &mut VecDeque<Output>,
    ) -> bool {
        let asked = |own: &&mut Own| own.name == *name && matches!(own.stage, Stage::Asked(_));
        let Some(own) = self.links.iter_mut().find(asked) else { return false };
        let Stage::Asked(parent) = own.stage else { return false };
        own.stage = Stage::There { index, parent };
        let (lost, up) = (std::mem::take(&mut own.lost), !own.is_macvlan());
        if lost {
            self.emit(InstanceEvent::LinkRestored { interface: name.clone() }, out);
        }
        if up {
            out.push_back(Output::LinkUp { index });
        }
        if self.holds() {
            self.raise(out);
            self.install_again(now, index, world, out);
        }
        true
    }

    /// The world could not make an interface. Whether it is one of this instance.
    pub(crate) fn link_refused(
        &mut self,
        now: Instant,
        name: &InterfaceName,
        error: &str,
        taken: bool,
        world: &World,
        out: &mut VecDeque<Output>,
    ) -> bool {
        let asked = |own: &&mut Own| own.name == *name && matches!(own.stage, Stage::Asked(_));
        let Some(own) = self.links.iter_mut().find(asked) else { return false };
        if taken && own.rename() {
            own.stage = Stage::Missing;
            self.ensure_links(now, world, out);
        } else {
            own.name = own.config.name.clone();
            own.taken = 0;
            own.stage = Stage::Refused { error: error.to_owned(), retry_at: now + RETRY };
        }
        true
    }

    /// Somebody switched an interface of its own.
    pub(crate) fn link_changed(&self, index: IfIndex, running: bool, out: &mut VecDeque<Output>) {
        let Some(own) = self.links.iter().find(|own| own.index() == Some(index)) else { return };
        match (self.holds() || !own.is_macvlan(), running) {
            (true, false) => out.push_back(Output::LinkUp { index }),
            (false, true) => out.push_back(Output::LinkDown { index }),
            (true, true) | (false, false) => {}
        }
    }

    pub(crate) fn link_gone(&mut self, index: IfIndex) {
        for own in self.links.iter_mut().filter(|own| own.index() == Some(index)) {
            own.stage = Stage::Missing;
            own.lost = true;
        }
    }

    pub(crate) fn raise(&self, out: &mut VecDeque<Output>) {
        for own in self.links.iter().filter(|own| own.is_macvlan()) {
            out.extend(own.index().map(|index| Output::LinkUp { index }));
        }
    }

    pub(crate) fn lower(&self, out: &mut VecDeque<Output>) {
        for own in self.links.iter().filter(|own| own.is_macvlan()) {
            out.extend(own.index().map(|index| Output::LinkDown { index }));
        }
    }

    pub(crate) fn remove_links(&mut self, out: &mut VecDeque<Output>) {
        for own in &mut self.links {
            own.remove(out);
        }
    }

    /// Takes new interfaces from a configuration; those that both have stay as they are.
    pub(crate) fn reconfigure_links(&mut self, out: &mut VecDeque<Output>) {
        let mut old = std::mem::take(&mut self.links);
        for config in &self.config.links {
            let kept = old.iter().position(|own| own.config == *config);
            self.links.push(match kept {
                Some(at) => old.swap_remove(at),
                None => Own::new(config.clone()),
            });
        }
        old.iter_mut().for_each(|own| own.remove(out));
    }

    /// Whether every interface of its own is there.
    pub(crate) fn has_links(&self) -> bool {
        self.links.iter().all(|own| own.index().is_some())
    }

    /// Why it cannot use its own interfaces.
    pub(crate) fn link_faults(&self, world: &World) -> impl Iterator<Item = Fault> {
        self.links.iter().filter_map(|own| {
            let parent = &own.config.parent;
            if *parent != self.config.interface && !world.is_running(parent) {
                return Some(Fault::AddressInterface(parent.clone()));
            }
            match &own.stage {
                Stage::There { .. } => None,
                Stage::Missing | Stage::Asked(_) => Some(Fault::LinkPending(own.name.clone())),
                Stage::Refused { error, .. } => {
                    let (interface, error) = (own.name.clone(), error.clone());
                    Some(Fault::LinkRefused { interface, error })
                }
            }
        })
    }
}
