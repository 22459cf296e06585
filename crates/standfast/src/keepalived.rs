//! Called `keepalived`: its options, signals, pid files and exit codes, so that units, containers and
//! scripts work unchanged.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use lexopt::{Arg, Parser, ValueExt};
use standfast_daemon::Options;

use crate::{
    check::{self, Report},
    cli::{CONFIGURATION, DAEMON_FACILITY},
    genhash, print, say,
};

/// The name that brings this personality.
pub(crate) const NAME: &str = "keepalived";

/// keepalived's exit code for options that it does not know.
const USAGE_ERROR: u8 = 1;

/// What `keepalived --help` prints.
pub const USAGE: &str = "\
Usage: keepalived [OPTION...]        (this is Standfast, in place of keepalived)

  -f, --use-file=FILE          configuration file (/etc/keepalived/keepalived.conf)
  -t, --config-test[=LOGFILE]  check the configuration and exit: 0 fine, 4 can't run, 5 errors, 6 security
  -n, --dont-fork              stay in the foreground
  -l, --log-console            log to standard error as well
  -D, --log-detail             log details
  -d, --dump-conf              log the resolved configuration
  -S, --log-facility=FACILITY  syslog facility: 0 to 7 for local0 to local7, or its name
  -G, --no-syslog              do not log to syslog
  -P, --vrrp                   VRRP only
  -C, --check                  health checks only
  -B, --no_bfd                 no BFD
  -R, --dont-respawn           end when a child ends
  -I, --dont-release-ipvs      leave virtual servers in the kernel at the end
  -i, --config-id=ID           id for @id conditions in the configuration
  -p, --pid=FILE               pid file of the supervisor (/run/keepalived.pid)
  -r, --vrrp_pid=FILE          pid file of the VRRP process (/run/vrrp.pid)
  -c, --checkers_pid=FILE      pid file of the process that checks servers (/run/checkers.pid)
  -s, --namespace=NAME         network namespace to run in
  -u, --umask=MASK             umask of files that are written
  -m, --core-dump              allow core files
  -e, --all-config             every include that finds nothing is a mistake
      --ignore-sigint          ignore SIGINT
  -T, --genhash [OPTION...]    the MD5 of a page, for `digest`; takes genhash's options
      --signum=NAME            print the number of a signal: HUP STOP DATA STATS STATS_CLEAR JSON
  -v, --version                version
  -h, --help                   this text

Accepted, and said at start to be without effect in this version: -a -A -b -e -g -L -M -O -V -x.
";

/// What the options ask for.
enum Task {
    Run(Options),
    Test { file: PathBuf, config_id: Option<String>, include_check: bool, log: Option<PathBuf> },
    Print(String),
    Refuse(String),
    Digest(Parser),
}

/// Runs as keepalived would. The exit code.
pub(crate) fn main() -> anyhow::Result<u8> {
    match parse(Parser::from_env())? {
        Task::Run(options) => standfast_daemon::run(options),
        Task::Test { file, config_id, include_check, log } => {
            test(&file, config_id, include_check, log)
        }
        Task::Print(text) => print(&text).map(|()| 0),
        Task::Digest(parser) => genhash::main(parser),
        Task::Refuse(text) => {
            say(&format!("keepalived: {text}"));
            Ok(USAGE_ERROR)
        }
    }
}

fn test(
    file: &std::path::Path,
    config_id: Option<String>,
    include_check: bool,
    log: Option<PathBuf>,
) -> anyhow::Result<u8> {
    let root = std::path::Path::new("/");
    let report = Report::of(&[file.to_owned()], config_id, root, false, include_check);
    let text = report.human(check::colored(log.is_none() && io::stderr().is_terminal()));
    match log {
        Some(path) => {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(text.as_bytes())?;
        }
        None => say(text.trim_end()),
    }
    Ok(check::test_exit_code(&report))
}

