//! This machine, as a check sees it.

use standfast_conf::{Host, HostInterface};
use standfast_kernel::{
    netlink::{Address, Netlink},
    process::{group_by_name, user_by_name},
};

/// What the kernel says about this machine's interfaces; needs no rights. `None` when it does
/// not answer: then nothing is said about them.
pub(crate) fn look() -> Option<Host> {
    let mut netlink = Netlink::open().ok()?;
    let links = netlink.links().ok()?;
    // What a running daemon holds for now is not what the machine has.
    let addresses: Vec<Address> =
        netlink.addresses().ok()?.into_iter().filter(|address| !address.ours).collect();
    let interfaces = links.into_iter().map(|link| {
        let own = addresses.iter().filter(|address| address.index == link.index);
        HostInterface {
            addresses: own.map(|address| address.prefix).collect(),
            name: link.name,
            up: link.up,
            multicast: link.multicast,
            loopback: link.loopback,
        }
    });
    // A machine that can't say whether it has a user or group gets the benefit of the doubt.
    let has_user = |name: &str| user_by_name(name).map_or(true, |user| user.is_some());
    let has_group = |name: &str| group_by_name(name).map_or(true, |group| group.is_some());
    Some(Host { interfaces: interfaces.collect(), has_user, has_group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_found_as_one() {
        let host = look().expect("netlink answers");
        let lo = host.interface("lo").expect("lo");
        assert!(lo.loopback && !lo.multicast);
    }
}
