//! `check FILE [SCRIPT-ROOT]`: prints what is found and `keepalived -t`'s exit code.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use standfast_conf::{Disk, Options, load, render, test_exit_code};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    let disk = Disk { root: arguments.next().unwrap_or_else(|| "/".into()) };
    let loaded = load(&path, &Options::default(), &disk);
    let mut out = io::stdout().lock();
    for diagnostic in &loaded.diagnostics {
        writeln!(out, "{}\n", render(diagnostic, &loaded.sources, false))?;
    }
    let ran = if loaded.model.is_some() { "runs" } else { "refused" };
    writeln!(out, "{ran}, keepalived -t would exit {}", test_exit_code(&loaded.diagnostics))
}
