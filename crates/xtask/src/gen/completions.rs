//! `docs/completions`: what the shells complete.

use std::path::Path;

use clap_complete::{Shell, generate};

use super::File;

pub(super) const FOLDER: &str = "docs/completions";

pub(super) fn files() -> anyhow::Result<Vec<File>> {
    let shells = [
        (Shell::Bash, "standfast.bash"),
        (Shell::Zsh, "_standfast"),
        (Shell::Fish, "standfast.fish"),
    ];
    let file = |(shell, name)| {
        let mut script = Vec::new();
        generate(shell, &mut standfast::command(), "standfast", &mut script);
        Ok((Path::new(FOLDER).join(name), String::from_utf8(script)?))
    };
    shells.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::root;

    #[test]
    fn bash_sources_the_completions_and_completes_a_subcommand() {
        let script = root().join(super::FOLDER).join("standfast.bash");
        let ask = "set -eu; source \"$1\"; COMP_WORDS=(standfast che); COMP_CWORD=1; \
                   _standfast standfast che standfast; echo \"${COMPREPLY[@]}\"";
        let output = Command::new("bash").args(["-c", ask, "bash"]).arg(script).output();
        let output = output.expect("bash runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "check\n");
    }
}
