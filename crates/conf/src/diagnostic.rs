//! What is wrong, where, and what to write instead.

use serde::Serialize;

use crate::{Code, source::Span, syntax::Word};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The daemon runs and does what the file says; worth knowing.
    Note,
    /// The daemon runs, probably not as intended.
    Warning,
    /// The daemon refuses the file.
    Error,
}

impl Severity {
    /// As it is printed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How `keepalived -t` classes a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A script that others can change, or runs unchecked.
    Security,
    /// Something is ignored or corrected.
    Error,
    /// It cannot run.
    Fatal,
    /// keepalived gives up on the file at this place.
    GivesUp,
}

/// A place with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The remark; may be empty on a primary label.
    pub text: String,
}

/// Where a finding is: a span, or a word, which knows the definition that it came out of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    span: Span,
    definition: Option<Span>,
}

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self { span, definition: None }
    }
}

impl From<&Word> for Place {
    fn from(word: &Word) -> Self {
        Self { span: word.span, definition: word.definition() }
    }
}

/// The remark at a definition.
const DEFINED: &str = "defined here";

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of mistake.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without full stop.
    pub message: String,
    /// Where.
    pub primary: Label,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to write instead.
    pub hint: Option<String>,
    /// How `keepalived -t` classes it; `None` when it says nothing.
    pub keepalived: Option<Class>,
}

impl Diagnostic {
    pub(crate) fn new(
        code: Code,
        severity: Severity,
        place: impl Into<Place>,
        message: String,
    ) -> Self {
        let Place { span, definition } = place.into();
        let mut found = Self {
            code,
            severity,
            message,
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            hint: None,
            keepalived: None,
        };
        if let Some(definition) = definition {
            found.define(definition);
        }
        found
    }

    /// Names the definition that its text came out of.
    pub(crate) fn define(&mut self, definition: Span) {
        if definition != self.primary.span {
            self.secondary.push(Label { span: definition, text: DEFINED.to_owned() });
        }
    }

    /// The definition that it names.
    pub(crate) fn definition(&self) -> Option<Span> {
        let mut labels = self.secondary.iter();
        labels.find(|label| label.text == DEFINED).map(|label| label.span)
    }

    /// keepalived refuses the file, and so do we.
    pub(crate) fn error(code: Code, place: impl Into<Place>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, place, message.into()).class(Class::Error)
    }

    pub(crate) fn warning(code: Code, place: impl Into<Place>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, place, message.into())
    }

    pub(crate) fn note(code: Code, place: impl Into<Place>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, place, message.into())
    }

    /// `keepalived -t` complains about it too.
    pub(crate) fn class(mut self, class: Class) -> Self {
        self.keepalived = Some(class);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The remark at the primary place.
    pub(crate) fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    pub(crate) fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }
}

/// The exit code of `keepalived -t` for these findings: 0 clean, 2 it gives up on the file, else of
/// all that it finds the least grave counts: 6 security, 5 errors, 4 it cannot run.
#[must_use]
pub fn test_exit_code(diagnostics: &[Diagnostic]) -> u8 {
    let classes = || diagnostics.iter().filter_map(|diagnostic| diagnostic.keepalived);
    if classes().any(|class| class == Class::GivesUp) {
        return 2;
    }
    match classes().min() {
        None => 0,
        Some(Class::Security) => 6,
        Some(Class::Error) => 5,
        Some(Class::Fatal | Class::GivesUp) => 4,
    }
}
