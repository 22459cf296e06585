//! Fuzzing every decoder that reads foreign bytes.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::Context;
use standfast_conf::table;

use crate::{root, say};

/// Longest input of the fuzzer's own making, in bytes.
const LENGTH_MAX: u32 = 2048;
/// Seconds that one input may take.
const INPUT_SECONDS: u32 = 10;

/// Runs every target, or the one that is named, for so many seconds (60).
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let directory = root().join("fuzz");
    let mut targets = targets(&directory)?;
    let mut seconds = 60_u64;
    for argument in arguments {
        match argument.parse() {
            Ok(number) => seconds = number,
            Err(_) => {
                targets.retain(|target| target == argument);
                anyhow::ensure!(!targets.is_empty(), "there is no fuzz target {argument}");
            }
        }
    }
    for target in targets {
        say(&format!("== fuzz {target} for {seconds} s"));
        let seeds = directory.join("seeds").join(&target);
        let corpus = directory.join("corpus").join(&target);
        fs::create_dir_all(&corpus)?;
        let mut fuzz = Command::new("cargo");
        fuzz.args(["fuzz", "run", "--sanitizer", "none", &target]).arg(corpus);
        if seeds.is_dir() {
            fuzz.arg(seeds);
        }
        fuzz.args(["--", &format!("-max_total_time={seconds}"), "-print_final_stats=1"])
            .arg(format!("-max_len={LENGTH_MAX}"))
            .arg(format!("-timeout={INPUT_SECONDS}"));
        if target == "conf" {
            fuzz.arg(format!("-dict={}", dictionary(&directory)?));
        }
        let status = fuzz
            .current_dir(&directory)
            .status()
            .context("cargo-fuzz is installed with `cargo install cargo-fuzz`")?;
        anyhow::ensure!(status.success(), "{target} failed");
    }
    Ok(())
}

fn targets(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(directory.join("fuzz_targets"))? {
        let path = entry?.path();
        targets.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

/// Writes the words of the configuration language for the fuzzer, and says where.
fn dictionary(directory: &Path) -> anyhow::Result<String> {
    let directives =
        ["include", "includea", "~SEQ(", "~LST(", "${_ENV ", "${_RANDOM ", "$A=", "@^a "];
    let keywords = table::blocks().flat_map(|block| block.keywords.iter().chain(&block.options));
    let words: BTreeSet<&str> = keywords.map(|keyword| keyword.name).chain(directives).collect();
    let lines: Vec<String> = words.iter().map(|word| format!("\"{word}\"\n")).collect();
    let path = directory.join("corpus").join("conf.dict");
    fs::write(&path, lines.concat())?;
    Ok(path.display().to_string())
}