fn parse(mut parser: Parser) -> anyhow::Result<Task> {
    let mut options = defaults();
    let mut test = None;
    let (mut vrrp_only, mut checks_only) = (false, false);
    loop {
        let arg = match parser.next() {
            Ok(Some(arg)) => arg,
            Ok(None) => break,
            Err(error) => return Ok(Task::Refuse(error.to_string())),
        };
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Task::Print(USAGE.to_owned())),
            Arg::Short('v') | Arg::Long("version") => return Ok(Task::Print(version())),
            Arg::Long("signum") => return Ok(signal_number(&parser.value()?.string()?)),
            Arg::Short('f') | Arg::Long("use-file") => options.file = parser.value()?.into(),
            Arg::Short('t') | Arg::Long("config-test") => test = Some(attached(&mut parser)),
            Arg::Short('n') | Arg::Long("dont-fork") => options.background = false,
            Arg::Short('l') | Arg::Long("log-console") => options.console = true,
            Arg::Short('D') | Arg::Long("log-detail") => options.detail = true,
            Arg::Short('d') | Arg::Long("dump-conf") => options.dump = true,
            Arg::Short('G') | Arg::Long("no-syslog") => options.syslog = None,
            Arg::Short('P') | Arg::Long("vrrp") => vrrp_only = true,
            Arg::Short('C') | Arg::Long("check") => checks_only = true,
            Arg::Short('B') | Arg::Long("no_bfd") => options.bfd = false,
            Arg::Short('R') | Arg::Long("dont-respawn") => options.respawn = false,
            Arg::Short('i') | Arg::Long("config-id") => {
                options.config_id = Some(parser.value()?.string()?);
            }
            Arg::Short('p') | Arg::Long("pid") => options.pid_file = Some(parser.value()?.into()),
            Arg::Short('r') | Arg::Long("vrrp_pid") => {
                options.pulse_pid_file = Some(parser.value()?.into());
            }
            Arg::Short('c') | Arg::Long("checkers_pid") => {
                options.pool_pid_file = Some(parser.value()?.into());
            }
            Arg::Short('I') | Arg::Long("dont-release-ipvs") => options.keep_services = true,
            Arg::Short('e') | Arg::Long("all-config") => options.include_check = true,
            Arg::Short('s') | Arg::Long("namespace") => {
                options.namespace = Some(parser.value()?.string()?);
            }
            Arg::Long("ignore-sigint") => options.ignore_interrupt = true,
            Arg::Short('S') | Arg::Long("log-facility") => {
                let text = parser.value()?.string()?;
                match facility(&text) {
                    Some(number) => options.syslog = options.syslog.and(Some(number)),
                    None => return Ok(Task::Refuse(format!("no such log facility: {text}"))),
                }
            }
            Arg::Short('u') | Arg::Long("umask") => {
                let text = parser.value()?.string()?;
                match u32::from_str_radix(&text, 8) {
                    Ok(mask) if mask <= 0o777 => options.umask = Some(mask),
                    Ok(_) | Err(_) => return Ok(Task::Refuse(format!("no umask: {text}"))),
                }
            }
            Arg::Short('m') | Arg::Long("core-dump") => allow_core_files(),
            // The rest of the line is genhash's.
            Arg::Short('T') | Arg::Long("genhash") => return Ok(Task::Digest(parser)),
            Arg::Short('X') | Arg::Long("release-vips" | "all" | "no-mem-check") => {
                // Leftovers of another life are always removed, and every process that has work runs.
            }
            Arg::Value(word) => {
                return Ok(Task::Refuse(format!("unexpected word: {}", word.to_string_lossy())));
            }
            Arg::Short(_) | Arg::Long(_) => match Inactive::of(&arg) {
                None => return Ok(Task::Refuse(arg.unexpected().to_string())),
                Some(Inactive { long, takes, why, .. }) => {
                    options.inactive.push(format!("--{long}: {why}"));
                    match takes {
                        Takes::Nothing => {}
                        Takes::Value => drop(parser.value()?),
                        Takes::Attached => drop(attached(&mut parser)),
                    }
                }
            },
        }
    }
    options.vrrp = vrrp_only || !checks_only;
    options.checks = checks_only || !vrrp_only;
    Ok(match test {
        Some(log) => {
            let Options { file, config_id, include_check, .. } = options;
            Task::Test { file, config_id, include_check, log: log.map(PathBuf::from) }
        }
        None => Task::Run(options),
    })
}

fn defaults() -> Options {
    Options {
        console: false,
        syslog: Some(DAEMON_FACILITY),
        background: true,
        name: NAME.to_owned(),
        ..Options::foreground(CONFIGURATION.into())
    }
}

/// A value that is written right behind its option, as in `-tFILE` or `--config-test=FILE`.
fn attached(parser: &mut Parser) -> Option<OsString> {
    parser.optional_value()
}

/// An option of keepalived that is accepted and does nothing here.
#[derive(Clone, Copy, Debug)]
pub struct Inactive {
    /// Its letter.
    pub short: Option<char>,
    /// Its long name.
    pub long: &'static str,
    /// Whether a value belongs to it.
    pub takes: Takes,
    /// Why it does nothing.
    pub why: &'static str,
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// The next word, or what is attached.
    Value,
    /// Only what is attached, if anything.
    Attached,
}

/// Options of keepalived that do nothing here, and what the operator is told.
pub const INACTIVE: &[Inactive] = &[
    inactive(Some('b'), "bfd_pid", Takes::Value, "BFD runs in the VRRP process"),
    inactive(Some('x'), "snmp", Takes::Nothing, "SNMP is not active in this version"),
    inactive(Some('A'), "snmp-agent-socket", Takes::Value, "SNMP is not active in this version"),
    inactive(
        Some('g'),
        "log-file",
        Takes::Attached,
        "not active in this version; use syslog or --log-console",
    ),
    inactive(None, "flush-log-file", Takes::Nothing, "not active in this version"),
    inactive(
        Some('V'),
        "dont-release-vrrp",
        Takes::Nothing,
        "addresses are leases and end with the daemon",
    ),
    inactive(Some('a'), "address-monitoring", Takes::Nothing, "not active in this version"),
    inactive(
        Some('M'),
        "core-dump-pattern",
        Takes::Attached,
        "the kernel's pattern is left as it is",
    ),
    inactive(None, "config-fd", Takes::Value, "keepalived's own affair"),
    inactive(Some('L'), "mem-check-log", Takes::Nothing, "nothing to check here"),
    inactive(Some('O'), "openssl-mem-check", Takes::Nothing, "nothing to check here"),
    inactive(None, "perf", Takes::Attached, "not active here"),
    inactive(None, "debug", Takes::Attached, "not active here"),
];

