//! The command line: which personality, which command, and the exit code. A library, so that
//! `cargo xtask gen` makes manual pages and completions of what the program itself parses.

mod check;
mod cli;
mod config;
mod digest;
mod fmt;
mod genhash;
mod host;
mod keepalived;
mod lsp;
mod operate;

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use standfast_daemon::{POOL_ARGUMENT, PULSE_ARGUMENT};

pub use cli::command;
pub use keepalived::{INACTIVE, Inactive, Takes, USAGE};

/// The whole program: reads the arguments of the process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let name = env::args_os()
        .next()
        .and_then(|path| {
            Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_default();
    let result = match env::args().nth(1).as_deref() {
        Some(PULSE_ARGUMENT) => standfast_daemon::run_pulse(&name),
        Some(POOL_ARGUMENT) => standfast_daemon::run_pool(&name),
        Some(word) if word == standfast_lab::HELPER_ARGUMENT => {
            standfast_lab::help(env::args_os().skip(2))
        }
        _ if name == keepalived::NAME => keepalived::main(),
        _ if name == genhash::NAME => genhash::main(lexopt::Parser::from_env()),
        _ => cli::main(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("{name}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Talk goes to standard error; that nobody listens is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Data goes to standard output. A reader that has seen enough is no error.
fn print(text: &(impl AsRef<[u8]> + ?Sized)) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
