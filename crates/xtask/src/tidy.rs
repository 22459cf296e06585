//! The house's own rules, which no lint knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{root, say};

/// From the ground up: a crate may use only those before it.
const LAYERS: [&str; 15] = [
    "types",
    "wire",
    "vrrp",
    "bfd",
    "failover",
    "health",
    "balance",
    "conf",
    "lsp",
    "sim",
    "kernel",
    "daemon",
    "lab",
    "standfast",
    "xtask",
];
/// Never uses these, though they come before it: engines know neither configuration nor kernel, and the
/// kernel decides nothing.
const STRANGERS: [(&str, &[&str]); 2] = [
    ("sim", &["conf"]),
    ("kernel", &["vrrp", "bfd", "failover", "health", "balance", "conf", "sim"]),
];
const LINES: usize = 800;
/// For comments; code is held to 100 by rustfmt.
const COLUMNS: usize = 120;
/// The only room in which the word may stand in code.
const UNSAFE_ROOM: &str = "crates/kernel";

/// Checks every rule; all violations at once.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut complaints = Vec::new();
    for crate_name in LAYERS {
        layers(crate_name, &mut complaints)?;
    }
    let mut files = Vec::new();
    collect(&root().join("crates"), &mut files)?;
    for file in &files {
        source(file, &mut complaints)?;
    }
    for complaint in &complaints {
        say(complaint);
    }
    anyhow::ensure!(complaints.is_empty(), "{} rules broken", complaints.len());
    Ok(())
}

fn layers(name: &str, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml"))?;
    let own = LAYERS.iter().position(|layer| *layer == name).unwrap_or(0);
    for (rank, other) in LAYERS.iter().enumerate() {
        let uses = manifest.contains(&format!("standfast-{other}."));
        let stranger = STRANGERS.iter().any(|(who, whom)| *who == name && whom.contains(other));
        if uses && (rank >= own || stranger) {
            complaints.push(format!("crates/{name}/Cargo.toml: must not depend on {other}"));
        }
    }
    Ok(())
}

fn source(path: &Path, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let length = text.lines().count();
    if length > LINES {
        complaints.push(format!("{shown}: {length} lines; at most {LINES}"));
    }
    // This file names what it looks for.
    if shown.ends_with("tidy.rs") {
        return Ok(());
    }
    for (number, line) in (1..).zip(text.lines()) {
        let mut complain = |what: &str| complaints.push(format!("{shown}:{number}: {what}"));
        // Tables of text are easier to read in long lines.
        if line.chars().count() > COLUMNS && !line.contains('"') {
            complain("line too long");
        }
        if line.contains("unsafe {") && !shown.starts_with(UNSAFE_ROOM) {
            complain("unsafe code belongs in crates/kernel");
        }
        if ["todo!(", "unimplemented!(", "dbg!("].iter().any(|word| line.contains(word)) {
            complain("unfinished");
        }
        if line.contains("thread::sleep(") {
            complain("sleeps; wait for an event, or use virtual time");
        }
    }
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
