//! This machine, as a check sees it.

use standfast_conf::{Host, HostInterface};
use standfast_kernel::{
    netlink::{Address, Netlink},
    process::user_by_name,
};

/// Whom scripts run as by default, where it exists.
const SCRIPT_USER: &str = "keepalived_script";

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
    let script_user = user_by_name(SCRIPT_USER).ok()?.is_some();
    Some(Host { interfaces: interfaces.collect(), script_user })
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
