//! The supervisor: reads the configuration, watches over pulse, runs every script, writes the log.

mod configuration;
mod control;
mod pool;
mod ready;
mod start;
mod voice;

use std::{collections::BTreeSet, fs, path::PathBuf, process::ExitStatus, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use standfast_balance::Input;
use standfast_conf::{Command, Marker, Once, Supervision, TrackedFile};
use standfast_failover::{Event, InstanceSnapshot, ProcessConfig, ProcessInput};
use standfast_kernel::{
    clock,
    namespace::NetNs,
    process::{
        self, Launch, Pid, PidFile,
        signal::{self, SignalFd},
    },
};
use standfast_types::{InstanceName, Instant};

use crate::{
    Options,
    calendar::wall_clock,
    channel::Channel,
    command::{self, Manner},
    describe::{describe, describe_lateness},
    dump::{self, Dump, Names},
    fifos::{About, Fifos},
    files::{Files, Finding},
    limit::Overdue,
    log::Log,
    mail::{self, Mailer},
    message::{Bonds, FromPulse, Original, ToPulse},
    news::{News, Subject},
    notify::Notifications,
    once,
    place::{self, PidFiles},
    pool::ToPool,
    processes::Processes,
    respawn::Respawn,
    scripts::{Action, Scripts},
    signals,
    status::Board,
};

use configuration::Configuration;
pub use configuration::host_name;
use control::Control;
use pool::Office;
pub use pool::POOL_ARGUMENT;
use start::notify_of;
pub use start::{PULSE_ARGUMENT, run};

/// How long notify commands may go on after the last address is gone.
const FAREWELL: Duration = Duration::from_secs(5);
/// Longer than pulse needs to let go of anything: the slowest advert interval is 255 s, but a successor
/// speaks within a second (VRRPv2) or an interval of at most 41 s (VRRPv3).
const RELEASE_LIMIT: Duration = Duration::from_secs(45);
/// However short `child_wait_time` is: pulse can say that it leaves before it is killed.
const FAREWELL_ADVERT: Duration = Duration::from_secs(1);

struct Supervisor {
    options: Options,
    configuration: Configuration,
    log: Log,
    signals: SignalFd,
    timer: clock::Timer,
    pulse: Pulse,
    office: Office,
    control: Control,
    /// The network namespace that we were started in.
    origin: Option<NetNs>,
    respawn: Respawn,
    scripts: Scripts,
    files: Files,
    processes: Processes,
    notifications: Notifications,
    fifos: Fifos,
    mailer: Mailer,
    board: Board,
    /// What pulse found on interfaces whose settings it changed; one that dies can't tell its successor.
    originals: Vec<Original>,
    stop: Stop,
    launch: Option<Launch>,
    pid_files: PidFiles,
    /// Held, and with it the lock against a second copy, for as long as we run.
    _pid_file: Option<PidFile>,
    /// A pulse has run: one that dies at once is a matter for another try, not for giving up.
    ever_ran: bool,
    exit_code: u8,
}

/// Where pulse is in its life.
enum Pulse {
    /// `--check`: there is none.
    Unwanted,
    /// It runs.
    Running { pid: Pid, channel: Channel },
    /// It died again and again; the next start is at this time.
    Waiting(Instant),
    /// It has let go and ended.
    Gone,
}

/// Whether we are asked to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// Since when.
    Asked(Instant),
    /// Pulse has ended; notify commands may go on until then.
    Farewell(Instant),
}

impl Supervisor {
    fn run(&mut self) -> anyhow::Result<u8> {
        self.run_once("startup_script", |supervision| supervision.startup.as_ref());
        self.open_fifos();
        self.follow_files(&self.configuration.model.files.clone());
        if self.options.vrrp {
            self.follow_processes(&self.configuration.model.failover.processes.clone());
        }
        self.start_pulse(Default::default(), Default::default())?;
        self.open_control();
        self.start_pool();
        while !self.is_done() {
            self.timer.set(self.next_deadline())?;
            self.wait()?;
            for change in self.processes.receive(clock::now()) {
                self.send(&ToPulse::Process(change));
            }
            self.receive_signals();
            self.receive_events();
            self.receive_pool();
            self.receive_names();
            self.serve_control();
            self.fifos.flush();
            let findings = self.files.receive(clock::now());
            self.report_files(findings);
            for (level, text) in self.mailer.reports() {
                self.log.line(level, &text);
            }
            self.handle_timers()?;
            self.start_notifications();
        }
        for pid in self.scripts.running().chain(self.office.commands.running()) {
            let _ = process::kill_group(pid, signal::SIGKILL);
        }
        let _ = fs::remove_file(&self.pid_files.pulse);
        let _ = fs::remove_file(&self.pid_files.pool);
        self.run_once("shutdown_script", |supervision| supervision.shutdown.as_ref());
        self.log.info("stopped");
        Ok(self.exit_code)
    }

