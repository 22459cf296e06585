use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn pattern(line: &str, comparison: Option<Comparison>) -> ProcessPattern {
    let mut words = line.split(' ').map(str::to_owned);
    let command = words.next().expect("a word");
    let parameters = comparison.map(|comparison| Parameters { words: words.collect(), comparison });
    let command_line = command.contains('/') || parameters.is_some();
    ProcessPattern { command, command_line, parameters }
}

fn process(pid: u32, line: &str) -> Process {
    let command: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let base = line.split(' ').next().and_then(|word| word.rsplit('/').next()).expect("a word");
    let name = base.as_bytes().iter().copied().take(NAME_MAX).collect();
    Process { pid, name, command }
}

fn config(line: &str) -> ProcessConfig {
    ProcessConfig {
        name: "p".into(),
        pattern: pattern(line, None),
        quorum: 1,
        quorum_max: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
    }
}

struct Machine {
    processes: Processes,
    now: Instant,
    counts: Vec<(bool, u32)>,
}

impl Machine {
    fn new(config: ProcessConfig) -> Self {
        let mut machine = Self {
            processes: Processes::new(vec![config]),
            now: Instant::ZERO,
            counts: Vec::new(),
        };
        assert_eq!(machine.up(), None, "nothing is known yet");
        machine.tell(ProcessInput::All(vec![process(1, "init"), process(10, "nginx -g x")]));
        machine
    }

    fn up(&self) -> Option<bool> {
        self.processes.up(&"p".into())
    }

    fn tell(&mut self, input: ProcessInput) -> Option<bool> {
        let mut out = VecDeque::new();
        let changed = self.processes.handle_input(self.now, &input, &mut out);
        assert_eq!(changed, !out.is_empty());
        self.note(out);
        self.up()
    }

    fn wait(&mut self, wait: Duration) -> Option<bool> {
        let end = self.now + wait;
        while let Some(at) = self.processes.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            let mut out = VecDeque::new();
            assert!(self.processes.handle_timeout(at, &mut out), "only what is due wakes it");
            self.note(out);
        }
        self.now = end;
        self.up()
    }

    fn note(&mut self, out: VecDeque<Output>) {
        for output in out {
            let Output::Emit(Event::Process { up, count, .. }) = output else {
                panic!("{output:?}")
            };
            self.counts.push((up, count));
        }
    }
}

#[test]
fn a_process_is_followed_from_its_first_breath_to_its_end() {
    let mut machine = Machine::new(config("nginx"));
    assert_eq!(machine.up(), Some(true));
    assert_eq!(machine.tell(ProcessInput::Runs(process(11, "nginx -g x"))), Some(true));
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 10 }), Some(true), "its copy goes on");
    assert_eq!(machine.tell(ProcessInput::Runs(process(11, "sh -c true"))), Some(false));
    assert_eq!(machine.tell(ProcessInput::Runs(process(11, "nginx"))), Some(true));
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 11 }), Some(false));
    assert_eq!(machine.tell(ProcessInput::Runs(process(12, "/usr/sbin/nginx"))), Some(true));
    assert_eq!(machine.counts, [(true, 1), (false, 0), (true, 1), (false, 0), (true, 1)]);
}

#[test]
fn strangers_do_not_count() {
    let mut machine = Machine::new(config("nginx"));
    machine.tell(ProcessInput::Runs(process(3, "nginx-debug")));
    machine.tell(ProcessInput::Gone { pid: 10 });
    assert_eq!(machine.up(), Some(false));
}

#[test]
fn a_count_may_also_be_too_high() {
    let mut machine = Machine::new(ProcessConfig { quorum_max: Some(1), ..config("nginx") });
    assert_eq!(machine.tell(ProcessInput::Runs(process(11, "nginx"))), Some(false));
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 10 }), Some(true));
    let none = ProcessConfig { quorum: 0, quorum_max: Some(0), ..config("mysqld") };
    let mut machine = Machine::new(none);
    assert_eq!(machine.up(), Some(true));
    assert_eq!(machine.tell(ProcessInput::Runs(process(5, "mysqld"))), Some(false));
}

