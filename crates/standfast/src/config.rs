//! `standfast config dump`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use standfast_conf::{Disk, dump, load};

use crate::{check, cli::CONFIGURATION, print};

/// What `config` is asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show the configuration as it is understood: every value, every default, and where each
    /// comes from, after includes, conditions and definitions. Passwords are masked.
    Dump(Dump),
}

/// What `config dump` is asked.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// Configuration file.
    #[arg(short, long, default_value = CONFIGURATION)]
    file: PathBuf,
    /// How it is written.
    #[arg(long, value_enum, default_value = "json")]
    format: DumpFormat,
    /// Leave out what the file does not say.
    #[arg(long)]
    no_defaults: bool,
    /// Id for `@id` conditions; the host's name by default.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DumpFormat {
    /// One JSON document.
    Json,
}

/// Exit code 1: the file would be refused; what it says is shown all the same.
pub(crate) fn main(config: &Config) -> anyhow::Result<u8> {
    let Config::Dump(Dump { file, format, no_defaults, config_id }) = config;
    let options = check::surroundings(config_id.clone());
    let dump = dump(&load(file, &options, &Disk::default()), !no_defaults);
    let text = match format {
        DumpFormat::Json => serde_json::to_string_pretty(&dump)?,
    };
    print(&(text + "\n"))?;
    Ok(u8::from(dump.refused))
}
