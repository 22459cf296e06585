//! What the machines of a cluster are: one plan of names, ids and addresses for all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use standfast_failover::{Config, GroupConfig, InstanceConfig, Trackers};
use standfast_types::{Family, InstanceName, Prefix, Priority, VirtualAddress, Vrid};
use standfast_vrrp::{Transport, timers};

use crate::trace::{Place, Settings};

/// The interface with the virtual routers.
pub(crate) const INTERFACE: &str = "eth0";
/// Another interface, which can be tracked.
pub(crate) const TRACKED: &str = "eth1";
/// Instances are numbered from this virtual router id.
const FIRST_VRID: u8 = 51;
/// The last byte of the first virtual address; machines have lower ones.
const FIRST_ADDRESS: u8 = 100;
/// Virtual addresses that an instance may have.
pub(crate) const ADDRESSES: usize = 10;

/// The address that the machines of [`node`] share.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, FIRST_ADDRESS));

/// A machine `192.0.2.<host>` with one instance `V0` that holds [`ADDRESS`].
///
/// # Panics
/// When `priority` is 0.
#[must_use]
pub fn node(host: u8, priority: u8) -> (IpAddr, Config) {
    let priority = Priority::new(priority).expect("a priority is not 0");
    let config =
        Config { instances: vec![instance(0, Family::V4, 1, priority)], ..Config::default() };
    (own(host), config)
}

/// The address of a machine.
pub(crate) const fn own(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))
}

/// The other address of the machine with this one; it has the same rank among its like.
pub(crate) const fn link_local(own: IpAddr) -> IpAddr {
    match own {
        IpAddr::V4(v4) => {
            let [.., host] = v4.octets();
            IpAddr::V6(Ipv6Addr::from_octets([
                0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host,
            ]))
        }
        IpAddr::V6(_) => own,
    }
}

/// An instance with keepalived's defaults and so many addresses.
pub(crate) fn instance(
    number: u8,
    family: Family,
    addresses: usize,
    priority: Priority,
) -> InstanceConfig {
    let vrid = Vrid::new(FIRST_VRID.saturating_add(number)).unwrap_or(FIRST);
    let mut router = standfast_vrrp::Config::new(vrid, priority);
    router.family = family;
    router.transport = Transport::Multicast { group: Transport::group(family) };
    let mut config =
        InstanceConfig::new(format!("V{number}").as_str().into(), INTERFACE.into(), router);
    set_addresses(&mut config, addresses);
    config
}

const FIRST: Vrid = match Vrid::new(FIRST_VRID) {
    Some(vrid) => vrid,
    None => unreachable!(),
};

/// Gives an instance its first so many addresses.
pub(crate) fn set_addresses(config: &mut InstanceConfig, count: usize) {
    let instance = usize::from(config.router.vrid.get().saturating_sub(FIRST_VRID));
    let family = config.router.family;
    let all = (0..count).filter_map(|address| address_of(family, Place { instance, address }));
    config.router.addresses = all.collect();
    let full = |address: &IpAddr| VirtualAddress::new(Prefix::host(*address), INTERFACE.into());
    config.addresses = config.router.addresses.iter().map(full).collect();
}

fn address_of(family: Family, place: Place) -> Option<IpAddr> {
    let offset = u8::try_from(place.instance * ADDRESSES + place.address).ok()?;
    let last = FIRST_ADDRESS.checked_add(offset)?;
    Some(match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, last).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into(),
    })
}

/// Whose address this is.
pub(crate) fn place(address: IpAddr) -> Option<Place> {
    let last = match address {
        IpAddr::V4(v4) => v4.octets().last().copied()?,
        IpAddr::V6(v6) => v6.octets().last().copied()?,
    };
    let offset = usize::from(last.checked_sub(FIRST_ADDRESS)?);
    Some(Place { instance: offset / ADDRESSES, address: offset % ADDRESSES })
}

/// Puts the first so many instances into a sync group.
pub(crate) fn group(config: &mut Config, count: usize) {
    let members = config.instances.iter().take(count).map(|instance| instance.name.clone());
    let (name, members) = ("G".into(), members.collect());
    config.groups = vec![GroupConfig { name, members, trackers: Trackers::default() }];
}

/// The lead of each instance's sync group, the member with the lowest id; of an instance that is in none,
/// itself.
pub(crate) fn leads(config: &Config) -> Vec<usize> {
    let lead = |instance: &InstanceConfig| {
        let mut groups = config.groups.iter();
        let group = groups.find(|group| group.members.contains(&instance.name));
        let members = group.into_iter().flat_map(|group| &group.members);
        members.filter_map(number).min().or_else(|| number(&instance.name))
    };
    config.instances.iter().filter_map(lead).collect()
}

/// The number in an instance's name.
pub(crate) fn number(name: &InstanceName) -> Option<usize> {
    name.as_str().strip_prefix('V')?.parse().ok()
}

/// Whose advert this is, and the priority in it.
pub(crate) fn advert(payload: &[u8]) -> Option<(usize, u8)> {
    let &[_, vrid, priority, ..] = payload else { return None };
    Some((usize::from(vrid.checked_sub(FIRST_VRID)?), priority))
}

/// What the checkers need to know of an instance.
pub(crate) fn settings(config: &InstanceConfig) -> Option<Settings> {
    let router = &config.router;
    let interval = router.advert_interval;
    let skew = timers::skew(router.version, Priority::LOWEST, interval);
    Some(Settings {
        instance: number(&config.name)?,
        interval: interval.duration(),
        patience: interval.duration() * u32::from(router.down_timer_adverts) + skew,
        skew,
        addresses: config.addresses.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_one_place() {
        for instance in 0..8 {
            for address in 0..ADDRESSES {
                let there = Place { instance, address };
                for family in [Family::V4, Family::V6] {
                    let address = address_of(family, there).expect("in range");
                    assert_eq!(place(address), Some(there));
                }
            }
        }
        assert_eq!(place(own(16)), None);
    }
}
