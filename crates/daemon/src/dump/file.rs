//! Where dumps go: `$TMPDIR` or `/tmp`, readable by their owner only, replaced in one step.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// How the files are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// `state_dump_file`, `stats_dump_file` or `json_dump_file`.
    pub(crate) pattern: Option<String>,
    /// With `data_use_instance`: what tells several daemons apart, as in pid files.
    pub(crate) suffix: String,
}

impl Names {
    /// `/tmp/keepalived.data`; of another process, `/tmp/keepalived_parent.data`.
    pub(crate) fn path(&self, process: &str, extension: &str) -> PathBuf {
        let Self { pattern, suffix } = self;
        let (directory, stem, extension) = match pattern.as_ref().map(Path::new) {
            None => (temporary(), "keepalived".into(), extension.to_owned()),
            Some(path) => {
                let part = |part: Option<&std::ffi::OsStr>| {
                    part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
                };
                let own = part(path.extension());
                let directory = path.parent().map_or_else(temporary, Path::to_owned);
                (directory, part(path.file_stem()), own)
            }
        };
        let dot = if extension.is_empty() { "" } else { "." };
        directory.join(format!("{stem}{process}{suffix}{dot}{extension}"))
    }
}

fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

/// Replaces a file.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    // Never through somebody else's link in a directory that all may write to.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_keepaliveds_names_and_an_instances_own() {
        let mut names = Names::default();
        assert_eq!(names.path("", "json"), temporary().join("keepalived.json"));
        assert_eq!(names.path("_parent", "data"), temporary().join("keepalived_parent.data"));
        names.suffix = ".one".to_owned();
        assert_eq!(names.path("", "stats"), temporary().join("keepalived.one.stats"));
        names.pattern = Some("/run/dumps/state.txt".to_owned());
        assert_eq!(names.path("_parent", "data"), Path::new("/run/dumps/state_parent.one.txt"));
        names.pattern = Some("/run/state".to_owned());
        assert_eq!(names.path("", "data"), Path::new("/run/state.one"));
    }
}
