use std::process::{Child, Command};

use standfast_kernel::clock;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A copy of `sleep` with a name that no other process has.
struct Program(std::path::PathBuf);

impl Program {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}{}", std::process::id()));
        std::fs::copy("/bin/sleep", &path).expect("a copy");
        Self(path)
    }

    fn start(&self) -> Child {
        Command::new(&self.0).arg("1000").spawn().expect("start")
    }

    fn pattern(&self) -> ProcessConfig {
        let command = self.0.file_name().and_then(|name| name.to_str()).expect("a name");
        ProcessConfig {
            name: "p".into(),
            pattern: ProcessPattern {
                command: command.to_owned(),
                command_line: false,
                parameters: None,
            },
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn end(mut child: Child) -> u32 {
    child.kill().expect("kill");
    child.wait().expect("wait");
    child.id()
}

/// The next changes, while the clock goes on by so much each time that we ask.
fn changes(processes: &mut Processes, step: Duration) -> Vec<ProcessInput> {
    let until = clock::now() + PATIENCE;
    let mut now = Instant::ZERO;
    loop {
        let changes = processes.receive(now);
        if !changes.is_empty() || clock::now() > until {
            return changes;
        }
        now = now + step;
        std::thread::yield_now();
    }
}

fn pids(changes: &[ProcessInput]) -> Vec<(u32, bool)> {
    let pid = |change: &ProcessInput| match change {
        ProcessInput::Runs(process) => (process.pid, true),
        ProcessInput::Gone { pid } => (*pid, false),
        ProcessInput::All(all) => panic!("{all:?}"),
    };
    changes.iter().map(pid).collect()
}

#[test]
fn the_end_of_a_process_and_what_takes_its_place_are_told() {
    let program = Program::new("sfa");
    let first = program.start();
    let mut processes = Processes::default();
    // Between fork and exec it is still what we are.
    while processes.matching().is_empty() {
        processes.reconfigure(Instant::ZERO, &[program.pattern()]);
    }
    assert_eq!(processes.matching().len(), 1);
    let pid = end(first);
    let told = changes(&mut processes, Duration::ZERO);
    assert_eq!(pids(&told), [(pid, false)], "without looking");
    let second = program.start();
    assert_eq!(pids(&changes(&mut processes, SCAN)), [(second.id(), true)]);
    end(second);
}

#[test]
fn one_that_nobody_has_waited_for_has_ended_all_the_same() {
    let program = Program::new("sfb");
    let mut child = program.start();
    let mut processes = Processes::default();
    while processes.matching().is_empty() {
        processes.reconfigure(Instant::ZERO, &[program.pattern()]);
    }
    child.kill().expect("kill");
    assert_eq!(pids(&changes(&mut processes, Duration::ZERO)), [(child.id(), false)]);
    processes.reconfigure(Instant::ZERO, &[program.pattern()]);
    assert_eq!(processes.matching(), []);
    child.wait().expect("wait");
}

#[test]
fn nothing_is_looked_for_when_nothing_is_followed() {
    let program = Program::new("sfc");
    let mut processes = Processes::default();
    processes.reconfigure(Instant::ZERO, &[program.pattern()]);
    assert!(processes.fd().is_some());
    assert_eq!(processes.reconfigure(Instant::ZERO, &[]), None);
    assert!(processes.fd().is_none());
    assert_eq!(processes.next_deadline(), None);
}
