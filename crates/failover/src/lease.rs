//! How long addresses outlive this process, and how often that is renewed.
//!
//! A lease is as long as the peers wait for an advert, so that an address is gone about when a successor
//! installs it. Renewing costs the kernel time, over IPv6 more the more addresses there are, so that a
//! machine with thousands of addresses has longer leases instead of a busy processor.

use std::time::Duration;

use standfast_types::{AdvertInterval, VirtualAddress};

use crate::InstanceConfig;

/// What the renewal of one address costs the kernel over IPv4, and over IPv6 for each one that is there.
const COST: Duration = Duration::from_micros(12);
const COST6: Duration = Duration::from_micros(60);
const COST6_EACH: Duration = Duration::from_nanos(280);
/// The part of a processor that renewals may take: one in so many.
const SHARE: u32 = 60;
/// Renewals in a lease: when it is short, and when renewals are dear. Over IPv6 they always are: with each
/// the kernel reports the interface's multicast groups to the network, twice (MLD).
const OFTEN: u32 = 8;
const SELDOM: u32 = 3;

/// The least time between two renewals on a machine with these instances.
pub(crate) fn pace<'a>(instances: impl Iterator<Item = &'a InstanceConfig>) -> Duration {
    let (mut v4, mut v6) = (0_u32, 0_u32);
    for address in instances.flat_map(|instance| &instance.addresses) {
        let count = if address.prefix.address().is_ipv4() { &mut v4 } else { &mut v6 };
        *count = count.saturating_add(1);
    }
    let each6 = COST6.saturating_add(COST6_EACH.saturating_mul(v6));
    let round = COST.saturating_mul(v4).saturating_add(each6.saturating_mul(v6));
    round.saturating_mul(SHARE)
}

/// Lease in seconds, and the time between two renewals of these addresses.
pub(crate) fn lease(
    interval: AdvertInterval,
    addresses: &[VirtualAddress],
    pace: Duration,
) -> (u32, Duration) {
    let seconds = (u32::from(interval.centis()) * 3).div_ceil(100).max(2);
    let ipv6 = addresses.iter().any(|address| address.prefix.address().is_ipv6());
    let period = Duration::from_secs(seconds.into()) / if ipv6 { SELDOM } else { OFTEN };
    if pace <= period {
        return (seconds, period);
    }
    let needed = pace.saturating_mul(SELDOM);
    let whole = u32::try_from(needed.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    (seconds.max(whole), pace)
}

#[cfg(test)]
mod tests {
    use standfast_types::{Prefix, Priority, Vrid};

    use super::*;

    fn instance(v4: u8, v6: u16) -> InstanceConfig {
        let vrid = Vrid::new(1).expect("not 0");
        let router = standfast_vrrp::Config::new(vrid, Priority::LOWEST);
        let four = (0..v4).map(|host| Prefix::host([10, 0, 0, host].into()));
        let six = (0..v6).map(|host| Prefix::host([0xfd00, 0, 0, 0, 0, 0, 0, host].into()));
        let mut config = InstanceConfig::new("V".into(), "eth0".into(), router);
        config.addresses =
            four.chain(six).map(|prefix| VirtualAddress::new(prefix, "eth0".into())).collect();
        config
    }

    #[test]
    fn with_few_addresses_a_lease_is_as_long_as_the_peers_wait() {
        let pace = pace([instance(200, 50)].iter());
        let second = AdvertInterval::DEFAULT;
        assert_eq!(lease(second, &[], pace), (3, Duration::from_millis(375)));
        let six = instance(1, 1).addresses;
        assert_eq!(lease(second, &six, pace), (3, Duration::from_secs(1)), "MLD at each renewal");
        let tenth = AdvertInterval::from_centis(10).expect("in range");
        assert_eq!(lease(tenth, &[], pace).0, 2);
    }

    #[test]
    fn with_thousands_it_is_longer_and_is_renewed_three_times() {
        let second = AdvertInterval::DEFAULT;
        let instances = vec![instance(250, 0); 20];
        let (seconds, period) = lease(second, &[], pace(instances.iter()));
        assert_eq!((seconds, period), (11, Duration::from_millis(3600)));
        let (seconds, period) = lease(second, &[], pace([instance(0, 3000)].iter()));
        assert!((480..600).contains(&seconds), "{seconds}");
        assert!(period * 3 <= Duration::from_secs(seconds.into()));
    }
}
