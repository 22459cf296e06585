//! `standfast lsp`.

use std::{io, path::PathBuf};

use clap::Args;
use standfast_conf::{Disk, Options};
use standfast_lsp::{Settings, serve};

use crate::{check, host};

/// How the editor is served.
#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Standard input and output, which is all there is; many editors say so.
    #[arg(long, hide = true)]
    stdio: bool,
    /// Look for scripts below this folder instead of `/`.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Id for `@id` conditions; the host's name by default.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
    /// The files are meant for this machine: what its interfaces cannot do is an error.
    #[arg(long)]
    on_this_host: bool,
}

/// Exit code 1: the editor went away without `shutdown`.
pub(crate) fn main(lsp: Lsp) -> anyhow::Result<u8> {
    let options = Options {
        host: lsp.on_this_host.then(host::look).flatten(),
        on_this_host: lsp.on_this_host,
        ..check::surroundings(lsp.config_id)
    };
    let settings = Settings { options, disk: Disk { root: lsp.root } };
    match serve(io::stdin().lock(), io::stdout().lock(), settings) {
        // It went away while it was being answered.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(1),
        served => Ok(u8::from(!served?)),
    }
}
