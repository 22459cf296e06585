//! Fuzzing every decoder that reads foreign bytes.

use std::{fs, process::Command};

use anyhow::Context;

use crate::{root, say};

/// Runs every target for so many seconds.
pub(crate) fn run(seconds: Option<&str>) -> anyhow::Result<()> {
    let seconds: u64 = seconds.unwrap_or("60").parse().context("seconds")?;
    let directory = root().join("fuzz");
    for entry in fs::read_dir(directory.join("fuzz_targets"))? {
        let path = entry?.path();
        let Some(target) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        say(&format!("== fuzz {target} for {seconds} s"));
        let status = Command::new("cargo")
            .args(["fuzz", "run", "--sanitizer", "none", target, "--"])
            .arg(format!("-max_total_time={seconds}"))
            .current_dir(&directory)
            .status()
            .context("cargo-fuzz is installed with `cargo install cargo-fuzz`")?;
        anyhow::ensure!(status.success(), "{target} failed");
    }
    Ok(())
}
