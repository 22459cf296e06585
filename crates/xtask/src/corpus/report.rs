//! What a run over the corpus shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use standfast_conf::Code;

use super::{Case, Kind, Theirs, look::Ours};

/// Counts of verdicts, exit codes side by side, and how many files have each finding.
pub(super) fn table(cases: &[Case]) -> String {
    let mut text = String::new();
    let judged = cases.iter().filter(|case| case.theirs.is_some()).count();
    let _ = writeln!(text, "{} files, {judged} of them with keepalived's verdict\n", cases.len());
    for kind in Kind::ALL {
        let count = cases.iter().filter(|case| case.failures().contains(&kind)).count();
        let _ = writeln!(text, "{kind:<8} {count:>4}");
    }
    if judged > 0 {
        text.push_str("\nexit codes without the scripts, ours down, keepalived's across\n");
        text.push_str(&cross(cases, |ours, theirs| (ours.bare, theirs.bare)));
        text.push_str("\nexit codes with the scripts\n");
        text.push_str(&cross(cases, |ours, theirs| (ours.present, theirs.present)));
        let (said, unsaid) = lines(cases);
        let _ = writeln!(
            text,
            "\nlines that keepalived complains about: {}; we say nothing about {}",
            said + unsaid.len(),
            unsaid.len()
        );
    }
    text.push_str("\nfiles with each finding\n");
    for code in Code::ALL {
        let has = |case: &&Case| case.ours.as_ref().is_ok_and(|ours| ours.codes.contains(code));
        let count = cases.iter().filter(has).count();
        if count > 0 {
            let _ = writeln!(text, "{code} {:<28} {count:>4}", format!("{code:?}"));
        }
    }
    text
}

fn cross(cases: &[Case], codes: impl Fn(&Ours, &Theirs) -> (u8, u8)) -> String {
    let mut counts: BTreeMap<(u8, u8), usize> = BTreeMap::new();
    for case in cases {
        if let (Ok(ours), Some(theirs)) = (&case.ours, &case.theirs) {
            *counts.entry(codes(ours, theirs)).or_default() += 1;
        }
    }
    let rows: BTreeSet<u8> = counts.keys().map(|(ours, _)| *ours).collect();
    let columns: BTreeSet<u8> = counts.keys().map(|(_, theirs)| *theirs).collect();
    let header: String = columns.iter().map(|theirs| format!("{theirs:>5}")).collect();
    let mut text = format!("{:>5}{header}\n", "");
    for ours in rows {
        let _ = write!(text, "{ours:>5}");
        for &theirs in &columns {
            let count = counts.get(&(ours, theirs)).map_or(".".to_owned(), usize::to_string);
            let _ = write!(text, "{count:>5}");
        }
        text.push('\n');
    }
    text
}

/// Every message about a line that none of our findings points at.
pub(super) fn unsaid(cases: &[Case]) -> String {
    lines(cases).1.iter().map(|line| format!("{line}\n")).collect()
}

/// Every file with another exit code than keepalived's, and what ours comes from.
pub(super) fn differences(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        let (Ok(ours), Some(theirs)) = (&case.ours, &case.theirs) else { continue };
        if ours.present != theirs.present {
            let (from, to) = (ours.present, theirs.present);
            let _ = writeln!(
                text,
                "{}: ours {from}, theirs {to}: {}",
                case.name,
                ours.classed.join(", ")
            );
        }
    }
    text
}

/// How many messages are about lines that we have something to say about, and the others.
fn lines(cases: &[Case]) -> (usize, Vec<String>) {
    let mut said = 0;
    let mut unsaid = Vec::new();
    for case in cases {
        let (Ok(ours), Some(theirs)) = (&case.ours, &case.theirs) else { continue };
        for message in &theirs.messages {
            match line(message) {
                Some(line) if ours.lines.contains(&line) => said += 1,
                Some(_) => unsaid.push(format!("{}: {message}", case.name)),
                None => {}
            }
        }
    }
    (said, unsaid)
}

/// The line that a message of keepalived's is about: `(Line 9)` or `(003.conf: Line 9)`.
fn line(message: &str) -> Option<usize> {
    let (place, _) = message.strip_prefix('(')?.split_once(')')?;
    let (_, number) = place.rsplit_once("Line ")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_a_message_is_about_is_found() {
        assert_eq!(line("(Line 9) Unknown keyword 'a'"), Some(9));
        assert_eq!(line("(003.conf: Line 12) number '0' outside range"), Some(12));
        assert_eq!(line("(VI_1) No VIP specified"), None);
        assert_eq!(line("SECURITY VIOLATION - scripts"), None);
    }
}
