//! The tasks that are a row of commands.

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use crate::{bench_conf, corpus, r#gen, packages, root, say, tidy};

/// Everything that CI runs.
pub(crate) fn test() -> anyhow::Result<()> {
    let began = now();
    packages::install()?;
    tidy::run()?;
    r#gen::check()?;
    cargo("format", &["fmt", "--all", "--", "--check"], &[])?;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    cargo("lints", &lints, &[])?;
    let documentation = ["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"];
    cargo("documentation", &documentation, &[("RUSTDOCFLAGS", "-D warnings")])?;
    cargo("unit tests", &["test", "--workspace", "--exclude", "standfast"], &[])?;
    sim(&["--seeds".to_owned(), "1000".to_owned()])?;
    corpus::run(&[])?;
    // Real time and real processes: one at a time, and as they are shipped.
    let whole = ["test", "--release", "-p", "standfast", "--", "--test-threads=1"];
    cargo("whole-program tests", &whole, &[])?;
    lab(&[])?;
    say(&format!("everything passed in {} s", began.elapsed().as_secs()));
    Ok(())
}

/// Simulated clusters.
pub(crate) fn sim(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let command =
        [&["run", "--release", "--quiet", "-p", "standfast-sim", "--"], &args[..]].concat();
    cargo("simulation", &command, &[])
}

/// The demo.
pub(crate) fn lab(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let command = [&["run", "--release", "--quiet", "--", "lab"], &args[..]].concat();
    cargo("lab", &command, &[])
}

/// Every failure of the first table, side by side with Debian's keepalived.
pub(crate) fn bench(args: &[String]) -> anyhow::Result<()> {
    packages::install()?;
    if let Some(("conf", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        cargo("build", &["build", "--release", "--quiet", "-p", "standfast"], &[])?;
        return bench_conf::run(rest);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let args = match args[..] {
        [] => vec!["5"],
        ["scale"] => vec!["scale", "10"],
        ["checks"] => vec!["checks", "30"],
        _ => args,
    };
    let command = [&["run", "--release", "--quiet", "--", "--lab", "bench"], &args[..]].concat();
    cargo("bench", &command, &[])
}

/// Runs cargo in the workspace's root.
pub(crate) fn cargo(step: &str, args: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let began = now();
    say(&format!("== {step}: cargo {}", args.join(" ")));
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()?;
    anyhow::ensure!(status.success(), "{step} failed");
    let took = began.elapsed();
    if took > Duration::from_secs(1) {
        say(&format!("== {step}: {} s", took.as_secs()));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long a step took, for people")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
