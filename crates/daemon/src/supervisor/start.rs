//! From the command line to a running supervisor, and from a file to a model.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::net::UnixStream,
};

use standfast_conf::{Model, Notify};
use standfast_kernel::{
    clock,
    namespace::NetNs,
    process::{self, Launch, Output, PidFile, PidFileError, ProcessGroup, Spawn, spawn},
    syslog::Syslog,
};
use standfast_types::{InstanceName, Instant};

use super::{
    Control, Office, Pulse, Stop, Supervisor,
    configuration::{self, Configuration},
};
use crate::{
    Options,
    channel::Channel,
    fifos::{Fifos, Wanted},
    files::Files,
    log::Log,
    mail::Mailer,
    message::{Bonds, ToPulse},
    news::Subject,
    notify::Notifications,
    place::{self, PidFiles},
    processes::Processes,
    respawn::Respawn,
    scripts::Scripts,
    signals,
    status::Board,
};

/// The configuration can't be read at all, as keepalived's exit code says.
const NO_CONFIGURATION: u8 = 6;
/// The configuration can't run.
const BAD_CONFIGURATION: u8 = 2;

/// Runs the daemon until it is asked to stop. The exit code.
///
/// # Errors
/// The kernel refuses what no daemon can do without.
pub fn run(options: Options) -> anyhow::Result<u8> {
    let console = options.console;
    let syslog = options.syslog.map(|facility| Syslog::new(&options.name, facility));
    let mut log = Log::new(console, syslog, options.detail);
    let Some(configuration) = configuration::read(&options, &mut log) else {
        log.error(&format!("{} can't run; not started", options.file.display()));
        let exists = fs::metadata(&options.file).is_ok();
        return Ok(if exists { BAD_CONFIGURATION } else { NO_CONFIGURATION });
    };
    for text in &options.inactive {
        log.warning(text);
    }
    if options.dump {
        log.info(&format!(
            "configuration: {}",
            serde_json::to_string(&configuration.model.without_secrets())?
        ));
    }
    let place = configuration.model.global.place.clone();
    // We may leave it now, and `net_namespace_ipvs` may want it.
    let origin = NetNs::current().ok();
    if let Err(error) = place::enter(&place) {
        let name = place.namespace.unwrap_or_default();
        log.error(&format!("network namespace {name}: {error}; not started"));
        return Ok(BAD_CONFIGURATION);
    }
    let names = place::suffix(&place, '_');
    if let Some(facility) = options.syslog.filter(|_| !names.is_empty()) {
        let ident = format!("{}{names}", options.name);
        log = Log::new(console, Some(Syslog::new(&ident, facility)), options.detail);
    }
    let launch = if options.background { Some(process::daemonize()?) } else { None };
    let pid_files = PidFiles::of(&options, &place);
    if let Some(directory) = pid_files.supervisor.parent() {
        // What is wrong with it is seen at once.
        let _ = fs::create_dir_all(directory);
    }
    let pid_file = match PidFile::acquire(&pid_files.supervisor) {
        Ok(pid_file) => Some(pid_file),
        Err(PidFileError::Held { pid }) => {
            let pid = pid.map_or_else(String::new, |pid| format!(" as process {pid}"));
            log.error(&format!("{} is already running{pid}; this copy ends", options.name));
            finish(launch, 0);
            return Ok(0);
        }
        Err(PidFileError::Failed(error)) => {
            log.warning(&format!("no pid file {}: {error}", pid_files.supervisor.display()));
            None
        }
    };
    let supervision = &configuration.model.global.supervision;
    if let Some(name) = &supervision.name {
        process::set_name(name)?;
    }
    if let Some(mask) = options.umask.or(supervision.umask) {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    }
    let files = (pid_files, pid_file);
    let mut supervisor = Supervisor::new(options, configuration, log, launch, files)?;
    supervisor.origin = origin;
    supervisor.run()
}

/// Lets the process in the foreground end.
pub(super) fn finish(launch: Option<Launch>, code: u8) {
    if let Some(launch) = launch {
        launch.complete(code);
    }
}

