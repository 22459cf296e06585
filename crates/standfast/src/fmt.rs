//! `standfast fmt`.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use standfast_conf::{format, same_meaning};

use crate::{cli::CONFIGURATION, print, say};

/// With `--check`: a file is not laid out as `fmt` would.
const DIFFERS: u8 = 1;
/// A file could not be read or written.
const FAILED: u8 = 2;

/// What `fmt` is asked.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Configuration files; `-` is standard input, to standard output.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same as FILE.
    #[arg(short, long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Change nothing; list the files that would change and exit with 1 if there are any.
    #[arg(long)]
    check: bool,
}

pub(crate) fn main(fmt: &Fmt) -> anyhow::Result<u8> {
    let mut files: Vec<PathBuf> = fmt.files.iter().chain(&fmt.file).cloned().collect();
    if files.is_empty() {
        files.push(CONFIGURATION.into());
    }
    let mut code = 0;
    for file in &files {
        let done = if file.as_os_str() == "-" { stream(fmt.check) } else { one(file, fmt.check) };
        match done {
            Ok(changes) if changes && fmt.check => {
                print(&format!("{}\n", file.display()))?;
                code = code.max(DIFFERS);
            }
            Ok(_) => {}
            Err(error) => {
                say(&format!("standfast: {}: {error:#}", file.display()));
                code = FAILED;
            }
        }
    }
    Ok(code)
}

/// Standard input to standard output. Whether it changes.
fn stream(check: bool) -> anyhow::Result<bool> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text).context("cannot read")?;
    let laid_out = lay_out(&text)?;
    if !check {
        print(&laid_out).context("cannot write")?;
    }
    Ok(laid_out != text)
}

/// One file, in its place. Whether it changes.
fn one(file: &Path, check: bool) -> anyhow::Result<bool> {
    // The file itself is replaced, not a link to it.
    let path = fs::canonicalize(file).context("cannot read")?;
    anyhow::ensure!(fs::metadata(&path).context("cannot read")?.is_file(), "not a regular file");
    let text = fs::read(&path).context("cannot read")?;
    let laid_out = lay_out(&text)?;
    let changes = laid_out != text;
    if changes && !check {
        replace(&path, &laid_out).context("cannot write")?;
    }
    Ok(changes)
}

/// The text laid out anew, if it demonstrably means the same.
fn lay_out(text: &[u8]) -> anyhow::Result<Vec<u8>> {
    let laid_out = format(text);
    anyhow::ensure!(
        same_meaning(text, &laid_out),
        "left alone: its layout would change what it means, which is a bug in standfast; please report it"
    );
    Ok(laid_out)
}

/// Replaces a file in one step, with its mode, and its owner where this is allowed.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let mut write = || {
        file.write_all(text)?;
        // Only root may give files away; for others the file becomes theirs.
        let _ = fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}
