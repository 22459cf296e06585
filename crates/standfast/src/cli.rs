//! `standfast COMMAND`.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use standfast_daemon::Options;

use crate::{
    check::{self, Check},
    config::{self, Config},
    digest::{self, Digest},
    fmt::{self, Fmt},
    lsp::{self, Lsp},
    operate::{self, Disable, Drain, Enable, List, Reload, Servers, Weight},
};

/// Where keepalived keeps its configuration, and so do we.
pub(crate) const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
/// The syslog facility `daemon`.
pub(crate) const DAEMON_FACILITY: u8 = 3;

/// Keeps a service's address up: a drop-in replacement for keepalived.
///
/// Called by the name `keepalived` (a symbolic link), it takes keepalived's own options instead.
#[derive(Debug, Parser)]
#[command(name = "standfast", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For machines.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground, with its log on standard error.
    Run {
        /// Configuration file.
        #[arg(short, long, default_value = CONFIGURATION)]
        file: PathBuf,
        /// Id for `@id` conditions in the file; the host's name by default.
        #[arg(short = 'i', long, value_name = "ID")]
        config_id: Option<String>,
        /// Where the process id goes, held locked against a second copy; else /run/standfast.pid.
        #[arg(short, long, value_name = "PATH")]
        pid: Option<PathBuf>,
        /// Log to syslog as well.
        #[arg(long)]
        syslog: bool,
        /// Log every detail.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Say what is wrong with a configuration. Needs no rights and no interfaces.
    ///
    /// With the files of several nodes it also says which failures would not move the address.
    Check(Check),
    /// Show a configuration as it is understood.
    #[command(subcommand)]
    Config(Config),
    /// Show the MD5 of a page, for `digest` in a `url` block.
    ///
    /// Called by the name `genhash` (a symbolic link), it takes genhash's own options instead.
    Digest(Digest),
    /// Lay a configuration out: indentation, blanks, line breaks. Changes no meaning and no comment.
    Fmt(Fmt),
    /// Serve an editor: findings while one types, completion, explanations, definitions, layout.
    ///
    /// Speaks the Language Server Protocol on standard input and output.
    Lsp(Lsp),
    /// Show virtual servers and their real servers: state, weight, why, and what operators ordered.
    Pools(List),
    /// Give a real server no new connections, and remove it when its last one has ended.
    ///
    /// `standfast enable` takes it back. An order stands until it is taken back, over reloads too; over a
    /// restart of the daemon only with --persist.
    Drain(Drain),
    /// Treat a real server as failed, whatever its checks say.
    Disable(Disable),
    /// Take back what `drain`, `disable` and `server remove` did.
    Enable(Enable),
    /// Give a real server another weight than the configured one.
    Weight(Weight),
    /// Add and remove real servers at run time.
    #[command(subcommand)]
    Server(Servers),
    /// Have the running daemon read its configuration again.
    Reload(Reload),
    /// Build a cluster on this machine, break it in every way, and show what its users notice.
    Lab {
        /// Run the node files of this folder instead of the built-in pair.
        #[arg(long, value_name = "DIR")]
        scenario: Option<PathBuf>,
        /// How the result is written.
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
}

/// Commands, options and their texts.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that was asked for. The exit code.
pub(crate) fn main() -> anyhow::Result<u8> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows which of these are errors; a closed pipe is none.
            let _ = error.print();
            return Ok(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.command {
        Command::Run { file, config_id, pid, syslog, verbose } => standfast_daemon::run(Options {
            config_id,
            syslog: syslog.then_some(DAEMON_FACILITY),
            detail: verbose,
            pid_file: pid,
            ..Options::foreground(file)
        }),
        Command::Check(check) => check::main(&check),
        Command::Config(config) => config::main(&config),
        Command::Digest(digest) => digest::main(&digest),
        Command::Fmt(fmt) => fmt::main(&fmt),
        Command::Lsp(lsp) => lsp::main(lsp),
        Command::Pools(list) => operate::pools(&list),
        Command::Drain(drain) => operate::drain(&drain),
        Command::Disable(disable) => operate::disable(&disable),
        Command::Enable(enable) => operate::enable(&enable),
        Command::Weight(weight) => operate::set_weight(&weight),
        Command::Server(servers) => operate::servers(&servers),
        Command::Reload(reload) => operate::reload(&reload),
        Command::Lab { scenario, format } => {
            standfast_lab::main(scenario.as_deref(), format == Format::Json)
        }
    }
}
