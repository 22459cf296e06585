//! `cargo xtask sim`: plays seeds on every core, and shows the first that breaks a rule.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use standfast_sim::{Outcome, play};

const USAGE: &str = "\
cargo xtask sim --seeds N [--from S] [--hours H] [--threads T]
    plays N seeds, beginning with S (0), or fewer when H hours of cluster time are reached
cargo xtask sim --seed S
    plays one seed and writes all that happens
";
/// Lines of a failing seed that are shown.
const TAIL: usize = 60;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let option = |name: &str| {
        let value = args.iter().skip_while(|arg| *arg != name).nth(1);
        value.map(|value| value.parse::<u64>())
    };
    match (option("--seed"), option("--seeds")) {
        (Some(Ok(seed)), None) => replay(seed, usize::MAX),
        (None, Some(Ok(seeds))) => {
            let number = |name, default| option(name).and_then(Result::ok).unwrap_or(default);
            let threads = thread::available_parallelism().map_or(1, usize::from);
            let threads = number("--threads", u64::try_from(threads).unwrap_or(1));
            let from = number("--from", 0);
            let sum = Sum::new(from, from.saturating_add(seeds), number("--hours", u64::MAX));
            sum.play_all(threads)
        }
        _ => {
            say(USAGE);
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}

fn replay(seed: u64, lines: usize) -> ExitCode {
    let outcome = play(seed, true);
    let skip = outcome.trace.len().saturating_sub(lines);
    say("  seconds       on  what");
    for entry in outcome.trace.iter().skip(skip) {
        say(&entry.to_string());
    }
    match outcome.violation {
        None => {
            say(&format!("seed {seed}: {:.1?}, no rule broken", outcome.simulated));
            ExitCode::SUCCESS
        }
        Some(violation) => {
            let at = Duration::from_nanos(violation.at.as_nanos());
            say(&format!(
                "seed {seed}: at {at:?} machine {}: {}",
                violation.machine, violation.text
            ));
            ExitCode::FAILURE
        }
    }
}

/// What all threads play together.
struct Sum {
    next: AtomicU64,
    end: u64,
    hours: u64,
    played: AtomicU64,
    milliseconds: AtomicU64,
    happenings: AtomicU64,
    faults: AtomicU64,
    stop: AtomicBool,
    broken: Mutex<Vec<u64>>,
}

impl Sum {
    const fn new(from: u64, end: u64, hours: u64) -> Self {
        Self {
            next: AtomicU64::new(from),
            end,
            hours,
            played: AtomicU64::new(0),
            milliseconds: AtomicU64::new(0),
            happenings: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            broken: Mutex::new(Vec::new()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "how fast it went, for people")]
    fn play_all(&self, threads: u64) -> ExitCode {
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| self.play_some());
            }
        });
        self.report(began.elapsed());
        let broken = self.broken.lock().map(|broken| broken.clone()).unwrap_or_default();
        match broken.iter().min() {
            None => ExitCode::SUCCESS,
            Some(&seed) => {
                say(&format!("seeds that break a rule: {broken:?}"));
                replay(seed, TAIL)
            }
        }
    }

    fn play_some(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end || self.hours() >= self.hours {
                return;
            }
            self.add(seed, &play(seed, false));
        }
    }

    fn add(&self, seed: u64, outcome: &Outcome) {
        let milliseconds = u64::try_from(outcome.simulated.as_millis()).unwrap_or(0);
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
        self.happenings.fetch_add(outcome.happenings, Ordering::Relaxed);
        self.faults.fetch_add(outcome.faults, Ordering::Relaxed);
        self.played.fetch_add(1, Ordering::Relaxed);
        if outcome.violation.is_some() {
            self.stop.store(true, Ordering::Relaxed);
            if let Ok(mut broken) = self.broken.lock() {
                broken.push(seed);
            }
        }
    }

    fn hours(&self) -> u64 {
        self.milliseconds.load(Ordering::Relaxed) / 3_600_000
    }

    fn report(&self, took: Duration) {
        let played = self.played.load(Ordering::Relaxed);
        let happenings = self.happenings.load(Ordering::Relaxed);
        let rate = |count: u64| u128::from(count) * 1000 / took.as_millis().max(1);
        say(&format!(
            "{played} seeds in {took:.1?}: {} seeds/s, {} cluster-hours, {} faults, {happenings} happenings ({}/s)",
            rate(played),
            self.hours(),
            self.faults.load(Ordering::Relaxed),
            rate(happenings),
        ));
    }
}
