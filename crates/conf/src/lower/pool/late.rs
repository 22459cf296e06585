//! What can be told of services only when all of the file is read.

use std::{collections::BTreeSet, net::IpAddr};

use standfast_balance::{Active, VirtualServer};
use standfast_types::{Family, InstanceName, ServiceKey};

use crate::{
    Code, Diagnostic, MarkedGroup, Sync,
    lower::{Lowering, arguments::Read},
    source::Span,
    syntax::Word,
};

/// A service that is not complete.
#[derive(Debug)]
pub(super) struct Late {
    /// Its place in the model.
    pub(super) at: usize,
    /// Its group.
    pub(super) group: Option<String>,
    pub(super) wish: Option<Wish>,
}

/// `active_on master`
#[derive(Debug)]
pub(super) struct Wish {
    place: Span,
    /// The instance that it names; else the one that has its address.
    instance: Option<Word>,
}

impl Wish {
    /// `None` for a service that is always active.
    pub(super) fn read(read: &Read<'_>) -> Option<Self> {
        let word = read.word().filter(|word| word.text == "master")?;
        let instance = read.matched.get(1).map(|matched| matched.word.clone());
        Some(Self { place: word.span, instance })
    }
}

impl Lowering<'_> {
    pub(in crate::lower) fn lower_pool(&mut self) {
        for Late { at, wish, .. } in &self.pools.late {
            let Some(wish) = wish else { continue };
            let Some(service) = self.model.pool.balance.services.get_mut(*at) else { continue };
            match self.model.failover.instances.iter().find(|instance| match &wish.instance {
                Some(word) => instance.name.as_str() == word.text,
                None => {
                    let mut addresses = instance.addresses.iter();
                    addresses.any(|address| has(service, address.prefix.address()))
                }
            }) {
                Some(instance) => service.active = Active::Master(instance.name.clone()),
                None => self.diagnostics.push(nobody(wish, service)),
            }
        }
        self.mark_groups();
        self.lower_sync();
    }

    /// With `nftables_ipvs` one service takes what the firewall marks for its group.
    fn mark_groups(&mut self) {
        let Some(mut marks) = self.marks() else { return };
        let mut next = self.pools.process.first_mark;
        for Late { at, group, .. } in &self.pools.late {
            let Some(service) = self.model.pool.balance.services.get_mut(*at) else { continue };
            if group.is_none() {
                continue;
            }
            let all = std::mem::take(&mut service.keys);
            let is_mark = |key: &ServiceKey| matches!(key, ServiceKey::Mark { .. });
            let (written, members): (Vec<_>, Vec<_>) = all.into_iter().partition(is_mark);
            service.keys = written;
            for family in [Family::V4, Family::V6] {
                let of_family = members.iter().filter(|key| key.family() == family);
                let members: BTreeSet<ServiceKey> = of_family.copied().collect();
                if !members.is_empty() {
                    let mark = next;
                    next = next.saturating_add(1);
                    service.keys.push(ServiceKey::Mark { mark, family });
                    marks.groups.push(MarkedGroup { mark, family, members });
                }
            }
        }
        self.model.pool.marks = (!marks.groups.is_empty()).then_some(marks);
    }

    /// Without an id, that of the instance which it follows.
    fn lower_sync(&mut self) {
        let written = self.pools.process.sync_id;
        let Some((mut daemon, name)) = self.pools.process.sync.take() else { return };
        let named = |name: &String| {
            let mut instances = self.model.failover.instances.iter();
            instances.find(|instance| instance.name.as_str() == name)
        };
        let instance = name.as_ref().and_then(named);
        if let Some(instance) = instance.filter(|_| !written) {
            daemon.id = instance.router.vrid.get();
        }
        // An instance that is not there is reported by a lint; nobody would ever send.
        let instance: Option<InstanceName> = instance.map(|instance| instance.name.clone());
        self.model.pool.sync = Some(Sync { daemon, instance });
    }
}

fn has(service: &VirtualServer, address: IpAddr) -> bool {
    service.keys.iter().any(|key| match key {
        ServiceKey::Address { address: own, .. } => *own == address,
        ServiceKey::Mark { .. } => false,
    })
}

fn nobody(wish: &Wish, service: &VirtualServer) -> Diagnostic {
    match &wish.instance {
        Some(word) => {
            let message = format!("no vrrp_instance `{}` runs", word.text);
            Diagnostic::error(Code::ActiveOn, word, message)
                .label("the service would never be active")
                .hint("write the name of an instance of this file, or delete it")
        }
        None => {
            let message = format!("no vrrp_instance has an address of {}", service.name);
            Diagnostic::error(Code::ActiveOn, wish.place, message)
                .label("the service would never be active")
                .hint("write `active_on master INSTANCE`, or list the address in an instance")
        }
    }
}
