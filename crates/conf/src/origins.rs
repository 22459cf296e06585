//! Where the model's values stand in the file, for lints that look at several files.

use std::collections::BTreeMap;

use standfast_types::{BfdName, FileName, InstanceName, InterfaceName, ProcessName, ScriptName};

use crate::source::Span;

/// Places of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Each instance of the model.
    pub instances: BTreeMap<InstanceName, InstanceOrigin>,
    /// Each `vrrp_script` of the file.
    pub scripts: BTreeMap<ScriptName, ScriptOrigin>,
}

/// Places of one `vrrp_instance`. `None`: the file leaves it to the default.
#[derive(Clone, Debug)]
pub struct InstanceOrigin {
    /// Its name.
    pub name: Span,
    /// `virtual_router_id`'s number.
    pub vrid: Span,
    /// `state`'s value.
    pub state: Option<Span>,
    /// `priority`'s number.
    pub priority: Option<Span>,
    /// `advert_int`'s number.
    pub advert_interval: Option<Span>,
    /// `version`'s number.
    pub version: Option<Span>,
    /// `auth_pass`'s password, or `auth_hmac`.
    pub password: Option<Span>,
    /// `nopreempt`
    pub nopreempt: Option<Span>,
    /// The source address.
    pub source: Option<Span>,
    /// The group of `mcast_dst_ip`.
    pub group: Option<Span>,
    /// `unicast_peer`
    pub peers: Option<Span>,
    /// `virtual_ipaddress`
    pub addresses: Option<Span>,
    /// Lines of `track_script`.
    pub track_scripts: BTreeMap<ScriptName, TrackerOrigin>,
    /// Lines of `track_bfd`.
    pub track_bfd: BTreeMap<BfdName, TrackerOrigin>,
    /// Lines of `track_interface`.
    pub track_interfaces: BTreeMap<InterfaceName, TrackerOrigin>,
    /// Lines of `track_file`.
    pub track_files: BTreeMap<FileName, TrackerOrigin>,
    /// Lines of `track_process`.
    pub track_processes: BTreeMap<ProcessName, TrackerOrigin>,
}

/// Places of a tracker.
#[derive(Clone, Copy, Debug)]
pub struct TrackerOrigin {
    /// Its name in the instance's block.
    pub name: Span,
    /// Its weight: in that line, else in the script's block.
    pub weight: Option<Span>,
}

/// Places of a `vrrp_script`.
#[derive(Clone, Debug)]
pub struct ScriptOrigin {
    /// Its name.
    pub name: Span,
    /// The command.
    pub command: Option<Span>,
    /// The command's program and arguments.
    pub argv: Vec<String>,
}