    fn is_done(&self) -> bool {
        match self.stop {
            Stop::No | Stop::Asked(_) => false,
            Stop::Farewell(until) => {
                let done =
                    self.notifications.is_idle() && self.fifos.is_idle() && self.mailer.is_idle();
                done || until <= clock::now()
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let pulse = match &self.pulse {
            Pulse::Waiting(until) => Some(*until),
            Pulse::Unwanted | Pulse::Running { .. } | Pulse::Gone => None,
        };
        let stop = match self.stop {
            Stop::No => None,
            Stop::Asked(since) => Some(since + self.release_limit()),
            Stop::Farewell(until) => Some(until),
        };
        let scripts = if self.stop == Stop::No { self.scripts.next_deadline() } else { None };
        let notifications = self.notifications.next_deadline();
        let fifos = self.fifos.next_deadline();
        let files = self.files.next_deadline();
        let processes = self.processes.next_deadline();
        let pool = self.office.next_deadline();
        let control = self.control.next_deadline();
        let all = [pulse, pool, control, stop, scripts, files, processes, notifications, fifos];
        all.into_iter().flatten().min()
    }

    fn wait(&self) -> anyhow::Result<()> {
        let mut fds = vec![
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
        ];
        if let Pulse::Running { channel, .. } = &self.pulse {
            let backlog = channel.has_backlog();
            let flags = if backlog { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::new(channel, flags));
        }
        fds.extend(self.office.channel().map(|channel| {
            let backlog = channel.has_backlog();
            PollFd::new(
                channel,
                if backlog { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN },
            )
        }));
        fds.extend(self.office.names.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let control = self.control.socket.as_ref();
        fds.extend(control.map(|socket| PollFd::from_borrowed_fd(socket.fd(), PollFlags::IN)));
        fds.extend(self.files.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.processes.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.mailer.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.fifos.full().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.timer.clear();
        Ok(())
    }

    fn receive_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                signal::SIGINT if self.options.ignore_interrupt => {}
                signal::SIGTERM | signal::SIGINT => self.ask_to_stop(),
                signal::SIGHUP => drop(self.reload()),
                signal::SIGUSR1 => {
                    self.ask_for(Dump::Text, false);
                    self.ask_for_servers();
                }
                signal::SIGUSR2 => self.ask_for(Dump::Stats, false),
                number if number == signal::realtime(signals::STATS_CLEAR) => {
                    self.ask_for(Dump::Stats, true);
                }
                number if number == signal::realtime(signals::JSON) => {
                    self.ask_for(Dump::Json, false);
                }
                signal::SIGCHLD | signal::SIGPIPE => {}
                other => self.log.warning(&format!("signal {other} is not active in this version")),
            }
        }
        while let Ok(Some((pid, status))) = process::reap() {
            self.handle_exit(pid, status);
        }
    }

    fn ask_for(&mut self, dump: Dump, clear: bool) {
        if matches!(self.pulse, Pulse::Running { .. }) {
            self.send(&ToPulse::Report { dump, clear });
        } else {
            self.log.warning("nothing to write: VRRP does not run");
        }
    }

    fn write_dump(&mut self, dump: Dump, instances: &[InstanceSnapshot], late: Duration) {
        let model = &self.configuration.model;
        let (now, wall) = (clock::now(), wall_clock());
        let board = &self.board;
        let text = dump::Subject { model, board, instances, late, now, wall }.write(dump);
        let dumps = &model.global.dumps;
        let (pattern, extension) = match dump {
            Dump::Text => (&dumps.state, "data"),
            Dump::Stats => (&dumps.stats, "stats"),
            Dump::Json => (&dumps.json, "json"),
        };
        let place = &model.global.place;
        let own = dumps.use_instance && dump == Dump::Text;
        let suffix = if own { place::suffix(place, '.') } else { String::new() };
        let path = Names { pattern: pattern.clone(), suffix }.path("", extension);
        match dump::write(&path, &text) {
            Ok(()) => self.log.info(&format!("written to {}", path.display())),
            Err(error) => self.log.error(&format!("nothing in {}: {error}", path.display())),
        }
    }

    fn handle_exit(&mut self, pid: Pid, status: ExitStatus) {
        if matches!(&self.pulse, Pulse::Running { pid: pulse, .. } if *pulse == pid) {
            self.pulse_ended(status);
        } else if self.office.is(pid) {
            self.pool_ended(status);
        } else if self.check_ended(pid, status) {
            // The pool was told.
        } else if let Some((name, success)) = self.scripts.ended(pid, status.success()) {
            if !success {
                self.log.detail(&format!("script {name}: {status}"));
            }
            self.send(&ToPulse::Script { name, success });
        } else if let Some(path) = self.fifos.ended(pid) {
            let text = format!("the command that reads {path} ended: {status}");
            self.log.warning(&text);
        } else if let Some(name) = self.notifications.ended(pid)
            && !status.success()
        {
            self.log.warning(&format!("{name}: notify command ended with {status}"));
        }
    }

    fn pulse_ended(&mut self, status: ExitStatus) {
        // Its last words first.
        self.receive_events();
        self.pulse = Pulse::Gone;
        let now = clock::now();
        if self.stop != Stop::No {
            if !status.success() {
                self.log.warning(&format!("pulse: {status}"));
            }
            self.bid_farewell(now);
            return;
        }
        if !self.ever_ran || !self.options.respawn {
            self.log.error(&format!("pulse: {status}; giving up"));
            self.exit_code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            self.bid_farewell(now);
            return;
        }
        let delay = self.respawn.delay(now);
        if delay.is_zero() {
            let (adopt, bonds) = match status.success() {
                true => Default::default(),
                false => (self.board.masters(), self.board.bonds()),
            };
            self.log.warning(&format!("pulse: {status}; started again"));
            self.try_pulse(now, adopt, bonds);
        } else {
            let seconds = delay.as_secs();
            self.log.error(&format!("pulse: {status}; started again in {seconds} s"));
            self.pulse = Pulse::Waiting(now + delay);
        }
    }

    /// All is told; those who are told may have a moment for it.
    fn bid_farewell(&mut self, now: Instant) {
        // The addresses are gone: nobody is served any more.
        self.release_pool(now);
        if !self.office.is_gone() {
            return;
        }
        self.fifos.close(now);
        self.stop = Stop::Farewell(now + FAREWELL);
    }

    fn try_pulse(&mut self, now: Instant, adopt: BTreeSet<InstanceName>, bonds: Bonds) {
        if let Err(error) = self.start_pulse(adopt, bonds) {
            self.log.error(&format!("could not start pulse: {error}"));
            self.pulse = Pulse::Waiting(now + Duration::from_secs(1));
        }
    }

    fn receive_events(&mut self) {
        let Pulse::Running { channel, .. } = &mut self.pulse else { return };
        // A pulse that is gone is seen by its exit.
        let _ = channel.flush();
        let messages = match channel.receive::<FromPulse>() {
            Ok(received) => received.messages,
            Err(error) => {
                self.log.error(&format!("pulse speaks nonsense: {error}"));
                return;
            }
        };
        for message in messages {
            self.handle_message(message);
        }
    }

    fn handle_message(&mut self, message: FromPulse) {
        match message {
            FromPulse::Running => {
                self.ever_ran = true;
                self.ready();
            }
            FromPulse::Event { event, suppressed, late } => {
                self.handle_event(&event, suppressed, late);
            }
            FromPulse::Report { dump, instances, late } => {
                self.write_dump(dump, &instances, late);
            }
            FromPulse::Log(level, text) => self.log.line(level, &text),
            FromPulse::Originals(originals) => self.originals = originals,
            FromPulse::Failed(reason) => self.log.error(&reason),
        }
    }

    /// The elections have begun, and the kernel has our services, or can't have them.
    fn ready(&mut self) {
        if self.pulse_is_starting() || self.pool_is_starting() {
            return;
        }
        ready::tell_systemd("READY=1");
        start::finish(self.launch.take(), 0);
    }

    fn pulse_is_starting(&self) -> bool {
        !self.ever_ran && !matches!(self.pulse, Pulse::Unwanted)
    }

    fn handle_event(&mut self, event: &Event, suppressed: u64, late: Duration) {
        let (level, mut words) = describe(event);
        if let Some(late) = describe_lateness(event, late) {
            words.push_str(&late);
        }
        self.board.handle_event(event, &words);
        self.forward_to_pool(event);
        if suppressed > 0 {
            words.push_str(&format!(" ({suppressed} more in the last minute)"));
        }
        self.log.line(level, &words);
        let (dropped, news) = self.notifications.handle_event(clock::now(), event, &self.board);
        if let Some(news) = news {
            self.tell(&news);
            self.mail(&news, &words);
        }
        self.report_dropped(dropped);
    }

    fn report_dropped(&mut self, dropped: usize) {
        if dropped > 0 {
            self.log.warning(&format!(
                "{dropped} notifications dropped: newer ones wait behind a slow command"
            ));
        }
    }

    fn mail(&mut self, news: &News, words: &str) {
        let model = &self.configuration.model;
        let notify = match &news.subject {
            Subject::Instance(name) => model.notify.get(name),
            Subject::Group(name) => model.group_notify.get(name),
            Subject::Service(_) | Subject::Server(..) => None,
        };
        if notify.is_some_and(|notify| notify.mail) {
            self.post(news, words);
        }
    }

    fn post(&mut self, news: &News, words: &str) {
        let Some(mail) = &self.configuration.model.global.mail else { return };
        let letter = mail::letter(mail, news, words, &host_name(), wall_clock());
        let complaint = letter.and_then(|letter| self.mailer.send(mail, letter));
        if let Some(complaint) = complaint {
            self.log.warning(&complaint);
        }
    }

    fn tell(&mut self, news: &News) {
        let about = match &news.subject {
            Subject::Instance(_) | Subject::Group(_) => About::Vrrp,
            Subject::Service(_) | Subject::Server(..) => About::Servers,
        };
        let lost = self.fifos.write(about, &news.line());
        if lost > 0 {
            self.log.warning(&format!("{lost} lines of a FIFO are lost: nobody reads them"));
        }
    }

    fn handle_timers(&mut self) -> anyhow::Result<()> {
        let now = clock::now();
        if let Pulse::Waiting(until) = self.pulse
            && until <= now
            && self.stop == Stop::No
        {
            self.try_pulse(now, BTreeSet::new(), Bonds::new());
        }
        if let Stop::Asked(since) = self.stop
            && since + self.release_limit() <= now
            && let Pulse::Running { pid, .. } = self.pulse
        {
            self.log.error("pulse does not let go; ended by force, the leases end by themselves");
            let _ = process::kill(pid, signal::SIGKILL);
        }
        if self.stop == Stop::No {
            for action in self.scripts.due(now) {
                self.handle_script(now, action);
            }
        }
        self.handle_pool_timers(now);
        for (pid, overdue) in self.fifos.overdue(now) {
            end(pid, overdue);
        }
        for (name, pid, overdue) in self.notifications.overdue(now) {
            self.log.warning(&format!("{name}: notify command hangs and others wait; ended"));
            end(pid, overdue);
        }
        Ok(())
    }

    fn handle_script(&mut self, now: Instant, action: Action) {
        match action {
            Action::Signal { pid, overdue } => end(pid, overdue),
            Action::Failed { name } => {
                self.log.warning(&format!("script {name} exceeded its timeout; counts as failed"));
                self.send(&ToPulse::Script { name, success: false });
            }
            Action::Start { name, command } => match self.spawn(&command) {
                Ok(pid) => self.scripts.started(now, &name, pid),
                Err(error) => {
                    if self.scripts.failed(&name) {
                        self.log.error(&format!("script {name} can't run: {error}"));
                    }
                    self.send(&ToPulse::Script { name, success: false });
                }
            },
        }
    }

    fn start_notifications(&mut self) {
        // A command that can't run makes room for the next one of its queue.
        loop {
            let ready = self.notifications.ready();
            if ready.is_empty() {
                return;
            }
            for (name, command) in ready {
                match self.spawn(&command) {
                    Ok(pid) => self.notifications.started(clock::now(), &name, pid),
                    Err(error) => {
                        let text = format!("{name}: notify command can't run: {error}");
                        self.log.error(&text);
                    }
                }
            }
        }
    }

    fn spawn(&self, command: &Command) -> anyhow::Result<Pid> {
        command::start(command, self.manner())
    }

    fn manner(&self) -> Manner {
        let Options { console, background, detail, .. } = self.options;
        let global = &self.configuration.model.global;
        Manner {
            security: global.script_security,
            all_groups: global.supervision.supplementary_groups,
            complaints: console && detail && !background,
        }
    }

    /// Runs a command of the configuration and waits for its end.
    fn run_once(&mut self, what: &str, which: impl Fn(&Supervision) -> Option<&Once>) {
        let Some(once) = which(&self.configuration.model.global.supervision) else { return };
        let (level, text) = once::run(once, what, self.manner());
        self.log.line(level, &text);
    }

    fn release_limit(&self) -> Duration {
        let limit = self.configuration.model.global.supervision.release_limit;
        limit.unwrap_or(RELEASE_LIMIT).max(FAREWELL_ADVERT)
    }

    fn ask_to_stop(&mut self) {
        if self.stop != Stop::No {
            return;
        }
        self.log.info("asked to stop; letting go of all addresses");
        self.notifications.hurry(clock::now());
        ready::tell_systemd("STOPPING=1");
        let now = clock::now();
        self.stop = Stop::Asked(now);
        match self.pulse {
            Pulse::Running { .. } => self.send(&ToPulse::Release),
            Pulse::Unwanted | Pulse::Waiting(_) | Pulse::Gone => self.bid_farewell(now),
        }
    }

    fn follow_files(&mut self, files: &[TrackedFile]) {
        let findings = self.files.reconfigure(clock::now(), files);
        self.report_files(findings);
    }

    fn report_files(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            match finding {
                Finding::Value(name, value) => {
                    self.tell_pool(&ToPool::Input(Input::File(name.clone(), value)));
                    self.send(&ToPulse::File { name, value });
                }
                Finding::Complaint(text) => self.log.warning(&text),
            }
        }
    }

