//! `promote_secondaries`: the other addresses of a network stay when its first one goes.

use std::collections::{BTreeMap, BTreeSet};

use standfast_failover::Config;
use standfast_kernel::{netlink::Netlink, own_link::Ipv4Setting};
use standfast_types::{IfIndex, InterfaceName};

/// The interfaces that keep them, and what the kernel was set to before.
#[derive(Debug, Default)]
pub(super) struct Secondaries {
    names: BTreeSet<InterfaceName>,
    originals: BTreeMap<IfIndex, u32>,
}

impl Secondaries {
    /// The interfaces of a new configuration; those that no longer ask for it get back what they had.
    pub(super) fn reconfigure(
        &mut self,
        config: &Config,
        netlink: &mut Netlink,
        links: impl Iterator<Item = (IfIndex, InterfaceName)>,
    ) {
        let asking = config.instances.iter().filter(|instance| instance.promote_secondaries);
        self.names = asking
            .flat_map(|instance| {
                let own = instance.addresses.iter().map(|address| &address.interface);
                own.chain([&instance.interface]).cloned()
            })
            .collect();
        for (index, name) in links {
            if self.names.contains(&name) {
                self.see(index, &name, netlink);
            } else {
                self.give_back(index, netlink);
            }
        }
    }

    /// An interface is there. Without the right to set it, its addresses go as the kernel has it.
    pub(super) fn see(&mut self, index: IfIndex, name: &InterfaceName, netlink: &mut Netlink) {
        if !self.names.contains(name) || self.originals.contains_key(&index) {
            return;
        }
        if let Ok(original) = netlink.ipv4_setting(index, Ipv4Setting::PromoteSecondaries)
            && original == 0
            && netlink.set_ipv4_settings(index, &[(Ipv4Setting::PromoteSecondaries, 1)]).is_ok()
        {
            self.originals.insert(index, original);
        }
    }

    /// Gives all interfaces back what they had.
    pub(super) fn end(&mut self, netlink: &mut Netlink) {
        for index in self.originals.keys().copied().collect::<Vec<_>>() {
            self.give_back(index, netlink);
        }
    }

    fn give_back(&mut self, index: IfIndex, netlink: &mut Netlink) {
        if let Some(original) = self.originals.remove(&index) {
            // One that is gone needs nothing.
            let _ =
                netlink.set_ipv4_settings(index, &[(Ipv4Setting::PromoteSecondaries, original)]);
        }
    }
}
