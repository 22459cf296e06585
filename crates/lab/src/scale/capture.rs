//! When things happened, as the kernel saw it: adverts from a capture, addresses from its reports.

use std::{collections::BTreeMap, time::Duration};

use standfast_kernel::clock;
use standfast_types::Instant;

use crate::stage::{Stage, pause};

/// Microseconds since 1970.
pub(super) type Stamp = u64;

/// The role of the process that captures.
const ROLE: &str = "capture";

/// A capture of all adverts that arrive on an interface.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    node: &'a str,
    /// When each virtual router advertised.
    adverts: BTreeMap<u8, Vec<Stamp>>,
}

impl<'a> Capture<'a> {
    /// Starts it, and waits until it sees something: somebody must be advertising.
    pub(super) fn start(stage: &mut Stage, node: &'a str, interface: &str) -> anyhow::Result<Self> {
        let filter = ["-B", "16384", "-i", interface, "ip", "proto", "112"];
        let argv = [&["/usr/bin/tcpdump", "-n", "-tt", "-l"][..], &filter].concat();
        stage.start(node, ROLE, &argv)?;
        let mut capture = Self { node, adverts: BTreeMap::new() };
        let begun = stage.wait_until(Duration::from_secs(20), |stage| {
            capture.read(stage)?;
            Ok(!capture.adverts.is_empty())
        })?;
        anyhow::ensure!(begun, "tcpdump sees no advert on {interface} of {node}");
        Ok(capture)
    }

    /// Takes what was captured since the last call.
    pub(super) fn read(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        for line in stage.log(self.node, ROLE)? {
            if let Some((vrid, stamp)) = advert(&line) {
                self.adverts.entry(vrid).or_default().push(stamp);
            }
        }
        Ok(())
    }

    /// Ends it. By how many microseconds each advert between two moments came later than `interval`
    /// after the one before it; sorted.
    pub(super) fn lateness(
        mut self,
        stage: &mut Stage,
        interval: Duration,
        between: (Stamp, Stamp),
    ) -> anyhow::Result<Vec<u64>> {
        pause(Duration::from_secs(1));
        self.read(stage)?;
        stage.kill(self.node, ROLE);
        let mut late = Vec::new();
        for stamps in self.adverts.values() {
            for (before, stamp) in stamps.iter().zip(stamps.iter().skip(1)) {
                // An advert that is missing in the window is late in it as well.
                if *stamp >= between.0 && *before <= between.1 {
                    late.push(stamp.saturating_sub(before + micros(interval)));
                }
            }
        }
        late.sort_unstable();
        Ok(late)
    }
}

/// `1763755200.123456 IP 10.100.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 7, prio 200, ...`
fn advert(line: &str) -> Option<(u8, Stamp)> {
    let (seconds, rest) = line.split_once('.')?;
    let (fraction, rest) = rest.split_once(' ')?;
    let (_, vrid) = rest.split_once(", vrid ")?;
    let vrid = vrid.split(',').next()?.parse().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    Some((vrid, seconds * 1_000_000 + fraction.parse::<u64>().ok()?))
}

/// The figure below which so many of ten thousand are.
pub(super) fn percentile(sorted: &[u64], of_ten_thousand: usize) -> u64 {
    let at = (sorted.len() * of_ten_thousand).div_ceil(10_000).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What the machine's clock says at a moment.
pub(super) fn stamp(at: Instant) -> Stamp {
    let now = clock::now();
    let unix = micros(clock::wall().unix(clock::now()));
    unix - micros(now.saturating_since(at)) + micros(at.saturating_since(now))
}

/// The first time that an address was reported, since midnight UTC:
/// `[2026-11-21T20:00:00.123456] 1000: eth0    inet 10.50.0.1/32 scope global eth0`
pub(super) fn installed(line: &str) -> Option<(&str, u64)> {
    let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (_, address) = rest.split_once(" inet ")?;
    if rest.trim_start().starts_with("Deleted") {
        return None;
    }
    let (_, time) = time.split_once('T')?;
    let mut parts = time.split([':', '.']).map(|part| part.parse::<u64>().ok());
    let mut next = || parts.next().flatten();
    let seconds = next()? * 3600 + next()? * 60 + next()?;
    let address = address.split([' ', '/']).next()?;
    Some((address, seconds * 1_000_000 + next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tcpdump_and_ip_are_read() {
        let line = "1763755200.123456 IP 10.100.0.1 > 224.0.0.18: VRRPv3, Advertisement, vrid 7, \
                    prio 200, intvl 10cs, length 12";
        assert_eq!(advert(line), Some((7, 1_763_755_200_123_456)));
        assert_eq!(advert("12 packets captured"), None);
        let line = "[2026-11-21T01:00:01.000002] 3: eth0    inet 10.50.0.1/32 scope global eth0";
        assert_eq!(installed(line), Some(("10.50.0.1", 3_601_000_002)));
        let line = "[2026-11-21T01:00:01.000002] Deleted 3: eth0    inet 10.50.0.1/32 scope global";
        assert_eq!(installed(line), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<u64> = (1..=1000).collect();
        assert_eq!(percentile(&figures, 5000), 500);
        assert_eq!(percentile(&figures, 9990), 999);
        assert_eq!(percentile(&figures, 10_000), 1000);
        assert_eq!(percentile(&[], 5000), 0);
    }
}
