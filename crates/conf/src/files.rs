//! The world that a configuration names: other files and scripts. A trait, so that tests and
//! the planner need no disk.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

/// How much of a script is looked at, in bytes.
const SCRIPT_HEAD: u64 = 64 * 1024;

/// What is known about a script's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptFile {
    /// It is there and is a file.
    pub exists: bool,
    /// Somebody may execute it.
    pub executable: bool,
    /// It or a directory above it can be changed by others than root.
    pub writable: bool,
    /// Its first 64 KiB; empty when it cannot be read.
    pub head: Vec<u8>,
}

/// Access to the files that a configuration names.
pub trait Files {
    /// The whole file.
    ///
    /// # Errors
    /// As the disk says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The regular files that match a pattern with `*`, `?` and `[..]` and are not executable,
    /// sorted. A relative pattern starts from the directory `relative_to`.
    ///
    /// # Errors
    /// The pattern is malformed.
    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>>;

    /// What is known about a script. It is never run.
    fn script(&self, path: &Path) -> ScriptFile;

    /// The permission bits of a configuration file or of a directory above it; `None` when they
    /// are not known.
    fn mode(&self, _path: &Path) -> Option<u32> {
        None
    }
}

/// The disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Absolute paths of scripts, not of configuration files, are looked up below it.
    pub root: PathBuf,
}

impl Default for Disk {
    fn default() -> Self {
        Self { root: "/".into() }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        fs::read(path)
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        let base = glob::Pattern::escape(&relative_to.to_string_lossy());
        let pattern = Path::new(&base).join(pattern);
        let paths = glob::glob(&pattern.to_string_lossy())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        let is_text = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 == 0
            })
        };
        Ok(paths.filter_map(Result::ok).filter(is_text).collect())
    }

    fn script(&self, path: &Path) -> ScriptFile {
        let below: PathBuf =
            path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let full = self.root.join(&below);
        let Ok(metadata) = fs::metadata(&full) else { return ScriptFile::default() };
        if !metadata.is_file() {
            return ScriptFile::default();
        }
        let mut head = Vec::new();
        if let Ok(file) = fs::File::open(&full) {
            // A script that cannot be read can still be executed: nothing to look at then.
            let _ = file.take(SCRIPT_HEAD).read_to_end(&mut head);
        }
        ScriptFile {
            exists: true,
            executable: metadata.permissions().mode() & 0o111 != 0,
            writable: changeable(&self.root, &below),
            head,
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777)
    }
}

/// Whether any component below `root` is not root's or is writable by group or others.
fn changeable(root: &Path, below: &Path) -> bool {
    let mut path = root.to_path_buf();
    below.components().any(|part| {
        path.push(part);
        fs::metadata(&path).map_or(true, |metadata| {
            let shared = metadata.permissions().mode() & 0o022 != 0;
            // A sticky directory (/tmp) keeps others from replacing what lies in it, but
            // keepalived counts it as unsafe too.
            metadata.uid() != 0 || shared
        })
    })
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Configuration files by path.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Scripts by path.
    pub scripts: BTreeMap<PathBuf, ScriptFile>,
    /// Permission bits of configuration files and directories, where they are known.
    pub modes: BTreeMap<PathBuf, u32>,
}

impl Memory {
    /// Adds a configuration file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    /// Adds an executable script of root's.
    #[must_use]
    pub fn with_script(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        let file =
            ScriptFile { exists: true, executable: true, writable: false, head: text.into() };
        self.scripts.insert(path.into(), file);
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = relative_to.join(pattern);
        let pattern = glob::Pattern::new(&pattern.to_string_lossy())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        Ok(self.files.keys().filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn script(&self, path: &Path) -> ScriptFile {
        self.scripts.get(path).cloned().unwrap_or_default()
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        self.modes.get(path).copied()
    }
}
