//! Commands and the script files behind them.

use std::{collections::BTreeSet, path::Path};

use super::typography::{Slip, slips};
use crate::{
    Code, Diagnostic, FileId, Files, ScriptFile, Sources, Span, Word,
    diagnostic::Class,
    lower::command::{split, unescape},
};

/// Programs whose first argument is a script.
pub(super) const INTERPRETERS: &[&str] =
    &["sh", "bash", "dash", "ash", "ksh", "zsh", "python", "python3", "perl"];

/// Where a configuration's commands are looked at.
struct Inspection<'a> {
    files: &'a dyn Files,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Scripts whose text was read.
    looked_into: BTreeSet<String>,
    /// The first command that would run.
    first: Option<Span>,
}

pub(super) fn lint(
    commands: &[Word],
    security: bool,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let looked_into = BTreeSet::new();
    let mut inspection = Inspection { files, sources, diagnostics, looked_into, first: None };
    for word in commands {
        inspection.command(word);
    }
    let Some(first) = inspection.first.filter(|_| !security) else { return };
    diagnostics.push(
        Diagnostic::warning(
            Code::ScriptSecurityOff,
            first,
            "scripts run without `enable_script_security`",
        )
        .hint("write `enable_script_security` and `script_user USER` in global_defs")
        .class(Class::Security),
    );
}

/// Whether a file is a program that only lacks its permission: by what it begins with, or by where
/// it lies.
fn is_script(path: &str, file: &ScriptFile) -> bool {
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    let named = path.ends_with(".sh") || path.ends_with(".py") || path.ends_with(".pl");
    named
        || matches!(folder, "bin" | "sbin" | "libexec")
        || folder.contains("script")
        || file.head.starts_with(b"#!")
        || file.head.starts_with(b"\x7fELF")
}

impl Inspection<'_> {
    fn command(&mut self, word: &Word) {
        for slip in slips(&word.text) {
            self.slip_in_command(word, &slip);
        }
        if word.text.starts_with('<') {
            return;
        }
        let Ok(argv) = split(&unescape(&word.text)) else { return };
        let Some((program, arguments)) = argv.split_first() else { return };
        let mut runs = true;
        if program.starts_with('/') {
            let file = self.files.script(Path::new(program));
            runs = self.program(word, program, &file);
            self.text(word, program, &file);
        }
        let name = program.rsplit('/').next().unwrap_or(program);
        if INTERPRETERS.contains(&name) {
            if let Some(script) = arguments.first().filter(|script| script.starts_with('/')) {
                let file = self.files.script(Path::new(script));
                self.interpreted(word, script, &file);
                self.text(word, script, &file);
            }
        } else {
            self.shell_syntax(word, arguments);
        }
        if runs {
            self.first.get_or_insert(word.span);
        }
    }

    /// Whether the program can run.
    fn program(&mut self, word: &Word, program: &str, file: &ScriptFile) -> bool {
        if !file.exists {
            let message = format!("`{program}` does not exist");
            self.diagnostics.push(
                Diagnostic::warning(Code::ScriptMissing, word, message)
                    .hint("install it on this node, or correct the path")
                    .class(Class::Error),
            );
        } else if !file.executable {
            let message = format!("`{program}` is not executable");
            self.diagnostics.push(
                Diagnostic::warning(Code::ScriptNotExecutable, word, message)
                    .hint(match is_script(program, file) {
                        true => format!("chmod 755 {program}"),
                        false => "is it the right file? It does not look like a program".to_owned(),
                    })
                    .class(Class::Error),
            );
        } else if file.writable {
            self.writable(word, program);
        }
        file.exists && file.executable
    }

    fn writable(&mut self, word: &Word, program: &str) {
        let message = format!("others than root can change `{program}` or a directory above it");
        self.diagnostics.push(
            Diagnostic::warning(Code::ScriptWritable, word, message)
                .hint(format!(
                    "chown root {program}; chmod go-w {program} and every directory above"
                ))
                .class(Class::Security),
        );
    }

    fn interpreted(&mut self, word: &Word, script: &str, file: &ScriptFile) {
        if !file.exists {
            let message = format!("`{script}` does not exist");
            self.diagnostics.push(
                Diagnostic::warning(Code::ScriptMissing, word, message)
                    .hint("install it on this node, or correct the path"),
            );
        } else if file.writable {
            self.writable(word, script);
        }
    }

    fn shell_syntax(&mut self, word: &Word, arguments: &[String]) {
        let shell = |argument: &&String| {
            matches!(argument.as_str(), "|" | "||" | "&" | "&&" | ";")
                || argument.starts_with(['>', '<', '`'])
                || argument.starts_with("$(")
                || argument.starts_with("2>")
                || (argument.ends_with(';') && argument.len() > 1)
        };
        let Some(argument) = arguments.iter().find(shell) else { return };
        let message =
            format!("`{argument}` is passed on as an argument: no shell runs the command");
        self.diagnostics.push(
            Diagnostic::warning(Code::ShellSyntax, word, message)
                .hint("write the command as \"/bin/sh -c '...'\""),
        );
    }

    fn slip_in_command(&mut self, word: &Word, slip: &Slip) {
        // Escapes and definitions shift nothing in a word as written.
        let start = word.span.range().start
            + usize::from(word.quoting != crate::Quoting::Bare)
            + slip.start;
        let exact = Span::new(word.span.file, start..start + slip.len);
        let span = if word.definition().is_none() { exact } else { word.span };
        let message = format!("`{}` in a command is no plain `{}`", slip.found, slip.plain);
        self.diagnostics.push(
            Diagnostic::warning(Code::Typography, span, message)
                .hint(format!("write `{}`", slip.instead)),
        );
    }

    /// Looks into the text of a script.
    fn text(&mut self, word: &Word, path: &str, file: &ScriptFile) {
        let binary = !file.head.starts_with(b"#!") && file.head.contains(&0);
        if binary || !self.looked_into.insert(path.to_owned()) {
            return;
        }
        let mut id: Option<FileId> = None;
        let mut start = 0;
        for line in file.head.split_inclusive(|&byte| byte == b'\n') {
            // A line that is no UTF-8 would have other offsets than its text.
            for slip in str::from_utf8(line).map(slips).unwrap_or_default() {
                let sources = &mut self.sources;
                let file = *id.get_or_insert_with(|| sources.add(path.into(), file.head.clone()));
                let at = start + slip.start;
                let span = Span::new(file, at..at + slip.len);
                let message =
                    format!("`{path}` holds a `{}` that is no plain `{}`", slip.found, slip.plain);
                self.diagnostics.push(
                    Diagnostic::warning(Code::Typography, word, message)
                        .also(span, format!("write `{}`", slip.instead))
                        .hint(format!("write `{}`", slip.instead)),
                );
            }
            start += line.len();
        }
    }
}