const fn inactive(
    short: Option<char>,
    long: &'static str,
    takes: Takes,
    why: &'static str,
) -> Inactive {
    Inactive { short, long, takes, why }
}

impl Inactive {
    fn of(arg: &Arg<'_>) -> Option<&'static Self> {
        INACTIVE.iter().find(|option| match arg {
            Arg::Short(letter) => option.short == Some(*letter),
            Arg::Long(name) => option.long == *name,
            Arg::Value(_) => false,
        })
    }
}

fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Keepalived v2.4.3 in the shape of Standfast v{version}\n")
}

fn signal_number(name: &str) -> Task {
    use standfast_kernel::process::signal;
    let number = match name {
        "HUP" => signal::SIGHUP,
        "STOP" => signal::SIGTERM,
        "DATA" => signal::SIGUSR1,
        "STATS" => signal::SIGUSR2,
        "STATS_CLEAR" => signal::realtime(29),
        "JSON" => signal::realtime(2),
        _ => return Task::Refuse(format!("no such signal: {name}")),
    };
    Task::Print(format!("{number}\n"))
}

/// 0 to 7 for local0 to local7, or a name of syslog.conf.
fn facility(text: &str) -> Option<u8> {
    if let Ok(local @ 0..=7) = text.parse::<u8>() {
        return Some(16 + local);
    }
    let names = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp",
    ];
    let text = text.to_ascii_lowercase();
    if let Some(local) = text.strip_prefix("local") {
        return local.parse().ok().filter(|local| *local <= 7).map(|local: u8| 16 + local);
    }
    names.iter().position(|name| *name == text).and_then(|number| u8::try_from(number).ok())
}

fn allow_core_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Core);
    limit.current = limit.maximum;
    // Without the right to it there are none; keepalived goes on as well.
    let _ = setrlimit(Resource::Core, limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Options {
        match parse(Parser::from_args(args)).expect("parsed") {
            Task::Run(options) => options,
            Task::Test { .. } | Task::Print(_) | Task::Refuse(_) | Task::Digest(_) => {
                panic!("not a run")
            }
        }
    }

    #[test]
    fn the_command_line_of_a_container_is_understood() {
        let options = run(&["-n", "-l", "-D", "-f", "/etc/k.conf", "--dont-fork", "--log-console"]);
        assert!(options.console && options.detail && !options.background);
        assert_eq!(options.file, PathBuf::from("/etc/k.conf"));
    }

    #[test]
    fn short_options_can_be_joined_and_values_attached() {
        let options = run(&["-nldDGf/x", "-p/run/a.pid", "--vrrp_pid=/run/b.pid", "-P"]);
        assert!(options.dump && options.vrrp && options.syslog.is_none());
        assert_eq!(options.pid_file, Some("/run/a.pid".into()));
        assert_eq!(options.pulse_pid_file, Some("/run/b.pid".into()));
    }

    #[test]
    fn what_has_no_effect_is_said_and_its_value_is_not_taken_for_a_word() {
        let options = run(&["-x", "-b", "/run/b.pid", "-R", "-S", "3"]);
        assert_eq!(options.inactive.len(), 2);
        assert_eq!(options.syslog, Some(19));
        assert!(!options.respawn);
    }

    #[test]
    fn without_n_it_goes_to_the_background() {
        assert!(run(&[]).background);
    }

    #[test]
    fn no_bfd_means_no_sessions() {
        assert!(run(&[]).bfd && !run(&["-B"]).bfd);
    }

    #[test]
    fn checks_only_means_no_vrrp() {
        assert!(!run(&["-C"]).vrrp);
        assert!(run(&["-C", "-P"]).vrrp);
        assert!(run(&["-C"]).checks && !run(&["-P"]).checks && run(&[]).checks);
    }

    #[test]
    fn unknown_options_and_words_are_refused() {
        for args in [["--nonsense"], ["-Z"], ["word"]] {
            let task = parse(Parser::from_args(args)).expect("parsed");
            assert!(matches!(task, Task::Refuse(_)), "{args:?}");
        }
    }

    #[test]
    fn signal_numbers_are_those_of_keepalived() {
        let task = parse(Parser::from_args(["--signum=JSON"])).expect("parsed");
        assert!(matches!(task, Task::Print(text) if text == "36\n"));
        let task = parse(Parser::from_args(["--signum", "STATS_CLEAR"])).expect("parsed");
        assert!(matches!(task, Task::Print(text) if text == "63\n"));
    }

    #[test]
    fn facilities_go_by_number_or_name() {
        assert_eq!(facility("0"), Some(16));
        assert_eq!(facility("LOCAL7"), Some(23));
        assert_eq!(facility("daemon"), Some(3));
        assert_eq!(facility("8"), None);
    }
}
