//! Clusters of real processes in network namespaces: demo, tests, benchmarks.
//!
//! The lab touches nothing outside: it runs itself once more in a sandbox (see
//! [`isolation`]) in which every interface, mount and process is its own, and all of that
//! ends with it.

mod bench;
mod demo;
pub mod error;
pub mod isolation;
pub mod node;
pub mod probe;
mod scale;
mod scenario;
mod service;
pub mod stage;
mod timeline;
pub mod topology;
pub mod web;

use std::{env, ffi::OsString, path::Path, time::Duration};

use anyhow::Context;

pub use error::LabError;
use isolation::{Side, isolate};

/// The hidden argument of the lab's helper processes.
pub const HELPER_ARGUMENT: &str = "--lab";

/// Runs the demo, or a scenario's node files, in a sandbox. 0 only when every bound was kept.
///
/// # Errors
/// This machine does not allow namespaces; the text says what it needs.
pub fn main(scenario: Option<&Path>, json: bool) -> anyhow::Result<u8> {
    in_sandbox(|program| match scenario {
        None => demo::run(program, json),
        Some(directory) => scenario::run(program, directory, json),
    })
}

/// Does something in a sandbox. The exit code.
fn in_sandbox(work: impl FnOnce(&Path) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    match isolate().context("the lab can't start")? {
        Side::Ended(code) => Ok(u8::try_from(code).unwrap_or(1)),
        Side::Inside => work(&env::current_exe()?),
    }
}

/// Runs a helper process, or the benchmark: a web server, a check for it, or the client that watches.
///
/// # Errors
/// The arguments make no sense, or the network does not work.
pub fn help(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<u8> {
    let words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", address, page] => service::serve(address.parse()?, page),
        ["fetch", address] => service::fetch(address.parse()?),
        ["probe", address, micros] => {
            probe::probe(address.parse()?, Duration::from_micros(micros.parse()?))
        }
        ["burn"] => scale::burn(),
        ["scribble", directory] => scale::scribble(Path::new(directory)),
        ["bench", "scale", minutes, ref only @ ..] => {
            let minutes = minutes.parse()?;
            let only = only.join(" ");
            in_sandbox(|program| scale::run(program, minutes, &only))
        }
        ["bench", "checks", seconds] => {
            let seconds = seconds.parse()?;
            in_sandbox(|program| scale::checks::run(program, seconds))
        }
        ["bench", rounds, ref only @ ..] => {
            let rounds = rounds.parse()?;
            let only = only.join(" ");
            in_sandbox(|program| bench::run(program, rounds, &only))
        }
        _ => anyhow::bail!("the lab's helpers are not for people: see `standfast lab`"),
    }
}
