//! An example of a page: files, and the machine that they are checked on.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io,
    path::{Path, PathBuf},
};

use crate::{
    Diagnostic, Files, Host, HostInterface, Loaded, Options, ScriptFile, cross_node, load,
};

/// Where the main file of an example without nodes lies.
const MAIN: &str = "/etc/keepalived/keepalived.conf";

/// Files that belong together.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// The main files by path, one for each node.
    pub(super) nodes: Vec<PathBuf>,
    /// All files.
    pub(super) shelf: Shelf,
    /// The machine that they are checked on.
    pub(super) machine: Option<Machine>,
    /// The fences as they are written.
    pub(super) shown: String,
}

/// A machine, and whether the files are said to be for it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) host: Host,
    pub(super) on_this_host: bool,
}

/// What an example came to.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Each node's own.
    pub nodes: Vec<Loaded>,
    /// Those that need several files, with the node they are about.
    pub between: Vec<(usize, Diagnostic)>,
}

impl Findings {
    /// All diagnostics, each with its node.
    pub fn all(&self) -> impl Iterator<Item = (&Loaded, &Diagnostic)> {
        let own =
            self.nodes.iter().flat_map(|node| node.diagnostics.iter().map(move |d| (node, d)));
        own.chain(self.between.iter().filter_map(|(at, d)| Some((self.nodes.get(*at)?, d))))
    }
}

impl Example {
    pub(super) fn has_node(&self, node: &str) -> bool {
        self.nodes.contains(&main_path(Some(node)))
    }

    /// Adds the main file, or that of one node.
    pub(super) fn add_main(
        &mut self,
        node: Option<&str>,
        mode: Option<u32>,
        bytes: Vec<u8>,
        shown: &str,
    ) {
        let path = main_path(node);
        let gap = if self.shown.is_empty() { "" } else { "\n" };
        let name = path.display();
        let _ = match (node, mode) {
            (_, Some(mode)) => write!(self.shown, "{gap}`{name}`, mode {mode:o}:\n\n"),
            (Some(_), None) => write!(self.shown, "{gap}`{name}`:\n\n"),
            (None, None) => Ok(()),
        };
        self.shown.push_str(shown);
        self.nodes.push(path.clone());
        self.shelf.0.insert(path, (mode.unwrap_or(0o640), bytes));
    }

    pub(super) fn add_file(&mut self, path: &str, mode: u32, bytes: Vec<u8>, shown: &str) {
        self.shelf.0.insert(path.into(), (mode, bytes));
        let _ = write!(self.shown, "\n`{path}`, mode {mode:o}:\n\n{shown}");
    }

    pub(super) fn set_machine(&mut self, machine: Machine, shown: &str) {
        self.machine = Some(machine);
        let _ = write!(self.shown, "\nOn a machine with these interfaces:\n\n{shown}");
    }

    /// What a reader would type.
    pub(super) fn command(&self) -> &'static str {
        match &self.machine {
            Some(machine) if machine.on_this_host => "standfast check --on-this-host",
            Some(_) | None => "standfast check",
        }
    }

    /// Loads its files.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let options = Options {
            config_id: "node-a".to_owned(),
            host: self.machine.as_ref().map(|machine| machine.host.clone()),
            on_this_host: self.machine.as_ref().is_some_and(|machine| machine.on_this_host),
            ..Options::default()
        };
        let nodes: Vec<_> =
            self.nodes.iter().map(|path| load(path, &options, &self.shelf)).collect();
        let between = if nodes.len() > 1 { cross_node(&nodes) } else { Vec::new() };
        Findings { nodes, between }
    }
}

fn main_path(node: Option<&str>) -> PathBuf {
    node.map_or(MAIN.into(), |node| format!("{node}/keepalived.conf").into())
}

impl Machine {
    /// Reads an interface a line: `eth0 up multicast 192.0.2.1/24`.
    pub(super) fn parse(text: &str, on_this_host: bool) -> Result<Self, String> {
        let interfaces = text.lines().map(interface).collect::<Result<_, _>>()?;
        Ok(Self {
            host: Host {
                interfaces,
                has_user: |name| name == "root",
                has_group: |name| name == "root",
            },
            on_this_host,
        })
    }
}

fn interface(line: &str) -> Result<HostInterface, String> {
    let mut words = line.split_whitespace();
    let mut interface = HostInterface {
        name: words.next().unwrap_or_default().to_owned(),
        up: false,
        multicast: false,
        loopback: false,
        addresses: Vec::new(),
    };
    for word in words {
        match word {
            "up" => interface.up = true,
            "multicast" => interface.multicast = true,
            "loopback" => interface.loopback = true,
            address => {
                let address = address.parse().map_err(|_| format!("`{word}` of an interface"))?;
                interface.addresses.push(address);
            }
        }
    }
    Ok(interface)
}

/// Files with their modes.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(pub(super) BTreeMap<PathBuf, (u32, Vec<u8>)>);

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.0.get(path) {
            Some((mode, _)) if mode & 0o444 == 0 => Err(io::ErrorKind::PermissionDenied.into()),
            Some((_, bytes)) => Ok(bytes.clone()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = relative_to.join(pattern);
        let pattern = glob::Pattern::new(&pattern.to_string_lossy())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        let text = self.0.iter().filter(|(_, (mode, _))| mode & 0o111 == 0).map(|(path, _)| path);
        Ok(text.filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn script(&self, path: &Path) -> ScriptFile {
        self.0.get(path).map_or_else(ScriptFile::default, |(mode, bytes)| ScriptFile {
            exists: true,
            executable: mode & 0o111 != 0,
            writable: mode & 0o022 != 0,
            head: bytes.clone(),
        })
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        self.0.get(path).map(|(mode, _)| *mode)
    }
}
