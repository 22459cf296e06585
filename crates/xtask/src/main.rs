//! The developer's tasks: `cargo xtask TASK`.

mod bench_conf;
mod corpus;
mod fuzz;
mod r#gen;
mod packages;
mod steps;
mod tidy;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "\
cargo xtask TASK

  test          everything that CI runs: format, lints, docs, tidy, tests, the lab
  bench [N [EVENT]]  N rounds (5) of every failure, or of EVENT, beside Debian's keepalived
  bench conf [N]  reading large configurations, N times (5), beside Debian's keepalived
  bench checks [SECONDS]  checks of thousands of servers, each for 30 s, beside HAProxy
  bench scale [MINUTES [WORK]]  thousands of instances and addresses, also under load: watched for
                MINUTES (10) where that matters, beside Debian's keepalived
  lab [ARGS]    the demo
  corpus [DIR]  the checker over a folder of real files, beside keepalived's verdicts;
                --details lists where the two differ
  fuzz [TARGET] [SECS]  every decoder, or one, for SECS seconds (60); needs cargo-fuzz
  gen [--check] write what is generated in docs; --check: say what is stale
  sim --seeds N [--from S] [--hours H]  N simulated clusters, or fewer when H hours are reached
  sim --seed S  one of them, with all that happens
  tidy          the house's own rules: layers, sizes, words
";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match task.as_str() {
        "test" => steps::test(),
        "bench" => steps::bench(&rest),
        "lab" => steps::lab(&rest),
        "corpus" => corpus::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "gen" => r#gen::run(&rest),
        "sim" => steps::sim(&rest),
        "tidy" => tidy::run(),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask {task}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line for whoever started the task; a closed pipe is their affair.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}

/// The workspace's root.
fn root() -> PathBuf {
    let crate_directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crate_directory.ancestors().nth(2).map(PathBuf::from).unwrap_or(crate_directory)
}
