//! Files as the user sees them: open buffers before the disk.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use standfast_conf::{Disk, Files, ScriptFile};

use crate::{document::Document, uri};

/// Open documents by path.
pub(crate) type Documents = BTreeMap<PathBuf, Document>;

/// What is open, and below it the disk. Patterns find files of the disk only.
pub(crate) struct Overlay<'a> {
    pub(crate) documents: &'a Documents,
    pub(crate) disk: &'a Disk,
}

impl Files for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.documents.get(&uri::normal(path)) {
            Some(document) => Ok(document.text.as_str().as_bytes().to_vec()),
            None => self.disk.read(path),
        }
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.glob(pattern, relative_to)
    }

    fn script(&self, path: &Path) -> ScriptFile {
        self.disk.script(path)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        self.disk.mode(path)
    }
}
