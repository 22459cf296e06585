//! `docs/man`: the manual pages.

use std::{fmt::Write, path::Path};

use clap_mangen::Man;
use standfast::{INACTIVE, Inactive, Takes, USAGE};
use standfast_conf::table::entry::{State, facts, lines, opener, parts, sections, syntax};

use super::File;

pub(super) const FOLDER: &str = "docs/man";
/// keepalived's name for it, which holds nothing of its own.
const ALIAS: &str = ".so man5/standfast.conf.5\n";

pub(super) fn files() -> anyhow::Result<Vec<File>> {
    let folder = Path::new(FOLDER);
    let mut files = vec![
        (folder.join("standfast.conf.5"), configuration()),
        (folder.join("keepalived.conf.5"), ALIAS.to_owned()),
        (folder.join("keepalived.8"), personality()),
    ];
    let mut command = standfast::command().disable_help_subcommand(true);
    command.build();
    commands(&command, folder, &mut files)?;
    Ok(files)
}

/// A page for the command and one for each of its subcommands.
fn commands(command: &clap::Command, folder: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    let page = Man::new(command.clone()).source(source());
    let mut roff = Vec::new();
    page.render(&mut roff)?;
    files.push((folder.join(page.get_filename()), String::from_utf8(roff)?));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        commands(inner, folder, files)?;
    }
    Ok(())
}

fn source() -> String {
    format!("standfast {}", env!("CARGO_PKG_VERSION"))
}

fn header(title: &str, section: u8) -> String {
    format!(".TH {title} {section} \"\" \"{}\"\n", source())
}

