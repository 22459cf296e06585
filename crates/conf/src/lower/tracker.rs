//! Lines of `track_interface` and `track_script`.

use standfast_failover::{TrackInterface, TrackScript, Weight};

use super::{
    Lowering,
    instance::Draft,
    value::{self, NumberError},
};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    origins::TrackerOrigin,
    source::Span,
    syntax::{Statement, Word},
    words,
};

impl Lowering<'_> {
    pub(super) fn track_interface(&mut self, draft: &mut Draft, block: &Statement) {
        for statement in block.statements() {
            let Some((word, options)) = statement.words.split_first() else { continue };
            let known = draft.track_interfaces.iter();
            if known.clone().any(|(known, _)| known.interface.as_str() == word.text) {
                self.tracked_twice(word);
                continue;
            }
            let (weight, span) = self.tracker_weight(options, Weight::default());
            let tracker = TrackInterface { interface: word.text.as_str().into(), weight };
            let origin = TrackerOrigin { name: word.span, weight: span };
            draft.track_interfaces.push((tracker, origin));
        }
    }

    pub(super) fn track_script(&mut self, draft: &mut Draft, block: &Statement) {
        for statement in block.statements() {
            let Some((word, options)) = statement.words.split_first() else { continue };
            if draft.track_scripts.iter().any(|(known, _)| known.script.as_str() == word.text) {
                self.tracked_twice(word);
                continue;
            }
            let script = self.scripts.iter_mut().find(|script| script.name.as_str() == word.text);
            let Some(script) = script else {
                self.script_undefined(word);
                continue;
            };
            script.used = true;
            let (own, own_span) = (script.weight, script.weight_span);
            let (weight, span) = self.tracker_weight(options, own);
            let tracker = TrackScript { script: word.text.as_str().into(), weight };
            let origin = TrackerOrigin { name: word.span, weight: span.or(own_span) };
            draft.track_scripts.push((tracker, origin));
        }
    }

    fn tracked_twice(&mut self, word: &Word) {
        let message = format!("`{}` is tracked already; this line is ignored", word.text);
        self.diagnostics
            .push(Diagnostic::warning(Code::DuplicateName, word.span, message).class(Class::Error));
    }

    fn script_undefined(&mut self, word: &Word) {
        let message = format!("no vrrp_script `{}` is defined above; it is not tracked", word.text);
        let mut found = Diagnostic::warning(Code::ScriptUndefined, word.span, message)
            .label("a failure goes unnoticed")
            .class(Class::Error);
        let names = self.scripts.iter().map(|script| script.name.as_str());
        if let Some(later) = self.later_scripts.get(word.text.as_str()) {
            found = found
                .also(*later, "defined here, too late")
                .hint("move the vrrp_script above the instance");
        } else if let Some(likely) = words::best(&word.text, names) {
            found = found.hint(format!("did you mean `{likely}`?"));
        } else {
            found = found.hint(format!("define `vrrp_script {} {{ ... }}` above", word.text));
        }
        self.diagnostics.push(found);
    }

    /// `weight N [reverse|noreverse]` behind a tracker's name; else what is inherited.
    fn tracker_weight(&mut self, options: &[Word], inherited: Weight) -> (Weight, Option<Span>) {
        let [option, rest @ ..] = options else { return (inherited, None) };
        if option.text != "weight" {
            self.surplus(options);
            return (inherited, None);
        }
        let Some((word, rest)) = rest.split_first() else {
            self.surplus(options);
            return (inherited, None);
        };
        let Some(value) = self.weight_value(word, "it is ignored") else {
            return (inherited, None);
        };
        let reverse = self.reverse(rest).unwrap_or(inherited.reverse);
        (Weight { value, reverse }, Some(word.span))
    }

    /// A weight; beyond the range, the nearest one within. `fallback` says what happens when
    /// it is no number.
    pub(super) fn weight_value(&mut self, word: &Word, fallback: &str) -> Option<i16> {
        let (value, code, what) = match value::number(&word.text, -253, 253) {
            Ok(number) => return i16::try_from(number).ok(),
            Err(NumberError::OutOfRange) => {
                let limit = if word.text.starts_with('-') { -253 } else { 253 };
                (Some(limit), Code::OutOfRange, format!("{limit} is used"))
            }
            Err(NumberError::Malformed) => (None, Code::BadValue, fallback.to_owned()),
        };
        let message = format!("`{}` is no weight; {what}", word.text);
        self.diagnostics.push(
            Diagnostic::warning(code, word.span, message)
                .hint("a weight is -253 to 253")
                .class(Class::Error),
        );
        value
    }
}
