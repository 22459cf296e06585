//! Lines of `track_interface`, `track_script` and their like.

use standfast_failover::{
    TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript, Trackers, Weight,
};

use super::{Lowering, arguments::Read};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    origins::TrackerOrigin,
    source::Span,
    syntax::{Statement, Word},
    table::{self, Keyword, Value},
};

/// The lines of an instance's or a sync group's lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drafts {
    pub(super) interfaces: Vec<(TrackInterface, TrackerOrigin)>,
    pub(super) scripts: Vec<(TrackScript, TrackerOrigin)>,
    pub(super) files: Vec<(TrackFile, TrackerOrigin)>,
    pub(super) processes: Vec<(TrackProcess, TrackerOrigin)>,
    pub(super) sessions: Vec<(TrackBfd, TrackerOrigin)>,
}

impl Drafts {
    pub(super) fn trackers(&self) -> Trackers {
        fn all<T: Clone>(drafts: &[(T, TrackerOrigin)]) -> Vec<T> {
            drafts.iter().map(|(tracker, _)| tracker.clone()).collect()
        }
        Trackers {
            interfaces: all(&self.interfaces),
            scripts: all(&self.scripts),
            files: all(&self.files),
            processes: all(&self.processes),
            sessions: all(&self.sessions),
        }
    }
}

/// The weight that an object brings along, and where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inherited {
    pub(super) weight: Weight,
    pub(super) span: Option<Span>,
}

/// A line, with the weight that counts.
struct Line<'s> {
    name: &'s Word,
    weight: Weight,
    origin: TrackerOrigin,
}

