//! Who plays: the nodes that a folder's files describe, their scripts, and a network that suits them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use standfast_conf::{Disk, Files, Loaded, Options, ScriptFile, load};
use standfast_failover::{Config, InstanceConfig};
use standfast_types::Prefix;
use standfast_vrrp::{Preempt, Transport, Version};

use crate::{
    stage::CLIENT,
    topology::{InterfacePlan, NodePlan, Plan},
};

const SWITCH: &str = "switch";
/// Where nodes keep their configuration and their scripts.
const PLACE: &str = "/etc/keepalived";
/// Of addresses that are written without a prefix length.
const LENGTH: u8 = 24;

/// The nodes and scripts of a folder.
pub(super) struct Cast {
    pub(super) nodes: Vec<Role>,
    /// Where each script goes on every node, and its text.
    pub(super) scripts: BTreeMap<PathBuf, Vec<u8>>,
}

/// One node's file.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) loaded: Loaded,
}

/// A node's part in one virtual address.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) node: String,
    priority: u16,
    source: Option<Ipv4Addr>,
    instance: InstanceConfig,
}

impl Cast {
    /// Reads every `keepalived*.conf` at or one level below a folder, and the scripts there.
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut scripts = BTreeMap::new();
        look(directory, None, &mut files, &mut scripts)?;
        for entry in sorted(directory)? {
            if entry.is_dir() {
                look(&entry, Some(&entry), &mut files, &mut scripts)?;
            }
        }
        anyhow::ensure!(!files.is_empty(), "no keepalived*.conf in {}", directory.display());
        let world = World { scripts: &scripts, disk: Disk::default() };
        let nodes = files.into_iter().map(|(name, path)| {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            let options = Options { config_id: name.clone(), ..Options::default() };
            let loaded = load(&path, &options, &world);
            Ok(Role { name, text, loaded })
        });
        let nodes = nodes.collect::<io::Result<_>>()?;
        Ok(Self { nodes, scripts })
    }

    /// Every virtual address, in order.
    pub(super) fn addresses(&self) -> Vec<Ipv4Addr> {
        let instances = self.nodes.iter().flat_map(Role::instances);
        let addresses: BTreeSet<_> = instances.flat_map(virtual_addresses).collect();
        addresses.into_iter().collect()
    }

    /// Who may hold an address, the first choice first.
    pub(super) fn members(&self, address: Ipv4Addr) -> Vec<Member> {
        let mut members = Vec::new();
        for node in &self.nodes {
            let mut instances = node.instances();
            let Some(instance) =
                instances.find(|instance| virtual_addresses(instance).any(|held| held == address))
            else {
                continue;
            };
            members.push(Member {
                node: node.name.clone(),
                priority: healthy(instance),
                source: self.own_address(node, instance).map(|(own, _)| own),
                instance: instance.clone(),
            });
        }
        members.sort_by_key(|member| std::cmp::Reverse((member.priority, member.source)));
        members
    }

    /// Machines with the interfaces that the files name, all on one switch, and a client.
    pub(super) fn plan(&self, program: &Path) -> Plan {
        let mut nodes = Vec::new();
        let mut networks = BTreeMap::new();
        for node in &self.nodes {
            let mut interfaces: BTreeMap<String, Vec<Prefix>> = BTreeMap::new();
            for instance in node.instances() {
                for name in named(instance) {
                    interfaces.entry(name).or_default();
                }
                let Some((own, length)) = self.own_address(node, instance) else { continue };
                let Ok(prefix) = Prefix::new(IpAddr::V4(own), length) else { continue };
                networks.insert(u32::from(own) & mask(length), length);
                let own = Some(&instance.interface).filter(|name| !name.is_any());
                let Some(name) = own.or(instance.addresses.first().map(|held| &held.interface))
                else {
                    continue;
                };
                let addresses = interfaces.entry(name.to_string()).or_default();
                if !addresses.contains(&prefix) {
                    addresses.push(prefix);
                }
            }
            let interfaces = interfaces.into_iter().map(|(name, addresses)| InterfacePlan {
                name,
                switch: SWITCH.to_owned(),
                addresses,
            });
            nodes.push(NodePlan { name: node.name.clone(), interfaces: interfaces.collect() });
        }
        let used = self.used();
        let free = |(network, length): (u32, u8)| {
            let hosts = (1..=253).rev().map(|host| Ipv4Addr::from(network | host));
            let address = hosts.into_iter().find(|address| !used.contains(address))?;
            Prefix::new(IpAddr::V4(address), length).ok()
        };
        let addresses = networks.into_iter().filter_map(free).collect();
        let interface =
            InterfacePlan { name: "eth0".to_owned(), switch: SWITCH.to_owned(), addresses };
        nodes.push(NodePlan { name: CLIENT.to_owned(), interfaces: vec![interface] });
        Plan { nodes, programs: vec![program.to_owned()] }
    }

    /// A node's own address beside an instance's: what the file says, else one in the same network:
    /// `.131` for `node-131`, and `.2`, `.3` .. for others.
    fn own_address(&self, node: &Role, instance: &InstanceConfig) -> Option<(Ipv4Addr, u8)> {
        let first = instance.addresses.first()?;
        let IpAddr::V4(virtual_address) = first.prefix.address() else { return None };
        let length = match first.prefix.length() {
            32 => LENGTH,
            length => length,
        };
        if let Some(source) = instance.source.and_then(v4) {
            return Some((source, length));
        }
        let network = u32::from(virtual_address) & mask(length);
        let digits = node.name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number = node.name.get(digits..).and_then(|number| number.parse::<u32>().ok());
        let position = self.nodes.iter().position(|other| other.name == node.name).unwrap_or(0);
        let used = self.used();
        let number = number.filter(|number| (1..=254).contains(number));
        let free = |number: &u32| !used.contains(&Ipv4Addr::from(network | *number));
        let host = number.filter(free).or_else(|| (2..=254).filter(free).nth(position))?;
        Some((Ipv4Addr::from(network | host), length))
    }

    /// Every address that a file names.
    fn used(&self) -> BTreeSet<Ipv4Addr> {
        let instances = self.nodes.iter().flat_map(Role::instances);
        instances
            .flat_map(|instance| {
                let peers = match &instance.router.transport {
                    Transport::Multicast { .. } => Vec::new(),
                    Transport::Unicast { peers, .. } => peers.iter().map(|p| p.address).collect(),
                };
                let others = instance.source.into_iter().chain(peers).filter_map(v4);
                virtual_addresses(instance).chain(others)
            })
            .collect()
    }
}