impl Supervisor {
    fn new(
        options: Options,
        configuration: Configuration,
        log: Log,
        launch: Option<Launch>,
        (pid_files, pid_file): (PidFiles, Option<PidFile>),
    ) -> anyhow::Result<Self> {
        let signals = signals::open()?;
        let mut scripts = Scripts::default();
        let mut notifications = Notifications::default();
        if options.vrrp {
            let model = &configuration.model;
            scripts.reconfigure(clock::now(), model.scripts.clone());
            notifications.reconfigure(notify_of(model));
        }
        notifications.reconfigure_servers(&configuration.model.pool);
        Ok(Self {
            options,
            configuration,
            log,
            signals,
            timer: clock::Timer::new()?,
            pulse: Pulse::Gone,
            office: Office::default(),
            control: Control::default(),
            origin: None,
            respawn: Respawn::default(),
            scripts,
            files: Files::default(),
            processes: Processes::default(),
            notifications,
            fifos: Fifos::default(),
            mailer: Mailer::default(),
            board: Board::default(),
            originals: Vec::new(),
            stop: Stop::No,
            launch,
            pid_files,
            _pid_file: pid_file,
            ever_ran: false,
            exit_code: 0,
        })
    }

    /// Opens the FIFOs of the configuration and starts those that read them.
    pub(super) fn open_fifos(&mut self) {
        let model = &self.configuration.model;
        let wanted = Wanted {
            all: model.global.fifos.all.as_ref(),
            vrrp: model.global.fifos.vrrp.as_ref().filter(|_| self.options.vrrp),
            servers: model.pool.fifo.as_ref().filter(|_| self.options.checks),
        };
        for complaint in self.fifos.reconfigure(clock::now(), wanted) {
            self.log.error(&complaint);
        }
        for (at, command) in self.fifos.readers() {
            match self.spawn(&command) {
                Ok(pid) => self.fifos.started(at, pid),
                Err(error) => self.log.error(&format!("a FIFO has no reader: {error}")),
            }
        }
    }

    /// Starts pulse: this very program, with one end of a socket pair.
    pub(super) fn start_pulse(
        &mut self,
        adopt: BTreeSet<InstanceName>,
        bonds: Bonds,
    ) -> anyhow::Result<()> {
        if !self.options.vrrp {
            self.pulse = Pulse::Unwanted;
            self.ready();
            return Ok(());
        }
        let dead_since = clock::now();
        let (ours, theirs) = UnixStream::pair()?;
        let mut what = Spawn::new(["/proc/self/exe", PULSE_ARGUMENT]);
        what.argv0 = Some(OsString::from(&self.options.name));
        what.group = ProcessGroup::Inherited;
        what.stderr = Output::Inherited;
        what.stdin = Some(theirs.into());
        let pid = spawn(what)?;
        let mut channel = Channel::new(ours)?;
        let model = &self.configuration.model;
        // One that died already is seen by its exit.
        let _ = channel.send(&ToPulse::Begin {
            config: Box::new(delayed(model)),
            realtime_priority: model.global.realtime_priority,
            nice: model.global.nice,
            running: model.global.running.clone(),
            bonds,
            adopt,
            dead_since,
            scripts: self.board.scripts(),
            files: self.files.values(),
            processes: self.processes.matching(),
            originals: self.originals.clone(),
        });
        self.pulse = Pulse::Running { pid, channel };
        let path = &self.pid_files.pulse;
        if let Err(error) = fs::write(path, format!("{pid}\n")) {
            self.log.detail(&format!("no pid file {}: {error}", path.display()));
        }
        Ok(())
    }
}

/// The brain's configuration, with the time that is left of `vrrp_delay_after_boot`.
fn delayed(model: &Model) -> standfast_failover::Config {
    let mut config = model.failover.clone();
    let since_boot = clock::now().saturating_since(Instant::ZERO);
    let left = model.global.supervision.delay_after_boot.saturating_sub(since_boot);
    config.startup_delay = config.startup_delay.max(left);
    config
}

/// The hidden argument of pulse, whose standard input is its line to the supervisor.
pub const PULSE_ARGUMENT: &str = "--pulse";

/// How each instance and sync group reports, those included that run no command.
pub(super) fn notify_of(model: &Model) -> BTreeMap<Subject, Notify> {
    let instances = model.failover.instances.iter().map(|instance| {
        let notify = model.notify.get(&instance.name).cloned().unwrap_or_default();
        (Subject::Instance(instance.name.clone()), notify)
    });
    let groups = model.failover.groups.iter().map(|group| {
        let notify = model.group_notify.get(&group.name).cloned().unwrap_or_default();
        (Subject::Group(group.name.clone()), notify)
    });
    instances.chain(groups).collect()
}