impl Lowering<'_> {
    /// Reads one of the lists.
    pub(super) fn track(
        &mut self,
        drafts: &mut Drafts,
        keyword: &'static Keyword,
        list: &Statement,
    ) {
        match keyword.name {
            "track_interface" => {
                for Line { name, weight, origin } in self.lines(keyword, list, Self::any_name) {
                    let interface = name.text.as_str().into();
                    if drafts.interfaces.iter().any(|(known, _)| known.interface == interface) {
                        self.tracked_twice(name);
                    } else {
                        drafts.interfaces.push((TrackInterface { interface, weight }, origin));
                    }
                }
            }
            "track_script" => {
                for Line { name, weight, origin } in self.lines(keyword, list, Self::script_weight)
                {
                    let script = name.text.as_str().into();
                    if drafts.scripts.iter().any(|(known, _)| known.script == script) {
                        self.tracked_twice(name);
                    } else {
                        drafts.scripts.push((TrackScript { script, weight }, origin));
                    }
                }
            }
            "track_file" => {
                for Line { name, weight, origin } in self.lines(keyword, list, Self::file_weight) {
                    let file = name.text.as_str().into();
                    if drafts.files.iter().any(|(known, _)| known.file == file) {
                        self.tracked_twice(name);
                    } else {
                        drafts.files.push((TrackFile { file, weight }, origin));
                    }
                }
            }
            "track_process" => {
                for Line { name, weight, origin } in self.lines(keyword, list, Self::process_weight)
                {
                    let process = name.text.as_str().into();
                    if drafts.processes.iter().any(|(known, _)| known.process == process) {
                        self.tracked_twice(name);
                    } else {
                        drafts.processes.push((TrackProcess { process, weight }, origin));
                    }
                }
            }
            "track_bfd" => {
                for Line { name, weight, origin } in self.lines(keyword, list, Self::bfd_weight) {
                    let session = name.text.as_str().into();
                    if drafts.sessions.iter().any(|(known, _)| known.session == session) {
                        self.tracked_twice(name);
                    } else {
                        drafts.sessions.push((TrackBfd { session, weight }, origin));
                    }
                }
            }
            _ => {}
        }
    }

    /// The lines whose objects are defined, each with its own weight, else that of the object.
    fn lines<'s>(
        &mut self,
        keyword: &'static Keyword,
        list: &'s Statement,
        find: fn(&mut Self, &Word) -> Option<Inherited>,
    ) -> Vec<Line<'s>> {
        let mut lines = Vec::new();
        for (name, read) in self.entries(keyword, list) {
            let Some(inherited) = find(self, name) else { continue };
            let (weight, span) = tracker_weight(&read, inherited.weight);
            let origin = TrackerOrigin { name: name.span, weight: span.or(inherited.span) };
            lines.push(Line { name, weight, origin });
        }
        lines
    }

    fn any_name(&mut self, _: &Word) -> Option<Inherited> {
        Some(Inherited::default())
    }

    fn script_weight(&mut self, name: &Word) -> Option<Inherited> {
        let script = self.scripts.iter_mut().find(|script| script.name.as_str() == name.text);
        let Some(script) = script else {
            self.script_undefined(name);
            return None;
        };
        script.used = true;
        Some(Inherited { weight: script.weight, span: script.weight_span })
    }

    // That the others are not defined is said by a lint.

    fn file_weight(&mut self, name: &Word) -> Option<Inherited> {
        let file =
            self.tracked_files.iter_mut().find(|file| file.file.name.as_str() == name.text)?;
        file.used = true;
        Some(Inherited { weight: file.weight, span: file.weight_span })
    }

    fn process_weight(&mut self, name: &Word) -> Option<Inherited> {
        let mut processes = self.processes.iter_mut();
        let process = processes.find(|process| process.config.name.as_str() == name.text)?;
        process.used = true;
        Some(Inherited { weight: process.weight, span: process.weight_span })
    }

    fn bfd_weight(&mut self, name: &Word) -> Option<Inherited> {
        let session = self.sessions.iter().find(|known| known.name.as_str() == name.text)?;
        let found = Inherited { weight: session.weight, span: session.weight_span };
        if session.for_instances {
            return Some(found);
        }
        let message =
            format!("bfd_instance `{}` tells only real servers; it is not tracked", name.text);
        self.diagnostics.push(
            Diagnostic::warning(Code::TrackerUndefined, name, message)
                .label("a failure goes unnoticed")
                .also(session.name_span, "defined here, with `checker` and without `vrrp`")
                .hint("add `vrrp` to the bfd_instance")
                .class(Class::Error),
        );
        None
    }

    /// The lines of a list: each one's first word, and what its words came to.
    pub(super) fn entries<'s>(
        &mut self,
        keyword: &'static Keyword,
        list: &'s Statement,
    ) -> Vec<(&'s Word, Read<'s>)> {
        let Some(block) = keyword.block() else { return Vec::new() };
        let mut entries = Vec::new();
        for statement in list.statements() {
            let Some(entry) = self.known(block, statement) else { continue };
            let read = self.read(entry, statement);
            if let Some(word) = statement.keyword().filter(|_| !read.failed) {
                entries.push((word, read));
            }
        }
        entries
    }

    fn tracked_twice(&mut self, word: &Word) {
        let message = format!("`{}` is tracked already; this line is ignored", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::DuplicateName, word, message).class(Class::Error));
    }

    fn script_undefined(&mut self, word: &Word) {
        let message = format!("no vrrp_script `{}` is defined above; it is not tracked", word.text);
        let mut found = Diagnostic::warning(Code::ScriptUndefined, word, message)
            .label("a failure goes unnoticed")
            .class(Class::Error);
        let names = self.scripts.iter().map(|script| script.name.as_str());
        if let Some(later) = self.later_scripts.get(word.text.as_str()) {
            found = found
                .also(*later, "defined here, too late")
                .hint("move the vrrp_script above the instance");
        } else if let Some(likely) = table::best(&word.text, names) {
            found = found.hint(format!("did you mean `{likely}`?"));
        } else {
            found = found.hint(format!("define `vrrp_script {} {{ ... }}` above", word.text));
        }
        self.diagnostics.push(found);
    }
}

/// `weight N [reverse|noreverse]` behind a tracker's name; else what is inherited.
fn tracker_weight(read: &Read<'_>, inherited: Weight) -> (Weight, Option<Span>) {
    let (mut weight, mut span) = (inherited, None);
    for (name, matched) in read.options() {
        match (name, matched.value) {
            ("weight", Value::Number(number)) => {
                weight.value = i16::try_from(number).unwrap_or(weight.value);
                span = Some(matched.word.span);
            }
            ("reverse", _) => weight.reverse = true,
            ("noreverse", _) => weight.reverse = false,
            (_, _) => {}
        }
    }
    (weight, span)
}
