//! What the reader found, at most so much: a file of braces alone would make millions.

use crate::{Diagnostic, Severity};

/// Findings that are kept; errors always are.
const KEPT_MAX: usize = 10_000;

/// Findings of a reading.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) kept: Vec<Diagnostic>,
    pub(crate) left_out: usize,
}

impl Findings {
    pub(crate) fn push(&mut self, found: Diagnostic) {
        if self.kept.len() < KEPT_MAX || found.severity == Severity::Error {
            self.kept.push(found);
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.left_out += others.left_out;
        others.kept.into_iter().for_each(|found| self.push(found));
    }
}