const CONFIGURATION: &str = r#".SH NAME
standfast.conf, keepalived.conf \- configuration of Standfast and keepalived
.SH DESCRIPTION
.BR standfast (1)
and its personality
.BR keepalived (8)
read
.IR /etc/keepalived/keepalived.conf .
This page lists every keyword of keepalived 2.4.3, and says what becomes of it in this version.
.B standfast check
says what is wrong with a file.
.SH LANGUAGE
A line holds a keyword and its values. A block stands between { and }, which may be on lines of their own.
.TP
.BR # ", " !
A comment, to the end of the line.
.TP
.B \(dqTEXT\(dq
One word, with blanks, braces and comment characters in it. Commands with arguments are written so.
.TP
.BI include " PATTERN"
Reads files in place;
.BR includer ", " includem ", " includew ", " includeb " and " includea
make it a mistake when some cannot be read or none match.
.TP
.BI @ "ID LINE" "\fR, \fP@^" "ID LINE"
The line counts only on the node of that id, or only on all others.
.TP
.BI $ NAME = VALUE
A definition;
.BI $ NAME
and
.BI ${ NAME }
stand for its value. Built in:
.BR ${_PWD} ", " ${_INSTANCE} ", " "${_RANDOM LOW HIGH}" ", " "${_ENV NAME}" ", " ${_HASH} ", " ${_BANG} .
.TP
.BI ~SEQ( "NAME, FIRST, STEP, LAST" ") LINE"
The line once for each number;
.B ~SEQx
writes them in hexadecimal.
.TP
.BI ~LST( "NAME, A, B" ") LINE"
The line once for each value.
.PP
Capitals stand for words of yours; [...] may be left out; of a|b one is written; X... is one or more. Limits are
included. Times are in seconds with decimals unless something else is said.
"#;

/// standfast.conf(5)
fn configuration() -> String {
    let mut roff = header("STANDFAST.CONF", 5);
    roff.push_str(CONFIGURATION);
    for part in parts() {
        let _ = writeln!(roff, ".SH {}", text(&part.to_uppercase()));
        for blocks in sections(part) {
            let Some(first) = blocks.first().copied() else { continue };
            let names: Vec<_> = blocks
                .iter()
                .map(|block| if block.path.is_empty() { "Top level" } else { block.path })
                .collect();
            let _ = writeln!(roff, ".SS {}", text(&names.join(", ")));
            if opener(first).is_some() && State::around(first) != State::Works {
                let _ = writeln!(roff, "In this version: {}.", text(State::around(first).text()));
            }
            for keyword in lines(first) {
                let _ = writeln!(roff, ".TP\n.B {}", literal(&syntax(keyword)));
                let _ = writeln!(roff, "{}", text(keyword.effect));
                let mut facts = facts(first, keyword);
                if State::of(first, keyword) != State::around(first) {
                    facts.push(State::of(first, keyword).text().to_owned());
                }
                if !facts.is_empty() {
                    let _ = writeln!(roff, "({}.)", text(&facts.join("; ")));
                }
            }
        }
    }
    roff.push_str(
        ".SH SEE ALSO\n.BR standfast (1),\n.BR standfast-check (1),\n.BR keepalived (8)\n",
    );
    roff
}

const PERSONALITY: &str = r"
.SH NAME
keepalived \- Standfast with keepalived's options
.SH SYNOPSIS
.B keepalived
.RI [ OPTION ...]
.SH DESCRIPTION
.BR standfast (1)
that is called by the name
.B keepalived
(a symbolic link) takes keepalived's options, signals, pid files and exit codes, so that units, containers and scripts
work unchanged. The configuration is described in
.BR keepalived.conf (5).
.SH OPTIONS
";

const SIGNALS: &str = r".SH SIGNALS
.TP
.B SIGHUP
Reads the configuration again and applies what differs. A file that cannot run, or that would lose a running instance
to a mistake, changes nothing.
.TP
.B SIGTERM
Lets go of all addresses and ends.
.TP
.B SIGUSR1
Writes the state to
.IR /tmp/keepalived.data .
.SH FILES
.I /etc/keepalived/keepalived.conf
.SH SEE ALSO
.BR standfast (1),
.BR standfast-check (1),
.BR keepalived.conf (5)
";

/// keepalived(8)
fn personality() -> String {
    let mut roff = header("KEEPALIVED", 8);
    roff.push_str(PERSONALITY.trim_start());
    for line in USAGE.lines().map(str::trim).filter(|line| line.starts_with('-')) {
        let (option, effect) = line.split_once("  ").unwrap_or((line, ""));
        let _ = writeln!(roff, ".TP\n.B {}\n{}", literal(option), text(&sentence(effect.trim())));
    }
    roff.push_str(
        ".SH OPTIONS WITHOUT EFFECT\nAccepted, and said at start to do nothing in this version.\n",
    );
    for Inactive { short, long, takes, why } in INACTIVE {
        let short = short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = match takes {
            Takes::Nothing => "",
            Takes::Value => "=VALUE",
            Takes::Attached => "[=VALUE]",
        };
        let option = literal(&format!("{short}--{long}{value}"));
        let _ = writeln!(roff, ".TP\n.B {option}\n{}", text(&sentence(why)));
    }
    roff.push_str(SIGNALS);
    roff
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// Prose in which roff finds nothing of its own.
fn text(text: &str) -> String {
    let text = text.replace('\\', "\\e");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Words to type: hyphens stay hyphens, and quotes do not end the argument.
fn literal(word: &str) -> String {
    format!("\"{}\"", text(word).replace('-', "\\-").replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;
    use crate::say;

    #[test]
    fn groff_has_no_warning_for_any_page() {
        if Command::new("groff").arg("--version").output().is_err() {
            say("SKIPPED: that the manual pages are well-formed: install groff-base");
            return;
        }
        for (path, roff) in files().expect("the pages") {
            if roff == ALIAS {
                continue;
            }
            let mut groff = Command::new("groff")
                .args(["-man", "-Tutf8", "-ww", "-z"])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("groff runs");
            groff.stdin.take().expect("piped").write_all(roff.as_bytes()).expect("written");
            let output = groff.wait_with_output().expect("it ends");
            let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                (warnings.as_str(), output.status.success()),
                ("", true),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn the_alias_leads_to_a_page() {
        let names: Vec<_> = files().expect("the pages").into_iter().map(|(path, _)| path).collect();
        let target = ALIAS.trim().rsplit('/').next().expect("a name");
        assert!(names.contains(&Path::new(FOLDER).join(target)), "{names:?}");
    }

    #[test]
    fn every_option_of_the_personality_is_on_its_page() {
        let page = personality();
        for name in ["use-file", "config-test", "signum", "snmp", "flush-log-file"] {
            let escaped = format!("\\-\\-{}", name.replace('-', "\\-"));
            assert!(page.contains(&escaped), "{name}");
        }
    }
}
