//! What one machine is configured to hold, and on what that depends.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{
    BfdName, FileName, GroupName, InstanceName, InterfaceName, ProcessName, RoutingEntry,
    ScriptName, VirtualAddress,
};

use crate::{BfdConfig, Firewall, LinkDelays, OwnLink, PaceGroup, ProcessConfig, Statics};

/// The configuration of one machine's failover brain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The virtual routers, in the order of the file; names are unique.
    pub instances: Vec<InstanceConfig>,
    /// The scripts that any instance tracks; names are unique.
    pub scripts: Vec<ScriptConfig>,
    /// The processes that any instance tracks; names are unique.
    pub processes: Vec<ProcessConfig>,
    /// The sync groups; names are unique, and no instance is in two.
    pub groups: Vec<GroupConfig>,
    /// The BFD sessions; names are unique, and no two have the same neighbour.
    pub bfd: Vec<BfdConfig>,
    /// What is held whatever the elections say.
    pub statics: Statics,
    /// Interfaces whose changes count late (`interface_up_down_delays`).
    pub link_delays: BTreeMap<InterfaceName, LinkDelays>,
    /// Adverts that no instance takes are told of (`log_unknown_vrids`).
    pub log_unknown_vrids: bool,
    /// Interfaces that share a pace of announcements (`garp_group`).
    pub paces: Vec<PaceGroup>,
    /// Adverts are dropped and no timer runs for this long after start (`vrrp_startup_delay`).
    pub startup_delay: Duration,
    /// Where the rules of `no_accept` stand.
    pub firewall: Firewall,
}

/// One `vrrp_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceConfig {
    /// Its name.
    pub name: InstanceName,
    /// The interface that adverts use.
    pub interface: InterfaceName,
    /// The election.
    pub router: standfast_vrrp::Config,
    /// Source of our adverts (`mcast_src_ip`, `unicast_src_ip`); else the interface's first
    /// address, over IPv6 its first link-local one.
    pub source: Option<IpAddr>,
    /// FAULT while `source` is not on this machine (`track_src_ip`).
    pub track_source: bool,
    /// FAULT while `interface` is down (`dont_track_primary` clears it).
    pub track_primary: bool,
    /// As master, asks who else has its addresses (`vrrp_detect_conflicts`).
    pub detect_conflicts: bool,
    /// Whether it takes what is sent to its addresses; else it only forwards (`no_accept`).
    pub accept: bool,
    /// Room for adverts that have arrived; the instances of an interface share the largest.
    pub receive_buffer: ReceiveBuffer,
    /// Announcements that keep switches in mind of addresses where no advert does (`garp_extra_if`).
    pub extra_announcements: Option<ExtraAnnouncements>,
    /// Interfaces to make for it (`use_vmac`, `use_ipvlan`); names are unique.
    pub links: Vec<OwnLink>,
    /// Which of `links` its adverts leave through as master; else through `interface`.
    pub advertise_from: Option<InterfaceName>,
    /// Addresses to hold as master: `virtual_ipaddress`, then `virtual_ipaddress_excluded`.
    pub addresses: Vec<VirtualAddress>,
    /// The other addresses of a network stay on its interfaces when the first one goes
    /// (`promote_secondaries`).
    pub promote_secondaries: bool,
    /// Routes and rules to hold as master: `virtual_routes`, then `virtual_rules`.
    pub routing: Vec<RoutingEntry>,
    /// What it follows.
    pub trackers: Trackers,
}

impl InstanceConfig {
    /// An instance with nothing to hold or to follow, everything else at its default.
    #[must_use]
    pub fn new(
        name: InstanceName,
        interface: InterfaceName,
        router: standfast_vrrp::Config,
    ) -> Self {
        Self {
            name,
            interface,
            router,
            source: None,
            track_source: false,
            track_primary: true,
            detect_conflicts: true,
            links: Vec::new(),
            advertise_from: None,
            accept: true,
            receive_buffer: ReceiveBuffer::default(),
            extra_announcements: None,
            addresses: Vec::new(),
            promote_secondaries: false,
            routing: Vec::new(),
            trackers: Trackers::default(),
        }
    }
}

/// Room for adverts that have arrived (`kernel_rx_buf_size`, `vrrp_rx_bufs_policy`): the larger of both, and
/// never less than every such socket has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveBuffer {
    /// In bytes.
    pub bytes: u32,
    /// In packets of the largest size that the interface carries.
    pub mtus: u32,
}

impl ReceiveBuffer {
    /// What holds either.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { bytes: self.bytes.max(other.bytes), mtus: self.mtus.max(other.mtus) }
    }
}

/// `garp_extra_if`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraAnnouncements {
    /// From one to the next; never zero.
    pub interval: Duration,
    /// On every interface that adverts do not leave through; else only on those with a virtual MAC.
    pub everywhere: bool,
}

/// One `vrrp_sync_group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfig {
    /// Its name.
    pub name: GroupName,
    /// Its instances; those that do not exist are no members.
    pub members: Vec<InstanceName>,
    /// What every member follows.
    pub trackers: Trackers,
}

/// What an instance, or every member of a sync group, follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trackers {
    /// `track_interface`.
    pub interfaces: Vec<TrackInterface>,
    /// `track_script`.
    pub scripts: Vec<TrackScript>,
    /// `track_file`.
    pub files: Vec<TrackFile>,
    /// `track_process`.
    pub processes: Vec<TrackProcess>,
    /// `track_bfd`.
    pub sessions: Vec<TrackBfd>,
}

/// One line of `track_interface`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInterface {
    /// The interface to follow.
    pub interface: InterfaceName,
    /// What its state does to the priority.
    pub weight: Weight,
}

/// One line of `track_script`, with the script's own weight already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    /// The script to follow.
    pub script: ScriptName,
    /// What its state does to the priority.
    pub weight: Weight,
}

/// One line of `track_file`, with the file's own weight already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    /// The file to follow.
    pub file: FileName,
    /// The factor for its number, -254..=254. 0: FAULT while the number is not 0. A product of -254 or less
    /// is FAULT too. `reverse`: the other sign, and with weight 0 FAULT while the number is 0.
    pub weight: Weight,
}

/// One line of `track_process`, with the process's own weight already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    /// The process to follow.
    pub process: ProcessName,
    /// What its state does to the priority.
    pub weight: Weight,
}

/// One line of `track_bfd`, with the session's own weight already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackBfd {
    /// The session to follow.
    pub session: BfdName,
    /// What its state does to the priority.
    pub weight: Weight,
}

/// What a tracker does to the priority.
///
/// 0: FAULT while it fails. Positive: added while it is up. Negative: added while it is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// -254..=254.
    pub value: i16,
    /// Up and down change places (`reverse`).
    pub reverse: bool,
}

/// How results of a `vrrp_script` become its state. The command itself is the daemon's affair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptConfig {
    /// Its name.
    pub name: ScriptName,
    /// Successes in a row to recover, at least 1.
    pub rise: u32,
    /// Failures in a row to fail, at least 1.
    pub fall: u32,
    /// Counts as failed until `rise` successes (`init_fail`); else the first result decides.
    pub init_fail: bool,
}
