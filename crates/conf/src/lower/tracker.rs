//! Lines of `track_interface`, `track_script` and `track_bfd`.

use standfast_failover::{TrackBfd, TrackInterface, TrackScript, Trackers, Weight};

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
    pub(super) sessions: Vec<(TrackBfd, TrackerOrigin)>,
}

impl Drafts {
    pub(super) fn trackers(&self) -> Trackers {
        Trackers {
            interfaces: self.interfaces.iter().map(|(tracker, _)| tracker.clone()).collect(),
            scripts: self.scripts.iter().map(|(tracker, _)| tracker.clone()).collect(),
            sessions: self.sessions.iter().map(|(tracker, _)| tracker.clone()).collect(),
        }
    }
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
            "track_interface" => self.track_interface(drafts, keyword, list),
            "track_script" => self.track_script(drafts, keyword, list),
            "track_bfd" => self.track_bfd(drafts, keyword, list),
            _ => {}
        }
    }

    fn track_interface(
        &mut self,
        draft: &mut Drafts,
        keyword: &'static Keyword,
        block: &Statement,
    ) {
        for (word, read) in self.entries(keyword, block) {
            let known = draft.interfaces.iter();
            if known.clone().any(|(known, _)| known.interface.as_str() == word.text) {
                self.tracked_twice(word);
                continue;
            }
            let (weight, span) = tracker_weight(&read, Weight::default());
            let tracker = TrackInterface { interface: word.text.as_str().into(), weight };
            let origin = TrackerOrigin { name: word.span, weight: span };
            draft.interfaces.push((tracker, origin));
        }
    }

    fn track_script(&mut self, draft: &mut Drafts, keyword: &'static Keyword, block: &Statement) {
        for (word, read) in self.entries(keyword, block) {
            if draft.scripts.iter().any(|(known, _)| known.script.as_str() == word.text) {
                self.tracked_twice(word);
                continue;
            }
            let script = self.scripts.iter_mut().find(|script| script.name.as_str() == word.text);
            let Some(script) = script else {
                self.script_undefined(word);
                continue;
            };
            script.used = true;
            let (weight, span) = tracker_weight(&read, script.weight);
            let weight_span = span.or(script.weight_span);
            let tracker = TrackScript { script: word.text.as_str().into(), weight };
            let origin = TrackerOrigin { name: word.span, weight: weight_span };
            draft.scripts.push((tracker, origin));
        }
    }

    fn track_bfd(&mut self, draft: &mut Drafts, keyword: &'static Keyword, block: &Statement) {
        for (word, read) in self.entries(keyword, block) {
            if draft.sessions.iter().any(|(known, _)| known.session.as_str() == word.text) {
                self.tracked_twice(word);
                continue;
            }
            let session = self.sessions.iter().find(|known| known.name.as_str() == word.text);
            // An undefined one is reported by the lint of trackers.
            let Some(session) = session else { continue };
            if !session.for_instances {
                let name = &session.name;
                let message =
                    format!("bfd_instance `{name}` tells only real servers; it is not tracked");
                self.diagnostics.push(
                    Diagnostic::warning(Code::TrackerUndefined, word, message)
                        .label("a failure goes unnoticed")
                        .also(session.name_span, "defined here, with `checker` and without `vrrp`")
                        .hint("add `vrrp` to the bfd_instance")
                        .class(Class::Error),
                );
                continue;
            }
            let (weight, span) = tracker_weight(&read, session.weight);
            let tracker = TrackBfd { session: session.name.clone(), weight };
            let origin = TrackerOrigin { name: word.span, weight: span.or(session.weight_span) };
            draft.sessions.push((tracker, origin));
        }
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