#[test]
fn a_change_counts_once_it_has_lasted() {
    let patient =
        ProcessConfig { fork_delay: 2 * SECOND, terminate_delay: 3 * SECOND, ..config("nginx") };
    let mut machine = Machine::new(patient);
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 10 }), Some(true));
    assert_eq!(machine.wait(2 * SECOND), Some(true));
    assert_eq!(machine.tell(ProcessInput::Runs(process(11, "nginx"))), Some(true));
    assert_eq!(machine.wait(5 * SECOND), Some(true), "it was gone for two seconds only");
    machine.tell(ProcessInput::Gone { pid: 11 });
    assert_eq!(machine.wait(3 * SECOND), Some(false));
    machine.tell(ProcessInput::Runs(process(12, "nginx")));
    assert_eq!(machine.wait(SECOND), Some(false));
    assert_eq!(machine.wait(SECOND), Some(true));
}

#[test]
fn a_list_replaces_what_was_missed() {
    let mut machine = Machine::new(config("nginx"));
    assert_eq!(machine.tell(ProcessInput::All(vec![process(1, "init")])), Some(false));
    let all = vec![process(20, "nginx"), process(21, "nginx")];
    assert_eq!(machine.tell(ProcessInput::All(all)), Some(true));
    assert_eq!(machine.counts.last(), Some(&(true, 2)));
}

#[test]
fn names_are_compared_as_the_kernel_keeps_them() {
    let long = pattern("averyveryverylongname", None);
    assert!(long.matches(&process(1, "/opt/averyveryverylongname -d")));
    assert!(!pattern("sleep", None).matches(&process(1, "sleeper")));
    assert!(pattern("/usr/bin/sleep", None).matches(&process(1, "/usr/bin/sleep 5")));
    assert!(!pattern("/usr/bin/sleep", None).matches(&process(1, "sleep 5")));
}

#[test]
fn parameters_are_compared_whole_leading_or_with_an_open_end() {
    use Comparison::{Exact, LastOpen, Leading};
    let table = [
        ("sleep 1000", Exact, [true, false, false, false]),
        ("sleep", Exact, [false, false, false, true]),
        ("sleep 1000", Leading, [true, true, false, false]),
        ("sleep", Leading, [true, true, true, true]),
        ("sleep 10", LastOpen, [true, true, true, false]),
        ("sleep", LastOpen, [true, true, true, true]),
        ("sleep 1000 1", LastOpen, [false, true, false, false]),
    ];
    for (wanted, comparison, expected) in table {
        let pattern = pattern(wanted, Some(comparison));
        let found = ["sleep 1000", "sleep 1000 100", "sleep 100", "sleep"]
            .map(|line| pattern.matches(&process(1, line)));
        assert_eq!(found, expected, "{wanted} {comparison:?}");
    }
}

#[test]
fn a_reload_keeps_the_count_of_what_is_counted_alike() {
    let mut machine = Machine::new(config("nginx"));
    machine.processes.reconfigure(vec![ProcessConfig { quorum: 2, ..config("nginx") }]);
    assert_eq!(machine.up(), Some(true));
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 99 }), Some(false), "there is only one");
    machine.processes.reconfigure(vec![config("sshd")]);
    assert_eq!(machine.up(), Some(false));
    machine.tell(ProcessInput::Runs(process(12, "sshd")));
    machine.processes.reconfigure(vec![ProcessConfig { quorum_max: Some(2), ..config("sshd") }]);
    assert_eq!(machine.up(), Some(true));
}

#[test]
fn a_pattern_that_a_reload_brings_is_counted_from_what_is_known() {
    let mut machine = Machine::new(config("nginx"));
    machine.tell(ProcessInput::Runs(process(11, "sshd")));
    machine.processes.reconfigure(vec![config("sshd")]);
    assert_eq!(machine.up(), Some(true), "nothing waits for the next list");
    assert_eq!(machine.tell(ProcessInput::Gone { pid: 11 }), Some(false));
}