    fn follow_processes(&mut self, processes: &[ProcessConfig]) {
        if let Some(text) = self.processes.reconfigure(clock::now(), processes) {
            self.log.info(&text);
        }
        if !processes.is_empty() {
            let all = ProcessInput::All(self.processes.matching());
            self.send(&ToPulse::Process(all));
        }
    }

    fn send(&mut self, message: &ToPulse) {
        if let Pulse::Running { channel, .. } = &mut self.pulse {
            // A pulse that is gone is seen by its exit.
            let _ = channel.send(message);
        }
    }

    fn reload_marker(&self) -> Option<PathBuf> {
        let marker = self.configuration.model.global.supervision.reload_marker.as_ref()?;
        Some(match marker {
            Marker::BesidePidFile => self.pid_files.reload_marker(),
            Marker::At(path) => path.into(),
        })
    }

    /// Reads the configuration again. Whether it counts.
    fn reload(&mut self) -> bool {
        if self.stop != Stop::No {
            return false;
        }
        let path = self.options.file.display().to_string();
        let marker = self.reload_marker();
        if let Some(marker) = &marker
            && let Err(error) = fs::write(marker, "")
        {
            self.log.warning(&format!("no reload_file {}: {error}", marker.display()));
        }
        let running = &self.configuration;
        let new = configuration::reload(&self.options, running, &mut self.log);
        // Whoever waits for its end may write the configuration again.
        marker.map(fs::remove_file);
        let Some(new) = new else {
            self.log.error(&format!("{path} is refused; nothing has changed"));
            return false;
        };
        self.log.info(&format!("{path} reloaded"));
        self.follow_files(&new.model.files);
        if self.options.vrrp {
            self.scripts.reconfigure(clock::now(), new.model.scripts.clone());
            // Before the configuration that follows them.
            self.follow_processes(&new.model.failover.processes);
            self.notifications.reconfigure(notify_of(&new.model));
        }
        self.board.retain(&new.model.failover);
        self.send(&ToPulse::Reload(new.model.failover.clone()));
        self.configuration = new;
        self.notifications.reconfigure_servers(&self.configuration.model.pool);
        self.reload_pool();
        self.open_fifos();
        if self.configuration.model.global.fifos.states_on_reload {
            for news in self.board.news().collect::<Vec<_>>() {
                self.tell(&news);
            }
        }
        true
    }
}

fn end(pid: Pid, overdue: Overdue) {
    let signal = match overdue {
        Overdue::Terminate => signal::SIGTERM,
        Overdue::Kill => signal::SIGKILL,
    };
    // It may have ended meanwhile.
    let _ = process::kill_group(pid, signal);
}