impl Role {
    fn instances(&self) -> impl Iterator<Item = &InstanceConfig> {
        let config: Option<&Config> = self.loaded.model.as_ref().map(|model| &model.failover);
        config.into_iter().flat_map(|config| &config.instances)
    }

    /// In a line: `VI_1 holds 10.0.0.1 on eth0, priority 100`.
    pub(super) fn summary(&self) -> String {
        let instances = self.instances().map(|instance| {
            let addresses: Vec<_> = virtual_addresses(instance).map(|a| a.to_string()).collect();
            let (name, interface) = (&instance.name, &instance.interface);
            let priority = healthy(instance);
            format!("{name} for {} on {interface}, priority {priority}", addresses.join(", "))
        });
        instances.collect::<Vec<_>>().join("; ")
    }
}

impl Member {
    /// How long it waits for a master that is silent.
    pub(super) fn hold(&self) -> Duration {
        let router = &self.instance.router;
        let interval = router.advert_interval.duration();
        let unit = match router.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => interval,
        };
        let skew = unit * u32::from(256_u16.saturating_sub(self.priority)) / 256;
        interval * u32::from(router.down_timer_adverts) + skew
    }

    /// As [`Self::hold`], and what it waits before it preempts.
    pub(super) fn patience(&self) -> Duration {
        let delay = match self.instance.router.preempt {
            Preempt::After(delay) => delay,
            Preempt::Always | Preempt::Never => Duration::ZERO,
        };
        self.hold() + delay
    }

    pub(super) fn preempts(&self) -> bool {
        self.instance.router.preempt != Preempt::Never
    }
}

/// Scripts are those of the folder, wherever the files say they lie; nothing of this machine's is
/// looked up there.
struct World<'a> {
    scripts: &'a BTreeMap<PathBuf, Vec<u8>>,
    disk: Disk,
}

impl Files for World<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.glob(pattern, relative_to)
    }

    fn script(&self, path: &Path) -> ScriptFile {
        match self.scripts.get(path) {
            Some(text) => {
                ScriptFile { exists: true, executable: true, writable: false, head: text.clone() }
            }
            None if path.starts_with(PLACE) => ScriptFile::default(),
            None => self.disk.script(path),
        }
    }
}

fn look(
    directory: &Path,
    node: Option<&Path>,
    files: &mut Vec<(String, PathBuf)>,
    scripts: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> io::Result<()> {
    let name = |path: Option<&OsStr>| path.unwrap_or_default().to_string_lossy().into_owned();
    for path in sorted(directory)?.into_iter().filter(|path| path.is_file()) {
        let file = name(path.file_name());
        if file.starts_with("keepalived") && file.ends_with(".conf") {
            let stem = name(path.file_stem());
            let folder = node.map(|node| name(node.file_name()));
            let node = match folder {
                Some(folder) if stem == "keepalived" => folder,
                Some(folder) => format!("{folder}-{stem}"),
                None => stem,
            };
            files.push((node, path));
        } else {
            let text = fs::read(&path)?;
            if text.starts_with(b"#!") {
                scripts.insert(Path::new(PLACE).join(file), text);
            }
        }
    }
    Ok(())
}

fn sorted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn virtual_addresses(instance: &InstanceConfig) -> impl Iterator<Item = Ipv4Addr> {
    instance.addresses.iter().filter_map(|address| v4(address.prefix.address()))
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The interfaces that an instance needs.
fn named(instance: &InstanceConfig) -> BTreeSet<String> {
    let addresses = instance.addresses.iter().map(|address| &address.interface);
    let tracked = instance.trackers.interfaces.iter().map(|tracked| &tracked.interface);
    let all = std::iter::once(&instance.interface).chain(addresses).chain(tracked);
    all.filter(|name| !name.is_any()).map(ToString::to_string).collect()
}

/// The priority when every script succeeds.
fn healthy(instance: &InstanceConfig) -> u16 {
    let base = i32::from(instance.router.priority.get());
    let gains = instance.trackers.scripts.iter().filter(|script| !script.weight.reverse);
    let gain: i32 = gains.map(|script| i32::from(script.weight.value).max(0)).sum();
    let priority = if base == 255 { base } else { (base + gain).clamp(1, 254) };
    u16::try_from(priority).unwrap_or(254)
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(length))).unwrap_or(0)
}
